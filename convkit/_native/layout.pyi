from convkit._checks import Array

def to_planes(
    images: tuple[Array, ...],
    planes: Array,
    order: Array,
    scale: Array,
    offset: Array,
    stream: bool,
    num_threads: int,
) -> bool: ...
def from_planes(
    images: tuple[Array, ...],
    planes: Array,
    order: Array,
    scale: Array,
    offset: Array,
    num_threads: int,
) -> bool: ...

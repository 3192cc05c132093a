from convkit._checks import Array

def sums(x: Array, found: Array, num_threads: int) -> None: ...
def moments(x: Array, found: Array, num_threads: int) -> None: ...
def products(g: Array, x: Array, means: Array, found: Array, num_threads: int) -> None: ...
def affine(x: Array, terms: Array, y: Array, num_threads: int) -> None: ...
def affine_of_two(g: Array, x: Array, terms: Array, y: Array, num_threads: int) -> None: ...
def batch_norm(
    x: Array,
    weight: Array | None,
    bias: Array | None,
    moments: Array,
    training: bool,
    eps: float,
    rectified: bool,
    y: Array,
    num_threads: int,
) -> None: ...
def batch_norm_gradient(
    g: Array,
    x: Array,
    y: Array | None,
    weight: Array | None,
    moments: Array,
    training: bool,
    eps: float,
    by_x: Array,
    by_parameters: Array,
    num_threads: int,
) -> None: ...

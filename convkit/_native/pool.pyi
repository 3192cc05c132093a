from convkit._checks import Array

def max_pool(
    x: Array,
    y: Array,
    index: Array,
    width: int,
    rows: Array,
    columns: Array,
    step_h: int,
    step_w: int,
    num_threads: int,
) -> None: ...
def max_pool_gradient(g: Array, index: Array, y: Array, num_threads: int) -> None: ...
def avg_pool(
    x: Array,
    y: Array,
    lines: Array,
    width: int,
    rows: Array,
    columns: Array,
    counts: Array,
    back: bool,
    num_threads: int,
) -> None: ...

from convkit._checks import Array

def adam(
    x: Array,
    g: Array,
    mean: Array,
    square: Array,
    most: Array | None,
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    decay: float,
    decoupled: bool,
    num_threads: int,
) -> None: ...

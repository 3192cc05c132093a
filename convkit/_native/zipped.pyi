from convkit._checks import Array, Pair

def transposed(
    x_bchw: Array,
    weights: Array,
    bias: Array,
    y_bchw: Array,
    stride_h: int,
    dilation: Pair,
    before: Pair,
    num_threads: int,
    activation: int = 0,
    slope: float = 0.0,
    residual: Array | None = None,
) -> None: ...

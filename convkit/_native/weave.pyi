from convkit._checks import Array

def weave(
    maps: Array,
    phase_rows: Array,
    places: Array,
    first_row: int,
    bias: Array,
    y_bchw: Array,
    stride_h: int,
    stride_w: int,
    num_threads: int,
    activation: int = 0,
    slope: float = 0.0,
    residual: Array | None = None,
) -> None: ...

from convkit._checks import Array

VECTOR_LANES: int
TILE_PIXELS: int

def panel_rows(outputs: int) -> int: ...
def pack_weights(
    weight_gockk: Array, kernel_index: Array, row_taps: int, rows: int, packed: Array
) -> None: ...
def conv_taps(
    x_bchw: Array,
    weights: Array,
    bias: Array,
    y_bchw: Array,
    taps: Array,
    row_taps: int,
    stride_h: int,
    stride_w: int,
    groups: int,
    border: int,
    cval: float,
    num_threads: int,
    activation: int = 0,
    slope: float = 0.0,
    residual: Array | None = None,
) -> None: ...

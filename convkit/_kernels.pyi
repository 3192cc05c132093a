from convkit._checks import Array

VECTOR_LANES: int

def pack_weights(
    weight_goppckk: Array,
    kernel_index: Array,
    tap_rows: Array,
    stride_h: int,
    packed: Array,
    num_threads: int,
) -> None: ...

class Convolution:
    def __init__(
        self,
        weights: Array,
        bias: Array,
        tap_rows: Array,
        tap_columns: Array,
        stride_h: int,
        stride_w: int,
        groups: int,
        border: int,
        cval: float,
    ) -> None: ...
    def run(
        self,
        x_bchw: Array,
        y_bchw: Array,
        num_threads: int,
        activation: int = 0,
        slope: float = 0.0,
        residual: Array | None = None,
    ) -> None: ...

def workspace_bytes(
    x_bchw: Array,
    y_bchw: Array,
    tap_rows: Array,
    tap_columns: Array,
    stride_h: int,
    stride_w: int,
    groups: int,
    num_threads: int,
) -> int: ...
def units(
    x_bchw: Array,
    y_bchw: Array,
    tap_rows: Array,
    tap_columns: Array,
    stride_h: int,
    stride_w: int,
    groups: int,
    num_threads: int,
) -> list[tuple[int, int, int, int]]: ...

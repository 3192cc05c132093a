from convkit._checks import Array

def weight_count(
    groups: int, outputs: int, channels: int, kernel_rows: int, kernel_columns: int, stride: int, points: int
) -> int: ...
def transform_weights(
    weight_gockk: Array, columns: Array, stride: int, points: int, packed: Array, num_threads: int
) -> None: ...

class Convolution:
    def __init__(
        self,
        weights: Array,
        bias: Array,
        points: int,
        kernel_rows: int,
        top: int,
        tap_columns: Array,
        stride_h: int,
        stride_w: int,
        dilation: int,
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
    points: int,
    kernel_rows: int,
    top: int,
    tap_columns: Array,
    stride_h: int,
    stride_w: int,
    dilation: int,
    groups: int,
    num_threads: int,
) -> int: ...
def units(
    x_bchw: Array,
    y_bchw: Array,
    points: int,
    kernel_rows: int,
    top: int,
    tap_columns: Array,
    stride_h: int,
    stride_w: int,
    dilation: int,
    groups: int,
    num_threads: int,
) -> list[tuple[int, int, int, int, int]]: ...

from convkit._checks import Array, Pair

PART_LANES: int

def block_outputs(outputs: int) -> int: ...
def kernel_chunk(outputs: int, channels: int, kernel_h: int, stride_h: int, dilation_h: int) -> int: ...
def rows_apart(outputs: int, channels: int, kernel_h: int, stride_h: int, dilation_h: int) -> int: ...

class Convolution:
    def __init__(
        self,
        weights: Array,
        bias: Array,
        groups: int,
        kernel: Pair,
        stride: Pair,
        dilation: Pair,
        before: Pair,
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
    groups: int,
    kernel: Pair,
    stride: Pair,
    dilation: Pair,
    before: Pair,
    num_threads: int,
) -> int: ...
def packed(
    x_bchw: Array,
    y_bchw: Array,
    groups: int,
    kernel: Pair,
    stride: Pair,
    dilation: Pair,
    before: Pair,
) -> Pair: ...
def units(
    x_bchw: Array,
    y_bchw: Array,
    groups: int,
    kernel: Pair,
    stride: Pair,
    dilation: Pair,
    before: Pair,
    num_threads: int,
) -> list[tuple[int, int, int, int]]: ...

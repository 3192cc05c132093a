from convkit._checks import Array, Pair

def kernel_chunk(outputs: int, kernel_h: int, stride_h: int, dilation_h: int) -> int: ...
def depthwise(
    x_bchw: Array,
    weights: Array,
    bias: Array,
    y_bchw: Array,
    groups: int,
    kernel: Pair,
    stride: Pair,
    dilation: Pair,
    before: Pair,
    border: int,
    cval: float,
    num_threads: int,
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

from convkit._checks import Array

def weight_count(groups: int, outputs: int, channels: int, m: int) -> int: ...
def transform_weights(weight_gockk: Array, m: int, stride: int, packed: Array, num_threads: int) -> None: ...
def workspace_bytes(
    m: int,
    stride: int,
    images: int,
    groups: int,
    outputs: int,
    channels: int,
    rows: int,
    columns: int,
    dilation_h: int,
    dilation_w: int,
    num_threads: int,
) -> int: ...

class Convolution:
    def __init__(
        self,
        weights: Array,
        bias: Array,
        m: int,
        stride: int,
        top: int,
        left: int,
        dilation_h: int,
        dilation_w: int,
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

def units(
    m: int,
    stride: int,
    images: int,
    groups: int,
    outputs: int,
    channels: int,
    rows: int,
    columns: int,
    dilation_h: int,
    dilation_w: int,
    num_threads: int,
) -> tuple[list[tuple[int, list[tuple[int, int, int]]]], ...]: ...

from convkit._checks import Array, Pair

VECTOR_LANES: int

def weight_gradient(
    x_bchw: Array,
    g_bchw: Array,
    y_ockk: Array,
    groups: int,
    dilation: Pair,
    before: Pair,
    border: int,
    cval: float,
    num_threads: int,
) -> None: ...

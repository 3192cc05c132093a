from convkit._checks import Array, Pair

def canny(
    image: Array,
    out: Array,
    low: float,
    high: float,
    l2: bool,
    extent: Pair,
    anchor: Pair,
    border: int,
    outside: float,
    threads: int,
) -> None: ...
def canny_of_gradients(
    dx: Array, dy: Array, out: Array, low: float, high: float, l2: bool, threads: int
) -> None: ...

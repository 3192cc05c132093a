from convkit._checks import Array, Pair

def median_network(
    image: Array, out: Array, extent: Pair, anchor: Pair, border: int, outside: float, threads: int
) -> None: ...
def median(
    image: Array, out: Array, extent: Pair, anchor: Pair, border: int, outside: float, threads: int
) -> None: ...

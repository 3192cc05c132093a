from convkit._checks import Array, Pair

def median(
    image: Array, out: Array, extent: Pair, anchor: Pair, border: int, outside: float, threads: int
) -> None: ...

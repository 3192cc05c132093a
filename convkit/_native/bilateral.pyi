from collections.abc import Sequence

from convkit._checks import Array, Pair

def bilateral(
    image: Array,
    out: Array,
    taps: Sequence[tuple[int, int, float]],
    steepness: float,
    deep: bool,
    extent: Pair,
    anchor: Pair,
    border: int,
    outside: float,
    threads: int,
) -> None: ...

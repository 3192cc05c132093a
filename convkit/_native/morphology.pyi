from collections.abc import Sequence

from convkit._checks import Array, Pair

def rectangle(
    image: Array,
    out: Array,
    greatest: bool,
    extent: Pair,
    anchor: Pair,
    border: int,
    outside: float,
    threads: int,
) -> None: ...
def footprint(
    image: Array,
    out: Array,
    greatest: bool,
    taps: Sequence[tuple[int, int, int]],
    levels: int,
    extent: Pair,
    anchor: Pair,
    border: int,
    outside: float,
    threads: int,
) -> None: ...

from collections.abc import Sequence

from convkit._checks import Array, Pair

class Kernel:
    def __init__(
        self,
        greatest: bool,
        taps: Sequence[tuple[int, int, int]],
        levels: int,
        extent: Pair,
        anchor: Pair,
        border: int,
        outside: float,
    ) -> None: ...
    def run(self, image: Array, out: Array, first: int, threads: int) -> None: ...

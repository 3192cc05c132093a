from convkit._checks import Array, Pair

LEAST_WIDTH: int

class Spectrum:
    def __init__(self, kernel: Array, rows: int, columns: int) -> None: ...
    def correlate(
        self, image: Array, out: Array, origin: Pair, steps: Pair, border: int, cval: float, threads: int
    ) -> bool: ...

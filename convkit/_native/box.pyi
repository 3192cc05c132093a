from typing import Any, Protocol

import numpy as np

_Array = np.ndarray[Any, np.dtype[Any]]

class _Box(Protocol):
    @property
    def extent(self) -> tuple[int, int]: ...
    @property
    def anchor(self) -> tuple[int, int]: ...

class Kernel:
    def __init__(self, box: _Box, border: int, cval: float) -> None: ...
    def run(self, image: _Array, out: _Array, first: int, threads: int) -> None: ...

from typing import Any, Protocol

import numpy as np

_Array = np.ndarray[Any, np.dtype[Any]]

class _Box(Protocol):
    @property
    def extent(self) -> tuple[int, int]: ...
    @property
    def anchor(self) -> tuple[int, int]: ...

def run(image: _Array, out: _Array, box: _Box, border: int, cval: float, threads: int) -> None: ...

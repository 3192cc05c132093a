from typing import Any

import numpy as np

from convkit._native.stencil import _Stencil

_Array = np.ndarray[Any, np.dtype[Any]]

class Kernel:
    def __init__(self, stencil: _Stencil, border: int, cval: float) -> None: ...
    def run(self, image: _Array, out: _Array, first: int, threads: int) -> None: ...

from typing import Any

import numpy as np

from convkit._native.stencil import _Stencil

_Array = np.ndarray[Any, np.dtype[Any]]

def run(image: _Array, out: _Array, stencil: _Stencil, border: int, cval: float, threads: int) -> None: ...

from typing import Any

import numpy as np

from convkit._native.box import _Box

_Array = np.ndarray[Any, np.dtype[Any]]

def run(image: _Array, out: _Array, box: _Box, border: int, cval: float, threads: int) -> None: ...

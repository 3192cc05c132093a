from typing import Any

import numpy as np

_Array = np.ndarray[Any, np.dtype[Any]]
_Pair = tuple[int, int]

def box(
    image: _Array,
    out: _Array,
    extent: _Pair,
    anchor: _Pair,
    border: int,
    outside: float,
    threads: int,
) -> None: ...

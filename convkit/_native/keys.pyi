from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np

_Array = np.ndarray[Any, np.dtype[Any]]

def key_of(values: Iterable[Any]) -> tuple[Hashable, ...]: ...
def key_of_call(image: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Hashable, ...] | None: ...
def fits(out: Any, shape: tuple[int, ...], kind: np.dtype[Any], image: _Array) -> bool: ...

from collections.abc import Callable, Hashable, Iterable
from contextvars import ContextVar
from typing import Any

import numpy as np

_Array = np.ndarray[Any, np.dtype[Any]]

def key_of(values: Iterable[Any]) -> tuple[Hashable, ...]: ...
def key_of_call(image: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Hashable, ...] | None: ...

class Kept:
    native: Any
    steps: list[Any]
    def __init__(
        self,
        image: _Array,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        native: Any,
        steps: list[Any],
        empty: Callable[..., _Array],
        notes: ContextVar[Any],
    ) -> None: ...
    def is_asked(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool: ...
    def result_of(self, image: Any, out: Any) -> _Array | None: ...

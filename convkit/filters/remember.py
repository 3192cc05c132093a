"""Arguments that were checked once need no check when they come again: small images take microseconds."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import chain
from typing import Any, TypeVar

import numpy as np

Result = TypeVar("Result")

MOST = 64
"""Results that are kept of one function."""


def remembered(function: Callable[..., Result]) -> Callable[..., Result]:
    """`function`, whose last results are kept by its arguments, unless those have no hash.

    Arrays, lists of numbers and lists of those are told apart by what they hold, and of which types.
    """
    cached = lru_cache(maxsize=MOST, typed=True)(function)
    kept: dict[Any, Result] = {}

    def call(*args: Any) -> Result:
        try:
            hash(args)
        except TypeError:
            pass
        else:
            return cached(*args)
        try:
            key = tuple(map(type, args)), tuple([_STAND_IN.get(type(arg), _itself)(arg) for arg in args])
            if key in kept:
                return kept[key]
        except (TypeError, IndexError):
            return function(*args)
        if len(kept) >= MOST:
            kept.clear()
        kept[key] = function(*args)
        return kept[key]

    return call


def _itself(value: Any) -> Any:
    return value


def _of_array(value: np.ndarray[Any, Any]) -> Any:
    return value.tobytes(), value.dtype, value.shape


def _of_list(value: list[Any]) -> Any:
    if type(value[0]) is not list:
        return tuple(value), frozenset(map(type, value))
    numbers = tuple(chain.from_iterable(value))
    return numbers, frozenset(map(type, numbers)), tuple(map(len, value)), frozenset(map(type, value))


_STAND_IN: dict[type, Callable[[Any], Any]] = {np.ndarray: _of_array, list: _of_list}

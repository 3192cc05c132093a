"""Arguments that were checked once need no check when they come again: small images take microseconds."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

Result = TypeVar("Result")


def remembered(function: Callable[..., Result]) -> Callable[..., Result]:
    """`function`, whose last results are kept by its arguments, unless those have no hash."""
    cached = lru_cache(maxsize=64, typed=True)(function)

    def call(*args: Any) -> Result:
        try:
            hash(args)
        except TypeError:
            return function(*args)
        return cached(*args)

    return call

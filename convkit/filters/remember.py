"""What was asked once needs no check when it is asked again: small images take microseconds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import numpy as np

from convkit import _checks, _dispatch
from convkit._checks import Array
from convkit.ops import rows
from convkit.ops.rows import Step

Result = TypeVar("Result")

MOST = 64
"""Results, or calls, that are kept of one function."""


# ---- what tells arguments apart ---------------------------------------------------------------------


def key_of(values: Iterable[Any]) -> Any:
    """What tells such arguments from all others: their types and what they hold.

    Arrays and lists are told apart by what they hold now; TypeError where that cannot be known.
    """
    values = tuple(values)
    kinds = tuple(map(type, values))
    if _PLAIN.issuperset(kinds):
        return kinds, values
    return kinds, tuple([_content(value) for value in values])


_PLAIN = frozenset({int, str, bool, type(None), type})
"""Types of values that are equal, and stay so, where they do the same."""


def _content(value: Any) -> Any:
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is float:
        return value or str(value)  # the signs of zeros are equal
    if kind is tuple or kind is list:
        return key_of(value)
    if kind is np.ndarray and not value.dtype.hasobject:
        return value.tobytes(), value.dtype, value.shape
    if isinstance(value, np.dtype):
        return value
    if isinstance(value, np.generic) and kind is not np.object_:
        return value.tobytes()
    raise TypeError(f"{kind.__name__} may change")


def remembered(function: Callable[..., Result]) -> Callable[..., Result]:
    """`function`, whose last results are kept by its arguments where those are known to be the same again."""
    kept: dict[Any, Result] = {}

    def call(*args: Any) -> Result:
        try:
            key = key_of(args)
        except TypeError:
            return function(*args)
        if key not in kept:
            result = function(*args)
            if len(kept) >= MOST:
                kept.clear()
            kept[key] = result
            return result
        return kept[key]

    return call


# ---- whole calls ------------------------------------------------------------------------------------


class Calls:
    """The kernels that a filter's calls came to, by their arguments and the image's dtype and shape.

    `function` takes ``(image, *args, out=None, **kwargs)``. Nothing is kept of one that is not `local`: its
    kernels may depend on the pixels.
    """

    def __init__(self, function: Callable[..., Array], local: bool) -> None:
        self._function = function
        self._local = local
        self._kept: dict[Any, list[Step]] = {}

    def __call__(self, image: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> Array:
        """The filter's result, by the kernels alone where it was asked before."""
        key = self._key(image, args, kwargs)
        steps = self._kept.get(key) if key else None
        if steps:
            return _repeat(steps, image, out)
        if out is not None:
            kwargs = {**kwargs, "out": out}
        if key is None or rows.noting() or _checks.layout_told.get():
            return self._function(image, *args, **kwargs)
        result, steps = rows.note(self._function, image, args, kwargs)
        if steps:
            if len(self._kept) >= MOST:
                self._kept.clear()
            self._kept[key] = steps
        return result

    def _key(self, image: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """None where the image would have to be looked at, or the arguments may change."""
        if not self._local or type(image) is not np.ndarray:
            return None
        flags = image.flags
        if not (flags.c_contiguous and flags.aligned):
            return None
        try:
            values = key_of((*args, *kwargs.values()) if kwargs else args)
        except TypeError:
            return None
        return image.dtype, image.shape, values, *kwargs, _dispatch.native()


def _repeat(steps: list[Step], image: Array, out: Any) -> Array:
    last = len(steps) - 1
    for i, (kernel, shape, dtype, work, num_threads) in enumerate(steps):
        result = _checks.output(out if i == last else None, shape, dtype)
        image = rows.execute(kernel, image, result, work, num_threads)
    return image

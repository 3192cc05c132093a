"""What was asked once needs no check when it is asked again: small images take microseconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from convkit import _checks, _dispatch
from convkit._checks import Array
from convkit.ops import rows
from convkit.ops.rows import Step

Result = TypeVar("Result")

MOST = 64
"""Results, or calls, that are kept of one function."""


def remembered(function: Callable[..., Result]) -> Callable[..., Result]:
    """`function`, whose last results are kept by its arguments where those are known to be the same again."""
    kept: dict[Any, Result] = {}

    def call(*args: Any) -> Result:
        try:
            key = _dispatch.keys().key_of(args)
        except TypeError:
            return function(*args)
        try:
            return kept[key]
        except KeyError:
            result = function(*args)
            _keep(kept, key, result)
            return result

    return call


# ---- whole calls ------------------------------------------------------------------------------------


class Calls:
    """The kernels that a filter's calls came to, by their arguments and the image's dtype and shape.

    `function` takes ``(image, *args, out=None, **kwargs)``. Nothing is kept unless it is `fixed`: kernels
    alone make its result, and are chosen without a look at the pixels.
    """

    def __init__(self, function: Callable[..., Array], fixed: bool) -> None:
        self._function = function
        self._fixed = fixed
        self._kept: dict[Any, Any] = {}
        self._last: Any = None

    def result(self, image: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> Array:
        """The filter's result, by the kernels alone where it was asked before."""
        native = _dispatch.native()
        last = self._last
        if last is not None and last.native is native and last.is_asked(args, kwargs):
            result: Array | None = last.result_of(image, out)
            if result is not None:
                return result
        key = _dispatch.keys().key_of_call(image, args, kwargs) if self._fixed else None
        kept = self._kept.get(key)
        if kept is None or kept.native is not native:
            return between(lambda to: self._first(key, image, args, kwargs, to), out)
        self._last = kept
        result = kept.result_of(image, out)
        return between(lambda to: _repeat(kept.steps, image, to), out) if result is None else result

    def _first(self, key: Any, image: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> Array:
        given = kwargs
        if out is not None:
            image, given = apart(image, out), {**kwargs, "out": out}
        if key is None or rows.noting() or _checks.layout_told.get():
            return self._function(image, *args, **given)
        result: Array
        result, steps = rows.note(self._function, image, args, given)
        if steps:
            native = _dispatch.native()
            kept = _dispatch.keys().Kept(image, args, kwargs, native, steps, _checks.empty, rows.taken)
            _keep(self._kept, key, kept)
        return result


def _repeat(steps: list[Step], image: Array, out: Any) -> Array:
    """What `steps` make of an image, in `out`, which may not fit, or a fresh array."""
    last = steps[-1]
    image, out = apart(image, out), _checks.output(out, last.shape, last.dtype)
    for step in steps[:-1]:
        image = step.made_of(image)
    return last.made_of(image, out)


def between(call: Callable[[Any], Array], out: Any, whole: bool = False) -> Array:
    """``call(out)``; an array between where kernels cannot write to `out`, or all is written as a `whole`."""
    if out is None or not (whole or _checks.needs_between(out)):
        return call(out)
    result = call(None)  # an array like `out` may be far too large: what fits is known when there is a result
    written = _checks.fitting(out, result.shape, result.dtype)
    np.asarray(written)[...] = result  # as kernels write: subclasses, such as masked arrays, may not
    return written


def apart(image: Any, out: Any) -> Any:
    """`image`, or a copy of it where `out` shares its memory."""
    both = isinstance(image, np.ndarray) and isinstance(out, np.ndarray)
    return image.copy() if both and _checks.overlaps(image, out) else image


def _keep(kept: dict[Any, Any], key: Any, value: Any) -> None:
    if len(kept) >= MOST:
        kept.clear()
    kept[key] = value

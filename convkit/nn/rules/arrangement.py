"""Operations that move elements and compute nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from convkit._checks import Array
from convkit.nn.rules.result import Needs, Result, unbroadcast

Shape = tuple[int, ...]


def reshape(needs: Needs, x: Array, shape: Shape) -> Result:
    """The same elements in another shape."""
    before = x.shape
    return Result(x.reshape(shape), lambda g: (g.reshape(before),), view=True)


def permute(needs: Needs, x: Array, axes: Shape) -> Result:
    """The same elements, with the axes in another order."""
    back = np.argsort(axes)
    return Result(x.transpose(axes), lambda g: (g.transpose(back),), view=True)


def expand(needs: Needs, x: Array, shape: Shape) -> Result:
    """Repeated along axes of size 1, without a copy."""
    return Result(np.broadcast_to(x, shape), lambda g: (unbroadcast(g, x),), view=True)


def take(needs: Needs, x: Array, index: Any) -> Result:
    """``x[index]``, of slices, integers, masks and arrays of integers."""
    parts = index if isinstance(index, tuple) else (index,)
    simple = all(part is None or part is Ellipsis or isinstance(part, (int, slice)) for part in parts)
    shape, dtype = x.shape, x.dtype
    if needs[0] and not simple:  # a copy, which nobody changes before the gradient
        index = tuple(np.array(part) if isinstance(part, (np.ndarray, list)) else part for part in parts)

    def backward(g: Array) -> tuple[Array]:
        gradient = np.zeros(shape, dtype)
        if simple:
            gradient[index] = g
        else:
            np.add.at(gradient, index, g)  # an element that was taken twice gets both
        return (gradient,)

    return Result(np.asarray(x[index]), backward, view=simple)


def concatenate(needs: Needs, *arrays: Array, axis: int) -> Result:
    """One array after the other along `axis`."""
    ends = np.cumsum([array.shape[axis] for array in arrays])[:-1]

    def backward(g: Array) -> Sequence[Array | None]:
        parts = np.split(g, ends, axis)
        return [part if need else None for part, need in zip(parts, needs, strict=True)]

    return Result(np.concatenate(arrays, axis), backward)


def pad(needs: Needs, x: Array, widths: Sequence[tuple[int, int]], mode: str, value: float) -> Result:
    """With `widths` more elements before and after each axis, by the border's name in `numpy.pad`."""
    shape = x.shape
    if mode == "constant":
        inner = tuple(slice(before, before + n) for (before, _), n in zip(widths, shape, strict=True))
        return Result(np.pad(x, widths, constant_values=value), lambda g: (g[inner],))

    def backward(g: Array) -> tuple[Array]:
        for axis, width in enumerate(widths):
            if width != (0, 0):
                g = _folded(g, axis, np.pad(np.arange(shape[axis]), width, mode=mode), shape[axis])  # type: ignore[call-overload]
        return (g,)

    return Result(np.pad(x, widths, mode=mode), backward)  # type: ignore[call-overload]


def _folded(g: Array, axis: int, sources: Array, size: int) -> Array:
    """The gradient of an axis whose elements were copied from `sources`."""
    gradient = np.zeros((*g.shape[:axis], size, *g.shape[axis + 1 :]), g.dtype)
    into, out_of = np.moveaxis(gradient, axis, 0), np.moveaxis(g, axis, 0)
    for place, source in enumerate(sources):
        into[source] += out_of[place]
    return gradient

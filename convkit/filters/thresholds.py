"""Masks of the pixels above a value that is given, or found."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from convkit import _checks, _dispatch
from convkit._checks import FLOATS, Array
from convkit.filters.registry import Arguments, Halo, register
from convkit.ops import rows, window
from convkit.ops.rows import RowKernel
from convkit.ops.stencil import UINT8

FLOAT_BINS = 256
"""Of the histogram of a float image, between its least and its greatest pixel."""


def _no_halo(arguments: Arguments) -> Halo:
    return Halo(0, 0, 0, 0)


def _mask(image: np.dtype[Any], arguments: Arguments) -> np.dtype[Any]:
    return UINT8


@register(halo=_no_halo, output_dtype=_mask)
def threshold(
    image: ArrayLike, value: float, *, out: Array | None = None, num_threads: int | None = None
) -> Array:
    """Where an image is above a value: 255 there, 0 elsewhere.

    Parameters
    ----------
    image : array_like, HW or HWC
        uint8, uint16, int16, float32 or float64. NaN is above nothing.
    value : float
        In the units of the pixels; they must be greater, not equal.
    out : ndarray, optional
        Where to write: the shape of `image`, uint8, any strides.
    num_threads : int, optional
        Threads of this call; the bits of the result do not depend on it.

    Returns
    -------
    ndarray
        The shape of `image`, uint8.

    Raises
    ------
    ValueError
        `value` is not finite.
    TypeError
        A dtype that is not supported.

    References
    ----------
    R. Gonzalez and R. Woods, "Digital Image Processing", 4th ed., section 10.3.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> ck.filters.threshold(np.array([[79, 80, 81]], np.uint8), 80)
    array([[  0,   0, 255]], dtype=uint8)
    """
    source = _checks.image(image)
    limit = _limit(_checks.finite(value, "value"), source.dtype)
    result = _checks.output(out, source.shape, UINT8, source)
    run = _family(source).Kernel(limit).run if isinstance(limit, float) else partial(_fill, limit)
    return rows.execute(RowKernel(run, 0, 0), source, result, result.size, num_threads)


def _family(image: Array) -> Any:
    return _dispatch.native().family("threshold", image.dtype)


def _fill(above: bool, source: Array, target: Array, first: int, threads: int) -> None:
    target.fill(255 if above else 0)


def _limit(value: float, dtype: np.dtype[Any]) -> float | bool:
    """The pixel of `dtype` that those above `value` are greater than; a bool where all are above, or none."""
    if dtype == FLOATS[0]:  # the next below, unless it is one: x > value is x > that
        nearest = np.float32(np.clip(value, -np.finfo(dtype).max, np.finfo(dtype).max))
        with np.errstate(over="ignore"):  # below the least number is -Inf
            return float(nearest if float(nearest) <= value else np.nextafter(nearest, np.float32(-np.inf)))
    if dtype in FLOATS:
        return value
    low, high = window.LIMITS[dtype]
    return float(math.floor(value)) if low <= value < high else value < low


@register(halo=None, output_dtype=_mask, remember=True, refuses_pixels=True)
def otsu(image: ArrayLike, *, out: Array | None = None, num_threads: int | None = None) -> Array:
    """Where an image is above the value that parts its pixels best, by Otsu's method: 255 there, 0 elsewhere.

    The value makes the variance between the two classes greatest. Each channel has its own; it is one of the
    pixels' values in images of integers, and of floats the upper end of one of 256 bins between the least and
    the greatest pixel. Integers that are all equal are above it, as in OpenCV, unless they are the least of
    their dtype; equal floats are not.

    Parameters
    ----------
    image : array_like, HW or HWC
        uint8, uint16, int16, float32 or float64; without NaN or Inf.
    out, num_threads
        As in `threshold`.

    Returns
    -------
    ndarray
        The shape of `image`, uint8.

    Raises
    ------
    ValueError
        The image holds NaN or Inf.
    TypeError
        A dtype that is not supported.

    References
    ----------
    N. Otsu, "A Threshold Selection Method from Gray-Level Histograms", IEEE Transactions on Systems, Man, and
    Cybernetics 9, 1979.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> ck.filters.otsu(np.array([[10, 11, 12, 200, 201]], np.uint8))
    array([[  0,   0,   0, 255, 255]], dtype=uint8)
    """
    source = _checks.image(image)
    result = _checks.output(out, source.shape, UINT8, source)
    find = _part_of_floats if source.dtype in FLOATS else _part_of_integers(source.dtype)
    run = partial(_part, _family(source), find)
    return rows.execute(RowKernel(run, 0, 0), source, result, result.size, num_threads)


Split: TypeAlias = Callable[[Any, Array, int], float]


def _part(family: Any, find: Split, source: Array, target: Array, first: int, threads: int) -> None:
    """Mark the pixels of each channel's upper class, those above what `find` says."""
    channels: list[Any] = [...] if source.ndim == 2 else [(..., i) for i in range(source.shape[2])]
    kernels = [family.Kernel(find(family, source[channel], threads)) for channel in channels]
    for kernel, channel in zip(kernels, channels, strict=True):  # nothing is written before all are found
        kernel.run(source[channel], target[channel], 0, threads)


def _part_of_integers(dtype: np.dtype[Any]) -> Split:
    """What gives the greatest pixel of the lower class."""
    low, high = window.LIMITS[dtype]
    bins = int(high - low) + 1

    def find(family: Any, plane: Array, threads: int) -> float:
        best: int = family.split(plane, bins, low, 1.0, threads)
        return low + best

    return find


def _part_of_floats(family: Any, plane: Array, threads: int) -> float:
    """What those of the upper class are above."""
    low, high = float(plane.min()), float(plane.max())
    if not math.isfinite(high - low):
        raise ValueError("image holds NaN or Inf, or numbers too far apart: pass np.nan_to_num(image)")
    value = low
    if low < high:
        scale = FLOAT_BINS / (high - low)
        value += (family.split(plane, FLOAT_BINS, low, scale, threads) + 1) / scale
    return float(_limit(value, plane.dtype))

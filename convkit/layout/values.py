"""Number types of pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from convkit import _dispatch, _threads
from convkit._checks import FLOATS, Array, as_array, empty, finite
from convkit.layout.shape import check_pixels

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

LARGE, SMALLER = 2.0**1000, 2.0**-64
"""Ends of a range above the first are multiplied by the second, which rounds nothing."""


def to_uint8(image: ArrayLike, range: tuple[float, float] | None = None) -> Array:
    """An image as uint8: `range` mapped to 0..255, rounded to the nearest, and what lies outside cut off.

    Parameters
    ----------
    image : array, any shape
        uint8, uint16, int16, float32, float64 or bool.
    range : pair of numbers, optional
        Of the values that become 0 and 255. Where it is not given, an integer dtype's own (uint16: 0..65535,
        so that 257 becomes 1); of floats it must be given, since nobody else knows it.

    Returns
    -------
    array
        uint8, of the image's shape. Halves are rounded to even.

    Raises
    ------
    ValueError
        No range for a float image; a range that is empty or not finite; NaN.
    TypeError
        Another dtype.

    Examples
    --------
    >>> import numpy as np, convkit as ck
    >>> ck.to_uint8(np.array([-0.2, 0.5, 1.0]), range=(0, 1)).tolist()
    [0, 128, 255]
    >>> ck.to_uint8(np.array([0, 257, 65535], np.uint16)).tolist()
    [0, 1, 255]
    """
    array = as_array(image, "image", np.dtype(np.float64))
    if array.dtype == np.bool_:
        return np.where(array, np.uint8(255), np.uint8(0))
    check_pixels(array, "image")
    if range is None:
        if array.dtype.kind == "f":
            raise ValueError(f"range is None and image has dtype {array.dtype}; expected e.g. range=(0, 1)")
        low, high = float(np.iinfo(array.dtype).min), float(np.iinfo(array.dtype).max)
    else:
        if np.shape(range) != (2,):
            raise ValueError(f"range is {range!r}; expected two numbers, e.g. range=(0, 1)")
        low, high = finite(range[0], "range[0]"), finite(range[1], "range[1]")
        if not low < high:
            raise ValueError(f"range is ({low:g}, {high:g}); expected the lower number first")
    values = array.astype(np.float64)
    if max(-low, high) > LARGE:  # neither the difference of the two nor the product overflows then
        values, low, high = values * SMALLER, low * SMALLER, high * SMALLER
    with np.errstate(over="ignore"):  # what is so large is cut off
        return saturated((values - low) * 255 / (high - low), np.uint8)


def saturated(array: Array, dtype: DTypeLike) -> Array:
    """A C-contiguous copy in `dtype`; integers are rounded to the nearest and held to their range."""
    target = np.dtype(dtype)
    if target.kind == "f" or target == array.dtype:
        return np.array(array, dtype=target, order="C", copy=True)
    if array.dtype in FLOATS:
        return _rounded(np.ascontiguousarray(array), target)
    limits = np.iinfo(target)
    wide = array.astype(np.int32)  # holds both the source's range and the target's
    np.clip(wide, limits.min, limits.max, out=wide)
    return wide.astype(target, order="C")


def _rounded(array: Array, target: np.dtype[Any]) -> Array:
    """A contiguous float array in an integer dtype, in one pass: all of it is one row of one channel."""
    result = empty(array.shape, target)
    lost = (
        _dispatch.native()
        .family("layout", array.dtype)
        .from_planes(
            (result.reshape(1, -1, 1),),
            array.reshape(1, 1, 1, -1),
            np.zeros(1, np.intp),
            np.ones(1),
            np.full(1, -0.0),
            _threads.threads_for(array.size),
        )
    )
    if lost:
        raise ValueError(f"NaN cannot become {target}; pass np.nan_to_num(array), or keep a float dtype")
    return result

"""The median: the middle one of the pixels of a window."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from convkit import _checks
from convkit._checks import Array, Pair
from convkit.filters.registry import Arguments, Halo, keeps_dtype, register
from convkit.ops import window
from convkit.ops.stencil import Border

MAX_SIZE = 255
"""Of a median's window: the kernels count its pixels in 16 bits, and those of a column in 8."""


def _size(size: Any) -> Pair:
    height, width = _checks.pair(size, "size")
    return _checks.odd(height, "size", MAX_SIZE), _checks.odd(width, "size", MAX_SIZE)


def _halo(arguments: Arguments) -> Halo:
    return Halo.of(_size(arguments["size"]))


@register(halo=_halo, output_dtype=keeps_dtype)
def median(
    image: ArrayLike,
    size: int | tuple[int, int],
    *,
    border: Border = "edge",
    cval: float = 0.0,
    out: Array | None = None,
    num_threads: int | None = None,
) -> Array:
    """The median of a rectangle: half of its pixels are no greater, and half no less.

    3×3 and 5×5 are sorting networks; of uint8, other sizes take constant time. Of wider dtypes they take a
    comparison for each pixel of the window and each bit of the dtype.

    Parameters
    ----------
    image : array_like, HW or HWC
        uint8, uint16, int16, float32 or float64; each channel is filtered alone. NaN is above every
        number, and -0.0 below 0.0.
    size : int or (int, int)
        Extent of the rectangle, odd, 1 to 255; a pair is (vertical, horizontal).
    border, cval, out, num_threads
        As in `sobel`.

    Returns
    -------
    ndarray
        The shape (smaller for "valid") and dtype of `image`: one of the pixels under the window.

    Raises
    ------
    ValueError
        An argument is outside its range, or "valid" leaves nothing.
    TypeError
        A dtype that is not supported.

    References
    ----------
    S. Perreault and P. Hébert, "Median Filtering in Constant Time", IEEE Transactions on Image Processing 16,
    2007.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> ck.filters.median(np.array([[1, 2, 99, 4, 5]], np.uint8), (1, 3))
    array([[1, 2, 4, 5, 5]], dtype=uint8)
    """
    source = _checks.image(image)
    extent = _size(size)
    kernel, work = _kernel(extent, source.dtype)
    return window.run(
        kernel,
        source,
        extent=extent,
        border=border,
        cval=_checks.fill_value(cval, source.dtype),
        out=out,
        num_threads=num_threads,
        work=work,
    )


def _kernel(extent: Pair, dtype: np.dtype[Any]) -> tuple[tuple[str, str], int]:
    """The family and the entry that find the median of a window, and what a pixel costs."""
    if extent in ((3, 3), (5, 5)):
        return ("rank", "median_network"), extent[0] ** 2 // 4
    if dtype == np.uint8:
        return ("running", "median"), 50
    return ("rank", "median"), extent[0] * extent[1] * dtype.itemsize

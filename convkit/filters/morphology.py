"""Grey-scale morphology: the least and the greatest pixel of a neighbourhood, and what is made of them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from convkit import _checks
from convkit._checks import Array, Pair
from convkit.filters.registry import Arguments, Halo, keeps_dtype, register
from convkit.ops import window
from convkit.ops.stencil import Border

Shape = int | tuple[int, int] | ArrayLike

MOST_ELEMENTS = 13  # of a footprint, up to which each is compared: runs of them take longer


class Footprint(NamedTuple):
    """A neighbourhood: its extent, and as what the kernel reads it; no taps: the whole rectangle."""

    extent: Pair
    taps: tuple[tuple[int, int, int], ...] = ()
    levels: int = 1


def _size_halo(arguments: Arguments) -> Halo:
    return Halo.of(_checks.extents(arguments["size"], "size"))


def _footprint_halo(arguments: Arguments) -> Halo:
    return Halo.of(_footprint(arguments["footprint"]).extent)


def _twice_halo(arguments: Arguments) -> Halo:
    once = _footprint_halo(arguments)
    return Halo(*(a + b for a, b in zip(once, (once.bottom, once.top, once.right, once.left), strict=True)))


@register(halo=_size_halo, output_dtype=keeps_dtype)
def minimum(
    image: ArrayLike,
    size: int | tuple[int, int],
    *,
    border: Border = "constant",
    cval: float | None = None,
    out: Array | None = None,
    num_threads: int | None = None,
) -> Array:
    """The least pixel of a rectangle; the cost does not depend on its size.

    Parameters
    ----------
    image : array_like, HW or HWC
        uint8, uint16, int16, float32 or float64; each channel is filtered alone. NaN is above every
        number, and -0.0 below 0.0.
    size : int or (int, int)
        Extent of the rectangle, at least 1; a pair is (vertical, horizontal). An even extent reaches one
        pixel further up or left than down or right.
    border : {"constant", "edge", "reflect", "symmetric", "wrap", "valid"}
        As in `sobel`.
    cval : float, optional
        The value outside for ``border="constant"``. Default: the greatest of the dtype (infinity for floats),
        so that only pixels of the image count.
    out : ndarray, optional
        Where to write: the shape and dtype of the result, any strides.
    num_threads : int, optional
        Threads of this call; the bits of the result do not depend on it.

    Returns
    -------
    ndarray
        The shape (smaller for "valid") and dtype of `image`.

    Raises
    ------
    ValueError
        An argument is outside its range, or "valid" leaves nothing.
    TypeError
        A dtype that is not supported.

    References
    ----------
    M. van Herk, "A fast algorithm for local minimum and maximum filters on rectangular and octagonal
    kernels", Pattern Recognition Letters 13, 1992; J. Gil and M. Werman, "Computing 2-D min, median, and max
    filters", IEEE Transactions on Pattern Analysis and Machine Intelligence 15, 1993.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> ck.filters.minimum(np.array([[3, 1, 4, 1, 5, 9]], np.uint8), (1, 3))
    array([[1, 1, 1, 1, 1, 5]], dtype=uint8)
    """
    return _extreme(image, Footprint(_checks.extents(size, "size")), False, border, cval, out, num_threads)


@register(halo=_size_halo, output_dtype=keeps_dtype)
def maximum(
    image: ArrayLike,
    size: int | tuple[int, int],
    *,
    border: Border = "constant",
    cval: float | None = None,
    out: Array | None = None,
    num_threads: int | None = None,
) -> Array:
    """The greatest pixel of a rectangle; the cost does not depend on its size.

    Parameters, result and exceptions are those of `minimum`; outside lies the least value of the dtype.

    References
    ----------
    As in `minimum`.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> ck.filters.maximum(np.array([[3, 1, 4, 1, 5, 9]], np.uint8), (1, 3))
    array([[3, 4, 4, 5, 9, 9]], dtype=uint8)
    """
    return _extreme(image, Footprint(_checks.extents(size, "size")), True, border, cval, out, num_threads)


@register(halo=_footprint_halo, output_dtype=keeps_dtype)
def erode(
    image: ArrayLike,
    footprint: Shape,
    *,
    border: Border = "constant",
    cval: float | None = None,
    out: Array | None = None,
    num_threads: int | None = None,
) -> Array:
    """Erosion: the least pixel under a footprint.

    Parameters
    ----------
    image : array_like, HW or HWC
        As in `minimum`.
    footprint : int, (int, int) or array_like
        The size of a rectangle, as in `minimum`, or a 2-D array whose non-zero elements count. Its element at
        (height // 2, width // 2) lies on the pixel.
    border, cval, out, num_threads
        As in `minimum`.

    Returns
    -------
    ndarray
        The shape (smaller for "valid") and dtype of `image`.

    Raises
    ------
    ValueError
        An argument is outside its range, the footprint is empty, or "valid" leaves nothing.
    TypeError
        A dtype that is not supported.

    References
    ----------
    R. Gonzalez and R. Woods, "Digital Image Processing", 4th ed., section 9.8.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> square = np.zeros((5, 5), np.uint8); square[1:4, 1:4] = 1
    >>> ck.filters.erode(square, [[0, 1, 0], [1, 1, 1], [0, 1, 0]])[2]
    array([0, 0, 1, 0, 0], dtype=uint8)
    """
    return _extreme(image, _footprint(footprint), False, border, cval, out, num_threads)


@register(halo=_footprint_halo, output_dtype=keeps_dtype)
def dilate(
    image: ArrayLike,
    footprint: Shape,
    *,
    border: Border = "constant",
    cval: float | None = None,
    out: Array | None = None,
    num_threads: int | None = None,
) -> Array:
    """Dilation: the greatest pixel under a footprint, which is laid on the image as it is, not turned round.

    Parameters, result and exceptions are those of `erode`; outside lies the least value of the dtype.

    References
    ----------
    As in `erode`.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> dot = np.zeros((3, 3), np.uint8); dot[1, 1] = 1
    >>> ck.filters.dilate(dot, [[0, 1, 0], [1, 1, 1], [0, 1, 0]])
    array([[0, 1, 0],
           [1, 1, 1],
           [0, 1, 0]], dtype=uint8)
    """
    return _extreme(image, _footprint(footprint), True, border, cval, out, num_threads)


@register(halo=_twice_halo, output_dtype=keeps_dtype)
def opening(
    image: ArrayLike,
    footprint: Shape,
    *,
    border: Border = "constant",
    cval: float | None = None,
    out: Array | None = None,
    num_threads: int | None = None,
) -> Array:
    """Opening: an erosion, then a dilation by the footprint turned round.

    Light details into which the footprint does not fit vanish. Opening twice changes nothing more,
    and no pixel becomes lighter, whatever the footprint.

    Parameters, result and exceptions are those of `erode`. The border and `cval` hold for both steps; unless
    `cval` is given, each has its own.

    References
    ----------
    As in `erode`.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> ck.filters.opening(np.array([[0, 9, 0, 9, 9, 9, 0]], np.uint8), (1, 3))
    array([[0, 0, 0, 9, 9, 9, 0]], dtype=uint8)
    """
    return _both(image, footprint, False, border, cval, out, num_threads)


@register(halo=_twice_halo, output_dtype=keeps_dtype)
def closing(
    image: ArrayLike,
    footprint: Shape,
    *,
    border: Border = "constant",
    cval: float | None = None,
    out: Array | None = None,
    num_threads: int | None = None,
) -> Array:
    """Closing: a dilation, then an erosion by the footprint turned round.

    Dark details into which the footprint does not fit vanish.

    Parameters, result and exceptions are those of `opening`.

    References
    ----------
    As in `erode`.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> ck.filters.closing(np.array([[9, 0, 9, 0, 0, 0, 9]], np.uint8), (1, 3))
    array([[9, 9, 9, 0, 0, 0, 9]], dtype=uint8)
    """
    return _both(image, footprint, True, border, cval, out, num_threads)


def _both(
    image: ArrayLike,
    footprint: Shape,
    greatest: bool,
    border: Border,
    cval: float | None,
    out: Array | None,
    num_threads: int | None,
) -> Array:
    found = _footprint(footprint)
    if found.extent == (1, 1):  # both steps keep the image, or what stands for its NaNs
        return _extreme(image, found, greatest, border, cval, out, num_threads)
    between = _extreme(image, found, greatest, border, cval, None, num_threads)
    return _extreme(between, _turned(found), not greatest, border, cval, out, num_threads, turned=True)


def _extreme(
    image: ArrayLike,
    footprint: Footprint,
    greatest: bool,
    border: Border,
    cval: float | None,
    out: Array | None,
    num_threads: int | None,
    turned: bool = False,
) -> Array:
    source = _checks.image(image)
    if cval is None:
        outside = window.LIMITS[source.dtype][0 if greatest else 1]
    else:
        outside = _checks.fill_value(cval, source.dtype)
    height, width = footprint.extent
    return window.run(
        ("morphology", "Kernel"),
        source,
        greatest,
        footprint.taps,
        footprint.levels,
        extent=footprint.extent,
        anchor=((height - 1) // 2, (width - 1) // 2) if turned else None,
        border=border,
        cval=outside,
        out=out,
        num_threads=num_threads,
        work=2 + len(footprint.taps) // 2,
        apart=not footprint.taps,
    )


def _footprint(value: Any) -> Footprint:
    """A size or an array as a `Footprint`; whole rectangles are those of their size."""
    if type(value) is int or not _checks.is_sequence(value) or (len(value) == 2 and np.ndim(value) == 1):
        return Footprint(_checks.extents(value, "footprint"))
    mask = _checks.coefficients(value, "footprint", 2) != 0
    if mask.all():
        return Footprint(mask.shape)
    if not mask.any():
        raise ValueError("footprint holds only zeros; expected at least one element that counts")
    return _from_mask(mask.shape, mask.tobytes())


@lru_cache(maxsize=64)
def _from_mask(shape: Pair, data: bytes) -> Footprint:
    """Each element of few, or each run of ones as two overlapping minima of a power of two of pixels."""
    mask = np.frombuffer(data, bool).reshape(shape)
    if mask.sum() <= MOST_ELEMENTS:
        return Footprint(shape, tuple((row, 0, column) for row, column in np.argwhere(mask).tolist()))
    taps: list[tuple[int, int, int]] = []
    for row, line in enumerate(mask):
        ends = np.flatnonzero(np.diff(line, prepend=False, append=False)).tolist()
        for start, end in zip(ends[::2], ends[1::2], strict=True):
            level = (end - start).bit_length() - 1
            taps.extend((row, level, column) for column in sorted({start, end - (1 << level)}))
    return Footprint(shape, tuple(taps), max(tap[1] for tap in taps) + 1)


def _turned(footprint: Footprint) -> Footprint:
    """The footprint turned by half a circle."""
    height, width = footprint.extent
    taps = [(height - 1 - row, level, width - column - (1 << level)) for row, level, column in footprint.taps]
    return footprint._replace(taps=tuple(taps))

"""Correlation and convolution with kernels of the caller's own."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, get_args

from numpy.typing import ArrayLike, DTypeLike

from convkit import _checks
from convkit._checks import Array, Pair
from convkit.filters.registry import Arguments, Halo, keeps_dtype, register
from convkit.ops import stencil
from convkit.ops.stencil import Border, Stencil

Mode: TypeAlias = Literal["correlate", "convolve"]


def _dense(kernel: Any, mode: Any, anchor: Any) -> Stencil:
    weights = _checks.coefficients(kernel, "kernel", 2)
    row, column = _anchor(anchor, (weights.shape[0], weights.shape[1]))
    if _flips(mode):
        weights, row, column = weights[::-1, ::-1], weights.shape[0] - 1 - row, weights.shape[1] - 1 - column
    return stencil.dense(weights, (row, column))


def _separable(kernel_x: Any, kernel_y: Any, mode: Any, anchor: Any) -> Stencil:
    x, y = _checks.coefficients(kernel_x, "kernel_x", 1), _checks.coefficients(kernel_y, "kernel_y", 1)
    row, column = _anchor(anchor, (len(y), len(x)))
    if _flips(mode):
        y, x, row, column = y[::-1], x[::-1], len(y) - 1 - row, len(x) - 1 - column
    return stencil.separable((y, x), anchor=(row, column))


def _flips(mode: Any) -> bool:
    return _checks.choice(mode, "mode", get_args(Mode)) == "convolve"


def _anchor(anchor: Any, extent: Pair) -> Pair:
    if anchor is None:
        return extent[0] // 2, extent[1] // 2
    row, column = _checks.pair(anchor, "anchor")
    if not (0 <= row < extent[0] and 0 <= column < extent[1]):
        raise ValueError(
            f"anchor is {anchor!r}, outside the kernel; expected (row, column) within {extent[0]}x{extent[1]}"
        )
    return row, column


def _dense_halo(arguments: Arguments) -> Halo:
    operation = _dense(arguments["kernel"], arguments["mode"], arguments["anchor"])
    return Halo.of(operation.extent, operation.anchor)


def _separable_halo(arguments: Arguments) -> Halo:
    kernels = arguments["kernel_x"], arguments["kernel_y"]
    operation = _separable(*kernels, arguments["mode"], arguments["anchor"])
    return Halo.of(operation.extent, operation.anchor)


@register(halo=_dense_halo, output_dtype=keeps_dtype)
def filter2d(
    image: ArrayLike,
    kernel: ArrayLike,
    *,
    mode: Mode = "correlate",
    border: Border = "reflect",
    cval: float = 0.0,
    anchor: tuple[int, int] | None = None,
    delta: float = 0.0,
    scale: float = 1.0,
    dtype: DTypeLike | None = None,
    out: Array | None = None,
    num_threads: int | None = None,
) -> Array:
    """Any linear filter, given by its kernel: scale · (kernel ⋆ image) + delta.

    Parameters
    ----------
    image : array_like, HW or HWC
        uint8, uint16, int16, float32 or float64; each channel is filtered alone.
    kernel : array_like, 2-D
        Finite coefficients; it may be larger than the image. A coefficient of zero reads nothing.
    mode : {"correlate", "convolve"}
        "correlate" lays the kernel on the image as it is; "convolve" turns it by half a turn, anchor and all.
    border, cval, out, num_threads
        As in `sobel`.
    anchor : (int, int), optional
        Row and column of the kernel's element that lies on the output pixel. Default: the extents // 2. For
        ``border="valid"`` it plays no part.
    delta, scale : float
        Applied to the sum before it is rounded.
    dtype : dtype, optional
        dtype of the result; the image's by default. Integers are rounded to nearest, half to even, and
        saturated: pass ``dtype=np.float32`` or ``np.int16`` to keep negative responses of unsigned images.

    Returns
    -------
    ndarray
        The shape of `image` (smaller by the kernel's extent less one for "valid").

    Raises
    ------
    ValueError
        A kernel that is empty, not 2-D or not finite, an anchor outside it, or "valid" leaves nothing.
    TypeError
        A dtype that is not supported.

    References
    ----------
    R. Gonzalez and R. Woods, "Digital Image Processing", 4th ed., section 3.4.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> step = np.array([[0, 0, 9, 9]], np.uint8)
    >>> ck.filters.filter2d(step, [[-1, 0, 1]], dtype=np.int16)
    array([[0, 9, 9, 0]], dtype=int16)
    """
    source = _checks.image(image)
    return _apply(_dense(kernel, mode, anchor), source, scale, delta, border, cval, dtype, out, num_threads)


@register(halo=_separable_halo, output_dtype=keeps_dtype)
def sepfilter2d(
    image: ArrayLike,
    kernel_x: ArrayLike,
    kernel_y: ArrayLike,
    *,
    mode: Mode = "correlate",
    border: Border = "reflect",
    cval: float = 0.0,
    anchor: tuple[int, int] | None = None,
    delta: float = 0.0,
    scale: float = 1.0,
    dtype: DTypeLike | None = None,
    out: Array | None = None,
    num_threads: int | None = None,
) -> Array:
    """Any separable linear filter, given by a kernel along the rows and one along the columns.

    The same as `filter2d` with the kernel ``np.outer(kernel_y, kernel_x)``, in K + K steps a pixel.
    Nothing is rounded between the two.

    Parameters
    ----------
    image : array_like, HW or HWC
        uint8, uint16, int16, float32 or float64; each channel is filtered alone.
    kernel_x, kernel_y : array_like, 1-D
        Finite coefficients along x (horizontal) and along y (vertical).
    mode, border, cval, anchor, delta, scale, dtype, out, num_threads
        As in `filter2d`.

    Returns
    -------
    ndarray
        The shape of `image` (smaller by the kernels' lengths less one for "valid").

    Raises
    ------
    ValueError
        A kernel that is empty, not 1-D or not finite, an anchor outside it, or "valid" leaves nothing.
    TypeError
        A dtype that is not supported.

    References
    ----------
    R. Gonzalez and R. Woods, "Digital Image Processing", 4th ed., section 3.4.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> dot = np.zeros((3, 3), np.uint8); dot[1, 1] = 1
    >>> ck.filters.sepfilter2d(dot, [1, 2, 1], [3, 10, 3], border="constant")
    array([[ 3,  6,  3],
           [10, 20, 10],
           [ 3,  6,  3]], dtype=uint8)
    """
    source = _checks.image(image)
    operation = _separable(kernel_x, kernel_y, mode, anchor)
    return _apply(operation, source, scale, delta, border, cval, dtype, out, num_threads)


def _apply(
    operation: Stencil,
    source: Array,
    scale: float,
    delta: float,
    border: Border,
    cval: float,
    dtype: DTypeLike | None,
    out: Array | None,
    num_threads: int | None,
) -> Array:
    return stencil.apply(
        stencil.scaled(operation, scale=_checks.finite(scale, "scale"), delta=_checks.finite(delta, "delta")),
        source,
        border=border,
        cval=cval,
        dtype=keeps_dtype(source.dtype, {"dtype": dtype}),
        out=out,
        num_threads=num_threads,
    )

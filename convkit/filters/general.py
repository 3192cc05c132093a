"""Correlation and convolution with kernels of the caller's own."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from convkit import _checks, _threads
from convkit._checks import Array, Pair
from convkit.filters.registry import Arguments, Halo, keeps_dtype, register
from convkit.filters.remember import remembered
from convkit.ops import factors, rows, spectral, stencil
from convkit.ops.stencil import Border, Stencil

Mode: TypeAlias = Literal["correlate", "convolve"]
Method: TypeAlias = Literal["auto", "direct", "separable", "fft"]


class Choice(NamedTuple):
    """How `filter2d` applies a kernel, and why; `str` gives it in words."""

    method: Method
    stencil: Stencil
    reason: str

    def __str__(self) -> str:
        return f"{self.method}: {self.reason}"


@remembered
def _choose(
    kernel: Any,
    mode: Any,
    anchor: Any,
    method: Any,
    element: np.dtype[Any],
    whole: bool = False,
    channels: bool = False,
) -> Choice:
    weights = _checks.coefficients(kernel, "kernel", 2)
    row, column = _anchor(anchor, (weights.shape[0], weights.shape[1]))
    if _flips(mode):
        weights, row, column = weights[::-1, ::-1], weights.shape[0] - 1 - row, weights.shape[1] - 1 - column
    _checks.choice(method, "method", get_args(Method))
    choose = _chosen if weights.nbytes <= SMALL_BYTES else _chosen_large
    found = choose(
        weights.tobytes(), (weights.shape[0], weights.shape[1]), (row, column), method, element, channels
    )
    if not whole or found.method == "fft":
        return found
    return found._replace(stencil=stencil.over_integers(found.stencil))


@lru_cache(maxsize=64)
def _chosen(
    weights: bytes, shape: Pair, anchor: Pair, method: Method, element: np.dtype[Any], channels: bool
) -> Choice:
    kernel = np.frombuffer(weights).reshape(shape)
    direct = stencil.dense(kernel, anchor)
    steps = f"{np.count_nonzero(kernel)} products a pixel"
    if method == "direct":
        return Choice("direct", direct, f"asked for; {steps}")
    if method == "fft":
        return Choice("fft", direct, "asked for; Fourier transforms of tiles")
    pairs = factors.factors(kernel, element)
    if pairs is None and method == "separable":
        raise ValueError(
            f"kernel of shape {shape} is no sum of {factors.MOST} outer products; pass method='auto'"
        )
    if pairs is not None:
        found = stencil.separable(*pairs, anchor=anchor)
        form = "an outer product" if len(pairs) == 1 else "two outer products"
        if method == "separable" or FACTOR_COST * found.work < kernel.size:
            return Choice(
                "separable", found, f"{form}: {found.work} products a pixel instead of {kernel.size}"
            )
    if spectral.pays(direct, channels) and not direct.integral:
        return Choice("fft", direct, f"Fourier transforms of tiles instead of {steps}")
    return Choice("direct", direct, steps)


SMALL_BYTES = 64 * 1024
_chosen_large = lru_cache(maxsize=2)(_chosen.__wrapped__)

FACTOR_COST = 1.3
"""What a product costs where two sums follow one another, with a line of memory between them."""


FFT_WORK = 120
"""What a pixel costs where transforms are taken, in multiply-adds of `_threads`."""


def explain(
    kernel: ArrayLike,
    dtype: DTypeLike = np.float32,
    *,
    mode: Mode = "correlate",
    anchor: tuple[int, int] | None = None,
    method: Method = "auto",
) -> str:
    """What `filter2d` would do with `kernel` on an image of `dtype`, in words.

    Parameters
    ----------
    kernel, mode, anchor, method
        As in `filter2d`.
    dtype : dtype
        The image's, of one channel: of more, transforms are taken for larger kernels alone.

    Returns
    -------
    str
        The method, and why it was taken.

    Raises
    ------
    ValueError
        As in `filter2d`.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> ck.filters.explain(np.ones((7, 7)))
    'separable: an outer product: 14 products a pixel instead of 49'
    >>> ck.filters.explain([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
    'direct: 5 products a pixel'
    """
    return str(_choose(kernel, mode, anchor, method, _resolution(_checks.image_dtype(dtype), None)))


def _resolution(image: np.dtype[Any], out: np.dtype[Any] | None) -> np.dtype[Any]:
    """The float that a filter's sums have to be as good as."""
    float32, float64 = _checks.FLOATS
    narrow = image == float32 or image == stencil.UINT8
    return float32 if narrow and (out is None or out != float64) else float64


@remembered
def _separable(kernel_x: Any, kernel_y: Any, mode: Any, anchor: Any, whole: bool = False) -> Stencil:
    x, y = _checks.coefficients(kernel_x, "kernel_x", 1), _checks.coefficients(kernel_y, "kernel_y", 1)
    row, column = _anchor(anchor, (len(y), len(x)))
    if _flips(mode):
        y, x, row, column = y[::-1], x[::-1], len(y) - 1 - row, len(x) - 1 - column
    found = stencil.separable((y, x), anchor=(row, column))
    return stencil.over_integers(found) if whole else found


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
    kernel, mode, anchor = arguments["kernel"], arguments["mode"], arguments["anchor"]
    found = _choose(kernel, mode, anchor, "direct", _checks.FLOATS[0]).stencil
    return Halo.of(found.extent, found.anchor)


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
    method: Method = "auto",
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
    method : {"auto", "direct", "separable", "fft"}
        "auto" takes a kernel apart where it is an outer product, or two, and takes Fourier transforms for
        large kernels of no such form (see `explain`): their errors are a few units in the last place of the
        largest number near by; "direct" sums every product. So does "fft" where NaN or Inf come up.
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
    result = source.dtype if dtype is None else _checks.image_dtype(dtype)
    whole = source.dtype == result == stencil.UINT8
    channels = source.ndim == 3 and source.shape[2] > 1
    chosen = _choose(kernel, mode, anchor, method, _resolution(source.dtype, result), whole, channels)
    apply = _apply_spectra if chosen.method == "fft" else _apply
    return apply(chosen.stencil, source, scale, delta, border, cval, result, out, num_threads)


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
    result = source.dtype if dtype is None else _checks.image_dtype(dtype)
    operation = _separable(kernel_x, kernel_y, mode, anchor, source.dtype == result == stencil.UINT8)
    return _apply(operation, source, scale, delta, border, cval, result, out, num_threads)


def _apply(
    operation: Stencil,
    source: Array,
    scale: float,
    delta: float,
    border: Border,
    cval: float,
    result: np.dtype[Any],
    out: Array | None,
    num_threads: int | None,
) -> Array:
    factor, offset = _checks.finite(scale, "scale"), _checks.finite(delta, "delta")
    if factor != operation.scale or offset != operation.delta:
        operation = replace(operation, scale=factor, delta=offset)
    return stencil.apply(
        operation,
        source,
        border=border,
        cval=cval,
        dtype=result,
        out=out,
        num_threads=num_threads,
    )


def _apply_spectra(
    operation: Stencil,
    source: Array,
    scale: float,
    delta: float,
    border: Border,
    cval: float,
    result: np.dtype[Any],
    out: Array | None,
    num_threads: int | None,
) -> Array:
    """As `_apply`, but by Fourier transforms; what follows the sums is a kernel of one weight."""
    image, found, code, fill = stencil.prepare(operation.extent, source, border, cval, result, out)
    factor, offset = _checks.finite(scale, "scale"), _checks.finite(delta, "delta")
    if rows.planning():
        return found
    real = _resolution(source.dtype, result)
    plain = offset == 0 and result == real
    sums = found if plain else _checks.empty(found.shape, real)
    threads = _threads.threads_for(sums.size * FFT_WORK, num_threads)
    scaled = stencil.folded(stencil.scaled(operation, scale=factor))
    finite = spectral.correlate(scaled, stencil.as_hwc(image), stencil.as_hwc(sums), code, fill, threads)
    if not finite:  # sums keep to themselves what is not; a view, so that nobody takes them for the rule
        return _apply(operation, image.view(), scale, delta, border, cval, result, found, num_threads)
    if plain:
        return found
    one = stencil.dense(np.ones((1, 1)), (0, 0))
    return _apply(one, sums, 1.0, offset, "reflect", 0.0, result, found, num_threads)

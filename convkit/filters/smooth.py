"""Smoothing: Gaussian and box. The dtype is kept, rounded to nearest and saturated."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from convkit import _checks
from convkit._checks import FLOATS, Array, Pair
from convkit.filters import coefficients
from convkit.filters.registry import Arguments, Halo, derivative_dtype, keeps_dtype, register
from convkit.filters.remember import remembered
from convkit.ops import box as box_ops
from convkit.ops import recursive, rows, stencil, window
from convkit.ops.stencil import Border, Stencil


def gaussian_radii(sigma: Any, truncate: Any, ksize: Any) -> Pair:
    """The radii (vertical, horizontal) of a Gaussian, from `ksize` or from `truncate` standard deviations."""
    if ksize is not None:
        height, width = _checks.pair(ksize, "ksize")
        return _checks.odd(height, "ksize") // 2, _checks.odd(width, "ksize") // 2
    cut = _checks.positive(truncate, "truncate")
    sigmas = _checks.positive_pair(sigma, "sigma")
    if cut * max(sigmas) > _checks.MAX_EXTENT // 2:
        raise ValueError(
            f"sigma is {sigma!r}, which with truncate={truncate!r} makes a kernel longer than "
            f"{_checks.MAX_EXTENT}: pass a smaller ksize, or shrink the image first"
        )
    return int(cut * sigmas[0] + 0.5), int(cut * sigmas[1] + 0.5)


def gaussian_halo(arguments: Arguments) -> Halo:
    """The halo of a filter with `sigma`, `truncate` and, if it has one, `ksize`."""
    radii = gaussian_radii(arguments["sigma"], arguments["truncate"], arguments.get("ksize"))
    return Halo.of((2 * radii[0] + 1, 2 * radii[1] + 1))


def _box_halo(arguments: Arguments) -> Halo:
    return Halo.of(_box_size(arguments["size"]))


def _box_size(size: Any) -> Pair:
    height, width = _checks.pair(size, "size")
    return _checks.extent(height, "size"), _checks.extent(width, "size")


MAX_ORDER = 10


def _orders(order: Any) -> Pair:
    orders = _checks.pair(order, "order", 0)
    if max(orders) > MAX_ORDER:
        raise ValueError(f"order is {order!r}; expected derivatives up to the {MAX_ORDER}th")
    return orders


def _gaussian_dtype(image: np.dtype[Any], arguments: Arguments) -> np.dtype[Any]:
    rule = derivative_dtype if any(_orders(arguments.get("order", 0))) else keeps_dtype
    return rule(image, arguments)


@register(halo=gaussian_halo, output_dtype=_gaussian_dtype)
def gaussian(
    image: ArrayLike,
    sigma: float | tuple[float, float],
    *,
    truncate: float = 4.0,
    order: int | tuple[int, int] = 0,
    ksize: int | tuple[int, int] | None = None,
    border: Border = "reflect",
    cval: float = 0.0,
    dtype: DTypeLike | None = None,
    out: Array | None = None,
    num_threads: int | None = None,
) -> Array:
    """Gaussian blur, and derivatives of the blurred image.

    Parameters
    ----------
    image : array_like, HW or HWC
        uint8, uint16, int16, float32 or float64; each channel is filtered alone.
    sigma : float or (float, float)
        Standard deviation in pixels, above 0; a pair is (vertical, horizontal).
    truncate : float
        The kernel is cut at this many standard deviations: radius ⌊truncate · sigma + 1/2⌋.
    order : int or (int, int)
        Which derivative, 0 to 10; a pair is (vertical, horizontal). 0 blurs; (0, 1) is ∂/∂x of the blurred
        image.
    ksize : int or (int, int), optional
        Extent of the kernel, odd, in place of `truncate`; a pair is (vertical, horizontal).
    dtype : dtype, optional
        dtype of the result. Default: the image's; for derivatives of integers float32.
    border, cval, out, num_threads
        As in `sobel`.

    Returns
    -------
    ndarray
        The shape of `image` (smaller for "valid"). uint8 images are smoothed to uint8 in integers with
        weights of 1/256, bit for bit as OpenCV does at the same `ksize` and sigmas.

    Raises
    ------
    ValueError
        An argument is outside its range, or "valid" leaves nothing.
    TypeError
        A dtype that is not supported.

    References
    ----------
    R. Gonzalez and R. Woods, "Digital Image Processing", 4th ed., section 3.5.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> dot = np.zeros((5, 5), np.uint8); dot[2, 2] = 255
    >>> ck.filters.gaussian(dot, 0.8)[2]
    array([ 6, 29, 64, 29,  6], dtype=uint8)
    """
    source = _checks.image(image)
    operation, result = _planned(sigma, truncate, order, ksize, source.dtype, dtype)
    return stencil.apply(
        operation,
        source,
        border=border,
        cval=cval,
        dtype=result,
        out=out,
        num_threads=num_threads,
    )


@remembered
def _planned(
    sigma: Any, truncate: Any, order: Any, ksize: Any, image: np.dtype[Any], dtype: DTypeLike | None
) -> tuple[Stencil, np.dtype[Any]]:
    """The stencil of `gaussian`'s arguments, and the dtype of its result."""
    sigmas = _checks.positive_pair(sigma, "sigma")
    radii = gaussian_radii(sigma, truncate, ksize)
    orders = _orders(order)
    result = _gaussian_dtype(image, {"dtype": dtype, "order": orders})
    if image == result == np.uint8 and not any(orders):  # in weights of 1/256
        lines = [coefficients.gaussian_256(s, radius) for s, radius in zip(sigmas, radii, strict=True)]
        return stencil.scaled(stencil.separable((lines[0], lines[1])), fixed=True), result
    pairs = zip(sigmas, radii, orders, strict=True)
    down, along = (coefficients.gaussian_derivative(s, radius, n) for s, radius, n in pairs)
    sizes = [float(np.abs(weights).sum()) for weights in (down, along)]
    numbers = result if result in FLOATS else FLOATS[0]
    if not max(*sizes, sizes[0] * sizes[1]) <= float(np.finfo(numbers).max):
        raise ValueError(
            f"sigma is {sigma!r}, so small that weights of order={order!r} leave {numbers}; pass a larger one"
        )
    return stencil.separable((down, along)), result


def _recursive_margin(arguments: Arguments) -> Halo:
    down, along = recursive.reaches(_checks.positive_pair(arguments["sigma"], "sigma"))
    return Halo(down, down, along, along)


@register(halo=None, output_dtype=keeps_dtype, margin=_recursive_margin, remember=True)
def recursive_gaussian(
    image: ArrayLike,
    sigma: float | tuple[float, float],
    *,
    border: Border = "reflect",
    cval: float = 0.0,
    out: Array | None = None,
    num_threads: int | None = None,
) -> Array:
    """Gaussian blur that takes as long for any sigma, its border aside, and is off by less than 1e-3.

    Recursive filters whose weights are nearly a Gaussian's run along rows and columns, there and back. No
    weight along an axis is off by more than 5e-4 of the largest, and no pixel by more than 1e-3 of the
    difference between the least and the greatest pixel. It beats `gaussian` from about sigma = 10 on, for
    uint8 images from 25 on.

    Parameters
    ----------
    image : array_like, HW or HWC
        uint8, uint16, int16, float32 or float64; each channel is filtered alone.
    sigma : float or (float, float)
        Standard deviation in pixels, above 0, at most 500; a pair is (vertical, horizontal).
    border, cval, out, num_threads
        As in `sobel`. 5 standard deviations of the border are seen, and "valid" leaves off as much.

    Returns
    -------
    ndarray
        The shape (smaller for "valid") and dtype of `image`; integers are rounded to nearest. One pixel that
        is NaN leaves nothing but NaN of its channel, and one that is infinite nothing finite.

    Raises
    ------
    ValueError
        An argument is outside its range, or "valid" leaves nothing.
    TypeError
        A dtype that is not supported.

    References
    ----------
    R. Deriche, "Recursively implementing the Gaussian and its derivatives", INRIA RR-1893, 1993.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> step = np.repeat(np.array([[0, 200]], np.uint8), 50, 1)
    >>> ck.filters.recursive_gaussian(step, 20)[0, ::11]
    array([  3,   6,  17,  41,  78, 122, 159, 183, 194, 197], dtype=uint8)
    """
    source = _checks.image(image)
    sigmas = _checks.positive_pair(sigma, "sigma")
    if max(sigmas) > recursive.MAX_SIGMA:
        raise ValueError(
            f"sigma is {sigma!r}; expected at most {recursive.MAX_SIGMA:.0f}: shrink the image first"
        )
    code = stencil.BORDERS.index(_checks.choice(border, "border", stencil.BORDERS))
    smoothing = recursive.Smoothing(sigmas, code, _checks.fill_value(cval, source.dtype))
    down, along = recursive.reaches(sigmas)
    shape = window.output_shape(source.shape, (2 * down + 1, 2 * along + 1), border)
    result = _checks.output(out, shape, source.dtype, source)
    kernel = rows.RowKernel(smoothing.run, 0, 0)
    return rows.execute(kernel, source, result, source.size * recursive.WORK, num_threads)


@register(halo=_box_halo, output_dtype=keeps_dtype)
def box(
    image: ArrayLike,
    size: int | tuple[int, int],
    *,
    border: Border = "reflect",
    cval: float = 0.0,
    out: Array | None = None,
    num_threads: int | None = None,
) -> Array:
    """Box blur: the mean of a rectangle.

    Parameters
    ----------
    image : array_like, HW or HWC
        uint8, uint16, int16, float32 or float64; each channel is filtered alone.
    size : int or (int, int)
        Extent of the rectangle, at least 1; a pair is (vertical, horizontal). An even extent reaches one
        pixel further up or left than down or right.
    border, cval, out, num_threads
        As in `sobel`.

    Returns
    -------
    ndarray
        The shape (smaller for "valid") and dtype of `image`. Integers are the true mean to the nearest; a tie
        goes up in uint8 and to the even number in uint16 and int16.

    Raises
    ------
    ValueError
        An argument is outside its range, or "valid" leaves nothing.
    TypeError
        A dtype that is not supported.

    References
    ----------
    R. Gonzalez and R. Woods, "Digital Image Processing", 4th ed., section 3.5.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> ck.filters.box(np.array([[0, 0, 9, 0, 0]], np.uint8), (1, 3))
    array([[0, 3, 3, 3, 0]], dtype=uint8)
    """
    return box_ops.apply(_box_size(size), image, border=border, cval=cval, out=out, num_threads=num_threads)

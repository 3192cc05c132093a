"""First and second derivatives: Sobel, Scharr, Prewitt and the Laplacian."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from convkit import _checks
from convkit._checks import FLOATS, Array
from convkit.filters import coefficients
from convkit.filters.coefficients import Gradient
from convkit.filters.registry import Arguments, Halo, derivative_dtype, register
from convkit.filters.remember import remembered
from convkit.filters.smooth import gaussian_halo, gaussian_radii
from convkit.ops import stencil
from convkit.ops.stencil import Border, Stencil

Direction: TypeAlias = Literal["magnitude", "x", "y", "angle", "polar"]

MAX_KSIZE = 31
DENSE_LAPLACIAN = 5
"""Up to this size a Laplacian is one sum over its kernel."""


def _ksize_halo(arguments: Arguments) -> Halo:
    size = max(_checks.odd(arguments.get("ksize", 3), "ksize", MAX_KSIZE), 3)
    return Halo.of((size, size))


def _images(arguments: Arguments) -> int:
    direction = arguments["direction"]
    return 2 if isinstance(direction, str) and direction == "polar" else 1


@register(halo=_ksize_halo, output_dtype=derivative_dtype, images=_images)
def sobel(
    image: ArrayLike,
    direction: Direction = "magnitude",
    *,
    ksize: int = 3,
    border: Border = "reflect",
    cval: float = 0.0,
    normalize: bool = False,
    dtype: DTypeLike | None = None,
    out: Array | None = None,
    num_threads: int | None = None,
) -> Array:
    """Sobel gradient: a central difference along one axis, binomial smoothing across it.

    Parameters
    ----------
    image : array_like, HW or HWC
        uint8, uint16, int16, float32 or float64; each channel is filtered alone.
    direction : {"magnitude", "x", "y", "angle", "polar"}
        "x" is positive where values grow to the right, "y" where they grow downwards; "magnitude" is
        √(x² + y²); "angle" is atan2(y, x), radians in [−π, π], 0 where both are 0; "polar" is both from one
        pass: ``magnitude, angle = sobel(image, "polar")``.
    ksize : int
        Extent of the kernel, odd, 1 to 31; 1 is the difference of the two neighbours without smoothing.
    border : {"reflect", "constant", "edge", "symmetric", "wrap", "valid"}
        How the image goes on outside, in the words of `numpy.pad`; "valid" gives a smaller output.
    cval : float
        The value outside for ``border="constant"``; the image's dtype must hold it.
    normalize : bool
        Divide by the sum of the kernel's absolute values, so that the result stays within half the range
        of the image. Without, the response to a ramp of 1 per pixel is 8 (ksize 3).
    dtype : dtype, optional
        dtype of the result. Default: the image's if that is a float, else float32. Integer dtypes hold "x"
        and "y" only, rounded to nearest and saturated.
    out : ndarray, optional
        Where to write: the shape and dtype of the result, any strides, any overlap with the image.
    num_threads : int, optional
        Threads of this call; the bits of the result do not depend on it.

    Returns
    -------
    ndarray
        The shape of `image` (smaller by the kernel's extent less one for "valid"); for "polar" with an axis
        of length 2 in front.

    Raises
    ------
    ValueError
        An argument is outside its range, or "valid" leaves nothing.
    TypeError
        A dtype that is not supported.

    References
    ----------
    I. Sobel, "An Isotropic 3×3 Image Gradient Operator", 1968 (published 1990); larger kernels as in
    R. Gonzalez and R. Woods, "Digital Image Processing", and OpenCV.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> ramp = np.tile(np.arange(5, dtype=np.uint8), (3, 1))
    >>> ck.filters.sobel(ramp, "x")[1]
    array([0., 8., 8., 8., 0.], dtype=float32)
    """
    kernel = coefficients.sobel(_checks.odd(ksize, "ksize", MAX_KSIZE))
    return _gradient(kernel, image, direction, border, cval, normalize, dtype, out, num_threads)


@register(halo=_ksize_halo, output_dtype=derivative_dtype, images=_images)
def scharr(
    image: ArrayLike,
    direction: Direction = "magnitude",
    *,
    border: Border = "reflect",
    cval: float = 0.0,
    normalize: bool = False,
    dtype: DTypeLike | None = None,
    out: Array | None = None,
    num_threads: int | None = None,
) -> Array:
    """Scharr gradient: 3×3 with smoothing 3, 10, 3, whose angle depends least on the edge's direction.

    Parameters, result and exceptions are those of `sobel`, without `ksize`. The response to a ramp of 1 per
    pixel is 32.

    References
    ----------
    H. Scharr, "Optimal Operators in Digital Image Processing", thesis, Heidelberg, 2000.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> ramp = np.tile(np.arange(5, dtype=np.uint8), (3, 1))
    >>> ck.filters.scharr(ramp, "x", normalize=True)[1]
    array([0., 1., 1., 1., 0.], dtype=float32)
    """
    return _gradient(coefficients.SCHARR, image, direction, border, cval, normalize, dtype, out, num_threads)


@register(halo=_ksize_halo, output_dtype=derivative_dtype, images=_images)
def prewitt(
    image: ArrayLike,
    direction: Direction = "magnitude",
    *,
    border: Border = "reflect",
    cval: float = 0.0,
    normalize: bool = False,
    dtype: DTypeLike | None = None,
    out: Array | None = None,
    num_threads: int | None = None,
) -> Array:
    """Prewitt gradient: 3×3, the central difference averaged over three lines.

    Parameters, result and exceptions are those of `sobel`, without `ksize`. The response to a ramp of 1 per
    pixel is 6.

    References
    ----------
    J. Prewitt, "Object Enhancement and Extraction", in "Picture Processing and Psychopictorics", 1970.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> ramp = np.tile(np.arange(5, dtype=np.uint8), (3, 1))
    >>> ck.filters.prewitt(ramp, "x", dtype=np.int16)[1]
    array([0, 6, 6, 6, 0], dtype=int16)
    """
    return _gradient(coefficients.PREWITT, image, direction, border, cval, normalize, dtype, out, num_threads)


def _gradient(
    kernel: Gradient,
    image: ArrayLike,
    direction: Direction,
    border: Border,
    cval: float,
    normalize: bool,
    dtype: DTypeLike | None,
    out: Array | None,
    num_threads: int | None,
) -> Array:
    return apply_gradient(
        _gradient_stencil(kernel, direction, _checks.flag(normalize, "normalize")),
        image,
        border,
        cval,
        dtype,
        out,
        num_threads,
    )


def apply_gradient(
    operation: Stencil,
    image: ArrayLike,
    border: Border,
    cval: float,
    dtype: DTypeLike | None,
    out: Array | None,
    num_threads: int | None,
) -> Array:
    """A gradient as its stencil says; integers cannot hold its length or its direction."""
    source = _checks.image(image)
    result = derivative_dtype(source.dtype, {"dtype": dtype})
    if operation.combine != "sum" and result not in FLOATS:
        raise ValueError(
            f"dtype is {result}, which cannot hold the {operation.combine} of a gradient; pass "
            "dtype=np.float32, or direction='x' or 'y'"
        )
    return stencil.apply(
        operation, source, border=border, cval=cval, dtype=result, out=out, num_threads=num_threads
    )


def vector_stencil(x: tuple[Array, Array], y: tuple[Array, Array], direction: Direction) -> Stencil:
    """What `direction` asks for of the derivatives `x` and `y`, (vertical, horizontal) kernels."""
    if direction == "x" or direction == "y":
        return stencil.separable(x if direction == "x" else y)
    return stencil.separable(x, y, combine=direction)


@remembered
def _gradient_stencil(kernel: Gradient, direction: Direction, normalize: bool) -> Stencil:
    _checks.choice(direction, "direction", get_args(Direction))
    x, y = (kernel.smoothing, kernel.derivative), (kernel.derivative, kernel.smoothing)
    operation = vector_stencil(x, y, direction)
    if not normalize:
        return operation
    return stencil.scaled(operation, divisor=float(np.abs(np.outer(*x)).sum()))


@register(halo=gaussian_halo, output_dtype=derivative_dtype, images=_images)
def gaussian_gradient(
    image: ArrayLike,
    sigma: float | tuple[float, float],
    direction: Direction = "magnitude",
    *,
    truncate: float = 4.0,
    border: Border = "reflect",
    cval: float = 0.0,
    dtype: DTypeLike | None = None,
    out: Array | None = None,
    num_threads: int | None = None,
) -> Array:
    """Gradient of the image blurred with a Gaussian: derivatives of the Gaussian itself.

    Parameters
    ----------
    image : array_like, HW or HWC
        uint8, uint16, int16, float32 or float64; each channel is filtered alone.
    sigma : float or (float, float)
        Standard deviation of the blur in pixels, above 0; a pair is (vertical, horizontal).
    direction : {"magnitude", "x", "y", "angle", "polar"}
        As in `sobel`. The response to a ramp of 1 per pixel is about 1.
    truncate : float
        The Gaussian is cut at this many standard deviations.
    border, cval, dtype, out, num_threads
        As in `sobel`.

    Returns
    -------
    ndarray
        As in `sobel`.

    Raises
    ------
    ValueError
        An argument is outside its range, or "valid" leaves nothing.
    TypeError
        A dtype that is not supported.

    References
    ----------
    J. Canny, "A Computational Approach to Edge Detection", 1986.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> ramp = np.tile(np.arange(9, dtype=np.float64), (3, 1))
    >>> round(float(ck.filters.gaussian_gradient(ramp, 0.8, "x")[1, 4]), 3)
    1.0
    """
    operation = _gaussian_gradient_stencil(sigma, truncate, direction)
    return apply_gradient(operation, image, border, cval, dtype, out, num_threads)


@remembered
def _gaussian_gradient_stencil(sigma: Any, truncate: Any, direction: Direction) -> Stencil:
    sigmas = _checks.positive_pair(sigma, "sigma")
    radii = gaussian_radii(sigmas, truncate, None)
    _checks.choice(direction, "direction", get_args(Direction))
    smooth, slope = (
        [coefficients.gaussian_derivative(s, radius, order) for s, radius in zip(sigmas, radii, strict=True)]
        for order in (0, 1)
    )
    return vector_stencil((smooth[0], slope[1]), (slope[0], smooth[1]), direction)


@register(halo=_ksize_halo, output_dtype=derivative_dtype)
def laplacian(
    image: ArrayLike,
    ksize: int = 3,
    *,
    border: Border = "reflect",
    cval: float = 0.0,
    normalize: bool = False,
    dtype: DTypeLike | None = None,
    out: Array | None = None,
    num_threads: int | None = None,
) -> Array:
    """Laplacian: the sum of the second derivatives along both axes.

    Parameters
    ----------
    image : array_like, HW or HWC
        uint8, uint16, int16, float32 or float64; each channel is filtered alone.
    ksize : int
        Odd, 1 to 31. 1 is the four neighbours less four times the pixel; from 3 on it is the sum of Sobel's
        second derivatives, as in OpenCV.
    normalize : bool
        Divide by the sum of the kernel's absolute values.
    border, cval, dtype, out, num_threads
        As in `sobel`.

    Returns
    -------
    ndarray
        The shape of `image`; float32 for integers unless `dtype` names another.

    Raises
    ------
    ValueError
        An argument is outside its range, or "valid" leaves nothing.
    TypeError
        A dtype that is not supported.

    References
    ----------
    R. Gonzalez and R. Woods, "Digital Image Processing", 4th ed., section 3.6.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> dot = np.zeros((3, 3), np.uint8); dot[1, 1] = 1
    >>> ck.filters.laplacian(dot, 1, border="constant", dtype=np.int16)
    array([[ 0,  1,  0],
           [ 1, -4,  1],
           [ 0,  1,  0]], dtype=int16)
    """
    source = _checks.image(image)
    return stencil.apply(
        _laplacian_stencil(_checks.odd(ksize, "ksize", MAX_KSIZE), _checks.flag(normalize, "normalize")),
        source,
        border=border,
        cval=cval,
        dtype=derivative_dtype(source.dtype, {"dtype": dtype}),
        out=out,
        num_threads=num_threads,
    )


@remembered
def _laplacian_stencil(ksize: int, normalize: bool) -> Stencil:
    pairs = coefficients.second_derivatives(ksize)
    kernel = np.outer(*pairs[0]) + np.outer(*pairs[1])
    centre = kernel.shape[0] // 2, kernel.shape[1] // 2
    # Two separable parts and their sum are more steps than one small kernel.
    operation = stencil.dense(kernel, centre) if ksize <= DENSE_LAPLACIAN else stencil.separable(*pairs)
    return stencil.scaled(operation, divisor=float(np.abs(kernel).sum()) if normalize else 1.0)

"""Sharpening by unsharp masking."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from convkit import _checks
from convkit._checks import Array
from convkit.filters import coefficients
from convkit.filters.registry import Arguments, Halo, keeps_dtype, register
from convkit.filters.remember import remembered
from convkit.filters.smooth import gaussian_radii
from convkit.ops import stencil
from convkit.ops.stencil import Border, Stencil


def _halo(arguments: Arguments) -> Halo:
    radii = gaussian_radii(arguments["sigma"], arguments["truncate"], None)
    return Halo.of((2 * radii[0] + 1, 2 * radii[1] + 1))


@register(halo=_halo, output_dtype=keeps_dtype)
def sharpen(
    image: ArrayLike,
    amount: float = 1.0,
    sigma: float | tuple[float, float] = 1.0,
    *,
    truncate: float = 4.0,
    border: Border = "reflect",
    cval: float = 0.0,
    out: Array | None = None,
    num_threads: int | None = None,
) -> Array:
    """Unsharp masking: the image plus `amount` times what a Gaussian blur takes away from it.

    The result is (1 + amount) · image − amount · gaussian(image, sigma), computed in one pass, so that the
    blurred image is never rounded.

    Parameters
    ----------
    image : array_like, HW or HWC
        uint8, uint16, int16, float32 or float64; each channel is filtered alone.
    amount : float
        Strength; 0 leaves the image as it is, −1 gives the blurred image.
    sigma : float or (float, float)
        Standard deviation of the blur in pixels, above 0; a pair is (vertical, horizontal).
    truncate : float
        The Gaussian is cut at this many standard deviations.
    border, cval, out, num_threads
        As in `sobel`.

    Returns
    -------
    ndarray
        The shape (smaller for "valid") and dtype of `image`; integers are rounded to nearest and saturated.

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
    >>> ck.filters.sharpen(np.array([[10, 10, 10, 20, 20, 20]], np.uint8))
    array([[10,  9,  7, 23, 21, 20]], dtype=uint8)
    """
    return _sharpened(image, amount, sigma, truncate, border, cval, out, num_threads)


@register(halo=_halo, output_dtype=keeps_dtype)
def unsharp_mask(
    image: ArrayLike,
    sigma: float | tuple[float, float] = 1.0,
    amount: float = 1.0,
    *,
    truncate: float = 4.0,
    border: Border = "reflect",
    cval: float = 0.0,
    out: Array | None = None,
    num_threads: int | None = None,
) -> Array:
    """Unsharp masking, by the name that others give it: `sharpen` with the blur's extent first.

    Parameters, result and exceptions are those of `sharpen`.

    References
    ----------
    R. Gonzalez and R. Woods, "Digital Image Processing", 4th ed., section 3.6.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> ck.filters.unsharp_mask(np.array([[10, 10, 10, 20, 20, 20]], np.uint8), sigma=1.0, amount=0.5)
    array([[10, 10,  8, 22, 20, 20]], dtype=uint8)
    """
    return _sharpened(image, amount, sigma, truncate, border, cval, out, num_threads)


def _sharpened(
    image: ArrayLike,
    amount: float,
    sigma: float | tuple[float, float],
    truncate: float,
    border: Border,
    cval: float,
    out: Array | None,
    num_threads: int | None,
) -> Array:
    source = _checks.image(image)
    return stencil.apply(
        _planned(amount, sigma, truncate),
        source,
        border=border,
        cval=cval,
        dtype=source.dtype,
        out=out,
        num_threads=num_threads,
    )


@remembered
def _planned(amount: Any, sigma: Any, truncate: Any) -> Stencil:
    strength = _checks.finite(amount, "amount")
    sigmas = _checks.positive_pair(sigma, "sigma")
    radii = gaussian_radii(sigma, truncate, None)
    blur = [coefficients.gaussian(s, radius) for s, radius in zip(sigmas, radii, strict=True)]
    here = [np.eye(1, 2 * radius + 1, radius)[0] for radius in radii]
    return stencil.separable(((1 + strength) * here[0], here[1]), (-strength * blur[0], blur[1]))

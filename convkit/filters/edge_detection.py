"""Canny's edge detector."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from convkit import _checks, _dispatch, _threads
from convkit._checks import Array
from convkit.filters.edges import sobel
from convkit.filters.registry import Arguments, Halo, register
from convkit.filters.smooth import gaussian
from convkit.ops import window
from convkit.ops.stencil import BORDERS, Border

APERTURES = (3, 5, 7)

LONGEST = 32767.0
"""What 16 bits hold: no gradient is longer."""


def _uint8(image: np.dtype[Any], arguments: Arguments) -> np.dtype[Any]:
    return np.dtype(np.uint8)


def _margin(arguments: Arguments) -> Halo:
    aperture = _checks.one_of(arguments["aperture"], "aperture", APERTURES)
    return Halo.of((aperture, aperture))


@register(halo=None, output_dtype=_uint8, margin=_margin, joint_channels=True, one_plane=True)
def canny(
    image: ArrayLike,
    low: float,
    high: float,
    *,
    aperture: int = 3,
    l2: bool = False,
    sigma: float | tuple[float, float] | None = None,
    border: Border = "edge",
    cval: float = 0.0,
    out: Array | None = None,
    num_threads: int | None = None,
) -> Array:
    """Edges, one pixel wide, by Canny's method: 255 on an edge, 0 elsewhere.

    A pixel is on an edge where its gradient is longer than its neighbours' in the direction of the gradient,
    and longer than `high`, or longer than `low` and connected to such a pixel.

    Parameters
    ----------
    image : array_like, HW or HWC
        uint8, uint16, int16, float32 or float64. Of several channels, each pixel takes the one whose gradient
        is longest. A NaN is on no edge.
    low, high : float
        Thresholds on the length of Sobel's gradient, in either order.
    aperture : {3, 5, 7}
        Extent of the Sobel kernel; with 7, gradients and thresholds are divided by 16.
    l2 : bool
        Lengths are √(dx² + dy²); otherwise |dx| + |dy|.
    sigma : float or (float, float), optional
        Smooth by `gaussian` first. Without, the result of a uint8 image is that of ``cv2.Canny``,
        bit for bit, but for thresholds of 2³¹ and more, and what IPP on one thread makes of an
        aperture of 5.
    border, cval, num_threads
        As in `sobel`.
    out : ndarray, optional
        Where to write: HW, uint8, any strides.

    Returns
    -------
    ndarray
        HW (smaller for "valid"), uint8.

    Raises
    ------
    ValueError
        An argument is outside its range, or "valid" leaves nothing.
    TypeError
        A dtype that is not supported.

    References
    ----------
    J. Canny, "A Computational Approach to Edge Detection", IEEE Transactions on Pattern Analysis and Machine
    Intelligence 8, 1986.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> step = np.repeat(np.array([[0, 0, 0, 200, 200, 200]], np.uint8), 3, 0)
    >>> ck.filters.canny(step, 100, 200)[1]
    array([  0,   0, 255,   0,   0,   0], dtype=uint8)
    """
    source = _checks.image(image)
    limits = sorted(_checks.finite(value, name) for value, name in ((low, "low"), (high, "high")))
    size = _checks.one_of(aperture, "aperture", APERTURES)
    squared = _checks.flag(l2, "l2")
    code = BORDERS.index(_checks.choice(border, "border", BORDERS))
    outside = _checks.fill_value(cval, source.dtype)
    shape = window.output_shape(source.shape, (size, size), border)[:2]
    result = _checks.output(out, shape, np.dtype(np.uint8), source)
    threads = _threads.threads_for(result.size * 10, num_threads)
    if sigma is not None:
        around = "reflect" if border == "valid" else border
        source = gaussian(source, sigma, border=around, cval=cval, num_threads=num_threads)
    kernel = _dispatch.native().family("canny", np.dtype(np.uint8))
    if source.dtype == np.uint8:
        scale = 1 / 16 if size == 7 else 1.0
        ends = [_whole(limit * scale, squared) for limit in limits]
        kernel.canny(
            source, result, *ends, squared, (size, size), (size // 2, size // 2), code, outside, threads
        )
    else:
        ends = [limit * abs(limit) if squared else limit for limit in limits]
        dx, dy = _gradients(source, size, border, cval, squared, num_threads)
        kernel.canny_of_gradients(dx, dy, result, *ends, squared, threads)
    return result


def _whole(limit: float, squared: bool) -> float:
    """A threshold on lengths of integers."""
    limit = min(limit, LONGEST)
    return max(math.floor(limit**2 if squared and limit > 0 else limit), -1)


def _gradients(
    source: Array, size: int, border: Border, cval: float, l2: bool, num_threads: int | None
) -> tuple[Array, Array]:
    """Sobel's two derivatives in float32, of each pixel's channel where they are longest."""
    dx, dy = (
        sobel(source, way, ksize=size, border=border, cval=cval, dtype=np.float32, num_threads=num_threads)
        for way in ("x", "y")
    )
    if dx.ndim == 3:
        lengths = dx**2 + dy**2 if l2 else np.abs(dx) + np.abs(dy)
        longest = lengths.argmax(axis=2)[..., None]
        dx, dy = (np.take_along_axis(d, longest, axis=2)[..., 0] for d in (dx, dy))
    return np.ascontiguousarray(dx), np.ascontiguousarray(dy)

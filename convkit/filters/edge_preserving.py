"""Smoothing that spares edges."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from convkit import _checks
from convkit._checks import FLOATS, Array
from convkit.filters.registry import Arguments, Halo, keeps_dtype, register
from convkit.ops import window
from convkit.ops.stencil import Border

MAX_DIAMETER = 255
LOWEST_POWER = -125
"""The lowest power of 2 that the kernel takes for a weight of integers."""

STEEP = 1e30
"""No weight is left at a distance of 1 or more, and at none of `MAX_DIAMETER` does a float32 overflow."""


def _halo(arguments: Arguments) -> Halo:
    diameter = _checks.odd(arguments["diameter"], "diameter", MAX_DIAMETER)
    return Halo.of((diameter, diameter))


@register(halo=_halo, output_dtype=keeps_dtype, joint_channels=True)
def bilateral(
    image: ArrayLike,
    diameter: int,
    sigma_color: float,
    sigma_space: float,
    *,
    border: Border = "reflect",
    cval: float = 0.0,
    out: Array | None = None,
    num_threads: int | None = None,
) -> Array:
    """Bilateral filter: a mean in which neighbours count by how near they lie and how alike they are.

    The weight of a neighbour at distance r whose value differs by d is
    exp(−r² / (2 · sigma_space²) − d² / (2 · sigma_color²)).

    Parameters
    ----------
    image : array_like, HW or HWC
        uint8, uint16, int16, float32 or float64. The difference of two pixels is the sum of the absolute
        differences of their channels, and all channels share the weight.
    diameter : int
        Of the disc of neighbours, odd, 1 to 255.
    sigma_color : float
        Standard deviation of the difference, above 0, in the units of the pixels.
    sigma_space : float
        Standard deviation of the distance in pixels, above 0.
    border, cval, out, num_threads
        As in `sobel`.

    Returns
    -------
    ndarray
        The shape (smaller for "valid") and dtype of `image`; integers are rounded to nearest.

    Raises
    ------
    ValueError
        An argument is outside its range, or "valid" leaves nothing.
    TypeError
        A dtype that is not supported.

    References
    ----------
    C. Tomasi and R. Manduchi, "Bilateral Filtering for Gray and Color Images", International Conference on
    Computer Vision, 1998.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> ck.filters.bilateral(np.array([[10, 12, 10, 90, 92, 90]], np.uint8), 3, 10.0, 1.0)
    array([[11, 11, 10, 90, 91, 91]], dtype=uint8)
    """
    source = _checks.image(image)
    size = _checks.odd(diameter, "diameter", MAX_DIAMETER)
    color, space = _checks.positive(sigma_color, "sigma_color"), _checks.positive(sigma_space, "sigma_space")
    unit = 1.0 if source.dtype in FLOATS else math.log(2)
    taps = _taps(size, _steepness(space, unit, STEEP))
    sums = source.dtype if source.dtype in FLOATS else FLOATS[0]
    steepness = _steepness(color, unit, float(np.finfo(sums).max))
    return window.run(
        ("bilateral", "bilateral"),
        source,
        taps,
        steepness,
        _is_deep(source, steepness, taps),
        extent=(size, size),
        border=border,
        cval=_checks.fill_value(cval, source.dtype),
        out=out,
        num_threads=num_threads,
        work=10 * len(taps),
    )


def _steepness(sigma: float, unit: float, most: float) -> float:
    """What a squared difference is multiplied with, at `most`: infinity times 0 would be NaN."""
    width = 2 * sigma * sigma * unit  # 0 where it leaves the numbers
    return min(1 / width, most) if width else most


@lru_cache(maxsize=64)
def _taps(diameter: int, steepness: float) -> tuple[tuple[int, int, float], ...]:
    """(row, column, exponent) of each pixel of a disc."""
    radius = diameter // 2
    rows, columns = np.mgrid[:diameter, :diameter]
    square = (rows - radius) ** 2 + (columns - radius) ** 2
    row, column = np.nonzero(square <= radius**2)
    exponents = -steepness * square[row, column]
    return tuple(zip(row.tolist(), column.tolist(), exponents.tolist(), strict=True))


def _is_deep(source: Array, steepness: float, taps: tuple[tuple[int, int, float], ...]) -> bool:
    """Whether weights may be smaller than the smallest normal number of float32; of floats nobody asks."""
    if source.dtype in FLOATS:
        return False
    low, high = window.LIMITS[source.dtype]
    channels = source.shape[2] if source.ndim == 3 else 1
    return min(tap[2] for tap in taps) - steepness * ((high - low) * channels) ** 2 < LOWEST_POWER

"""Means over rectangles: the choice of the numbers that hold the sums, and the call of the kernel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from convkit import _checks, _dispatch
from convkit._checks import Array, Pair
from convkit.ops import rows, stencil
from convkit.ops.stencil import EXACT_FLOAT32, INT16, UINT8, Border, Stencil

SMALL = 9
"""Up to this extent every pixel is added by itself: fewer steps than sums of sums."""

NARROW_ROWS = 128
"""Sums of so many uint8 pixels are signed 16-bit numbers."""

NARROW_AREA = 4096
"""Below this area a product with 1 / area finds the mean of uint8 pixels (see `_native/box_narrow.pyx`)."""


@dataclass(frozen=True)
class Box:
    """A rectangle of `extent`, whose pixel at `anchor` is the output's."""

    extent: Pair
    anchor: Pair


def apply(
    size: Pair,
    image: ArrayLike,
    *,
    border: Border,
    cval: float,
    out: Array | None,
    num_threads: int | None,
) -> Array:
    """The mean over a rectangle of `size` at every pixel of an HW or HWC `image`, in its dtype.

    Raises
    ------
    ValueError
        A shape, border, `cval` or `out` that does not fit; ``border="valid"`` where nothing is left.
    TypeError
        A dtype that is none of uint8, uint16, int16, float32 and float64.
    """
    source = _checks.image(image)
    options: dict[str, Any] = {"border": border, "cval": cval, "dtype": source.dtype, "out": out}
    if source.dtype == UINT8 and size[0] * size[1] > 1 and max(size) <= SMALL:
        return stencil.apply(_ones(size), source, num_threads=num_threads, **options)
    source, result, code, fill = stencil.prepare(size, source, **options)
    box = Box(size, (size[0] // 2, size[1] // 2))
    element = accumulator(size, source.dtype)
    kernel = _dispatch.native().family("box_narrow" if element == INT16 else "box", element)
    bound = stencil.row_kernel(kernel, box, code, fill)
    return rows.execute(bound, source, result, result.size * sum(size), num_threads)


@cache
def _ones(size: Pair) -> Stencil:
    operation = stencil.separable((np.ones(size[0]), np.ones(size[1])))
    return stencil.scaled(operation, division=division(size[0] * size[1]))


def accumulator(size: Pair, image: np.dtype[Any]) -> np.dtype[Any]:
    """The element type to sum in: the narrowest that is exact for integers; the image's for floats."""
    float32, float64 = _checks.FLOATS
    if image in _checks.FLOATS:
        return image
    area = size[0] * size[1]
    if image == UINT8 and size[0] <= NARROW_ROWS and area < NARROW_AREA:
        return INT16
    limits = np.iinfo(image)
    # A quotient one step below a tie must not round to it: `area` more leaves room for that.
    return float32 if area * (max(limits.max, -limits.min) + 1) < EXACT_FLOAT32 else float64


def division(area: int) -> Pair:
    """(factor, shift) with ⌊n / area⌋ = n · factor / 2¹⁶ / 2^shift for sums n of `area` pixels, 2 to SMALL².

    T. Granlund and P. Montgomery, "Division by Invariant Integers using Multiplication", 1994.
    """
    shift = (area - 1).bit_length() - 1
    return -(-(1 << 16 + shift) // area), shift

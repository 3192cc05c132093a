"""Means over rectangles: the choice of the numbers that hold the sums, and the call of the kernel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from convkit import _checks, _dispatch
from convkit._checks import Array, Pair
from convkit.ops import passes, rows, stencil, window
from convkit.ops.rows import RowKernel
from convkit.ops.stencil import UINT8, Border, Stencil

SMALL = 9
"""Up to this extent every pixel is added by itself: fewer steps than sums of sums."""

LARGE = 2**21
"""The area from which on sums go over the whole image twice: tiles would take megabytes, and no less time."""


@dataclass(frozen=True)
class Box:
    """A rectangle of `extent`, whose pixel at `anchor` is the output's, and what its sums are divided by."""

    extent: Pair
    anchor: Pair
    divisor: int


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
    area, integral = size[0] * size[1], source.dtype not in _checks.FLOATS
    if (source.dtype == UINT8 or not integral) and area > 1 and max(size) <= SMALL:
        operation = _ones(size) if integral else _shares(size)
        return stencil.apply(operation, source, num_threads=num_threads, **options)
    if integral and area <= largest_area(source.dtype):
        return window.run(
            ("box_integers", "box"),
            source,
            extent=size,
            border=border,
            cval=_checks.fill_value(cval, source.dtype),
            out=out,
            num_threads=num_threads,
            work=sum(size),
        )
    source, result, code, fill = stencil.prepare(size, source, **options)
    element = _checks.FLOATS[1] if integral else source.dtype
    bound = _row_kernel(Box(size, (size[0] // 2, size[1] // 2), area), element, code, fill)
    return rows.execute(bound, source, result, result.size * sum(size), num_threads)


def _row_kernel(box: Box, element: np.dtype[Any], code: int, fill: float) -> RowKernel:
    """The kernel that sums numbers of dtype `element`, which hold all sums of integers."""
    family = _dispatch.native().family("box", element)
    (height, width), (row, column) = box.extent, box.anchor
    if height * width < LARGE:
        return stencil.row_kernel(family, box, code, fill)
    down = family.Kernel(Box((height, 1), (row, 0), 1), code, fill)
    along = family.Kernel(Box((1, width), (0, column), box.divisor), code, height * fill)
    run = passes.in_turn(down.run, along.run, element)
    return RowKernel.of(run, box.extent, box.anchor, stencil.BORDERS[code])


@cache
def _ones(size: Pair) -> Stencil:
    operation = stencil.separable((np.ones(size[0]), np.ones(size[1])))
    return stencil.scaled(operation, division=division(size[0] * size[1]))


@cache
def _shares(size: Pair) -> Stencil:
    height, width = size
    return stencil.separable((np.ones(height), np.full(width, 1 / (height * width))))


@cache
def largest_area(image: np.dtype[Any]) -> int:
    """The largest area whose sums of integer pixels are signed numbers of 32 bits."""
    return (2**31 - 1) // (stencil.largest_pixel(image) + 1)


def division(area: int) -> Pair:
    """(factor, shift) with ⌊n / area⌋ = n · factor / 2¹⁶ / 2^shift for sums n of `area` pixels, 2 to SMALL².

    T. Granlund and P. Montgomery, "Division by Invariant Integers using Multiplication", 1994.
    """
    shift = (area - 1).bit_length() - 1
    return -(-(1 << 16 + shift) // area), shift

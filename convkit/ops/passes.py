"""Large separable kernels: all of the image down its columns, then along its rows.

Where both sums are made tile by tile, a tile holds as many rows as the kernel, each longer than it. Of one
larger than the image that is far more than the image, and most of what is summed lies outside. So it is with
means (`ops.box`), and where the least of a rectangle is found (`ops.window`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from convkit import _checks
from convkit._checks import Array
from convkit.ops.rows import Run

if TYPE_CHECKING:
    from convkit.ops.stencil import Stencil, Weights

LARGE = 2**18
"""Rows times columns of a kernel from which on tiles would take megabytes, and the two passes less time."""

LARGE_FIXED = 2**20
"""The same of a Gaussian's weights of 1/256, whose tiles hold bytes."""


def pays(stencil: Stencil) -> bool:
    """Whether `stencil` is separable, and large."""
    least = LARGE_FIXED if stencil.fixed else LARGE
    return stencil.extent[0] * stencil.extent[1] >= least and stencil.parts[0][1] is not None


def in_turn(down: Run, along: Run, dtype: np.dtype[Any]) -> Run:
    """A kernel of rows: one that goes `down` the columns, then one `along` the rows of what that wrote."""

    def run(source: Array, target: Array, first: int, threads: int) -> None:
        between = _checks.empty((target.shape[0], *source.shape[1:]), dtype)
        down(source, between, first, threads)
        along(between, target, 0, threads)

    return run


class Passes(NamedTuple):
    """The kernels of a `family` that sum numbers of `dtype` for a separable stencil and a border.

    `code` is the border's, `valid` that of "valid", `cval` the constant of "constant".
    """

    family: Any
    dtype: np.dtype[Any]
    stencil: Stencil
    code: int
    valid: int
    cval: float

    def run(
        self, source: Array, target: Array, first: int, threads: int, angles: Array | None = None
    ) -> None:
        """As a kernel of rows (see `ops.rows`); the parts' sums lie side by side in an image between."""
        width, count = target.shape[1], len(self.stencil.parts)
        sums = _checks.empty((target.shape[0], count * width, *target.shape[2:]), self.dtype)
        for p, (down, along) in enumerate(self.stencil.parts):
            assert along is not None  # of what `pays`
            self._sum(down, along, source, sums[:, p * width : (p + 1) * width], first, threads)
        one = np.ones((1, 1))
        parts = tuple(
            (down._replace(values=one, row=0), down._replace(values=one, row=0, column=p * width))
            for p, (down, _) in enumerate(self.stencil.parts)
        )
        extent = 1, (count - 1) * width + 1
        finish = replace(self.stencil, parts=parts, extent=extent, anchor=(0, 0))
        self.family.Kernel(finish, self.valid, 0.0).run(sums, target, 0, threads, angles)

    def _sum(
        self, down: Weights, along: Weights, source: Array, sums: Array, first: int, threads: int
    ) -> None:
        """One part's sums, the first of which lies on row `first` of `source`."""
        (height, width), (row, column) = self.stencil.extent, self.stencil.anchor
        plain = replace(self.stencil, combine="sum", scale=1.0, divisor=1.0, delta=0.0, half_up=False)
        vertical = replace(plain, parts=((down, None),), extent=(height, 1), anchor=(row, 0))
        horizontal = replace(plain, parts=((along, None),), extent=(1, width), anchor=(0, column))
        weights = down.values[down.values != 0]
        with np.errstate(all="ignore"):  # the constant may be infinite, or not a number
            outside = float((weights * self.cval).sum())
        columns = self.family.Kernel(vertical, self.code, self.cval)
        lines = self.family.Kernel(horizontal, self.code, outside)
        in_turn(columns.run, lines.run, self.dtype)(source, sums, first, threads)

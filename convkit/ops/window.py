"""Filters that compare the pixels of a window: what each of them checks, and how its kernel is called."""

from __future__ import annotations

from typing import Any

import numpy as np

from convkit import _checks, _dispatch
from convkit._checks import Array, Pair
from convkit.ops import passes, rows
from convkit.ops.rows import RowKernel
from convkit.ops.stencil import BORDERS

LARGE = 2**18
"""Pixels of a window from which on tiles may take megabytes."""


def run(
    kernel: tuple[str, str],
    source: Array,
    *how: Any,
    extent: Pair,
    border: str,
    cval: float,
    out: Array | None,
    num_threads: int | None,
    work: int,
    anchor: Pair | None = None,
    apart: bool = False,
) -> Array:
    """Call `kernel`, (family, entry), with the checked image `source` and what is special to it, `how`.

    The entry is a function, or a class of kernels that read everything but the images once.
    `work` counts the steps that a pixel costs, in multiply-adds of `_threads`. `apart`: what such a kernel
    finds in a window is what it finds along the rows of what it finds down the columns.
    """
    code = BORDERS.index(_checks.choice(border, "border", BORDERS))
    result = _checks.output(out, output_shape(source.shape, extent, border), source.dtype, source)
    if extent == (1, 1):  # whatever is asked of a single pixel, it is the least
        kernel, how = ("morphology", "Kernel"), (False, (), 1)
    family, entry = kernel
    function = getattr(_dispatch.native().family(family, source.dtype), entry)
    row, column = anchor or (extent[0] // 2, extent[1] // 2)

    def fill(source: Array, target: Array, first: int, threads: int) -> None:
        if border == "valid":
            source = source[first:]
        function(source, target, *how, extent, (row - first, column), code, cval, threads)

    if isinstance(function, type):
        fill = function(*how, extent, (row, column), code, cval).run
    if apart and _is_vast(extent, source.shape):
        down = function(*how, (extent[0], 1), (row, 0), code, cval)
        along = function(*how, (1, extent[1]), (0, column), code, cval)
        fill = passes.in_turn(down.run, along.run, source.dtype)
    bound = RowKernel.of(fill, extent, (row, column), border)
    return rows.execute(bound, source, result, result.size * work, num_threads)


def _is_vast(extent: Pair, shape: tuple[int, ...]) -> bool:
    """Whether a window is far larger than the image: a tile would hold all of the rows that it covers."""
    return extent[0] * extent[1] >= max(LARGE, 2 * shape[0] * shape[1])


def output_shape(shape: tuple[int, ...], extent: Pair, border: str) -> tuple[int, ...]:
    """The shape of a result: the image's, or what "valid" leaves of it; refused where that is nothing."""
    if border != "valid":
        return shape
    height, width = shape[0] - extent[0] + 1, shape[1] - extent[1] + 1
    if height < 1 or width < 1:
        raise ValueError(
            f"border='valid' leaves nothing: image has shape {shape} and the window is "
            f"{extent[0]}x{extent[1]}; pass border='edge', or a larger image"
        )
    return (height, width, *shape[2:])


LIMITS = {
    dtype: (-np.inf, np.inf)
    if dtype in _checks.FLOATS
    else (float(np.iinfo(dtype.type).min), float(np.iinfo(dtype.type).max))
    for dtype in _checks.IMAGE_DTYPES
}
"""The least and the greatest pixel of a dtype; infinities for floats."""

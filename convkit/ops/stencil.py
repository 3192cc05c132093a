"""Linear stencils on images: a filter as data, and the one function that applies it.

`dense` and `separable` describe a filter as sums over taps; `apply` checks the arguments, allocates the
output, chooses the accumulator and calls the kernel.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from convkit import _checks, _dispatch, _threads
from convkit._checks import Array, Pair
from convkit.ops import rows
from convkit.ops.rows import RowKernel

Border: TypeAlias = Literal["constant", "edge", "reflect", "symmetric", "wrap", "valid"]
Combine: TypeAlias = Literal["sum", "magnitude", "angle"]
BORDERS: tuple[str, ...] = get_args(Border)
"""The borders, in the order of the kernel's codes."""

EXACT_FLOAT32 = 2**24
"""Integers below this are float32 numbers, and so is every sum that stays below."""


@dataclass(frozen=True)
class Stencil:
    """A sum over taps, or two of them and how to combine them; then ``scale / divisor``, ``delta``, rounding.

    Each part is a table of taps (row, column, weight) over the rows, and, where the part is separable,
    another over the line which that sum gives. `gain` is at least Σ|weight|, and `integral` tells whether
    every weight is an integer: what the choice of the accumulator needs.
    """

    parts: tuple[tuple[Array, Array | None], ...]
    extent: Pair
    anchor: Pair
    gain: float
    integral: bool
    combine: Combine = "sum"
    scale: float = 1.0
    divisor: float = 1.0
    delta: float = 0.0
    half_up: bool = False


def dense(kernel: Array, anchor: Pair) -> Stencil:
    """The correlation with a 2-D `kernel` whose element at `anchor` lies on the output pixel."""
    return Stencil(
        parts=((_taps(kernel), None),),
        extent=kernel.shape,
        anchor=anchor,
        gain=float(np.abs(kernel).sum()),
        integral=_is_integral(kernel),
    )


def separable(*pairs: tuple[Array, Array], anchor: Pair | None = None, combine: Combine = "sum") -> Stencil:
    """One or two correlations, each with a vertical and a horizontal kernel; two have the same lengths."""
    extent = len(pairs[0][0]), len(pairs[0][1])
    return Stencil(
        parts=tuple((_taps(vertical[:, None]), _taps(horizontal[None])) for vertical, horizontal in pairs),
        extent=extent,
        anchor=(extent[0] // 2, extent[1] // 2) if anchor is None else anchor,
        gain=float(sum(np.abs(v).sum() * np.abs(h).sum() for v, h in pairs)),
        integral=all(_is_integral(kernel) for pair in pairs for kernel in pair),
        combine=combine,
    )


def apply(
    stencil: Stencil,
    image: ArrayLike,
    *,
    border: Border,
    cval: float,
    dtype: DTypeLike,
    out: Array | None,
    num_threads: int | None,
) -> Array:
    """`stencil` at every pixel of an HW or HWC `image`, into `out` or a fresh array of `dtype`.

    Raises
    ------
    ValueError
        A shape, border, `cval` or `out` that does not fit; ``border="valid"`` where nothing is left.
    TypeError
        A dtype that is none of uint8, uint16, int16, float32 and float64.
    """
    source = _checks.image(image)
    result_dtype = _checks.image_dtype(dtype)
    _checks.choice(border, "border", BORDERS)
    fill = _checks.fill_value(cval, source.dtype)
    shape = _output_shape(source.shape, stencil.extent, border)
    result = _checks.output(out, shape, result_dtype, source)
    taps = sum(len(part) for parts in stencil.parts for part in parts if part is not None)
    threads = _threads.threads_for(result.size * max(taps, 1), num_threads)
    family = _dispatch.native().family("stencil", accumulator(stencil, source.dtype, result_dtype))
    return rows.execute(row_kernel(family, stencil, border, fill), source, result, threads)


def row_kernel(family: Any, operation: Any, border: str, fill: float) -> RowKernel:
    """`family.run` of an `operation`, which has an extent and an anchor, as a kernel of rows."""
    code = BORDERS.index(border)

    def run(source: Array, target: Array, first: int, threads: int) -> None:
        here = operation
        if border == "valid":
            source = source[first:]
        elif first:
            here = replace(operation, anchor=(operation.anchor[0] - first, operation.anchor[1]))
        family.run(_hwc(source), _hwc(target), here, code, fill, threads)

    return RowKernel.of(run, operation.extent, operation.anchor, border)


def accumulator(stencil: Stencil, image: np.dtype[Any], out: np.dtype[Any]) -> np.dtype[Any]:
    """The element type to sum in: float32 where it is as good as float64, or as good as the image."""
    float32, float64 = _checks.FLOATS
    if float64 in (image, out):
        return float64
    if image == float32:
        return float32
    if stencil.integral:
        limits = np.iinfo(image)
        largest = stencil.gain * max(limits.max, -limits.min)
        # A quotient one step below a tie must not round to it: `divisor` more leaves room for that.
        return float32 if largest + stencil.divisor < EXACT_FLOAT32 else float64
    return float32 if image == np.uint8 else float64


def scaled(stencil: Stencil, **changes: Any) -> Stencil:
    """`stencil` with another scale, divisor, delta or rounding."""
    return replace(stencil, **changes)


def _output_shape(shape: tuple[int, ...], extent: Pair, border: str) -> tuple[int, ...]:
    if border != "valid":
        return shape
    height, width = shape[0] - extent[0] + 1, shape[1] - extent[1] + 1
    if height < 1 or width < 1:
        raise ValueError(
            f"border='valid' leaves nothing: image has shape {shape} and the kernel reaches over "
            f"{extent[0]}x{extent[1]}; pass border='reflect', or a larger image"
        )
    return (height, width, *shape[2:])


def _taps(kernel: Array) -> Array:
    """The weights of a 2-D kernel that are not zero, as rows of (row, column, weight)."""
    row, column = np.nonzero(kernel)
    return np.stack([row, column, kernel[row, column]], axis=1, dtype=np.float64)


def _is_integral(kernel: Array) -> bool:
    return bool((kernel == np.rint(kernel)).all())


def _hwc(image: Array) -> Array:
    return image if image.ndim == 3 else image[:, :, None]

"""Linear stencils on images: a filter as data, and the one function that applies it.

`dense` and `separable` describe a filter as sums over taps; `apply` checks the arguments, allocates the
output, chooses the accumulator and calls the kernel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from convkit import _checks, _dispatch, _threads
from convkit._checks import Array, Pair
from convkit.ops import factors, passes, rows
from convkit.ops.passes import Passes
from convkit.ops.rows import RowKernel

Border: TypeAlias = Literal["constant", "edge", "reflect", "symmetric", "wrap", "valid"]
Combine: TypeAlias = Literal["sum", "magnitude", "angle", "polar"]
BORDERS: tuple[str, ...] = get_args(Border)
"""The borders, in the order of the kernel's codes."""

EXACT_FLOAT32 = 2**24
"""Integers below this are float32 numbers, and so is every sum that stays below."""


LONG = 2**13
"""Products of a line from which on sums of integers leave float32, whose roundings come near to a unit."""

LONG_FLOATS = 2**10
"""Products of an output from which on roundings of float32 images come near to 1e-5 of their sum."""

VANISHING = 2.0**-150
"""A weight below is 0 in float32, which must not meet an infinite pixel."""

FRACTIONS = 2**8
"""Room for the bits that a scale or an offset adds to an integer sum."""

LARGEST_INT16 = 2**15 - 1

UINT8, INT16 = np.dtype(np.uint8), np.dtype(np.int16)  # comparing with a type takes longer


class Weights(NamedTuple):
    """A 2-D kernel without the rows and columns of zeros around it, and where it lies in its extent."""

    values: Array
    row: int
    column: int


@dataclass(frozen=True)
class Stencil:
    """A sum over taps, or two of them and how to combine them; then ``scale / divisor``, ``delta``, rounding.

    Each part is a kernel over the rows, and, where the part is separable, another along the line which that
    sum gives. `gain` is at least Σ|weight|, and `integral` tells whether every weight is an integer: what the
    choice of the accumulator needs. With `fixed` there is one separable part, whose kernels are integers from
    0 on with sums of 256: uint8 images keep their range, and are rounded half up. So it is with a `division`
    (see `ops.box`), where all weights are 1.
    """

    parts: tuple[tuple[Weights, Weights | None], ...]
    extent: Pair
    anchor: Pair
    gain: float
    integral: bool
    combine: Combine = "sum"
    scale: float = 1.0
    divisor: float = 1.0
    delta: float = 0.0
    half_up: bool = False
    fixed: bool = False
    division: Pair | None = None

    @cached_property
    def work(self) -> int:
        """Multiply-adds for each element of the output."""
        return sum(
            down.values.size + (0 if along is None else along.values.size) for down, along in self.parts
        )

    @cached_property
    def roundings(self) -> float:
        """Σ|weight| times how often each product is rounded on its way into the result, with its weights.

        An error is at most this, times half a unit in the last place of the largest pixel. The sums of a part
        go on from those of the part before it.
        """
        found, after = 0.0, 1  # the last is that of the scaled sum
        for down, along in reversed(self.parts):
            steps, gain = down.values.size + 1, float(np.abs(down.values).sum())
            if along is not None:
                steps, gain = steps + along.values.size + 1, gain * float(np.abs(along.values).sum())
            found += gain * (steps + after)
            after += 0 if along is None else along.values.size
        return found


def dense(kernel: Array, anchor: Pair) -> Stencil:
    """The correlation with a 2-D `kernel` whose element at `anchor` lies on the output pixel."""
    return Stencil(
        parts=((_weights(kernel), None),),
        extent=kernel.shape,
        anchor=anchor,
        gain=float(np.abs(kernel).sum()),
        integral=_is_integral(kernel),
    )


def separable(*pairs: tuple[Array, Array], anchor: Pair | None = None, combine: Combine = "sum") -> Stencil:
    """One or two correlations, each with a vertical and a horizontal kernel; two have the same lengths."""
    extent = len(pairs[0][0]), len(pairs[0][1])
    return Stencil(
        parts=tuple(
            (_weights(vertical[:, None]), _weights(horizontal[None])) for vertical, horizontal in pairs
        ),
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

    Of a "polar" stencil, lengths and angles, side by side along an axis in front.

    Raises
    ------
    ValueError
        A shape, border, `cval` or `out` that does not fit; ``border="valid"`` where nothing is left.
    TypeError
        A dtype that is none of uint8, uint16, int16, float32 and float64.
    """
    polar = stencil.combine == "polar"
    source, result, code, fill = prepare(stencil.extent, image, border, cval, dtype, out, stack=2 * polar)
    work = result.size * stencil.work
    large = passes.pays(stencil)
    element = accumulator(stencil, source.dtype, result.dtype)
    if element == _checks.FLOATS[0]:
        stencil = without_vanishing(stencil)
    if large:
        stencil, element = _in_floats(stencil, element)
    family = _dispatch.native().family("narrow" if element == INT16 else "stencil", element)
    whole = source.dtype.kind in "iu" and stencil.integral  # the sums: they are divided or multiplied once
    if element != INT16 and (
        _is_shift(stencil.scale / stencil.divisor) or (result.dtype in _checks.FLOATS and not whole)
    ):
        stencil = folded(stencil)
    if large:
        run = Passes(family, element, stencil, code, BORDERS.index("valid"), fill).run
        kernel = RowKernel.of(run, stencil.extent, stencil.anchor, border)
    else:
        kernel = row_kernel(family, stencil, code, fill)
    if not polar:
        return rows.execute(kernel, source, result, work, num_threads)
    kernel.run(source, result[0], 0, _threads.threads_for(work, num_threads), result[1])
    return result


def prepare(
    extent: Pair,
    image: ArrayLike,
    border: Border,
    cval: float,
    dtype: DTypeLike,
    out: Array | None,
    stack: int = 0,
) -> tuple[Array, Array, int, float]:
    """The checked image, the array to write to, the border's code and `cval`, for a kernel of `extent`.

    The array has an axis of length `stack` in front, unless that is 0.
    """
    source = _checks.image(image)
    result_dtype = _checks.image_dtype(dtype)
    code = BORDERS.index(_checks.choice(border, "border", BORDERS))
    fill = _checks.fill_value(cval, source.dtype)
    shape = _output_shape(source.shape, extent, border)
    if stack:
        shape = (stack, *shape)
    return source, _checks.output(out, shape, result_dtype, source), code, fill


def row_kernel(family: Any, operation: Any, code: int, fill: float) -> RowKernel:
    """The kernel that a `family` makes of an `operation`, which has an extent and an anchor."""
    kernel = family.Kernel(operation, code, fill)
    return RowKernel.of(kernel.run, operation.extent, operation.anchor, BORDERS[code])


def _in_floats(stencil: Stencil, element: np.dtype[Any]) -> tuple[Stencil, np.dtype[Any]]:
    """A large `stencil` for kernels of floats, and what they sum in where small ones sum in `element`."""
    float32, float64 = _checks.FLOATS
    if stencil.fixed:  # its sums stay below 256 · 256 · 256, so that float32 holds each
        return replace(stencil, fixed=False, half_up=True, divisor=256.0**2), float32
    if element == INT16:
        return stencil, float32
    return stencil, float64 if max(stencil.extent) > LONG else element


def accumulator(stencil: Stencil, image: np.dtype[Any], out: np.dtype[Any]) -> np.dtype[Any]:
    """The element type to sum in: the narrowest that is as good as float64, or as good as the image.

    int16 stands for the kernels of 16-bit integers, which take uint8 images alone.
    """
    float32, float64 = _checks.FLOATS
    if image == UINT8 and _is_narrow(stencil, out):
        return INT16
    if float64 in (image, out):
        return float64
    if image == float32:
        return float64 if stencil.work > LONG_FLOATS else float32
    if stencil.integral:
        largest = stencil.gain * largest_pixel(image)
        if stencil.delta or not _is_shift(stencil.scale):
            largest *= FRACTIONS
        # A quotient one step below a tie must not round to it: `divisor` more leaves room for that.
        return float32 if largest + stencil.divisor < EXACT_FLOAT32 else float64
    if image == UINT8:
        return float32
    lost = largest_pixel(image) * stencil.roundings * abs(stencil.scale / stencil.divisor) / EXACT_FLOAT32
    return float32 if out.kind in "iu" and lost <= 0.5 else float64  # half a unit of the output


def largest_pixel(image: np.dtype[Any]) -> int:
    """The greatest magnitude of an integer dtype."""
    limits = np.iinfo(image)
    return max(limits.max, -limits.min)


def _is_narrow(stencil: Stencil, out: np.dtype[Any]) -> bool:
    """Whether 16-bit integers hold every result of an image of uint8."""
    if stencil.fixed or stencil.division is not None:
        return True
    if not stencil.integral or stencil.gain * 255 > LARGEST_INT16:
        return False
    if (stencil.scale, stencil.divisor, stencil.delta) != (1.0, 1.0, 0.0):
        return out in (UINT8, INT16, np.float32) and stencil.combine == "sum" and not stencil.half_up
    return stencil.combine == "sum" or (stencil.combine == "magnitude" and out == np.float32)


def scaled(stencil: Stencil, **changes: Any) -> Stencil:
    """`stencil` with another scale, divisor, delta or rounding."""
    if all(getattr(stencil, name) == value for name, value in changes.items()):
        return stencil
    return replace(stencil, **changes)


def without_vanishing(stencil: Stencil) -> Stencil:
    """`stencil` without the weights that are none in float32."""
    if not any(_vanishes(line.values).any() for part in stencil.parts for line in part if line is not None):
        return stencil
    parts = tuple(
        (_trimmed(down), None if along is None else _trimmed(along)) for down, along in stencil.parts
    )
    return replace(stencil, parts=parts)


def _vanishes(values: Array) -> Array:
    small: Array = (np.abs(values) < VANISHING) & (values != 0)
    return small


def _trimmed(weights: Weights) -> Weights:
    found = _weights(np.where(_vanishes(weights.values), 0, weights.values))
    return found._replace(row=weights.row + found.row, column=weights.column + found.column)


def folded(stencil: Stencil) -> Stencil:
    """`stencil` with its scale and divisor in the weights: nothing is left to do with a sum of numbers."""
    factor = stencil.scale / stencil.divisor
    if factor == 1 or stencil.combine == "angle" or (stencil.delta and stencil.combine != "sum"):
        return stencil
    parts = tuple(
        (down._replace(values=down.values * factor), along)
        if along is None
        else (down, along._replace(values=along.values * factor))
        for down, along in stencil.parts
    )
    return replace(stencil, parts=parts, scale=1.0, divisor=1.0)


def _is_shift(factor: float) -> bool:
    """Whether it is a power of two: a product is exact, so that it is all one when it is made."""
    return math.frexp(factor)[0] == 0.5


def over_integers(stencil: Stencil) -> Stencil:
    """`stencil` in integers and one division, where 16 bits hold such sums of uint8 pixels, else as it is."""
    if stencil.integral or len(stencil.parts) != 1:
        return stencil
    ((down, along),) = stencil.parts
    first, second = factors.over_integers(down.values), None
    if along is not None:
        second = factors.over_integers(along.values)
    if first is None or (along is not None and second is None):
        return stencil
    gain, divisor = float(np.abs(first[0]).sum()), float(first[1])
    if along is not None and second is not None:
        gain, divisor = gain * float(np.abs(second[0]).sum()), divisor * second[1]
        along = along._replace(values=second[0])
    if gain * 255 > LARGEST_INT16:
        return stencil
    parts = ((down._replace(values=first[0]), along),)
    return replace(stencil, parts=parts, gain=gain, integral=True, divisor=stencil.divisor * divisor)


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


def _weights(kernel: Array) -> Weights:
    """The smallest rectangle that holds all weights but zeros; a kernel of zeros keeps one."""
    rows, columns = np.flatnonzero(kernel.any(1)), np.flatnonzero(kernel.any(0))
    top, bottom = (rows[0], rows[-1] + 1) if len(rows) else (0, 1)
    left, right = (columns[0], columns[-1] + 1) if len(columns) else (0, 1)
    values = np.ascontiguousarray(kernel[top:bottom, left:right], np.float64)
    return Weights(values, int(top), int(left))


def _is_integral(kernel: Array) -> bool:
    return bool((kernel == np.rint(kernel)).all())


def as_hwc(image: Array) -> Array:
    """`image` with an axis of channels."""
    return image if image.ndim == 3 else image[:, :, None]

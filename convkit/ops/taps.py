"""A convolution as the kernels see it: taps with offsets into the input, and weights packed for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from convkit import _dispatch
from convkit._checks import Array, Pair, empty
from convkit._threads import threads_for
from convkit.ops.costs import Work
from convkit.ops.prepared import Prepared
from convkit.ops.problem import Layer, Problem, whole
from convkit.shapes import Axis

# numpy.pad's names, and the numbers by which the kernels know them
BORDER_CODES = {"constant": 0, "edge": 1, "reflect": 2, "symmetric": 3, "wrap": 4}


@dataclass(frozen=True, slots=True)
class Tap:
    """A row or column of the kernel: its place there, and which input pixel it brings to output 0."""

    kernel: int
    offset: int


class Taps(NamedTuple):
    """A tap for each of its rows with each of its columns, as the kernels take them."""

    rows: Array
    columns: Array
    """Offsets into the input."""
    places: Array
    """Row and column in the kernel, of each tap."""


def cross(rows: Sequence[Tap], columns: Sequence[Tap]) -> Taps:
    """The taps of these rows and columns, each in ascending order."""
    return Taps(
        np.array([tap.offset for tap in rows], np.intp),
        np.array([tap.offset for tap in columns], np.intp),
        np.array([(r.kernel, s.kernel) for r in rows for s in columns], np.intp).T.copy(),
    )


@lru_cache(maxsize=64)
def conv_taps(vertical: Axis, horizontal: Axis, zeros: bool = False) -> Taps:
    """A convolution's taps; where its padding is `zeros`, without those that see nothing else."""
    return cross(axis_taps(vertical, zeros), axis_taps(horizontal, zeros))


def axis_taps(axis: Axis, zeros: bool) -> list[Tap]:
    """Rows or columns of `conv_taps`; one at least."""
    taps = [Tap(r, r * axis.dilation - axis.before) for r in range(axis.kernel)]
    seeing = [tap for tap in taps if sees(tap, axis)]
    return (seeing or taps[:1]) if zeros else taps


def sees(tap: Tap, axis: Axis) -> bool:
    """Whether a tap brings an input pixel to any output."""
    first = max(0, -(tap.offset // axis.stride))  # the output whose pixel is the first inside
    return first < axis.output and tap.offset + first * axis.stride < axis.size


def sees_outside(axis: Axis) -> bool:
    """Whether a tap brings anything but input pixels to an output."""
    return axis.before > 0 or (axis.output - 1) * axis.stride + axis.extent > axis.size


class Reading(NamedTuple):
    """What the taps of an axis read of an input whose padding is zeros."""

    taps: int
    """Those that see more than zeros."""
    phases: int
    """Their offsets, modulo the stride."""
    lines: int
    """Input rows (or columns) under them."""
    reach: int
    """Outputs between the first and the last one that a pixel is brought to."""
    span: int
    """Input rows from the first to the last, of one output."""


@lru_cache(maxsize=64)
def reading(axis: Axis) -> Reading:
    """By which steps of packing and multiplying are counted."""
    offsets = [tap.offset for tap in axis_taps(axis, True)]
    phases: dict[int, list[int]] = {}
    for offset in offsets:
        phases.setdefault(offset % axis.stride, []).append(offset)
    lines = sum(
        min(len(phase) * axis.output, (phase[-1] - phase[0]) // axis.stride + axis.output)
        for phase in phases.values()
    )
    span = offsets[-1] - offsets[0]
    return Reading(len(offsets), len(phases), lines, span // axis.stride, span + 1)


LINE_BYTES = 40 << 10
"""Of the pixels under a row of outputs that may be summed where they are stored."""

LINE_CHANNELS = 48
"""Of a 1×1 kernel whose pixels pass in such rows, read where they lie."""

LINE_PRODUCTS = 32
"""Of another kernel without gaps."""

PACKING = 16
"""Multiply-adds that take as long as packing a weight."""


class TapConv(Prepared):
    """Weights packed once for some taps; `run` convolves a batch, from any number of threads.

    `weight` is [group][output][channel][row][column], or has two axes more, of phases of rows and of columns,
    after the outputs: then each phase of each output is an output channel.
    """

    __slots__ = ("_convolution", "taps", "weights")

    def __init__(
        self,
        weight: Array,
        bias: Array | None,
        taps: Taps,
        stride: Pair = (1, 1),
        border: str = "constant",
        cval: float = 0.0,
        num_threads: int | None = 1,
    ) -> None:
        weight_goppckk = weight if weight.ndim == 7 else weight[:, :, None, None]
        groups, outputs, phase_rows, phase_columns, channels = weight_goppckk.shape[:5]
        outputs, dtype = outputs * phase_rows * phase_columns, weight.dtype
        kernels: Any = _dispatch.native().family("kernels", dtype)
        products = channels * taps.places.shape[1]
        self.taps, self.weights = taps, empty((groups * outputs * products,), dtype)
        threads = threads_for(PACKING * self.weights.size, num_threads)
        kernels.pack_weights(weight_goppckk, taps.places, taps.rows, stride[0], self.weights, threads)
        vectors = np.zeros((groups * outputs, kernels.VECTOR_LANES), dtype)
        if bias is not None:
            vectors[:] = bias.reshape(-1, 1)
        arrays, rest = (self.weights, vectors.reshape(-1)), (*stride, groups, BORDER_CODES[border], cval)

        def convolution(rows: Array) -> Any:
            return kernels.Convolution(*arrays, rows, taps.columns, *rest)

        self._convolution = convolution
        super().__init__(convolution(taps.rows), products)

    def shifted(self, rows: int) -> Prepared:
        """The same with all taps so many rows further down."""
        return Prepared(self._convolution(self.taps.rows + rows), self.products) if rows else self


# ---- the choice of algorithm ---------------------------------------------------------------------------


def refusal(problem: Problem) -> str | None:
    """It computes every convolution."""
    return None


def work(problem: Problem, lanes: int) -> Work:
    """The steps of `TapConv`; `lanes`: the elements of a vector."""
    vertical, horizontal = problem.axes
    above, beside = reading(vertical), reading(horizontal)
    maps, panels = problem.images * problem.groups, -(-problem.outputs // 8)
    narrow = beside.reach * panels > 2 * horizontal.output  # pixels are packed again, for every tap
    pixels = vertical.output * (horizontal.output + (0 if narrow else beside.reach))
    in_place = problem.taps == horizontal.stride == 1 and horizontal.before == 0
    pitch = horizontal.output + beside.reach
    rows = 0 if in_place else maps * problem.channels * above.lines
    phases, stride = beside.phases, horizontal.stride
    depth = problem.channels * above.taps * beside.taps
    products = maps * problem.outputs * depth * whole(pixels, lanes)
    outputs = maps * problem.outputs * problem.pixels
    slab = problem.itemsize * problem.channels * above.taps * phases * pitch
    by_lines = rows > 0 and depth <= 192 and horizontal.output >= 6 * lanes and slab <= LINE_BYTES
    gapless = beside.reach == 0 and problem.pixels >= 6 * lanes
    by_lines |= gapless and depth <= (LINE_CHANNELS if in_place else LINE_PRODUCTS)
    return {
        "plan": 1,
        "weights": problem.weights,
        "call": 1,
        "products": products * (problem.outputs > 2),
        "thin products": products * (problem.outputs <= 2),
        "tiles": maps * panels * -(-pixels // (3 * lanes)) * (not by_lines),
        "rows": rows * (1 if phases == stride <= 3 else phases),  # neighbouring phases in one pass
        **packing(rows * phases * pitch, stride),
        "repacked": maps * depth * pixels * narrow,
        "outputs": outputs * (not by_lines),
        "outputs by lines": outputs * by_lines,
        "moved": problem.moved * (not by_lines),
        "moved by lines": problem.moved * by_lines,
    }


def packing(pixels: float, stride: int) -> Work:
    """The steps of packing so many pixels: rows as they are, by pairs, or otherwise."""
    return {
        "packed": pixels * (stride == 1),
        "packed by pairs": pixels * (stride == 2),
        "packed singly": pixels * (stride > 2),
    }


def workspace(problem: Problem, num_threads: int) -> int:
    """Bytes of scratch for each thread."""
    return scratch("kernels", problem, num_threads)


def scratch(family: str, problem: Problem, num_threads: int) -> int:
    """Bytes for each thread of a family of kernels that sums over taps."""
    kernels = _dispatch.native().family(family, f"f{problem.itemsize}")
    taps, strides = conv_taps(*problem.axes), (problem.vertical.stride, problem.horizontal.stride)
    size: int = kernels.workspace_bytes(
        *problem.arrays(), taps.rows, taps.columns, *strides, problem.groups, num_threads
    )
    return size


def prepare(problem: Problem, layer: Layer, num_threads: int | None) -> TapConv:
    """Weights packed for a convolution."""
    taps, strides = taps_of(problem, layer)
    return TapConv(layer.weight_gockk, layer.bias, taps, strides, layer.border, layer.cval, num_threads)


def taps_of(problem: Problem, layer: Layer) -> tuple[Taps, Pair]:
    """The taps of a convolution, and the strides between what they bring to neighbours."""
    zeros = layer.border == "constant" and layer.cval == 0
    return conv_taps(*problem.axes, zeros), (problem.vertical.stride, problem.horizontal.stride)

"""The implicit GEMM with output channels in the vectors: pixels are broadcast, at any stride."""

from __future__ import annotations

from typing import Any

import numpy as np

from convkit import _dispatch
from convkit._checks import Array, Pair, empty
from convkit.ops import taps
from convkit.ops.costs import Work
from convkit.ops.prepared import Prepared
from convkit.ops.problem import Layer, Problem, whole
from convkit.ops.taps import BORDER_CODES, Taps, axis_taps, conv_taps, reading, taps_of

MOST_BYTES = 4 << 20
"""Of one channel's input rows under a row of outputs, or of that row's sums."""


def refusal(problem: Problem) -> str | None:
    """Why `BroadcastConv` cannot compute it; None where it can."""
    vertical, horizontal = problem.axes
    columns = (horizontal.output - 1) * horizontal.stride + horizontal.extent
    read = vertical.extent * columns * problem.itemsize
    sums = horizontal.output * problem.outputs * problem.itemsize
    if max(read, sums) <= MOST_BYTES:
        return None
    return (
        f"{read} bytes of input under a row of outputs, whose sums take {sums} bytes; expected at most "
        f"{MOST_BYTES} bytes of each"
    )


def work(problem: Problem, lanes: int) -> Work:
    """The steps of `BroadcastConv`; `lanes`: the elements of a vector."""
    vertical, horizontal = problem.axes
    above, beside = reading(vertical), reading(horizontal)
    maps, outputs = problem.images * problem.groups, whole(problem.outputs, lanes)
    rows = maps * problem.channels * ((vertical.output - 1) * vertical.stride + above.span)
    columns = (horizontal.output - 1) * horizontal.stride + beside.span
    kernels = _dispatch.native().family("broadcast", f"f{problem.itemsize}")
    seeing, strides = conv_taps(*problem.axes, True), (vertical.stride, horizontal.stride)
    in_place, panels, row = kernels.reading(
        *problem.arrays(), seeing.rows, seeing.columns, *strides, problem.groups
    )
    read = panels * (maps * problem.channels * problem.pixels if problem.taps == 1 else rows * columns)
    products = problem.groups * problem.channels * lanes * row * rows_seen(problem) / vertical.output
    return {
        "plan": 1,
        "weights": problem.groups * outputs * problem.channels * problem.taps,
        "call": 1,
        "products": products * (outputs > lanes),
        "thin products": products * (outputs == lanes),
        "read in place": read * in_place * (horizontal.stride == 1 or problem.taps > 1),
        "read apart": read * in_place * (horizontal.stride > 1 and problem.taps == 1),
        "rows": rows * (not in_place),
        "packed": rows * columns * (not in_place),
        "outputs": maps * outputs * vertical.output * whole(horizontal.output, lanes),
        "moved": problem.moved,
    }


def rows_seen(problem: Problem) -> int:
    """Kernel rows that see more than zeros, summed over the output's rows: the others are left out."""
    axis = problem.vertical
    firsts_ends = ((-tap.offset, axis.size - tap.offset) for tap in axis_taps(axis, True))
    return sum(
        max(0, min(-(-end // axis.stride), axis.output) - max(0, -(-first // axis.stride)))
        for first, end in firsts_ends
    )


class BroadcastConv(Prepared):
    """Weights packed once for some taps; `run` convolves a batch, from any number of threads."""

    __slots__ = ()

    def __init__(
        self,
        weight_gockk: Array,
        bias: Array | None,
        seeing: Taps,
        stride: Pair,
        border: str,
        cval: float,
    ) -> None:
        groups, outputs, channels = weight_gockk.shape[:3]
        dtype = weight_gockk.dtype
        kernels: Any = _dispatch.native().family("broadcast", dtype)
        products, padded = channels * seeing.places.shape[1], whole(outputs, kernels.VECTOR_LANES)
        weights = empty((groups * padded * products,), dtype)
        kernels.pack_weights(weight_gockk, seeing.places, weights)
        padded_bias = np.zeros((groups, padded), dtype)
        if bias is not None:
            padded_bias[:, :outputs] = bias.reshape(groups, outputs)
        taps, rest = (seeing.rows, seeing.columns), (*stride, groups, BORDER_CODES[border], cval)
        super().__init__(kernels.Convolution(weights, padded_bias.reshape(-1), *taps, *rest), products)


def workspace(problem: Problem, num_threads: int) -> int:
    """Bytes of scratch for each thread."""
    return taps.scratch("broadcast", problem, num_threads)


def prepare(problem: Problem, layer: Layer, num_threads: int | None) -> BroadcastConv:
    """Weights packed for a convolution."""
    return BroadcastConv(layer.weight_gockk, layer.bias, *taps_of(problem, layer), layer.border, layer.cval)

"""Depthwise and grouped convolution: few channels a group, summed straight from strips of input rows."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from convkit import _dispatch
from convkit._checks import Array, Pair
from convkit.ops.costs import Work
from convkit.ops.prepared import Prepared
from convkit.ops.problem import Layer, Problem, whole
from convkit.ops.taps import BORDER_CODES, packing
from convkit.shapes import Axis

MOST_CHANNELS = 32
"""Input channels of a group whose strips still fit the second-level cache."""

MOST_REACH = 64
"""Columns that a kernel may reach over: a strip holds some outputs beside them."""

MOST_REMEMBERED = 1 << 15
"""Weights whose order is worked out once: up to 16 MB for the layers of a network."""

MOST_ROWS = 4096
"""Rows of scratch under one tile of outputs, of less than two kilobytes each."""

MANY_CHANNELS = 8
"""Whose rows the processor does not foresee."""

NEAR_ROWS = 160
"""Of a strip that stays in the first-level cache."""


def refusal(problem: Problem) -> str | None:
    """Why `DepthwiseConv` cannot compute it; None where it can."""
    vertical, horizontal = problem.axes
    rows = problem.channels * horizontal.stride * (8 * vertical.stride + vertical.extent)
    if problem.channels <= MOST_CHANNELS and horizontal.extent <= MOST_REACH and rows <= MOST_ROWS:
        return None
    return (
        f"{problem.channels} channels a group, stride ({vertical.stride}, {horizontal.stride}) and a dilated "
        f"kernel of {vertical.extent}×{horizontal.extent}; expected at most {MOST_CHANNELS} channels and "
        "few pixels under the kernel"
    )


def work(problem: Problem, lanes: int) -> Work:
    """The steps of `DepthwiseConv`; `lanes`: the elements of a vector."""
    vertical, horizontal = problem.axes
    maps, in_fours = problem.images * problem.groups, problem.outputs // 4 * 4
    singly = problem.outputs - in_fours
    products = maps * problem.channels * problem.taps
    kernels = _dispatch.native().family("depthwise", f"f{problem.itemsize}")
    kind = problem.outputs, problem.channels, vertical.kernel, vertical.stride, vertical.dilation
    apart = kernels.rows_apart(*kind)
    rows, columns = kernels.packed(*problem.arrays(), problem.groups, *geometry(problem.axes))
    in_chunks = kernels.kernel_chunk(*kind) > 1 and vertical.stride * apart <= 2 * vertical.dilation
    in_chunks |= columns == 0  # what is read where it lies
    strip = problem.channels * horizontal.stride * (8 * apart * vertical.stride + vertical.extent)
    single_rows, tiles_down = whole(vertical.output, 4 * apart), -(-vertical.output // (8 * apart)) * apart
    rows_read = vertical.output * (in_fours / 4 + singly)
    whole_columns = whole(horizontal.output, lanes)
    columns_summed = whole(horizontal.output, kernels.PART_LANES if singly == 1 else lanes)
    return {
        "plan": 1,
        "weights": problem.weights,
        "call": 1,
        "products": products * whole_columns * vertical.output * in_fours,
        "single products": products * columns_summed * single_rows * singly * in_chunks,
        "single products by rows": products * columns_summed * single_rows * singly * (not in_chunks),
        "far reads": products * whole_columns * rows_read * (strip > NEAR_ROWS),
        **packing(maps * problem.channels * rows * columns, horizontal.stride),
        "packed apart": maps * problem.channels * rows * columns * (problem.channels >= MANY_CHANNELS),
        "rows": maps * problem.channels * rows,
        "tiles": maps * problem.outputs * -(-horizontal.output // lanes) * tiles_down,
        "outputs": maps * problem.outputs * problem.pixels,
        "moved": problem.moved,
    }


class DepthwiseConv(Prepared):
    """Weights laid out once; `run` convolves a batch, from any number of threads."""

    __slots__ = ()

    def __init__(
        self,
        weight_gockk: Array,
        bias: Array | None,
        axes: tuple[Axis, Axis],
        border: str = "constant",
        cval: float = 0.0,
    ) -> None:
        dtype, (groups, outputs) = weight_gockk.dtype, weight_gockk.shape[:2]
        kernels: Any = _dispatch.native().family("depthwise", dtype)
        arrays = (
            pack_weights(weight_gockk, kernels, axes[0]),
            np.zeros(groups * outputs, dtype) if bias is None else np.array(bias),
        )
        native = kernels.Convolution(*arrays, groups, *geometry(axes), BORDER_CODES[border], cval)
        super().__init__(native, weight_gockk[0, 0].size)


def geometry(axes: tuple[Axis, Axis]) -> list[Pair]:
    """Kernel, stride, dilation and padding as the kernels take them: (vertical, horizontal)."""
    vertical, horizontal = axes
    return [
        (vertical.kernel, horizontal.kernel),
        (vertical.stride, horizontal.stride),
        (vertical.dilation, horizontal.dilation),
        (vertical.before, horizontal.before),
    ]


def pack_weights(weight_gockk: Array, kernels: Any, vertical: Axis) -> Array:
    """The weights in the order in which they are multiplied."""
    stride, dilation = vertical.stride, vertical.dilation
    if weight_gockk.size > MOST_REMEMBERED:
        return in_order(weight_gockk, kernels, stride, dilation)
    return weight_gockk.reshape(-1).take(order(weight_gockk.shape, kernels, stride, dilation))


@lru_cache(maxsize=64)
def order(shape: tuple[int, ...], kernels: Any, stride: int, dilation: int) -> Array:
    """The places of the weights that `in_order` gives."""
    return in_order(np.arange(prod(shape)).reshape(shape), kernels, stride, dilation)


def in_order(weight_gockk: Array, kernels: Any, stride: int, dilation: int) -> Array:
    """The weights as they are multiplied.

    For each group, and each block of its outputs that are summed together: kernel rows in chunks and then one
    by one, of each the channels, of each the kernel columns, of each the chunk's rows, of each the outputs.
    """
    groups, outputs, channels, rows, _ = weight_gockk.shape
    parts = []
    output = 0
    while output < outputs:
        block = weight_gockk[:, output : output + kernels.block_outputs(outputs - output)]
        chunk = 1
        if block.shape[1] < 4:
            chunk = kernels.kernel_chunk(outputs, channels, rows, stride, dilation)
        starts = [*range(0, rows - rows % chunk, chunk), *range(rows - rows % chunk, rows), rows]
        for top, bottom in pairwise(starts):
            parts.append(block[:, :, :, top:bottom].transpose(0, 2, 4, 3, 1).reshape(groups, -1))
        output += block.shape[1]
    return np.concatenate(parts, axis=1).reshape(-1)


def workspace(problem: Problem, num_threads: int) -> int:
    """Bytes of scratch for each thread."""
    kernels = _dispatch.native().family("depthwise", f"f{problem.itemsize}")
    size: int = kernels.workspace_bytes(
        *problem.arrays(), problem.groups, *geometry(problem.axes), num_threads
    )
    return size


def prepare(problem: Problem, layer: Layer, num_threads: int | None) -> DepthwiseConv:
    """Weights laid out for a convolution."""
    return DepthwiseConv(layer.weight_gockk, layer.bias, problem.axes, layer.border, layer.cval)

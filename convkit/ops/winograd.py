"""Winograd's convolution of 3×3 kernels: fewer products than the sum as written, with a wider error bound."""

from __future__ import annotations

from typing import Any

import numpy as np

from convkit import _dispatch
from convkit._checks import Array, empty
from convkit._threads import threads_for
from convkit.ops.costs import Work
from convkit.ops.prepared import Prepared
from convkit.ops.problem import Layer, Problem, whole
from convkit.ops.taps import BORDER_CODES
from convkit.shapes import Axis

FAR_BYTES = 3 << 19
"""Transformed input of a block of tiles that no longer stays in the second-level cache."""


def refusal(problem: Problem) -> str | None:
    """Why `WinogradConv` cannot compute it; None where it can."""
    vertical, horizontal = problem.axes
    if vertical.stride == horizontal.stride and all(
        axis.kernel == 3
        and axis.stride in (1, 2)
        and axis.dilation <= (axis.output if axis.stride == 1 else 1)
        for axis in (vertical, horizontal)
    ):
        return None
    return (
        f"a {vertical.kernel}×{horizontal.kernel} kernel, stride ({vertical.stride}, {horizontal.stride}) "
        f"and dilation ({vertical.dilation}, {horizontal.dilation}); expected 3×3, and stride 1 with a "
        "dilation of at most the output's size or stride (2, 2) without"
    )


def work(problem: Problem, lanes: int) -> Work:
    """The steps of `WinogradConv`; `lanes`: the elements of a vector."""
    vertical, horizontal = problem.axes
    m, stride = tile_size(problem.images, vertical, horizontal), vertical.stride
    positions = (m * stride + 3 - stride) ** 2
    sums = (m + 3 - stride) ** 2
    tiles = problem.images * vertical.dilation * horizontal.dilation
    for axis in (vertical, horizontal):
        tiles *= -(-phase_size(axis) // m)
    lanes_used = problem.groups * whole(tiles, lanes)
    inputs = lanes_used * positions * problem.channels
    block = min(3 * lanes, whole(tiles, lanes)) * positions * problem.channels * problem.itemsize
    return {
        "plan": 1,
        "weights": problem.weights * (m + 2) ** 2 / 9,
        "call": 1,
        "products": lanes_used * positions * whole(problem.outputs, 4) * problem.channels,
        "inputs": inputs,
        "inputs written far": inputs * (block > FAR_BYTES),
        "outputs": lanes_used * sums * problem.outputs,
        "units": problem.groups * -(-tiles // (3 * lanes)),
        "moved": problem.moved,
    }


def tile_size(images: int, vertical: Axis, horizontal: Axis) -> int:
    """The m of F(m×m, 3×3): where outputs are few, reading the weights takes longest."""
    if vertical.stride == 2:
        return 4
    return 2 if images * phase_size(vertical) * phase_size(horizontal) <= 100 else 4


def phase_size(axis: Axis) -> int:
    """Outputs of each of the convolutions without dilation that a dilated one is."""
    return -(-axis.output // axis.dilation)


class WinogradConv(Prepared):
    """Weights transformed once; `run` convolves a batch, from any number of threads."""

    __slots__ = ()

    def __init__(
        self,
        weight_gockk: Array,
        bias: Array | None,
        axes: tuple[Axis, Axis],
        border: str = "constant",
        cval: float = 0.0,
        m: int | None = None,
        num_threads: int | None = None,
    ) -> None:
        groups, outputs, channels = weight_gockk.shape[:3]
        dtype = weight_gockk.dtype
        kernels: Any = _dispatch.native().family("winograd", dtype)
        m, stride = m or tile_size(1, *axes), axes[0].stride
        weights = empty((kernels.weight_count(groups, outputs, channels, m),), dtype)
        threads = threads_for(weight_gockk.size * 36, num_threads)
        kernels.transform_weights(weight_gockk, m, stride, weights, threads)
        native = kernels.Convolution(
            weights,
            np.zeros(groups * outputs, dtype) if bias is None else bias.copy(),
            m,
            stride,
            *(axis.before for axis in axes),
            *(axis.dilation for axis in axes),
            groups,
            BORDER_CODES[border],
            cval,
        )
        super().__init__(native, channels * 9)


def workspace(problem: Problem, num_threads: int, m: int | None = None) -> int:
    """Bytes of scratch for each thread."""
    kernels = _dispatch.native().family("winograd", f"f{problem.itemsize}")
    vertical, horizontal = problem.axes
    size: int = kernels.workspace_bytes(
        m or tile_size(problem.images, vertical, horizontal),
        vertical.stride,
        problem.images,
        problem.groups,
        problem.outputs,
        problem.channels,
        vertical.output,
        horizontal.output,
        vertical.dilation,
        horizontal.dilation,
        num_threads,
    )
    return size


def prepare(problem: Problem, layer: Layer, num_threads: int | None) -> WinogradConv:
    """Weights transformed for a convolution."""
    weight_gockk, bias, border, cval = layer
    m = tile_size(problem.images, *problem.axes)
    return WinogradConv(weight_gockk, bias, problem.axes, border, cval, m, num_threads)

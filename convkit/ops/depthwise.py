"""Depthwise and grouped convolution: few channels a group, summed straight from strips of input rows."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from convkit import _dispatch
from convkit._checks import Array
from convkit._threads import threads_for
from convkit.ops.epilogue import PLAIN, Epilogue
from convkit.ops.taps import BORDER_CODES
from convkit.shapes import Axis

MOST_CHANNELS = 32
"""Input channels of a group whose strips still fit the second-level cache."""

MOST_REACH = 64
"""Columns that a kernel may reach over: a strip holds some outputs beside them."""

MOST_ROWS = 4096
"""Rows of scratch under one tile of outputs, of about a kilobyte each."""


def supports(axes: tuple[Axis, Axis], channels_per_group: int, outputs_per_group: int) -> bool:
    """Whether `DepthwiseConv` can run a convolution of these sizes, with any number of outputs."""
    vertical, horizontal = axes
    rows = channels_per_group * horizontal.stride * (8 * vertical.stride + vertical.extent)
    return channels_per_group <= MOST_CHANNELS and horizontal.extent <= MOST_REACH and rows <= MOST_ROWS


def pays(axes: tuple[Axis, Axis], channels_per_group: int, outputs_per_group: int) -> bool:
    """Whether it was measured to be faster than the implicit GEMM, which packs pixels for every tap."""
    if not supports(axes, channels_per_group, outputs_per_group):
        return False
    if axes[0].kernel * axes[1].kernel == 1:
        return channels_per_group == 1
    return channels_per_group <= 4 or max(channels_per_group, outputs_per_group) <= 16


def check(axes: tuple[Axis, Axis], channels_per_group: int, outputs_per_group: int) -> None:
    """Refuse ``algorithm="depthwise"`` where it cannot run."""
    if not supports(axes, channels_per_group, outputs_per_group):
        raise ValueError(
            f"algorithm is 'depthwise' with {channels_per_group} channels a group, strides {axes[0].stride} "
            f"and {axes[1].stride}, dilated kernel {axes[0].extent}×{axes[1].extent}; expected at most "
            f"{MOST_CHANNELS} channels and few pixels: pass algorithm='direct'"
        )


class DepthwiseConv:
    """Weights laid out once; `run` convolves a batch, from any number of threads."""

    __slots__ = ("axes", "bias", "border", "cval", "groups", "kernels", "products", "weights")

    def __init__(
        self,
        weight_gockk: Array,
        bias: Array | None,
        axes: tuple[Axis, Axis],
        border: str = "constant",
        cval: float = 0.0,
    ) -> None:
        dtype = weight_gockk.dtype
        self.kernels: Any = _dispatch.native().family("depthwise", dtype)
        self.axes, self.border, self.cval = axes, BORDER_CODES[border], cval
        self.groups = weight_gockk.shape[0]
        self.products = weight_gockk[0, 0].size
        outputs = self.groups * weight_gockk.shape[1]
        self.weights = pack_weights(weight_gockk, self.kernels, axes[0])
        self.bias = np.zeros(outputs, dtype) if bias is None else np.array(bias)

    def run(
        self, x_bchw: Array, y_bchw: Array, num_threads: int | None = None, epilogue: Epilogue = PLAIN
    ) -> None:
        """Write the convolution of `x_bchw` to `y_bchw`, whose shapes are already checked."""
        vertical, horizontal = self.axes
        self.kernels.depthwise(
            x_bchw,
            self.weights,
            self.bias,
            y_bchw,
            self.groups,
            (vertical.kernel, horizontal.kernel),
            (vertical.stride, horizontal.stride),
            (vertical.dilation, horizontal.dilation),
            (vertical.before, horizontal.before),
            self.border,
            self.cval,
            threads_for(y_bchw.size * self.products, num_threads),
            *epilogue,
        )


def pack_weights(weight_gockk: Array, kernels: Any, vertical: Axis) -> Array:
    """The weights in the order in which they are multiplied.

    For each group, and each block of its outputs that are summed together: kernel rows in chunks and then one
    by one, of each the channels, of each the kernel columns, of each the chunk's rows, of each the outputs.
    """
    groups, outputs, _, rows, _ = weight_gockk.shape
    parts = []
    output = 0
    while output < outputs:
        block = weight_gockk[:, output : output + kernels.block_outputs(outputs - output)]
        chunk = 1
        if block.shape[1] < 4:
            chunk = kernels.kernel_chunk(outputs, rows, vertical.stride, vertical.dilation)
        starts = [*range(0, rows - rows % chunk, chunk), *range(rows - rows % chunk, rows), rows]
        for top, bottom in pairwise(starts):
            parts.append(block[:, :, :, top:bottom].transpose(0, 2, 4, 3, 1).reshape(groups, -1))
        output += block.shape[1]
    return np.concatenate(parts, axis=1).reshape(-1)

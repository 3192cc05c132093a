"""Winograd's convolution of 3×3 kernels: fewer products than the sum as written, with a wider error bound."""

from __future__ import annotations

from typing import Any

import numpy as np

from convkit import _dispatch
from convkit._checks import Array, empty
from convkit._threads import threads_for
from convkit.ops.epilogue import PLAIN, Epilogue
from convkit.ops.taps import BORDER_CODES
from convkit.shapes import Axis


def supports(vertical: Axis, horizontal: Axis) -> bool:
    """Whether `WinogradConv` can run it: a 3×3 kernel, stride 1, outputs in every phase of the dilation."""
    return all(
        axis.kernel == 3 and axis.stride == 1 and axis.dilation <= axis.output
        for axis in (vertical, horizontal)
    )


def pays(vertical: Axis, horizontal: Axis, weight_gockk: Array) -> bool:
    """Whether it is faster than summing every product, in float32: float64 is asked for when digits matter.

    Fewer channels or outputs leave little to multiply between the transforms; it still pays for the first
    layer of a network on large maps. The smallest maps fill few tiles.
    """
    outputs, channels = weight_gockk.shape[1:3]
    rows, columns = phase_size(vertical), phase_size(horizontal)
    enough = min(channels, outputs) >= 8 or (channels >= 3 and outputs >= 32 and rows * columns >= 1 << 15)
    return (
        supports(vertical, horizontal)
        and weight_gockk.dtype == np.float32
        and enough
        and min(rows, columns) >= 4
        and rows * columns >= 36
    )


def check(vertical: Axis, horizontal: Axis, exact: bool) -> None:
    """Refuse ``algorithm="winograd"`` where it cannot run, or may not."""
    if not supports(vertical, horizontal):
        raise ValueError(
            f"algorithm is 'winograd' with a {vertical.kernel}×{horizontal.kernel} kernel, stride "
            f"({vertical.stride}, {horizontal.stride}) and dilation ({vertical.dilation}, "
            f"{horizontal.dilation}); expected 3×3, stride 1 and a dilation of at most the output's size: "
            "pass algorithm='auto'"
        )
    if exact:
        raise ValueError(
            "algorithm is 'winograd' under precision='exact', which allows direct summation only: "
            "pass algorithm='auto'"
        )


def tile_size(vertical: Axis, horizontal: Axis) -> int:
    """The m of F(m×m, 3×3), from one image's map alone: on small ones, reading the weights takes longest."""
    return 2 if phase_size(vertical) * phase_size(horizontal) <= 100 else 4


def phase_size(axis: Axis) -> int:
    """Outputs of each of the convolutions without dilation that a dilated one is."""
    return -(-axis.output // axis.dilation)


class WinogradConv:
    """Weights transformed once; `run` convolves a batch, from any number of threads."""

    __slots__ = (
        "bias",
        "border",
        "cval",
        "dilation",
        "groups",
        "kernels",
        "m",
        "padding",
        "shape",
        "weights",
    )

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
        self.kernels: Any = _dispatch.native().family("winograd", dtype)
        self.m = m or tile_size(*axes)
        self.shape = groups, outputs, channels
        self.groups, self.cval, self.border = groups, cval, BORDER_CODES[border]
        self.padding = (axes[0].before, axes[1].before)
        self.dilation = (axes[0].dilation, axes[1].dilation)
        self.bias = np.zeros(groups * outputs, dtype) if bias is None else bias.copy()
        self.weights = empty((self.kernels.weight_count(groups, outputs, channels, self.m),), dtype)
        threads = threads_for(weight_gockk.size * 36, num_threads)
        self.kernels.transform_weights(weight_gockk, self.m, self.weights, threads)

    def run(
        self, x_bchw: Array, y_bchw: Array, num_threads: int | None = None, epilogue: Epilogue = PLAIN
    ) -> None:
        """Write the convolution of `x_bchw` to `y_bchw`, whose shapes are already checked."""
        self.kernels.conv3x3(
            x_bchw,
            self.weights,
            self.bias,
            y_bchw,
            self.m,
            *self.padding,
            *self.dilation,
            self.groups,
            self.border,
            self.cval,
            threads_for(y_bchw.size * (x_bchw.shape[1] // self.groups) * 9, num_threads),
            *epilogue,
        )

    def workspace_bytes(self, images: int, rows: int, columns: int, num_threads: int = 1) -> int:
        """Scratch that `run` takes for each thread, with an output of `images` maps of rows × columns."""
        size: int = self.kernels.workspace_bytes(
            self.m, images, *self.shape, rows, columns, *self.dilation, num_threads
        )
        return size

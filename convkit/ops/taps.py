"""A convolution as the kernels see it: taps with offsets into the input, and weights packed for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convkit import _dispatch
from convkit._checks import Array, Pair, empty
from convkit._threads import threads_for
from convkit.ops.epilogue import PLAIN, Epilogue
from convkit.shapes import Axis

# numpy.pad's names, and the numbers by which the kernels know them
BORDER_CODES = {"constant": 0, "edge": 1, "reflect": 2, "symmetric": 3, "wrap": 4}


@dataclass(frozen=True, slots=True)
class Tap:
    """One kernel element: where it stands in the kernel, and which pixel it brings to output (0, 0)."""

    kernel: Pair
    offset: Pair


def conv_taps(vertical: Axis, horizontal: Axis) -> list[Tap]:
    """A convolution's taps: its kernel's elements in row order."""
    return [
        Tap((r, s), (r * vertical.dilation - vertical.before, s * horizontal.dilation - horizontal.before))
        for r in range(vertical.kernel)
        for s in range(horizontal.kernel)
    ]


class TapConv:
    """Weights packed once for a list of taps; `run` convolves a batch, from any number of threads."""

    __slots__ = (
        "bias",
        "border",
        "cval",
        "groups",
        "kernels",
        "offsets",
        "row_taps",
        "stride",
        "taps",
        "weights",
    )

    def __init__(
        self,
        weight_gockk: Array,
        bias: Array | None,
        taps: Sequence[Tap],
        row_taps: int,
        stride: Pair = (1, 1),
        border: str = "constant",
        cval: float = 0.0,
    ) -> None:
        groups, outputs, channels = weight_gockk.shape[:3]
        dtype = weight_gockk.dtype
        self.kernels: Any = _dispatch.native().family("kernels", dtype)
        rows = self.kernels.panel_rows(outputs)
        padded = -(-outputs // rows) * rows
        self.groups, self.stride, self.cval, self.border = groups, stride, cval, BORDER_CODES[border]
        self.taps, self.row_taps = len(taps), row_taps
        self.offsets = np.array([tap.offset for tap in taps], np.intp).T.copy()
        self.weights = empty((groups * padded * channels * len(taps),), dtype)
        self.kernels.pack_weights(
            weight_gockk,
            np.array([tap.kernel for tap in taps], np.intp).T.copy(),
            row_taps,
            rows,
            self.weights,
        )
        self.bias = np.zeros((groups, padded, self.kernels.VECTOR_LANES), dtype)
        if bias is not None:
            self.bias[:, :outputs] = bias.reshape(groups, outputs, 1)
        self.bias = self.bias.reshape(-1)

    def run(
        self, x_bchw: Array, y_bchw: Array, num_threads: int | None = None, epilogue: Epilogue = PLAIN
    ) -> None:
        """Write the convolution of `x_bchw` to `y_bchw`, whose shapes are already checked."""
        work = y_bchw.size * (x_bchw.shape[1] // self.groups) * self.taps
        self.kernels.conv_taps(
            x_bchw,
            self.weights,
            self.bias,
            y_bchw,
            self.offsets,
            self.row_taps,
            *self.stride,
            self.groups,
            self.border,
            self.cval,
            threads_for(work, num_threads),
            *epilogue,
        )

"""The implicit GEMM for maps of few pixels: output channels fill the vectors, pixels are broadcast."""

from __future__ import annotations

from typing import Any

import numpy as np

from convkit import _dispatch
from convkit._checks import Array, Pair, empty
from convkit._threads import threads_for
from convkit.ops.epilogue import PLAIN, Epilogue
from convkit.ops.problem import Problem, whole

# measured beside `TapConv`, whose vectors of pixels win where there are many
MOST_PIXELS = 800
MOST_PIXELS_1X1 = 256
MOST_EXTENT = 64
MOST_STRIDE = 4


def suits(problem: Problem, lanes: int) -> bool:
    """Whether it is the faster form of the GEMM; `lanes`: the elements of a vector."""
    axes = problem.axes
    small = problem.pixels <= (MOST_PIXELS_1X1 if problem.taps == 1 else MOST_PIXELS)
    filled = 4 * problem.outputs >= 3 * lanes
    near = all(axis.extent <= MOST_EXTENT and axis.stride <= MOST_STRIDE for axis in axes)
    return small and filled and near


class BroadcastConv:
    """Weights packed once for some taps; `run` convolves a batch, from any number of threads."""

    __slots__ = ("bias", "border", "columns", "cval", "groups", "kernels", "rows", "stride", "weights")

    def __init__(
        self,
        weight_gockk: Array,
        bias: Array | None,
        taps: tuple[Array, Array, Array],
        stride: Pair,
        border: int,
        cval: float,
    ) -> None:
        groups, outputs, channels = weight_gockk.shape[:3]
        dtype = weight_gockk.dtype
        self.kernels: Any = _dispatch.native().family("broadcast", dtype)
        self.groups, self.stride, self.border, self.cval = groups, stride, border, cval
        self.rows, self.columns, places = taps
        padded = whole(outputs, self.kernels.VECTOR_LANES)
        self.weights = empty((groups * padded * channels * places.shape[1],), dtype)
        self.kernels.pack_weights(weight_gockk, places, self.weights)
        padded_bias = np.zeros((groups, padded), dtype)
        if bias is not None:
            padded_bias[:, :outputs] = bias.reshape(groups, outputs)
        self.bias = padded_bias.reshape(-1)

    def run(
        self, x_bchw: Array, y_bchw: Array, num_threads: int | None = None, epilogue: Epilogue = PLAIN
    ) -> None:
        """Write the convolution of `x_bchw` to `y_bchw`, whose shapes are already checked."""
        taps = self.rows.size * self.columns.size
        self.kernels.conv_taps(
            x_bchw,
            self.weights,
            self.bias,
            y_bchw,
            self.rows,
            self.columns,
            *self.stride,
            self.groups,
            self.border,
            self.cval,
            threads_for(y_bchw.size * (x_bchw.shape[1] // self.groups) * taps, num_threads),
            *epilogue,
        )

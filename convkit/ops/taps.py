"""A convolution as the kernels see it: taps with offsets into the input, and weights packed for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convkit import _dispatch
from convkit._checks import Array, Pair, empty
from convkit._threads import threads_for
from convkit.shapes import Axis

# numpy.pad's names, and the numbers by which the kernels know them
BORDER_CODES = {"constant": 0, "edge": 1, "reflect": 2, "symmetric": 3, "wrap": 4}


@dataclass(frozen=True, slots=True)
class Tap:
    """A row or column of the kernel: its place there, and which input pixel it brings to output 0."""

    kernel: int
    offset: int


def axis_taps(axis: Axis) -> list[Tap]:
    """A convolution's taps along one axis, in ascending order."""
    return [Tap(r, r * axis.dilation - axis.before) for r in range(axis.kernel)]


class TapConv:
    """Weights packed once for rows × columns of taps; `run` convolves a batch, from any number of threads."""

    __slots__ = ("bias", "border", "columns", "cval", "groups", "kernels", "rows", "stride", "weights")

    def __init__(
        self,
        weight_gockk: Array,
        bias: Array | None,
        rows: Sequence[Tap],
        columns: Sequence[Tap],
        stride: Pair = (1, 1),
        border: str = "constant",
        cval: float = 0.0,
    ) -> None:
        groups, outputs, channels = weight_gockk.shape[:3]
        dtype = weight_gockk.dtype
        self.kernels: Any = _dispatch.native().family("kernels", dtype)
        self.groups, self.stride, self.cval, self.border = groups, stride, cval, BORDER_CODES[border]
        self.rows = np.array([tap.offset for tap in rows], np.intp)
        self.columns = np.array([tap.offset for tap in columns], np.intp)
        index = np.array([(r.kernel, s.kernel) for r in rows for s in columns], np.intp).T.copy()
        self.weights = empty((groups * outputs * channels * index.shape[1],), dtype)
        self.kernels.pack_weights(weight_gockk, index, self.weights)
        self.bias = np.zeros((groups * outputs, self.kernels.VECTOR_LANES), dtype)
        if bias is not None:
            self.bias[:] = bias.reshape(-1, 1)
        self.bias = self.bias.reshape(-1)

    def run(self, x_bchw: Array, y_bchw: Array, num_threads: int | None = None) -> None:
        """Write the convolution of `x_bchw` to `y_bchw`, whose shapes are already checked."""
        work = y_bchw.size * (x_bchw.shape[1] // self.groups) * len(self.rows) * len(self.columns)
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
            threads_for(work, num_threads),
        )

"""Depthwise transposed convolution with a horizontal stride of 2, written line by line."""

from __future__ import annotations

import numpy as np

from convkit import _dispatch
from convkit._checks import Array, Pair
from convkit._threads import threads_for
from convkit.ops.epilogue import Epilogue

MOST_REACH = 64
"""Input rows and columns that a kernel may reach over: those of a band stay in a near cache."""


def takes(weight_gockk: Array, y: Array, stride: Pair, dilation: Pair) -> bool:
    """Whether `write_zipped` computes it."""
    _, outputs, channels, *kernel = weight_gockk.shape
    reach = max(d * (k - 1) // s for d, k, s in zip(dilation, kernel, stride, strict=True))
    return outputs == channels == 1 and stride[1] == 2 and reach <= MOST_REACH and y.strides[3] == y.itemsize


def write_zipped(
    x: Array,
    weight_gockk: Array,
    bias: Array | None,
    y: Array,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    num_threads: int | None,
    epilogue: Epilogue,
) -> None:
    """Write every pixel of a transposed convolution."""
    weights = np.ascontiguousarray(weight_gockk[:, 0, 0])
    bias = np.zeros(y.shape[1], y.dtype) if bias is None else np.ascontiguousarray(bias)
    threads = threads_for(y.size * weights[0].size, num_threads)
    kernels = _dispatch.native().family("zipped", y.dtype)
    kernels.transposed(x, weights, bias, y, stride[0], dilation, padding, threads, *epilogue)

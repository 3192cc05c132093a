"""A convolution as its algorithm sees it: its sizes, by which it is chosen, and its arrays."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from convkit._checks import Array
from convkit.shapes import Axis

CACHE_BYTES = 1 << 20


class Problem(NamedTuple):
    """The sizes of a convolution."""

    images: int
    groups: int
    outputs: int
    """Output channels of one group, as are the `channels` of the input."""
    channels: int
    vertical: Axis
    horizontal: Axis
    itemsize: int

    @property
    def axes(self) -> tuple[Axis, Axis]:
        """Vertical and horizontal."""
        return self.vertical, self.horizontal

    @property
    def input_shape(self) -> tuple[int, int, int, int]:
        """BCHW."""
        return self.images, self.groups * self.channels, self.vertical.size, self.horizontal.size

    @property
    def output_shape(self) -> tuple[int, int, int, int]:
        """BCHW."""
        return self.images, self.groups * self.outputs, self.vertical.output, self.horizontal.output

    @property
    def pixels(self) -> int:
        """Of an output map."""
        return self.vertical.output * self.horizontal.output

    @property
    def taps(self) -> int:
        """Elements of a kernel."""
        return self.vertical.kernel * self.horizontal.kernel

    @property
    def weights(self) -> int:
        """Numbers of all kernels."""
        return self.groups * self.outputs * self.channels * self.taps

    @property
    def moved(self) -> int:
        """Elements of input and output that do not stay in a cache of `CACHE_BYTES`."""
        rows = min(self.vertical.size, self.vertical.output * self.vertical.kernel)
        elements = self.channels * rows * self.horizontal.size + self.outputs * self.pixels
        return max(0, self.images * self.groups * elements - CACHE_BYTES // self.itemsize)

    def arrays(self) -> tuple[Array, Array]:
        """Input and output without memory behind them, whose sizes alone may be looked at."""
        return phantom(self.input_shape, self.itemsize), phantom(self.output_shape, self.itemsize)


class Layer(NamedTuple):
    """What a convolution is prepared from, beside its sizes."""

    weight_gockk: Array
    bias: Array | None
    border: str
    cval: float


def phantom(shape: tuple[int, ...], itemsize: int) -> Array:
    """An array of `shape` and its usual strides that lies behind a single number."""
    strides = [itemsize * math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    return np.lib.stride_tricks.as_strided(np.zeros(1, f"f{itemsize}"), shape, strides)


def whole(n: int, size: int) -> int:
    """`n`, rounded up to a multiple of `size`."""
    return -(-n // size) * size

"""Taps: which of a kernel's rows and columns a convolution needs."""

from itertools import product

import numpy as np
import pytest

import convkit as ck
from convkit import _reference
from convkit.ops.taps import axis_taps, sees
from convkit.shapes import Axis


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
def test_a_tap_sees_the_input_or_nothing_but_padding(size, kernel):
    for stride, dilation, before, after in product((1, 2, 3), (1, 2, 3), range(8), (0, 3)):
        axis = Axis("height", size, kernel, stride, dilation, before, after)
        for tap in axis_taps(axis, zeros=False) if axis.room >= 0 else []:
            pixels = [tap.offset + i * stride for i in range(axis.output)]
            assert sees(tap, axis) == any(0 <= pixel < size for pixel in pixels), (axis, tap)


def test_zeros_alone_are_not_multiplied():
    axis = Axis("height", 5, 7, 1, 3, 9, 9)
    assert [tap.kernel for tap in axis_taps(axis, zeros=True)] == [2, 3, 4]
    assert len(axis_taps(axis, zeros=False)) == 7


@pytest.mark.parametrize(("mode", "cval"), [("zeros", 0.0), ("constant", 2.0), ("reflect", 0.0)])
def test_kernels_that_reach_far_beyond_the_map(mode, cval):
    rng = np.random.default_rng(1)
    x, w = rng.integers(-9, 9, (2, 3, 5, 4)), rng.integers(-9, 9, (6, 3, 7, 5))
    settings = {"padding": (9, 6), "dilation": 3, "padding_mode": mode, "cval": cval}
    y = ck.conv2d(x.astype(np.float32), w.astype(np.float32), algorithm="gemm", **settings)
    border = "constant" if mode == "zeros" else mode
    oracle = _reference.conv2d(x, w, None, (1, 1), (9, 9, 6, 6), (3, 3), 1, border, cval)
    np.testing.assert_array_equal(y, oracle)


def test_padding_that_hides_the_whole_map():
    x, w = np.ones((1, 1, 1, 1), np.float32), np.ones((1, 1, 2, 2), np.float32)
    y = ck.conv2d(x, w, padding=2, stride=4, dilation=3)
    np.testing.assert_array_equal(y, np.zeros((1, 1, 1, 1)))

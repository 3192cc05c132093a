"""Taps: which of a kernel's rows and columns a convolution needs."""

from itertools import product

import numpy as np
import pytest

import convkit as ck
from convkit import _reference
from convkit.ops.taps import Tap, TapConv, axis_taps, cross, sees
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


@pytest.mark.parametrize(("mode", "cval"), [("zeros", 0.0), ("constant", 2.0), ("reflect", 0.0)])
@pytest.mark.parametrize("stride", [2, 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_of_every_length_are_taken_apart(isa, dtype, stride, mode, cval):
    rng = np.random.default_rng(2)
    border = "constant" if mode == "zeros" else mode
    for columns, kernel in product(range(3, 60, 4), (2, 3, 5)):
        x, w = rng.integers(-9, 9, (1, 3, 7, columns)), rng.integers(-9, 9, (9, 3, 4, kernel))
        settings = {"padding": (2, 1), "stride": stride, "padding_mode": mode, "cval": cval}
        y = ck.conv2d(x.astype(dtype), w.astype(dtype), algorithm="gemm", **settings)
        oracle = _reference.conv2d(x, w, None, (stride, stride), (2, 2, 1, 1), (1, 1), 1, border, cval)
        np.testing.assert_array_equal(y, oracle)


def test_padding_that_hides_the_whole_map():
    x, w = np.ones((1, 1, 1, 1), np.float32), np.ones((1, 1, 2, 2), np.float32)
    y = ck.conv2d(x, w, padding=2, stride=4, dilation=3)
    np.testing.assert_array_equal(y, np.zeros((1, 1, 1, 1)))


ORDERS = {"given": (0, 1, 2, 3, 4), "transposed": (0, 2, 1, 3, 4), "channels last": (0, 1, 3, 4, 2)}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("groups", "outputs", "channels", "rows", "columns", "taps"),
    [(1, 64, 37, 3, 3, 3), (2, 21, 300, 1, 1, 1), (3, 7, 5, 2, 4, 2), (1, 40, 70, 3, 5, 2)],
)
def test_weights_are_packed_alike_from_any_memory(
    isa, threads, order, groups, outputs, channels, rows, columns, taps
):
    weight = np.arange(groups * outputs * channels * rows * columns, dtype=np.float32)
    weight = weight.reshape(groups, outputs, channels, rows, columns)
    some = cross([Tap(i, i) for i in range(rows)], [Tap(i, i) for i in range(columns - taps, columns)])
    expected = TapConv(weight, None, some, num_threads=1).weights
    used = weight[..., columns - taps :]
    np.testing.assert_array_equal(np.sort(expected), np.sort(used, axis=None))
    axes = ORDERS[order]
    laid_out = np.ascontiguousarray(weight.transpose(axes)).transpose(np.argsort(axes))
    packed = TapConv(laid_out, None, some, num_threads=threads).weights
    np.testing.assert_array_equal(packed, expected)


def test_weights_of_phases_are_packed_as_those_of_outputs(isa, threads):
    weight = np.arange(2 * 5 * 2 * 3 * 7 * 4, dtype=np.float64).reshape(2, 5, 2, 3, 7, 2, 2)
    taps = cross([Tap(0, 0), Tap(1, 1)], [Tap(0, 0), Tap(1, 1)])
    expected = TapConv(weight.reshape(2, 30, 7, 2, 2), None, taps).weights
    moved = np.ascontiguousarray(weight.transpose(0, 4, 1, 2, 3, 5, 6)).transpose(0, 2, 3, 4, 1, 5, 6)
    np.testing.assert_array_equal(TapConv(moved, None, taps, num_threads=threads).weights, expected)


@pytest.mark.parametrize("outputs", [9, 40, 150])
@pytest.mark.parametrize("size", [(32, 16), (19, 23)])
def test_pixels_that_are_read_where_they_lie_or_packed_before_many_outputs(isa, threads, size, outputs):
    rng = np.random.default_rng(3)
    x = rng.integers(-9, 9, (2, 130, *size)).astype(np.float32)
    w = rng.integers(-9, 9, (outputs, 130, 1, 1)).astype(np.float32)
    y = ck.conv2d(x, w, algorithm="gemm", num_threads=threads)
    np.testing.assert_array_equal(y, np.einsum("bchw,oc->bohw", x, w[:, :, 0, 0]))


@pytest.mark.parametrize("outputs", [1, 3, 6, 11])
@pytest.mark.parametrize("channels", [1, 3, 9, 33])
@pytest.mark.parametrize("size", [(7, 7), (71, 73), (1, 10245)])
def test_pixels_of_few_channels_pass_in_strips(isa, threads, size, channels, outputs):
    rng = np.random.default_rng(3)
    x = rng.integers(-9, 9, (2, 2 * channels, *size)).astype(np.float32)
    w = rng.integers(-9, 9, (2 * outputs, channels, 1, 1)).astype(np.float32)
    y = ck.conv2d(x, w, groups=2, activation="relu", algorithm="gemm", num_threads=threads)
    sums = np.einsum("bgchw,goc->bgohw", x.reshape(2, 2, channels, *size), w.reshape(2, outputs, channels))
    np.testing.assert_array_equal(y, np.maximum(sums, 0).reshape(y.shape))

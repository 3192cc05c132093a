"""Convolution by Fourier transforms against its definition: tiles, borders, strides, builds, threads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from placing import placed

import convkit as ck
from convkit import _reference, shapes
from convkit.ops import fft
from convkit.ops.problem import Problem

# of the largest |x|⊛|w|
BOUND = {np.dtype(np.float32): 2e-6, np.dtype(np.float64): 1e-14}
BORDERS = ("constant", "edge", "reflect", "symmetric", "wrap")


def normal(*shape, dtype=np.float32, seed=0):
    return np.random.default_rng((seed, *shape)).standard_normal(shape).astype(dtype)


def axes_of(x, weight, stride=(1, 1), padding=(0, 0, 0, 0), dilation=(1, 1)):
    return tuple(shapes.conv_axes(x.shape[2:], weight.shape[2:], stride, padding, dilation))


def run(x, weight, bias=None, *case, groups=1, border="constant", cval=0.0, threads=1, y=None):
    """The class as `Conv2dPlan` calls it; `case`: stride, padding, dilation."""
    axes = axes_of(x, weight, *case)
    conv = fft.FftConv(weight.reshape(groups, -1, *weight.shape[1:]), bias, axes, border, cval)
    if y is None:
        y = np.full((len(x), len(weight), axes[0].output, axes[1].output), np.nan, x.dtype)
    conv.run(x, y, threads)
    return y


def check(y, x, weight, bias=None, *case, groups=1, border="constant", cval=0.0):
    """Hold `y` to the documented bound."""
    arrays = [None if a is None else a.astype(np.float64) for a in (x, weight, bias)]
    exact = _reference.conv2d(*arrays, *case, groups=groups, border=border, cval=cval)
    sizes = [None if a is None else abs(a) for a in arrays]
    largest = _reference.conv2d(*sizes, *case, groups=groups, border=border, cval=abs(cval)).max()
    assert y.dtype == x.dtype
    assert y.shape == exact.shape
    assert abs(y - exact).max() <= BOUND[x.dtype] * largest


# ---- what it computes ----------------------------------------------------------------------------------


@settings(max_examples=80)
@given(data=st.data())
def test_anything(isa, data):
    """Kernels, strides, dilations, groups, borders and paddings, drawn at random."""
    pick = data.draw
    kernel, dilation = (tuple(pick(st.integers(1, most)) for _ in "hw") for most in (13, 3))
    extents = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    stride = tuple(pick(st.integers(1, min(4, extent))) for extent in extents)
    padding = tuple(pick(st.integers(0, 20)) for _ in range(4))
    height, width = (
        pick(st.integers(max(1, extent - before - after), 70))
        for extent, before, after in zip(extents, padding[::2], padding[1::2], strict=True)
    )
    groups, channels, outputs = (pick(st.integers(1, most)) for most in (3, 4, 4))
    dtype = pick(st.sampled_from((np.float32, np.float64)))
    border = pick(st.sampled_from(BORDERS))
    cval = pick(st.sampled_from((0.0, 1.5))) if border == "constant" else 0.0
    x = normal(pick(st.integers(1, 3)), groups * channels, height, width, dtype=dtype)
    weight = normal(groups * outputs, channels, *kernel, dtype=dtype)
    case = (weight, normal(groups * outputs, dtype=dtype), stride, padding, dilation)
    options = {"groups": groups, "border": border, "cval": cval}
    y = run(x, *case, **options, threads=3)
    check(y, x, *case, **options)
    for image in range(len(x)):
        np.testing.assert_array_equal(run(x[image : image + 1], *case, **options)[0], y[image])


@pytest.mark.parametrize(
    ("channels", "outputs", "groups", "size"),
    [(1, 1, 1, (300, 90)), (1, 2, 1, (1, 700)), (40, 6, 1, (60, 40)), (300, 300, 300, (60, 40))],
)
@pytest.mark.parametrize("kernel", [(31, 9), (9, 40), (65, 1)])
def test_tiles(threads, channels, outputs, groups, size, kernel):
    """One tile and many, of which the last is cut off; more tiles and groups than fit the scratch."""
    x, weight = normal(2, channels, *size), normal(outputs, channels // groups, *kernel)
    case = (1, 1), (kernel[0] // 2,) * 2 + (kernel[1] // 2,) * 2
    y = run(x, weight, None, *case, groups=groups, threads=threads)
    some = slice(None, None, 100 if groups > 1 else 1)
    check(y[:, some], x[:, some], weight[some], None, *case, groups=len(range(groups)[some]))


@pytest.mark.parametrize("layout", ["hwc", "flipped", "slices"])
def test_strides_in_memory(layout):
    """Input and output lie anywhere in memory, and nothing is written between the output's pixels."""
    x, weight, case = normal(2, 3, 40, 70), normal(5, 3, 11, 8), (None, (1, 2), (5, 5, 4, 4), (1, 1))
    y = placed(np.full((2, 5, 40, 36), np.nan, np.float32), layout)
    run(placed(x, layout), weight, *case, y=y)
    np.testing.assert_array_equal(y, run(x, weight, *case))
    if layout == "slices":
        assert (y.base[1::2] == 7).all()
        assert (y.base[:, :, :, 1::2] == 7).all()


@pytest.mark.parametrize("kind", ["normal", "image", "constant", "one pixel", "cauchy"])
@pytest.mark.parametrize(
    ("channels", "kernel", "size"), [(1, 63, 150), (1, 3, 40), (3, 31, 100), (64, 9, 30)]
)
def test_error(kind, channels, kernel, size):
    """The bound in use: also images of one bright pixel, whose rounding errors go everywhere."""
    rng = np.random.default_rng(0)
    weight, x = normal(4, channels, kernel, kernel), normal(1, channels, size, size)
    if kind == "image":
        x = rng.integers(0, 256, x.shape).astype(np.float32)
    elif kind == "constant":
        x[:] = 200
        weight -= weight.mean((1, 2, 3), keepdims=True)
    elif kind == "one pixel":
        x = np.zeros_like(x)
        x[0, 0, size // 2, size // 3] = 1
    elif kind == "cauchy":
        weight, x = (rng.standard_cauchy(a.shape).astype(np.float32) for a in (weight, x))
    case = (None, (1, 1), (kernel // 2,) * 4)
    check(run(x, weight, *case), x, weight, *case)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("channels", "groups"), [(1, 1), (3, 1), (64, 1), (2000, 2000), (256, 16)])
def test_scratch(dtype, channels, groups):
    """About 8 MB, as long as a tile of all channels of a group fits."""
    each = channels // groups
    for size in (20, 100, 700):
        axes = shapes.conv_axes((size, size), 15, 1, 7, 1)
        for images in (1, 64):
            problem = Problem(images, groups, each, each, *axes, np.dtype(dtype).itemsize)
            assert fft.workspace(problem, 1) <= 8.5e6


# ---- what stays where ----------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_stays_in_its_tiles(value):
    x, weight = normal(2, 2, 300, 300), normal(2, 2, 15, 15)
    conv = fft.FftConv(weight[None], None, axes_of(x, weight))
    clean, y = np.empty((2, *(2, 2, 286, 286)), np.float32)
    conv.run(x, clean)
    x[1, 1, 290, 10] = value
    conv.run(x, y)
    rows = slice((conv.cuts[0].tiles - 1) * conv.cuts[0].outputs, None)
    columns = slice(0, conv.cuts[1].outputs)
    assert conv.cuts[0].tiles > 1
    assert not np.isfinite(y[1, :, rows, columns]).any()
    y[1, :, rows, columns] = clean[1, :, rows, columns]
    np.testing.assert_array_equal(y, clean)


@pytest.mark.parametrize("border", BORDERS)
def test_nothing_behind_the_padding_is_read(border):
    """Tiles reach further than the padded image: neither `cval` nor a pixel repeated there counts."""
    x, weight = normal(1, 2, 17, 17), normal(4, 2, 7, 7)
    clean = run(x, weight, border=border)
    np.testing.assert_array_equal(run(x, weight, cval=1e30), clean)
    stride = run(x[..., :-1, :-1], weight, None, (2, 2), border=border)
    x[..., -1, :] = x[..., -1] = np.nan
    np.testing.assert_array_equal(run(x, weight, None, (11, 11), border=border).shape, (1, 4, 1, 1))
    np.testing.assert_array_equal(run(x[..., :-1, :-1], weight, None, (2, 2), border=border), stride)


# ---- who takes it --------------------------------------------------------------------------------------

X, WEIGHT = normal(1, 2, 50, 60), normal(4, 2, 21, 21)


def test_plan(isa, threads):
    """A plan gives the bits of the eager call, and of any arrangement of the input in memory."""
    plan = ck.conv2d_plan(WEIGHT, input_shape=X.shape, padding=10, algorithm="fft")
    assert plan.algorithm == "fft"
    y = plan(X, num_threads=threads)
    check(y, X, WEIGHT, None, (1, 1), (10,) * 4)
    np.testing.assert_array_equal(ck.conv2d(X, WEIGHT, padding=10, algorithm="fft"), y)
    np.testing.assert_array_equal(plan(np.asfortranarray(X), num_threads=threads), y)


def test_exact_never_takes_it():
    x, weight = np.rint(9 * X), np.rint(9 * WEIGHT)
    exact = _reference.conv2d(x.astype(np.int64), weight.astype(np.int64))
    with ck.options(precision="exact"):
        np.testing.assert_array_equal(ck.conv2d(x, weight), exact)
        with pytest.raises(ValueError, match="precision='exact'"):
            ck.conv2d(x, weight, algorithm="fft")
    np.testing.assert_array_equal(ck.conv2d(x, weight, algorithm="direct"), exact)


@pytest.mark.parametrize(
    "arguments",
    [{"stride": 22}, {"dilation": (1, 60), "padding": 900}, {"dilation": 2**40, "padding": 10 * 2**40}],
)
def test_refuses_what_it_cannot(arguments):
    with pytest.raises(ValueError, match=r"algorithm is 'fft' with stride .* pass algorithm='auto'"):
        ck.conv2d(X, WEIGHT, algorithm="fft", **arguments)

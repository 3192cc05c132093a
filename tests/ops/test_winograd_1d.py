"""Winograd's convolution down the columns against its definition: kernels, borders, sizes, builds."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from placing import placed

import convkit as ck
from convkit import _reference, shapes
from convkit.ops import taps, winograd_1d
from convkit.ops.problem import Problem

BOUND = 2e-6  # of the largest |x|⊛|w|
BORDERS = ("constant", "edge", "reflect", "symmetric", "wrap")
KERNELS = [(2, 1), (3, 1), (4, 1), (5, 1), (7, 1), (3, 2), (4, 2), (5, 2), (7, 2), (7, 3), (8, 3)]
SCHEMES = [  # kernel rows, stride, points
    (rows, stride, points)
    for rows, stride in KERNELS
    for points in winograd_1d.POINTS
    if points + 1 + -rows // stride >= 2
]


def normal(*shape, seed=0):
    return np.random.default_rng((seed, *shape)).standard_normal(shape).astype(np.float32)


def run(x, weight, bias=None, border="constant", cval=0.0, points=6, threads=1, y=None, **geometry):
    """The class as `Conv2dPlan` calls it; `geometry`: stride, padding, dilation, groups."""
    groups = geometry.pop("groups", 1)
    geometry = {"stride": 1, "padding": 0, "dilation": 1} | geometry
    axes = tuple(shapes.conv_axes(x.shape[2:], weight.shape[2:], **geometry))
    weight_gockk = weight.reshape(groups, len(weight) // groups, *weight.shape[1:])
    found = taps.conv_taps(*axes, border == "constant" and cval == 0)
    conv = winograd_1d.Winograd1dConv(weight_gockk, bias, axes, found, border, cval, points)
    if y is None:
        y = np.full((len(x), len(weight), axes[0].output, axes[1].output), np.nan, x.dtype)
    conv.run(x, y, threads)
    return y


def check(y, x, weight, bias=None, border="constant", cval=0.0, **geometry):
    """Hold `y` to the documented bound."""
    geometry = {name: pair(value) if name != "groups" else value for name, value in geometry.items()}
    geometry["padding"] = sides(geometry.get("padding", 0))
    arrays = [None if a is None else a.astype(np.float64) for a in (x, weight, bias)]
    exact = _reference.conv2d(*arrays, border=border, cval=cval, **geometry)
    sizes = [None if a is None else abs(a) for a in arrays]
    largest = _reference.conv2d(*sizes, border=border, cval=abs(cval), **geometry).max()
    assert y.shape == exact.shape
    assert abs(y - exact).max() <= BOUND * largest


def pair(value):
    return (value, value) if isinstance(value, int) else value


def sides(padding):
    padding = pair(padding)
    return tuple(n for n in padding for _ in range(2)) if len(padding) == 2 else padding


# ---- what it computes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("rows", "stride", "points"), SCHEMES)
def test_every_size(isa, threads, rows, stride, points):
    """Widths and heights 1 to 40: lines of tiles that reach over the edge, alone and side by side."""
    weight, bias = normal(5, 2, rows, 3), normal(5)
    for size in range(1, 41, 3):
        for height, width in ((size, 41 - size), (41 - size, 150), (1, size), (size, 1)):
            x = normal(1, 2, height, width)
            geometry = {"stride": (stride, 1), "padding": (rows - 1, 1)}
            y = run(x, weight, bias, points=points, threads=threads, **geometry)
            check(y, x, weight, bias, **geometry)


@settings(max_examples=80)
@given(data=st.data())
def test_anything(isa, threads, data):
    """Kernels, borders, paddings, strides, dilations, groups, batches and channel counts, drawn at random."""
    pick = data.draw
    (rows, stride, points), groups = pick(st.sampled_from(SCHEMES)), pick(st.integers(1, 3))
    columns = pick(st.integers(1, 9))
    dilation = pick(st.integers(1, 3)) if stride == 1 else 1, pick(st.integers(1, 3))
    border = pick(st.sampled_from(BORDERS))
    cval = pick(st.sampled_from((0.0, 1.5))) if border == "constant" else 0.0
    padding = tuple(pick(st.integers(0, 4)) for _ in range(4))
    least = dilation[0] * (rows - 1) + 1, dilation[1] * (columns - 1) + 1
    height = pick(st.integers(max(1, least[0] - sum(padding[:2])), 40 * stride))
    width = pick(st.integers(max(1, least[1] - sum(padding[2:])), 90))
    channels, outputs = pick(st.integers(1, 10)), pick(st.integers(1, 30))
    x = normal(pick(st.integers(1, 3)), groups * channels, height, width)
    weight, bias = normal(groups * outputs, channels, rows, columns), normal(groups * outputs)
    case = {"stride": (stride, pick(st.integers(1, 3))), "padding": padding, "dilation": dilation}
    case |= {"groups": groups, "border": border, "cval": cval}
    y = run(x, weight, bias, **case, points=points, threads=threads)
    check(y, x, weight, bias, **case)
    np.testing.assert_array_equal(run(x, weight, bias, **case, points=points), y)
    for image in range(len(x)):
        alone = run(x[image : image + 1], weight, bias, **case, points=points)
        np.testing.assert_array_equal(alone[0], y[image])


@pytest.mark.parametrize("channels", [190, 700, 2000])
def test_many_channels(isa, channels):
    """Narrow strips, as the caches hold few transformed pixels."""
    x, weight = normal(1, channels, 9, 70), normal(17, channels, 3, 3)
    y = run(x, weight, padding=1)
    check(y, x, weight, padding=1)
    np.testing.assert_array_equal(run(x, weight, padding=1, threads=3), y)


@pytest.mark.parametrize("layout", ["hwc", "flipped", "slices", "fortran"])
@pytest.mark.parametrize("stride", [1, 2])
def test_strides(isa, threads, layout, stride):
    """Input and output lie anywhere in memory, and nothing is written between the output's pixels."""
    x, weight = normal(2, 4, 19 * stride, 70 * stride), normal(9, 4, 5, 5)
    case = {"padding": 2, "stride": stride}
    y = placed(np.full((2, 9, 19, 70), np.nan, np.float32), layout)
    run(placed(x, layout), weight, **case, threads=threads, y=y)
    check(y, x, weight, **case)
    np.testing.assert_array_equal(y, run(x, weight, **case))
    if layout == "slices":
        assert (y.base[1::2] == 7).all()
        assert (y.base[:, :, :, 1::2] == 7).all()


@pytest.mark.parametrize("kind", ["normal", "image", "constant"])
@pytest.mark.parametrize(("rows", "stride", "points"), SCHEMES)
@pytest.mark.parametrize(("channels", "size"), [(1, 64), (3, 64), (64, 28)])
def test_error(isa, kind, channels, size, rows, stride, points):
    """The bound in use: numbers around 0, an image of 0..255, a constant one under kernels that sum to 0."""
    weight, x = normal(32, channels, rows, rows, seed=1), normal(1, channels, size, size)
    if kind == "image":
        x = np.random.default_rng(0).integers(0, 256, x.shape).astype(np.float32)
    elif kind == "constant":
        x[:] = 200
        weight -= weight.mean((1, 2, 3), keepdims=True)
    case = {"padding": rows // 2, "stride": stride}
    check(run(x, weight, points=points, **case), x, weight, **case)


@pytest.mark.parametrize("channels", [1, 64, 500, 1000, 2000, 5000])
def test_scratch(isa, channels):
    """At most 8 MB for each thread, however many channels, planes and pixels: more are refused."""
    taken = 0
    for columns, kernel, dilation in itertools.product((1, 4, 7, 60, 1000), (1, 3, 7, 64, 300), (1, 3, 20)):
        for rows, stride, _ in SCHEMES:
            axes = shapes.conv_axes(
                (40, columns + dilation * (kernel - 1)), (rows, kernel), stride, (rows // 2, 0), (1, dilation)
            )
            problem = Problem(1, 1, 3, channels, *axes, 4)
            if winograd_1d.refusal(problem) is None:
                taken += 1
                assert winograd_1d.workspace(problem, 2) <= 8e6
    assert taken > 20 or channels > 2000


# ---- what stays where ----------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_stays_in_its_lines_of_tiles(isa, value):
    """It reaches the outputs of the tiles that read it, in the columns that see it, and no others."""
    x, weight, case = normal(2, 3, 33, 90), normal(4, 3, 3, 3), {"padding": 1, "points": 6}
    clean = run(x, weight, **case)
    x[1, 2, 16, 40] = value
    y = run(x, weight, **case)
    touched = np.zeros(y.shape, bool)
    touched[1, :, 12:20, 39:42] = True  # rows 15..17, rounded out to tiles
    np.testing.assert_array_equal(y[~touched], clean[~touched])
    assert not np.isfinite(y[1, :, 15:18, 39:42]).any()


@pytest.mark.parametrize("border", BORDERS)
def test_nothing_behind_the_padding_is_read(isa, border):
    """Tiles reach further than the padded image: neither `cval` nor a pixel repeated there counts."""
    x, weight = normal(1, 2, 7, 7), normal(4, 2, 3, 3)
    check(run(x, weight, cval=1e30), x, weight)
    clean = run(x, weight, border=border)
    x[..., 0, :] = x[..., 0] = np.nan
    np.testing.assert_array_equal(run(x, weight, border=border)[..., 4, 1:], clean[..., 4, 1:])


# ---- who takes it --------------------------------------------------------------------------------------

X, WEIGHT = normal(1, 3, 60, 60), normal(32, 3, 5, 5)


def test_plan(isa, threads):
    """A plan gives the bits of the eager call."""
    options = {"padding": 2, "stride": 2, "algorithm": "winograd_1d"}
    plan = ck.conv2d_plan(WEIGHT, input_shape=X.shape, **options)
    y = plan(X, num_threads=threads)
    check(y, X, WEIGHT, padding=2, stride=2)
    np.testing.assert_array_equal(ck.conv2d(X, WEIGHT, **options), y)


def test_exact_never_takes_it():
    """`precision="exact"` and the direct algorithms sum integers exactly; asking for both is refused."""
    x, weight = np.rint(100 * X), np.rint(100 * WEIGHT)
    exact = _reference.conv2d(x.astype(np.int64), weight.astype(np.int64))
    with ck.options(precision="exact"):
        np.testing.assert_array_equal(ck.conv2d(x, weight), exact)
        with pytest.raises(ValueError, match="precision='exact'"):
            ck.conv2d(x, weight, algorithm="winograd_1d")
    np.testing.assert_array_equal(ck.conv2d(x, weight, algorithm="direct"), exact)


def test_auto():
    """Where it pays by far: float32, first layers and kernels of several rows."""

    def chosen(channels, size, outputs, kernel, **options):
        x, weight = normal(1, channels, size, size), normal(outputs, channels, *pair(kernel))
        return ck.conv2d_plan(weight, input_shape=x.shape, **options).algorithm

    assert chosen(3, 224, 64, 7, stride=2, padding=3) == "winograd_1d"
    assert chosen(24, 112, 8, 3, padding=1) == "winograd_1d"
    assert chosen(32, 56, 32, 5, padding=2) == "winograd_1d"
    assert chosen(256, 56, 64, 1) != "winograd_1d"
    assert chosen(32, 56, 32, (1, 5)) != "winograd_1d"
    assert ck.conv2d_plan(WEIGHT.astype(float), input_shape=X.shape).algorithm != "winograd_1d"


@pytest.mark.parametrize(
    ("kernel", "options", "said"),
    [
        ((1, 5), {}, "1 kernel rows, stride 1 .* expected 2 to 7 rows"),
        ((9, 3), {}, "9 kernel rows"),
        ((3, 3), {"stride": 3}, "3 kernel rows, stride 3"),
        ((3, 3), {"stride": 2, "dilation": 2}, "stride 2 and dilation 2"),
        ((3, 3), {"dilation": 25}, "a dilation of at most the output's size"),
    ],
)
def test_refuses_what_it_cannot(kernel, options, said):
    with pytest.raises(ValueError, match=said):
        ck.conv2d(X, normal(4, 3, *kernel), algorithm="winograd_1d", **options)


def test_float64_is_refused():
    with pytest.raises(ValueError, match="float64 numbers; expected float32"):
        ck.conv2d(X.astype(float), WEIGHT.astype(float), algorithm="winograd_1d")

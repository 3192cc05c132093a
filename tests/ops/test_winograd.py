"""Winograd's convolution against its definition: borders, sizes, strides in memory, builds, threads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from placing import placed

import convkit as ck
from convkit import _reference, shapes
from convkit.ops import winograd
from convkit.ops.problem import Problem

# of the largest |x|⊛|w|
BOUND = {np.dtype(np.float32): 2e-6, np.dtype(np.float64): 1e-14}
BORDERS = ("constant", "edge", "reflect", "symmetric", "wrap")
SCHEMES = [(2, 1), (4, 1), (4, 2)]  # m, stride


def normal(*shape, dtype=np.float32, seed=0):
    return np.random.default_rng((seed, *shape)).standard_normal(shape).astype(dtype)


def run(x, weight, bias=None, padding=1, dilation=1, groups=1, border="constant", cval=0.0, **options):
    """The class as `Conv2dPlan` calls it; `options`: m, stride, threads, y."""
    axes = tuple(shapes.conv_axes(x.shape[2:], (3, 3), options.get("stride", 1), padding, dilation))
    weight_gockk = weight.reshape(groups, len(weight) // groups, *weight.shape[1:])
    conv = winograd.WinogradConv(weight_gockk, bias, axes, border, cval, options.get("m"))
    y = options.get("y")
    if y is None:
        y = np.full((len(x), len(weight), axes[0].output, axes[1].output), np.nan, x.dtype)
    conv.run(x, y, options.get("threads", 1))
    return y


def check(y, x, weight, bias=None, padding=1, dilation=1, groups=1, border="constant", cval=0.0, stride=1):
    """Hold `y` to the documented bound."""
    shapes_ = {"padding": sides(padding), "dilation": (dilation,) * 2, "groups": groups, "border": border}
    shapes_["stride"] = (stride,) * 2
    arrays = [None if a is None else a.astype(np.float64) for a in (x, weight, bias)]
    exact = _reference.conv2d(*arrays, cval=cval, **shapes_)
    sizes = [None if a is None else abs(a) for a in arrays]
    largest = _reference.conv2d(*sizes, cval=abs(cval), **shapes_).max()
    assert y.dtype == x.dtype
    assert y.shape == exact.shape
    assert abs(y - exact).max() <= BOUND[x.dtype] * largest


def sides(padding):
    return (padding,) * 4 if isinstance(padding, int) else padding


# ---- what it computes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("m", "stride"), SCHEMES)
def test_every_size(isa, threads, m, stride, dtype):
    """Widths and heights 1 to 40: one lane, few tiles left over, tiles that reach over the edge."""
    weight, bias = normal(5, 3, 3, 3, dtype=dtype), normal(5, dtype=dtype)
    for size in range(1, 41):
        for height, width in ((size, 41 - size), (41 - size, 40), (1, size), (size, 1)):
            x = normal(1, 3, height, width, dtype=dtype)
            y = run(x, weight, bias, m=m, stride=stride, threads=threads)
            check(y, x, weight, bias, stride=stride)


@settings(max_examples=60)
@given(data=st.data())
def test_anything(isa, threads, data):
    """Borders, paddings, dilations, groups, batches and channel counts, drawn at random."""
    pick = data.draw
    (m, stride), groups = pick(st.sampled_from(SCHEMES)), pick(st.integers(1, 3))
    dilation = pick(st.integers(1, 3)) if stride == 1 else 1
    scheme = {"m": m, "stride": stride}
    dtype = pick(st.sampled_from((np.float32, np.float64)))
    border = pick(st.sampled_from(BORDERS))
    cval = pick(st.sampled_from((0.0, 1.5))) if border == "constant" else 0.0
    least = 2 * dilation + 1
    padding = tuple(pick(st.integers(0, 4)) for _ in range(4))
    height = pick(st.integers(max(1, least - sum(padding[:2])), 24 * stride))
    width = pick(st.integers(max(1, least - sum(padding[2:])), 40 * stride))
    channels, outputs = pick(st.integers(1, 10)), pick(st.integers(1, 70))
    x = normal(pick(st.integers(1, 3)), groups * channels, height, width, dtype=dtype)
    weight = normal(groups * outputs, channels, 3, 3, dtype=dtype)
    bias = normal(groups * outputs, dtype=dtype)
    case = (weight, bias, padding, dilation, groups, border, cval)
    y = run(x, *case, **scheme, threads=threads)
    check(y, x, *case, stride)
    np.testing.assert_array_equal(run(x, *case, **scheme), y)
    for image in range(len(x)):
        np.testing.assert_array_equal(run(x[image : image + 1], *case, **scheme)[0], y[image])


@pytest.mark.parametrize(("m", "stride"), SCHEMES)
@pytest.mark.parametrize("tiles", [17, 18, 20, 33, 49])
def test_few_tiles_left_over(isa, m, stride, tiles):
    """Their lanes are channels: every count of channels and outputs gives the bits of a vector of tiles."""
    for channels, outputs in ((1, 1), (5, 17), (16, 8), (37, 30)):
        x, weight = normal(1, channels, m * stride, m * stride * tiles), normal(outputs, channels, 3, 3)
        bias, both = normal(outputs), {"m": m, "stride": stride}
        y = run(x, weight, bias, **both)
        check(y, x, weight, bias, stride=stride)
        for threads in (2, 3, 7):
            np.testing.assert_array_equal(run(x, weight, bias, **both, threads=threads), y)
        batch = np.concatenate([x[..., ::-1], x, x])
        np.testing.assert_array_equal(run(batch, weight, bias, **both)[1:], np.concatenate([y, y]))


@settings(max_examples=60)
@given(data=st.data())
def test_pixels_read_in_pieces_or_gathered(isa, data):
    """Columns side by side are read where they lie, others are copied first: the same bits."""
    pick = data.draw
    (m, stride), padding = pick(st.sampled_from(SCHEMES)), tuple(pick(st.integers(0, 4)) for _ in range(4))
    height, width = pick(st.integers(3, 30 * stride)), pick(st.integers(3, 40 * stride))
    x, weight = normal(pick(st.integers(1, 3)), 3, height, width), normal(5, 3, 3, 3)
    apart = np.full((*x.shape, 2), np.nan, np.float32)
    apart[..., 0] = x
    case = {"padding": padding, "m": m, "stride": stride}
    np.testing.assert_array_equal(run(apart[..., 0], weight, **case), run(x, weight, **case))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("channels", [191, 256, 400, 2300])
def test_many_channels(isa, channels, stride):
    """Sums in several blocks, and, from about 2275 channels on, input transformed in several slabs."""
    x, weight = normal(1, channels, 9 * stride, 17 * stride), normal(70, channels, 3, 3)
    y = run(x, weight, m=4, stride=stride)
    check(y, x, weight, stride=stride)
    np.testing.assert_array_equal(run(x, weight, m=4, stride=stride, threads=3), y)


@pytest.mark.parametrize("layout", ["hwc", "flipped", "slices", "fortran"])
@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (1, 2), (2, 1)])
def test_strides(isa, threads, layout, stride, dilation):
    """Input and output lie anywhere in memory, and nothing is written between the output's pixels."""
    x, weight = normal(2, 4, 19 * stride, 70 * stride), normal(9, 4, 3, 3)
    case = {"padding": dilation, "dilation": dilation, "stride": stride}
    y = placed(np.full((2, 9, 19, 70), np.nan, np.float32), layout)
    run(placed(x, layout), weight, **case, threads=threads, y=y)
    check(y, x, weight, **case)
    np.testing.assert_array_equal(y, run(x, weight, **case))
    if layout == "slices":
        assert (y.base[1::2] == 7).all()
        assert (y.base[:, :, :, 1::2] == 7).all()


@pytest.mark.parametrize("offset", [0, 1, 5])
def test_large_outputs(isa, threads, offset):
    """Outputs that are written past the caches: whole lines, and what is left of lines that others share."""
    x, weight = normal(1, 2, 300, 304), normal(13, 2, 3, 3)
    room = np.full((1, 13, 300, 304 + 3 * offset), 7, np.float32)
    y = room[..., offset : offset + 304]
    run(x, weight, threads=threads, y=y)
    check(y, x, weight)
    assert (room[..., :offset] == 7).all()
    assert (room[..., offset + 304 :] == 7).all()


@pytest.mark.parametrize("kind", ["normal", "image", "constant"])
@pytest.mark.parametrize(("m", "stride"), SCHEMES)
@pytest.mark.parametrize(("channels", "size"), [(1, 64), (3, 64), (64, 28), (256, 14), (512, 7)])
def test_error(isa, kind, channels, size, m, stride):
    """The bound in use: numbers around 0, an image of 0..255, a constant one under kernels that sum to 0."""
    weight = normal(32, channels, 3, 3, seed=1)
    x = normal(1, channels, size, size)
    if kind == "image":
        x = np.random.default_rng(0).integers(0, 256, x.shape).astype(np.float32)
    elif kind == "constant":
        x[:] = 200
        weight -= weight.mean((1, 2, 3), keepdims=True)
    check(run(x, weight, m=m, stride=stride), x, weight, stride=stride)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("channels", [1, 64, 500, 1000, 2000, 5000])
def test_scratch(isa, channels, dtype):
    """At most 8 MB for each thread, however many channels, tiles and tiles left over."""
    for columns in (4, 60, 64, 68, 1000):
        for m, stride in SCHEMES:
            axes = shapes.conv_axes((4, columns), (3, 3), stride, 1, 1)
            problem = Problem(1, 1, 3, channels, *axes, np.dtype(dtype).itemsize)
            assert winograd.workspace(problem, 2, m) <= 8e6


def test_error_of_numbers_of_very_different_size(isa):
    """No theorem holds 2e-6 here: the products cancel numbers that the output does not have."""
    rng = np.random.default_rng(0)
    for _ in range(30):
        x, weight = (
            rng.standard_cauchy(shape).astype(np.float32) for shape in ((1, 2, 12, 12), (8, 2, 3, 3))
        )
        arrays = x.astype(float), weight.astype(float)
        exact = _reference.conv2d(*arrays, padding=(1,) * 4)
        largest = _reference.conv2d(*map(abs, arrays), padding=(1,) * 4).max()
        assert abs(run(x, weight, m=4) - exact).max() <= 10 * BOUND[x.dtype] * largest


# ---- what stays where ----------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_stays_in_its_tiles(isa, value):
    """It reaches the outputs of the tiles that read it, and no others."""
    x, weight = normal(2, 3, 33, 90), normal(4, 3, 3, 3)
    clean = run(x, weight, m=4)
    x[1, 2, 16, 40] = value
    y = run(x, weight, m=4)
    touched = np.zeros(y.shape, bool)
    touched[1, :, 12:20, 40:44] = True  # rows 15..17 and columns 39..41, rounded out to tiles
    touched[1, :, 12:20, 36:40] = True
    np.testing.assert_array_equal(y[~touched], clean[~touched])
    assert not np.isfinite(y[1, :, 15:18, 39:42]).any()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_stays_in_its_tiles_with_stride(isa, value):
    x, weight = normal(2, 3, 66, 180), normal(4, 3, 3, 3)
    clean = run(x, weight, m=4, stride=2)
    x[1, 2, 31, 80] = value
    y = run(x, weight, m=4, stride=2)
    touched = np.zeros(y.shape, bool)
    touched[1, :, 12:20, 40:44] = True  # rows 15 and 16, and column 40, rounded out to tiles
    np.testing.assert_array_equal(y[~touched], clean[~touched])
    assert not np.isfinite(y[1, :, 15:17, 40]).any()


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("border", BORDERS)
def test_nothing_behind_the_padding_is_read(isa, border, stride):
    """Tiles reach further than the padded image: neither `cval` nor a pixel repeated there counts."""
    x, weight = normal(1, 2, 5 * stride + 2, 5 * stride + 2), normal(4, 2, 3, 3)
    case = {"padding": 0, "stride": stride}
    check(run(x, weight, **case, border="constant", cval=1e30, m=4), x, weight, **case)
    clean = run(x, weight, **case, border=border, m=4)
    x[..., 0, :] = x[..., 0] = np.nan
    np.testing.assert_array_equal(run(x, weight, **case, border=border, m=4)[..., 4, 4], clean[..., 4, 4])


# ---- who takes it --------------------------------------------------------------------------------------

X, WEIGHT = normal(1, 16, 20, 20), normal(16, 16, 3, 3)


@pytest.mark.parametrize("stride", [1, 2])
def test_plan(isa, threads, stride):
    """A plan gives the bits of the eager call."""
    options = {"padding": 1, "stride": stride, "algorithm": "winograd"}
    plan = ck.conv2d_plan(WEIGHT, input_shape=X.shape, **options)
    assert plan.algorithm == "winograd"
    y = plan(X, num_threads=threads)
    check(y, X, WEIGHT, stride=stride)
    np.testing.assert_array_equal(ck.conv2d(X, WEIGHT, **options), y)
    np.testing.assert_array_equal(plan(X[:, ::-1][:, ::-1], num_threads=threads), y)


def test_exact_never_takes_it():
    """`precision="exact"` and the direct algorithms sum integers exactly; asking for both is refused."""
    x, weight = np.rint(100 * X), np.rint(100 * WEIGHT)
    exact = _reference.conv2d(x.astype(np.int64), weight.astype(np.int64))
    with ck.options(precision="exact"):
        assert ck.conv2d_plan(weight, input_shape=x.shape).algorithm != "winograd"
        np.testing.assert_array_equal(ck.conv2d(x, weight), exact)
        with pytest.raises(ValueError, match="precision='exact'"):
            ck.conv2d(x, weight, algorithm="winograd")
    for algorithm in ("direct", "gemm"):
        np.testing.assert_array_equal(ck.conv2d(x, weight, algorithm=algorithm), exact)


def test_auto():
    """Where it pays by far: float32, 3×3, stride 1 or 2, enough channels and pixels."""

    def chosen(x, weight, **options):
        return ck.conv2d_plan(weight, input_shape=x.shape, **options).algorithm

    x, weight = normal(1, 64, 40, 40), normal(64, 64, 3, 3)
    assert chosen(x, weight) == "winograd"
    assert chosen(x, weight, padding=2, dilation=2, padding_mode="reflect") == "winograd"
    assert chosen(normal(1, 64, 56, 56), normal(128, 64, 3, 3), stride=2, padding=1) == "winograd"
    assert chosen(normal(1, 256, 14, 14), normal(512, 256, 3, 3), stride=2, padding=1) != "winograd"
    assert chosen(x, weight, stride=(1, 2)) != "winograd"
    assert chosen(x, weight, stride=2, dilation=2) != "winograd"
    assert chosen(x, weight, stride=3) != "winograd"
    assert chosen(x, normal(16, 64, 5, 5)) != "winograd"
    assert chosen(x[..., :3, :3], weight) != "winograd"
    assert chosen(x, weight[:, :1], groups=64) != "winograd"
    assert chosen(x.astype(float), weight.astype(float)) != "winograd"


@pytest.mark.parametrize("options", [{"stride": 3}, {"stride": (1, 2)}, {"stride": 2, "dilation": 2}])
def test_refuses_what_it_cannot(options):
    with pytest.raises(ValueError, match=r"expected 3×3, and stride 1 .* or stride \(2, 2\) without"):
        ck.conv2d(X, WEIGHT, algorithm="winograd", **options)
    with pytest.raises(ValueError, match="5×3 kernel"):
        ck.conv2d(X, normal(4, 16, 5, 3), algorithm="winograd")


@pytest.mark.parametrize("dilation", [9, 1000, 10**9, 2**61])
def test_dilations_beyond_the_output_are_refused(dilation):
    """Each phase of the dilation would be a convolution of its own, most of them without a pixel."""
    x, weight = np.ones((8, 8, 8), np.float32), np.ones((8, 8, 3, 3), np.float32)
    with pytest.raises(ValueError, match=r"dilation .* at most the output's size .* algorithm='auto'"):
        ck.conv2d(x, weight, padding=dilation, dilation=dilation, algorithm="winograd")
    if dilation < 2**60:
        assert (ck.conv2d(x, weight, padding=dilation, dilation=dilation) == 8).all()

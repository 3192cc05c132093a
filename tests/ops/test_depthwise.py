"""Depthwise and grouped convolution: every size, border and stride, on every build and thread count."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import convkit as ck
from convkit import _reference
from convkit.ops.conv import PADDING_BORDERS

MODES = ["zeros", "constant", "reflect", "replicate", "circular"]


def gamma(n, dtype):
    unit = n * np.finfo(dtype).eps / 2
    return unit / (1 - unit)


def conv(x, weight, bias=None, **arguments):
    return ck.conv2d(x, weight, bias, algorithm="depthwise", **arguments)


def reference(x, weight, bias, *, stride=(1, 1), padding=(0, 0, 0, 0), dilation=(1, 1), groups=1, **border):
    mode, cval = border.get("padding_mode", "zeros"), border.get("cval", 0.0)
    return _reference.conv2d(x, weight, bias, stride, padding, dilation, groups, PADDING_BORDERS[mode], cval)


def assert_bounded(x, weight, bias, y, **arguments):
    """|y - exact| ≤ γₙ · (|x| ⊛ |w| + |bias|)."""
    wide = [np.asarray(array, np.float64) for array in (x, weight, bias)]
    exact = reference(*wide, **arguments)
    absolute = arguments | ({"cval": abs(arguments["cval"])} if "cval" in arguments else {})
    most = gamma(weight[0].size + 1, y.dtype) * reference(*map(np.abs, wide), **absolute)
    assert y.dtype == x.dtype
    assert (np.abs(y - exact) <= most).all()


@st.composite
def layers(draw):
    """Arrays of integers, and the arguments of their convolution."""
    groups, channels, outputs = draw(st.integers(1, 4)), draw(st.integers(1, 3)), draw(st.integers(1, 5))
    if draw(st.booleans()):
        channels = 1
    kernel = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    stride = draw(st.sampled_from([(1, 1), (1, 1), (2, 2), (2, 2), (1, 2), (2, 1), (3, 3), (4, 1)]))
    dilation = draw(st.sampled_from([(1, 1), (1, 1), (1, 1), (2, 2), (1, 3), (3, 1)]))
    padding = draw(st.tuples(*[st.integers(0, 6)] * 4))
    extents = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    least = [max(1, extents[0] - sum(padding[:2])), max(1, extents[1] - sum(padding[2:]))]
    height = least[0] + draw(st.integers(0, 30))
    width = least[1] + draw(st.integers(0, 40) | st.integers(100, 320))
    mode = draw(st.sampled_from(MODES))
    arguments = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    arguments["padding_mode"] = mode
    if mode == "constant":
        arguments["cval"] = float(draw(st.integers(-3, 3)))
    rng = np.random.default_rng(draw(st.integers(0, 9)))
    shapes = [(draw(st.integers(1, 2)), groups * channels, height, width)]
    shapes += [(groups * outputs, channels, *kernel), (groups * outputs,)]
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    return [rng.integers(-9, 10, shape).astype(dtype) for shape in shapes], arguments


@given(layer=layers())
def test_integers_are_exact(isa, threads, layer):
    arrays, arguments = layer
    expected = reference(*(array.astype(np.int64) for array in arrays), **arguments)
    np.testing.assert_array_equal(conv(*arrays, **arguments, num_threads=threads), expected)


@given(layer=layers())
def test_error_bound(isa, layer):
    (x, weight, bias), arguments = layer
    rng = np.random.default_rng(0)
    x, weight, bias = (rng.standard_normal(a.shape).astype(a.dtype) for a in (x, weight, bias))
    assert_bounded(x, weight, bias, conv(x, weight, bias, **arguments, num_threads=1), **arguments)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", range(1, 10))
def test_every_kernel(isa, kernel, stride):
    rng = np.random.default_rng(kernel)
    x = rng.standard_normal((2, 3, 21, 37)).astype(np.float32)
    weight = rng.standard_normal((6, 1, kernel, kernel)).astype(np.float32)
    bias = rng.standard_normal(6).astype(np.float32)
    arguments = {"stride": (stride, stride), "padding": (kernel // 2,) * 4, "groups": 3}
    assert_bounded(x, weight, bias, conv(x, weight, bias, **arguments), **arguments)


@given(data=st.data())
def test_the_input_read_where_it_lies_or_copied(isa, threads, data):
    """Columns that lie apart are copied first: the same bits. No NaN beside a view is seen."""
    pick = data.draw
    kernel, padding = pick(st.tuples(*[st.integers(1, 8)] * 2)), pick(st.tuples(*[st.integers(0, 9)] * 4))
    kernel, stride = pick(st.sampled_from([(kernel, 1), (kernel, 2), ((3, 3), 2), ((3, 3), 2)]))
    height, width = pick(st.integers(1, 40)), pick(st.integers(1, 80) | st.integers(400, 450))
    room = np.full((2, 5, height + 2, width + 40), np.nan, pick(st.sampled_from([np.float32, np.float64])))
    x, rng = room[:, 1:4, 1:-1, 20:-20], np.random.default_rng(kernel[0])
    x[...] = rng.standard_normal(x.shape)
    if height + sum(padding[:2]) < kernel[0] or width + sum(padding[2:]) < kernel[1]:
        return
    weight, bias = (rng.standard_normal(s).astype(x.dtype) for s in ((3, 1, *kernel), 3))
    arguments = {"padding": padding, "stride": stride, "groups": 3, "num_threads": threads}
    y = conv(x, weight, bias, **arguments)
    np.testing.assert_array_equal(conv(np.asfortranarray(x), weight, bias, **arguments), y)
    np.testing.assert_array_equal(conv(x.copy(), weight, bias, **arguments), y)
    apart = np.empty((*y.shape, 2), x.dtype)[..., 0]
    np.testing.assert_array_equal(conv(x, weight, bias, **arguments, out=apart), y)
    residual = rng.standard_normal(y.shape).astype(x.dtype)
    added = conv(x, weight, bias, **arguments, residual=residual)
    np.testing.assert_array_equal(conv(x, weight, bias, **arguments, residual=residual, out=residual), added)


@pytest.mark.parametrize("border", [{}, {"padding_mode": "constant", "cval": -2.0}])
@pytest.mark.parametrize("padding", [(0, 0, 0, 0), (1, 1, 1, 1), (0, 1, 0, 1), (2, 3, 4, 40)])
def test_every_width_by_twos(isa, padding, border):
    rng = np.random.default_rng(0)
    weight, bias = rng.integers(-9, 10, (2, 1, 3, 3)), rng.integers(-9, 10, 2)
    for width in [*range(3, 70), 111, 112, 113]:
        dtype = np.float64 if width % 3 == 0 else np.float32
        x = rng.integers(-9, 10, (1, 2, 3 + width % 17, width)).astype(dtype)
        arguments = {"stride": (2, 2), "padding": padding, "groups": 2, **border}
        expected = reference(x, weight, bias, **arguments)
        y = conv(x, weight.astype(dtype), bias.astype(dtype), **arguments, activation="relu")
        np.testing.assert_array_equal(y, np.maximum(expected, 0))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (1, 40)])
def test_padding_larger_than_the_image(isa, mode, size):
    rng = np.random.default_rng(0)
    x = rng.integers(-9, 10, (1, 2, *size)).astype(np.float32)
    weight = rng.integers(-9, 10, (2, 1, 3, 3)).astype(np.float32)
    arguments = {"padding": (7, 5, 40, 33), "groups": 2, "padding_mode": mode}
    y = conv(x, weight, **arguments)
    np.testing.assert_array_equal(y, reference(x, weight, None, **arguments))


@pytest.mark.parametrize("groups", [1, 4, 32])
@pytest.mark.parametrize("stride", [1, 2])
def test_threads_do_not_change_bits(isa, threads, groups, stride):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 32, 45, 150)).astype(np.float32)
    weight = rng.standard_normal((32, 32 // groups, 3, 3)).astype(np.float32)
    arguments = {"stride": stride, "padding": 1, "groups": groups}
    one = conv(x, weight, **arguments, num_threads=1)
    np.testing.assert_array_equal(one, conv(x, weight, **arguments, num_threads=threads))
    np.testing.assert_array_equal(one[1:2], conv(x[1:2], weight, **arguments, num_threads=threads))


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_strided_arrays(isa, threads, stride):
    rng = np.random.default_rng(0)
    whole = rng.standard_normal((2, 8, 60, 100)).astype(np.float32)
    weight = rng.standard_normal((8, 1, 5, 5)).astype(np.float32)
    arguments = {"stride": stride, "padding": 2, "groups": 4, "num_threads": threads}
    x = whole[:, ::2, ::-2, 3::3]
    expected = conv(np.ascontiguousarray(x), weight, **arguments)
    np.testing.assert_array_equal(conv(x, weight, **arguments), expected)
    np.testing.assert_array_equal(conv(np.asfortranarray(x), weight, **arguments), expected)
    room = np.full((*expected.shape[:3], 2 * expected.shape[3]), 7, np.float32)
    conv(x, weight, **arguments, out=room[:, ::-1, :, ::2])
    np.testing.assert_array_equal(room[:, ::-1, :, ::2], expected)
    assert (room[..., 1::2] == 7).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("outputs", [1, 3])
def test_nonfinite_values_stay_in_the_receptive_field(isa, value, stride, outputs):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, 3, 23, 39)).astype(np.float32)
    x[0, 1, 11, 16] = value
    weight = rng.standard_normal((3 * outputs, 1, 5, 3)).astype(np.float32)
    y = conv(x, weight, stride=stride, padding=(2, 1), groups=3)
    poison = (~np.isfinite(x)).astype(np.float32)
    reached = conv(poison, np.ones_like(weight), stride=stride, padding=(2, 1), groups=3)
    np.testing.assert_array_equal(np.isfinite(y), reached == 0)


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 9, 65])
@pytest.mark.parametrize("columns", [1, 2, 7, 15, 17, 127, 129, 300])
def test_nothing_else_is_written(isa, threads, rows, columns):
    x = np.ones((1, 2, rows, columns), np.float32)
    room = np.full((1, 2, rows + 2, columns + 40), 7, np.float32)
    y = room[:, :, 1:-1, 20:-20]
    conv(x, np.ones((2, 1, 3, 3), np.float32), padding=1, groups=2, out=y, num_threads=threads)
    assert (room != 7).sum() == y.size
    assert (y <= 9).all()


def test_choice():
    """Few channels a group take this path by themselves; what it cannot hold is refused by name."""

    def plan(shape, groups, **arguments):
        weight = np.ones(shape, np.float32)
        return ck.conv2d_plan(weight, input_shape=(1, shape[1] * groups, 64, 64), groups=groups, **arguments)

    assert plan((8, 1, 3, 3), 8).algorithm == "depthwise"
    assert plan((32, 1, 3, 3), 32, algorithm="direct").algorithm == "depthwise"
    assert plan((32, 4, 3, 3), 8, algorithm="gemm").algorithm == "gemm"
    assert plan((128, 32, 3, 3), 2, algorithm="direct").algorithm == "gemm"
    with pytest.raises(ValueError, match=r"64 channels a group.*pass algorithm='auto'"):
        plan((64, 64, 3, 3), 1, algorithm="depthwise")
    with pytest.raises(ValueError, match="dilated kernel of 1×65"):
        plan((1, 1, 1, 3), 1, dilation=(1, 32), padding="same", algorithm="depthwise")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("channels", "kernel", "stride", "dilation"),
    [
        (1, (7, 7), (3, 3), (4, 4)),
        (8, (7, 5), (3, 4), (4, 1)),
        (16, (7, 3), (2, 3), (3, 1)),
        (32, (3, 3), (2, 2), (4, 4)),
        (32, (1, 3), (2, 2), (4, 1)),
        (16, (3, 3), (4, 4), (2, 2)),
    ],
)
def test_strips_of_dilated_kernels_stay_small(isa, dtype, channels, kernel, stride, dilation):
    weight = np.ones((1, channels, *kernel), dtype)
    plan = ck.conv2d_plan(
        weight,
        input_shape=(1, channels, 200, 600),
        stride=stride,
        dilation=dilation,
        algorithm="depthwise",
        num_threads=1,
    )
    assert 0 < plan.workspace <= 8 << 20

"""Sizes against counting the windows one by one, and against PyTorch."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from convkit import shapes

SIZES = st.integers(1, 40)
KERNELS = st.integers(1, 6)
STRIDES = st.integers(1, 5)
PADS = st.integers(0, 6)


def count_windows(size, kernel, stride, before, after, dilation):
    """How many windows lie wholly within the padded input."""
    padded = size + before + after
    starts = range(0, padded, stride)
    return sum(all(start + tap * dilation < padded for tap in range(kernel)) for start in starts)


# ---- convolution ------------------------------------------------------------------------------------


@given(SIZES, KERNELS, STRIDES, PADS, st.integers(1, 4))
def test_output_counts_the_windows(size, kernel, stride, padding, dilation):
    expected = count_windows(size, kernel, stride, padding, padding, dilation)
    if expected == 0:
        with pytest.raises(ValueError, match="effective kernel"):
            shapes.conv2d_output(size, kernel, stride, padding, dilation)
    else:
        assert shapes.conv2d_output(size, kernel, stride, padding, dilation) == expected


@given(st.tuples(SIZES, SIZES), st.tuples(KERNELS, KERNELS), st.tuples(PADS, PADS, PADS, PADS))
def test_four_paddings_are_top_bottom_left_right(size, kernel, padding):
    top, bottom, left, right = padding
    expected = (
        count_windows(size[0], kernel[0], 2, top, bottom, 1),
        count_windows(size[1], kernel[1], 3, left, right, 1),
    )
    assume(min(expected) > 0)
    assert shapes.conv2d_output(size, kernel, (2, 3), padding) == expected


@given(SIZES, KERNELS, STRIDES, st.integers(1, 4))
def test_same_gives_a_window_per_stride(size, kernel, stride, dilation):
    before, after = shapes.same_padding(size, kernel, stride, dilation)
    assert 0 <= after - before <= 1
    assert shapes.conv2d_output(size, kernel, stride, "same", dilation) == -(-size // stride)
    assert count_windows(size, kernel, stride, before, after, dilation) == -(-size // stride)


@given(SIZES, KERNELS, STRIDES, PADS, st.integers(1, 4))
def test_strict_takes_what_the_stride_divides_and_names_the_nearest(size, kernel, stride, padding, dilation):
    extent = dilation * (kernel - 1) + 1
    assume(size + 2 * padding >= extent)
    arguments = (kernel, stride, padding, dilation)
    if (size + 2 * padding - extent) % stride == 0:
        assert shapes.conv2d_output(size, *arguments, strict=True) == shapes.conv2d_output(size, *arguments)
        return
    with pytest.raises(ValueError, match="nearest sizes that fit are") as caught:
        shapes.conv2d_output(size, *arguments, strict=True)
    for word in str(caught.value).rpartition(" are ")[2].split(" and "):
        assert shapes.conv2d_output(int(word), *arguments, strict=True) >= 1


@pytest.mark.parametrize(
    ("size", "kernel", "options", "expected"),
    [
        (32, 3, {"padding": 1}, 32),
        (32, 3, {"padding": 1, "stride": 2}, 16),
        (32, 5, {}, 28),
        (31, 3, {"padding": 1, "stride": 2, "strict": True}, 16),
        (224, 7, {"padding": 3, "stride": 2}, 112),
        (28, 3, {"padding": 1, "dilation": 2}, 26),
        ((64, 48), (5, 3), {"padding": (2, 1), "stride": 2}, (32, 24)),
        ((5, 6), 3, {"padding": "valid"}, (3, 4)),
        ((5, 6), 3, {"padding": "same"}, (5, 6)),
        (np.int64(8), np.uint8(3), {}, 6),
        (np.array([8, 9]), 3, {}, (6, 7)),
    ],
)
def test_known_sizes(size, kernel, options, expected):
    found = shapes.conv2d_output(size, kernel, **options)
    assert found == expected
    assert type(found) is type(expected)


def test_strict_refuses_32_and_names_31_and_33():
    with pytest.raises(ValueError, match=r"stride 2 does not divide 31 .* 31 and 33"):
        shapes.conv2d_output(32, 3, stride=2, padding=1, strict=True)


def test_an_empty_output_names_input_padding_and_effective_kernel():
    with pytest.raises(
        ValueError, match=r"height would be 0: input 4 .*\(0, 0\).*effective kernel 5 .*dilation 2"
    ):
        shapes.conv2d_output((4, 9), 3, dilation=2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 0}, "size is 0; expected at least 1"),
        ({"kernel": 0}, "kernel is 0"),
        ({"stride": 0}, "stride is 0"),
        ({"stride": -1}, "stride is -1"),
        ({"dilation": 0}, "dilation is 0"),
        ({"padding": -1}, "padding is -1"),
        ({"padding": "full"}, "padding is 'full'"),
        ({"padding": (1, 1)}, "one axis"),
        ({"kernel": (3, 3)}, r"pass size=\(9, 9\)"),
        ({"size": (9, 9, 9)}, "size"),
        ({"size": (9, 9), "padding": (1, 1, 1)}, "padding"),
        ({"size": (9, 9), "padding": (1, 1, 1, -1)}, r"padding\[3\] is -1"),
        ({"size": 2**63}, "2\\*\\*63"),
        ({"padding": 2**62}, "padded input"),
        ({"kernel": 2**40, "dilation": 2**40}, "effective kernel would be"),
    ],
)
def test_bad_numbers_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        shapes.conv2d_output(**{"size": 9, "kernel": 3, **change})


@pytest.mark.parametrize("change", [{"size": 9.0}, {"kernel": None}, {"stride": True}, {"padding": 0.5}])
def test_numbers_that_are_no_integers_are_refused(change):
    with pytest.raises(TypeError, match="expected an integer"):
        shapes.conv2d_output(**{"size": 9, "kernel": 3, **change})


# ---- transposed -------------------------------------------------------------------------------------


@given(SIZES, KERNELS, STRIDES, PADS, st.integers(1, 4))
def test_transposed_undoes_the_convolution(size, kernel, stride, padding, dilation):
    extent = dilation * (kernel - 1) + 1
    assume(size + 2 * padding >= extent)
    small = shapes.conv2d_output(size, kernel, stride, padding, dilation)
    extra = (size + 2 * padding - extent) % stride
    assume((small - 1) * stride + extent + extra > 2 * padding)
    assert shapes.conv_transpose2d_output(small, kernel, stride, padding, extra, dilation) == size


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"padding": 5}, "the output would be .*at most 2"),
        ({"output_padding": 2}, "output_padding is 2; expected less than"),
        ({"output_padding": -1}, "output_padding is -1"),
        ({"size": 2**62, "stride": 8}, "64 bits"),
        ({"kernel": 0}, "kernel is 0"),
    ],
)
def test_bad_transposed_numbers_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        shapes.conv_transpose2d_output(**{"size": 3, "kernel": 2, "stride": 2, **change})


def test_transposed_pairs():
    assert shapes.conv_transpose2d_output((4, 5), (3, 2), 2, (1, 0)) == (7, 10)


def test_same_padding_of_pairs():
    assert shapes.same_padding((5, 6), (3, 4), (1, 2)) == ((1, 1), (1, 1))
    assert shapes.same_padding(6, 3, 2) == (0, 1)


# ---- receptive field --------------------------------------------------------------------------------

LAYERS = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 3)), max_size=4)


@given(LAYERS)
def test_receptive_field_traces_back_to_the_input(layers):
    """Walk back from outputs 0 and 1 to the inputs that they touch."""
    field = shapes.receptive_field(layers)
    for output in (0, 1):
        touched = {output}
        for kernel, stride, dilation in reversed(layers):
            touched = {place * stride + tap * dilation for place in touched for tap in range(kernel)}
        assert min(touched) == field.start + output * field.jump
        assert max(touched) - min(touched) + 1 == field.size


def test_receptive_field_of_a_known_stem():
    stem = [{"kernel": 7, "stride": 2, "padding": 3}, {"kernel": 3, "stride": 2, "padding": 1}]
    field = shapes.receptive_field(stem)
    assert field == (11, 4, -5)
    assert field.centre == 0.0


@pytest.mark.parametrize(
    ("layer", "error", "message"),
    [
        ((0, 1), ValueError, r"layers\[0\] kernel is 0"),
        ((3, 0), ValueError, "stride is 0"),
        ((3, 1, 1, 1, 1), ValueError, "expected"),
        ({"stride": 2}, ValueError, "without a kernel"),
        ({"kernel": 3, "groups": 2}, ValueError, "'groups'"),
        (3, TypeError, "expected a tuple"),
        ((2**62, 1, 4), ValueError, "64 bits"),
    ],
)
def test_bad_layers_are_refused(layer, error, message):
    with pytest.raises(error, match=message):
        shapes.receptive_field([layer])


# ---- PyTorch ----------------------------------------------------------------------------------------


@pytest.mark.peers
@given(
    st.integers(1, 12), st.integers(1, 4), st.integers(1, 3), st.integers(0, 3), st.integers(1, 3), st.data()
)
def test_sizes_are_pytorchs(size, kernel, stride, padding, dilation, data):
    torch = pytest.importorskip("torch")
    x, w = torch.zeros(1, 1, size, size), torch.zeros(1, 1, kernel, kernel)
    extra = data.draw(st.integers(0, max(stride, dilation) - 1))
    calls = [
        (
            lambda: torch.nn.functional.conv2d(x, w, None, stride, padding, dilation),
            lambda: shapes.conv2d_output(size, kernel, stride, padding, dilation),
        ),
        (
            lambda: torch.nn.functional.conv_transpose2d(x, w, None, stride, padding, extra, 1, dilation),
            lambda: shapes.conv_transpose2d_output(size, kernel, stride, padding, extra, dilation),
        ),
    ]
    for theirs, ours in calls:
        try:
            expected = theirs().shape[-1]
        except RuntimeError:
            expected = 0
        if expected > 0:
            assert ours() == expected
        else:
            with pytest.raises(ValueError, match="would be"):
                ours()

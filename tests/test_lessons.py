"""The steps that beginners' lessons on `Conv2d` walk through, on NumPy arrays.

Each step is done with convkit and gives the shapes that the lesson prints; where a lesson's number or claim
is wrong, the right one stands here with the reason. What a step computes is checked against the definition
as well, since a right shape alone proves little.
"""

import numpy as np
import pytest

import convkit as ck
from convkit import _reference

rng = np.random.default_rng(7)


def normal(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def by_definition(x, w, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """The sum that defines the layer, in float64."""
    (sy, sx), (py, px), (dy, dx) = (np.broadcast_to(v, 2) for v in (stride, padding, dilation))
    x, w = x.astype(np.float64), w.astype(np.float64)
    return _reference.conv2d(x, w, bias, (sy, sx), (py, py, px, px), (dy, dx), groups)


def check(x, w, bias=None, *, shape, **options):
    """Convolve; the shape and the values are right, and the arithmetic foretells the shape."""
    y = ck.conv2d(x, w, bias, **options)
    sizes = {name: value for name, value in options.items() if name != "groups"}
    assert y.shape == shape
    assert (len(x), len(w), *ck.shapes.conv2d_output(x.shape[2:], w.shape[2:], **sizes)) == shape
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, by_definition(x, w, bias, **options), rtol=0, atol=2e-4)
    return y


# ---- the layer: parameters and formula --------------------------------------------------------------


def test_three_channels_to_sixty_four():
    check(normal(1, 3, 20, 30), normal(64, 3, 3, 3), normal(64), padding=1, shape=(1, 64, 20, 30))


def test_pairs_for_kernel_and_stride():
    check(normal(2, 3, 9, 11), normal(4, 3, 3, 5), stride=(2, 2), padding=(1, 2), shape=(2, 4, 5, 6))


def test_each_output_map_is_bias_plus_a_sum_of_correlations_over_channels():
    x, w, bias = normal(1, 3, 8, 8), normal(2, 3, 3, 3), normal(2)
    single = [[ck.conv2d(x[:, k : k + 1], w[j : j + 1, k : k + 1])[0, 0] for k in range(3)] for j in range(2)]
    expected = np.sum(single, axis=1) + bias[:, None, None]
    np.testing.assert_allclose(ck.conv2d(x, w, bias)[0], expected, atol=1e-5)


def test_the_kernel_is_not_flipped():
    x = np.arange(16, dtype=np.float32).reshape(1, 4, 4)
    tap = np.zeros((1, 1, 3, 3), np.float32)
    tap[0, 0, 0, 2] = 1  # the upper right tap takes the upper right pixel: cross-correlation
    assert ck.conv2d(x, tap)[0].tolist() == [[2, 3], [6, 7]]


# ---- intuition: local windows, shared weights -------------------------------------------------------


def test_a_raw_photo_has_150528_values():
    assert np.prod(ck.to_bchw(np.zeros((224, 224, 3), np.uint8)).shape) == 150_528


def test_local_connectivity():
    """A changed pixel changes the outputs whose window holds it, and no other."""
    x, w = normal(1, 1, 9, 9), normal(1, 1, 3, 3)
    nudged = x.copy()
    nudged[0, 0, 4, 4] += 1
    with ck.options(precision="exact"):
        changed = ck.conv2d(x, w)[0, 0] != ck.conv2d(nudged, w)[0, 0]
    rows, columns = np.nonzero(changed)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (2, 4, 2, 4)


def test_weight_sharing():
    """The same pattern gives the same answer wherever it lies, to the bit."""
    x, w = np.zeros((1, 1, 12, 12), np.float32), normal(1, 1, 3, 3)
    x[0, 0, 1:4, 1:4] = x[0, 0, 7:10, 6:9] = normal(3, 3)
    with ck.options(precision="exact"):
        y = ck.conv2d(x, w)[0, 0]
    assert y[1, 1] == y[7, 6]


def test_a_matching_patch_scores_highest():
    stamp = np.where(rng.random((3, 3)) < 0.5, -1, 1).astype(np.float32)
    x = np.zeros((1, 10, 10), np.float32)
    x[0, 5:8, 2:5] = stamp
    score = ck.conv2d(x, stamp[None, None])[0]
    assert np.unravel_index(score.argmax(), score.shape) == (5, 2)
    assert score.max() == 9


# ---- output size ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("stride", "expected"), [(1, 32), (2, 16)])
def test_output_size_examples(stride, expected):
    assert ck.shapes.conv2d_output(32, kernel=3, padding=1, stride=stride) == expected


def test_the_formula_needs_a_floor():
    """Without it, the lesson's own example I=32, K=3, P=1, S=2 is (32 − 3 + 2) / 2 + 1 = 16.5 and not 16."""
    assert (32 - 3 + 2 * 1) / 2 + 1 == 16.5
    assert ck.conv2d(normal(1, 1, 32, 32), normal(1, 1, 3, 3), stride=2, padding=1).shape == (1, 1, 16, 16)


def test_pre_checked_output_size():
    """31 passes the check for a whole number; 32 does not, though a layer takes it."""
    assert ck.shapes.conv2d_output(31, kernel=3, padding=1, stride=2, strict=True) == 16
    with pytest.raises(ValueError, match=r"does not divide 31 .*31 and 33"):
        ck.shapes.conv2d_output(32, kernel=3, padding=1, stride=2, strict=True)


def test_minimal_layer():
    x = normal(1, 3, 224, 224)
    y = ck.conv2d(x, normal(64, 3, 3, 3), normal(64), padding=1)
    assert (x.shape, y.shape) == ((1, 3, 224, 224), (1, 64, 224, 224))


def test_shape_tracing():
    x, w = normal(2, 3, 32, 32), normal(16, 3, 3, 3)
    assert (x.shape, w.shape) == ((2, 3, 32, 32), (16, 3, 3, 3))
    check(x, w, normal(16), stride=2, padding=1, shape=(2, 16, 16, 16))


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "size"), [(3, 1, 1, 32), (3, 2, 1, 16), (5, 1, 0, 28)]
)
def test_stride_and_padding_felt_directly(kernel, stride, padding, size):
    w = normal(8, 3, kernel, kernel)
    check(normal(1, 3, 32, 32), w, normal(8), stride=stride, padding=padding, shape=(1, 8, size, size))


def test_two_layers_computed_by_hand_first():
    by_hand = ck.shapes.conv2d_output((64, 64), 3, stride=2, padding=1)
    by_hand = ck.shapes.conv2d_output(by_hand, 5, stride=2, padding=2)
    x = ck.conv2d(normal(1, 3, 64, 64), normal(8, 3, 3, 3), stride=2, padding=1)
    y = ck.conv2d(x, normal(16, 8, 5, 5), stride=2, padding=2)
    assert y.shape == (1, 16, *by_hand) == (1, 16, 16, 16)


def test_a_collapse_is_caught_before_it_runs():
    with pytest.raises(ValueError, match="effective kernel 5"):
        ck.shapes.conv2d_output(4, kernel=5)
    with pytest.raises(ValueError, match="effective kernel 5"):
        ck.conv2d(normal(1, 1, 4, 4), normal(1, 1, 5, 5))


# ---- layouts ----------------------------------------------------------------------------------------


def test_hwc_to_chw_to_bchw():
    hwc = normal(224, 224, 3)
    chw = ck.to_chw(hwc)
    assert (chw.shape, chw.flags.c_contiguous) == ((3, 224, 224), True)
    np.testing.assert_array_equal(ck.to_bchw(hwc), chw[None], strict=True)
    assert ck.to_bchw(hwc).shape == (1, 3, 224, 224)
    assert ck.conv2d(ck.to_bchw(hwc), normal(2, 3, 3, 3)).shape == (1, 2, 222, 222)


def test_a_photo_fed_as_hwc_is_told_so():
    with pytest.raises(ValueError, match=r"looks like HWC.*ck\.to_bchw"):
        ck.conv2d(normal(224, 224, 3), normal(64, 3, 3, 3))


def test_gray_fed_to_three_channels_names_both_numbers():
    with pytest.raises(ValueError, match="1 channels; the weight expects 3"):
        ck.conv2d(normal(1, 1, 32, 32), normal(8, 3, 3, 3))


# ---- groups and depthwise ---------------------------------------------------------------------------


def test_depthwise():
    x, w = normal(1, 8, 32, 32), normal(8, 1, 3, 3)
    check(x, w, normal(8), padding=1, groups=8, shape=(1, 8, 32, 32))


def test_groups_that_do_not_divide_the_channels():
    with pytest.raises(ValueError, match="groups"):
        ck.conv2d(normal(1, 8, 32, 32), normal(8, 2, 3, 3), padding=1, groups=3)


def test_depthwise_separable():
    depthwise = check(normal(1, 3, 5, 5), normal(3, 1, 3, 3), normal(3), groups=3, shape=(1, 3, 3, 3))
    check(depthwise, normal(1, 3, 1, 1), normal(1), shape=(1, 1, 3, 3))


def test_separable_needs_fewer_weights():
    full, depthwise, pointwise = (64, 32, 3, 3), (32, 1, 3, 3), (64, 32, 1, 1)
    assert np.prod(full) == 18_432
    assert np.prod(depthwise) + np.prod(pointwise) == 2_336


# ---- how the layer operates -------------------------------------------------------------------------


def test_one_pixel_two_filters():
    x, w, bias = normal(1, 1, 1, 1), normal(2, 1, 1, 1), normal(2)
    y = check(x, w, bias, shape=(1, 2, 1, 1))
    np.testing.assert_allclose(y[0, :, 0, 0], x.item() * w[:, 0, 0, 0] + bias, rtol=1e-6)


def test_stride_two_on_three_pixels():
    check(normal(1, 1, 3, 3), normal(1, 1, 2, 2), normal(1), stride=2, shape=(1, 1, 1, 1))


def test_padding_one_with_an_even_kernel_grows():
    """4×4, not the 3×3 that the lesson claims to keep: a 2×2 kernel with one pixel on both sides adds one.

    Only an uneven padding keeps the size of an even kernel; "same" puts the odd pixel at the end.
    """
    check(normal(1, 1, 3, 3), normal(1, 1, 2, 2), normal(1), padding=1, shape=(1, 1, 4, 4))
    assert ck.shapes.same_padding(3, kernel=2) == (0, 1)
    assert ck.conv2d(normal(1, 1, 3, 3), normal(1, 1, 2, 2), padding="same").shape == (1, 1, 3, 3)


# ---- how a filter is applied ------------------------------------------------------------------------


def test_one_channel_to_sixteen():
    check(normal(1, 1, 28, 28), normal(16, 1, 3, 3), normal(16), padding=1, shape=(1, 16, 28, 28))


def test_several_channels_and_a_stride():
    """(64 − 5 + 4) / 2 + 1 is 32.5, its floor 32: the last row and column of padding stay unseen."""
    w = normal(32, 3, 5, 5)
    check(normal(1, 3, 64, 64), w, normal(32), stride=2, padding=2, shape=(1, 32, 32, 32))
    with pytest.raises(ValueError, match="the last 1 would be left out"):
        ck.shapes.conv2d_output(64, 5, stride=2, padding=2, strict=True)


def test_dilation_needs_its_own_padding():
    """26×26, not the 28×28 that the lesson prints: dilation does change the size.

    At dilation 2 a 3×3 kernel spans 5 pixels and takes 4 away; padding 1 gives 2 back, padding 2 all.
    """
    x, w = normal(1, 1, 28, 28), normal(8, 1, 3, 3)
    check(x, w, normal(8), padding=1, dilation=2, shape=(1, 8, 26, 26))
    check(x, w, normal(8), padding=2, dilation=2, shape=(1, 8, 28, 28))


# ---- the functional form ----------------------------------------------------------------------------


def test_functional_image_classification():
    y = ck.conv2d(normal(1, 3, 224, 224), normal(64, 3, 3, 3), normal(64), stride=1, padding=1)
    assert y.shape == (1, 64, 224, 224)


def test_functional_strided_downsampling():
    """(112 + 2 − 2 − 1) / 2 + 1 is 56.5, and its floor the 56 that the lesson prints."""
    y = ck.conv2d(normal(4, 64, 112, 112), normal(128, 64, 3, 3), None, stride=2, padding=1)
    assert y.shape == (4, 128, 56, 56)


def test_functional_dilation_sees_five_pixels_and_keeps_the_size():
    y = ck.conv2d(normal(1, 128, 32, 32), normal(128, 128, 3, 3), padding=2, dilation=2)
    assert y.shape == (1, 128, 32, 32)
    assert ck.shapes.receptive_field([(3, 1, 2)]).size == 5


def test_functional_depthwise_then_pointwise():
    x = normal(32, 64, 28, 28)
    depthwise = ck.conv2d(x, normal(64, 1, 3, 3), padding=1, groups=64)
    assert depthwise.shape == (32, 64, 28, 28)
    assert ck.conv2d(depthwise, normal(128, 64, 1, 1)).shape == (32, 128, 28, 28)


def test_functional_with_every_argument():
    y = ck.conv2d(
        normal(8, 128, 16, 16),
        normal(256, 128, 3, 3),
        stride=[2, 2],
        padding=[1, 1],
        dilation=[1, 1],
        groups=1,
    )
    assert y.shape == (8, 256, 8, 8)


def test_arguments_in_their_order():
    x, w, bias = normal(1, 4, 9, 9), normal(6, 2, 3, 3), normal(6)
    y = ck.conv2d(x, w, bias, 2, 1, 1, 2)
    np.testing.assert_array_equal(y, ck.conv2d(x, w, bias, stride=2, padding=1, dilation=1, groups=2))


@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
def test_half_the_kernel_keeps_the_size(kernel):
    assert ck.shapes.conv2d_output(30, kernel, padding=(kernel - 1) // 2) == 30


def test_half_the_kernel_does_not_keep_the_size_of_an_even_one():
    """The rule padding = (K − 1) // 2 holds for odd kernels only: 4 taps shrink 30 to 29."""
    assert ck.shapes.conv2d_output(30, 4, padding=(4 - 1) // 2) == 29


def test_stacking_adds_to_the_receptive_field():
    """At stride 1 it grows by K − 1 a layer, not by a factor as the lesson says; only strides multiply."""
    assert [ck.shapes.receptive_field([(3, 1)] * depth).size for depth in (1, 2, 3)] == [3, 5, 7]
    assert [ck.shapes.receptive_field([(3, 2)] * depth).size for depth in (1, 2, 3)] == [3, 7, 15]


def test_transposed_undoes_the_downsampling():
    small = ck.conv2d(normal(1, 3, 32, 32), normal(8, 3, 3, 3), stride=2, padding=1)
    large = ck.conv_transpose2d(small, normal(8, 3, 3, 3), stride=2, padding=1, output_padding=1)
    assert large.shape == (1, 3, *ck.shapes.conv_transpose2d_output((16, 16), 3, 2, 1, 1)) == (1, 3, 32, 32)

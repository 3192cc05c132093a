"""Symptom → likely cause: what a refusal is put down to is what is wrong, and the mending line mends it."""

import numpy as np
import pytest

import convkit as ck
from convkit import nn
from convkit.nn import LayerError


def z(*shape, dtype=np.float32):
    return np.zeros(shape, dtype)


conv = nn.Conv2d(3, 4, 3, padding=1)
REFUSED = [
    (nn.ConvTranspose2d(3, 4, 3, padding=9), z(1, 3, 8, 8), "takes pixels off, here all", "padding=4) or"),
    (conv, z(1, 4, 8, 8), "an image with alpha", "x[..., :3, :, :]"),
    (conv, z(8, 8, 4), "channels last, and alpha", "ck.to_bchw(image[..., :3])"),
    (conv, z(1, 5, 8, 8), "the input has 5 channels", "nn.Conv2d(5, 4, ...)"),
    (nn.Conv1d(3, 4, 3), z(1, 1, 8), "the input has 1 channels", "nn.Conv1d(1, 4, ...)"),
    (nn.Conv1d(3, 4, 3), z(1, 3, 2), "the input, (2,), is smaller than the kernel", "a larger input"),
    (nn.Conv1d(3, 4, 3), z(1, 3, 8, 8), "maps, for Conv1d", "nn.Conv2d"),
    (conv, z(2, 5, 3, 8, 8), "5 axes, as videos have", "x.reshape(-1, *x.shape[-3:])"),
    (nn.MaxPool2d(2), z(2, 5, 3, 8, 8), "5 axes, as videos have", "x.reshape(-1, *x.shape[-3:])"),
    (nn.Conv2d(1, 4, 3), z(8, 8), "one map, without channels", "x[None, None]"),
    (nn.Sequential(nn.Flatten(), conv), z(1, 3, 8, 8), "numbers and no maps", "nn.Unflatten"),
    (nn.MaxPool2d(4), z(1, 3, 2, 2), "(2, 2), is smaller than the kernel", "MaxPool2d(..., kernel_size=2)"),
    (nn.Sequential(conv, nn.Flatten(), nn.Linear(256, 9)), z(3, 8, 8), "without a batch axis", "x[None]"),
    (nn.Sequential(conv, nn.Linear(256, 9)), z(3, 8, 8), "without a batch axis, and maps", "nn.Flatten()"),
    (nn.BatchNorm2d(4), z(4, 8, 8), "without a batch axis", "x[None]"),
    (nn.BatchNorm2d(3), z(1, 8, 9, 3), "channels last: an image is HWC", "ck.to_bchw(image)"),
    (nn.BatchNorm2d(3), z(8, 9, 3), "channels last: an image", "ck.to_bchw(image), which gives (1, 3, 8, 9)"),
    (nn.GroupNorm(1, 3), z(1, 8, 9, 3), "channels last: an image is HWC", "ck.to_bchw(image)"),
    (nn.BatchNorm2d(4), z(1, 4, 1, 1), "has no variance", "a larger batch"),
    (nn.GroupNorm(2, 4), z(1, 6, 8, 8), "made for 4 channels, not 6", "nn.GroupNorm(2, 6)"),
    (nn.GroupNorm(2, 4), z(4, 8, 8), "without a batch axis", "x[None]"),
    (nn.LayerNorm(4), z(1, 6, 8, 8), "made for last axes of (4,), and they are (8,)", "nn.LayerNorm((8,))"),
    (nn.LayerNorm(6), z(1, 6, 8, 8), "here channels are axis 1", "nn.GroupNorm(1, 6)"),
    (nn.PixelShuffle(2), z(1, 3, 8, 8), "do not make pixels of 2×2", "4 channels"),
    (nn.Upsample(scale_factor=2), z(3, 8, 8), "without a batch axis", "x[None]"),
    (nn.Conv2d(3, 4, 3), z(8, 8), "one map, without channels", "np.stack([x] * 3)[None], or nn.Conv2d(1"),
    (conv, z(8, 9, 3), "channels last: an image is HWC", "ck.to_bchw(image), which gives (1, 3, 8, 9)"),
    (nn.ConvTranspose2d(3, 4, 3), z(1, 5, 4, 4), "the input has 5 channels", "nn.ConvTranspose2d(5, 4"),
    (nn.Conv2d(32, 8, 3), z(1, 16, 32, 32), "the input has 16 channels", "nn.Conv2d(16, 8"),
    (nn.Conv2d(3, 8, 3, dilation=8), z(1, 3, 8, 8), "dilation 8 spans 17 pixels", "padding=8), which keeps"),
    (nn.Conv2d(3, 8, 3, dilation=8, padding=1), z(1, 3, 8, 9), "spans 17", "or dilation=4 or less"),
    (nn.Conv1d(3, 8, 3, dilation=8), z(1, 3, 8), "dilation 8 spans 17 pixels", "padding=8), which keeps"),
    (nn.MaxPool2d(3, dilation=8), z(1, 3, 9, 9), "dilation 8 spans 17 pixels", "dilation=4 or less"),
    (nn.Unflatten(1, (2, 3)), z(1, 7), "Unflatten does not take (1, 7)", "help(nn.Unflatten)"),
]  # fmt: skip


@pytest.mark.parametrize(("layer", "x", "cause", "mend"), REFUSED)
def test_a_refusal_is_put_down_to_what_is_wrong(layer, x, cause, mend):
    with pytest.raises(LayerError) as caught:
        layer(x)
    assert cause in caught.value.cause
    assert mend in caught.value.mend
    if not (isinstance(layer, nn.BatchNorm2d) and "variance" in cause):  # that is of training alone
        with pytest.raises(LayerError) as traced:
            nn.trace_shapes([layer], x.shape) if x.ndim > 3 else nn.trace.shape_after(layer, x.shape)
        assert traced.value.cause == caught.value.cause


def test_maps_of_a_layer_are_never_called_channels_last():
    for mid in (nn.Conv2d(32, 32, 3), nn.Conv2d(3, 4, 3)):  # 3, as wide as the maps
        with pytest.raises(LayerError) as caught:
            nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), mid)(
                z(1, 3, 32, 32 if mid.in_channels == 32 else 3)
            )
        assert "looks like" not in str(caught.value)
        assert f"nn.Conv2d(16, {mid.out_channels}" in caught.value.mend


PIXELS = [
    (z(8, 9, 3, dtype=np.uint8), 3),
    (z(2, 8, 9, 3, dtype=np.uint16), 3),
    (z(8, 9, 4, dtype=np.uint8), 3),
    (z(8, 9, dtype=np.uint8), 3),
    (z(8, 9, dtype=np.uint8), 1),
    (z(3, 8, 9, dtype=np.uint8), 3),
    (z(2, 3, 8, 9, dtype=np.uint16), 3),
    (z(8, 9, 3, dtype=np.int64) + 255, 3),
    (z(3, 8, 9, dtype=np.int64) - 1, 3),
]


@pytest.mark.parametrize(("pixels", "channels"), PIXELS)
def test_the_line_that_mends_pixels_mends_them(pixels, channels):
    layer = nn.Conv2d(channels, 4, 3)
    with pytest.raises(LayerError, match="pixels as they were read") as caught:
        layer(pixels)
    mended = eval(caught.value.mend, {"ck": ck, "np": np, "x": pixels, "image": pixels})
    assert layer(mended).shape[-3:] == (4, 6, 7)
    assert abs(mended).max() <= 1


DTYPES = [
    (nn.Conv2d(3, 4, 3), z(1, 3, 8, 8, dtype=np.float64)),
    (nn.Conv2d(3, 4, 3, dtype=np.float64), z(1, 3, 8, 8)),
    (nn.Conv2d(3, 4, 3), z(8, 8, 3, dtype=np.uint8)),
    (nn.Conv2d(3, 4, 3), z(1, 3, 8, 8, dtype=np.float16)),
    (nn.Conv2d(3, 4, 3), z(8, 8, 3)),
]


@pytest.mark.parametrize(("layer", "x"), DTYPES)
def test_one_mend_is_told_and_it_mends(layer, x):
    with pytest.raises(LayerError) as caught:
        layer(x)
    assert "pass " not in str(caught.value)
    layer(eval(caught.value.mend.partition(", which")[0], {"ck": ck, "np": np, "x": x, "image": x}))


SCORES = z(4, 10)
TARGETS = [
    (nn.CrossEntropyLoss(), [1, 2, 3, 10], "labels that count from 1, to 10", "target - 1"),
    (nn.NLLLoss(), [0, 2, 3, 12], "go up to 12, and 10 scores came", "13 outputs"),
    (nn.CrossEntropyLoss(), [0, -1, 3, 9], "-1 is no class", "ignore_index=-1"),
    (nn.CrossEntropyLoss(), [0, 2, 3], "4 predictions and 3 targets", "y[i]"),
    (nn.CrossEntropyLoss(), [0.0, 2, 3, 1], "labels came as floats", "astype(np.int64)"),
    (nn.MSELoss(), np.zeros(40, np.float32), "4 predictions and 40 targets", "same batch"),
]


@pytest.mark.parametrize(("loss", "target", "cause", "mend"), TARGETS)
def test_a_target_is_told_what_is_wrong_with_it(loss, target, cause, mend):
    with pytest.raises(LayerError) as caught:
        loss(SCORES, np.array(target))
    assert cause in caught.value.cause
    assert mend in caught.value.mend


def test_another_dtype_is_told_with_the_trace_and_stays_a_type_error():
    model = nn.Sequential(nn.Sequential(nn.Flatten(2), nn.Unflatten(2, (8, 8))), conv)
    with pytest.raises(LayerError, match=r"0: Flatten\(\)(.|\n)*2: Conv2d(.|\n)*uint8 numbers") as caught:
        model(z(1, 3, 8, 8, dtype=np.uint8))
    assert isinstance(caught.value, TypeError)
    with pytest.raises(
        LayerError, match=r"pixels as they were read(.|\n)*ck\.to_bchw\(image, scale=\"unit\"\)"
    ):
        conv(z(8, 8, 3, dtype=np.uint8))
    with pytest.raises(
        TypeError, match=r"float64 numbers for weights of float32(.|\n)*x\.astype\(np\.float32\)"
    ):
        conv(z(1, 3, 8, 8, dtype=np.float64))


def test_a_mistake_in_a_forward_of_ones_own_is_left_as_it_is():
    class Wrong(nn.Module):
        def forward(self, x):
            return x + "1"

    with pytest.raises(TypeError) as caught:
        Wrong()(z(1, 3, 8, 8))
    assert not isinstance(caught.value, LayerError)


def test_numbers_that_no_input_can_mend_are_refused_when_the_layer_is_made():
    for make, match in (
        (
            lambda: nn.ConvTranspose2d(3, 4, 3, output_padding=1),
            "output_padding is 1; expected less than the stride",
        ),
        (lambda: nn.MaxPool2d(2, padding=2), "padding is \\(2, 2\\); expected at most half of kernel_size"),
        (lambda: nn.AvgPool2d(0), "kernel_size is 0; expected at least 1"),
        (lambda: nn.AdaptiveAvgPool2d(0), "output_size is 0; expected at least 1"),
    ):
        with pytest.raises(ValueError, match=match) as caught:
            make()
        assert not isinstance(caught.value, LayerError)

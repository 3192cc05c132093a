"""Sizes: OpenCV's arithmetic, NumPy's order of height and width; number types; descriptions."""

import numpy as np
import pytest

import convkit as ck

rng = np.random.default_rng(41)
METHODS = ("area", "linear", "cubic", "nearest", "lanczos")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64"])
def test_resizing_keeps_dtype_channels_and_constants(dtype, method):
    for shape in ((12, 9), (12, 9, 1), (12, 9, 3), (12, 9, 4)):
        image = np.full(shape, 77, dtype)
        for size in ((6, 3), (24, 30), (1, 1), (5, 40)):
            found = ck.resize(image, size, method)
            assert (found.shape, found.dtype) == ((*size, *shape[2:]), dtype)
            np.testing.assert_allclose(found, 77, rtol=1e-6)


def test_area_is_the_mean_of_what_falls_into_a_pixel():
    image = rng.integers(0, 256, (40, 60, 3), np.uint8)
    means = image.reshape(10, 4, 15, 4, 3).mean(axis=(1, 3))
    assert np.abs(ck.resize(image, (10, 15)) - means).max() <= 0.5
    np.testing.assert_array_equal(
        ck.resize(image[::-1, ::-1], (10, 15)), ck.resize(image, (10, 15))[::-1, ::-1]
    )


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64"])
def test_area_averages_the_side_that_shrinks_while_the_other_grows(dtype):
    image = (rng.random((40, 6, 3)) * 200).astype(dtype)
    means = image.reshape(10, 4, 6, 3).mean(axis=1)
    half = 0.5 if np.dtype(dtype).kind != "f" else 1e-4
    for given, size, columns in ((image, (10, 12), True), (image.transpose(1, 0, 2), (12, 10), False)):
        found = ck.resize(given, size)
        assert found.dtype == dtype
        found = found if columns else found.transpose(1, 0, 2)
        assert np.abs(found[:, ::2] - means)[:, 1:-1].max() <= half + np.abs(np.diff(means, axis=1)).max()
        np.testing.assert_allclose(found[:, [0, -1]], means[:, [0, -1]], rtol=0, atol=half + 1e-6)
    stripes = np.repeat(np.array([[0, 200]], dtype), 10, axis=0).reshape(20, 1)
    np.testing.assert_array_equal(ck.resize(stripes, (5, 3)), 100)


def test_nearest_takes_pixels_from_the_middle():
    image = np.arange(36, dtype=np.uint16).reshape(6, 6)
    np.testing.assert_array_equal(ck.resize(image, 2, "nearest"), image[1::3, 1::3])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda i: ck.resize(i, 0), ValueError, "size is 0"),
        (lambda i: ck.resize(i, (4, 5, 3)), ValueError, "size is"),
        (lambda i: ck.resize(i, 40_000), ValueError, "at most 32767"),
        (lambda i: ck.resize(i, 4, "bilinear"), ValueError, "method is 'bilinear'; expected one of 'area'"),
        (lambda i: ck.resize(i > 0, 4), TypeError, "dtype bool"),
        (lambda i: ck.resize(np.zeros((8, 9, 5), np.uint8), 4), ValueError, "1 to 4 channels"),
        (lambda i: ck.resize(np.zeros((3, 80, 90), np.uint8), 4), ValueError, "looks like CHW"),
        (lambda i: ck.resize(np.zeros((1, 8, 9, 3), np.uint8), 4), ValueError, "one image of the batch"),
        (lambda i: ck.letterbox(i, 4, fill=300), ValueError, "expected an integer that uint8 holds"),
        (lambda i: ck.letterbox(i, 4, fill=(1, 2)), ValueError, "fill has 2 numbers and image 3 channels"),
        (lambda i: ck.center_crop(i, 20), ValueError, r"expected no more: pass ck\.letterbox"),
    ],
)
def test_what_does_not_fit_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call(np.zeros((8, 9, 3), np.uint8))


@pytest.mark.parametrize(
    ("shape", "size"), [((100, 200, 3), (64, 64)), ((200, 100), (31, 57)), ((7, 7, 1), 20)]
)
def test_letterbox_tells_where_the_picture_is(shape, size):
    image = np.full(shape, 200, np.uint8)
    boxed = ck.letterbox(image, size, fill=9)
    height, width = (size, size) if isinstance(size, int) else size
    assert boxed.image.shape == (height, width, *shape[2:])
    inside = np.full((height, width), False)
    rows = slice(boxed.top, boxed.top + round(shape[0] * boxed.scale))
    inside[rows, boxed.left : boxed.left + round(shape[1] * boxed.scale)] = True
    assert (boxed.image[inside] == 200).all()
    assert (boxed.image[~inside] == 9).all()
    assert inside.any(axis=1).all() or inside.any(axis=0).all()


def test_the_frame_may_have_a_colour():
    boxed = ck.letterbox(np.zeros((10, 20, 3), np.uint8), 20, fill=(1, 2, 3))
    assert boxed.image[0, 0].tolist() == [1, 2, 3]


def test_the_middle():
    image = rng.integers(0, 256, (11, 12, 3), np.uint8)
    found = ck.center_crop(image, (5, 4))
    np.testing.assert_array_equal(found, image[3:8, 4:8])
    assert found.flags.c_contiguous
    assert not np.shares_memory(ck.center_crop(image, (11, 12)), image)
    assert ck.center_crop(image[..., 0], 3).shape == (3, 3)


# ---- number types -----------------------------------------------------------------------------------


def test_to_uint8_of_every_dtype():
    floats = np.array([-1.0, 0, 0.25, 0.5, 1, 2])
    for dtype in (np.float32, np.float64):
        assert ck.to_uint8(floats.astype(dtype), range=(0, 1)).tolist() == [0, 0, 64, 128, 255, 255]
        assert ck.to_uint8(floats.astype(dtype), range=(-1, 1)).tolist() == [0, 128, 159, 191, 255, 255]
    assert ck.to_uint8(np.arange(0, 65536, 257, np.uint16)).tolist() == list(range(256))
    assert ck.to_uint8(np.array([-32768, 32767], np.int16)).tolist() == [0, 255]
    assert ck.to_uint8(np.array([0, 100], np.int16), range=(0, 200)).tolist() == [0, 128]
    assert ck.to_uint8(np.array([True, False])).tolist() == [255, 0]
    assert ck.to_uint8(np.array([1e306, 5e306]), range=(0, 1e307)).tolist() == [26, 128]
    assert ck.to_uint8(np.array([1e308, -1e308, 1e307]), range=(-1e308, 1e308)).tolist() == [255, 0, 140]
    image = rng.integers(0, 256, (4, 5, 3), np.uint8)
    np.testing.assert_array_equal(ck.to_uint8(image), image, strict=True)
    for given, message in (
        (None, r"expected e\.g\. range=\(0, 1\)"),
        ((1, 0), "lower number first"),
        (3, "two"),
    ):
        with pytest.raises(ValueError, match=message):
            ck.to_uint8(floats, range=given)
    with pytest.raises(ValueError, match="NaN cannot become uint8"):
        ck.to_uint8(np.array([np.nan]), range=(0, 1))


# ---- descriptions -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((480, 640, 3), np.uint8), ("HWC, three channels", 'ck.to_bchw(array, scale="unit")')),
        (np.zeros((3, 480, 640), np.float32), ("CHW, three channels", "array[None]", "ck.to_hwc(array)")),
        (np.zeros((480, 640)), ("HW, gray", "ck.to_bchw(array)")),
        (np.zeros((8, 3, 48, 64), np.float32), ("BCHW, 8 images", "a batch already")),
        (np.zeros((8, 48, 64, 4), np.uint8), ("BHWC, 8 images, with alpha", "ck.to_bchw")),
        (np.zeros((3, 3, 3)), ("the shape fits both",)),
        (np.zeros((2, 3, 3, 3)), ("the shape fits both",)),
        (np.zeros((64, 56, 56), np.float32), ("more channels than a picture",)),
        (np.zeros((2, 64, 56, 56), np.float32), ("more channels than a picture",)),
        (np.zeros(5), ("no image and no batch",)),
        (np.full((4, 5), np.nan), ("20 NaN or Inf",)),
        (np.array([[0, 200]], np.uint16), ("values 0..200 of 0..65535 (8 bits in 16?)",)),
        (np.array([[0, 0.5]]), ("values 0..0.5, in 0..1",)),
        (np.array([[-2.0, 3]]), ("with a sign",)),
        (np.zeros((4, 5), np.int64), ("which images do not have", "constant")),
        (np.array([[True, False]]), ("dtype bool, values False..True",)),
        (np.full((4, 5), 16_777_217), ("values 16777217..16777217",)),
        (np.zeros((48, 64, 8)), ("array[None], if its channels are first",)),
        (np.zeros((2, 3, 8, 8), bool), ("ck.from_bchw(array.astype(np.float32))",)),
    ],
)
def test_descriptions(array, words):
    text = ck.describe(array)
    assert text.startswith(f"shape {array.shape}: ")
    for word in words:
        assert word in text, text


def test_the_call_that_a_description_names_works():
    for shape in ((48, 64, 3), (48, 64), (8, 48, 64, 4)):
        array = rng.integers(0, 256, shape, np.uint8)
        call = ck.describe(array).rpartition("a batch: ")[2]
        assert eval(call, {"ck": ck, "array": array}).ndim == 4

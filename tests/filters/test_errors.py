"""What is refused: the message names the argument, what came, what was expected, and what mends it."""

import numpy as np
import pytest

import convkit as ck

IMAGE = np.zeros((6, 7), np.uint8)
STACK = np.zeros((2, 3, 6, 7), np.uint8)
f = ck.filters


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (None, TypeError, "image is None"),
        ("a.jpg", TypeError, "ck.imread"),
        (np.zeros((0, 3), np.uint8), ValueError, r"image is empty: its shape is \(0, 3\)"),
        (IMAGE.astype(object), TypeError, r"np.asarray\(image, np.float32\)"),
        (IMAGE.astype(complex), TypeError, r"np.abs\(image\)"),
        (IMAGE.astype(bool), TypeError, r"image.astype\(np.uint8\) \* 255"),
        (IMAGE.astype(np.int64), TypeError, r"dtype int64.*image.astype\(np.float64\)"),
        (IMAGE.astype(np.float16), TypeError, r"dtype float16.*image.astype\(np.float32\)"),
        (IMAGE.astype(np.dtypes.StringDType()), TypeError, r"dtype StringDType\(\); expected .* or float64$"),
        (IMAGE.astype("U3"), TypeError, r"dtype <U3; expected .* or float64$"),
        (IMAGE.astype("S3"), TypeError, r"dtype \|S3; expected .* or float64$"),
        (np.zeros((6, 7), "V4"), TypeError, r"dtype \|V4; expected .* or float64$"),
        (np.zeros((6, 7), "M8[s]"), TypeError, r"datetime64\[s\]; .* image.astype\(np.float64\)$"),
        (np.zeros((6, 7), "m8[s]"), TypeError, r"timedelta64\[s\]; .* image.astype\(np.float64\)$"),
        (np.zeros((6, 7), [("r", "u1"), ("g", "u1")]), TypeError, r"one of its fields, as image\['r'\]$"),
        (IMAGE[0], ValueError, r"shape \(7,\); expected an image"),
        (IMAGE[None, None], ValueError, r"looks like BCHW.*ck.from_bchw\(image\)\[i\].*channel_axis=1"),
        (IMAGE[None, None, None], ValueError, "expected an image, HW or HWC$"),
        (np.zeros((3, 48, 64), np.uint8), ValueError, r"looks like CHW.*ck.to_hwc\(image\)"),
        (np.zeros((3, 64, 32), np.uint8), ValueError, r"looks like CHW.*ck.to_hwc\(image\)"),
        (np.zeros((1, 28, 28), np.uint8), ValueError, r"looks like CHW.*channel_axis=-1"),
        (np.zeros((2, 480, 640), np.uint8), ValueError, r"looks like CHW.*ck.to_hwc\(image\)"),
        ([[1, 2], [3]], ValueError, "ragged"),
    ],
)
def test_images(value, error, message):
    with pytest.raises(error, match=message):
        f.box(value, 3)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: f.gaussian(IMAGE, 0), ValueError, "sigma is 0.0; expected a number above 0"),
        (lambda: f.gaussian(IMAGE, -1), ValueError, "sigma is -1"),
        (lambda: f.gaussian(IMAGE, np.nan), ValueError, "sigma is nan"),
        (lambda: f.gaussian(IMAGE, np.inf), ValueError, "sigma is inf"),
        (lambda: f.gaussian(IMAGE, "1"), TypeError, "sigma is '1'; expected a number"),
        (lambda: f.gaussian(IMAGE, (1, 2, 3)), ValueError, "pair"),
        (lambda: f.gaussian(IMAGE, (1, 0)), ValueError, r"sigma\[1\] is 0"),
        (lambda: f.gaussian(IMAGE, 1e9), ValueError, "longer than 32767"),
        (lambda: f.gaussian(IMAGE, 1e308, truncate=1e308), ValueError, "longer than 32767"),
        (
            lambda: f.gaussian(IMAGE * 1.0, 1e-200, ksize=5, order=2),
            ValueError,
            "sigma is 1e-200, so small that weights of order=2 leave float64",
        ),
        (lambda: f.gaussian(IMAGE, 1e-30, ksize=5, order=(0, 2)), ValueError, "order=.* leave float32"),
        (lambda: f.gaussian(IMAGE * 1.0, (1e-200, 1), ksize=5, order=(2, 1)), ValueError, "leave float64"),
        (lambda: f.gaussian(IMAGE, 1, truncate=0), ValueError, "truncate is 0"),
        (lambda: f.gaussian(IMAGE, 1, ksize=4), ValueError, "ksize is 4; expected an odd number"),
        (lambda: f.box(IMAGE, 0), ValueError, "size is 0; expected at least 1"),
        (lambda: f.box(IMAGE, 2.5), TypeError, "size is 2.5; expected an integer"),
        (lambda: f.box(IMAGE, 10**6), ValueError, "expected at most 32767"),
        (
            lambda: f.box(IMAGE, 3, border="mirror"),
            ValueError,
            "border is 'mirror'; expected one of 'constant'",
        ),
        (lambda: f.box(IMAGE, 9, border="valid"), ValueError, "leaves nothing"),
        (lambda: f.box(IMAGE, 3, cval=256), ValueError, "cval is 256; expected an integer that uint8 holds"),
        (lambda: f.box(IMAGE, 3, cval=0.5), ValueError, "cval is 0.5"),
        (lambda: f.box(IMAGE, 3, num_threads=0), ValueError, "num_threads is 0"),
        (lambda: f.sharpen(IMAGE, np.nan), ValueError, "amount is nan"),
        (lambda: f.sobel(IMAGE, ksize=2), ValueError, "ksize is 2; expected an odd number from 1 to 31"),
        (lambda: f.sobel(IMAGE, ksize=33), ValueError, "ksize is 33"),
        (lambda: f.sobel(IMAGE, "z"), ValueError, "direction is 'z'"),
        (lambda: f.sobel(IMAGE, dtype=np.int16), ValueError, "cannot hold the magnitude.*np.float32"),
        (lambda: f.sobel(IMAGE, "x", dtype=np.int64), TypeError, "dtype is .*int64.*expected uint8"),
        (lambda: f.sobel(IMAGE, "x", dtype="nonsense"), TypeError, "dtype is 'nonsense'"),
        (
            lambda: f.sobel(IMAGE, "x", out=np.empty_like(IMAGE)),
            TypeError,
            "out has dtype .*expected float32",
        ),
        (lambda: f.filter2d(IMAGE, [1, 2, 3]), ValueError, "kernel has shape .*expected 2-D"),
        (lambda: f.filter2d(IMAGE, [[]]), ValueError, "kernel is empty"),
        (lambda: f.filter2d(IMAGE, None), TypeError, "kernel is None"),
        (lambda: f.filter2d(IMAGE, [[np.nan]]), ValueError, "kernel holds NaN or Inf"),
        (lambda: f.filter2d(IMAGE, [[1j]]), TypeError, "kernel has dtype complex128"),
        (lambda: f.filter2d(IMAGE, [[1]], mode="full"), ValueError, "mode is 'full'"),
        (lambda: f.filter2d(IMAGE, [[1]], anchor=(0, 1)), ValueError, "outside the kernel"),
        (lambda: f.filter2d(IMAGE, [[1]], anchor=(-1, 0)), ValueError, "outside the kernel"),
        (lambda: f.filter2d(IMAGE, [[1]], delta=np.inf), ValueError, "delta is inf"),
        (lambda: f.filter2d(IMAGE, [[1]], delta=10**400), ValueError, "delta is an integer of 1329 bits"),
        (lambda: f.filter2d(IMAGE, [[1]], dtype="i4,,"), TypeError, "dtype is 'i4,,'"),
        (lambda: f.sobel(IMAGE, normalize="no"), TypeError, "normalize is 'no'; expected True or False"),
        (
            lambda: f.box(np.float32(IMAGE), 3, border="constant", cval=1e300),
            ValueError,
            "cval is 1e\\+300, more than float32",
        ),
        (lambda: f.filter2d(IMAGE, [[1]], scale="2"), TypeError, "scale is '2'"),
        (lambda: f.sepfilter2d(IMAGE, [[1]], [1]), ValueError, "kernel_x has shape .*expected 1-D"),
        (lambda: f.box(IMAGE, 3, out=np.empty((7, 6), np.uint8)), ValueError, r"out has shape \(7, 6\)"),
        (lambda: f.box(IMAGE, 3, out=[0]), TypeError, "out is list"),
        (lambda: f.box(IMAGE, 3, channel_axis=0), ValueError, "without an axis for channels"),
        (lambda: f.box(STACK, 3, channel_axis=4), ValueError, "channel_axis is 4; expected an axis of image"),
        (lambda: f.box(STACK, 3, channel_axis="last"), TypeError, "channel_axis is 'last'; expected an int"),
        (lambda: f.box(STACK, 3, channel_axis=1, out=IMAGE), ValueError, "expected the layout of image"),
        (lambda: f.box(STACK, 3, channel_axis=1, out=[0]), TypeError, "out is list"),
    ],
)
def test_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_derivatives_of_unsigned_images_saturate_when_asked():
    falling = np.array([[200, 100, 0]], np.uint8)
    np.testing.assert_array_equal(f.filter2d(falling, [[1, 0, -1]], border="edge"), [[100, 200, 100]])
    np.testing.assert_array_equal(f.sobel(falling, "x", dtype=np.uint8), [[0, 0, 0]])
    np.testing.assert_array_equal(f.sobel(falling[:, ::-1], "x", dtype=np.uint8), [[0, 255, 0]])


def test_what_carries_no_dtype():
    assert f.box([[1, 2], [3, 4]], 1).dtype == np.float64
    assert f.box([[1.5]], 1) == 1.5


def test_images_of_pillow():
    image = pytest.importorskip("PIL.Image").fromarray(IMAGE)
    np.testing.assert_array_equal(f.gaussian(image, 1), f.gaussian(IMAGE, 1))
    for mode in ("P", "CMYK", "YCbCr", "HSV"):
        with pytest.raises(ValueError, match=rf"mode {mode}, .* pass image\.convert\('RGB'\)"):
            f.gaussian(image.convert("RGB").convert(mode), 1)


def test_many_channels_are_an_image():
    assert f.box(np.zeros((3, 4, 32), np.uint8), 3).shape == (3, 4, 32)
    assert f.box(np.zeros((5, 4, 100), np.uint8), 3).shape == (5, 4, 100)

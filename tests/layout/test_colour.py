"""Colour spaces are OpenCV's behind our checks; alpha is multiplied in and out."""

import numpy as np
import pytest

import convkit as ck

rng = np.random.default_rng(40)
PAIRS = {
    "HSV": (ck.rgb_to_hsv, ck.hsv_to_rgb),
    "Lab": (ck.rgb_to_lab, ck.lab_to_rgb),
    "YCrCb": (ck.rgb_to_ycrcb, ck.ycrcb_to_rgb),
}


@pytest.mark.parametrize("space", PAIRS)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_conversions_are_opencvs_of_rgb(space, dtype):
    cv2 = pytest.importorskip("cv2")
    image = rng.integers(0, 256, (20, 31, 3), np.uint8)
    image = image if dtype == "uint8" else image.astype(np.float32) / 255
    there, back = PAIRS[space]
    for view in (image, image[::-1, ::2], np.asfortranarray(image)):
        found = there(view)
        expected = cv2.cvtColor(np.ascontiguousarray(view), getattr(cv2, f"COLOR_RGB2{space}"))
        np.testing.assert_array_equal(found, expected, strict=True)
        again = back(found).astype(float)
        assert np.abs(again - view).max() <= (12 if dtype == "uint8" else 5e-3)


def test_red_is_red():
    red = np.full((2, 2, 3), (255, 0, 0), np.uint8)
    assert ck.rgb_to_hsv(red)[0, 0].tolist() == [0, 255, 255]
    assert ck.rgb_to_lab(red)[0, 0, 1] > 200
    assert ck.rgb_to_ycrcb(red)[0, 0].tolist() == [76, 255, 85]
    assert ck.rgb_to_ycrcb(red.astype(np.uint16) * 257).dtype == np.uint16


@pytest.mark.parametrize("function", [function for pair in PAIRS.values() for function in pair])
def test_what_has_no_colour_is_refused(function):
    for shape, message in (
        ((4, 5), "no colour order"),
        ((4, 5, 4), r"image\[..., :3\]"),
        ((3, 8, 9), "ck.to_hwc"),
    ):
        with pytest.raises(ValueError, match=message):
            function(np.zeros(shape, np.uint8))
    with pytest.raises(TypeError, match=r"image has dtype float64; .*image\.astype\(np\.float32\)"):
        function(np.zeros((4, 5, 3)))
    with pytest.raises(TypeError, match=r"image has dtype int16; .*ck\.to_uint8"):
        function(np.zeros((4, 5, 3), np.int16))
    with pytest.raises(ValueError, match="channel 2 of image spans nan"):
        function(np.full((4, 5, 3), (0, 0, np.nan), np.float32))


def test_floats_of_another_range_are_refused():
    image = rng.integers(0, 256, (4, 5, 3)).astype(np.float32)
    with pytest.raises(
        ValueError, match=r"channel 0 of image spans .*expected floats in 0\.\.1: pass image / 255"
    ):
        ck.rgb_to_lab(image)
    with pytest.raises(ValueError, match=r"channel 1 of image spans 60\.\.60; expected floats in 0\.\.1"):
        ck.hsv_to_rgb(np.full((2, 2, 3), (180, 60, 60), np.float32))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_alpha_in_and_out(dtype):
    top = 1 if np.dtype(dtype).kind == "f" else np.iinfo(dtype).max
    image = (rng.random((9, 11, 4)) * top).astype(dtype)
    image[0, 0, 3], image[0, 1, 3] = 0, top
    found = ck.premultiply(image)
    exact = image[..., :3].astype(np.longdouble) * image[..., 3:] / top
    assert np.abs(found[..., :3] - exact).max() <= (0.5 if top > 1 else 1e-7)
    np.testing.assert_array_equal(found[..., 3], image[..., 3])
    again = ck.unpremultiply(found)
    opaque = image[..., 3] > top / 2
    assert np.abs(again.astype(float) - image)[opaque].max() <= (1 if top > 1 else 1e-6)
    np.testing.assert_array_equal(again[0, 0], 0)
    np.testing.assert_array_equal(again[0, 1], image[0, 1])


def test_alpha_of_another_range():
    for function in (ck.premultiply, ck.unpremultiply):
        with pytest.raises(ValueError, match=r"alpha of image spans 255\.\.255; .* pass image / 255"):
            function(np.full((2, 2, 4), 255, np.float32))
        for wrong in (np.nan, -0.1):
            with pytest.raises(ValueError, match=r"expected floats in 0\.\.1$"):
                function(np.full((2, 2, 4), wrong))


def test_alpha_that_is_not_there():
    for function in (ck.premultiply, ck.unpremultiply):
        with pytest.raises(ValueError, match="no alpha; expected HWC with 4 channels"):
            function(np.zeros((4, 5, 3), np.uint8))
        with pytest.raises(TypeError, match="dtype int16"):
            function(np.zeros((4, 5, 4), np.int16))

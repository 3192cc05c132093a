"""Axis and colour orders: values, dtypes, memory order, round trips and refusals."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import convkit as ck
from convkit.layout.colour import swap_red_blue

DTYPES = ("uint8", "uint16", "int16", "float32", "float64")
rng = np.random.default_rng(20)


def noise(shape, dtype):
    if np.dtype(dtype).kind == "f":
        return rng.normal(0, 100, shape).astype(dtype)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)


def strided(array):
    """The same values with negative and doubled strides."""
    wide = np.zeros((array.shape[0] * 2, *array.shape[1:]), array.dtype)
    wide[::2] = array[::-1]
    return wide[::2][::-1]


# ---- axes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [*DTYPES, "bool", "int64", "float16"])
@pytest.mark.parametrize("shape", [(7, 9, 3), (7, 9, 1), (7, 9, 4), (3, 3, 3), (1, 1, 3), (2, 5, 2)])
def test_chw_and_back(shape, dtype):
    image = noise(shape, "uint8").astype(dtype)
    chw = ck.to_chw(image)
    np.testing.assert_array_equal(chw, np.moveaxis(image, -1, 0), strict=True)
    np.testing.assert_array_equal(ck.to_hwc(chw), image, strict=True)
    for result in (chw, ck.to_hwc(chw)):
        assert result.flags.c_contiguous
        assert not np.shares_memory(result, image)


def test_gray_keeps_its_axis_on_the_way_back():
    gray = noise((5, 7), "uint8")
    assert ck.to_chw(gray).shape == (1, 5, 7)
    np.testing.assert_array_equal(ck.to_hwc(ck.to_chw(gray))[..., 0], gray)


@pytest.mark.parametrize("dtype", DTYPES)
def test_bchw_keeps_values_and_gives_float32(dtype):
    image = noise((6, 8, 3), dtype)
    for source in (image, strided(image), np.asfortranarray(image), image.astype(image.dtype.newbyteorder())):
        batch = ck.to_bchw(source)
        assert batch.shape == (1, 3, 6, 8)
        assert batch.dtype == np.float32
        assert batch.flags.c_contiguous
        np.testing.assert_array_equal(batch[0], np.moveaxis(image, -1, 0).astype(np.float32))


def test_bchw_takes_lists_batches_and_gray():
    images = [noise((4, 5, 3), "uint8") for _ in range(3)]
    expected = np.stack(images).transpose(0, 3, 1, 2).astype(np.float32)
    np.testing.assert_array_equal(ck.to_bchw(images), expected, strict=True)
    np.testing.assert_array_equal(ck.to_bchw(tuple(images)), expected, strict=True)
    np.testing.assert_array_equal(ck.to_bchw(np.stack(images)), expected, strict=True)
    assert ck.to_bchw([images[0][..., 0]] * 2).shape == (2, 1, 4, 5)
    assert ck.to_bchw([[1, 2], [3, 4]]).shape == (1, 1, 2, 2)


def test_bchw_dtypes():
    image = noise((4, 5, 3), "uint16")
    assert ck.to_bchw(image, dtype=None).dtype == np.uint16
    assert ck.to_bchw(image, dtype=np.float64).dtype == np.float64
    assert ck.to_bchw(image > 9).dtype == np.float32
    with pytest.raises(TypeError, match="dtype is uint8; expected float32"):
        ck.to_bchw(image, dtype="uint8")
    with pytest.raises(ValueError, match="overflows float32"):
        ck.to_bchw(np.full((2, 2), 1e300))


def test_bchw_keeps_nan_and_inf():
    image = np.array([[np.nan, np.inf, -np.inf]])
    np.testing.assert_array_equal(ck.to_bchw(image)[0, 0], image)


@pytest.mark.parametrize("dtype", DTYPES)
def test_from_bchw_undoes_to_bchw(dtype):
    images = noise((2, 4, 5, 3), dtype)
    batch = ck.to_bchw(images, dtype=None)
    np.testing.assert_array_equal(ck.from_bchw(batch), images, strict=True)
    np.testing.assert_array_equal(ck.from_bchw(batch[0]), images[0], strict=True)
    assert not np.shares_memory(ck.from_bchw(batch), batch)


@given(
    st.lists(st.floats(-1e6, 1e6) | st.sampled_from([np.inf, -np.inf, 0.5, 1.5, 254.5, 65534.5]), min_size=1),
    st.sampled_from(["uint8", "uint16", "int16"]),
    st.sampled_from(["float32", "float64"]),
)
def test_from_bchw_rounds_and_saturates(values, integer, real):
    batch = np.array(values, real).reshape(1, 1, 1, -1)
    limits = np.iinfo(integer)
    expected = [
        min(max(v if np.isinf(v) else round(float(v)), limits.min), limits.max) for v in batch.ravel()
    ]
    found = ck.from_bchw(batch, integer)
    assert found.dtype == integer
    assert found.ravel().tolist() == expected


def test_from_bchw_saturates_integers():
    batch = np.array([-32768, -1, 0, 255, 256, 32767], np.int16).reshape(1, 1, 1, 6)
    assert ck.from_bchw(batch, "uint8").ravel().tolist() == [0, 0, 0, 255, 255, 255]
    assert ck.from_bchw(batch, "uint16").ravel().tolist() == [0, 0, 0, 255, 256, 32767]


def test_from_bchw_refuses_nan_and_odd_dtypes():
    with pytest.raises(ValueError, match="NaN cannot become uint8"):
        ck.from_bchw(np.full((1, 1, 1, 1), np.nan), "uint8")
    with pytest.raises(TypeError, match="dtype is int64"):
        ck.from_bchw(np.zeros((1, 1, 1, 1)), "int64")
    with pytest.raises(TypeError, match="batch has dtype int64"):
        ck.from_bchw(np.zeros((1, 1, 1, 1), int))


WRONG_LAYOUT = [
    (ck.to_chw, (3, 224, 224), "looks like CHW.*ck.to_hwc"),
    (ck.to_bchw, (3, 224, 224), "looks like CHW.*ck.to_hwc"),
    (ck.to_bchw, (2, 3, 224, 224), "looks like BCHW: pass ck.from_bchw"),
    (ck.to_hwc, (224, 224, 3), "HWC already"),
    (ck.from_bchw, (2, 224, 224, 3), "channels are last already"),
    (ck.from_bchw, (224, 224, 3), "channels are last already"),
    (ck.from_bchw, (8, 8), "expected BCHW or CHW"),
    (ck.to_chw, (2, 8, 8, 3), "one image of the batch"),
    (ck.to_chw, (64,), "reshape"),
    (ck.to_hwc, (8, 8), r"array\[None\]"),
    (ck.to_hwc, (2, 3, 8, 8), "ck.from_bchw"),
    (ck.rgb_to_bgr, (8, 8), "gray image has no colour order"),
    (ck.rgb_to_bgr, (8, 8, 1), "gray image has no colour order"),
    (ck.rgb_to_bgr, (3, 8, 8), "ck.to_hwc"),
    (ck.rgb_to_bgr, (8, 8, 2), "3 or 4 channels"),
    (ck.bgr_to_rgb, (1, 8, 8, 3), "one image of the batch"),
    (ck.to_gray, (3, 8, 8), "ck.to_hwc"),
    (ck.to_gray, (8, 8, 2), "3 or 4 channels"),
    (ck.to_gray, (0, 8, 3), "empty"),
]


@pytest.mark.parametrize(("function", "shape", "message"), WRONG_LAYOUT)
def test_a_wrong_layout_names_the_shape_and_the_mending(function, shape, message):
    with pytest.raises(ValueError, match=message) as caught:
        function(np.zeros(shape, np.float32))
    assert str(shape) in str(caught.value) or "each image" in message


@pytest.mark.parametrize(
    "function", [ck.to_chw, ck.to_hwc, ck.to_bchw, ck.from_bchw, ck.rgb_to_bgr, ck.to_gray]
)
def test_what_is_no_array_is_refused(function):
    for value in (None, "photo.jpg", np.zeros((4, 4, 3), complex), object()):
        with pytest.raises(TypeError):
            function(value)


def test_lists_of_unlike_images_name_the_odd_one():
    small, big = np.zeros((4, 4, 3), np.uint8), np.zeros((4, 5, 3), np.uint8)
    with pytest.raises(ValueError, match=r"images\[2\] has shape \(4, 5, 3\)"):
        ck.to_bchw([small, small, big])
    with pytest.raises(TypeError, match=r"images\[1\] has dtype float32"):
        ck.to_bchw([small, small.astype(np.float32)])
    with pytest.raises(ValueError, match="empty list"):
        ck.to_bchw([])
    with pytest.raises(TypeError, match="image has dtype int64"):
        ck.to_bchw(np.zeros((4, 4), np.int64))


# ---- colours ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [3, 4])
def test_swap_is_its_own_inverse_and_leaves_alpha(channels, dtype):
    image = noise((5, 6, channels), dtype)
    swapped = ck.rgb_to_bgr(strided(image))
    np.testing.assert_array_equal(swapped[..., :3], image[..., 2::-1], strict=True)
    np.testing.assert_array_equal(swapped[..., 3:], image[..., 3:])
    np.testing.assert_array_equal(ck.bgr_to_rgb(swapped), image, strict=True)
    assert swapped.flags.c_contiguous


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, ">u2", np.float16, np.int32, np.float64, "g"])
@pytest.mark.parametrize("channels", [3, 4])
def test_red_and_blue_of_every_width(channels, dtype, isa):
    for width in range(1, 40):
        image = noise((3, width, channels), np.uint8).astype(dtype)
        expected = image[..., [2, 1, 0, 3][:channels]]
        np.testing.assert_array_equal(ck.rgb_to_bgr(image), expected)
        wide = np.zeros((3, width + 5, channels), dtype)
        upside_down = wide[::-1, 2 : 2 + width]
        swap_red_blue(image, upside_down)
        np.testing.assert_array_equal(upside_down, expected)
        assert not wide[:, :2].any()
        assert not wide[:, 2 + width :].any()
        swap_red_blue(upside_down, upside_down)
        np.testing.assert_array_equal(upside_down, image)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16"])
def test_gray_of_integers_is_the_fixed_point_rule(dtype):
    image = noise((40, 41, 3), dtype)
    exact = (image.astype(object) @ np.array([9798, 19235, 3735], object) + 16384) // 32768
    np.testing.assert_array_equal(ck.to_gray(image), exact.astype(dtype), strict=True)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_gray_has_opencvs_bits(dtype):
    cv2 = pytest.importorskip("cv2")
    image = noise((50, 33, 3), dtype)
    np.testing.assert_array_equal(ck.to_gray(image), cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), strict=True)
    np.testing.assert_array_equal(ck.to_gray(strided(image)), ck.to_gray(image), strict=True)


@pytest.mark.parametrize("dtype", DTYPES)
def test_gray_drops_alpha_and_leaves_gray_alone(dtype):
    image = noise((5, 6, 4), dtype)
    np.testing.assert_array_equal(ck.to_gray(image), ck.to_gray(image[..., :3]), strict=True)
    gray = image[..., 0]
    assert ck.to_gray(gray) is gray
    np.testing.assert_array_equal(ck.to_gray(gray[..., None]), gray, strict=True)
    if np.dtype(dtype).kind == "f":
        np.testing.assert_allclose(
            ck.to_gray(image), image[..., :3] @ [0.299, 0.587, 0.114], rtol=1e-4, atol=1e-3
        )


def test_what_errors_tell_to_pass_is_right(tmp_path):
    """Each hint is followed, and then the call goes through."""
    photo = rng.integers(0, 256, (40, 50, 3), np.uint8)
    bchw = ck.to_bchw([photo, photo])
    wide = photo.astype(np.int64)

    def mended(error, hint, call):
        with pytest.raises(error) as caught:
            call()
        assert hint in str(caught.value)

    mended(ValueError, "it looks like BCHW", lambda: ck.filters.sobel(bchw))
    mended(ValueError, "pass ck.from_bchw(image)[i]", lambda: ck.filters.sobel(bchw))
    assert ck.filters.sobel(ck.from_bchw(bchw)[0]).shape == photo.shape
    mended(ValueError, "channel_axis=-1", lambda: ck.filters.sobel(ck.from_bchw(bchw)))
    mended(
        TypeError,
        "image is a list of arrays; expected one image: pass image[i]",
        lambda: ck.filters.sobel([photo]),
    )
    mended(ValueError, "looks like BCHW: pass ck.from_bchw", lambda: ck.to_bchw(bchw))
    mended(ValueError, "looks like BCHW: pass ck.from_bchw(image)", lambda: ck.rgb_to_hsv(bchw))
    mended(TypeError, "pass image.astype(np.float32)", lambda: ck.rgb_to_hsv(wide))
    mended(TypeError, "pass image.astype(np.float32)", lambda: ck.to_uint8(wide))
    for dtype, top in ((np.int32, 255), (np.int64, 255), (np.float16, 1)):
        other = (photo / 255).astype(dtype) if top == 1 else photo.astype(dtype)
        mended(
            TypeError,
            f"ck.to_uint8(image.astype(np.float32), range=(0, {top}))",
            lambda other=other: ck.imwrite(tmp_path / "a.jpg", other),
        )
        assert (ck.to_uint8(other.astype(np.float32), range=(0, top)) == photo).all()
    mended(ValueError, "fill is 300", lambda: ck.letterbox(photo, 60, fill=300))
    unit = ck.to_bchw(photo, scale="unit")
    mended(ValueError, 'pass dtype="uint8"', lambda: ck.from_bchw(unit, scale="unit"))
    assert (ck.from_bchw(unit, dtype="uint8", scale="unit")[0] == photo).all()


def test_one_function_words_every_refusal_of_a_layout():
    calls = (ck.filters.sobel, ck.to_gray, ck.to_chw, ck.to_bchw, lambda i: ck.resize(i, 4))
    hints = {
        (3, 48, 64): "; it looks like CHW: pass ck.to_hwc(image)",
        (1, 3, 48, 64): "; it looks like BCHW: pass ck.from_bchw(image)[i] for one image of the batch",
    }
    for shape, hint in hints.items():
        for call in calls:
            with pytest.raises(ValueError, match=re.escape(hint)):
                call(np.zeros(shape, np.uint8))
    with pytest.raises(ValueError, match=r"expected HWC with 3 or 4 channels$"):
        ck.to_gray(np.zeros((4, 4, 5), np.uint8))  # which fits both
    assert ck.describe(np.zeros(3)).startswith("shape (3,): 1 axis:")

"""Batches from images and back: every type, channel count, stride, thread count, build; normalisation."""

import numpy as np
import pytest

import convkit as ck
from convkit import _threads
from convkit.layout import batch as batches

DTYPES = ("uint8", "uint16", "int16", "float32", "float64")
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
rng = np.random.default_rng(24)


def noise(shape, dtype):
    if np.dtype(dtype).kind == "f":
        return rng.normal(0, 100, shape).astype(dtype)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)


def channels_first(images):
    return np.ascontiguousarray(np.moveaxis(images, -1, 1))


def within(found, exact, size, unit):
    """`found` errs by at most three roundings of the sizes that were added."""
    return bool((np.abs(found.astype(np.longdouble) - exact) <= 3 * unit * size).all())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 17])
def test_values_are_kept_by_every_build(isa, dtype, channels, monkeypatch):
    monkeypatch.setattr(_threads, "force_threads", True)
    for height, width, threads in ((1, 1, 3), (5, 5, 1), (7, 33, 3), (40, 67, 7), (5, 4099, 1), (5, 4099, 3)):
        images = noise((2, height, width, channels), dtype)
        expected = channels_first(images).astype(np.float32)
        np.testing.assert_array_equal(ck.to_bchw(images, num_threads=threads), expected, strict=True)
        np.testing.assert_array_equal(ck.to_bchw(list(images), num_threads=threads), expected, strict=True)
        back = ck.from_bchw(channels_first(images).astype(np.float64), dtype, num_threads=threads)
        np.testing.assert_array_equal(back, images, strict=True)


@pytest.mark.parametrize("dtype", DTYPES)
def test_images_of_any_strides(isa, dtype):
    wide = noise((20, 60, 6), dtype)
    views = [wide[::-1, ::2, :3], wide[::2, ::-1, 2::-1], wide[3:, 5:, 1:5:2], wide[:, :, :1]]
    for view in (*views, wide.transpose(1, 0, 2)[..., :4], np.asfortranarray(wide)[..., ::2]):
        expected = channels_first(view[None]).astype(np.float32)
        np.testing.assert_array_equal(ck.to_bchw(view), expected, strict=True)
        np.testing.assert_array_equal(ck.to_bchw([view, view])[1:], expected, strict=True)


@pytest.mark.parametrize("real", ["float32", "float64"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_normalisation_is_within_its_bound(isa, threads, dtype, real):
    images = noise((2, 9, 41, 3), dtype)
    unit = 2.0**-24 if real == "float32" else 2.0**-53
    scale = 0.25 if np.dtype(dtype).kind == "f" else "unit"
    factor = 0.25 if scale == 0.25 else 1 / np.iinfo(dtype).max
    mean, std = (np.array(v, np.longdouble).reshape(3, 1, 1) for v in (MEAN, STD))
    x = channels_first(images).astype(real).astype(np.longdouble) * factor
    found = ck.to_bchw(images, dtype=real, scale=scale, mean=MEAN, std=STD, num_threads=threads)
    assert found.dtype == real
    assert within(found, (x - mean) / std, np.abs(x / std) + mean / std, unit)
    np.testing.assert_array_equal(
        found, ck.to_bchw(images, dtype=real, scale=scale, mean=MEAN, std=STD, num_threads=1)
    )


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16"])
@pytest.mark.parametrize("order", ["RGB", "BGR"])
@pytest.mark.parametrize("channels", [3, 4])
def test_what_was_normalised_comes_back(isa, dtype, order, channels):
    images = noise((2, 31, 29, channels), dtype)
    given = {"scale": "unit", "mean": MEAN + [0.5] * (channels - 3), "std": 0.25, "order": order}
    real = "float32" if dtype == "uint8" else "float64"
    batch = ck.to_bchw(images, dtype=real, **given)
    np.testing.assert_array_equal(ck.from_bchw(batch, dtype, **given), images)


@pytest.mark.parametrize("real", ["float32", "float64"])
def test_the_way_back_rounds_to_even_and_saturates(isa, real):
    values = np.array([-1e9, -0.6, -0.5, 0.5, 1.5, 2.5, 254.5, 255.5, 1e30, np.inf, -np.inf, 7], real)
    batch = np.tile(values, 20).reshape(1, 1, 1, -1)
    expected = [0, 0, 0, 0, 2, 2, 254, 255, 255, 255, 0, 7]
    for channels in (1, 3):
        found = ck.from_bchw(batch.reshape(1, channels, 1, -1), "uint8")
        assert channels_first(found).ravel().tolist() == expected * 20
    mean = np.float64(0.5)
    found = ck.from_bchw(batch[..., 3:6], "uint8", mean=mean, std=2.0)
    assert found.ravel().tolist() == [2, 4, 6]  # 1.5, 3.5 and 5.5


def test_blue_first():
    photo = noise((5, 6, 4), "uint8")
    for dtype in ("float32", None):
        batch = ck.to_bchw(photo, order="BGR", dtype=dtype)
        np.testing.assert_array_equal(batch[0], photo[..., [2, 1, 0, 3]].transpose(2, 0, 1))
        np.testing.assert_array_equal(ck.from_bchw(batch, "uint8", order="BGR")[0], photo, strict=True)


# ---- outputs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [16, 21])
@pytest.mark.parametrize("offset", [0, 5])
def test_outputs_anywhere_in_memory(isa, threads, width, offset, monkeypatch):
    monkeypatch.setattr(batches, "STREAM_BYTES", 0)
    images = noise((2, 13, width, 3), "uint8")
    expected = channels_first(images).astype(np.float32)
    size = expected.size
    room = np.full(size * 2 + 64, -1, np.float32)
    out = room[offset : offset + size].reshape(expected.shape)
    assert ck.to_bchw(images, out=out, num_threads=threads) is out
    np.testing.assert_array_equal(out, expected)
    assert (room[:offset] == -1).all()
    assert (room[offset + size :] == -1).all()
    gaps = np.full((2, 6, 30, width + 3), -1, np.float32)
    ck.to_bchw(images, out=gaps[:, ::2, 1:27:2, 2:-1], num_threads=threads)
    np.testing.assert_array_equal(gaps[:, ::2, 1:27:2, 2:-1], expected)
    gaps[:, ::2, 1:27:2, 2:-1] = -1
    assert (gaps == -1).all()


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("width", [15, 16, 37])
def test_images_anywhere_in_memory(isa, threads, width, channels, dtype):
    images = noise((2, 11, width, channels), dtype)
    batch = channels_first(images).astype(np.float32)
    room = np.full((2, 14, width + 4, channels), 99, dtype)
    ck.from_bchw(batch, dtype, out=room[:, 1:-2, 1:-3], num_threads=threads)
    np.testing.assert_array_equal(room[:, 1:-2, 1:-3], images)
    room[:, 1:-2, 1:-3] = 99
    assert (room == 99).all()


def test_outputs_of_any_strides():
    images = noise((2, 6, 7, 3), "uint8")
    planes = np.zeros((2, 3, 7, 6), np.float32).swapaxes(2, 3)
    ck.to_bchw(images, out=planes)
    np.testing.assert_array_equal(planes, channels_first(images))
    back = np.zeros((2, 7, 6, 3), np.uint8).swapaxes(1, 2)
    assert ck.from_bchw(planes, "uint8", out=back) is back
    np.testing.assert_array_equal(back, images)
    one = np.zeros((6, 7, 3), np.uint8)
    ck.from_bchw(planes[1], "uint8", out=one)
    np.testing.assert_array_equal(one, images[1])


def test_an_output_that_does_not_fit_is_refused_before_a_byte_is_written():
    image = noise((4, 5, 3), "float32")
    with pytest.raises(ValueError, match=r"out has shape \(3, 4, 5\); expected \(1, 3, 4, 5\)"):
        ck.to_bchw(image, out=np.zeros((3, 4, 5), np.float32))
    with pytest.raises(TypeError, match="out has dtype"):
        ck.to_bchw(image, out=np.zeros((1, 3, 4, 5)))
    with pytest.raises(ValueError, match="overlaps"):
        ck.to_bchw(image, out=image.reshape(1, 3, 4, 5))
    frozen = np.zeros((4, 5, 3), np.uint8)
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        ck.from_bchw(np.zeros((3, 4, 5), np.float32), "uint8", out=frozen)


def test_read_only_images_are_read():
    image = noise((4, 5, 3), "uint8")
    image.flags.writeable = False
    assert ck.to_bchw(image).shape == (1, 3, 4, 5)
    batch = ck.to_bchw(image)
    batch.flags.writeable = False
    np.testing.assert_array_equal(ck.from_bchw(batch, "uint8")[0], image)


# ---- values -----------------------------------------------------------------------------------------


def test_signs_nan_and_inf_are_kept(isa):
    image = np.array([-0.0, np.nan, np.inf, -np.inf, 1e-45], np.float32).reshape(1, 5, 1)
    found = ck.to_bchw(image)
    np.testing.assert_array_equal(found.ravel().view(np.uint32), image.ravel().view(np.uint32))
    np.testing.assert_array_equal(np.signbit(ck.from_bchw(found)), np.signbit(image[None]))


@pytest.mark.parametrize(
    "settings", [{"scale": 1e300}, {"scale": 1e37}, {"mean": 1e39}, {"std": 1e-45}, {"std": 1e-320}]
)
def test_factors_that_lead_beyond_float32(settings):
    with pytest.raises(ValueError, match="scale, mean and std lead beyond the numbers of float32"):
        ck.to_bchw(np.full((2, 2, 3), 255, np.uint8), **settings)
    if settings != {"scale": 1e37}:
        with pytest.raises(ValueError, match="lead beyond the numbers of float32"):
            ck.from_bchw(np.ones((1, 3, 2, 2), np.float32), **settings)
        assert np.isfinite(ck.to_bchw(np.ones((2, 2, 3)), dtype="float64", scale=1e100)).all()


def test_no_number_becomes_infinite(isa):
    image = np.ones((50, 60, 3))
    image[-1, -1, -1] = 1e39
    with pytest.raises(ValueError, match='overflows float32; pass dtype="float64"'):
        ck.to_bchw(image)
    with pytest.raises(ValueError, match="overflows float32"):
        ck.to_bchw(image[:, ::-1])
    with pytest.raises(ValueError, match="overflows float32"):
        ck.from_bchw(ck.to_bchw(image, dtype="float64"), "float32")
    image[-1, -1] = np.inf, -np.inf, np.nan
    assert np.isinf(ck.to_bchw(image)).sum() == 2


@pytest.mark.parametrize("real", ["float32", "float64"])
def test_a_single_nan_is_found(isa, threads, real):
    for image, channel, y, x in ((1, 2, 89, 199), (0, 1, 0, 0)):
        batch = np.zeros((2, 3, 90, 200), real)
        batch[image, channel, y, x] = np.nan
        with pytest.raises(ValueError, match="NaN cannot become uint8"):
            ck.from_bchw(batch, "uint8", num_threads=threads)
        assert np.isnan(ck.from_bchw(batch)[image, y, x, channel])


def test_masks_are_zero_and_one():
    mask = rng.random((6, 7)) > 0.5
    np.testing.assert_array_equal(ck.to_bchw(mask)[0, 0], mask)
    np.testing.assert_array_equal(ck.to_bchw(mask, scale="unit")[0, 0], mask)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (
            {"scale": "unit", "dtype": None},
            TypeError,
            'uint8 does not hold normalised values; pass dtype="float32"',
        ),
        ({"scale": "percent"}, ValueError, "scale is 'percent'; expected \"unit\" or a number"),
        ({"scale": 0}, ValueError, "scale is 0"),
        ({"scale": np.nan}, ValueError, "scale is nan"),
        ({"mean": [0.5, 0.5]}, ValueError, "mean has 2 numbers and the images 3 channels"),
        ({"mean": [0.5, np.inf, 0.5]}, ValueError, r"mean\[1\] is inf"),
        ({"std": [0.5, 0, 0.5]}, ValueError, "std is 0"),
        ({"std": "0.5"}, TypeError, "std is '0.5'"),
        ({"order": "GBR"}, ValueError, "order is 'GBR'"),
        ({"num_threads": 0}, ValueError, "num_threads is 0"),
    ],
)
def test_what_does_not_fit_is_refused(given, error, message):
    with pytest.raises(error, match=message):
        ck.to_bchw(noise((4, 5, 3), "uint8"), **given)


def test_units_are_for_integers():
    with pytest.raises(ValueError, match='scale is "unit", and float32 has no range'):
        ck.to_bchw(noise((4, 5, 3), "float32"), scale="unit")
    with pytest.raises(ValueError, match='scale is "unit", and the images of float32 have no range'):
        ck.from_bchw(noise((1, 3, 4, 5), "float32"), scale="unit")
    with pytest.raises(ValueError, match='order is "BGR" and there are 1 channels'):
        ck.to_bchw(noise((4, 5), "uint8"), order="BGR")
    with pytest.raises(TypeError, match="a batch of uint8 is not normalised"):
        ck.from_bchw(noise((1, 3, 4, 5), "uint8"), mean=0.5)


def test_channels_never_mix():
    """A picture whose channels are constants: any mixture would show."""
    image = np.empty((11, 4099, 3), np.uint8)
    image[...] = 10, 20, 30
    batch = ck.to_bchw(image)
    for channel, value in enumerate((10, 20, 30)):
        assert (batch[0, channel] == value).all()


# ---- diagnosis --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [*DTYPES, "bool", "int64", "uint32", "float16"])
@pytest.mark.parametrize("shape", [(6, 7), (6, 7, 3), (6, 7, 4), (2, 6, 7, 3)])
def test_the_call_that_is_told_makes_a_batch(shape, dtype):
    array = np.ones(shape, dtype)
    call = ck.describe(array).rsplit("a batch: ", 1)[1]
    assert eval(call, {"ck": ck, "np": np, "array": array}).shape[-2:] == (6, 7)

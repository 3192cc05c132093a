"""What is special to filters that compare: NaN and zeros, steps within kernels, footprints, words of bits."""

import numpy as np
import pytest

import convkit as ck
from convkit import _reference

f = ck.filters
rng = np.random.default_rng(12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nan_is_above_every_number(isa, dtype):
    image = np.array([[np.nan, 1, np.inf, -np.inf, -np.nan, 2, 3]], dtype)
    np.testing.assert_array_equal(f.minimum(image, (1, 2)), [[np.inf, 1, 1, -np.inf, -np.inf, 2, 2]])
    np.testing.assert_array_equal(f.maximum(image, (1, 2))[0, [0, 1, 4, 6]], [np.nan, np.nan, np.nan, 3])
    np.testing.assert_array_equal(f.median(image, (1, 3))[0, [0, 1, 4, 5]], [np.nan, np.inf, 2, 3])
    np.testing.assert_array_equal(f.threshold(image, 1.5), [[0, 0, 255, 0, 0, 255, 255]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["minimum", "maximum", "median"])
def test_no_bit_depends_on_the_place(isa, dtype, name):
    """Zeros of both signs and many NaN, cut anywhere, give the same bits."""
    values = np.array([0.0, -0.0, np.nan, -np.nan, 1.0], dtype)
    image = rng.choice(values, (40, 150))
    whole = getattr(f, name)(image, 5)
    for top, left in ((7, 31), (1, 90), (18, 2)):
        part = getattr(f, name)(image[top:, left:], 5)
        assert part[2:, 2:].tobytes() == whole[top + 2 :, left + 2 :].tobytes()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("width", [5, 37, 150])
def test_windows_of_one_pixel_copy_it(isa, threads, dtype, width):
    """Bit by bit, whether rows touch or not, but for NaN, which is that of larger windows."""
    image = rng.choice(np.array([0.0, -0.0, np.nan, -np.nan, -np.inf, 1e-40, -2.5], dtype), (23, width))
    nan = f.maximum(np.full((1, 2), np.nan, dtype), (1, 2))[0, 0]
    expected = np.where(np.isnan(image), nan, image)
    assert f.minimum(image, 1, num_threads=threads).tobytes() == expected.tobytes()
    assert f.maximum(image[:, 1:], 1, num_threads=threads).tobytes() == expected[:, 1:].tobytes()


@pytest.mark.parametrize("extent", [1, 2, 3, 4, 5, 6, 8, 20, 21, 22, 31, 80, 81, 101])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float64])
def test_extents_around_every_step(isa, extent, dtype):
    image = rng.integers(0, 256, (37, 211)).astype(dtype)
    for size in ((extent, 1), (1, extent), (extent, extent)):
        np.testing.assert_array_equal(f.minimum(image, size), _reference.extreme(image, size, False))


@pytest.mark.parametrize("size", [(1, 1), (1, 3), (7, 1), (3, 7), (9, 9), (21, 5), (65, 3)])
@pytest.mark.parametrize("channels", [(), (3,), (40,)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_medians_of_any_window(isa, threads, size, channels, dtype):
    image = rng.integers(0, 256, (15, 30, *channels)).astype(dtype)
    found = f.median(image, size, border="reflect", num_threads=threads)
    np.testing.assert_array_equal(found, _reference.median(image, size, "reflect"))


@pytest.mark.parametrize("border", ["constant", "edge", "reflect", "symmetric", "wrap", "valid"])
def test_medians_of_rows_that_are_read_where_they_lie(isa, threads, border):
    for shape in [(5, 150), (4, 90, 3), (3, 70000)]:
        image = rng.integers(0, 256, shape, np.uint8)
        found = f.median(image, 3, border=border, cval=7, num_threads=threads)
        np.testing.assert_array_equal(found, _reference.median(image, 3, border, 7))


@pytest.mark.parametrize("name", ["minimum", "median", "closing"])
@pytest.mark.parametrize("border", ["edge", "valid"])
def test_a_window_of_one_pixel_keeps_integers(isa, name, border):
    image = rng.integers(0, 256, (9, 11, 3)).astype(np.int16)[:, ::2]
    np.testing.assert_array_equal(getattr(f, name)(image, 1, border=border), image)


def test_the_largest_median(isa):
    image = rng.integers(0, 256, (4, 5), np.uint8)
    found = f.median(image, 255, border="wrap")
    np.testing.assert_array_equal(found, _reference.median(image, 255, "wrap"))


def test_strips_of_a_median(isa):
    image = rng.integers(0, 256, (9, 5000), np.uint8)
    np.testing.assert_array_equal(f.median(image, 9), _reference.median(image, 9))


@pytest.mark.parametrize("first", [0, 1, 3])
def test_large_outputs_go_around_the_caches(isa, first):
    """Wherever their vectors begin."""
    image = rng.random((1001, 6304), np.float32)
    out = np.full(image.size + 8, -1, np.float32)
    inside = out[first : first + image.size].reshape(image.shape)
    assert inside.nbytes > 24 * 2**20
    ck.filters.minimum(image, (2, 3), border="edge", out=inside)
    padded = np.pad(image, ((1, 0), (1, 1)), "edge")
    down = np.minimum(padded[1:], padded[:-1])
    np.testing.assert_array_equal(inside, np.minimum(np.minimum(down[:, :-2], down[:, 1:-1]), down[:, 2:]))
    for kept in (out[:first], out[first + image.size :]):
        assert (kept == -1).all()
    ck.filters.median(image, 3, out=inside)
    for top in (0, 300, 951):  # small ones do not
        part = ck.filters.median(image[top : top + 50], 3)
        np.testing.assert_array_equal(inside[top + 1 : top + 49], part[1:-1])


def test_opening_and_closing_are_idempotent(isa):
    image = rng.integers(0, 256, (40, 50), np.uint8)
    for footprint in (4, (2, 5), [[1, 1, 0], [0, 1, 0]], rng.random((5, 4)) < 0.5):
        opened, closed = f.opening(image, footprint), f.closing(image, footprint)
        assert (opened <= image).all()
        assert (closed >= image).all()
        np.testing.assert_array_equal(f.opening(opened, footprint), opened)
        np.testing.assert_array_equal(f.closing(closed, footprint), closed)


def test_a_full_footprint_is_its_size(isa):
    image = rng.integers(0, 256, (20, 30), np.uint8)
    np.testing.assert_array_equal(f.erode(image, np.ones((3, 5))), f.erode(image, (3, 5)))


@pytest.mark.parametrize("border", ["constant", "edge", "reflect", "symmetric", "wrap"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32, np.float64])
def test_few_elements_give_the_bits_of_each_pixel(isa, border, dtype):
    """Rows of any width and alignment; those of gapped pixels are read as lines of keys."""
    masks = [
        [[0, 1, 0], [1, 1, 1], [0, 1, 0]],
        [[1, 0, 1]],
        [[0, 1], [1, 0], [1, 1]],
        rng.random((5, 4)) < 0.5,
    ]
    if np.dtype(dtype).kind == "f":  # few zeros below 0 and few NaN, so that there are vectors without
        values, weights = np.array([0, -0.0, 1, 2, np.nan, -np.nan, 7]), np.array([20, 1, 9, 9, 0.2, 0.2, 9])
    else:
        values, weights = np.arange(256.0), np.ones(256)
    for width in (*range(5, 71), 101, 150, 201, 333):
        mask, name = np.array(masks[width % 4], bool), ["erode", "dilate"][width // 4 % 2]
        image = rng.choice(values, (6, width), p=weights / weights.sum()).astype(dtype)
        around = np.full((6, width + 9), 5, dtype)
        first = width % 8
        getattr(f, name)(image, mask, border=border, out=around[:, first : first + width])
        expected = np.full_like(around, 5)
        few = getattr(f, name)(image[:, ::-1].copy()[:, ::-1], mask, border=border)
        expected[:, first : first + width] = few
        assert around.tobytes() == expected.tobytes(), width


@pytest.mark.parametrize("height", [63, 64, 65, 200])
@pytest.mark.parametrize("width", [63, 64, 65, 130])
def test_edges_run_through_words_and_bands(isa, threads, height, width):
    """A spiral of weak pixels from one strong one, which hysteresis must follow in all directions."""
    image = np.zeros((height, width), np.uint8)
    for i in range(0, min(height, width) // 2, 8):
        image[i : height - i, i : width - i] = 60 if i % 16 == 0 else 20
    image[0:4, 0:4] = 255
    found = f.canny(image, 30, 600, num_threads=threads)
    np.testing.assert_array_equal(found, _reference.canny(image, 30, 600))


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("step", [8, 12, 21])
def test_edges_wind_through_words_and_bands(isa, threads, step, turned):
    """A comb, whose one contour runs up and down every tooth, strong only at the tip of the first."""
    image = np.zeros((210, 333), np.uint8)
    for x in range(5, 320, step):
        image[5:-5, x : x + step // 2] = 60
    image[-9:-5, 5:320] = 60
    image[5:9, 5 : 5 + step // 2] = 100
    image = image.T if turned else image
    found = f.canny(image, 30, 380, num_threads=threads)
    np.testing.assert_array_equal(found, _reference.canny(image, 30, 380))
    np.testing.assert_array_equal(found, f.canny(image, 30, 30))


def test_canny_after_a_blur(isa):
    image = rng.integers(0, 256, (40, 50), np.uint8)
    expected = f.canny(f.gaussian(image, 1.2, border="edge"), 20, 60)
    np.testing.assert_array_equal(f.canny(image, 20, 60, sigma=1.2), expected)
    assert f.canny(image, 60, 20, sigma=1.2, border="valid").shape == (38, 48)


@pytest.mark.parametrize("diameter", [3, 9, 25])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_bilateral_weights_of_any_diameter(isa, threads, dtype, diameter):
    """Whether neighbours share them or not, in lines of one part and of several, and where a tile begins."""
    for shape in ((27, 33), (5, 530), (9, 60, 3), (9, 20, 5)):
        image = rng.integers(0, 200, shape).astype(dtype)
        found = f.bilateral(image, diameter, 40.0, 3.0, num_threads=threads)
        expected = _reference.to_dtype(_reference.bilateral(image, diameter, 40.0, 3.0), dtype)
        relative, absolute = {np.uint8: (0, 1), np.float32: (1e-5, 0), np.float64: (1e-12, 0)}[dtype]
        np.testing.assert_allclose(found.astype(float), expected, rtol=relative, atol=absolute)
        image = np.pad(image, [(diameter, diameter)] * 2 + [(0, 0)] * (image.ndim - 2), "wrap")
        whole = f.bilateral(image, diameter, 40.0, 3.0, border="valid", num_threads=threads)
        for top, left in ((1, 0), (4, 17)):
            part = f.bilateral(image[top:, left:], diameter, 40.0, 3.0, border="valid")
            np.testing.assert_array_equal(part, whole[top:, left:])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(20, 31), (9, 140), (15, 20, 3)])
@pytest.mark.parametrize("tiny", [1e-19, 1e-20, 1e-160, 1e-200, 5e-324])
def test_bilateral_of_tiny_deviations_is_the_image(isa, dtype, shape, tiny):
    image = (rng.random(shape) * 255).astype(dtype)
    for sigmas in ((tiny, 1.0), (30.0, tiny), (tiny, tiny)):
        found = f.bilateral(image, 5, *sigmas)
        if found.dtype.kind == "f":  # mirrored, a pixel meets itself: a mean of equal numbers is rounded
            np.testing.assert_array_max_ulp(found, image, 4)
        else:
            np.testing.assert_array_equal(found, image)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_thresholds_between_and_beyond_pixels(isa, dtype):
    image = np.array([[0, 1, 99, 100, 101, 127]], dtype)
    for value in (-1e300, -1e9, -1, -0.5, 0, 0.5, 99.999999999, 100, 100.0000000001, 127, 1e9, 1e300):
        expected = np.where(image.astype(np.float64) > value, 255, 0)
        np.testing.assert_array_equal(f.threshold(image, value), expected)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda image: f.median(image, 4), ValueError, "size is 4; expected an odd number from 1 to 255"),
        (lambda image: f.median(image, 257), ValueError, "size is 257"),
        (lambda image: f.minimum(image, 0), ValueError, "size is 0; expected at least 1"),
        (lambda image: f.erode(image, np.zeros((3, 3))), ValueError, "footprint holds only zeros"),
        (lambda image: f.erode(image, [1, 0, 1]), ValueError, "footprint has shape .*expected 2-D"),
        (lambda image: f.erode(image, 3, cval=256), ValueError, "cval is 256"),
        (lambda image: f.dilate(image, 30, border="valid"), ValueError, "leaves nothing.*window is 30x30"),
        (lambda image: f.canny(image, 1, 2, aperture=2), ValueError, "aperture is 2; expected 3, 5 or 7"),
        (lambda image: f.canny(image, 1, 2, aperture=3.5), TypeError, "aperture is 3.5; expected an integer"),
        (lambda image: f.bilateral(image, 4, 1, 1), ValueError, "diameter is 4; expected an odd number"),
        (
            lambda image: f.bilateral(image, 5, 0, 1),
            ValueError,
            "sigma_color is 0.0; expected a number above",
        ),
        (lambda image: f.bilateral(image, 5, 1, -1), ValueError, "sigma_space is -1"),
        (lambda image: f.canny(image, np.nan, 1), ValueError, "low is nan"),
        (lambda image: f.canny(image, 1, "2"), TypeError, "high is '2'; expected a number"),
        (lambda image: f.canny(image, 1, 2, aperture=1), ValueError, "aperture is 1; expected 3, 5 or 7"),
        (lambda image: f.canny(image, 1, 2, aperture=9), ValueError, "aperture is 9; expected 3, 5 or 7"),
        (lambda image: f.canny(image, 1, 2, l2=1), TypeError, "l2 is 1; expected True or False"),
        (lambda image: f.threshold(image, np.inf), ValueError, "value is inf"),
        (lambda image: f.otsu(np.full((2, 2), np.nan)), ValueError, "image holds NaN or Inf"),
    ],
)
def test_what_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call(np.zeros((20, 25), np.uint8))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("size", [1, 2, 3, 6, 10, 31])
def test_wide_rows_into_outputs_with_gaps(isa, dtype, size):
    """A row of such an output is put together in scratch, of which each row needs all."""
    image = rng.integers(0, 256, (9, 3000)).astype(dtype)
    expected = f.erode(image, size)
    for out in (
        np.empty((9, 3000, 3), dtype)[..., 1],
        np.empty((3000, 9), dtype).T,
        np.empty((9, 3000), dtype)[:, ::-1],
    ):
        np.testing.assert_array_equal(f.erode(image, size, out=out, num_threads=2), expected)

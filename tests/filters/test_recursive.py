"""The recursive Gaussian: how near it is to a Gaussian, borders, and every way to call it."""

import numpy as np
import pytest

from convkit import Pipeline, _reference
from convkit import filters as f

RNG = np.random.default_rng(20)
BORDERS = ["reflect", "symmetric", "edge", "wrap", "constant"]
DTYPES = [np.uint8, np.uint16, np.int16, np.float32, np.float64]


@pytest.mark.parametrize("sigma", [0.1, 0.3, 0.5, 0.8, 1.0, 1.7, 3.0, 7.5, 20.0, 75.0, 300.0, 500.0])
def test_the_stated_error(isa, sigma):
    """Of the weights, and of the worst image for them."""
    reach = int(9 * sigma) + 9
    dot = np.zeros((1, 2 * reach + 1))
    dot[0, reach] = 1
    found = f.recursive_gaussian(dot, sigma, border="edge")[0]
    gaussian = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    error = found - gaussian / gaussian.sum()
    assert abs(error).max() <= 5e-4 * found.max()
    assert abs(error).sum() <= 1e-3
    assert abs(found.sum() - 1) <= 1e-6
    np.testing.assert_allclose(found, found[::-1], rtol=0, atol=1e-6 * found.max())


@pytest.mark.parametrize("sigma", [1.0, 4.0])
def test_images_are_as_near(sigma):
    image = (RNG.random((60, 70)) < 0.5).astype(np.float64)
    expected = _reference.correlate(image, _reference.gaussian(sigma, 8.0), "reflect")
    assert abs(f.recursive_gaussian(image, sigma) - expected).max() <= 1e-3


@pytest.mark.parametrize("border", [*BORDERS, "valid"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sigma", [0.7, (4.0, 1.5), (2.0, 25.0)])
def test_any_sigma_and_shape(isa, sigma, dtype, border):
    small = [(1, 1), (1, 40), (40, 1), (33, 150), (20, 9, 3)] if border != "valid" else []
    for shape in (*small, (43, 262), (41, 270, 19)):
        image = (RNG.random(shape) * 250).astype(dtype)
        found = f.recursive_gaussian(image, sigma, border=border, cval=9, num_threads=2)
        expected = _reference.recursive_gaussian(image, sigma, border, 9)
        assert found.dtype == dtype
        grown = max(1, np.max(sigma) / 10) ** 4
        tolerance = {np.float32: 250e-5, np.float64: 250e-12 * grown}.get(dtype, 0.5 + 1e-3)
        np.testing.assert_allclose(found.astype(np.float64), expected, rtol=0, atol=tolerance)


def test_threads_share_lanes(isa):
    image = RNG.random((500, 700, 3))
    one = f.recursive_gaussian(image, 5.0, num_threads=1)
    for threads in (2, 3, 7):
        np.testing.assert_array_equal(f.recursive_gaussian(image, 5.0, num_threads=threads), one)


@pytest.mark.parametrize("border", BORDERS[:4])
def test_constant_images_stay(isa, border):
    for dtype, tolerance in ((np.uint8, 0), (np.float32, 1e-5), (np.float64, 1e-7)):
        image = np.full((40, 50), 100, dtype)
        found = f.recursive_gaussian(image, 60.0, border=border)
        np.testing.assert_allclose(found, image, rtol=0, atol=tolerance)


def test_a_result_of_integers_stays_in_their_range(isa):
    """Some weights are less than nothing: beside white, black would turn into less."""
    image = np.zeros((1, 400), np.uint8)
    image[:, 200:] = 255
    found = f.recursive_gaussian(image, 10.0)
    assert found[0, 0] == 0
    assert found[0, -1] == 255
    assert (np.diff(found[0].astype(int)) >= 0).all()


def test_one_pixel_spoils_its_channel(isa):
    for value in (np.nan, np.inf, -np.inf):
        image = np.ones((9, 30, 2), np.float32)
        image[4, 7, 1] = value
        found = f.recursive_gaussian(image, 2.0)
        assert not np.isfinite(found[..., 1]).any()
        assert np.isfinite(found[..., 0]).all()
        assert not np.isnan(value) or np.isnan(found[..., 1]).all()


def test_small_differences_between_large_numbers(isa):
    image = RNG.random((60, 50))
    for sigma in (30.0, 500.0):
        found = f.recursive_gaussian(image + 2.0**20, sigma)
        np.testing.assert_allclose(found - 2.0**20, f.recursive_gaussian(image, sigma), rtol=0, atol=1e-6)


def test_the_smallest_sigma_keeps_the_image(isa):
    image = RNG.random((5, 40))
    for sigma in (1e-2, 1e-310):
        np.testing.assert_array_equal(f.recursive_gaussian(image, sigma), image)


@pytest.mark.parametrize("call", ["recursive_gaussian(3, border='valid')", "canny(50, 90, border='valid')"])
def test_chains_know_what_valid_leaves(call):
    chain = Pipeline(f"{call} | median(3) | box(3)")
    image = np.zeros((70, 90), np.uint8)
    height, width = chain(image).shape
    assert f"gives {height}x{width} " in chain.explain(image.shape, np.uint8)
    with pytest.raises(ValueError, match="leaves nothing"):
        chain.explain((2, 90))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"sigma": 0}, ValueError, "sigma is 0"),
        ({"sigma": np.nan}, ValueError, "sigma is nan"),
        ({"sigma": (1, 501.0)}, ValueError, "expected at most 500: shrink the image first"),
        ({"sigma": "2"}, TypeError, "sigma is"),
        ({"sigma": 3, "border": "mirror"}, ValueError, "border is 'mirror'"),
        ({"sigma": 3, "border": "valid"}, ValueError, "border='valid' leaves nothing"),
    ],
)
def test_bad_input(arguments, error, message):
    with pytest.raises(error, match=message):
        f.recursive_gaussian(np.zeros((20, 31), np.uint8), **arguments)

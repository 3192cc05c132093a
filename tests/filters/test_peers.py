"""The same filters by SciPy and scikit-image, where they mean the same."""

import numpy as np
import pytest

import convkit as ck

pytestmark = pytest.mark.peers
ndimage = pytest.importorskip("scipy.ndimage")
skimage_filters = pytest.importorskip("skimage.filters")

SCIPY_BORDERS = {
    "edge": "nearest",
    "reflect": "mirror",
    "symmetric": "reflect",
    "wrap": "wrap",
    "constant": "constant",
}


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(0).standard_normal((23, 31))


@pytest.mark.parametrize(("border", "mode"), SCIPY_BORDERS.items())
def test_scipy(isa, image, border, mode):
    kernel = np.random.default_rng(1).standard_normal((5, 4))
    pairs = [
        (ck.filters.filter2d(image, kernel, border=border), ndimage.correlate(image, kernel, mode=mode)),
        (
            ck.filters.gaussian(image, (1.3, 2.1), border=border),
            ndimage.gaussian_filter(image, (1.3, 2.1), mode=mode),
        ),
        (ck.filters.box(image, (4, 7), border=border), ndimage.uniform_filter(image, (4, 7), mode=mode)),
        (ck.filters.sobel(image, "x", border=border), ndimage.sobel(image, 1, mode=mode)),
        (ck.filters.prewitt(image, "y", border=border), ndimage.prewitt(image, 0, mode=mode)),
        (ck.filters.laplacian(image, 1, border=border), ndimage.laplace(image, mode=mode)),
    ]
    for found, expected in pairs:
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_convolution_flips(isa, image):
    kernel = np.random.default_rng(1).standard_normal((5, 3))
    expected = ndimage.convolve(image, kernel, mode="mirror")
    np.testing.assert_allclose(ck.filters.filter2d(image, kernel, mode="convolve"), expected, atol=1e-12)


@pytest.mark.parametrize("name", ["sobel", "scharr", "prewitt"])
def test_skimage(isa, image, name):
    found = getattr(ck.filters, name)(image, border="symmetric", normalize=True)
    expected = getattr(skimage_filters, name)(image, mode="reflect")
    np.testing.assert_allclose(found * np.sqrt(2), expected, atol=1e-12)


def test_unsharp_mask(isa, image):
    small = image / np.abs(image).max()
    found = ck.filters.sharpen(small, amount=0.7, sigma=2.0)
    expected = skimage_filters.unsharp_mask(small, radius=2.0, amount=0.7, preserve_range=True)
    inner = (slice(8, -8), slice(8, -8))  # the borders differ
    np.testing.assert_allclose(found[inner], expected[inner], atol=1e-12)

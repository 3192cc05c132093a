"""uint8 bits, and borders and kernels in general, beside OpenCV's."""

import cv2
import numpy as np
import pytest

import convkit as ck

BORDERS = {
    "reflect": cv2.BORDER_REFLECT_101,
    "symmetric": cv2.BORDER_REFLECT,
    "edge": cv2.BORDER_REPLICATE,
    "constant": cv2.BORDER_CONSTANT,
}
every_border = pytest.mark.parametrize("border", BORDERS)


@pytest.fixture(params=[(1, 1), (1, 40), (33, 1), (37, 61), (20, 70, 3), (8, 9, 4)], ids=str)
def image(request):
    return np.random.default_rng(1).integers(0, 256, request.param, np.uint8)


def like(image, result):
    """OpenCV drops a channel axis of length 1."""
    return np.asarray(result).reshape(image.shape)


@every_border
@pytest.mark.parametrize("sigma", [(0.4, 0.4), (0.8, 2.5), (1.4, 1.4), (3.3, 0.3), (7.0, 9.0)])
def test_gaussian(isa, image, border, sigma):
    kx, ky = (2 * int(4 * s + 0.5) + 1 for s in sigma[::-1])
    expected = cv2.GaussianBlur(image, (kx, ky), sigmaX=sigma[1], sigmaY=sigma[0], borderType=BORDERS[border])
    np.testing.assert_array_equal(ck.filters.gaussian(image, sigma, border=border), like(image, expected))


@every_border
@pytest.mark.parametrize("size", [1, 3, 5, (7, 3), (1, 9), (3, 4), (6, 2), 15])
def test_box(isa, image, border, size):
    height, width = np.broadcast_to(size, 2).tolist()
    expected = cv2.blur(image, (width, height), borderType=BORDERS[border])
    np.testing.assert_array_equal(ck.filters.box(image, size, border=border), like(image, expected))


@pytest.mark.parametrize("dtype", [np.uint16, np.int16])
@pytest.mark.parametrize("size", [2, 3, (4, 3), (6, 2), 16])
def test_box_of_16_bits(isa, dtype, size):
    limits = np.iinfo(dtype)
    image = np.random.default_rng(2).integers(limits.min, limits.max, (40, 50), dtype, endpoint=True)
    height, width = np.broadcast_to(size, 2).tolist()
    expected = cv2.blur(image, (width, height), borderType=cv2.BORDER_REFLECT_101)
    np.testing.assert_array_equal(ck.filters.box(image, size), expected)


@every_border
@pytest.mark.parametrize("ksize", [1, 3, 5, 7, 9])
@pytest.mark.parametrize(("dtype", "depth"), [(np.float32, cv2.CV_32F), (np.int16, cv2.CV_16S)])
def test_sobel_and_laplacian(isa, image, border, ksize, dtype, depth):
    options = {"border": border, "dtype": dtype}
    if dtype == np.int16 and ksize == 9:
        ksize = 5  # OpenCV has a path of its own for saturated sums
    for direction, dx, dy in (("x", 1, 0), ("y", 0, 1)):
        expected = cv2.Sobel(image, depth, dx, dy, ksize=ksize, borderType=BORDERS[border])
        found = ck.filters.sobel(image, direction, ksize=ksize, **options)
        np.testing.assert_array_equal(found, like(image, expected))
    expected = cv2.Laplacian(image, depth, ksize=ksize, borderType=BORDERS[border])
    np.testing.assert_array_equal(ck.filters.laplacian(image, ksize, **options), like(image, expected))


@every_border
def test_scharr(isa, image, border):
    for direction, dx, dy in (("x", 1, 0), ("y", 0, 1)):
        expected = cv2.Scharr(image, cv2.CV_32F, dx, dy, borderType=BORDERS[border])
        found = ck.filters.scharr(image, direction, border=border)
        np.testing.assert_array_equal(found, like(image, expected))


@every_border
@pytest.mark.parametrize(("dtype", "depth"), [(np.uint8, cv2.CV_8U), (np.int16, cv2.CV_16S)])
@pytest.mark.parametrize("shape", [(3, 3), (1, 5), (4, 2), (5, 5)])
def test_filter2d_with_integers(isa, image, border, dtype, depth, shape):
    kernel = np.random.default_rng(3).integers(-5, 6, shape).astype(np.float32)
    anchor = (shape[0] - 1, 0)
    expected = cv2.filter2D(image, depth, kernel, anchor=anchor[::-1], delta=4, borderType=BORDERS[border])
    found = ck.filters.filter2d(image, kernel, anchor=anchor, delta=4.0, border=border, dtype=dtype)
    np.testing.assert_array_equal(found, like(image, expected))


def test_sepfilter2d(isa):
    image = np.random.default_rng(4).standard_normal((40, 50, 3)).astype(np.float32)
    kernel_x, kernel_y = np.array([1, 2, 4, 2, 1]) / 10, np.array([3.0, 1.0, -3.0])
    expected = cv2.sepFilter2D(image, cv2.CV_32F, kernel_x, kernel_y, borderType=cv2.BORDER_REFLECT_101)
    np.testing.assert_allclose(ck.filters.sepfilter2d(image, kernel_x, kernel_y), expected, atol=2e-6)


def test_floats(isa):
    image = np.random.default_rng(5).standard_normal((40, 50, 3)).astype(np.float32)
    blurred = cv2.GaussianBlur(image, (13, 13), 1.5, borderType=cv2.BORDER_REFLECT_101)
    np.testing.assert_allclose(ck.filters.gaussian(image, 1.5), blurred, atol=2e-6)
    box = cv2.blur(image, (6, 4), borderType=cv2.BORDER_REFLECT_101)
    np.testing.assert_allclose(ck.filters.box(image, (4, 6)), box, atol=2e-6)

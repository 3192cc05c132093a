"""Derivatives of Gaussians, polar gradients, kernels that are taken apart, and the sums of wide images."""

from functools import partial

import numpy as np
import pytest

import convkit as ck
from convkit import _reference
from convkit.ops import box, factors, spectral

F32, F64 = np.dtype(np.float32), np.dtype(np.float64)
RNG = np.random.default_rng(0)


# ---- Gaussians and gradients ------------------------------------------------------------------------
def derivative(sigma, radius, order):
    """By differences of the continuous function, ever finer."""
    x = np.arange(-radius, radius + 1.0)
    phi = np.exp(-(x**2) / (2 * sigma**2))
    hermite = {0: 1, 1: x / sigma**2, 2: x**2 / sigma**4 - sigma**-2, 3: x**3 / sigma**6 - 3 * x / sigma**4}
    return hermite[order] * phi / phi.sum()  # of a correlation: odd orders change their sign


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (2, 0), (1, 2), (3, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
def test_derivatives_of_a_gaussian(isa, order, dtype):
    image = (RNG.random((30, 41, 2)) * 200).astype(dtype)
    found = ck.filters.gaussian(image, (1.2, 0.8), order=order)
    kernel = np.outer(derivative(1.2, 5, order[0]), derivative(0.8, 3, order[1]))
    assert found.dtype == (dtype if dtype == np.float64 else np.float32)
    expected = _reference.correlate(image, kernel, "reflect")
    np.testing.assert_allclose(found, expected, atol=1e-4 if found.dtype == F32 else 1e-11)


@pytest.mark.parametrize("sigma", [1e-30, 1e-110, 1e-200, 5e-324])
@pytest.mark.parametrize("ksize", [5, 31])
def test_the_least_sigmas(sigma, ksize):
    """All weights but one are 0, and that one may be a large number."""
    image = RNG.random((10, 20))
    np.testing.assert_array_equal(ck.filters.gaussian(image, sigma, ksize=ksize), image)
    for order in (1, (0, 3), (3, 1)):
        np.testing.assert_array_equal(ck.filters.gaussian(image, sigma, ksize=ksize, order=order), 0 * image)
    if sigma >= 1e-110:
        found = ck.filters.gaussian(image, sigma, ksize=ksize, order=(0, 2))
        np.testing.assert_allclose(found, -image / sigma / sigma, rtol=1e-15)
    np.testing.assert_array_equal(ck.filters.gaussian_gradient(image, sigma), 0 * image)


def test_a_gaussian_in_another_dtype():
    image = RNG.integers(0, 256, (20, 30), np.uint8)
    exact = ck.filters.gaussian(image.astype(np.float64), 1.0)
    np.testing.assert_allclose(ck.filters.gaussian(image, 1.0, dtype=np.float32), exact, atol=1e-4)
    np.testing.assert_array_equal(ck.filters.gaussian(image, 1.0, order=1, dtype=np.int16).dtype, np.int16)


@pytest.mark.parametrize("name", ["sobel", "scharr", "prewitt", "gaussian_gradient"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1, 1), (17, 33), (9, 21, 3)])
def test_polar_is_both(isa, threads, name, dtype, shape):
    image = (RNG.random(shape) * 200).astype(dtype)
    call = getattr(ck.filters, name)
    more = {"sigma": 1.0} if name == "gaussian_gradient" else {}
    length, turn = call(image, direction="polar", num_threads=threads, **more)
    np.testing.assert_allclose(length, call(image, direction="magnitude", **more), rtol=3e-7)
    np.testing.assert_array_equal(turn, call(image, direction="angle", **more))
    out = np.empty((2, *shape[::-1]), length.dtype).transpose(0, *range(len(shape), 0, -1))
    assert call(image, direction="polar", out=out, **more) is out
    np.testing.assert_array_equal(out, [length, turn])


@pytest.mark.parametrize(("dtype", "error"), [(np.float32, 5e-7), (np.float64, 1e-15)])
def test_angles(isa, dtype, error):
    """Of every pair of numbers, even of zeros and infinities."""
    around = np.linspace(0, 2 * np.pi, 5001)
    x, y = (np.array([f(around) * 10.0**e for e in (-30, 0, 30)]).astype(dtype) for f in (np.cos, np.sin))
    np.testing.assert_allclose(turn_of(x, y), np.arctan2(y, x), rtol=0, atol=error * np.pi)
    special = np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf], dtype)
    x, y = (grid.ravel()[None] for grid in np.meshgrid(special, special))
    x[x == 0] = y[y == 0] = 0  # sums have no zeros below 0
    np.testing.assert_allclose(turn_of(x, y), np.arctan2(y, x), rtol=0, atol=error * np.pi)
    nan = np.array([[np.nan, 1.0, np.nan]], dtype)
    assert np.isnan(turn_of(nan, nan[:, ::-1])[0, ::2]).all()


def turn_of(x, y):
    """The angle of each (x, y), which two kernels of one weight pick from an image of both."""
    from convkit.ops import stencil

    pick = [(np.ones(1), np.eye(1, 2, column)[0]) for column in range(2)]
    image = np.stack([x, y], -1).reshape(len(x), -1)
    operation = stencil.separable(*pick, combine="angle", anchor=(0, 0))
    options = {"border": "edge", "cval": 0.0, "dtype": image.dtype, "out": None, "num_threads": 1}
    return stencil.apply(operation, image, **options)[:, ::2]


# ---- kernels that are taken apart -------------------------------------------------------------------
OUTER = np.outer(RNG.standard_normal(7), RNG.standard_normal(9))


@pytest.mark.parametrize(
    ("kernel", "count"),
    [
        (OUTER, 1),
        (np.float64(np.float32(OUTER)), 1),
        (OUTER + np.outer(RNG.standard_normal(7), RNG.standard_normal(9)), 2),
        (RNG.standard_normal((7, 9)), None),
        (np.outer([3, 10, 3], [-1, 0, 1]), 1),
        (np.outer([0, 2, 4], [6, 0, 9]), 1),
        (np.outer([1, 2, 1], [1, 0, -1]) + np.eye(3), None),
        (np.zeros((3, 3)), None),
        (np.array([[0.5]]), 1),
    ],
)
def test_factors(kernel, count):
    found = factors.factors(kernel, F32)
    assert (found is None) == (count is None)
    if found:
        assert len(found) == count
        product = sum(np.outer(*pair) for pair in found)
        np.testing.assert_allclose(product, kernel, rtol=2**-22)
        integral = (kernel == np.rint(kernel)).all()
        assert not integral or all((line == np.rint(line)).all() for pair in found for line in pair)


@pytest.mark.parametrize("border", ["constant", "edge", "reflect", "symmetric", "wrap", "valid"])
@pytest.mark.parametrize("method", ["auto", "direct", "separable", "fft"])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_methods_agree(isa, method, border, dtype):
    image = (RNG.random((40, 51, 2)) * 200).astype(dtype)
    out = np.float64 if dtype == np.float64 else np.float32
    options = {"border": border, "cval": 3.0, "anchor": (1, 7), "delta": 2.0, "scale": 0.5, "dtype": out}
    found = ck.filters.filter2d(image, OUTER, method=method, **options)
    expected = 0.5 * _reference.correlate(image, OUTER, border, 3.0, (1, 7)) + 2
    np.testing.assert_allclose(found, expected, atol=5e-4 if out == np.float32 else 1e-11)


@pytest.mark.parametrize("divisor", [2, 6, 9, 12])
@pytest.mark.parametrize("width", [3, 31, 70])
def test_weights_over_a_divisor_are_summed_as_integers(isa, divisor, width):
    """So that a tie is one, and goes to the even number."""
    image = RNG.integers(0, 256, (20, width), np.uint8)
    column, row = np.array([1, 2, -1]), np.array([1, 3, 0, 1, -2])
    exact = _reference.correlate(image, np.outer(column, row), "edge")
    expected = np.clip(np.rint(exact / divisor), 0, 255)
    weights = (column / divisor).tolist()
    found = ck.filters.sepfilter2d(image, row, weights, border="edge")
    np.testing.assert_array_equal(found, expected)
    kernel = np.outer(column, row) / divisor
    for method in ("auto", "direct"):
        np.testing.assert_array_equal(
            ck.filters.filter2d(image, kernel, border="edge", method=method), expected
        )
    found = ck.filters.filter2d(image, kernel, border="edge", scale=0.25, delta=9.5)
    np.testing.assert_array_equal(found, np.clip(np.rint(exact / divisor / 4 + 9.5), 0, 255))


def test_a_kernel_that_was_changed_is_another():
    image, kernel = RNG.random((9, 9)), [[0.0, 1.0], [0.0, 0.0]]
    before = ck.filters.filter2d(image, kernel)
    kernel[0][1] = 2.0
    np.testing.assert_array_equal(ck.filters.filter2d(image, kernel), 2 * before)
    weights = np.array(kernel)
    np.testing.assert_array_equal(ck.filters.filter2d(image, weights), 2 * before)
    weights[0, 1] = 3.0
    np.testing.assert_array_equal(
        ck.filters.filter2d(image, weights), ck.filters.filter2d(3 * image, kernel) / 2
    )


def test_fft_of_a_kernel_larger_than_the_image():
    image, kernel = RNG.standard_normal((5, 700)), RNG.standard_normal((40, 90))
    found = ck.filters.filter2d(image, kernel, method="fft", border="wrap")
    np.testing.assert_allclose(found, _reference.correlate(image, kernel, "wrap"), atol=1e-11)


def test_fft_has_the_same_bits_for_any_number_of_threads(isa):
    image, kernel = RNG.standard_normal((900, 700)).astype(np.float32), RNG.standard_normal((31, 31))
    found = [ck.filters.filter2d(image, kernel, method="fft", num_threads=n) for n in (1, 2, 3, 7)]
    for other in found[1:]:
        np.testing.assert_array_equal(found[0], other)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("tile", [(16, 256), (32, 512), (64, 256), (128, 1024)])
@pytest.mark.parametrize("border", ["reflect", "constant", "valid"])
def test_fft_of_tiles_of_every_kind(isa, monkeypatch, dtype, tile, border):
    """Down and across in steps of two and of four; three channels leave the last tile alone."""
    monkeypatch.setattr(spectral, "_tile", lambda *shapes: tile)
    image = RNG.standard_normal((50, 300, 3)).astype(dtype)[:, ::-1]
    kernel = RNG.standard_normal((14, 23))
    found = ck.filters.filter2d(image, kernel, method="fft", border=border, cval=2.0, anchor=(9, 20))
    expected = _reference.correlate(image, kernel, border, 2.0, (9, 20))
    error = 2e-6 if dtype == np.float32 else 1e-14
    np.testing.assert_allclose(found, expected, atol=error * abs(expected).max())


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_fft_keeps_what_is_not_finite_where_it_is(isa, value):
    image, kernel = RNG.random((300, 200), np.float32), RNG.random((15, 16))
    before = ck.filters.filter2d(image, kernel)
    assert ck.filters.explain(kernel).startswith("fft")
    spoilt = image.copy()
    spoilt[100, 150] = value
    np.testing.assert_array_equal(
        ck.filters.filter2d(spoilt, kernel), ck.filters.filter2d(spoilt, kernel, method="direct")
    )
    np.testing.assert_array_equal(ck.filters.filter2d(image, kernel), before)


@pytest.mark.parametrize("outputs", [(1, 1), (2160, 3840), (5, 9)])
@pytest.mark.parametrize("extent", [(1, 1), (31, 31), (700, 90)])
def test_fft_tiles_give_outputs(outputs, extent):
    tile = spectral._tile(outputs, extent, 64, 4)
    for length, n, reach in zip(tile, outputs, extent, strict=True):
        assert length & (length - 1) == 0
        step = spectral._step(n, length, reach)
        assert 1 <= step <= length - reach + 1


def test_explain():
    explain = ck.filters.explain
    assert explain(OUTER) == "separable: an outer product: 16 products a pixel instead of 63"
    assert explain(OUTER, method="direct") == "direct: asked for; 63 products a pixel"
    assert explain(np.float32(OUTER), np.float64).startswith("direct")
    assert explain(RNG.standard_normal((45, 45))).startswith("fft")
    pierced, sparse = RNG.standard_normal((13, 13)), np.diag(RNG.standard_normal(45))
    assert explain(pierced).startswith("direct")
    pierced[9, 9] = 0  # weights that must read nothing are costly
    assert explain(pierced).startswith("fft")
    assert explain(sparse) == "direct: 45 products a pixel"
    assert explain(np.ones((44, 46)) + np.eye(44, 46), method="auto").startswith(
        "direct"
    )  # integers stay exact
    with pytest.raises(ValueError, match="no sum of 2 outer products; pass method='auto'"):
        explain(RNG.standard_normal((5, 5)), method="separable")
    with pytest.raises(ValueError, match="method is 'svd'"):
        explain(OUTER, method="svd")


# ---- wide images, where rows are read in place; boxes of every size ---------------------------------
WIDE = (11, 700)


@pytest.mark.parametrize("channels", [(), (3,)])
@pytest.mark.parametrize("border", ["constant", "edge", "reflect", "symmetric", "wrap", "valid"])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("name", ["filter2d", "gaussian", "sobel"])
def test_rows_in_place(isa, name, dtype, border, channels):
    """A packed image and the same one with gaps between its pixels have the same bits, which are right."""
    image = (RNG.random((*WIDE, *channels)) * 200).astype(dtype)
    kernel = RNG.standard_normal((3, 6))
    arguments = {"filter2d": {"kernel": kernel}, "gaussian": {"sigma": 1.0}, "sobel": {"direction": "y"}}[
        name
    ]
    apart = np.repeat(image, 2, 1)[:, ::2]
    call = getattr(ck.filters, name)
    found = call(image, border=border, cval=7, **arguments)
    np.testing.assert_array_equal(found, call(apart, border=border, cval=7, **arguments))
    if name == "filter2d" and dtype == np.float64:
        np.testing.assert_allclose(found, _reference.correlate(image, kernel, border, 7), atol=1e-11)


SIZES = [2, (9, 9), (1, 10), (10, 1), 13, (16, 16), (15, 17), (31, 33), (40, 5), (129, 3), 70, 260]


@pytest.mark.parametrize("first", [0, 1, 5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "call", [partial(ck.filters.box, size=13), partial(ck.filters.sobel, direction="y"), ck.filters.sobel]
)
def test_large_outputs_go_around_the_caches(isa, call, dtype, first):
    """Wherever their rows begin: those of small ones are the same."""
    width = 25 * 2**20 // (1300 * np.dtype(dtype).itemsize) + 3
    image = np.resize(RNG.random(9973), (1300, width)).astype(dtype)
    out = np.full(image.size + 8, -1, dtype)
    inside = out[first : first + image.size].reshape(image.shape)
    call(image, out=inside)
    np.testing.assert_array_equal(inside[20:80], call(image[:100])[20:80])
    np.testing.assert_array_equal(inside[-80:-20], call(image[-100:])[20:80])
    np.testing.assert_array_equal(inside[40:60, -30:], call(image[:100])[40:60, -30:])
    for kept in (out[:first], out[first + image.size :]):
        assert (kept == -1).all()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16])
def test_boxes_are_exact(isa, threads, size, dtype):
    limits = np.iinfo(dtype)
    image = RNG.integers(limits.min, limits.max, (90, 150), dtype, endpoint=True)
    found = ck.filters.box(image, size, num_threads=threads)
    kernel = np.ones(np.broadcast_to(size, 2))
    sums = box_sums(image, kernel.shape)
    expected = _reference.to_dtype(sums / kernel.size, dtype, half_up=dtype == np.uint8)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", [np.uint16, np.int16])
@pytest.mark.parametrize("size", [(1, 6), (2, 7), (15, 17), (16, 16), (7, 73), (16, 32), (5, 103)])
def test_means_beside_ties(isa, size, dtype):
    """Sums half-way between two means, and next to it, of any height."""
    limits, area = np.iinfo(dtype), size[0] * size[1]
    means = RNG.integers(limits.min, limits.max, 300)[:, None]
    totals = (means * area + area // 2 + np.arange(-1, 3)).ravel()
    windows = np.repeat((totals // area)[:, None], area, 1)
    windows[:, 1:] += np.arange(1, area) <= (totals % area)[:, None]
    expected = _reference.to_dtype(totals / area, dtype)
    for channels in (1, 3, 4, 6):  # side by side
        image = windows.reshape(-1, channels, *size).transpose(2, 0, 3, 1).reshape(size[0], -1, channels)
        found = ck.filters.box(image.astype(dtype), size, border="valid")[0, :: size[1]]
        np.testing.assert_array_equal(found, expected.reshape(-1, channels))


def test_a_box_of_bytes_that_31_bits_do_not_sum(isa):
    image = RNG.integers(0, 256, (5, 4), np.uint8)
    size = (2905, 2901)
    assert size[0] * size[1] > box.largest_area(image.dtype)
    expected = _reference.to_dtype(box_sums(image, size) / np.prod(size), np.uint8, half_up=True)
    np.testing.assert_array_equal(ck.filters.box(image, size), expected)


@pytest.mark.parametrize("border", ["constant", "edge", "reflect", "symmetric", "wrap", "valid"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16])
def test_boxes_of_any_width(isa, dtype, border):
    """Of rows shorter and longer than a vector, of several channels, packed and apart."""
    limits = np.iinfo(dtype)
    for width, channels, size in [
        (1, 1, (3, 3)),
        (7, 1, (2, 12)),
        (15, 3, (5, 3)),
        (33, 5, 11),
        (70, 2, (1, 17)),
    ]:
        image = RNG.integers(limits.min, limits.max, (13, width, channels), dtype, endpoint=True)
        if border == "valid" and width < np.max(size):
            continue
        kernel = np.ones(np.broadcast_to(size, 2))
        sums = _reference.correlate(image, kernel, border, 9)
        expected = _reference.to_dtype(sums / kernel.size, dtype, half_up=dtype == np.uint8)
        apart = np.repeat(image, 2, 1)[:, ::2]
        for found in (image, apart, np.asfortranarray(image)):
            np.testing.assert_array_equal(ck.filters.box(found, size, border=border, cval=9), expected)


@pytest.mark.parametrize("border", ["constant", "edge", "reflect", "symmetric", "wrap", "valid"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_boxes_of_any_height(isa, dtype, border):
    """Of whole numbers, whose sums are exact in any order."""
    image = RNG.integers(-50, 50, (75, 19, 2)).astype(dtype)
    for rows in range(1, 72):
        size = (rows, 10)
        expected = _reference.correlate(image, np.ones(size), border, 9) / np.prod(size)
        for found in (image, np.repeat(image, 2, 1)[:, ::2]):
            found = ck.filters.box(found, size, border=border, cval=9)
            np.testing.assert_allclose(found, expected, rtol=4 * np.finfo(dtype).eps, atol=0)


def test_tall_boxes_err_no_more(isa):
    image = np.full((8, 64), 1.3, np.float32)
    for rows in (500, 3001, 17501, 32767):
        found = ck.filters.box(image, (rows, 11), border="edge")
        np.testing.assert_allclose(found, image, rtol=1e-6)


@pytest.mark.parametrize("border", ["constant", "edge", "reflect", "symmetric", "wrap", "valid"])
@pytest.mark.parametrize("name", ["sobel", "scharr", "prewitt"])
def test_lengths_of_gradients_of_any_width(isa, threads, name, border):
    """Those of both directions, and of one width the bits of another."""
    call = partial(getattr(ck.filters, name), border=border, cval=0.5, num_threads=threads)
    whole = RNG.standard_normal((9, 90)).astype(np.float32)
    whole[4, 45] = np.nan
    lengths = call(whole)
    for width in [3, 4, 5, *range(15, 90)]:
        image = whole[:, :width]
        found = call(image)
        x, y = (call(image, direction).astype(np.float64) for direction in ("x", "y"))
        np.testing.assert_allclose(found, np.hypot(x, y), rtol=1e-6)
        np.testing.assert_array_equal(found[:, 1 : width - 3], lengths[:, 1 : width - 3])
        np.testing.assert_array_equal(found, call(np.repeat(image, 2, 1)[:, ::2]))


def box_sums(image, shape):
    rows, columns = shape
    sides = [(n // 2, n - 1 - n // 2) for n in shape]
    padded = np.pad(image.astype(np.int64), sides, "reflect")
    total = np.pad(padded.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    bands = total[rows:] - total[:-rows]
    return bands[:, columns:] - bands[:, :-columns]


def test_division_by_a_product():
    for area in range(2, box.SMALL**2 + 1):
        factor, shift = box.division(area)
        sums = np.arange(255 * area + 1) + area // 2
        assert max(factor, sums[-1]) < 2**16
        np.testing.assert_array_equal(sums * factor >> 16 >> shift, sums // area)


def test_a_bright_image_stays_bright():
    image = np.full((40, 300), 255, np.uint8)
    for size in (3, 16, 31, 63, 200):
        np.testing.assert_array_equal(ck.filters.box(image, size), image)
    for sigma in (0.3, 1.0, 5.0):
        np.testing.assert_array_equal(ck.filters.gaussian(image, sigma), image)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16])
@pytest.mark.parametrize("width", [20, 129, 300])
def test_sums_are_rounded_and_saturated_wherever_they_are_stored(isa, dtype, width):
    """Halves to the even number, NaN to 0, and all that lies beyond the integers to their ends."""
    limits = np.iinfo(dtype)
    image = (RNG.integers(-40, 40, (6, width)) / 2).astype(np.float32) + limits.max // 2
    image[1, ::3], image[2, ::5], image[3, ::7], image[4, ::2] = np.nan, np.inf, -np.inf, -3e9
    image[5] = np.linspace(limits.max - 9, limits.max + 9, width)
    with np.errstate(invalid="ignore"):
        expected = np.clip(np.rint(np.where(np.isnan(image), 0, image)), limits.min, limits.max).astype(dtype)
        found = ck.filters.sepfilter2d(image, [1.0], [1.0], dtype=dtype)
        np.testing.assert_array_equal(found, expected)
        scaled = ck.filters.sepfilter2d(image, [1.0], [4.0], scale=0.25, dtype=dtype)
    np.testing.assert_array_equal(scaled, expected)


def test_fft_of_channels_is_that_of_each_alone(isa):
    plane, kernel = RNG.random((100, 90)).astype(np.float32), RNG.random((17, 17))
    image = np.dstack([plane * 1e6, plane * 255, plane])
    found = ck.filters.filter2d(image, kernel, method="fft")
    for channel in range(3):
        alone = ck.filters.filter2d(image[..., channel], kernel, method="fft")
        np.testing.assert_array_equal(found[..., channel], alone)


@pytest.mark.parametrize(
    ("size", "one", "three"), [(14, "direct", "direct"), (15, "fft", "direct"), (25, "fft", "fft")]
)
def test_transforms_are_taken_where_they_pay(size, one, three):
    """Channels of a pixel are read and written apart: of three it takes a larger kernel."""
    kernel = RNG.random((size, size))
    for shape, method in (((40, 50), one), ((40, 50, 1), one), ((40, 50, 3), three)):
        image = RNG.random(shape, np.float32)
        np.testing.assert_array_equal(
            ck.filters.filter2d(image, kernel), ck.filters.filter2d(image, kernel, method=method)
        )


def test_fft_errors_stay_near(isa):
    """What is bright at one end of an image does not reach the other, however tiles are paired."""
    image, kernel = np.ones((300, 2000), np.float32), RNG.random((17, 17))
    kernel /= kernel.sum()
    image[:, :20] = 65535
    found = ck.filters.filter2d(image, kernel)
    np.testing.assert_allclose(found[:, 700:], 1, atol=2e-6)


def test_fft_scales_its_kernel(isa):
    image, kernel = RNG.random((40, 50), np.float32), RNG.random((15, 15))
    found = ck.filters.filter2d(image, kernel * 1e-300, scale=1e300, delta=1, method="fft")
    np.testing.assert_allclose(found, ck.filters.filter2d(image, kernel, delta=1), rtol=1e-5)


def test_a_chain_is_planned_without_transforms(monkeypatch):
    monkeypatch.setattr(spectral, "correlate", None)
    chain = ck.Pipeline("gaussian(1) | sobel")
    chain = ck.Pipeline([chain, partial(ck.filters.filter2d, kernel=RNG.random((31, 31)))])
    assert "filter2d" in chain.explain((4000, 6000), "float32", num_threads=1)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16])
@pytest.mark.parametrize("out", [np.float32, np.float64])
def test_normalised_derivatives_of_integers_are_divided_once(isa, dtype, out):
    limits = np.iinfo(dtype)
    image = RNG.integers(limits.min, limits.max, (20, 70), dtype, endpoint=True)
    image[:5] = limits.max
    for function, options, kernel in (
        (ck.filters.prewitt, {}, _reference.prewitt()),
        (ck.filters.sobel, {"ksize": 5}, _reference.sobel(5)),
    ):
        whole = function(image, "x", dtype=np.float64, **options)
        found = function(image, "x", dtype=out, normalize=True, **options)
        np.testing.assert_array_equal(found, (whole / np.abs(kernel).sum()).astype(out))


@pytest.mark.parametrize("scale", [1.0, 0.75, 1.5, 1 / 256])
@pytest.mark.parametrize("delta", [0.0, 0.5, 1 / 512])
@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_scaled_sums_of_integers_are_exact(isa, scale, delta, dtype):
    kernel = RNG.integers(0, 9, (8, 8))
    kernel = kernel * 255 // kernel.sum()
    image = RNG.integers(32768, 65536, (40, 50)).astype(np.uint16)
    exact = _reference.correlate(image, kernel, "reflect") * scale + delta
    expected = exact.astype(dtype) if dtype == np.float32 else np.clip(np.rint(exact), 0, 65535)
    found = ck.filters.filter2d(image, kernel, scale=scale, delta=delta, dtype=dtype)
    np.testing.assert_array_equal(found, expected)

"""Large kernels and windows: the numbers of tiles, however far they reach beyond the image."""

import sys

import numpy as np
import pytest

import convkit as ck
from convkit.ops import box, passes, stencil, window

RNG = np.random.default_rng(0)
BORDERS = ("constant", "edge", "reflect", "symmetric", "wrap")
DTYPES = (np.uint8, np.uint16, np.int16, np.float32, np.float64)


def image_of(dtype, shape):
    return (RNG.random(shape) * 200).astype(dtype)


def padded(line, above, below, border, cval):
    """A line of pixels with what its border adds, in the words of `numpy.pad`."""
    more = {"constant_values": cval} if border == "constant" else {}
    return np.pad(line, (above, below), border, **more)


def along_axis(image, weights, anchor, border, cval):
    """The correlation of each column in float64."""
    below = len(weights) - 1 - anchor
    return np.stack(
        [np.convolve(padded(c, anchor, below, border, cval), weights[::-1], "valid") for c in image.T], 1
    )


def oracle(image, down, along, anchor, border, cval):
    middle = along_axis(image.astype(np.float64), down, anchor[0], border, cval)
    return along_axis(middle.T, along, anchor[1], border, cval * down.sum()).T


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("extent", [(32767, 32767), (24001, 700), (9, 32767), (32767, 8)])
def test_kernels_larger_than_the_image(isa, dtype, border, extent):
    image = image_of(dtype, (11, 14))
    down, along = (RNG.standard_normal(n) for n in extent)
    anchor = extent[0] // 3, extent[1] - 1
    found = ck.filters.sepfilter2d(image, along, down, border=border, cval=3.5, anchor=anchor)
    expected = oracle(image, down, along, anchor, border, 3.5)
    bound = oracle(image, np.abs(down), np.abs(along), anchor, border, 3.5)
    assert (np.abs(found - expected) <= (1e-5 if dtype == np.float32 else 1e-12) * bound).all()


@pytest.mark.parametrize("extent", [(1, 1000), (1, 32767), (32767, 1), (511, 511), (2047, 2047), (8191, 300)])
def test_equal_weights_on_equal_pixels(isa, extent):
    """The worst of float32's roundings: all of them go one way."""
    image = np.full((9, 11), 100.1, np.float32)
    down, along = (np.full(n, 1 / n) for n in extent)
    exact = float(image[0, 0])
    assert np.abs(ck.filters.sepfilter2d(image, along, down) - exact).max() <= 1e-5 * exact
    direct = ck.filters.filter2d(image, np.outer(down, along)[:31], method="direct")
    assert np.abs(direct - exact * down[:31].sum()).max() <= 1e-5 * exact


@pytest.mark.parametrize("value", [np.inf, -np.inf])
@pytest.mark.parametrize("sigma", [0.3, 0.5, (0.4, 5)])
def test_weights_that_vanish_meet_no_infinite_pixel(isa, sigma, value):
    """Of a Gaussian far out some weights are numbers of float64 alone: 0 times infinity would be NaN."""
    image = np.ones((21, 21), np.float32)
    image[10, 10] = value
    y = ck.filters.gaussian(image, sigma, ksize=21)
    assert not np.isnan(y).any()
    assert y[10, 10] == value
    outside = ck.filters.gaussian(np.ones((5, 5), np.float32), sigma, ksize=21, border="constant", cval=value)
    assert not np.isnan(outside).any()


OPERATIONS = {
    "one": lambda image, **more: ck.filters.sepfilter2d(image, np.arange(7), [0.5, 0, 1], scale=0.3, **more),
    "gaussian": lambda image, **more: ck.filters.gaussian(image, (1.3, 2.1), **more),
    "integers": lambda image, **more: ck.filters.sepfilter2d(
        image, [1, -2, 1, 1], [1, 2, 1], delta=2, **more
    ),
    "two": lambda image, **more: ck.filters.unsharp_mask(image, 1.5, 0.7, **more),
    "polar": lambda image, **more: ck.filters.gaussian_gradient(image, 1.2, "polar", **more),
    "magnitude": lambda image, **more: ck.filters.sobel(image, ksize=5, **more),
}


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("border", stencil.BORDERS)
@pytest.mark.parametrize("shape", [(23, 31), (19, 25, 3)])
def test_the_results_of_tiles(isa, threads, monkeypatch, name, dtype, border, shape):
    image = image_of(dtype, shape)
    cval = 7.0 if border == "constant" else 0.0
    expected = OPERATIONS[name](image, border=border, cval=cval, num_threads=1)
    monkeypatch.setattr(passes, "LARGE", 1)
    monkeypatch.setattr(passes, "LARGE_FIXED", 1)
    found = OPERATIONS[name](image.copy(order="F"), border=border, cval=cval, num_threads=threads)
    if name in ("gaussian", "integers") and np.dtype(dtype).kind == "u":
        np.testing.assert_array_equal(found, expected)
    elif found.dtype.kind == "f":
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3 if found.dtype == np.float32 else 1e-11)
    else:
        assert np.abs(found.astype(int) - expected).max() <= 1


def rounded_means(totals, area, dtype):
    """The means of exact sums, as docs/semantics.md has integers rounded."""
    if dtype == np.uint8:
        return (2 * totals.astype(np.int64) + area) // (2 * area)
    return np.rint(totals / area)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("extent", [(32767, 32767), (24001, 700), (90, 32767), (32767, 100)])
def test_means_larger_than_the_image(isa, dtype, border, extent):
    image = image_of(dtype, (11, 14))
    if np.dtype(dtype).kind == "i":
        image -= 100
    down, along = (np.ones(n) for n in extent)
    anchor, area = (extent[0] // 2, extent[1] // 2), extent[0] * extent[1]
    found = ck.filters.box(image, extent, border=border, cval=3)
    totals = oracle(image, down, along, anchor, border, 3.0)
    if np.dtype(dtype).kind != "f":
        np.testing.assert_array_equal(found, rounded_means(totals, area, dtype))
    else:
        bound = totals / area  # pixels are positive
        assert (np.abs(found - bound) <= (1e-5 if dtype == np.float32 else 1e-12) * bound).all()


def found_along_axis(pick, image, extent, anchor, border, outside):
    lines = [padded(c, anchor, extent - 1 - anchor, border, outside) for c in image.T]
    return np.stack([pick(np.lib.stride_tricks.sliding_window_view(c, extent), 1) for c in lines], 1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("extent", [(32767, 32767), (24000, 700), (9, 32767), (32767, 10)])
@pytest.mark.parametrize("name", ["minimum", "maximum"])
def test_extremes_of_windows_larger_than_the_image(isa, dtype, border, extent, name):
    image, pick = image_of(dtype, (11, 14)), np.min if name == "minimum" else np.max
    found = getattr(ck.filters, name)(image, extent, border=border, cval=90)
    down = found_along_axis(pick, image, extent[0], extent[0] // 2, border, 90)
    expected = found_along_axis(pick, down.T, extent[1], extent[1] // 2, border, 90).T
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", ["box", "minimum", "maximum", "closing"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("border", stencil.BORDERS)
@pytest.mark.parametrize("shape", [(5, 6), (5, 6, 3)])
@pytest.mark.parametrize("size", [(14, 11), (30, 4)])
def test_the_results_of_small_windows(isa, threads, monkeypatch, name, dtype, border, shape, size):
    if border == "valid":
        shape = (61, 30, *shape[2:])  # closing leaves something
    image = image_of(dtype, shape)
    if name != "box" and np.dtype(dtype).kind == "f":
        image[1, 2], image[3, 3], image[4, 1] = np.nan, -0.0, np.inf
    monkeypatch.setattr(box, "largest_area", lambda dtype: 0)
    expected = getattr(ck.filters, name)(image, size, border=border, num_threads=1)
    monkeypatch.setattr(box, "LARGE", 1)
    monkeypatch.setattr(window, "_is_vast", lambda extent, shape: True)
    found = getattr(ck.filters, name)(image.copy(order="F"), size, border=border, num_threads=threads)
    assert found.tobytes() == expected.tobytes()


MEASURE = """
import resource

import numpy as np
import convkit as ck

f = ck.filters
f.gaussian(np.zeros((40, 50), np.{dtype}), 1.0, num_threads=1)  # loads the kernels
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
f.{call}
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in other units")
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
@pytest.mark.parametrize(
    "call",
    [
        "gaussian(image, 3000.0)",
        "gaussian(image, 1.0, ksize=32767)",
        "sepfilter2d(image, np.full(32767, 1 / 32767), np.full(32767, 1 / 32767))",
        "gaussian_gradient(image, 3000.0)",
        "box(image, 32767)",
        "box(image, 6000)",
        "minimum(image, 32767)",
        "maximum(image, (9000, 32767), border='wrap')",
        "erode(image, 32767)",
        "closing(image, 32767)",
    ],
)
def test_memory_grows_with_the_kernels_length(run_python, dtype, call):
    image = f"np.ones((40, 50), np.{dtype})"
    assert int(run_python(MEASURE.format(dtype=dtype, call=call.replace("image", image)))) < 64

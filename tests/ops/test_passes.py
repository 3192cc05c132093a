"""Large separable kernels: the numbers of tiles, however far the kernel reaches beyond the image."""

import sys

import numpy as np
import pytest

import convkit as ck
from convkit.ops import passes, stencil

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
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
@pytest.mark.parametrize(
    "call",
    [
        "gaussian(image, 3000.0)",
        "gaussian(image, 1.0, ksize=32767)",
        "sepfilter2d(image, np.full(32767, 1 / 32767), np.full(32767, 1 / 32767))",
        "gaussian_gradient(image, 3000.0)",
    ],
)
def test_memory_grows_with_the_kernels_length(run_python, dtype, call):
    image = f"np.ones((40, 50), np.{dtype})"
    assert int(run_python(MEASURE.format(dtype=dtype, call=call.replace("image", image)))) < 64

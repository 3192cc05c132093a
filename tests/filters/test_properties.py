"""What holds for every registered filter: threads, tiles, strides and outputs do not change a bit."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convkit.filters import registry


def under(name, border, arguments):
    """The arguments with another border, if the filter has one."""
    if registry.get(name).default_border is None:
        return arguments
    return arguments | {"border": border} | ({"cval": 0.0} if border != "constant" else {})


SEEDS = st.integers(0, 2**32 - 1)
every_filter = pytest.mark.parametrize("name", registry.names())
LOCAL = [name for name in registry.names() if registry.get(name).halo is not None]
every_local_filter = pytest.mark.parametrize("name", LOCAL)


@every_filter
@settings(max_examples=8)
@given(seed=SEEDS)
def test_shapes_dtypes_borders(isa, draw, assert_as_reference, name, seed):
    image, arguments = draw(np.random.default_rng(seed), name, 70)
    assert_as_reference(name, image, arguments, [registry.get(name).function(image, **arguments)])


@every_filter
@settings(max_examples=8)
@given(seed=SEEDS)
def test_thread_counts(isa, draw, threads, name, seed):
    image, arguments = draw(np.random.default_rng(seed), name, 70)
    function = registry.get(name).function
    alone = function(image, num_threads=1, **arguments)
    np.testing.assert_array_equal(function(image, num_threads=threads, **arguments), alone)


@every_local_filter
@settings(max_examples=15)
@given(seed=SEEDS)
def test_any_tiling(isa, draw, name, seed):
    """Tiles filtered with their halo and cropped are the whole image's, bit for bit."""
    rng = np.random.default_rng(seed)
    image, arguments = draw(rng, name, 70)
    if arguments.get("border") in ("wrap", "valid"):
        arguments["border"] = "reflect"
    found = registry.get(name)
    halo = found.halo(found.arguments(**arguments))
    whole = found.function(image, **arguments)
    tiled = np.zeros_like(whole)
    for rows, outer_rows in tiles(rng, image.shape[0], max(halo.top, halo.bottom)):
        for columns, outer_columns in tiles(rng, image.shape[1], max(halo.left, halo.right)):
            part = found.function(image[outer_rows, outer_columns], **arguments)
            top, left = rows.start - outer_rows.start, columns.start - outer_columns.start
            height, width = rows.stop - rows.start, columns.stop - columns.start
            tiled[rows, columns] = part[top : top + height, left : left + width]
    np.testing.assert_array_equal(tiled, whole)


def tiles(rng, length, halo):
    """Up to three slices over `length`, each with itself grown by what a mirror at the image's edge needs."""
    cuts = sorted({0, length, *rng.integers(0, length, 2, endpoint=True).tolist()})
    for start, stop in pairwise(cuts):
        inner = slice(start, stop)
        # Mirrors may reach twice the halo into the image; a mirror of a mirror needs all of it.
        grown = slice(max(0, start - 2 * halo), min(length, stop + 2 * halo))
        yield inner, (slice(0, length) if halo >= length // 2 else grown)


@every_local_filter
def test_strips_of_a_wide_image(isa, draw, name):
    """An image too wide for one strip of rows in cache gives what its left and right parts give."""
    rng = np.random.default_rng(5)
    image = rng.integers(0, 256, (5, 50_000), np.uint8)
    arguments = under(name, "reflect", draw(rng, name, 4)[1])
    if name == "gaussian":
        arguments |= {"sigma": 5.0, "ksize": None}
    found = registry.get(name)
    whole = found.function(image, **arguments)
    halo = found.halo(found.arguments(**arguments))
    reach = halo.left + halo.right
    for start in (0, 7_001, 30_000):
        part = found.function(image[:, start : start + 20_000], **arguments)
        inner = slice(reach, 20_000 - reach)
        np.testing.assert_array_equal(part[:, inner], whole[:, start : start + 20_000][:, inner])


VIEWS = {
    "read-only": lambda a: np.frombuffer(a.tobytes(), a.dtype).reshape(a.shape),
    "strided": lambda a: np.repeat(np.repeat(a, 2, 0), 3, 1)[::2, ::3],
    "negative": lambda a: np.ascontiguousarray(a[::-1, ::-1])[::-1, ::-1],
    "fortran": np.asfortranarray,
    "byte-swapped": lambda a: a.astype(a.dtype.newbyteorder()),
    "channel view": lambda a: np.concatenate([a, a], -1)[..., : a.shape[-1]],
    "unaligned": lambda a: np.frombuffer(b"x" + a.tobytes(), a.dtype, offset=1).reshape(a.shape),
}


@every_filter
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "f4", "f8"])
def test_any_memory(draw, name, view, dtype):
    rng = np.random.default_rng(3)
    image = (rng.random((9, 8, 3)) * 200).astype(dtype)
    arguments = under(name, "edge", draw(rng, name, 4)[1])
    function = registry.get(name).function
    kept = image.copy()
    np.testing.assert_array_equal(function(VIEWS[view](image), **arguments), function(image, **arguments))
    np.testing.assert_array_equal(image, kept)


@every_filter
@pytest.mark.parametrize("channels", [(), (1,), (3,)])
def test_out_of_any_strides(isa, draw, name, channels):
    rng = np.random.default_rng(4)
    image = rng.integers(0, 256, (9, 20, *channels), np.uint8)
    arguments = under(name, "wrap", draw(rng, name, 4)[1])
    function = registry.get(name).function
    expected = function(image, **arguments)
    room = np.full((18, 60, *expected.shape[2:]), 7, expected.dtype)
    astray = np.ndarray(expected.shape, expected.dtype, bytearray(expected.nbytes + 1), 1)
    for out in (np.empty_like(expected), np.asfortranarray(expected) * 0, room[::-2, ::3], astray):
        assert function(image, out=out, **arguments) is out
        np.testing.assert_array_equal(out, expected)
    assert (room[::2] == 7).all()
    assert (room[:, 1::3] == 7).all()


@every_filter
def test_an_image_of_one_pixel(isa, draw, name):
    """Every border of a 1×1 image but "constant" repeats its pixel."""
    arguments = draw(np.random.default_rng(6), name, 4)[1]
    function = registry.get(name).function
    one = np.full((1, 1), 9, np.uint8)
    for border in ("reflect", "symmetric", "wrap"):
        expected = function(one, **under(name, "edge", arguments))
        np.testing.assert_array_equal(function(one, **under(name, border, arguments)), expected)


@pytest.mark.parametrize("name", [name for name in registry.names() if not registry.get(name).joint_channels])
def test_channels_are_filtered_alone(isa, draw, name):
    rng = np.random.default_rng(7)
    arguments = under(name, "symmetric", draw(rng, name, 4)[1])
    image = rng.integers(0, 256, (6, 7, 5), np.uint8)
    result = registry.get(name).function(image, **arguments)
    for channel in range(5):
        alone = registry.get(name).function(image[..., channel], **arguments)
        np.testing.assert_array_equal(result[..., channel], alone)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["box", "filter2d", "gaussian", "laplacian", "sepfilter2d", "sharpen"])
def test_nan_and_inf_stay_in_the_receptive_field(isa, name, bad):
    arguments = {
        "box": {"size": 3},
        "filter2d": {"kernel": np.ones((3, 3))},
        "gaussian": {"sigma": 1.0, "ksize": 3},
        "sepfilter2d": {"kernel_x": [1, 2, 1], "kernel_y": [1, 1, 1]},
        "sharpen": {"truncate": 1.0},
    }.get(name, {})
    image = np.zeros((20, 40), np.float32)
    image[10, 20] = bad
    result = registry.get(name).function(image, **arguments)
    touched = np.zeros(image.shape, bool)
    touched[9:12, 19:22] = True
    if name == "laplacian":  # half of its weights are zero, which read nothing
        touched[9:12:2, 20] = touched[10, 19:22:2] = False
    np.testing.assert_array_equal(np.isfinite(result), ~touched)

"""`channel_axis`, stacks, and outputs that lie over their input: for every registered filter."""

import inspect

import numpy as np
import pytest

import convkit as ck
from convkit.filters import registry

rng = np.random.default_rng(11)
every_filter = pytest.mark.parametrize("name", registry.names())


@pytest.fixture
def call(draw, name):
    """The filter under some arguments of its own."""
    arguments = draw(np.random.default_rng(4), name, 4)[1]
    if registry.get(name).default_border is not None:
        arguments |= {"border": "symmetric", "cval": 0.0}
    function = registry.get(name).function
    return lambda image, **more: function(image, **arguments, **more)


def moved(result, image, axis):
    """The result of an HWC image with its channels, if it has any, at `axis` of the image."""
    several = result.ndim - image.ndim  # 1: an axis in front; -1: one plane for all channels
    return result if several < 0 else np.moveaxis(result, -1, axis + several if axis >= 0 else axis)


def stacked(results, image):
    """Results of images as that of their stack."""
    return np.stack(results, max(results[0].ndim - image.ndim, 0))


@every_filter
@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
def test_channels_anywhere(call, name, axis):
    image = rng.integers(0, 256, (9, 12, 3), np.uint8)
    expected = moved(call(image), image, axis)
    view = np.moveaxis(image, -1, axis)
    np.testing.assert_array_equal(call(view, channel_axis=axis), expected)
    np.testing.assert_array_equal(call(np.ascontiguousarray(view), channel_axis=axis), expected)


@every_filter
@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_stacks(call, name, axis):
    images = rng.integers(0, 256, (2, 9, 12, 3), np.uint8)
    if axis is None:
        stack = np.moveaxis(images, -1, 1)
        planes = [stacked([call(plane) for plane in image], image[0]) for image in stack]
        expected = stacked(planes, stack[0])
    else:
        stack = images if axis < 0 else np.moveaxis(images, -1, axis + 1)
        expected = stacked([moved(call(image), image, axis) for image in images], images[0])
        axis += axis >= 0
    result = call(stack, channel_axis=axis)
    np.testing.assert_array_equal(result, expected)
    out = np.empty_like(result)
    assert call(stack, channel_axis=axis, out=out) is out
    np.testing.assert_array_equal(out, result)


@pytest.mark.parametrize("name", [name for name in registry.names() if not registry.get(name).joint_channels])
def test_many_channels(call, name):
    image = rng.integers(0, 256, (4, 9, 40), np.uint8)
    result = call(image, channel_axis=-1)
    np.testing.assert_array_equal(result[..., 7], call(image[..., 7]))


@every_filter
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_out_over_the_image(call, name, dtype):
    image = rng.integers(0, 256, (21, 30)).astype(dtype)
    try:
        expected = call(image)
    except TypeError as error:
        pytest.skip(str(error))
    if expected.dtype == dtype and expected.shape == image.shape:
        own = image.copy()
        assert call(own, out=own) is own
        np.testing.assert_array_equal(own, expected)
        room = np.zeros((24, 30), dtype)
        room[:21] = image
        np.testing.assert_array_equal(call(room[:21], out=room[3:]), expected)
    raw = np.zeros(21 * 30 * max(image.itemsize, expected.itemsize), np.uint8)
    source = raw[: image.nbytes].view(dtype).reshape(image.shape)
    source[:] = image
    out = raw[: expected.nbytes].view(expected.dtype).reshape(expected.shape)
    np.testing.assert_array_equal(call(source, out=out), expected)


def test_a_stack_over_itself():
    stack = rng.random((3, 8, 9)).astype(np.float32)
    expected = ck.filters.box(stack, 3, channel_axis=None)
    ck.filters.box(stack, 3, channel_axis=None, out=stack)
    np.testing.assert_array_equal(stack, expected)


def test_images_of_a_stack_that_share_memory_are_refused():
    stack = np.ones((3, 8, 9), np.float32)
    for strides in ((0, 36, 4), (36, 36, 4)):
        out = np.ndarray(stack.shape, stack.dtype, bytearray(stack.nbytes), 0, strides)
        with pytest.raises(ValueError, match="out is a view whose elements share memory"):
            ck.filters.box(stack, 3, channel_axis=None, out=out)
        assert not out.any()


@pytest.mark.parametrize("call", [ck.filters.otsu, ck.Pipeline("otsu"), ck.Pipeline("otsu | dilate(3)")])
@pytest.mark.parametrize("axis", ["auto", None, 0, -1])
def test_nothing_is_written_where_one_image_is_refused(call, axis):
    stack = rng.random((8, 9, 3)).astype(np.float32)
    out = np.full(stack.shape, 7, np.uint8)
    assert call(stack, channel_axis=axis, out=out) is out
    np.testing.assert_array_equal(out, call(stack, channel_axis=axis))
    stack[-1, -1, -1] = np.nan
    out[:] = 7
    with pytest.raises(ValueError, match="image holds NaN"):
        call(stack, channel_axis=axis, out=out)
    assert (out == 7).all()


@pytest.mark.parametrize("name", registry.names())
def test_which_filters_refuse_pixels(call, name):
    image = rng.standard_normal((9, 12)).astype(np.float32)
    image[1, 2], image[3, 4], image[5, 6] = np.nan, np.inf, -np.inf
    try:
        call(image)
    except ValueError:
        refused = True
    else:
        refused = False
    assert refused == registry.get(name).refuses_pixels


@pytest.fixture
def register(monkeypatch):
    """Register filters for the time of a test."""
    monkeypatch.setattr(registry, "_filters", dict(registry._filters))
    return registry.register(
        halo=lambda _: registry.Halo(0, 0, 0, 0), output_dtype=registry.keeps_dtype, joint_channels=True
    )


@pytest.mark.parametrize("axis", [1, 2, -1])
def test_filters_that_give_one_plane_for_all_channels(register, axis):
    @register
    def strongest(image, *, out=None, num_threads=None):
        """Of each pixel."""
        return image.max(-1, out=out)

    stack = rng.integers(0, 256, (2, 6, 7, 3), np.uint8)
    moved = np.moveaxis(stack, -1, axis)
    np.testing.assert_array_equal(strongest(moved, channel_axis=axis), stack.max(-1))
    out = np.zeros((2, 6, 7), np.uint8)
    assert strongest(moved, channel_axis=axis, out=out) is out
    np.testing.assert_array_equal(out, stack.max(-1))
    one = np.moveaxis(stack[0], -1, axis - (axis > 0))
    np.testing.assert_array_equal(strongest(one, channel_axis=axis - (axis > 0)), stack[0].max(-1))


@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize("axis", [1, 2, -1, None])
def test_filters_that_give_several_images(monkeypatch, axis, joint):
    monkeypatch.setattr(registry, "_filters", dict(registry._filters))

    @registry.register(
        halo=lambda _: registry.Halo(0, 0, 0, 0), output_dtype=registry.keeps_dtype, joint_channels=joint
    )
    def both(image, *, out=None, num_threads=None):
        """The image and its double."""
        return np.stack([image, 2 * image], out=out)

    stack = rng.integers(0, 100, (2, 6, 7, 3), np.uint8)
    moved = stack if axis is None else np.moveaxis(stack, -1, axis)
    expected = np.stack([moved, 2 * moved])
    np.testing.assert_array_equal(both(moved, channel_axis=axis), expected)
    out = np.zeros_like(expected)
    assert both(moved, channel_axis=axis, out=out) is out
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(both(stack[0]), np.stack([stack[0], 2 * stack[0]]))


def test_the_signature_tells():
    assert inspect.signature(ck.filters.box).parameters["channel_axis"].default == "auto"
    assert "    channel_axis : int, optional\n" in ck.filters.box.__doc__


def test_few_rows_of_many_channels_when_told():
    image = rng.integers(0, 256, (3, 48, 64), np.uint8)
    with pytest.raises(ValueError, match="looks like CHW"):
        ck.filters.box(image, 3)
    hwc = ck.filters.box(np.moveaxis(image, 0, -1), 3)
    np.testing.assert_array_equal(ck.filters.box(image, 3, channel_axis=0), np.moveaxis(hwc, -1, 0))
    for name in ("box(3)", "bilateral(3, 20.0, 1.0)"):  # of which one sees all channels
        chain = ck.Pipeline(name)
        rows = chain(np.repeat(image, 3, 0), channel_axis=-1)  # nine rows: HWC as it is
        np.testing.assert_array_equal(chain(np.repeat(image, 3, 0)), rows)
        assert chain(image, channel_axis=-1).shape == image.shape
    with pytest.raises(ValueError, match="looks like CHW"):
        ck.filters.box(image, 3)  # what was told holds for one call


def test_few_rows_of_some_bands_are_an_image():
    tile = rng.integers(0, 256, (3, 20, 13), np.uint8)
    np.testing.assert_array_equal(ck.filters.box(tile, 3)[..., 7], ck.filters.box(tile[..., 7], 3))


def test_rows_that_a_chain_leaves_are_no_channels():
    image = rng.integers(0, 256, (5, 20, 40), np.uint8)
    chain = ck.Pipeline("median(3, border='valid') | bilateral(3, 20.0, 1.0)")
    assert chain(image).shape == (3, 18, 40)

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


def moved(result, start, end):
    """`result` with its channels elsewhere, or as it is where a filter made one plane of them."""
    return result if result.ndim == 2 else np.moveaxis(result, start, end)


@every_filter
@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
def test_channels_anywhere(call, name, axis):
    image = rng.integers(0, 256, (9, 12, 3), np.uint8)
    expected = moved(call(image), -1, axis)
    other = np.moveaxis(image, -1, axis)
    np.testing.assert_array_equal(call(other, channel_axis=axis), expected)
    np.testing.assert_array_equal(call(np.ascontiguousarray(other), channel_axis=axis), expected)


@every_filter
@pytest.mark.parametrize("axis", [None, 1, -1])
def test_stacks(call, name, axis):
    stack = rng.integers(0, 256, (2, 3, 9, 12), np.uint8)
    if axis == -1:
        stack = np.ascontiguousarray(np.moveaxis(stack, 1, -1))
    result = call(stack, channel_axis=axis)
    assert result.flags.c_contiguous or axis is not None
    for image, found in zip(stack, result, strict=True):
        if axis is None:
            for plane, one in zip(image, found, strict=True):
                np.testing.assert_array_equal(one, call(plane))
        else:
            hwc = np.moveaxis(image, 0, -1) if axis == 1 else image
            np.testing.assert_array_equal(moved(found, 0, -1) if axis == 1 else found, call(hwc))
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
    expected = call(image)
    if expected.dtype == dtype:
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


def test_the_signature_tells():
    assert inspect.signature(ck.filters.box).parameters["channel_axis"].default == "auto"
    assert "    channel_axis : int, optional\n" in ck.filters.box.__doc__


def test_few_rows_of_many_channels_when_told():
    image = rng.integers(0, 256, (3, 48, 64), np.uint8)
    with pytest.raises(ValueError, match="looks like CHW"):
        ck.filters.box(image, 3)
    hwc = ck.filters.box(np.moveaxis(image, 0, -1), 3)
    np.testing.assert_array_equal(ck.filters.box(image, 3, channel_axis=0), np.moveaxis(hwc, -1, 0))
    assert ck.filters.box(image, 3, channel_axis=-1).shape == image.shape

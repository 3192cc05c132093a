"""Images in other layouts than HW and HWC, stacks of them, and outputs that overlap their input.

A filter itself knows HW and HWC images alone. What wraps it here hands it such views, one image at a time.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any, Literal, TypeAlias, cast

import numpy as np

from convkit import _checks
from convkit._checks import Array
from convkit.filters.remember import Calls, apart, between

ChannelAxis: TypeAlias = int | Literal["auto"] | None
AUTO: Literal["auto"] = "auto"
"""No stack: an HW image, or an HWC image whose last axis holds the channels."""

PARAMETER = """    channel_axis : int, optional
        The axis of the channels, None for none; all axes before the image's own are then a stack's.
        Default: the last axis of a 3-D image, and no stacks.
"""


def any_layout(
    function: Callable[..., Array],
    joint_channels: bool = False,
    remember: bool = False,
    refuses_pixels: bool = False,
) -> Callable[..., Array]:
    """`function` with the parameter ``channel_axis``, for stacks, and with any `out`.

    Parameters
    ----------
    function : callable
        ``function(image, ..., out=None)`` of an HW or HWC image, whose `out` must not overlap it.
    joint_channels : bool
        Whether channels see each other; else those that do not lie last are filtered as single planes.
    remember : bool
        Whether kernels alone make its result, and are chosen without a look at the pixels.
    refuses_pixels : bool
        Whether it may refuse an image for its pixels: nothing of a stack is then written before all is known.

    Returns
    -------
    callable
        ``channel_axis`` names the axis of the channels, None that there are none; every axis before the
        image's own is a stack's. By default a 3-D image is HWC and stacks are refused: which axis of four
        holds the channels is never guessed.
    """

    asked = Calls(function, remember).result

    @functools.wraps(function)
    def call(
        image: Any, *args: Any, out: Any = None, channel_axis: ChannelAxis = AUTO, **kwargs: Any
    ) -> Array:
        if channel_axis is AUTO or (isinstance(channel_axis, str) and channel_axis == AUTO):
            return asked(image, args, kwargs, out)
        stack = _checks.as_array(image, "image", np.dtype(np.float64))
        one = functools.partial(_call, function, args, kwargs)
        return between(lambda to: _each(one, stack, channel_axis, to, joint_channels), out, refuses_pixels)

    call.__doc__ = (function.__doc__ or "").replace("\n    Returns\n", f"{PARAMETER}\n    Returns\n", 1)
    signature = inspect.signature(function)
    axis = inspect.Parameter("channel_axis", inspect.Parameter.KEYWORD_ONLY, default=AUTO)
    call.__signature__ = signature.replace(parameters=[*signature.parameters.values(), axis])  # type: ignore[attr-defined]
    return call


def _call(function: Callable[..., Array], args: Any, kwargs: Any, image: Array, out: Array | None) -> Array:
    """One image of a stack: where its channels lie was told, whatever its shape looks like."""
    with told():
        return function(image, *args, **kwargs, out=out)


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Images inside are HW or HWC, and of no other layout."""
    token = _checks.layout_told.set(True)
    try:
        yield
    finally:
        _checks.layout_told.reset(token)


def _each(
    call: Callable[[Array, Array | None], Array], image: Array, axis: Any, out: Any, joint: bool
) -> Array:
    """Every image of a stack through `call`, into `out` or a fresh array of the stack's layout."""
    if axis is not None:
        axis = _axis(axis, image)
    as_planes = axis is not None and not joint and axis != image.ndim - 1
    place = -3 if as_planes else -1
    stack = image.ndim - (2 if axis is None or as_planes else 3)
    if stack < 0:
        return call(image, out)  # which refuses it
    source = image if axis is None else np.moveaxis(image, axis, place)
    result = None
    if out is not None:
        source = apart(source, out)
        result = _moved(out, image, axis, place, stack)
    for index in np.ndindex(source.shape[:stack]):
        done = call(source[index], None if result is None else result[index])
        if result is None:
            result = _checks.empty((*source.shape[:stack], *done.shape), done.dtype)
            result[index] = done
    if out is not None:
        return cast("Array", out)
    assert result is not None  # as no axis of an image is empty
    several = result.ndim - image.ndim
    if several == 1:
        result = np.moveaxis(result, stack, 0)
    has_channels = axis is not None and several >= 0
    return np.moveaxis(result, place, axis + several) if has_channels else result


def _axis(value: Any, image: Array) -> int:
    axis = _checks.integer(value, "channel_axis")
    if image.ndim < 3:
        raise ValueError(
            f"channel_axis is {axis} and image has shape {image.shape}, without an axis for channels: "
            "leave channel_axis out"
        )
    if not -image.ndim <= axis < image.ndim:
        raise ValueError(f"channel_axis is {axis}; expected an axis of image, whose shape is {image.shape}")
    return axis % image.ndim


def _moved(out: Any, image: Array, axis: int | None, place: int, stack: int) -> Array:
    """`out` as a stack of views; what is wrong with a single one of them, the filter says.

    It has the layout of `image`; or no channels, of a filter that gives one plane for all; or an axis in
    front, of one that gives several images.
    """
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out is {type(out).__name__}; expected a NumPy array")
    several = out.ndim - image.ndim
    moved = out
    if several in (0, 1):
        moved = out if axis is None else np.moveaxis(out, axis + several, place)
        moved = np.moveaxis(moved, 0, stack) if several else moved
    sizes = image.shape if axis is None else np.moveaxis(image, axis, place).shape
    if several not in (-1, 0, 1) or moved.shape[:stack] != sizes[:stack]:
        raise ValueError(
            f"out has shape {out.shape}; expected the layout of image, whose shape is {image.shape}"
        )
    _checks.refuse_shared(out)  # one image with another, which no filter sees
    return moved

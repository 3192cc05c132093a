"""Sizes of images: resize, letterbox, crop; OpenCV's arithmetic behind our checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from convkit import _checks
from convkit._checks import FLOATS, MAX_CHANNELS, Array
from convkit._opencv import opencv
from convkit.layout.shape import check_pixels, hwc
from convkit.layout.values import saturated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

Method = Literal["area", "linear", "cubic", "nearest", "lanczos"]
METHODS = {
    "area": "INTER_AREA",
    "linear": "INTER_LINEAR",
    "cubic": "INTER_CUBIC",
    "nearest": "INTER_NEAREST_EXACT",
    "lanczos": "INTER_LANCZOS4",
}
LARGEST = 32767
"""Of a side: OpenCV counts some in 16 bits."""


def resize(image: ArrayLike, size: int | tuple[int, int], method: Method = "area") -> Array:
    """An image of another size; pixels are squares, so that corners stay corners.

    Parameters
    ----------
    image : array, HW or HWC with 1 to 4 channels
        uint8, uint16, int16, float32 or float64.
    size : int or pair of ints
        Height and width, in NumPy's order and not in OpenCV's; one number for both.
    method : {"area", "linear", "cubic", "nearest", "lanczos"}
        "area" averages what falls into a pixel, which is what shrinking wants; along a side that grows, it
        is linear between nearly whole pixels. The others look at the nearest pixels alone, and alias when
        they shrink.

    Returns
    -------
    array, HW or HWC
        Same dtype and channels; integers are rounded and saturated.

    Raises
    ------
    ValueError
        Not an image, or a size or method that is none.
    TypeError
        Another dtype.

    Examples
    --------
    >>> import numpy as np, convkit as ck
    >>> ck.resize(np.array([[0, 10], [20, 30]], np.uint8), 1).tolist()
    [[15]]
    >>> ck.resize(np.zeros((480, 640, 3), np.uint8), (240, 320)).shape
    (240, 320, 3)
    """
    _checks.choice(method, "method", tuple(METHODS))
    array = _image(image)
    height, width = _size(size)
    shrinks, grows = height < array.shape[0], height > array.shape[0]
    if method == "area" and ((shrinks and width > array.shape[1]) or (grows and width < array.shape[1])):
        resized = _by_turns(array, height, width)
    else:
        cv2 = opencv()
        resized = cv2.resize(array, (width, height), interpolation=getattr(cv2, METHODS[method]))
    return resized.reshape(height, width, *np.shape(image)[2:])


def _by_turns(array: Array, height: int, width: int) -> Array:
    """First along the side that shrinks, then the one that grows: at once, OpenCV would not average."""
    cv2 = opencv()
    between = (width, array.shape[0]) if width < array.shape[1] else (array.shape[1], height)
    exact = array if array.dtype in FLOATS else array.astype(np.float32)
    shrunk = cv2.resize(exact, between, interpolation=cv2.INTER_AREA)
    return saturated(cv2.resize(shrunk, (width, height), interpolation=cv2.INTER_AREA), array.dtype)


class Letterboxed(NamedTuple):
    """What `letterbox` returns: the image, and where the picture lies in it.

    A place (row, column) of the picture is at ``row * scale + top``, ``column * scale + left`` of the image.
    """

    image: Array
    scale: float
    top: int
    left: int


def letterbox(
    image: ArrayLike,
    size: int | tuple[int, int],
    *,
    fill: float | Sequence[float] = 0,
    method: Method = "area",
) -> Letterboxed:
    """The whole image in the middle of a frame of `size`, its proportions kept.

    Parameters
    ----------
    image : array, HW or HWC with 1 to 4 channels
        See `resize`.
    size : int or pair of ints
        Height and width of the frame.
    fill : number, or a number for each channel
        Of the frame around it.
    method
        See `resize`.

    Returns
    -------
    Letterboxed
        ``image``, and ``scale``, ``top`` and ``left`` to find places of the picture in it.

    Raises
    ------
    ValueError, TypeError
        As `resize`; a `fill` that the dtype does not hold.

    Examples
    --------
    >>> import numpy as np, convkit as ck
    >>> boxed = ck.letterbox(np.ones((100, 200, 3), np.uint8), 50)
    >>> boxed.image.shape, boxed.scale, boxed.top, boxed.left
    ((50, 50, 3), 0.25, 12, 0)
    """
    array = _image(image)
    height, width = _size(size)
    scale = min(height / array.shape[0], width / array.shape[1])
    inner = max(1, round(array.shape[0] * scale)), max(1, round(array.shape[1] * scale))
    top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
    shape = (height, width, *np.shape(image)[2:])
    frame = _checks.empty(shape, array.dtype)
    frame[...] = _fill(fill, array, len(shape) == 3)
    frame[top : top + inner[0], left : left + inner[1]] = resize(image, inner, method)
    return Letterboxed(frame, scale, top, left)


def center_crop(image: ArrayLike, size: int | tuple[int, int]) -> Array:
    """The middle of an image; of an odd rest, one pixel more is cut at the bottom and on the right.

    Parameters
    ----------
    image : array, HW or HWC
        uint8, uint16, int16, float32 or float64.
    size : int or pair of ints
        Height and width, at most the image's.

    Returns
    -------
    array, HW or HWC

    Raises
    ------
    ValueError
        Not an image; a size that is larger.
    TypeError
        Another dtype.

    Examples
    --------
    >>> import numpy as np, convkit as ck
    >>> ck.center_crop(np.arange(20, dtype=np.uint8).reshape(4, 5), (2, 3)).tolist()
    [[6, 7, 8], [11, 12, 13]]
    """
    array = hwc(image, "image", pixels=True)
    height, width = _size(size)
    if height > array.shape[0] or width > array.shape[1]:
        raise ValueError(
            f"size is {(height, width)} and image has {array.shape[:2]}; expected no more: pass "
            "ck.letterbox(image, size).image to fit it in"
        )
    top, left = (array.shape[0] - height) // 2, (array.shape[1] - width) // 2
    cropped = array[top : top + height, left : left + width]
    return np.ascontiguousarray(cropped).reshape(height, width, *np.shape(image)[2:]).copy()


# ---- checks -----------------------------------------------------------------------------------------


def _image(image: ArrayLike) -> Array:
    array = hwc(image, "image")
    check_pixels(array, "image")
    if array.shape[2] > MAX_CHANNELS:
        raise ValueError(f"image has shape {array.shape}; expected HW, or HWC with 1 to 4 channels")
    if max(array.shape) > LARGEST:
        raise ValueError(f"image has shape {array.shape}; expected at most {LARGEST} rows and columns")
    return np.ascontiguousarray(array)


def _size(size: Any) -> tuple[int, int]:
    height, width = _checks.pair(size, "size", 1)
    if max(height, width) > LARGEST:
        raise ValueError(f"size is {(height, width)}; expected at most {LARGEST} rows and columns")
    return height, width


def _fill(fill: Any, image: Array, channels: bool) -> Any:
    numbers = list(fill) if _checks.is_sequence(fill) else [fill]
    if len(numbers) not in (1, image.shape[2]):
        raise ValueError(
            f"fill has {len(numbers)} numbers and image {image.shape[2]} channels; expected one, or as many"
        )
    values = [_checks.fill_value(number, image.dtype, "fill") for number in numbers]
    return values if channels else values[0]

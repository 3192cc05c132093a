"""Colour orders (RGB, BGR), gray, colour spaces and alpha."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from convkit._checks import IMAGE_DTYPES, Array, as_array, empty
from convkit._dispatch import native
from convkit._opencv import opencv
from convkit.layout.shape import check_pixels, coloured, names

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def rgb_to_bgr(image: ArrayLike) -> Array:
    """Swap red and blue; alpha stays last. Its own inverse, so `bgr_to_rgb` does the same.

    Parameters
    ----------
    image : array, HWC with 3 or 4 channels
        Any real dtype, kept.

    Returns
    -------
    array, HWC

    Raises
    ------
    ValueError
        Not HWC with 3 or 4 channels: a gray image has no colour order.
    TypeError
        Not an array of real numbers.

    Examples
    --------
    >>> import numpy as np, convkit as ck
    >>> ck.rgb_to_bgr(np.array([[[1, 2, 3, 9]]], np.uint8)).tolist()
    [[[3, 2, 1, 9]]]
    """
    hwc = coloured(image)
    return swap_red_blue(hwc, empty(hwc.shape, hwc.dtype))


def bgr_to_rgb(image: ArrayLike) -> Array:
    """Swap blue and red; alpha stays last. See `rgb_to_bgr`.

    Examples
    --------
    >>> import numpy as np, convkit as ck
    >>> ck.bgr_to_rgb(np.array([[[3, 2, 1]]], np.uint8)).tolist()
    [[[1, 2, 3]]]
    """
    return rgb_to_bgr(image)


def swap_red_blue(image: Array, out: Array) -> Array:
    """`out`, with the pixels of `image` in it and red where blue was; the two may be one."""
    if not _pixels_are_whole(image):
        image = np.ascontiguousarray(image)
    native().family("red_blue", np.float32).swap(image, out)
    return out


def _pixels_are_whole(image: Array) -> bool:
    """Whether only rows have gaps between them."""
    item = image.itemsize
    return image.strides[1:] == (image.shape[2] * item, item)


GRAY_FIXED = (9798, 19235, 3735)  # 0.299, 0.587, 0.114 in 15 bits, summing to 2¹⁵: OpenCV's own
GRAY_REAL = (0.299, 0.587, 0.114)


def to_gray(image: ArrayLike) -> Array:
    """Luma of ITU-R BT.601, 0.299 R + 0.587 G + 0.114 B; the bits of OpenCV's ``COLOR_RGB2GRAY``.

    Parameters
    ----------
    image : array, HW or HWC with 1, 3 or 4 channels
        RGB order, uint8, uint16, int16, float32 or float64. Alpha is dropped, not blended.

    Returns
    -------
    array, HW
        Same dtype; integers by 15-bit fixed point, rounded half up. A gray image comes back uncopied.

    Raises
    ------
    ValueError
        Another number of axes or channels.
    TypeError
        Another dtype.

    Examples
    --------
    >>> import numpy as np, convkit as ck
    >>> ck.to_gray(np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)).tolist()
    [[76, 150, 29]]
    """
    array = as_array(image, "image")
    check_pixels(array, "image")
    if array.ndim == 2:
        return array
    if array.ndim == 3 and array.shape[2] == 1:
        return array[..., 0]
    rgb = np.ascontiguousarray(coloured(array)[..., :3])
    if rgb.dtype == np.int16:  # OpenCV's conversion knows no int16: its rule for uint16, in wider numbers
        weighted: Array = rgb.astype(np.int64) @ np.array(GRAY_FIXED)
        return ((weighted + (1 << 14)) >> 15).astype(np.int16)
    if rgb.dtype == np.float64:
        gray: Array = rgb @ np.array(GRAY_REAL)
        return gray
    cv2 = opencv()
    gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    return gray


# ---- colour spaces ----------------------------------------------------------------------------------


def rgb_to_hsv(image: ArrayLike) -> Array:
    """Hue, saturation, value; OpenCV's ``COLOR_RGB2HSV``.

    Parameters
    ----------
    image : array, HWC with 3 channels
        RGB: uint8, or float32 in 0..1.

    Returns
    -------
    array, HWC
        uint8: hue in degrees / 2, 0..179, the others 0..255. float32: hue in degrees, the others 0..1.

    Raises
    ------
    ValueError
        Another number of axes or channels; floats outside 0..1.
    TypeError
        Another dtype.

    Examples
    --------
    >>> import numpy as np, convkit as ck
    >>> ck.rgb_to_hsv(np.array([[[0, 255, 0]]], np.uint8)).tolist()
    [[[60, 255, 255]]]
    """
    return _converted(image, "RGB2HSV", UNIT)


def hsv_to_rgb(image: ArrayLike) -> Array:
    """The way back from `rgb_to_hsv`; OpenCV's ``COLOR_HSV2RGB``.

    Examples
    --------
    >>> import numpy as np, convkit as ck
    >>> ck.hsv_to_rgb(np.array([[[60, 255, 255]]], np.uint8)).tolist()
    [[[0, 255, 0]]]
    """
    return _converted(image, "HSV2RGB", ((0, 360), (0, 1), (0, 1)))


def rgb_to_lab(image: ArrayLike) -> Array:
    """CIE L*a*b* of sRGB under D65; OpenCV's ``COLOR_RGB2Lab``.

    Parameters
    ----------
    image : array, HWC with 3 channels
        RGB: uint8, or float32 in 0..1.

    Returns
    -------
    array, HWC
        float32: L in 0..100, a and b about −127..127. uint8: L·255/100, a + 128, b + 128.

    Raises
    ------
    ValueError, TypeError
        As `rgb_to_hsv`.

    Examples
    --------
    >>> import numpy as np, convkit as ck
    >>> ck.rgb_to_lab(np.array([[[255, 255, 255]]], np.uint8)).tolist()
    [[[255, 128, 128]]]
    """
    return _converted(image, "RGB2Lab", UNIT)


def lab_to_rgb(image: ArrayLike) -> Array:
    """The way back from `rgb_to_lab`; OpenCV's ``COLOR_Lab2RGB``.

    Examples
    --------
    >>> import numpy as np, convkit as ck
    >>> ck.lab_to_rgb(np.array([[[255, 128, 128]]], np.uint8)).tolist()
    [[[255, 255, 255]]]
    """
    return _converted(image, "Lab2RGB", ((0, 100), (-128, 128), (-128, 128)))


def rgb_to_ycrcb(image: ArrayLike) -> Array:
    """Luma and two differences of colour, as JPEG's; OpenCV's ``COLOR_RGB2YCrCb``, in that order.

    Parameters
    ----------
    image : array, HWC with 3 channels
        RGB: uint8, uint16, or float32 in 0..1.

    Returns
    -------
    array, HWC
        Same dtype; the middle of Cr and Cb is 128, 32768 or 0.5.

    Raises
    ------
    ValueError, TypeError
        As `rgb_to_hsv`.

    Examples
    --------
    >>> import numpy as np, convkit as ck
    >>> ck.rgb_to_ycrcb(np.array([[[90, 90, 90]]], np.uint8)).tolist()
    [[[90, 128, 128]]]
    """
    return _converted(image, "RGB2YCrCb", UNIT)


def ycrcb_to_rgb(image: ArrayLike) -> Array:
    """The way back from `rgb_to_ycrcb`; OpenCV's ``COLOR_YCrCb2RGB``.

    Examples
    --------
    >>> import numpy as np, convkit as ck
    >>> ck.ycrcb_to_rgb(np.array([[[90, 128, 128]]], np.uint8)).tolist()
    [[[90, 90, 90]]]
    """
    return _converted(image, "YCrCb2RGB", UNIT)


UNIT = ((0, 1), (0, 1), (0, 1))
SLACK = 1e-3
"""How far floats may leave a colour space's range: conversions there and back round."""


def _converted(image: ArrayLike, name: str, ranges: tuple[tuple[float, float], ...]) -> Array:
    """`image` by one of OpenCV's conversions; floats must lie in the source space's ranges."""
    array = coloured(image)
    if array.shape[2] != 3:
        raise ValueError(f"image has shape {array.shape}, 4 channels; expected 3: pass image[..., :3]")
    dtypes = [np.dtype(d) for d in (np.uint8, np.float32)]
    if "YCrCb" in name:
        dtypes.insert(1, np.dtype(np.uint16))
    if array.dtype not in dtypes:
        held = array.dtype == np.bool_ or (array.dtype.kind != "f" and array.dtype in IMAGE_DTYPES)
        mending = "ck.to_uint8(image)" if held else "image.astype(np.float32)"
        raise TypeError(f"image has dtype {array.dtype}; expected {names(tuple(dtypes))}: pass {mending}")
    if array.dtype == np.float32:
        for channel, (low, high) in enumerate(ranges):
            least, most = float(array[..., channel].min()), float(array[..., channel].max())
            slack = SLACK * (high - low)
            if not (low - slack <= least and most <= high + slack):  # NaN neither
                hint = ": pass image / 255" if high == 1 < most <= 255 else ""
                raise ValueError(
                    f"channel {channel} of image spans {least:g}..{most:g}; expected floats in "
                    f"{low:g}..{high:g}{hint}"
                )
    cv2 = opencv()
    converted: Array = cv2.cvtColor(np.ascontiguousarray(array), getattr(cv2, f"COLOR_{name}"))
    return converted


# ---- alpha ------------------------------------------------------------------------------------------


def premultiply(image: ArrayLike) -> Array:
    """Colours multiplied by their alpha, as resizing and blurring want them.

    Parameters
    ----------
    image : array, HWC with 4 channels
        RGBA, uint8, uint16, or float32 and float64 whose alpha is in 0..1.

    Returns
    -------
    array, HWC
        Same dtype; integers rounded to the nearest.

    Raises
    ------
    ValueError
        Another number of axes or channels; a float alpha outside 0..1.
    TypeError
        Another dtype.

    Examples
    --------
    >>> import numpy as np, convkit as ck
    >>> ck.premultiply(np.array([[[255, 100, 0, 128]]], np.uint8)).tolist()
    [[[128, 50, 0, 128]]]
    """
    array, top = _with_alpha(image)
    result = array.copy()
    if top is None:
        result[..., :3] *= array[..., 3:]
        return result
    product = array[..., :3].astype(np.uint64) * array[..., 3:]
    result[..., :3] = (product + top // 2) // top
    return result


def unpremultiply(image: ArrayLike) -> Array:
    """Colours divided by their alpha, which undoes `premultiply` up to rounding.

    Parameters
    ----------
    image : array, HWC with 4 channels
        See `premultiply`.

    Returns
    -------
    array, HWC
        Same dtype; integers rounded to the nearest and held to their range. Colours of alpha 0 become 0.

    Raises
    ------
    ValueError, TypeError
        As `premultiply`.

    Examples
    --------
    >>> import numpy as np, convkit as ck
    >>> ck.unpremultiply(np.array([[[128, 50, 0, 128], [7, 7, 7, 0]]], np.uint8)).tolist()
    [[[255, 100, 0, 128], [0, 0, 0, 0]]]
    """
    array, top = _with_alpha(image)
    result = array.copy()
    alpha = array[..., 3:]
    if top is None:
        with np.errstate(over="ignore"):  # a colour far above its alpha
            np.divide(array[..., :3], alpha, out=result[..., :3], where=alpha != 0)
        result[..., :3][alpha[..., 0] == 0] = 0
        return result
    wide = alpha.astype(np.uint64)
    scaled = (array[..., :3] * np.uint64(top) + wide // 2) // np.maximum(wide, 1)
    result[..., :3] = np.where(wide == 0, 0, np.minimum(scaled, top))
    return result


def _with_alpha(image: ArrayLike) -> tuple[Array, int | None]:
    """`image` as RGBA, and the alpha that is opaque; None: 1.0."""
    array = coloured(image)
    if array.shape[2] != 4:
        raise ValueError(f"image has shape {array.shape}, no alpha; expected HWC with 4 channels")
    if array.dtype not in (np.uint8, np.uint16, np.float32, np.float64):
        raise TypeError(f"image has dtype {array.dtype}; expected uint8, uint16, float32 or float64")
    if array.dtype.kind != "f":
        return array, int(np.iinfo(array.dtype).max)
    least, most = float(array[..., 3].min()), float(array[..., 3].max())
    if not 0 <= least <= most <= 1:  # NaN neither
        hint = ": pass image / 255" if least >= 0 and 1 < most <= 255 else ""
        raise ValueError(f"the alpha of image spans {least:g}..{most:g}; expected floats in 0..1{hint}")
    return array, None

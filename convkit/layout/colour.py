"""Colour orders (RGB, BGR) and gray."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from convkit._checks import Array, as_array
from convkit._opencv import opencv
from convkit.layout.shape import check_pixels, coloured

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
    swapped = np.array(hwc, order="C", copy=True)
    swapped[..., 0], swapped[..., 2] = hwc[..., 2], hwc[..., 0]
    return swapped


def bgr_to_rgb(image: ArrayLike) -> Array:
    """Swap blue and red; alpha stays last. See `rgb_to_bgr`.

    Examples
    --------
    >>> import numpy as np, convkit as ck
    >>> ck.bgr_to_rgb(np.array([[[3, 2, 1]]], np.uint8)).tolist()
    [[[1, 2, 3]]]
    """
    return rgb_to_bgr(image)


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

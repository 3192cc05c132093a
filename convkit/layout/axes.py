"""Axis orders of one image: channels last (HWC) and channels first (CHW)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from convkit._checks import Array, as_array, looks_channels_last
from convkit.layout.shape import hwc

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def to_chw(image: ArrayLike) -> Array:
    """Channels first: HWC → CHW, HW → 1HW.

    Parameters
    ----------
    image : array, HW or HWC
        Any real dtype, kept.

    Returns
    -------
    array, CHW

    Raises
    ------
    ValueError
        Not two or three axes, or unmistakably CHW: at most 4 in front of two longer axes.
    TypeError
        Not an array of real numbers.

    Examples
    --------
    >>> import numpy as np, convkit as ck
    >>> ck.to_chw(np.zeros((480, 640, 3), np.uint8)).shape
    (3, 480, 640)
    """
    return np.array(hwc(image, "image").transpose(2, 0, 1), order="C", copy=True)


def to_hwc(array: ArrayLike) -> Array:
    """Channels last: CHW → HWC. No axis is dropped: 1HW → HW1, whose ``[..., 0]`` is HW.

    Parameters
    ----------
    array : array, CHW
        Any real dtype, kept.

    Returns
    -------
    array, HWC

    Raises
    ------
    ValueError
        Not three axes, or unmistakably HWC: at most 4 behind two longer axes.
    TypeError
        Not an array of real numbers.

    Examples
    --------
    >>> import numpy as np, convkit as ck
    >>> ck.to_hwc(np.zeros((3, 480, 640), np.float32)).shape
    (480, 640, 3)
    """
    chw = as_array(array, "array")
    if chw.ndim != 3:
        hint = {2: ": pass array[None]", 4: ": ck.from_bchw(array) takes a batch"}.get(chw.ndim, "")
        raise ValueError(f"array has shape {chw.shape}; expected CHW{hint}")
    if looks_channels_last(chw.shape):
        raise ValueError(f"array has shape {chw.shape}, which is HWC already; expected CHW")
    return np.array(chw.transpose(1, 2, 0), order="C", copy=True)

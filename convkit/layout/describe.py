"""What an array seems to be: its layout, values and colours, and the call that makes it a batch."""

from __future__ import annotations

from typing import Any

import numpy as np

from convkit._checks import (
    IMAGE_DTYPES,
    MAX_CHANNELS,
    Array,
    as_array,
    looks_channels_first,
    looks_channels_last,
)

KINDS = {1: "gray", 2: "gray with alpha", 3: "three channels: RGB by convkit's convention", 4: "with alpha"}


def describe(array: Any) -> str:
    """What `array` seems to be, in a few lines: layout, dtype, range, colours, and what makes it a batch.

    Parameters
    ----------
    array : array

    Returns
    -------
    str
        To be read, or printed. A shape that fits two layouts, such as (3, 3, 3), is said to.

    Raises
    ------
    TypeError, ValueError
        Not an array of real numbers, or an empty one.

    Examples
    --------
    >>> import numpy as np, convkit as ck
    >>> print(ck.describe(np.zeros((480, 640, 3), np.uint8)))
    shape (480, 640, 3): HWC, three channels: RGB by convkit's convention
    dtype uint8, values 0..0 of 0..255; constant
    a batch: ck.to_bchw(array, scale="unit")
    >>> print(ck.describe(np.ones((3, 224, 224), np.float32)))
    shape (3, 224, 224): CHW, three channels: RGB by convkit's convention
    dtype float32, values 1..1, in 0..1; constant
    a batch: array[None], an image: ck.to_hwc(array)
    """
    values = as_array(array, "array")
    layout, call = _layout(values)
    return f"shape {values.shape}: {layout}\n{_values(values)}\n{call}"


def _layout(array: Array) -> tuple[str, str]:
    """The layout in words, and the call that makes it a batch."""
    scale = ', scale="unit"' if array.dtype.kind in "iu" else ""
    if array.dtype not in IMAGE_DTYPES and array.dtype != np.bool_:  # to_bchw takes none of these
        scale = ".astype(np.float32)"
    shape = array.shape
    if array.ndim == 2:
        return "HW, gray", f"a batch: ck.to_bchw(array{scale})"
    if array.ndim == 3 and looks_channels_first(shape):
        return f"CHW, {KINDS[shape[0]]}", "a batch: array[None], an image: ck.to_hwc(array)"
    if array.ndim == 3 and looks_channels_last(shape):
        return f"HWC, {KINDS[shape[2]]}", f"a batch: ck.to_bchw(array{scale})"
    if array.ndim == 3 and shape[0] > MAX_CHANNELS < shape[2]:
        batch = "a feature map's batch: array[None], if its channels are first"
        return "CHW or HWC, of more channels than a picture has", batch
    if array.ndim == 3:
        return (
            "HWC or CHW: the shape fits both",
            f"a batch: ck.to_bchw(array{scale}) if its channels are last, array[None] if they are first",
        )
    if array.ndim == 4 and looks_channels_first(shape[1:]):
        images = f"images: ck.from_bchw(array{'' if array.dtype in IMAGE_DTYPES else '.astype(np.float32)'})"
        return f"BCHW, {_images(shape[0])}, {KINDS[shape[1]]}", f"a batch already; {images}"
    if array.ndim == 4 and looks_channels_last(shape[1:]):
        return f"BHWC, {_images(shape[0])}, {KINDS[shape[3]]}", f"a batch: ck.to_bchw(array{scale})"
    if array.ndim == 4 and shape[1] > MAX_CHANNELS < shape[3]:
        return "BCHW or BHWC, of more channels than a picture has", "a batch already, if it is BCHW"
    if array.ndim == 4:
        return (
            "BCHW or BHWC: the shape fits both",
            f"a batch: ck.to_bchw(array{scale}) if its channels are last, array itself if they are first",
        )
    axes = "1 axis" if array.ndim == 1 else f"{array.ndim} axes"
    return f"{axes}: no image and no batch", "an image has 2 or 3 axes, a batch 4"


def _images(count: int) -> str:
    return f"{count} image" + ("s" if count != 1 else "")


def _values(array: Array) -> str:
    words = [f"dtype {array.dtype}"]
    if array.dtype not in IMAGE_DTYPES and array.dtype != np.bool_:
        words.append("which images do not have")
    finite = array[np.isfinite(array)]
    if finite.size < array.size:
        words.append(f"{array.size - finite.size} NaN or Inf")
    if not finite.size:
        return ", ".join(words)
    low, high = finite.min(), finite.max()
    span = f"values {low:g}..{high:g}" if array.dtype.kind == "f" else f"values {low}..{high}"
    if array.dtype.kind in "iu":
        limits = np.iinfo(array.dtype)
        span += f" of {limits.min}..{limits.max}"
        if array.dtype == np.uint16 and high < 256:
            span += " (8 bits in 16?)"
    elif array.dtype.kind == "f":
        span += (
            ", in 0..1"
            if low >= 0 and high <= 1
            else ", in 0..255"
            if low >= 0 and high <= 255
            else ", with a sign"
            if low < 0
            else ""
        )
    words.append(span)
    text = ", ".join(words)
    return text + ("; constant" if low == high else "")

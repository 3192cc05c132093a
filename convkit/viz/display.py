"""What `imshow` takes to show an array truthfully."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from convkit._checks import Array, as_array, choice
from convkit.viz.style import DIVERGING, MAGNITUDE

LAYOUTS = ("HW", "HWC", "CHW", "BHWC", "BCHW")
COLOURS = (1, 3, 4)


def image_array(value: Any, name: str) -> Array:
    """`value`, one image of any layout, as HW, or HWC of 3 or 4 channels."""
    array = as_array(value, name)
    batch = to_bhwc(array, layout_of(array, name))
    if len(batch) > 1:
        raise ValueError(
            f"{name} has shape {array.shape}, {len(batch)} images; expected one: pass {name}[0], "
            f"or viz.show({name}) for all"
        )
    return batch[0, ..., 0] if batch.shape[-1] == 1 else batch[0]


def layout_of(array: Array, name: str, given: str | None = None) -> str:
    """The layout of an image or a batch: the one `given`, or by where its 1, 3 or 4 channels are."""
    shape = array.shape
    if given is not None:
        layout = choice(given, "layout", LAYOUTS)
    elif array.ndim == 2:
        layout = "HW"
    elif array.ndim in (3, 4) and shape[-1] in COLOURS:
        layout = "HWC" if array.ndim == 3 else "BHWC"
    elif array.ndim in (3, 4) and shape[-3] in COLOURS:
        layout = "CHW" if array.ndim == 3 else "BCHW"
    else:
        raise ValueError(
            f"{name} has shape {shape}; expected HW, HWC, CHW, BHWC or BCHW with 1, 3 or 4 channels"
            + (f": pass {_planes(shape, name)} to viz.contact_sheet" if array.ndim in (3, 4) else "")
        )
    channels = shape[layout.index("C")] if len(layout) == array.ndim and "C" in layout else 1
    if len(layout) != array.ndim or channels not in COLOURS:
        raise ValueError(f"{name} has shape {shape}, which is no {layout} of 1, 3 or 4 channels")
    return layout


def _planes(shape: tuple[int, ...], name: str) -> str:
    """The expression that names the channels of an image, or of a batch's first, that are no colours."""
    one = name if len(shape) == 3 else f"{name}[0]"
    one += ".transpose(2, 0, 1)" * (shape[-1] < shape[-3])
    return f"{{str(i): plane for i, plane in enumerate({one})}}"


def to_bhwc(array: Array, layout: str) -> Array:
    """A view of an array of `layout` as BHWC."""
    if layout == "HW":
        return array[None, ..., None]
    batch = array if len(layout) == 4 else array[None]
    return batch if layout.endswith("HWC") else batch.transpose(0, 2, 3, 1)


def display(array: Array) -> tuple[Array, dict[str, Any]]:
    """What `imshow` takes to show `array` truthfully, and how."""
    gray = {"cmap": "gray", "vmin": 0, "vmax": 255}
    if array.dtype == np.bool_:
        return array, {"cmap": "gray", "vmin": 0, "vmax": 1}
    if array.dtype in (np.uint8, np.uint16):
        return (array if array.dtype == np.uint8 else (array // 257).astype(np.uint8)), gray
    if array.ndim == 3 and _excess(array) is not None:
        return np.clip(np.where(np.isfinite(array), array, 0), 0, 1), {}
    if _of_8_bits(array):
        return np.rint(np.where(np.isfinite(array), array, 0)).astype(np.uint8), {}
    values = strongest(array[..., :3]) if array.ndim == 3 else array
    return false_colours(values.astype(np.float64))


OUTSIDE, BEYOND, BRIGHT = 0.1, 0.25, 16


def _excess(array: Array) -> int | None:
    """How many numbers of a float photo lie outside [0, 1]; None: it is no photo.

    Sharpening and resampling take a photo a little over its range: a tenth of its numbers, by a quarter. A
    gradient, whose numbers are as far below 0 as above, is none.
    """
    values = array[np.isfinite(array)]
    low, high = values.min(initial=0), values.max(initial=0)
    if low < -BEYOND * high or high > 1 + BEYOND:
        return None
    outside = int(np.count_nonzero((values < 0) | (values > 1)))
    return outside if outside <= OUTSIDE * array.size else None


def _of_8_bits(array: Array) -> bool:
    """Whether numbers of a wider dtype are a photo of 0 … 255: colours, none outside, some far above 1."""
    if array.ndim != 3 or array.shape[-1] not in (3, 4) or array.dtype in (np.bool_, np.uint8, np.uint16):
        return False
    values = array[np.isfinite(array)]
    return bool(values.min(initial=0) >= 0 and BRIGHT < values.max(initial=0) <= 255)


def false_colours(values: Array) -> tuple[Array, dict[str, Any]]:
    """Diverging around 0 where negative, else from 0 up; cut at the 99.5th percentile of the magnitude."""
    finite = values[np.isfinite(values)]
    limit = float(np.percentile(np.abs(finite), 99.5)) if finite.size else 0.0
    limit = limit or float(np.abs(finite).max(initial=0.0)) or 1.0
    if finite.size and finite.min() < 0:
        return values, {"cmap": DIVERGING, "vmin": -limit, "vmax": limit}
    return values, {"cmap": MAGNITUDE, "vmin": 0, "vmax": limit}


def strongest(array: Array) -> Array:
    """Of each pixel the channel of the largest magnitude, with its sign."""
    wide = array.astype(np.float64)
    channel = np.abs(wide).argmax(axis=2)[..., None]
    return np.take_along_axis(wide, channel, axis=2)[..., 0]


def angles(array: Array) -> tuple[Array, dict[str, Any]]:
    """Radians on a cyclic colour map."""
    values = strongest(array[..., :3]) if array.ndim == 3 else array
    return values, {"cmap": "twilight", "vmin": -math.pi, "vmax": math.pi}


def interpolation(array: Array) -> str:
    """Few pixels are shown as squares, many without aliases."""
    return "antialiased" if min(array.shape[:2]) > 32 else "nearest"


def caption(array: Array, displayed: bool = True) -> str:
    """dtype and range, of what is finite; and how `display` shows it."""
    if array.dtype == np.bool_:
        return "bool"
    finite = array[np.isfinite(array)]
    extent = f"{finite.min():.4g} … {finite.max():.4g}" if finite.size else "no finite number"
    others = f"   {array.size - finite.size} not finite" if 0 < finite.size < array.size else ""
    if not displayed:
        return f"{array.dtype}   {extent}{others}"
    colours = array.ndim == 3 and array.shape[-1] in (3, 4) and array.dtype.kind == "f"
    cut = "   shown from 0 to 1" if colours and _excess(array) else ""
    bits = "   of 0 … 255, as 8-bit colours" if _of_8_bits(array) else ""
    return f"{array.dtype}   {extent}{others}{cut}{bits}"

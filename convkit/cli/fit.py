"""A filter's result as a file holds it, and what was done to it in words."""

from __future__ import annotations

from typing import Any

import numpy as np

from convkit._checks import Array
from convkit.io.formats import Format, channel_count
from convkit.layout import saturated


def fitted(result: Array, target: Format, source: np.dtype[Any], stretch: bool) -> tuple[Array, list[str]]:
    """`result` in a dtype and of a number of channels that `target` holds, and what was done to it.

    `result` is its own: a large one is not copied but written over.
    `source` is the dtype of the image that was read: its range is the one that a viewer expects.
    """
    channels = channel_count(result)
    if channels != 1 and channels not in target.channels:
        held = " or ".join(map(str, target.channels))
        raise ValueError(
            f"{target.name} holds {held} channels, not {channels}: add --mode gray, or write .png"
        )
    image, note = _in_dtype(result, target, source, stretch)
    notes = [note] if note else []
    if channels not in target.channels:  # nothing is lost
        image = np.dstack([image] * 3)
        notes.append("gray as three equal channels")
    return image, notes


def _in_dtype(result: Array, target: Format, source: np.dtype[Any], stretch: bool) -> tuple[Array, str]:
    if result.dtype == np.bool_:
        result = result.astype(np.uint8) * np.uint8(255)
    if "uint8" not in target.dtypes:
        held = result.dtype == np.float32
        return (result, "") if held else (result.astype(np.float32), f"{result.dtype} to float32")
    into = source if source in (np.uint8, np.uint16) and source.name in target.dtypes else np.dtype(np.uint8)
    top = np.iinfo(into).max
    if stretch:
        return _stretched(result, into), f"min..max stretched to 0..{top}"
    if result.dtype.name in target.dtypes:
        return result, ""
    if source not in (np.uint8, np.uint16):
        raise ValueError(
            f"{target.name} cannot hold {result.dtype}, and a {source} image has no range to fit into it: "
            "add --stretch, or write .tiff"
        )
    if source == np.uint16 and into == np.uint8:
        wide = np.abs(result.astype(np.float64))
        return saturated(wide / 257, into), "|x| / 257 rounded and saturated to 0..255"
    wide = result if result.dtype.kind == "f" else result.astype(np.float32)
    return saturated(np.abs(wide, out=wide), into), f"|x| rounded and saturated to 0..{top}"


def _stretched(result: Array, into: np.dtype[Any]) -> Array:
    low, high = float(result.min()), float(result.max())
    if not np.isfinite(high - low):
        raise ValueError("the result holds NaN or Inf and cannot be stretched; write .tiff, which holds them")
    return saturated((result.astype(np.float64) - low) * (np.iinfo(into).max / ((high - low) or 1)), into)

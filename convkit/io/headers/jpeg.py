"""JPEG: a chain of segments, and scans between them (ITU-T T.81, annex B)."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from convkit._checks import Array
from convkit._dispatch import native
from convkit.io.headers.header import MOST_PARTS, Broken, Header, Unsupported

CHANNELS = {1: 1, 3: 3, 4: 3}  # of so many components: four inks become three colours
SEQUENTIAL, PROGRESSIVE, ARITHMETIC = 0xC0, 0xC2, 0xC9
KINDS = ("without loss or in layers", "coded arithmetically")
FILL, NEAR = 128, 2
"""The brightness that a decoder gives missing blocks, and how far it may be off."""


def read(data: bytes) -> Header:
    """The header; the chain is followed to the marker that ends the image."""
    precision, height, width, components, orientation, _, scans = _walk(data, 0, len(data))
    if precision != 8:
        raise Unsupported(f"JPEG of {precision} bits")
    if height == 0:
        raise Unsupported("JPEG that tells its height at its end")
    channels = CHANNELS.get(components)
    if channels is None:
        raise Unsupported(f"JPEG of {components} components")
    always = scans > 1 or components == 4  # whose gray is another
    return Header(height, width, channels, "uint8", orientation, "always" if always else "if gray")


def may_be_fill(pixel: Array) -> bool:
    """Whether it may be the gray of missing blocks: its hue is blended with others, its brightness is not."""
    values = pixel.tolist()
    gray: int = values
    if isinstance(values, list):
        gray = (299 * values[0] + 587 * values[1] + 114 * values[2]) // 1000
    return abs(gray - FILL) <= NEAR


def check(data: bytes, at: int, size: int, tables: tuple[int, int]) -> tuple[int, int, int]:
    """Height, width and components of a JPEG inside another file, refused where it is cut short."""
    _, height, width, components, _, _, scans = _walk(data, at, size)
    if scans > 1:
        follow(data, at, size, tables)
    return height, width, components


def follow(data: bytes, at: int, size: int, tables: tuple[int, int] = (0, 0)) -> None:
    """Refuse a JPEG whose data end before its last block; of a progressive one, those of its means."""
    try:
        native().family("blocks", np.uint8).followed(data, at, size, *tables)
    except ValueError as error:
        raise Broken(str(error)) from None


def _walk(data: bytes, at: int, size: int) -> tuple[int, int, int, int, int, int, int]:
    try:
        found: tuple[int, int, int, int, int, int, int]
        found = _segments().walk(data, at, size, MOST_PARTS)
    except ValueError as error:
        raise Broken(str(error)) from None
    kind = found[5]
    if kind > PROGRESSIVE:
        raise Unsupported(f"JPEG of the kind {kind - SEQUENTIAL}, " + KINDS[kind >= ARITHMETIC])
    return found


@functools.cache
def _segments() -> Any:
    """To look the module up for each file takes longer than to walk through most."""
    return native().family("segments", np.uint8)

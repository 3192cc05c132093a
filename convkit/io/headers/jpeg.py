"""JPEG: a chain of segments, and scans between them (ITU-T T.81, annex B)."""

from __future__ import annotations

import re

import numpy as np

from convkit._dispatch import native
from convkit.io.headers.header import MOST_PARTS, Broken, Header, Unsupported

CHANNELS = {1: 1, 3: 3, 4: 3}  # of so many components: four inks become three colours
END_OF_IMAGE = b"\xff\xd9"
# Where scan data end: a marker that is neither a stuffed 0xFF nor a restart nor padding.
MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")
MORE = bytes(range(255)) * 4
"""Data of no meaning: what is missing is decoded from it. It begins with 0, as data do that end in 0xFF."""


def read(data: bytes) -> Header:
    """The header; the chain is followed to the marker that ends the image."""
    precision, height, width, components, orientation, last, complete = _walk(data, 0, len(data))
    if precision != 8:
        raise Unsupported(f"JPEG of {precision} bits")
    if height == 0:
        raise Unsupported("JPEG that tells its height at its end")
    channels = CHANNELS.get(components)
    if channels is None:
        raise Unsupported(f"JPEG of {components} components")
    if not complete:
        raise Broken("some of its scans are missing")
    return Header(height, width, channels, "uint8", orientation, scan=last)


def check(data: bytes, at: int, size: int) -> None:
    """Refuse a JPEG of so many bytes, as it is inside other files, that is cut short."""
    if not _walk(data, at, size)[-1]:
        raise Broken("some of its scans are missing")


def _walk(data: bytes, at: int, size: int) -> tuple[int, int, int, int, int, int, bool]:
    try:
        found: tuple[int, int, int, int, int, int, bool]
        found = native().family("segments", np.uint8).walk(data, at, size, MOST_PARTS)
    except ValueError as error:
        raise Broken(str(error)) from None
    return found


def longer(data: bytes, at: int) -> bytes:
    """The file with data of no meaning behind those of the scan at `at`.

    They change nothing in a whole picture; in one whose data end early, they take the place of the gray that
    the decoder fills it with.
    """
    found = MARKER.search(data, at)
    end = found.start() if found else len(data)
    return data[:end] + MORE + END_OF_IMAGE

"""JPEG: a chain of segments, and scans between them (ITU-T T.81, annex B)."""

from __future__ import annotations

import re
import struct

from convkit.io.headers import exif
from convkit.io.headers.header import Broken, Header, Parts, Unsupported

SEGMENT, FRAME = struct.Struct(">HH"), struct.Struct(">BHHB")  # a marker and its length; what a frame says
FRAMES = {*range(0xFFC0, 0xFFD0)} - {0xFFC4, 0xFFC8, 0xFFCC}
SEQUENTIAL = (0xFFC0, 0xFFC1)
END, SCAN, APP1, PADDING = 0xFFD9, 0xFFDA, 0xFFE1, 0xFFFF
ALONE = {0xFF01, *range(0xFFD0, 0xFFD8)}
END_OF_IMAGE = END.to_bytes(2, "big")
# Where scan data end: a marker that is neither a stuffed 0xFF nor a restart nor padding.
MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")


def read(data: bytes) -> Header:
    """The header; the chain is followed to the marker that ends the image."""
    frame: tuple[int, int, int, int] | None = None
    orientation, scans, parts, at, sequential = 1, 0, Parts(), 2, False
    while data[at : at + 2] != END_OF_IMAGE:
        parts.add()
        if at + 4 > len(data) or data[at] != 0xFF:
            raise Broken("it has no end-of-image marker")
        marker, length = SEGMENT.unpack_from(data, at)
        if marker in ALONE:
            at += 2
            continue
        if marker == PADDING:
            at += 1
            continue
        if length < 2:
            raise Broken(f"a segment at byte {at} has a length of {length}")
        if marker in FRAMES and frame is None:
            frame = FRAME.unpack_from(data, at + 4)
            sequential = marker in SEQUENTIAL
        elif marker == APP1 and data[at + 4 : at + 10] == b"Exif\0\0" and orientation == 1:
            orientation = exif.orientation(data[at + 4 : at + 2 + length])
        elif marker == SCAN:
            scans += 1
            only = sequential and frame is not None and frame[3] == data[at + 4]
            at = _scan_end(data, at + 2 + length, only)
            continue
        at += 2 + length
    if frame is None or not scans:
        raise Broken("it has no picture between its first and its last marker")
    precision, height, width, components = frame
    if precision != 8:
        raise Unsupported(f"JPEG of {precision} bits")
    if height == 0:
        raise Unsupported("JPEG that tells its height at its end")
    channels = {1: 1, 3: 3, 4: 3}.get(components)  # four inks become three colours
    if channels is None:
        raise Unsupported(f"JPEG of {components} components")
    return Header(height, width, channels, "uint8", orientation)


def _scan_end(data: bytes, at: int, only: bool) -> int:
    """Where the scan that starts at `at` ends; `only`: it is not followed by another."""
    if only:  # and cannot contain the last marker, wherever that is
        end = data.rfind(END_OF_IMAGE, at)
        return end if end >= 0 else len(data)
    found = MARKER.search(data, at)
    return found.start() if found else len(data)

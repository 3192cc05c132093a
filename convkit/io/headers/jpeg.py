"""JPEG: a chain of segments, and scans between them (ITU-T T.81, annex B)."""

from __future__ import annotations

import re
import struct

from convkit.io.headers import exif
from convkit.io.headers.header import Broken, Header, Parts, Unsupported

SEGMENT, FRAME = struct.Struct(">HH"), struct.Struct(">BHHB")  # a marker and its length; what a frame says
FRAMES = {*range(0xFFC0, 0xFFD0)} - {0xFFC4, 0xFFC8, 0xFFCC}
SEQUENTIAL, PROGRESSIVE = (0xFFC0, 0xFFC1), 0xFFC2
END, SCAN, APP1, PADDING = 0xFFD9, 0xFFDA, 0xFFE1, 0xFFFF
RESTART_EVERY = 0xFFDD
CHANNELS = {1: 1, 3: 3, 4: 3}  # of so many components: four inks become three colours
ALONE = {0xFF01, *range(0xFFD0, 0xFFD8)}
END_OF_IMAGE = END.to_bytes(2, "big")
# Where scan data end: a marker that is neither a stuffed 0xFF nor a restart nor padding.
MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")
MARKED = re.compile(rb"\xff[^\x00\x01\xff]")  # and restarts
MORE = bytes(range(255)) * 4
"""Data of no meaning: what is missing is decoded from it. It begins with 0, as data do that end in 0xFF."""


def read(data: bytes) -> Header:
    """The header; the chain is followed to the marker that ends the image."""
    frame: tuple[int, int, int, int] | None = None
    orientation, parts, at = 1, Parts(), 2
    kind, interval, last, scanned, sampling = 0, 0, 0, b"", b""
    refined: dict[int, list[int]] = {}
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
            kind = marker
            sampling = data[at + 10 : at + 10 + 3 * frame[3]]
        elif marker == APP1 and data[at + 4 : at + 10] == b"Exif\0\0" and orientation == 1:
            orientation = exif.orientation(data[at + 4 : at + 2 + length])
        elif marker == RESTART_EVERY:
            (interval,) = struct.unpack_from(">H", data, at + 4)
        elif marker == SCAN and frame is not None:
            count = data[at + 4]
            scanned += data[at + 5 : at + 5 + 2 * count : 2]
            if kind == PROGRESSIVE:
                _refine(refined, data[at + 5 : at + 8 + 2 * count], count)
            last = at + 2 + length
            only = kind in SEQUENTIAL and frame[3] == count
            if only and interval:
                at = _restarts_end(data, last, -(-_units(frame, sampling) // interval) - 1)
            else:
                at = _scan_end(data, last, only)
            continue
        at += 2 + length
    if frame is None or not scanned:
        raise Broken("it has no picture between its first and its last marker")
    precision, height, width, components = frame
    if precision != 8:
        raise Unsupported(f"JPEG of {precision} bits")
    if height == 0:
        raise Unsupported("JPEG that tells its height at its end")
    channels = CHANNELS.get(components)
    if channels is None:
        raise Unsupported(f"JPEG of {components} components")
    if sampling[::3] != scanned and not set(sampling[::3]) <= set(scanned):
        raise Broken("some of its scans are missing")
    if refined and any(any(bits) for bits in refined.values()):
        raise Broken("some of its scans are missing")
    return Header(height, width, channels, "uint8", orientation, scan=last)


def _units(frame: tuple[int, int, int, int], sampling: bytes) -> int:
    """The blocks of all components together that the restarts of a scan of all of them are counted in."""
    _, height, width, components = frame
    if components == 1:
        return -(-height // 8) * -(-width // 8)
    across, down = (max(max(s >> shift & 15 for s in sampling[1::3]), 1) for shift in (4, 0))
    return -(-height // (8 * down)) * -(-width // (8 * across))


def _restarts_end(data: bytes, at: int, expected: int) -> int:
    """Where the scan ends that starts at `at` and has so many restarts, counted from 0 to 7 over and over."""
    found = 0
    for marker in MARKED.finditer(data, at):
        number = data[marker.start() + 1] - 0xD0
        if not 0 <= number < 8:
            break
        if number != found % 8:
            raise Broken(f"its restart {found} is missing")
        found += 1
    else:
        raise Broken("it has no end-of-image marker")
    if found != expected:
        raise Broken(f"it has {found} of its {expected} restarts")
    return marker.start()


def _refine(refined: dict[int, list[int]], scan: bytes, count: int) -> None:
    """Note to which bit a progressive scan brings which coefficients of its components."""
    first, last, bits = scan[2 * count], scan[2 * count + 1], scan[2 * count + 2]
    if not first <= last < 64:
        raise Broken(f"a scan of its coefficients {first} to {last}")
    for component in scan[: 2 * count : 2]:
        known = refined.setdefault(component, [1] * 64)
        known[first : last + 1] = [bits & 15] * (last + 1 - first)


def longer(data: bytes, at: int) -> bytes:
    """The file with data of no meaning behind those of the scan at `at`.

    They change nothing in a whole picture; in one whose data end early, they take the place of the gray that
    the decoder fills it with.
    """
    found = MARKER.search(data, at)
    end = found.start() if found else len(data)
    return data[:end] + MORE + END_OF_IMAGE


def _scan_end(data: bytes, at: int, only: bool) -> int:
    """Where the scan that starts at `at` ends; `only`: it is not followed by another."""
    if only:  # and cannot contain the last marker, wherever that is
        end = data.rfind(END_OF_IMAGE, at)
        return end if end >= 0 else len(data)
    found = MARKER.search(data, at)
    return found.start() if found else len(data)

"""PNG: a chain of chunks, each with its length and checksum (ISO/IEC 15948)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from convkit.io.headers import exif
from convkit.io.headers.header import Broken, Header, Parts, Shown

PALETTE = 3
CHANNELS = {0: 1, 2: 3, 3: 3, 4: 4, 6: 4}  # of what is decoded: gray with alpha becomes RGBA
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
ADAM7 = (
    (0, 0, 8, 8),
    (0, 4, 8, 8),
    (4, 0, 8, 4),
    (0, 2, 4, 4),
    (2, 0, 4, 2),
    (0, 1, 2, 2),
    (1, 0, 2, 1),
)
"""Of each pass, the first row and column, and the steps to the next ones."""
SOME = 1024  # bytes that are inflated at once, to a megabyte at most

CHUNK, CHECKSUM = struct.Struct(">I4s"), struct.Struct(">I")
WITH_KEY = {0: 2, 2: 6, 3: 0}
"""Kinds that may say which values are transparent, and in how many bytes; of a palette, as many as it has."""
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}


def read(data: bytes) -> Header:
    """The header; the chain is followed to its end. Checksums of pixels are for the decoder: see `damage`.

    The decoder sees no other chunks: it would unpack text, and show another image of an animation.
    """
    width, height, depth, kind = struct.unpack_from(">IIBB", data, 16)
    if data[12:16] != b"IHDR" or depth not in DEPTHS.get(kind, ()):
        raise Broken("its first chunk is no header of a PNG")
    orientation, frames, colours, transparent, has_data = 1, 1, 0, None, False
    start, end = 0, 8  # of a stretch of chunks that pixels depend on
    stretches = []
    for name, at, last in _chunks(data):
        if name == b"IDAT":
            has_data = True
        elif _needed(name):
            _check(data, name, at, last)
            if name == b"PLTE":
                colours = (last - at - 8) // 3
        elif name == b"tRNS" and kind in WITH_KEY:
            _check(data, name, at, last)
            if has_data or transparent is not None:
                raise Broken("its chunk b'tRNS' is behind its pixels, or not the only one")
            transparent = data[at + 8 : last]
            _check_key(len(transparent), kind, colours)
        else:
            if name == b"eXIf":
                orientation = exif.orientation(data[at + 8 : last])
            elif name == b"acTL":
                frames = int.from_bytes(data[at + 8 : min(at + 12, last)], "big")
            continue
        if at > end:
            stretches.append((start, end))
            start = at
        end = last + 4
    if not has_data:
        raise Broken("it has no IDAT chunk")
    shown = Shown(b"", (*stretches, (start, end))) if stretches else None
    key = None
    if transparent is not None and kind == 0:
        key = int.from_bytes(transparent, "big") * (255 // (2**depth - 1) if depth < 8 else 1)
    channels = 4 if transparent is not None else CHANNELS[kind]
    dtype = "uint16" if depth == 16 else "uint8"
    return Header(height, width, channels, dtype, orientation, frames=frames, transparent=key, shown=shown)


def damage(data: bytes) -> None:
    """Raise `Broken` where a chunk that pixels need has a wrong checksum, or too few are inflated."""
    inflater, promised, found = zlib.decompressobj(), _inflated_size(data), 0
    for name, at, last in _chunks(data):
        if _needed(name):
            _check(data, name, at, last)
        for start in range(at + 8, last if name == b"IDAT" else 0, SOME):
            if found > promised:  # the rest is left, as decoders do
                return
            try:
                found += len(inflater.decompress(data[start : min(start + SOME, last)]))
            except zlib.error as error:
                raise Broken(f"its pixels cannot be inflated: {error}") from None
    if found < promised:
        raise Broken(f"it has {found} of the {promised} bytes of its rows")


def _inflated_size(data: bytes) -> int:
    """The bytes of all rows, each with its filter, of one pass or of Adam7's seven."""
    width, height, depth, kind, _, _, interlaced = struct.unpack_from(">IIBBBBB", data, 16)
    size = 0
    for row, column, rows, columns in ADAM7 if interlaced else ((0, 0, 1, 1),):
        lines, pixels = -(-(height - row) // rows), -(-(width - column) // columns)
        if pixels > 0:
            size += max(lines, 0) * (1 + (pixels * SAMPLES[kind] * depth + 7) // 8)
    return size


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Each chunk's name, where it begins and where its checksum is."""
    size, parts, at, name = len(data), Parts(), 8, b""
    while name != b"IEND":
        parts.add()
        if at + 12 > size:
            raise Broken("it has no IEND chunk")
        length, name = CHUNK.unpack_from(data, at)
        last = at + 8 + length
        if last + 4 > size:
            raise Broken(f"it ends inside its chunk {name!r}")
        yield name, at, last
        at = last + 4


def _needed(name: bytes) -> bool:
    """Whether pixels depend on such a chunk: it has a capital."""
    return name[0] & 32 == 0


def _check_key(size: int, kind: int, colours: int) -> None:
    """Refuse what the decoder passes over with all transparency."""
    if size != WITH_KEY[kind] if kind != PALETTE else not 1 <= size <= colours:
        raise Broken(
            f"its chunk b'tRNS' has {size} bytes" + (f" for {colours} colours" if kind == PALETTE else "")
        )


def _check(data: bytes, name: bytes, at: int, last: int) -> None:
    if zlib.crc32(memoryview(data)[at + 4 : last]) != CHECKSUM.unpack_from(data, last)[0]:
        raise Broken(f"the checksum of its chunk {name!r} at byte {at} is wrong")

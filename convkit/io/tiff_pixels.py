"""Pixels of a TIFF that OpenCV's decoder reads wrongly or without a word: put together here, or told anew."""

from __future__ import annotations

import struct
import zlib
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from convkit._checks import Array
from convkit.io.headers import Broken, Page, Pieces
from convkit.io.headers.tiff import (
    BITS,
    BLACK_IS_0,
    EXTRA_SAMPLES,
    INTEGERS,
    PHOTOMETRIC,
    PLANAR,
    READ,
    SAMPLE_FORMAT,
    SAMPLES,
    SIZES,
    STRIP_BYTES,
    STRIPS,
    TILE_BYTES,
    TILES,
    Layout,
    layout_of,
)

BLOCK = 1 << 16
"""Bytes of rows whose differences are summed at a time: they stay in the cache."""


# ---- pieces -----------------------------------------------------------------------------------------


def assemble(data: bytes, pieces: Pieces, image: Array) -> None:
    """Fill the HWC `image` from strips or tiles, which are stored as they are or deflated."""
    view, number = memoryview(data), 0
    channels = [image[..., i : i + 1] for i in range(pieces.samples)] if pieces.planar else [image]
    for plane in channels:
        for top in range(0, image.shape[0], pieces.height):
            for left in range(0, image.shape[1], pieces.width):
                part = plane[top : top + pieces.height, left : left + pieces.width]
                place, size = pieces.places[number], pieces.sizes[number]
                _lay(view[place : place + size], pieces, part)
                number += 1
    if pieces.differences:
        for left in range(0, image.shape[1], pieces.width):
            _sum_rows(image[:, left : left + pieces.width])


def _lay(stored: memoryview, pieces: Pieces, part: Array) -> None:
    """A piece's pixels into their `part` of the image; rows and columns beyond it are dropped."""
    rows, columns, samples = part.shape
    dtype: np.dtype[np.generic] = np.dtype(pieces.dtype)
    line = pieces.width * samples * dtype.itemsize
    if pieces.deflated:
        stored = _inflated(stored, line * rows, line * pieces.height)
    found: Array = np.ndarray((rows, pieces.width, samples), dtype, stored)
    part[...] = found[:, :columns]


def _inflated(stored: memoryview, least: int, most: int) -> memoryview:
    """At least so many bytes, whose checksum is right where they end with the stored ones."""
    stream = zlib.decompressobj()
    try:
        found = stream.decompress(stored, most)
        if not stream.eof:
            stream.decompress(stream.unconsumed_tail, 1)  # which comes to the checksum
    except zlib.error as error:
        raise Broken(f"one of its pieces is damaged: {error}") from None
    if len(found) < least or not (stream.eof or stream.unconsumed_tail):
        raise Broken("one of its pieces ends before its pixels")
    return memoryview(found)


def _sum_rows(image: Array) -> None:
    """Undo differences along rows of bytes, in place: each step adds sums of twice as many pixels."""
    rows, columns = max(1, BLOCK // image[0].size), image.shape[1]
    spare = np.empty_like(image[:rows])
    for top in range(0, image.shape[0], rows):
        block = image[top : top + rows]
        given, made, step = block, spare[: len(block)], 1
        while step < columns:
            np.add(given[:, step:], given[:, :-step], made[:, step:])
            made[:, :step] = given[:, :step]
            given, made, step = made, given, 2 * step
        if given is not block:
            block[...] = given


# ---- pages ------------------------------------------------------------------------------------------


def files(data: bytes, page: Page) -> list[bytes]:
    """The page as a file of its own, or each of its planes as one."""
    if not page.planes:
        return [_alone(data, page, dict(page.changes), 0, 1)]
    changes = {**dict(page.changes), SAMPLES: 1, PHOTOMETRIC: BLACK_IS_0, PLANAR: 0, EXTRA_SAMPLES: 0}
    return [_alone(data, page, changes, plane, page.planes) for plane in range(page.planes)]


def _alone(data: bytes, page: Page, changes: dict[int, int], plane: int, planes: int) -> bytes:
    """A file of one page, of whose pieces only the plane's are taken."""
    layout = layout_of(data)
    order, place = layout.order, layout.place
    found = _entries(data, page.at, layout)
    where, lengths = (TILES, TILE_BYTES) if TILES in found else (STRIPS, STRIP_BYTES)
    each = found[where].number // planes
    chosen = slice(plane * each, (plane + 1) * each)
    places, sizes = (found[tag].numbers(order)[chosen] for tag in (where, lengths))
    pieces = [data[start : start + size] for start, size in zip(places, sizes, strict=True)]
    inline = struct.calcsize(place)
    moved = list(accumulate(sizes[:-1], initial=layout.first + inline))
    kind = 16 if place == "Q" else 4
    for tag, values in ((where, moved), (lengths, sizes)):
        found[tag] = Entry(kind, each, struct.pack(f"{order}{each}{place}", *values))
    for tag, value in changes.items():
        if value:
            found[tag] = Entry(4, 1, struct.pack(order + "I", value))
        else:
            found.pop(tag, None)
    if planes > 1:
        for tag in {BITS, SAMPLE_FORMAT} & found.keys():  # as many as channels
            first = found[tag]
            found[tag] = Entry(first.kind, 1, first.stored[: SIZES[first.kind]])
    return b"".join(_written(data[: layout.first], pieces, found, layout))


class Entry(NamedTuple):
    """What a directory says under one tag."""

    kind: int
    number: int
    stored: bytes

    def numbers(self, order: str) -> tuple[int, ...]:
        """As integers."""
        return struct.unpack(f"{order}{self.number}{INTEGERS[self.kind]}", self.stored)


def _entries(data: bytes, at: int, layout: Layout) -> dict[int, Entry]:
    """The directory at that place, by tags; of one that is there twice, the first."""
    entry, inline = struct.Struct(f"{layout.order}HH{layout.place}"), struct.calcsize(layout.place)
    (count,) = struct.unpack_from(layout.order + layout.entries, data, at)
    at += struct.calcsize(layout.entries)
    found: dict[int, Entry] = {}
    for _ in range(count):
        tag, kind, number = entry.unpack_from(data, at)
        size, where = SIZES.get(kind, 1) * number, at + entry.size
        if size > inline:
            (where,) = struct.unpack_from(layout.order + layout.place, data, where)
        if tag not in READ or (kind in INTEGERS and number):  # as its header was read
            found.setdefault(tag, Entry(kind, number, data[where : where + size]))
        at += entry.size + inline
    return found


def _written(start: bytes, pieces: list[bytes], found: dict[int, Entry], layout: Layout) -> list[bytes]:
    """The parts of a file: its start, pieces, what entries point at, and its one directory."""
    order, place = layout.order, layout.place
    entry, inline = struct.Struct(f"{order}HH{place}"), struct.calcsize(place)
    at = len(start) + inline + sum(map(len, pieces))
    values: list[bytes] = []
    directory = [struct.pack(order + layout.entries, len(found))]
    for tag, (kind, count, stored) in sorted(found.items()):
        value = stored.ljust(inline, b"\0")
        if len(stored) > inline:
            value = struct.pack(order + place, at + at % 2)
            values.append(bytes(at % 2) + stored)
            at += len(values[-1])
        directory.append(entry.pack(tag, kind, count) + value)
    return [
        start,
        struct.pack(order + place, at + at % 2),
        *pieces,
        *values,
        bytes(at % 2),
        *directory,
        bytes(inline),
    ]

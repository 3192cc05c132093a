"""Pixels of a TIFF that OpenCV's decoder reads wrongly or without a word: put together here, or told anew."""

from __future__ import annotations

import struct
import zlib

import numpy as np

from convkit._checks import Array
from convkit.io.headers import Broken, Page, Pieces
from convkit.io.headers.tiff import (
    BLACK_IS_0,
    EXTRA_SAMPLES,
    INTEGERS,
    PHOTOMETRIC,
    PLANAR,
    SAMPLES,
    SIZES,
    STRIP_BYTES,
    STRIPS,
    TILE_BYTES,
    TILES,
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
    if pieces.predictor == 2:
        for left in range(0, image.shape[1], pieces.width):
            _sum_rows(image[:, left : left + pieces.width])


def _lay(stored: memoryview, pieces: Pieces, part: Array) -> None:
    """A piece's pixels into their `part` of the image; rows and columns beyond it are dropped."""
    rows, columns, samples = part.shape
    dtype: np.dtype[np.generic] = np.dtype(pieces.dtype)
    line = pieces.width * samples * dtype.itemsize
    if pieces.deflated:
        stored = _inflated(stored, line * rows, line * pieces.height)
    if pieces.predictor == 3:
        found = _floats(np.frombuffer(stored, np.uint8, rows * line).reshape(rows, line), samples, dtype)
    else:
        found = np.ndarray((rows, pieces.width, samples), dtype, stored)
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
    """Undo differences along rows, in place: each step adds sums of twice as many pixels."""
    numbers = image.view(f"u{image.itemsize}")  # their sums wrap around, as they were made
    rows = max(1, BLOCK // (image.shape[1] * image.shape[2] * image.itemsize))
    for top in range(0, image.shape[0], rows):
        block = numbers[top : top + rows]
        step = 1
        while step < image.shape[1]:
            block[:, step:] += block[:, :-step]
            step *= 2


def _floats(lines: Array, samples: int, dtype: np.dtype[np.generic]) -> Array:
    """Floats whose bytes were put apart, the highest of all first, and then made differences."""
    rows, length = lines.shape
    summed = np.add.accumulate(lines.reshape(rows, -1, samples), axis=1, dtype=np.uint8)
    together = summed.reshape(rows, dtype.itemsize, -1).swapaxes(1, 2)
    floats: Array = np.ascontiguousarray(together).view(f">f{dtype.itemsize}")
    return floats.reshape(rows, length // samples // dtype.itemsize, samples)


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
    inline = struct.calcsize(place)
    entry = struct.Struct(f"{order}HH{place}")
    (count,) = struct.unpack_from(order + layout.entries, data, page.at)
    at = page.at + struct.calcsize(layout.entries)
    found: dict[int, tuple[int, int, bytes]] = {}
    for _ in range(count):
        tag, kind, number = entry.unpack_from(data, at)
        size = SIZES.get(kind, 1) * number
        where = at + entry.size
        if size > inline:
            (where,) = struct.unpack_from(order + place, data, where)
        found.setdefault(tag, (kind, number, data[where : where + size]))
        at += entry.size + inline
    body = bytearray(data[: layout.first] + bytes(inline))

    def numbers(tag: int) -> tuple[int, ...]:
        kind, number, stored = found[tag]
        return struct.unpack(f"{order}{number}{INTEGERS[kind]}", stored)

    where_tag, size_tag = (TILES, TILE_BYTES) if TILES in found else (STRIPS, STRIP_BYTES)
    places, sizes = numbers(where_tag), numbers(size_tag)
    each = len(places) // planes
    chosen = slice(plane * each, (plane + 1) * each)
    moved = []
    for start, size in zip(places[chosen], sizes[chosen], strict=True):
        moved.append(len(body))
        body += data[start : start + size]
    wide = 16 if place == "Q" else 4
    for tag, values in ((where_tag, moved), (size_tag, sizes[chosen])):
        found[tag] = wide, each, struct.pack(f"{order}{each}{place}", *values)
    for tag, value in changes.items():
        if value:
            found[tag] = 4, 1, struct.pack(order + "I", value)
        else:
            found.pop(tag, None)
    for tag in (258, 339):  # bits and formats: as many as channels
        if planes > 1 and tag in found:
            kind, _, stored = found[tag]
            found[tag] = kind, 1, stored[: SIZES[kind]]
    directory = struct.pack(order + layout.entries, len(found))
    for tag, (kind, number, stored) in sorted(found.items()):
        if len(stored) > inline:
            body += bytes(len(body) % 2)
            link = struct.pack(order + place, len(body))
            body += stored
            stored = link
        directory += entry.pack(tag, kind, number) + stored.ljust(inline, b"\0")
    body += bytes(len(body) % 2)
    body[layout.first : layout.first + inline] = struct.pack(order + place, len(body))
    return bytes(body + directory + bytes(inline))

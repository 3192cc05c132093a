"""Pixels of a TIFF that OpenCV's decoder reads wrongly or without a word: put together here, or told anew."""

from __future__ import annotations

import struct
import zlib
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from convkit._checks import Array
from convkit._dispatch import native
from convkit.io.headers import Broken, Page, Pieces, jpeg
from convkit.io.headers.tiff import (
    BITS,
    BLACK_IS_0,
    COMPRESSION,
    DEFLATE,
    EXTRA_SAMPLES,
    INTEGERS,
    JPEG,
    LAYOUTS,
    LZW,
    NONE,
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
)

SPARE = 1 << 10
"""Bytes that a deflated piece may take beyond twice its pixels'."""

NEAR_BYTES = 1 << 18
"""That are unpacked before they are laid: they stay in a cache."""


# ---- pieces -----------------------------------------------------------------------------------------


def assemble(data: bytes, pieces: Pieces, image: Array) -> None:
    """Fill the HWC `image` from strips or tiles, stored as they are or as is undone here."""
    number = 0
    channels = [image[..., i : i + 1] for i in range(pieces.samples)] if pieces.planar else [image]
    together = _together(pieces, image.shape[1])
    for plane in channels:
        for top in range(0, image.shape[0], together * pieces.height):
            rows = plane[top : top + together * pieces.height]
            count = -(-rows.shape[0] // pieces.height)
            for left in range(0, image.shape[1], pieces.width):
                _lay(data, range(number, number + count), pieces, rows[:, left : left + pieces.width])
                number += count


def _together(pieces: Pieces, width: int) -> int:
    """How many pieces are laid at once: of strips that are unpacked, as many as stay near."""
    if pieces.compression == NONE or pieces.width < width:
        return 1
    return max(1, NEAR_BYTES // (pieces.line * pieces.height))


def _lay(data: bytes, numbers: range, pieces: Pieces, part: Array) -> None:
    """Pixels of pieces below each other into their `part` of the image; what lies beyond it is dropped."""
    rows, columns, samples = part.shape
    stored: bytes | memoryview
    if pieces.compression == NONE:
        stored = memoryview(data)[pieces.places[numbers.start] :]
    else:
        line, height = pieces.width * samples * part.itemsize, pieces.height
        left = [min(height, rows - i * height) for i in range(len(numbers))]
        stored = b"".join(
            memoryview(_unpacked(data, number, pieces, line * least, line * height))[: line * least]
            for number, least in zip(numbers, left, strict=True)
        )
    found: Array = np.ndarray((rows, pieces.width, samples), pieces.dtype, stored)
    if not pieces.differences:
        part[...] = found[:, :columns]
        return
    whole = np.empty(part.shape, part.dtype) if pieces.planar else part
    native().family("row_sums", np.uint8).sum_along(found, whole, not found.dtype.isnative)
    if whole is not part:
        part[...] = whole


def check(data: bytes, pieces: Pieces, height: int, width: int) -> None:
    """Refuse pieces that are damaged or shorter than the pixels that the image has of them."""
    across, down = -(-width // pieces.width), -(-height // pieces.height)
    for number, (place, size) in enumerate(zip(pieces.places, pieces.sizes, strict=True)):
        rows = min(pieces.height, height - number // across % down * pieces.height)
        if pieces.compression == JPEG:
            least = pieces.height if pieces.tiled else rows
            _check_size(jpeg.check(data, place, size, pieces.tables), pieces, least)
            continue
        _unpacked(data, number, pieces, pieces.line * rows, pieces.line * pieces.height)


def _check_size(found: tuple[int, int, int], pieces: Pieces, least: int) -> None:
    """Refuse a JPEG that has not the size of its place, of whose rows it may have `least`."""
    if pieces.planar and not pieces.line:  # planes of several sizes
        return
    height, width, components = found
    wanted = 1 if pieces.planar else pieces.samples
    if not least <= height <= pieces.height or (width, components) != (pieces.width, wanted):
        raise Broken(
            f"a JPEG in it has {width}×{height} pixels of {components} components, and its place "
            f"{pieces.width}×{least} of {wanted}"
        )


def check_filled(data: bytes, pieces: Pieces, pixels: Array) -> None:
    """Refuse JPEGs whose data end before their blocks: looked at where the last pixel may be of none."""
    if pieces.compression != JPEG:
        return
    height, width = pixels.shape[:2]
    across, down = -(-width // pieces.width), -(-height // pieces.height)
    for number, (place, size) in enumerate(zip(pieces.places, pieces.sizes, strict=True)):
        row = min(height, (number // across % down + 1) * pieces.height) - 1
        column = min(width, (number % across + 1) * pieces.width) - 1
        if pieces.planar or pieces.samples == 4 or jpeg.may_be_fill(pixels[row, column]):
            jpeg.follow(data, place, size, pieces.tables)


def _unpacked(data: bytes, number: int, pieces: Pieces, least: int, most: int) -> bytes:
    """The piece's bytes, `least` of them and up to `most`."""
    place, size = pieces.places[number], pieces.sizes[number]
    if pieces.compression in DEFLATE:
        return _inflated(memoryview(data)[place : place + size], least, most)
    unpack = native().family("unpack", np.uint8)
    try:
        undo = unpack.lzw if pieces.compression == LZW else unpack.packbits
        found: bytes = undo(data, place, size, least)
    except ValueError as error:
        raise Broken(f"one of its pieces is damaged: {error}") from None
    if len(found) < least:
        raise Broken("one of its pieces ends before its pixels")
    return found


def _inflated(stored: bytes | memoryview, least: int, most: int) -> bytes:
    """So many bytes, of a stream that ends with them and whose checksum is right."""
    stream = zlib.decompressobj()
    try:  # what stores nothing many times over is not followed to its end
        found = stream.decompress(stored[: 2 * most + SPARE], most + 1)
    except zlib.error as error:
        raise Broken(f"one of its pieces is damaged: {error}") from None
    if len(found) > most:
        raise Broken("one of its pieces is longer than its pixels")
    if len(found) < least or not stream.eof:
        raise Broken("one of its pieces ends before its pixels")
    return found


# ---- pages ------------------------------------------------------------------------------------------


def files(data: bytes, page: Page) -> list[bytes]:
    """The page as a file of its own, or each of its planes as one."""
    if not page.planes:
        return [_alone(data, page, dict(page.changes), 0, 1)]
    changes = {**dict(page.changes), SAMPLES: 1, PHOTOMETRIC: BLACK_IS_0, PLANAR: 0, EXTRA_SAMPLES: 0}
    return [_alone(data, page, changes, plane, page.planes) for plane in range(page.planes)]


def _alone(data: bytes, page: Page, changes: dict[int, int], plane: int, planes: int) -> bytes:
    """A file of one page, of whose pieces only the plane's are taken."""
    layout = LAYOUTS[data[:4]]
    order, inline = layout.order, layout.place.size
    found = _entries(data, page.at, layout)
    where, lengths = (TILES, TILE_BYTES) if TILES in found else (STRIPS, STRIP_BYTES)
    each = found[where].number // planes
    chosen = slice(plane * each, (plane + 1) * each)
    places, sizes = (found[tag].numbers(order)[chosen] for tag in (where, lengths))
    pieces = [data[start : start + size] for start, size in zip(places, sizes, strict=True)]
    if COMPRESSION in changes:
        pieces = [zlib.compress(piece, 0) for piece in pieces]
        sizes = tuple(map(len, pieces))
    moved = list(accumulate(sizes[:-1], initial=layout.first + inline))
    kind = 16 if inline == 8 else 4
    for tag, values in ((where, moved), (lengths, sizes)):
        found[tag] = Entry(kind, each, struct.pack(f"{order}{each}{INTEGERS[kind]}", *values))
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
    key, inline = layout.key, layout.place.size
    (count,) = layout.entries.unpack_from(data, at)
    at += layout.entries.size
    found: dict[int, Entry] = {}
    for _ in range(count):
        tag, kind, number = key.unpack_from(data, at)
        size, where = SIZES.get(kind, 1) * number, at + key.size
        if size > inline:
            (where,) = layout.place.unpack_from(data, where)
        if tag not in READ or (kind in INTEGERS and number):  # as its header was read
            found.setdefault(tag, Entry(kind, number, data[where : where + size]))
        at += layout.entry.size
    return found


def _written(start: bytes, pieces: list[bytes], found: dict[int, Entry], layout: Layout) -> list[bytes]:
    """The parts of a file: its start, pieces, what entries point at, and its one directory."""
    inline = layout.place.size
    at = len(start) + inline + sum(map(len, pieces))
    values: list[bytes] = []
    directory = [layout.entries.pack(len(found))]
    for tag, (kind, count, stored) in sorted(found.items()):
        value = stored.ljust(inline, b"\0")
        if len(stored) > inline:
            value = layout.place.pack(at + at % 2)
            values.append(bytes(at % 2) + stored)
            at += len(values[-1])
        directory.append(layout.key.pack(tag, kind, count) + value)
    return [
        start,
        layout.place.pack(at + at % 2),
        *pieces,
        *values,
        bytes(at % 2),
        *directory,
        bytes(inline),
    ]

"""TIFF and BigTIFF: a chain of directories of tags, one for each page (Adobe's TIFF 6.0)."""

from __future__ import annotations

import struct
from operator import add
from typing import NamedTuple, TypeAlias

from convkit.io.headers.header import Broken, Header, Parts, Raw, Unsupported

SIZES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
INTEGERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q"}
WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER = 256, 257, 258, 259, 262, 266
STRIPS, ORIENTATION, SAMPLES, ROWS, STRIP_BYTES, PLANAR = 273, 274, 277, 278, 279, 284
TILE_WIDTH, TILE_HEIGHT, TILES, TILE_BYTES, SAMPLE_FORMAT = 322, 323, 324, 325, 339
READ = {*range(256, 260), 262, FILL_ORDER, 273, 274, 277, 278, 279, 284, *range(322, 326), 339}
PALETTE, INKS, SUBSAMPLED, LOG_LUV = 3, 5, 6, 32845
DTYPES = {
    **{(1, bits): "uint8" for bits in range(1, 9)},
    **{(1, bits): "uint16" for bits in (10, 12, 14, 16)},
    (2, 16): "int16",
    (3, 32): "float32",
    (3, 64): "float64",
}

CODES = {"uint8": "u1", "uint16": "u2", "int16": "i2", "float32": "f4", "float64": "f8"}
NUMBERS = 10  # of a tag that cost about as much as one directory entry
Tags: TypeAlias = dict[int, tuple[int, ...]]


class Layout(NamedTuple):
    """What tells a BigTIFF from a TIFF: how numbers of entries, and places, are written."""

    order: str
    first: int  # where the place of the first directory is
    entries: str
    place: str


def read(data: bytes) -> Header:
    """The header of the first page, with the others' in it; all that a directory points at must be there."""
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    layout = Layout(order, 8, "Q", "Q") if big else Layout(order, 4, "H", "I")
    (at,) = struct.unpack_from(order + layout.place, data, layout.first)
    pages: list[Header] = []
    seen: set[int] = set()
    parts = Parts()
    while at:
        if at in seen:
            raise Broken("its pages follow each other in a circle")
        seen.add(at)
        header, at = _page(data, at, layout, parts)
        pages.append(header)
    if not pages:
        raise Broken("it has no page")
    tags = tuple(tag for page in pages for tag in page.tags)
    return pages[0]._replace(pages=tuple(pages[1:]), tags=tags)


def _page(data: bytes, at: int, layout: Layout, parts: Parts) -> tuple[Header, int]:
    """A page's header, and where the next one's is; 0: there is none."""
    order, place = layout.order, layout.place
    inline = struct.calcsize(place)
    (entries,) = struct.unpack_from(order + layout.entries, data, at)
    entry = struct.Struct(f"{order}HH{place}{place}")
    start = at + struct.calcsize(layout.entries)
    end = start + entries * entry.size
    if end + inline > len(data):
        raise Broken("it ends inside a directory of tags")
    parts.add(entries)
    tags: Tags = {}
    upright: tuple[tuple[int, bytes], ...] = ()
    value = start - inline  # where an entry's numbers are, if they need no more room
    for tag, kind, count, elsewhere in entry.iter_unpack(memoryview(data)[start:end]):
        value += entry.size
        size = SIZES.get(kind, 1) * count
        where = value if size <= inline else elsewhere
        if where + size > len(data):
            raise Broken(f"its tag {tag} lies behind its end")
        if tag in READ and kind in INTEGERS and count and tag not in tags:
            parts.add(count // NUMBERS)
            tags[tag] = struct.unpack_from(f"{order}{count}{INTEGERS[kind]}", data, where)
            if tag == ORIENTATION and kind == 3:
                upright = ((where, struct.pack(order + "H", 1)),)
    (following,) = struct.unpack_from(order + place, data, end)
    return _header(data, tags, order, upright), following


def _header(data: bytes, tags: Tags, order: str, upright: tuple[tuple[int, bytes], ...]) -> Header:
    def first(tag: int, default: int = 0) -> int:
        return int(tags[tag][0]) if tag in tags else default

    height, width, samples = first(HEIGHT), first(WIDTH), first(SAMPLES, 1)
    bits, kind = first(BITS, 1), first(SAMPLE_FORMAT, 1)
    if kind == 4:  # of nobody's choice
        kind = 1
    dtype = "float32" if first(PHOTOMETRIC) == LOG_LUV else DTYPES.get((kind, bits))
    if dtype is None:
        name = {1: "unsigned integers", 2: "integers", 3: "floats"}.get(kind, "numbers")
        raise Unsupported(f"TIFF of {name} of {bits} bits")
    photometric = first(PHOTOMETRIC)
    channels = 3 if photometric in (PALETTE, INKS) else samples
    if channels > 4:
        raise Unsupported(f"TIFF of {samples} channels")
    tiled = TILES in tags
    where, lengths = (TILES, TILE_BYTES) if tiled else (STRIPS, STRIP_BYTES)
    if where not in tags or lengths not in tags or len(tags[where]) != len(tags[lengths]):
        raise Broken("it does not say where its pixels are")
    places, sizes = tags[where], tags[lengths]
    if max(map(add, places, sizes)) > len(data):
        raise Broken("some of its pixels lie behind its end")
    line = 0 if photometric == SUBSAMPLED else (width * samples * bits + 7) // 8
    _check_pieces(tags, height, width, line, sum(sizes))
    plain = not tiled and first(COMPRESSION, 1) == first(PLANAR, 1) == first(FILL_ORDER, 1) == 1
    plain = plain and (photometric, samples) in ((1, 1), (2, 3)) and bits == 8 * int(CODES[dtype][1])
    raw = None
    if plain and all(len(set(tags.get(tag, ()))) < 2 for tag in (BITS, SAMPLE_FORMAT)):
        step = min(first(ROWS, height), height) * line
        one_block = all(place == places[0] + i * step for i, place in enumerate(places))
        if one_block and set(sizes[:-1]) <= {step}:
            raw = Raw(places[0], line, order + CODES[dtype])
    turned = first(ORIENTATION, 1)
    return Header(
        height,
        width,
        1 if channels == 2 else channels,
        dtype,
        turned if 1 <= turned <= 8 else 1,
        gray_alpha=channels == 2,
        tags=upright,
        raw=raw,
    )


def _check_pieces(tags: Tags, height: int, width: int, line: int, size: int) -> None:
    """Refuse fewer strips or tiles than the picture has, and fewer bytes where they are not compressed."""
    planar = PLANAR in tags and tags[PLANAR][0] == 2
    samples = int(tags[SAMPLES][0]) if planar and SAMPLES in tags else 1
    if TILES in tags:
        across, down = (int(tags[t][0]) if t in tags else 0 for t in (TILE_WIDTH, TILE_HEIGHT))
        if across < 1 or down < 1:
            raise Broken("its tiles have no size")
        pieces, found = -(-width // across) * -(-height // down) * samples, len(tags[TILES])
    else:
        rows = min(int(tags[ROWS][0]) if ROWS in tags else height, height)
        if rows < 1:
            raise Broken("its strips have no rows")
        pieces, found = -(-height // rows) * samples, len(tags[STRIPS])
    if found < pieces:
        raise Broken(f"it has {found} of its {pieces} pieces")
    plain = COMPRESSION not in tags or tags[COMPRESSION][0] == 1
    if plain and TILES not in tags and size < line * height:
        raise Broken("its strips are shorter than its rows")

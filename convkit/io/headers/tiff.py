"""TIFF and BigTIFF: a chain of directories of tags, one for each page (Adobe's TIFF 6.0)."""

from __future__ import annotations

import struct
from itertools import accumulate
from operator import add, lt
from typing import NamedTuple, TypeAlias

from convkit.io.headers.header import Broken, Header, Page, Parts, Pieces, Raw, Unsupported

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
STRIPS, ORIENTATION, SAMPLES, ROWS, STRIP_BYTES, PLANAR, PREDICTOR = 273, 274, 277, 278, 279, 284, 317
TILE_WIDTH, TILE_HEIGHT, TILES, TILE_BYTES, EXTRA_SAMPLES, SAMPLE_FORMAT = 322, 323, 324, 325, 338, 339
JPEG_TABLES = 347
READ = {*range(256, 260), 262, 266, 273, 274, 277, 278, 279, 284, 317, *range(322, 326), 338, 339}

WHITE_IS_0, BLACK_IS_0, RGB, PALETTE, INKS, SUBSAMPLED = 0, 1, 2, 3, 5, 6
PLAIN_COLOURS = {WHITE_IS_0, BLACK_IS_0, RGB}
COLOURS = {*PLAIN_COLOURS, PALETTE, INKS, SUBSAMPLED, LOG_L := 32844, LOG_LUV := 32845}
OTHER_COLOURS = {8: "CIE L*a*b*", 9: "ICC L*a*b*", 10: "ITU L*a*b*"}

NONE, LZW, JPEG, PACKBITS, DEFLATE = 1, 5, 7, 32773, (8, 32946)
UNPACKED = {LZW, PACKBITS, *DEFLATE}
DECODED = {NONE, 2, 3, 4, JPEG, *UNPACKED, 32766, 32771, 32809, 34676, 34677}
"""Compressions that OpenCV's libtiff knows, or that are undone here."""
COMPRESSIONS = {
    6: "JPEG of the old kind",
    33003: "JPEG 2000",
    33005: "JPEG 2000",
    34712: "JPEG 2000",
    34887: "LERC",
    34925: "LZMA",
    50000: "Zstandard",
    50001: "WebP",
    50002: "JPEG XL",
}
LZW_BEGINS, LZW_ENDS = b"\x80", 257
ELSEWHERE = "tifffile reads it"

DTYPES = {
    **{(1, bits): "uint8" for bits in (1, 2, 4, 8)},
    (1, 16): "uint16",
    (2, 16): "int16",
    (3, 32): "float32",
    (3, 64): "float64",
}
CODES = {"uint8": "u1", "uint16": "u2", "int16": "i2", "float32": "f4", "float64": "f8"}
SUMMED = {"uint8", "uint16", "int16"}
"""Numbers whose differences are summed here."""
NUMBERS = 10  # of a tag that cost about as much as one directory entry
Tags: TypeAlias = dict[int, tuple[int, ...]]
"""Numbers by tag; of the tables of JPEGs, their place and size."""


class Layout(NamedTuple):
    """What tells a BigTIFF from a TIFF: how places and numbers of entries are written."""

    order: str
    first: int  # where the place of the first directory is
    entries: struct.Struct  # how many a directory has
    place: struct.Struct
    key: struct.Struct  # a tag, its kind and how many numbers follow
    entry: struct.Struct  # with their place


def _layout(order: str, first: int, number: str, place: str) -> Layout:
    forms = (number, place, f"HH{place}", f"HH{place}{place}")
    return Layout(order, first, *(struct.Struct(order + form) for form in forms))


LAYOUTS = {
    b"II*\0": _layout("<", 4, "H", "I"),
    b"MM\0*": _layout(">", 4, "H", "I"),
    b"II+\0": _layout("<", 8, "Q", "Q"),
    b"MM\0+": _layout(">", 8, "Q", "Q"),
}
"""By the first four bytes."""


def read(data: bytes) -> Header:
    """The header of the first page, with the others' in it; all that a directory points at must be there."""
    layout = LAYOUTS[data[:4]]
    (at,) = layout.place.unpack_from(data, layout.first)
    pages: list[Header] = []
    seen: set[int] = set()
    parts = Parts()
    while at:
        if at in seen:
            raise Broken("its pages follow each other in a circle")
        seen.add(at)
        header, at = _page(data, at, layout, parts, not pages)
        pages.append(header)
    if not pages:
        raise Broken("it has no page")
    return pages[0]._replace(pages=tuple(pages[1:])) if len(pages) > 1 else pages[0]


def _page(data: bytes, at: int, layout: Layout, parts: Parts, first: bool) -> tuple[Header, int]:
    """A page's header, and where the next one's is; 0: there is none."""
    order, inline = layout.order, layout.place.size
    (entries,) = layout.entries.unpack_from(data, at)
    start = at + layout.entries.size
    end = start + entries * layout.entry.size
    if end + inline > len(data):
        raise Broken("it ends inside a directory of tags")
    parts.add(entries)
    tags: Tags = {}
    value = start - inline  # where an entry's numbers are, if they need no more room
    for tag, kind, count, elsewhere in layout.entry.iter_unpack(data[start:end]):
        value += layout.entry.size
        size = SIZES.get(kind, 1) * count
        where = value if size <= inline else elsewhere
        if where + size > len(data):
            raise Broken(f"its tag {tag} lies behind its end")
        if tag == JPEG_TABLES and tag not in tags:
            tags[tag] = where, size
        elif tag in READ and kind in INTEGERS and count and tag not in tags:
            if count > NUMBERS:
                parts.add(count // NUMBERS)
            tags[tag] = struct.unpack_from(f"{order}{count}{INTEGERS[kind]}", data, where)
    (following,) = layout.place.unpack_from(data, end)
    return _header(data, tags, at, order, first), following


def _header(data: bytes, tags: Tags, at: int, order: str, is_first: bool) -> Header:
    def first(tag: int, default: int = 0) -> int:
        return tags[tag][0] if tag in tags else default

    height, width, samples = first(HEIGHT), first(WIDTH), first(SAMPLES, 1)
    bits, kind = first(BITS, 1), first(SAMPLE_FORMAT, 1)
    photometric, compression = first(PHOTOMETRIC), first(COMPRESSION, NONE)
    planar = first(PLANAR, 1) == 2 and samples > 1
    if kind == 4:  # of nobody's choice
        kind = 1
    dtype = "float32" if photometric in (LOG_L, LOG_LUV) else DTYPES.get((kind, bits))
    if dtype is None:
        name = {1: "unsigned integers", 2: "integers", 3: "floats"}.get(kind, "numbers")
        raise Unsupported(f"TIFF of {name} of {bits} bits ({ELSEWHERE})")
    _check_kind(tags, dtype, photometric, compression, samples)
    channels = 3 if photometric in (PALETTE, INKS) else samples
    pixel = 0 if photometric == SUBSAMPLED else bits * (1 if planar else samples)
    line = _row_bytes(width, pixel)
    tile, places, sizes = _pieces(data, tags, height, width, pixel, samples if planar else 1)
    plain = photometric in PLAIN_COLOURS and bits == 8 * int(CODES[dtype][1])
    predictor = first(PREDICTOR, 1) if compression in (LZW, *DEFLATE) else 1
    in_order = first(FILL_ORDER, 1) == 1 and (compression != LZW or _starts(data, places) == LZW_BEGINS)
    packed = in_order and compression in UNPACKED
    ours = plain and in_order
    ours = ours and (compression == NONE or (packed and (dtype in SUMMED or predictor == 1)))
    raw = pieces = unchecked = None
    if ours:
        code = order + CODES[dtype]
        step = line * tile[0]
        one_block = TILES not in tags and compression == NONE and not planar and samples != 2
        if one_block and all(place == places[0] + i * step for i, place in enumerate(places)):
            raw = Raw(places[0], line, code)
        else:
            pieces = Pieces(places, sizes, *tile, samples, planar, code, compression, predictor == 2, line)
    elif samples == 2:
        raise Unsupported(f"TIFF of gray with alpha of this making ({ELSEWHERE})")
    elif dtype == "uint8" and ((packed and line) or compression == JPEG):
        across = _row_bytes(tile[1], pixel)
        shared = tags.get(JPEG_TABLES, (0, 0))
        unchecked = Pieces(places, sizes, *tile, samples, planar, dtype, compression, False, across)
        unchecked = unchecked._replace(tiled=TILES in tags, tables=(shared[0], shared[1]))
    elif compression == LZW:
        _check_lzw(data, places, sizes)
    turned = first(ORIENTATION, 1)
    turned = turned if 1 <= turned <= 8 else 1
    changes = _changes(tags, plain, turned)
    if TILES in tags and compression == NONE and line and in_order:
        changes = (*changes, (COMPRESSION, DEFLATE[0]), (PREDICTOR, 0))  # it takes small ones for damaged
    page = None if ours else Page(at, changes, samples if plain and planar else 0)
    if page and is_first and not page.changes and not page.planes:
        page = None  # the decoder may see it as it is
    return Header(
        height,
        width,
        4 if channels == 2 else channels,
        dtype,
        turned,
        raw=raw,
        pieces=pieces,
        unchecked=unchecked,
        largest=tile[0] * tile[1],
        inverted=plain and photometric == WHITE_IS_0,
        page=page,
    )


def _check_kind(tags: Tags, dtype: str, photometric: int, compression: int, samples: int) -> None:
    """Refuse what OpenCV's decoder does not know, or takes for something else."""
    if compression not in DECODED:
        name = COMPRESSIONS.get(compression, f"compression {compression}")
        raise Unsupported(f"TIFF compressed by {name} ({ELSEWHERE})")
    if photometric not in COLOURS:
        colours = OTHER_COLOURS.get(photometric, f"kind {photometric}")
        raise Unsupported(f"TIFF of colours of {colours} ({ELSEWHERE})")
    if samples > 4 or samples < 1:
        raise Unsupported(f"TIFF of {samples} channels")
    bits = tags.get(BITS, (1,))[0]
    if bits == 2 or (bits == 4 and photometric != PALETTE):
        raise Unsupported(f"TIFF of {bits} bits ({ELSEWHERE})")
    for kinds in (tags.get(BITS, ()), tags.get(SAMPLE_FORMAT, ())):
        if kinds and kinds.count(kinds[0]) < len(kinds):
            raise Unsupported("TIFF whose channels are of several kinds")
    if photometric in (PALETTE, INKS, SUBSAMPLED) and dtype != "uint8":
        name = {PALETTE: "a palette", INKS: "inks"}.get(photometric, "such colours")
        raise Unsupported(f"TIFF of {name} in {dtype} ({ELSEWHERE})")
    if photometric == WHITE_IS_0 and (samples > 2 or not dtype.startswith("uint")):
        raise Unsupported(f"TIFF of {samples} channels of {dtype} whose white is 0 ({ELSEWHERE})")
    if tags.get(PREDICTOR, (1,))[0] == 3 and not dtype.startswith("float"):
        raise Broken("it predicts integers as if they were floats")
    if tags.get(PREDICTOR, (1,))[0] not in (1, 2, 3):
        raise Unsupported(f"TIFF of predictor {tags[PREDICTOR][0]}")


def _changes(tags: Tags, plain: bool, turned: int) -> tuple[tuple[int, int], ...]:
    """Tags that the decoder is to see with another number, or (0) not at all."""
    changes = {}
    if turned != 1:
        changes[ORIENTATION] = 0  # so that it turns nothing itself
    if ROWS in tags and tags[ROWS][0] > tags[HEIGHT][0]:
        changes[ROWS] = tags[HEIGHT][0]  # it would take memory for them
    if plain:
        samples = tags.get(SAMPLES, (1,))[0]
        colours = RGB if samples > 2 else BLACK_IS_0
        if tags.get(PHOTOMETRIC, (WHITE_IS_0,))[0] != colours:
            changes[PHOTOMETRIC] = (
                colours  # it would drop channels, or turn some kinds of white and not others
            )
        if samples > (3 if colours == RGB else 1) and tags.get(EXTRA_SAMPLES, (0,)) not in ((0,), (1,)):
            changes[EXTRA_SAMPLES] = 1  # it would multiply by the alpha
        elif samples == 3 and EXTRA_SAMPLES in tags:
            changes[EXTRA_SAMPLES] = 0
    return tuple(changes.items())


def _row_bytes(pixels: int, bits: int) -> int:
    """Of a row of pixels of so many bits each."""
    return (pixels * bits + 7) // 8


def _pieces(
    data: bytes, tags: Tags, height: int, width: int, pixel: int, planes: int
) -> tuple[tuple[int, int], tuple[int, ...], tuple[int, ...]]:
    """Height and width of strips or tiles, their places and their sizes, refused where some are missing."""
    tiled = TILES in tags
    where, lengths = (TILES, TILE_BYTES) if tiled else (STRIPS, STRIP_BYTES)
    if where not in tags or lengths not in tags or len(tags[where]) != len(tags[lengths]):
        raise Broken("it does not say where its pixels are")
    places, sizes = tags[where], tags[lengths]
    if _end(places, sizes) > len(data):
        raise Broken("some of its pixels lie behind its end")
    if tiled:
        down, across = (tags[t][0] if t in tags else 0 for t in (TILE_HEIGHT, TILE_WIDTH))
        if across < 1 or down < 1:
            raise Broken("its tiles have no size")
    else:
        down, across = min(tags[ROWS][0] if ROWS in tags else height, height), width
        if down < 1:
            raise Broken("its strips have no rows")
    rows = -(-height // down)
    pieces = rows * (-(-width // across) if across else 0) * planes
    if len(places) < pieces or (planes > 1 and len(places) > pieces):
        raise Broken(f"it has {len(places)} of its {pieces} pieces")
    if tags.get(COMPRESSION, (NONE,))[0] == NONE and pieces:
        line = _row_bytes(across, pixel)
        if tiled:
            needed = [line * down] * pieces
        else:
            needed = ([line * down] * (rows - 1) + [line * (height - down * (rows - 1))]) * planes
        if any(map(lt, sizes, needed)):
            raise Broken("its strips are shorter than its rows")
    return (down, across), places[:pieces], sizes[:pieces]


def _follow_each_other(places: tuple[int, ...], sizes: tuple[int, ...]) -> bool:
    return tuple(accumulate(sizes[:-1], initial=places[0])) == places


def _end(places: tuple[int, ...], sizes: tuple[int, ...]) -> int:
    """Where the last of the pieces ends."""
    if _follow_each_other(places, sizes):
        return places[-1] + sizes[-1]
    end: int = max(map(add, places, sizes))
    return end


def _starts(data: bytes, places: tuple[int, ...]) -> bytes:
    """The first byte of the first piece."""
    return data[places[0] : places[0] + 1] if places else b""


def _check_lzw(data: bytes, places: tuple[int, ...], sizes: tuple[int, ...]) -> None:
    """Refuse pieces that do not end in the code that ends them, of 9 bits or more: they are cut short."""
    if _follow_each_other(places, sizes):  # only the last may be shorter
        places, sizes = places[-1:], sizes[-1:]
    for place, size in zip(places, sizes, strict=True):
        if size and data[place : place + 1] != LZW_BEGINS:
            continue  # bits in another order
        number = int.from_bytes(data[max(place, place + size - 4) : place + size], "big")
        number //= (number & -number) or 1  # without the bits of nothing behind it
        if number & 0x1FF != LZW_ENDS:
            raise Broken("its pieces end before their pixels")

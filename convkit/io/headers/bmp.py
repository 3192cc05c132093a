"""BMP: a file header, a header of one of several sizes, a palette, rows (Microsoft's BITMAPINFOHEADER)."""

from __future__ import annotations

import struct

import numpy as np

from convkit._dispatch import native
from convkit.io.headers.header import Broken, Header, Raw, Unsupported, holds

FILE, INFO, COLOURS = struct.Struct("<I4xII"), struct.Struct("<iiHHII"), struct.Struct("<I")
LEVELS = bytes(range(256))
RLE8, RLE4, BITFIELDS = 1, 2, 3
SHORT, SKIPPING = 0, 2  # what the kernel tells of runs
MASKS = {
    16: {(0xF800, 0x7E0, 0x1F), (0x7C00, 0x3E0, 0x1F)},
    32: {(0xFF0000, 0xFF00, 0xFF)},
}
"""Of red, green and blue: those that OpenCV's decoder reads right."""
FIVE_SIX_FIVE = (5, 6, 5)
MASKS_BEHIND = 40  # bytes of the header that masks follow
WITH_ALPHA = 56  # bytes of the smallest header with a mask for alpha


def read(data: bytes) -> Header:
    """The header; uncompressed rows must all be there."""
    size, rows, dib = FILE.unpack_from(data, 2)
    if dib >= 40:
        width, height, _, bits, compression, stored = INFO.unpack_from(data, 18)
        entry = 4
    elif dib == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        compression = stored = 0
        entry = 3
    else:
        raise Broken(f"its header has {dib} bytes")
    if bits not in (1, 4, 8, 15, 16, 24, 32) or compression > BITFIELDS:
        raise Unsupported(f"BMP of {bits} bits with compression {compression}")
    if dib == 12 and bits in (15, 16):
        raise Unsupported(f"BMP of {bits} bits with a header of {dib} bytes")
    upward, height = height > 0, abs(height)
    line = (width * bits + 31) // 32 * 4
    if rows < 14 + dib:
        raise Broken(f"its pixels begin at byte {rows}, in its header")
    packed = compression in (RLE8, RLE4)
    holds(data, max(size, rows + (stored if packed else line * height)))
    first, step = (rows + line * (height - 1), -line) if upward else (rows, line)
    if bits == 24 and not compression:
        return Header(height, width, 3, "uint8", raw=Raw(first, step, "u1", blue_first=True))
    if packed:
        _check_runs(data, rows, width, height, compression == RLE4)
    if compression == BITFIELDS:
        _check_masks(struct.unpack_from("<III", data, 54), bits, dib)
    if bits <= 8:
        is_gray, is_level = _palette(data, 14 + dib, entry, bits)
        raw = Raw(first, step, "u1") if is_level and not packed else None
        return Header(height, width, 1 if is_gray else 3, "uint8", raw=raw)
    has_alpha = bits == 32 and compression == BITFIELDS and dib >= WITH_ALPHA and any(data[66:70])
    depths: tuple[int, ...] = ()
    if bits in (15, 16):
        depths = FIVE_SIX_FIVE if compression == BITFIELDS and data[54:58] == b"\0\xf8\0\0" else (5, 5, 5)
    return Header(height, width, 4 if has_alpha else 3, "uint8", depths=depths)


def _palette(data: bytes, at: int, entry: int, bits: int) -> tuple[bool, bool]:
    """Whether all colours of the palette are gray, and whether the gray of each byte is the byte itself."""
    most = 1 << bits
    count = min((COLOURS.unpack_from(data, 46)[0] if entry == 4 else 0) or most, most)
    blue, green, red = (data[at + i : at + entry * count : entry] for i in range(3))
    is_gray = blue == green == red and len(red) == count
    return is_gray, is_gray and red == LEVELS


def _check_runs(data: bytes, at: int, width: int, height: int, narrow: bool) -> None:
    """Refuse runs that end before the picture, whose rest the decoder makes up, and what it reads wrong."""
    found = native().family("unpack", np.uint8).runs(data, at, width, height, narrow)
    if found == SHORT:
        raise Broken("its runs end before its pixels")
    if found == SKIPPING and narrow:
        raise Unsupported("BMP of 4 bits whose runs skip pixels")


def _check_masks(masks: tuple[int, ...], bits: int, dib: int) -> None:
    """Refuse what would come out in other colours; with a mask for alpha, any of 32 bits are read right."""
    if bits == 16 and dib > MASKS_BEHIND:
        raise Unsupported(f"BMP of 16 bits with masks in a header of {dib} bytes")
    if masks not in MASKS.get(bits, ()) and not (bits == 32 and dib >= WITH_ALPHA):
        raise Unsupported(f"BMP of {bits} bits whose masks are {', '.join(map(hex, masks))}")

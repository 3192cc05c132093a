"""The orientation of a photo, from its EXIF block."""

from __future__ import annotations

import struct

TAG = 0x0112


def orientation(block: bytes) -> int:
    """1 to 8; 1 where the block cannot be understood: other programs often damage EXIF."""
    block = block.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if order is None:
        return 1
    try:
        (at,) = struct.unpack_from(order + "I", block, 4)
        (entries,) = struct.unpack_from(order + "H", block, at)
        for i in range(entries):
            tag, kind, count, value = struct.unpack_from(order + "HHIH", block, at + 2 + 12 * i)
            if tag == TAG:
                return value if kind == 3 and count == 1 and 1 <= value <= 8 else 1
    except struct.error:
        return 1
    return 1

"""WebP: a RIFF file of chunks (RFC 9649)."""

from __future__ import annotations

import struct

from convkit.io.headers import exif
from convkit.io.headers.header import Broken, Header, Parts, holds

ALPHA = 0x10


def read(data: bytes) -> Header:
    """The header; the chunks are followed to the file's end."""
    (size,) = struct.unpack_from("<I", data, 4)
    holds(data, size + 8)
    orientation, parts, at = 1, Parts(), 12
    canvas = picture = None
    alpha = False
    while at + 8 <= size + 8:
        parts.add()
        name, length = struct.unpack_from("<4sI", data, at)
        body = at + 8
        if body + length > size + 8:
            raise Broken(f"it ends inside its chunk {name!r}")
        if name == b"VP8X" and canvas is None:
            alpha = bool(data[body] & ALPHA)
            canvas = tuple(1 + int.from_bytes(data[body + i : body + i + 3], "little") for i in (4, 7))
        elif name == b"VP8 " and picture is None:
            width, height = struct.unpack_from("<HH", data, body + 6)
            picture = width & 0x3FFF, height & 0x3FFF
        elif name == b"VP8L" and picture is None:
            bits = int.from_bytes(data[body + 1 : body + 5], "little")
            picture = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
            alpha = alpha or bool(bits >> 28 & 1)
        elif name == b"EXIF":
            orientation = exif.orientation(data[body : body + length])
        at = body + length + length % 2
    if canvas is not None and picture is not None and canvas != picture:
        raise Broken(f"its canvas is {canvas[0]}×{canvas[1]} and its picture {picture[0]}×{picture[1]}")
    if canvas is None and picture is None:
        raise Broken("it has no picture")
    width, height = picture or canvas or (0, 0)
    return Header(height, width, 4 if alpha else 3, "uint8", orientation)

"""WebP: a RIFF file of chunks (RFC 9649)."""

from __future__ import annotations

import struct

from convkit.io.headers import exif
from convkit.io.headers.header import Broken, Header, Parts, Shown, Unsupported, holds

ALPHA = 0x10
FRAME = (
    16  # bytes of an animation's frame before its chunks: its place, its size, how long and how it is shown
)


def read(data: bytes) -> Header:
    """The header; the chunks are followed to the file's end. Of an animation, the first frame counts."""
    (size,) = struct.unpack_from("<I", data, 4)
    holds(data, size + 8)
    orientation, parts, at, end = 1, Parts(), 12, size + 8
    canvas = picture = None
    alpha, frame, frames = False, (0, 0), 1
    while at + 8 <= end:
        parts.add()
        name, length = struct.unpack_from("<4sI", data, at)
        body = at + 8
        if body + length > end:
            raise Broken(f"it ends inside its chunk {name!r}")
        at = body + length + length % 2
        if name == b"VP8X" and canvas is None:
            alpha = bool(data[body] & ALPHA)
            canvas = _size(data, body + 4)
        elif name == b"VP8 " and picture is None:
            width, height = struct.unpack_from("<HH", data, body + 6)
            picture = width & 0x3FFF, height & 0x3FFF
        elif name == b"VP8L" and picture is None:
            bits = int.from_bytes(data[body + 1 : body + 5], "little")
            picture = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
            alpha = alpha or bool(bits >> 28 & 1)
        elif name == b"ANMF" and canvas is not None and picture is None and not frame[1]:
            if any(data[body : body + 6]) or _size(data, body + 6) != canvas:
                raise Unsupported("WebP animation whose first frame leaves out part of its canvas")
            frame = body + FRAME, body + length
            at = body + FRAME  # its chunks are the next
        elif name == b"ANMF":
            frames += 1
        elif name == b"EXIF":
            orientation = exif.orientation(data[body : body + length])
    if canvas is not None and picture is not None and canvas != picture:
        raise Broken(f"its canvas is {canvas[0]}×{canvas[1]} and its picture {picture[0]}×{picture[1]}")
    if canvas is None and picture is None:
        raise Broken("it has no picture")
    width, height = picture or canvas or (0, 0)
    shown = _still(data, frame, canvas, alpha) if canvas and frame[1] else None
    return Header(height, width, 4 if alpha else 3, "uint8", orientation, frames=frames, shown=shown)


def _size(data: bytes, at: int) -> tuple[int, int]:
    """Two numbers of three bytes, of width and height less one."""
    width, height = (1 + int.from_bytes(data[at + i : at + i + 3], "little") for i in (0, 3))
    return width, height


def _still(data: bytes, frame: tuple[int, int], canvas: tuple[int, int], alpha: bool) -> Shown:
    """The chunks of a frame as a file of their own: decoders know no animations, or blend their frames."""
    start, end = frame
    size = b"".join((length - 1).to_bytes(3, "little") for length in canvas)
    flags = struct.pack("<I", ALPHA if alpha else 0)
    head = struct.pack("<4sI4s4sI", b"RIFF", 22 + end - start, b"WEBP", b"VP8X", 10)
    return Shown(head + flags + size, ((start, end),))

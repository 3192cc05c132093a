"""What a file's header says, and whether the file is whole: read in Python, before a decoder sees it."""

from __future__ import annotations

import struct
from collections.abc import Callable

from convkit.errors import CorruptImage, UnsupportedFormat
from convkit.io.headers import bmp, jpeg, png, pnm, tiff, webp
from convkit.io.headers.header import Broken, Header, Page, Pieces, Raw, Unsupported

__all__ = ["READERS", "Broken", "Header", "Page", "Pieces", "Raw", "Unsupported", "damage", "read"]

READERS: dict[str, Callable[[bytes], Header]] = {
    "PNG": png.read,
    "JPEG": jpeg.read,
    "TIFF": tiff.read,
    "WebP": webp.read,
    "BMP": bmp.read,
    "PGM": pnm.read,
    "PPM": pnm.read,
    "PNM": pnm.read,
    "PFM": pnm.read_float,
}


def read(kind: str, data: bytes, name: str) -> Header:
    """The header of `data`, a file of the format `kind`; `name` is for messages.

    Raises
    ------
    CorruptImage
        The file is cut short, or its header contradicts itself.
    UnsupportedFormat
        The format allows what the file says, and convkit does not.
    """
    try:
        header = READERS[kind](data)
        if header.height < 1 or header.width < 1:
            raise Broken(f"its header says {header.width}×{header.height} pixels")
    except Unsupported as error:
        raise UnsupportedFormat(f"{name} is a {error}, which convkit does not read") from None
    except (Broken, struct.error, IndexError, OverflowError) as error:
        raise CorruptImage(f"{name} is a {kind} file that is cut short or damaged: {_told(error)}") from None
    return header


def _told(error: Exception) -> str:
    if isinstance(error, Broken):
        return str(error)
    if isinstance(error, OverflowError):  # of a place in 64 bits
        return "it points far behind its end"
    return "its header is cut short"


def damage(name: str, data: bytes) -> None:
    """Raise `Broken` where it can be told why a decoder gave up on `data`."""
    if name == "PNG":
        png.damage(data)

"""What a file's header says, and whether the file is whole: read in Python, before a decoder sees it."""

from __future__ import annotations

import struct
from collections.abc import Callable

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


def read(name: str, data: bytes) -> Header:
    """The header of `data`, a file of the format `name`.

    Raises
    ------
    Broken
        The file is cut short, or its header contradicts itself.
    Unsupported
        The format allows what the file says, and convkit does not.
    """
    try:
        header = READERS[name](data)
    except (struct.error, IndexError):
        raise Broken("its header is cut short") from None
    except OverflowError:  # of a place in 64 bits
        raise Broken("it points far behind its end") from None
    if header.height < 1 or header.width < 1:
        raise Broken(f"its header says {header.width}×{header.height} pixels")
    return header


def damage(name: str, data: bytes) -> None:
    """Raise `Broken` where it can be told why a decoder gave up on `data`."""
    if name == "PNG":
        png.damage(data)

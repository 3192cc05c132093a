"""What each file format is called, how its bytes begin, and which images it holds."""

from __future__ import annotations

import os
from dataclasses import dataclass

from convkit._checks import Array
from convkit.errors import UnsupportedFormat


@dataclass(frozen=True, slots=True)
class Format:
    """One file format; `dtypes` and `channels` are what convkit writes without loss of kind."""

    name: str
    suffixes: tuple[str, ...]
    magic: tuple[bytes, ...]
    dtypes: tuple[str, ...]
    channels: tuple[int, ...]
    side: int = 1 << 20
    """The most rows, and columns, that OpenCV writes, or reads again where it must decode them."""

    def holds(self, image: Array) -> bool:
        """Whether an image of this size, dtype and number of channels survives as it is."""
        return (
            image.dtype.name in self.dtypes
            and channel_count(image) in self.channels
            and max(image.shape[:2]) <= self.side
        )


FORMATS = (
    Format("PNG", (".png",), (b"\x89PNG\r\n\x1a\n",), ("uint8", "uint16"), (1, 3, 4), 1_000_000),
    Format("JPEG", (".jpg", ".jpeg", ".jpe"), (b"\xff\xd8\xff",), ("uint8",), (1, 3), 65500),
    Format(
        "TIFF",
        (".tif", ".tiff"),
        (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
        ("uint8", "uint16", "int16", "float32", "float64"),
        (1, 3, 4),
    ),
    Format("WebP", (".webp",), (b"RIFF",), ("uint8",), (3, 4), 16383),
    Format("BMP", (".bmp", ".dib"), (b"BM",), ("uint8",), (1, 3, 4)),
    Format("PGM", (".pgm",), (b"P2", b"P5"), ("uint8", "uint16"), (1,), 1 << 31),
    Format("PPM", (".ppm",), (b"P3", b"P6"), ("uint8", "uint16"), (3,), 1 << 31),
    Format("PNM", (".pnm",), (b"P1", b"P4"), ("uint8", "uint16"), (1, 3), 1 << 31),
    Format("PFM", (".pfm",), (b"Pf", b"PF"), ("float32",), (1, 3), 1 << 31),
)


BY_BEGINNING = {magic[:2]: known for known in FORMATS for magic in known.magic}
"""No two formats share their first two bytes."""


def sniff(data: bytes) -> Format | None:
    """The format that `data` begins as."""
    found = BY_BEGINNING.get(data[:2])
    if found is None or not data.startswith(found.magic):
        return None
    return None if found.name == "WebP" and data[8:12] != b"WEBP" else found  # RIFF holds sounds, too


OTHERS = {
    (0, b"GIF8"): "a GIF: Pillow reads it",
    (4, b"ftypavi"): "an AVIF: Pillow reads it",
    (4, b"ftyphei"): "an HEIC: pillow-heif reads it",
    (4, b"ftypmif"): "an HEIF: pillow-heif reads it",
    (4, b"jP  "): "a JPEG 2000: Pillow reads it",
    (0, b"%PDF"): "a PDF",
    (0, b"<"): "a web page or an SVG",
    (0, b"version https://git-lfs"): "what Git LFS keeps in a file's place: run git lfs pull",
}
"""What is often taken for an image of these formats, by what it has at which place."""


def guess(data: bytes) -> str:
    """What `data` is instead, in a few words, where it is known."""
    for (at, magic), words in OTHERS.items():
        if data.startswith(magic, at):
            return f" (it is {words})" if at or magic != b"<" else f" (it may be {words})"
    return ""


def for_name(name: str) -> Format:
    """The format that a file name asks for by its ending; `UnsupportedFormat` where it asks for none."""
    suffix = os.path.splitext(name)[1]
    for known in FORMATS:
        if suffix.lower() in known.suffixes:
            return known
    expected = ", ".join(s for f in FORMATS for s in f.suffixes)
    ending = repr(suffix) if suffix else "no suffix"
    raise UnsupportedFormat(f"{name or 'an empty name'} ends in {ending}; expected one of {expected}")


def channel_count(image: Array) -> int:
    """Channels of an HW or HWC image."""
    return 1 if image.ndim == 2 else image.shape[2]


def names(formats: tuple[Format, ...] | list[Format] = FORMATS) -> str:
    """The formats' names, for messages."""
    return ", ".join(f.name for f in formats)

"""What every format's header is read into."""

from __future__ import annotations

from typing import Literal, NamedTuple

MOST_PARTS = 100_000
"""Segments, chunks or entries of a file: one with more was made to keep its reader busy."""


class Raw(NamedTuple):
    """Where pixels lie in the file as they are: they are copied, not decoded."""

    start: int
    step: int
    """Bytes from a row to the next; below 0 where the last row comes first: `start` is where the first is."""
    dtype: str
    """With its byte order."""
    blue_first: bool = False
    """Of three channels of bytes."""


class Pieces(NamedTuple):
    """Strips or tiles of pixels that are put together here, not by the decoder: see `tiff_pixels`."""

    places: tuple[int, ...]
    sizes: tuple[int, ...]
    height: int
    width: int
    samples: int
    planar: bool
    """A piece holds one channel."""
    dtype: str
    """With its byte order."""
    compression: int
    """By TIFF's number; 1: none."""
    differences: bool
    """Numbers are those to the pixel on the left."""
    line: int
    """Bytes of a row of a piece."""
    tiled: bool = False
    tables: tuple[int, int] = (0, 0)
    """Place and size of what JPEGs in pieces have in common."""


class Page(NamedTuple):
    """A page of a TIFF that the decoder is to see alone and as it understands it: see `tiff_pixels`."""

    at: int
    """Where its directory is."""
    changes: tuple[tuple[int, int], ...]
    """Tags, and the number that each gets; 0 takes it out."""
    planes: int
    """Where this is not 0: channels that are decoded one by one."""


class Shown(NamedTuple):
    """What the decoder is to see of a file: some bytes, then stretches of it, from one place to another."""

    first: bytes
    stretches: tuple[tuple[int, int], ...]

    def of(self, data: bytes) -> bytes:
        """The bytes to be decoded."""
        view = memoryview(data)
        return b"".join([self.first, *(view[start:end] for start, end in self.stretches)])


class Header(NamedTuple):
    """An image as its file describes it: what the decoder will give, before the orientation is applied."""

    height: int
    width: int
    channels: int
    dtype: str
    orientation: int = 1
    """As EXIF counts: 1 upright; 2 to 8 mirrored or turned."""
    followed: Literal["", "if gray", "always"] = ""
    """Whether the data of a JPEG are followed to their last block."""
    pages: tuple[Header, ...] = ()
    """The further images of the file."""
    frames: int = 1
    """Those of an animation, of which one image is read."""
    transparent: int | None = None
    """The gray value that stands for a transparent pixel."""
    raw: Raw | None = None
    pieces: Pieces | None = None
    unchecked: Pieces | None = None
    """Those that the decoder puts together, passing over damage."""
    page: Page | None = None
    shown: Shown | None = None
    largest: int = 0
    """Pixels of the largest piece that is decoded at once, which may be more than the image has."""
    white: int = 0
    """Where this is not 0: the value that stands for the largest of the dtype."""
    text: int = 0
    """Where this is not 0: the place of the first of the pixels, which are numbers in words."""
    depths: tuple[int, ...] = ()
    """Bits of each channel, where they are fewer than the dtype's: the highest of it."""
    inverted: bool = False
    """Its white is 0."""

    @property
    def shape(self) -> tuple[int, ...]:
        """HW where there is one channel, else HWC."""
        size = self.height, self.width
        return size if self.channels == 1 else (*size, self.channels)

    @property
    def pixels(self) -> int:
        """Of one channel."""
        return self.height * self.width


class Broken(Exception):
    """The file is cut short or contradicts itself; says how."""


class Unsupported(Exception):
    """The file holds what convkit does not read; says what."""


class Parts:
    """Counts the parts of a file that were looked at, and refuses those that have too many."""

    def __init__(self) -> None:
        self.left = MOST_PARTS

    def add(self, count: int = 1) -> None:
        """Look at some more."""
        self.left -= count
        if self.left < 0:
            raise Broken(f"it has more than {MOST_PARTS} parts")


def holds(data: bytes, end: int) -> None:
    """Refuse a file that ends before `end`."""
    if len(data) < end:
        raise Broken(f"it has {len(data)} of the {end} bytes that its header promises")

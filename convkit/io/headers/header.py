"""What every format's header is read into."""

from __future__ import annotations

from typing import NamedTuple

MOST_PARTS = 100_000
"""Segments, chunks or entries of a file: one with more was made to keep its reader busy."""


class Raw(NamedTuple):
    """Where pixels lie in the file as they are: they are copied, not decoded."""

    start: int
    step: int
    """Bytes from a row to the next."""
    dtype: str
    """With its byte order."""
    upward: bool = False
    """The last row comes first."""
    blue_first: bool = False


class Header(NamedTuple):
    """An image as its file describes it: what the decoder will give, before the orientation is applied."""

    height: int
    width: int
    channels: int
    dtype: str
    orientation: int = 1
    """As EXIF counts: 1 upright; 2 to 8 mirrored or turned."""
    pages: tuple[Header, ...] = ()
    """The further images of the file."""
    gray_alpha: bool = False
    """Gray with alpha, where the decoder drops the alpha."""
    transparent: int | None = None
    """The gray value that stands for a transparent pixel."""
    tags: tuple[tuple[int, bytes], ...] = ()
    """Places of the file and what the decoder is to find there, so that it turns nothing itself."""
    raw: Raw | None = None

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

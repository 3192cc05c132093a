"""What a command has to say, and how it ends."""

from __future__ import annotations

from typing import NamedTuple

INTERRUPTED = 130
"""The exit status after Ctrl-C, as a shell tells it."""


class Told(NamedTuple):
    """Text for the standard output, and the exit status."""

    text: str
    status: int = 0


def one_line(error: BaseException) -> str:
    """An exception as one line."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__


def count(number: int, noun: str) -> str:
    """A number of things, in words."""
    return f"{number} {noun}{'' if number == 1 else 's'}"

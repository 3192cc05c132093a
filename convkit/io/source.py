"""Where the bytes of an image come from: a file by name, an open file, or bytes at hand."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import Any, BinaryIO, NoReturn

from convkit.errors import CorruptImage, ImageFileError, ImageTooLarge, UnsupportedFormat, of_file
from convkit.io.formats import Format, guess, names, sniff

Source = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO

HEAD = 4096
"""Bytes that are read first of what is long: what is no image is not read to its end."""

PIECE = 1 << 20
READING = os.O_RDONLY | getattr(os, "O_BINARY", 0)  # that of Windows


def load(source: Source, max_bytes: int) -> tuple[bytes, Format, str]:
    """All bytes of `source`, the format that they begin as, and a name for messages."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        data = source if type(source) is bytes else bytes(source)
        name = f"<{len(data)} bytes>"
        if len(data) > max_bytes:
            raise _too_large(max_bytes, name)
        return data, sniff(data) or _refused(data, name), name
    if hasattr(source, "read") and not isinstance(source, os.PathLike):
        name = str(getattr(source, "name", "") or f"<{type(source).__name__}>")
        try:
            return _read(source, max_bytes, name)
        except ImageFileError:
            raise
        except UnicodeDecodeError as error:
            raise _as_text(name, "str") from error
        except _damage() as error:
            raise CorruptImage(f"{name} is cut short or damaged: {error}") from error
        except OSError as error:
            raise of_file(error, name) from error
    if not isinstance(source, (str, os.PathLike)):
        raise TypeError(
            f"source is {type(source).__name__}; expected a file's name, its bytes, or an open binary file"
            + ("; pass source.tobytes() if it holds a file's" if hasattr(source, "tobytes") else "")
        )
    name = os.fsdecode(source)
    if "\0" in name:
        raise ValueError(f"source is {name!r}; expected a name without null characters")
    try:
        return _of_name(name, max_bytes)
    except ImageFileError:
        raise
    except OSError as error:
        raise of_file(error, name) from None


def _of_name(name: str, max_bytes: int) -> tuple[bytes, Format, str]:
    """A file by its name, by the system's calls alone: a file object takes as long again."""
    number = os.open(name, READING)
    try:
        status = os.fstat(number)
        if stat.S_ISREG(status.st_mode):
            return _whole(number, status.st_size, max_bytes, name)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        return _opened(number, max_bytes, name)
    finally:
        os.close(number)


def _opened(number: int, max_bytes: int, name: str) -> tuple[bytes, Format, str]:
    with open(number, "rb", buffering=0, closefd=False) as file:
        return _read(file, max_bytes, name)


def _whole(number: int, size: int, max_bytes: int, name: str) -> tuple[bytes, Format, str]:
    """All of a file of a known size, into one piece of memory."""
    if size > max_bytes:
        raise _too_large(max_bytes, name)
    if size > PIECE:
        head = os.read(number, HEAD)
        sniff(head) or _refused(head, name)
        os.lseek(number, 0, os.SEEK_SET)
    data = os.read(number, size + 1)
    if len(data) != size:  # it is being written, or the system makes it up or gives some at a time
        os.lseek(number, 0, os.SEEK_SET)
        return _opened(number, max_bytes, name)
    return data, sniff(data) or _refused(data, name), name


def _read(file: Any, max_bytes: int, name: str) -> tuple[bytes, Format, str]:
    head = piece = _piece(file, HEAD, name)
    while piece and len(head) < HEAD:  # pipes give what they have
        piece = _piece(file, HEAD - len(head), name)
        head += piece
    found = sniff(head) or _refused(head, name)
    pieces, size = [head], len(head)
    if size > max_bytes:
        raise _too_large(max_bytes, name)
    while piece and (piece := _piece(file, PIECE, name)):
        size += len(piece)
        if size > max_bytes:
            raise _too_large(max_bytes, name)
        pieces.append(piece)
    return b"".join(pieces), found, name


def _piece(file: Any, size: int, name: str) -> bytes:
    piece = file.read(size)
    if piece is None:
        raise ImageFileError(
            f"{name} has no bytes yet, and does not wait for them: call os.set_blocking(file.fileno(), True)"
        )
    if not isinstance(piece, (bytes, bytearray, memoryview)):
        raise _as_text(name, type(piece).__name__)
    return bytes(piece)


def _as_text(name: str, given: str) -> TypeError:
    return TypeError(f"{name} gives {given}; expected bytes: open it in mode 'rb'")


def _damage() -> tuple[type[Exception], ...]:
    """What the standard library's compressed files raise; imported where one has raised something."""
    import gzip
    import zipfile
    import zlib

    kinds = [EOFError, gzip.BadGzipFile, zipfile.BadZipFile, zlib.error]
    with contextlib.suppress(ImportError):  # Python can be built without it
        import lzma

        kinds.append(lzma.LZMAError)
    return tuple(kinds)


def _refused(data: bytes, name: str) -> NoReturn:
    if not data:
        raise CorruptImage(f"{name} is empty")
    raise UnsupportedFormat(f"{name} begins with {data[:8]!r}, which is none of {names()}{guess(data)}")


def _too_large(max_bytes: int, name: str) -> ImageTooLarge:
    return ImageTooLarge(
        f"{name} is longer than max_bytes={max_bytes}; pass a larger max_bytes if it can be trusted"
    )

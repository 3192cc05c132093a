"""Files that are there whole or not at all: written beside their place, flushed to the disk, renamed."""

from __future__ import annotations

import contextlib
import errno
import os

WITHOUT_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EINVAL}
"""What `os.link` says on FAT and on some network shares."""


def check(place: str) -> None:
    """Refuse a place where no file can be put."""
    if os.path.isdir(place):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if os.path.exists(place) and not os.path.isfile(place):  # a device or a pipe would be gone
        raise OSError(errno.EINVAL, "Not a regular file")
    if os.path.exists(place) and not os.access(place, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def replace(beside: str, place: str) -> None:
    """Put the file `beside` in its place, with the permissions of the one that is there."""
    with contextlib.suppress(FileNotFoundError):
        os.chmod(beside, os.stat(place).st_mode & 0o7777)
    os.replace(beside, place)


def put(place: str, data: bytes, overwrite: bool = True) -> None:
    """Write `data` beside `place` and put it there in one step."""
    check(place)
    beside = os.path.join(os.path.dirname(place), f".convkit-{os.urandom(8).hex()}.tmp")
    try:
        with open(beside, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if overwrite:
            replace(beside, place)
        else:
            _put_new(beside, place)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        raise


def _put_new(beside: str, place: str) -> None:
    """Put the file `beside` where none is: unlike a look beforehand, this cannot be overtaken."""
    try:
        os.link(beside, place)
    except OSError as error:
        if error.errno not in WITHOUT_LINKS:
            raise
        _claim(beside, place)
    else:
        os.unlink(beside)


def _claim(beside: str, place: str) -> None:
    """The same without links: an empty file keeps the place until it is replaced."""
    os.close(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
    try:
        os.replace(beside, place)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(place)
        raise

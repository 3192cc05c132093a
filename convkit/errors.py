"""The exceptions that are convkit's own; bad arguments raise Python's `ValueError` and `TypeError`."""

from __future__ import annotations

from typing import Any, cast


class ConvkitError(Exception):
    """Whatever convkit itself refuses: a file, a machine, a missing system library."""

    def __reduce__(self) -> tuple[Any, ...]:
        """What it says and holds, without a second call of ``__init__``, whose arguments are others."""
        kind, said, *held = cast("tuple[Any, ...]", super().__reduce__())
        return _as_it_was, (kind, *said), *held


def _as_it_was(kind: type[ConvkitError], *said: Any) -> ConvkitError:
    return kind.__new__(kind, *said)


class UnsupportedMachine(ConvkitError, RuntimeError):
    """An instruction set was asked for that this machine or this build lacks."""


class ImageFileError(ConvkitError, OSError):
    """An image file could not be read or written; names the file and the reason."""


class ImageNotFound(ImageFileError, FileNotFoundError):
    """There is no such file, or no such folder."""


class ImageIsDirectory(ImageFileError, IsADirectoryError):
    """The name is a folder's."""


class ImagePermission(ImageFileError, PermissionError):
    """The file may not be read, or not be written."""


class ImageExists(ImageFileError, FileExistsError):
    """The file is there already, and was not to be replaced."""


class UnsupportedFormat(ImageFileError):
    """The bytes are no image that convkit reads, or the name ends in nothing that it writes."""


class CorruptImage(ImageFileError):
    """The file starts like an image, and is cut short or damaged."""


class ImageTooLarge(ImageFileError):
    """The file, or the image that its header promises, is larger than was allowed."""


class WeightsFileError(ConvkitError, OSError):
    """A file of weights could not be read or written; names the file and the reason."""


_OF_SYSTEM: dict[type[OSError], type[ImageFileError]] = {
    FileNotFoundError: ImageNotFound,
    NotADirectoryError: ImageNotFound,
    IsADirectoryError: ImageIsDirectory,
    PermissionError: ImagePermission,
    FileExistsError: ImageExists,
}


def of_file(error: OSError, name: str) -> ImageFileError:
    """The system's `error` about the file `name` as one of convkit's, which is still the system's too."""
    kind = _OF_SYSTEM.get(type(error), ImageFileError)
    if error.errno is None:  # of a file object that speaks for itself
        return kind(f"{name}: {error}")
    said = error.strerror
    if kind is ImageNotFound and name.startswith("~"):
        said = f"{said} (~ is not expanded: pass os.path.expanduser(path))"
    if kind is ImageNotFound and "://" in name:
        said = f"{said} (an address: pass urllib.request.urlopen(address))"
    return kind(error.errno, said, name)

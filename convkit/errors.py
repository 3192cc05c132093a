"""The exceptions that are convkit's own; bad arguments raise Python's `ValueError` and `TypeError`."""


class ConvkitError(Exception):
    """Whatever convkit itself refuses: a file, a machine, a missing system library."""


class UnsupportedMachine(ConvkitError, RuntimeError):
    """An instruction set was asked for that this machine or this build lacks."""


class ImageFileError(ConvkitError, OSError):
    """An image file could not be read or written; names the file and the reason."""


class UnsupportedFormat(ImageFileError):
    """The bytes are no image format that convkit reads, or the name ends in none that it writes."""


class CorruptImage(ImageFileError):
    """The file starts like an image and cannot be decoded."""

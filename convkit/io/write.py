"""Writing: encoded in memory, then put in place in one step, so no half-written file is ever seen."""

from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING

import numpy as np

from convkit._checks import Array, as_array
from convkit._opencv import opencv
from convkit.errors import ImageFileError
from convkit.io.formats import FORMATS, Format, channel_count, for_name, names
from convkit.layout import rgb_to_bgr

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def imwrite(path: str | os.PathLike[str], image: ArrayLike) -> None:
    """Write an image file in the format that the name's ending asks for.

    The file appears whole or not at all: it is written beside its place, flushed to the disk and renamed.

    Parameters
    ----------
    path : str or path-like
        Ends in .png, .jpg, .tiff, .webp, .bmp, .pgm, .ppm, .pnm or .pfm. An existing file is replaced and
        keeps its permissions; a link is followed.
    image : array, HW or HWC with 1, 3 or 4 channels
        RGB order. PNG: uint8, uint16. TIFF: those, int16, float32, float64. PFM: float32. PGM and PPM:
        uint8, uint16. JPEG, WebP, BMP: uint8. Nothing is converted: what a format cannot hold is refused.
        JPEG is written at quality 95, the others without loss (WebP forgets the colour of pixels whose alpha
        is 0).

    Raises
    ------
    UnsupportedFormat
        The name ends in nothing that convkit writes.
    TypeError, ValueError
        The format cannot hold this dtype, this number of channels or this size; names those that can and a
        conversion.
    FileNotFoundError, IsADirectoryError, PermissionError
        As opening the file for writing does.

    Examples
    --------
    >>> import tempfile, os, numpy as np, convkit as ck
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "ramp.tiff")
    ...     ck.imwrite(path, np.linspace(-1, 1, 3, dtype=np.float32)[None])
    ...     ck.imread(path).tolist()
    [[-1.0, 0.0, 1.0]]
    """
    name = os.fsdecode(path)
    target = for_name(name)
    pixels = as_array(image, "image")
    _check_held(pixels, target)
    _put(os.path.realpath(name), _encode(pixels, target, name), name)


# ---- what a format holds ----------------------------------------------------------------------------


def _check_held(image: Array, target: Format) -> None:
    if image.ndim not in (2, 3):
        raise ValueError(f"image has shape {image.shape}; expected HW or HWC")
    channels = channel_count(image)
    if channels not in (1, 3, 4):
        hint = ": pass ck.to_hwc(image)" if image.shape[0] in (1, 3, 4) else ""
        raise ValueError(
            f"image has shape {image.shape}, {channels} channels; expected HW or HWC with 1, 3 or 4{hint}"
        )
    if image.dtype.name not in target.dtypes:
        raise TypeError(
            f"{target.name} holds {' and '.join(target.dtypes)}, not {image.dtype}; {_alternatives(image)}"
            f"pass {_dtype_mending(image, target)}"
        )
    if channels not in target.channels:
        raise ValueError(
            f"{target.name} holds {' or '.join(map(str, target.channels))} channels, not {channels} "
            f"(shape {image.shape}); {_alternatives(image)}pass {_channel_mending(channels, target)}"
        )


def _alternatives(image: Array) -> str:
    able = [f for f in FORMATS if f.holds(image)]
    return f"write {names(able)}, or " if able else ""


def _dtype_mending(image: Array, target: Format) -> str:
    if "uint8" not in target.dtypes:
        return f"image.astype(np.{target.dtypes[0]})"
    if image.dtype == np.bool_:
        return "image.astype(np.uint8) * 255"
    if image.dtype == np.uint16:
        return "(image // 257).astype(np.uint8)"
    return "np.clip(np.rint(image), 0, 255).astype(np.uint8), scaled to 0..255 first if need be"


def _channel_mending(channels: int, target: Format) -> str:
    if channels == 1:
        return "np.dstack([image] * 3)"
    return "image[..., :3]" if channels == 4 and 3 in target.channels else "ck.to_gray(image)"


# ---- bytes and files --------------------------------------------------------------------------------


def _encode(image: Array, target: Format, name: str) -> bytes:
    cv2 = opencv()
    ordered = rgb_to_bgr(image) if channel_count(image) > 1 else np.ascontiguousarray(image)
    suffix = target.suffixes[0]
    try:
        done, data = cv2.imencode(suffix, ordered)
    except cv2.error as error:
        raise ImageFileError(f"{name} cannot be encoded as {target.name}: {error.err}") from error
    if not done:
        raise ImageFileError(
            f"{name} cannot be encoded as {target.name}: the encoder refused an image of shape {image.shape}"
        )
    encoded: bytes = data.tobytes()
    return encoded


def _put(place: str, data: bytes, name: str) -> None:
    """Write `data` beside `place` and rename; every failure names the file that was asked for."""
    if os.path.isdir(place):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
    if os.path.exists(place) and not os.access(place, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), name)
    beside = os.path.join(os.path.dirname(place), f".convkit-{os.urandom(8).hex()}.tmp")
    try:
        with open(beside, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileNotFoundError):
            os.chmod(beside, os.stat(place).st_mode & 0o7777)
        os.replace(beside, place)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, name) from None
        raise

"""Writing: encoded in memory, then put in place in one step, so no half-written file is ever seen."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from convkit._atomic import put
from convkit._checks import FLOATS, IMAGE_DTYPES, Array, as_array, choice, flag, image_hint, integer
from convkit._opencv import opencv, quiet
from convkit.errors import ImageFileError, of_file
from convkit.io import headers
from convkit.io.formats import FORMATS, Format, channel_count, for_name, names
from convkit.layout import rgb_to_bgr

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def imwrite(
    path: str | os.PathLike[str],
    image: ArrayLike,
    *,
    quality: int | None = None,
    compression: int | str | None = None,
    overwrite: bool = True,
) -> None:
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
    quality : int, optional
        1 to 100, of JPEG (95 where it is not given) and of WebP, which is otherwise written without loss (but
        forgets the colour of pixels whose alpha is 0).
    compression : int or str, optional
        Of PNG, 0 to 9, fast to small; of TIFF, "none", "lzw" or "deflate". No pixel depends on it.
    overwrite : bool
        False refuses to replace a file.

    Raises
    ------
    ConvkitError
        In each case but the next: an `ImageFileError`, and an `OSError` as well.
    TypeError, ValueError
        The format cannot hold this dtype, this number of channels or this size; names those that can and a
        conversion. `quality` or `compression` is not for this format, or out of range.
    UnsupportedFormat
        The name ends in nothing that convkit writes.
    ImageNotFound, ImageIsDirectory, ImagePermission, ImageExists
        As opening the file for writing does: `FileNotFoundError` and the others of its kind catch them too.

    Examples
    --------
    >>> import tempfile, os, numpy as np, convkit as ck
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "ramp.tiff")
    ...     ck.imwrite(path, np.linspace(-1, 1, 3, dtype=np.float32)[None])
    ...     ck.imread(path).tolist()
    [[-1.0, 0.0, 1.0]]
    """
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"path is {type(path).__name__}; expected a file's name")
    name = os.fsdecode(path)
    if "\0" in name:
        raise ValueError(f"path is {name!r}; expected a name without null characters")
    target = for_name(name)
    pixels = as_array(image, "image")
    _check_held(pixels, target)
    data = _encode(pixels, target, _settings(target, quality, compression), name)
    try:
        put(os.path.realpath(name), data, flag(overwrite, "overwrite"))
    except OSError as error:
        raise of_file(error, name) from None


# ---- what a format holds ----------------------------------------------------------------------------


def _check_held(image: Array, target: Format) -> None:
    if image.ndim not in (2, 3):
        raise ValueError(
            f"image has shape {image.shape}; expected HW or HWC{image_hint(image.shape, 'image')}"
        )
    channels = channel_count(image)
    if channels not in (1, 3, 4):
        if hint := image_hint(image.shape, "image"):
            raise ValueError(f"image has shape {image.shape}; expected HW or HWC{hint}")
        raise ValueError(
            f"image has shape {image.shape}, {channels} channels; expected HW or HWC with 1, 3 or 4: "
            f"pass {_count_mending(image, target)}"
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
    if max(image.shape[:2]) > target.side:
        height, width = image.shape[:2]
        raise ValueError(
            f"{target.name} holds at most {target.side} pixels a side, not {width}×{height}; "
            f"{_alternatives(image)}cut the image into parts"
        )


def _alternatives(image: Array) -> str:
    able = [f for f in FORMATS if f.holds(image)]
    return f"write {names(able)}, or " if able else ""


def _dtype_mending(image: Array, target: Format) -> str:
    if "uint8" not in target.dtypes:
        return f"image.astype(np.{target.dtypes[0]})"
    if image.dtype == np.bool_:
        return "image.astype(np.uint8) * 255"
    able = [known for known in target.dtypes if np.can_cast(image.dtype, known)]
    if able and image.dtype.itemsize < 8:  # integers of 64 bits are said to fit into floats
        return f"image.astype(np.{able[0]})"
    if image.dtype in FLOATS:
        return "ck.to_uint8(image, range=(0, 1)), or the range that it has"
    if image.dtype == np.float16:
        return "ck.to_uint8(image.astype(np.float32), range=(0, 1)), or the range that it has"
    if image.dtype not in IMAGE_DTYPES:
        return "ck.to_uint8(image.astype(np.float32), range=(0, 255)), or the range that it has"
    return "ck.to_uint8(image)"


def _count_mending(image: Array, target: Format) -> str:
    if image.shape[2] != 2:
        return "image[..., :3] for three of them, or image[..., 0] for one"
    alpha = "; image[..., [0, 0, 0, 1]] where the second is alpha" if 4 in target.channels else ""
    return f"image[..., 0] for the first{alpha}"


def _channel_mending(channels: int, target: Format) -> str:
    if channels == 1:
        return "np.dstack([image] * 3)"
    return "image[..., :3]" if channels == 4 and 3 in target.channels else "ck.to_gray(image)"


# ---- bytes and files --------------------------------------------------------------------------------


TIFF_COMPRESSION = {"none": 1, "lzw": 5, "deflate": 8}  # by the numbers of its tag 259


def _settings(target: Format, quality: int | None, compression: int | str | None) -> list[int]:
    """What the encoder is told, as OpenCV's pairs of a key and a value."""
    cv2 = opencv()
    settings: list[int] = []
    if target.name == "JPEG":
        settings = [cv2.IMWRITE_JPEG_QUALITY, 95]
    if target.name == "TIFF":  # where nothing is said, OpenCV 4 rounds float32 colours
        settings = [cv2.IMWRITE_TIFF_COMPRESSION, TIFF_COMPRESSION["lzw"]]
    if target.name == "WebP":
        settings = [cv2.IMWRITE_WEBP_QUALITY, 101]  # above 100: without loss
    if quality is not None:
        if target.name not in ("JPEG", "WebP"):
            raise ValueError(f"{target.name} has no quality: leave it out, or write .jpg or .webp")
        settings[1] = _between(quality, "quality", 1, 100)
    if compression is not None:
        if target.name == "PNG":
            settings += [cv2.IMWRITE_PNG_COMPRESSION, _between(compression, "compression", 0, 9)]
        elif target.name == "TIFF":
            settings[1] = TIFF_COMPRESSION[choice(compression, "compression", tuple(TIFF_COMPRESSION))]
        else:
            raise ValueError(
                f"{target.name} has no choice of compression: leave it out, or write .png or .tiff"
            )
    return settings


def _between(value: int | str, name: str, low: int, high: int) -> int:
    number = integer(value, name, low)
    if number > high:
        raise ValueError(f"{name} is {number}; expected at most {high}")
    return number


def _encode(image: Array, target: Format, settings: list[int], name: str) -> bytes:
    cv2 = opencv()
    ordered = np.ascontiguousarray(image) if channel_count(image) == 1 else rgb_to_bgr(image)
    suffix = target.suffixes[0]
    try:
        with quiet:
            done, data = cv2.imencode(suffix, ordered, settings)
    except cv2.error as error:
        reason = getattr(error, "err", error)
        raise ImageFileError(f"{name} cannot be encoded as {target.name}: {reason}") from error
    if not done:
        raise ImageFileError(
            f"{name} cannot be encoded as {target.name}: the encoder refused an image of shape {image.shape}"
        )
    encoded: bytes = data.tobytes()
    if target.name == "BMP" and headers.read("BMP", encoded, name).channels != channel_count(image):
        raise ImageFileError(
            f"{name}: this OpenCV writes BMP without alpha; write .png, or pass image[..., :3]"
        )
    return encoded

"""Reading: bytes in Python, the header looked at, then OpenCV's decoder in memory."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import numpy as np

from convkit._checks import IMAGE_DTYPES, Array, choice
from convkit._opencv import opencv
from convkit.errors import CorruptImage, UnsupportedFormat
from convkit.io.formats import channel_count, names, sniff
from convkit.layout import bgr_to_rgb, to_gray

Mode = Literal["unchanged", "color", "gray"]


def imread(path: str | os.PathLike[str], mode: Mode = "unchanged") -> Array:
    """Read an image file: RGB order, dtype kept.

    Parameters
    ----------
    path : str or path-like
        PNG, JPEG, TIFF, WebP, BMP, PNM or PFM, told by its bytes and not by its name.
    mode : {"unchanged", "color", "gray"}
        "unchanged": HW for gray, HWC for RGB and RGBA (a palette is looked up; gray with alpha becomes RGBA).
        "color": always three channels, alpha dropped. "gray": always HW, by the rule of `to_gray`.

    Returns
    -------
    array, HW or HWC
        uint8, uint16, int16, float32 or float64, as stored; pixels in stored order, so the EXIF orientation
        of a photo is not applied. Of a file with several pages, the first.

    Raises
    ------
    FileNotFoundError, IsADirectoryError, PermissionError
        As opening the file does.
    UnsupportedFormat
        The bytes are none of these formats, or hold another kind of number.
    CorruptImage
        The file begins like an image and is cut short or cannot be decoded.
    ConvkitError
        OpenCV cannot be loaded; says what to install.

    Examples
    --------
    >>> import tempfile, os, numpy as np, convkit as ck
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "red.png")
    ...     ck.imwrite(path, np.full((2, 3, 3), (255, 0, 0), np.uint8))
    ...     ck.imread(path)[0, 0].tolist(), ck.imread(path, "gray").shape
    ([255, 0, 0], (2, 3))
    """
    choice(mode, "mode", ("unchanged", "color", "gray"))
    name = os.fsdecode(path)
    image = _rgb(_decode(Path(name).read_bytes(), name))
    if mode == "gray":
        return to_gray(image)
    if mode == "color":
        return np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image[..., :3].copy()
    return image


def _decode(data: bytes, name: str) -> Array:
    """The pixels of a file's bytes, in OpenCV's BGR order."""
    if not data:
        raise CorruptImage(f"{name} is empty")
    found = sniff(data)
    if found is None:
        raise UnsupportedFormat(f"{name} begins with {data[:8]!r}, which is none of {names()}")
    if reason := found.cut_short(data):
        raise CorruptImage(f"{name} is a {found.name} file cut short: {reason}")
    cv2 = opencv()
    try:
        pixels: Any = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise CorruptImage(f"{name} is a {found.name} file that cannot be decoded: {error.err}") from error
    if pixels is None:
        raise CorruptImage(f"{name} is a {found.name} file that cannot be decoded")
    if pixels.dtype not in IMAGE_DTYPES:
        raise UnsupportedFormat(
            f"{name} holds {pixels.dtype} pixels; expected one of {', '.join(map(str, IMAGE_DTYPES))}"
        )
    image: Array = pixels
    return image


def _rgb(image: Array) -> Array:
    return image if channel_count(image) not in (3, 4) else bgr_to_rgb(image)

"""From a file's bytes and its header to pixels: RGB, and such as the header promises."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from convkit._checks import IMAGE_DTYPES, Array, empty
from convkit._dispatch import native
from convkit._opencv import opencv, quiet
from convkit.errors import CorruptImage, ImageTooLarge, UnsupportedFormat
from convkit.io import headers, tiff_pixels
from convkit.io.formats import FORMATS, channel_count
from convkit.io.headers import Broken, Header, Page, Pieces, Raw, Unsupported, jpeg, pnm
from convkit.layout.colour import swap_red_blue

SCRATCH = 3
"""Times a picture's bytes that a decoder may take: that of progressive JPEGs keeps all coefficients."""

STORED = {dtype.name: dtype for dtype in IMAGE_DTYPES}

SIDES = {known.name: known.side for known in FORMATS}
LARGEST_SIDE = 1 << 20
"""That OpenCV decodes in whatever format."""

RGB_DECODERS = {kind: ("uint8",) for kind in headers.READERS if kind != "BMP"} | {"PNG": ("uint8", "uint16")}
"""The dtypes that come as RGB when asked for. 16-bit TIFF comes as BGR all the same, and BMP slowly."""


def decode(data: bytes, header: Header, kind: str, name: str) -> Array:
    """The image of `header`, HW or HWC, RGB, as stored: not turned.

    Parameters
    ----------
    data : bytes
        The file.
    header : Header
        The file's, or that of one of its pages.
    kind : str
        The name of its format.
    name : str
        For messages.

    Raises
    ------
    CorruptImage
        The pixels are damaged, or not those that the header promises.
    UnsupportedFormat
        They are stored in a way that convkit does not read.
    MemoryError
    """
    if header.raw is not None:
        image = _copied(data, header, header.raw)
    else:
        try:
            image = _decoded(data, header, kind, name)
        except Broken as error:
            raise CorruptImage(f"{name} is a {kind} file that is cut short or damaged: {error}") from None
        except Unsupported as error:
            raise UnsupportedFormat(
                f"{name} is a {kind} file with a {error}, which convkit does not read"
            ) from None
        height, width, channels = header[:3]
        promised = (height, width) if channels == 1 else (height, width, channels)
        if image.shape != promised or image.dtype is not STORED[header.dtype]:
            image = _expected(image, header, kind, name)
    if header.white or header.depths or header.inverted or header.transparent is not None:
        image = _whitened(image, header, kind, name)
    return image


def _decoded(data: bytes, header: Header, kind: str, name: str) -> Array:
    if header.text:
        return _spelt(data, header, kind, name)
    if header.pieces is not None:
        return _assembled(data, header, header.pieces)
    if header.unchecked is not None:
        tiff_pixels.check(data, header.unchecked, header.height, header.width)
    if header.followed == "always":
        jpeg.follow(data, 0, len(data))
    if header.page is None:
        pixels = _by_opencv(data, header, kind, name)
    else:
        pixels = _of_page(data, header, header.page, kind, name)
    if header.followed == "if gray" and jpeg.may_be_fill(pixels[-1, -1]):
        jpeg.follow(data, 0, len(data))
    if header.unchecked is not None:
        tiff_pixels.check_filled(data, header.unchecked, pixels)
    return pixels


def _of_page(data: bytes, header: Header, page: Page, kind: str, name: str) -> Array:
    """Pixels of a page that the decoder sees alone, at once or one plane after another."""
    files = tiff_pixels.files(data, page)
    if len(files) == 1:
        return _by_opencv(files[0], header, kind, name)
    gray = header._replace(channels=1)
    return np.dstack([_by_opencv(file, gray, kind, name) for file in files])


def _by_opencv(data: bytes, header: Header, kind: str, name: str) -> Array:
    cv2 = opencv()
    flags, gives_rgb = cv2.IMREAD_UNCHANGED, False
    if header.channels == 3 and header.dtype in RGB_DECODERS.get(kind, ()):
        flags, gives_rgb = _rgb_flags()
    elif header.channels == 3 and kind == "BMP":  # which it may give as gray otherwise
        flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
    pixels, reason = None, ""
    shown = data if header.shown is None else header.shown.of(data)
    try:
        with quiet:
            pixels = cv2.imdecode(np.frombuffer(shown, np.uint8), flags)
    except cv2.error as error:
        reason = str(getattr(error, "err", error))
    if pixels is None:
        raise _not_decoded(data, header, kind, name, reason)
    return pixels if gives_rgb else _rgb(pixels)


def _not_decoded(data: bytes, header: Header, kind: str, name: str, reason: str) -> Exception:
    """Damage where it can be told, a lack of memory, which decoders seldom tell, a side, or what is said."""
    try:
        headers.damage(kind, data)
        np.empty((SCRATCH, header.pixels, header.channels), STORED[header.dtype])
    except Broken as error:
        return CorruptImage(f"{name} is a {kind} file that is damaged: {error}")
    except (MemoryError, ValueError):  # not even in an address
        return MemoryError(f"no memory is left to decode the {header.width}×{header.height} pixels of {name}")
    side = min(SIDES[kind], LARGEST_SIDE)
    if max(header.height, header.width) > side:
        return ImageTooLarge(
            f"{name} is a {kind} file of {header.width}×{header.height} pixels, and OpenCV's decoder takes "
            f"at most {side} a side"
        )
    return CorruptImage(f"{name} is a {kind} file that cannot be decoded" + (reason and f": {reason}"))


@functools.cache
def _rgb_flags() -> tuple[int, bool]:
    """The flags that ask for three channels of whatever depth, and whether they come as RGB."""
    cv2 = opencv()
    known = hasattr(cv2, "IMREAD_COLOR_RGB")  # from 4.11 on
    colour = cv2.IMREAD_COLOR_RGB if known else cv2.IMREAD_COLOR
    return colour | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION, known


def _copied(data: bytes, header: Header, raw: Raw) -> Array:
    """Pixels that lie in the file as they are."""
    if raw.blue_first:
        image = empty((header.height, header.width, 3), STORED["uint8"])
        native().family("red_blue", np.float32).swap_from(data, raw.start, raw.step, image)
        return image
    dtype: np.dtype[Any] = np.dtype(raw.dtype)
    strides = (raw.step, header.channels * dtype.itemsize, dtype.itemsize)[: len(header.shape)]
    rows: Array = np.ndarray(header.shape, dtype, data, raw.start, strides)
    image = empty(header.shape, STORED[header.dtype])
    image[...] = rows
    return image


def _spelt(data: bytes, header: Header, kind: str, name: str) -> Array:
    """Pixels that are numbers in words."""
    numbers = pnm.numbers(data, header.text, math.prod(header.shape))
    if numbers.max() > (header.white or np.iinfo(header.dtype).max):
        raise CorruptImage(f"{name} is a {kind} file with {numbers.max()}, more than its white")
    return numbers.reshape(header.shape).astype(header.dtype)


def _assembled(data: bytes, header: Header, pieces: Pieces) -> Array:
    """Pixels of strips or tiles."""
    image = empty((header.height, header.width, pieces.samples), STORED[header.dtype])
    tiff_pixels.assemble(data, pieces, image)
    if header.channels == 1:
        image = image[..., 0]
    if pieces.samples == 2:  # gray with alpha
        image = image[..., [0, 0, 0, 1]]
    return image if image.flags.c_contiguous else image.copy()


def _rgb(image: Array) -> Array:
    """OpenCV's BGR as RGB, in place."""
    return image if channel_count(image) not in (3, 4) else swap_red_blue(image, image)


def _expected(image: Array, header: Header, kind: str, name: str) -> Array:
    """What the header promised, of an image that decodes otherwise; `CorruptImage` if it is another."""
    if image.shape[:2] != (header.height, header.width) or image.dtype != STORED[header.dtype]:
        raise CorruptImage(
            f"{name} is a {kind} file that promises {header.width}×{header.height} pixels of {header.dtype}, "
            f"and decodes to {image.shape[1]}×{image.shape[0]} of {image.dtype}"
        )
    channels = channel_count(image)
    if channels != header.channels and not _known(channels, header, kind):
        raise CorruptImage(
            f"{name} is a {kind} file that promises {header.channels} channels, and decodes to {channels}"
        )
    return np.ascontiguousarray(image[..., :3]) if (channels, header.channels) == (4, 3) else image  # inks


def _whitened(image: Array, header: Header, kind: str, name: str) -> Array:
    """`image` with the dtype's largest number as white, and with alpha where a gray value stood for it."""
    if header.white:
        image = _stretched(image, header.white, kind, name)
    for channel, bits in enumerate(header.depths):
        image[..., channel] |= image[..., channel] >> bits
    if header.inverted:
        colours = image if image.ndim == 2 else image[..., :3]
        np.invert(colours, out=colours)
    if header.transparent is not None and image.ndim == 2:
        top = np.iinfo(image.dtype).max
        alpha = np.where(image == header.transparent, 0, top).astype(image.dtype)
        image = np.dstack([image, image, image, alpha])
    return image


def _known(channels: int, header: Header, kind: str) -> bool:
    """Whether so many channels become the header's below: gray with a key, or a TIFF's inks."""
    if header.transparent is not None:
        return channels == 1
    return kind == "TIFF" and (channels, header.channels) == (4, 3)


def _stretched(image: Array, white: int, kind: str, name: str) -> Array:
    """Integers from 0 to `white` as those from 0 to the dtype's largest, rounded."""
    if image.max() > white:
        raise CorruptImage(f"{name} is a {kind} file with {image.max()}, more than its white, {white}")
    top = np.iinfo(image.dtype).max
    return ((image.astype(np.uint32) * top + white // 2) // white).astype(image.dtype)

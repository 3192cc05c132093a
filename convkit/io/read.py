"""Reading: the header is looked at, and held to the limits, before anything is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from convkit._checks import IMAGE_DTYPES, Array, choice, image_dtype, integer
from convkit._opencv import opencv
from convkit.errors import ImageTooLarge
from convkit.io import headers
from convkit.io.decode import STORED, decode
from convkit.io.formats import Format
from convkit.io.headers import Header
from convkit.io.source import Source, load
from convkit.layout import to_gray

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

Mode = Literal["unchanged", "color", "gray"]
Orientation = Literal["exif", "ignore"]

MAX_PIXELS = 89_478_485
"""A quarter of a gigabyte of RGB: Pillow's limit, which files from strangers are used to."""

MAX_BYTES = 1 << 30


@dataclass(frozen=True)
class ImageInfo:
    """What a file's header says about its image.

    Attributes
    ----------
    format : str
        "PNG", "JPEG", "TIFF", "WebP", "BMP", "PGM", "PPM", "PNM" or "PFM".
    height : int
        As stored, before the orientation is applied; `width` too.
    width : int
    channels : int
        1, 3 or 4.
    dtype : numpy.dtype
    orientation : int
        As EXIF counts: 1 upright; 2 to 8 mirrored or turned.
    pages : int
        What `imread_pages` gives.
    frames : int
        Of an animation, of which one image is read; 1 where there is none.
    """

    format: str
    height: int
    width: int
    channels: int
    dtype: np.dtype[Any]
    orientation: int
    pages: int
    frames: int

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of what `imread` gives by default: turned upright, HW or HWC."""
        size = (self.width, self.height) if self.orientation >= 5 else (self.height, self.width)
        return size if self.channels == 1 else (*size, self.channels)


def probe(source: Source, *, max_bytes: int = MAX_BYTES) -> ImageInfo:
    """What the file's header says, without decoding its pixels.

    Parameters
    ----------
    source, max_bytes
        See `imread`.

    Returns
    -------
    ImageInfo

    Raises
    ------
    ConvkitError
        As `imread` does for a file that is missing, no image, or cut short.

    Examples
    --------
    >>> import io, numpy as np, convkit as ck
    >>> ck.probe(b"P5 3 2 255\\n" + bytes(6))  # doctest: +ELLIPSIS
    ImageInfo(format='PGM', height=2, width=3, ..., dtype=dtype('uint8'), orientation=1, pages=1, frames=1)
    """
    data, found, name = load(source, integer(max_bytes, "max_bytes", 1))
    return _info(found, headers.read(found.name, data, name))


def _info(found: Format, header: Header) -> ImageInfo:
    return ImageInfo(
        found.name,
        header.height,
        header.width,
        header.channels,
        np.dtype(header.dtype),
        header.orientation,
        1 + len(header.pages),
        header.frames,
    )


def imread(
    source: Source,
    mode: Mode = "unchanged",
    *,
    orientation: Orientation = "exif",
    max_pixels: int = MAX_PIXELS,
    max_bytes: int = MAX_BYTES,
    dtype: DTypeLike | None = None,
) -> Array:
    """Read an image file: RGB order, dtype kept, upright.

    Parameters
    ----------
    source : str, path-like, bytes or binary file
        A file's name, its bytes, or an open file, read from where it stands. PNG, JPEG, TIFF, WebP, BMP, PNM
        or PFM, told by the bytes and not by the name.
    mode : {"unchanged", "color", "gray"}
        "unchanged": HW for gray, HWC for RGB and RGBA (a palette is looked up; gray with alpha becomes RGBA,
        four inks become RGB). "color": always three channels, alpha dropped. "gray": always HW, by the rule
        of `to_gray`.
    orientation : {"exif", "ignore"}
        "exif" turns a photo upright, as its EXIF block asks for; "ignore" leaves pixels in stored order.
    max_pixels : int
        The most pixels of one channel; a header that promises more is refused before anything is decoded.
    max_bytes : int
        The most bytes of the file, and of the decoded image.
    dtype : dtype, optional
        Of the result. Values are kept, so a dtype that cannot hold all of the file's is refused.

    Returns
    -------
    array, HW or HWC
        uint8, uint16, int16, float32 or float64, as stored. Of a file with several pages, the first; of an
        animated WebP, the first frame; of an animated PNG, the image that programs without animations show.
        White is the largest integer of the dtype: a PNM whose white is another number and a BMP of 16 bits
        are stretched, a TIFF whose white is 0 is inverted. Floats are as stored, whatever the scale of a PFM
        says.

    Raises
    ------
    ConvkitError
        In every case below: each is an `ImageFileError`, and an `OSError` as well.
    ImageNotFound, ImageIsDirectory, ImagePermission
        As opening the file does: `FileNotFoundError`, `IsADirectoryError`, `PermissionError` catch them too.
    UnsupportedFormat
        The bytes are none of these formats, or hold another kind of number.
    CorruptImage
        The file begins like an image and is cut short or cannot be decoded.
    ImageTooLarge
        More than `max_pixels` or `max_bytes`, or wider or higher than the format's decoder takes.
    TypeError
        `dtype` does not hold the file's values; names the conversion.
    MemoryError
        The image is not too large for the limits, and there is no memory for it.

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
    choice(orientation, "orientation", ("exif", "ignore"))
    data, found, name = load(source, integer(max_bytes, "max_bytes", 1))
    header = headers.read(found.name, data, name)
    _check_limits((header,), max_pixels, max_bytes, name)
    if dtype is not None:
        _check_dtype(header, dtype, name)
    image = decode(data, header, found.name, name)
    if orientation == "exif" and header.orientation != 1:
        image = _turned(image, header.orientation)
    return image if mode == "unchanged" and dtype is None else _as_asked(image, mode, dtype)


def imread_pages(
    source: Source,
    mode: Mode = "unchanged",
    *,
    orientation: Orientation = "exif",
    max_pixels: int = MAX_PIXELS,
    max_bytes: int = MAX_BYTES,
    dtype: DTypeLike | None = None,
) -> list[Array]:
    """Read all pages of a TIFF; of another format, its one image.

    Parameters
    ----------
    source, mode, orientation, dtype
        See `imread`; pages may differ in size and kind.
    max_pixels, max_bytes
        Of all pages together.

    Returns
    -------
    list of arrays, HW or HWC

    Raises
    ------
    ConvkitError, TypeError
        As `imread` does.

    Examples
    --------
    >>> import convkit as ck
    >>> [page.shape for page in ck.imread_pages(b"P5 3 2 255\\n" + bytes(6))]
    [(2, 3)]
    """
    choice(mode, "mode", ("unchanged", "color", "gray"))
    choice(orientation, "orientation", ("exif", "ignore"))
    data, found, name = load(source, integer(max_bytes, "max_bytes", 1))
    header = headers.read(found.name, data, name)
    pages = (header, *header.pages)
    _check_limits(pages, max_pixels, max_bytes, name)
    if dtype is not None:
        for page in pages:
            _check_dtype(page, dtype, name)
    images = []
    for page in pages:
        image = decode(data, page, found.name, name)
        images.append(
            _as_asked(_turned(image, page.orientation if orientation == "exif" else 1), mode, dtype)
        )
    return images


def image_and_info(source: Source, mode: Mode) -> tuple[Array, ImageInfo]:
    """What `imread` and `probe` give, of a source that is read once: it may be a pipe."""
    data, found, name = load(source, MAX_BYTES)
    header = headers.read(found.name, data, name)
    _check_limits((header,), MAX_PIXELS, MAX_BYTES, name)
    image = decode(data, header, found.name, name)
    return _as_asked(_turned(image, header.orientation), mode, None), _info(found, header)


# ---- before decoding --------------------------------------------------------------------------------


def _check_limits(pages: tuple[Header, ...], max_pixels: int, max_bytes: int, name: str) -> None:
    pixels = decoded = 0
    for page in pages:
        most = max(page.height * page.width, page.largest)
        pixels += most
        decoded += most * page.channels * STORED[page.dtype].itemsize
    if pixels > integer(max_pixels, "max_pixels", 1):
        raise ImageTooLarge(
            f"{name} promises {_size(pages)} pixels, more than max_pixels={max_pixels}; pass a larger "
            "max_pixels if it can be trusted"
        )
    if decoded > max_bytes:
        raise ImageTooLarge(
            f"{name} promises {_size(pages)} pixels, {decoded} bytes, more than max_bytes={max_bytes}; pass "
            "a larger max_bytes if it can be trusted"
        )


def _size(pages: tuple[Header, ...]) -> str:
    if pages[0].largest > pages[0].pixels:
        return f"pieces of {pages[0].largest}"
    first = f"{pages[0].width}×{pages[0].height}"
    return first if len(pages) == 1 else f"{len(pages)} pages, the first of {first}"


def _check_dtype(header: Header, dtype: DTypeLike, name: str) -> None:
    wanted, stored = image_dtype(dtype), np.dtype(header.dtype)
    if not np.can_cast(stored, wanted):
        raise TypeError(
            f"{name} holds {stored}, and {wanted} does not hold all its values; {_holding(stored, wanted)}"
        )


def _holding(stored: np.dtype[Any], wanted: np.dtype[Any]) -> str:
    """How values of that dtype are had nevertheless."""
    if wanted == np.uint8 and stored.kind == "f":
        return "leave dtype out and pass ck.to_uint8(image, range=(0, 1)), or the range that it has"
    if wanted == np.uint8:
        return "leave dtype out and pass ck.to_uint8(image)"
    able = [known for known in IMAGE_DTYPES if np.can_cast(stored, known) and known != stored]
    return f"pass dtype={able[0].name!r}" if able else "leave dtype out"


# ---- after decoding ---------------------------------------------------------------------------------


def _turned(image: Array, orientation: int) -> Array:
    """A stored image as it is to be seen; `orientation` is EXIF's number."""
    if orientation == 1:
        return image
    cv2 = opencv()
    if orientation >= 5:
        image = cv2.transpose(image)
    if orientation == 5:
        return image
    flip = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}[orientation]  # 1: columns, 0: rows, -1: both
    turned: Array = cv2.flip(image, flip, image)
    return turned


def _as_asked(image: Array, mode: Mode, dtype: DTypeLike | None) -> Array:
    if mode == "gray":
        image = to_gray(image)
    elif mode == "color":
        image = (
            np.repeat(image[..., None], 3, axis=2)
            if image.ndim == 2
            else np.ascontiguousarray(image[..., :3])
        )
    return image if dtype is None else image.astype(dtype, copy=False)

"""Reading: bytes in Python, the header looked at, then OpenCV's decoder in memory."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from convkit._checks import IMAGE_DTYPES, Array, choice, empty, image_dtype, integer
from convkit._dispatch import native
from convkit._opencv import opencv, quiet
from convkit.errors import CorruptImage, ImageTooLarge, UnsupportedFormat
from convkit.io import headers, tiff_pixels
from convkit.io.formats import channel_count
from convkit.io.headers import Broken, Header, Pieces, Raw, Unsupported, jpeg, pnm
from convkit.io.source import Source, load
from convkit.layout import to_gray
from convkit.layout.colour import swap_red_blue

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

Mode = Literal["unchanged", "color", "gray"]
Orientation = Literal["exif", "ignore"]

MAX_PIXELS = 89_478_485
"""A quarter of a gigabyte of RGB: Pillow's limit, which files from strangers are used to."""

MAX_BYTES = 1 << 30

SCRATCH = 3
"""Times a picture's bytes that a decoder may take: that of progressive JPEGs keeps all coefficients."""

STORED = {dtype.name: dtype for dtype in IMAGE_DTYPES}

RGB_DECODERS = {*((kind, "uint8") for kind in headers.READERS if kind != "BMP"), ("PNG", "uint16")}
"""Those that give RGB when asked for it. OpenCV's gives 16-bit TIFF as BGR all the same, and BMP slowly."""


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
    """

    format: str
    height: int
    width: int
    channels: int
    dtype: np.dtype[Any]
    orientation: int
    pages: int

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
    ImageInfo(format='PGM', height=2, width=3, channels=1, dtype=dtype('uint8'), orientation=1, pages=1)
    """
    data, found, name = load(source, integer(max_bytes, "max_bytes", 1))
    header = _header(data, found.name, name)
    return ImageInfo(
        found.name,
        header.height,
        header.width,
        header.channels,
        np.dtype(header.dtype),
        header.orientation,
        1 + len(header.pages),
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
        More than `max_pixels` or `max_bytes`.
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
    header = _header(data, found.name, name)
    _check_limits([header], max_pixels, max_bytes, name)
    _check_kind(header, mode, dtype, name)
    image = _checked(_decode(data, header, found.name, name), header, found.name, name)
    if orientation == "exif" and header.orientation != 1:
        image = _turned(image, header.orientation)
    return _as_asked(image, mode, dtype)


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
    header = _header(data, found.name, name)
    pages = [header, *header.pages]
    _check_limits(pages, max_pixels, max_bytes, name)
    for page in pages:
        _check_kind(page, mode, dtype, name)
    images = []
    for page in pages:
        image = _checked(_decode(data, page, found.name, name), page, found.name, name)
        images.append(
            _as_asked(_turned(image, page.orientation if orientation == "exif" else 1), mode, dtype)
        )
    return images


# ---- before decoding --------------------------------------------------------------------------------


def _header(data: bytes, kind: str, name: str) -> Header:
    try:
        return headers.read(kind, data)
    except Broken as error:
        raise CorruptImage(f"{name} is a {kind} file that is cut short or damaged: {error}") from None
    except Unsupported as error:
        raise UnsupportedFormat(f"{name} is a {error}, which convkit does not read") from None


def _check_limits(pages: list[Header], max_pixels: int, max_bytes: int, name: str) -> None:
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


def _size(pages: list[Header]) -> str:
    if pages[0].largest > pages[0].pixels:
        return f"pieces of {pages[0].largest}"
    first = f"{pages[0].width}×{pages[0].height}"
    return first if len(pages) == 1 else f"{len(pages)} pages, the first of {first}"


def _check_kind(header: Header, mode: Mode, dtype: DTypeLike | None, name: str) -> None:
    if dtype is None:
        return
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


# ---- decoding ---------------------------------------------------------------------------------------


def _decode(data: bytes, header: Header, kind: str, name: str) -> Array:
    """The pixels in RGB order; what is `Broken` in them raises an exception about the file."""
    if header.raw is not None:
        return _copied(data, header, header.raw)
    try:
        return _decoded(data, header, kind, name)
    except Broken as error:
        raise CorruptImage(f"{name} is a {kind} file that is cut short or damaged: {error}") from None
    except Unsupported as error:
        raise UnsupportedFormat(
            f"{name} is a {kind} file with a {error}, which convkit does not read"
        ) from None


def _decoded(data: bytes, header: Header, kind: str, name: str) -> Array:
    if header.text:
        return _spelt(data, header, kind, name)
    if header.pieces is not None:
        return _assembled(data, header, header.pieces)
    if header.unchecked is not None:
        tiff_pixels.check(data, header.unchecked, header.height, header.width)
    if header.followed == "always":
        jpeg.follow(data, 0, len(data))
    pixels = _by_decoder(data, header, kind, name)
    if header.followed == "if gray" and jpeg.may_be_fill(pixels[-1, -1]):
        jpeg.follow(data, 0, len(data))
    if header.unchecked is not None:
        tiff_pixels.check_filled(data, header.unchecked, pixels)
    return pixels


def _by_decoder(data: bytes, header: Header, kind: str, name: str) -> Array:
    """Pixels that OpenCV decodes, of the file or of the page alone, at once or one plane after another."""
    if header.page is None:
        return _by_opencv(data, header, kind, name)
    files = tiff_pixels.files(data, header.page)
    if len(files) == 1:
        return _by_opencv(files[0], header, kind, name)
    gray = header._replace(channels=1)
    return np.dstack([_by_opencv(file, gray, kind, name) for file in files])


def _by_opencv(data: bytes, header: Header, kind: str, name: str) -> Array:
    cv2 = opencv()
    flags, gives_rgb = cv2.IMREAD_UNCHANGED, False
    if header.channels == 3 and (kind, header.dtype) in RGB_DECODERS:
        flags, gives_rgb = _rgb_flags(cv2)
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
    """Damage where it can be told, a lack of memory, which decoders seldom tell, or what this one says."""
    try:
        headers.damage(kind, data)
        np.empty((SCRATCH, header.pixels, header.channels), STORED[header.dtype])
    except Broken as error:
        return CorruptImage(f"{name} is a {kind} file that is damaged: {error}")
    except (MemoryError, ValueError):  # not even in an address
        return MemoryError(f"no memory is left to decode the {_size([header])} pixels of {name}")
    return CorruptImage(f"{name} is a {kind} file that cannot be decoded" + (reason and f": {reason}"))


@functools.cache
def _rgb_flags(cv2: Any) -> tuple[int, bool]:
    """The flags that ask for three channels of whatever depth, and whether they come as RGB."""
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
    shape: tuple[int, ...] = (header.height, header.width, header.channels)
    strides: tuple[int, ...] = (raw.step, header.channels * dtype.itemsize, dtype.itemsize)
    if header.channels == 1:
        shape, strides = shape[:2], strides[:2]
    rows: Array = np.ndarray(shape, dtype, data, raw.start, strides)
    image = empty(shape, STORED[header.dtype])
    image[...] = rows
    return image


def _spelt(data: bytes, header: Header, kind: str, name: str) -> Array:
    """Pixels that are numbers in words."""
    shape: tuple[int, ...] = (header.height, header.width, header.channels)
    shape = shape[:2] if header.channels == 1 else shape
    numbers = pnm.numbers(data, header.text, math.prod(shape))
    if numbers.max() > (header.white or np.iinfo(header.dtype).max):
        raise CorruptImage(f"{name} is a {kind} file with {numbers.max()}, more than its white")
    return numbers.reshape(shape).astype(header.dtype)


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


def _checked(image: Array, header: Header, kind: str, name: str) -> Array:
    """`image` if it is what the header promised."""
    if header.raw is None and (
        image.shape[:2] != (header.height, header.width) or image.dtype != STORED[header.dtype]
    ):
        raise CorruptImage(
            f"{name} is a {kind} file that promises {header.width}×{header.height} pixels of {header.dtype}, "
            f"and decodes to {image.shape[1]}×{image.shape[0]} of {image.dtype}"
        )
    channels = channel_count(image)
    if header.raw is None and channels != header.channels and not _known(channels, header, kind):
        raise CorruptImage(
            f"{name} is a {kind} file that promises {header.channels} channels, and decodes to {channels}"
        )
    if header.channels == 3 and channel_count(image) == 4:  # inks
        image = np.ascontiguousarray(image[..., :3])
    if header.white:
        image = _stretched(image, header.white, kind, name)
    for channel, bits in enumerate(header.depths):  # so that white is the largest number
        image[..., channel] |= image[..., channel] >> bits
    if header.inverted:
        np.invert(image, out=image)
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

"""Axis orders (HWC, CHW, BCHW), colour orders (RGB, BGR) and gray.

Each function applies its one documented meaning: a shape such as (3, 3, 3) is taken as the name says and
never guessed. A shape that can only be the other layout is refused with the call that mends it. Results are
fresh, C-contiguous arrays, unless a docstring says otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from convkit._checks import FLOATS, IMAGE_DTYPES, Array, as_array
from convkit._opencv import opencv

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

MAX_CHANNELS = 4  # of a picture: gray, gray + alpha, RGB, RGBA

# ---- axes -------------------------------------------------------------------------------------------


def to_chw(image: ArrayLike) -> Array:
    """Channels first: HWC → CHW, HW → 1HW.

    Parameters
    ----------
    image : array, HW or HWC
        Any real dtype, kept.

    Returns
    -------
    array, CHW

    Raises
    ------
    ValueError
        Not two or three axes, or unmistakably CHW: at most 4 in front of two longer axes.
    TypeError
        Not an array of real numbers.

    Examples
    --------
    >>> import numpy as np, convkit as ck
    >>> ck.to_chw(np.zeros((480, 640, 3), np.uint8)).shape
    (3, 480, 640)
    """
    return np.array(_image(image, "image").transpose(2, 0, 1), order="C", copy=True)


def to_hwc(array: ArrayLike) -> Array:
    """Channels last: CHW → HWC. No axis is dropped: 1HW → HW1, whose ``[..., 0]`` is HW.

    Parameters
    ----------
    array : array, CHW
        Any real dtype, kept.

    Returns
    -------
    array, HWC

    Raises
    ------
    ValueError
        Not three axes, or unmistakably HWC: at most 4 behind two longer axes.
    TypeError
        Not an array of real numbers.

    Examples
    --------
    >>> import numpy as np, convkit as ck
    >>> ck.to_hwc(np.zeros((3, 480, 640), np.float32)).shape
    (480, 640, 3)
    """
    chw = as_array(array, "array")
    if chw.ndim != 3:
        hint = {2: ": pass array[None]", 4: ": ck.from_bchw(array) takes a batch"}.get(chw.ndim, "")
        raise ValueError(f"array has shape {chw.shape}; expected CHW{hint}")
    if _looks_channels_last(chw.shape):
        raise ValueError(f"array has shape {chw.shape}, which is HWC already; expected CHW")
    return np.array(chw.transpose(1, 2, 0), order="C", copy=True)


def to_bchw(image_or_images: Any, *, dtype: DTypeLike | None = "float32") -> Array:
    """A batch for convolutions from one image, a list of images, or BHWC: values kept, channels first.

    Parameters
    ----------
    image_or_images : array or list of arrays
        HW or HWC: a batch of one. A list or tuple of such images, of one shape and dtype. Four axes: BHWC.
        uint8, uint16, int16, float32, float64 or bool.
    dtype : {"float32", "float64", None}
        Of the result; None keeps the images'. Values are not scaled: 255 stays 255.

    Returns
    -------
    array, BCHW

    Raises
    ------
    ValueError
        Shapes differ or are no image's; channels are unmistakably first already; a value overflows float32.
    TypeError
        Another dtype, or images of different dtypes.

    Examples
    --------
    >>> import numpy as np, convkit as ck
    >>> photo = np.full((224, 224, 3), 255, np.uint8)
    >>> batch = ck.to_bchw(photo)
    >>> batch.shape, str(batch.dtype), float(batch.max())
    ((1, 3, 224, 224), 'float32', 255.0)
    >>> ck.to_bchw([photo, photo]).shape
    (2, 3, 224, 224)
    """
    target = _bchw_dtype(dtype)
    if _is_batch_of_images(image_or_images):
        images = [_image(item, f"images[{i}]", pixels=True) for i, item in enumerate(image_or_images)]
        _check_alike(images)
    else:
        whole = as_array(image_or_images, "image", np.dtype(np.float32))
        if whole.ndim == 4:
            images = [_image(item, "each image of the batch", pixels=True) for item in whole]
        else:
            images = [_image(whole, "image", pixels=True)]
    height, width, channels = images[0].shape
    batch = np.empty((len(images), channels, height, width), target or images[0].dtype)
    try:
        with np.errstate(over="raise"):
            for slot, image in zip(batch, images, strict=True):
                slot[...] = image.transpose(2, 0, 1)
    except FloatingPointError:
        raise ValueError('a value overflows float32; pass dtype="float64"') from None
    return batch


def from_bchw(batch: ArrayLike, dtype: DTypeLike | None = None) -> Array:
    """Images from a batch: BCHW → BHWC, CHW → HWC.

    Parameters
    ----------
    batch : array, BCHW or CHW
        uint8, uint16, int16, float32 or float64.
    dtype : dtype, optional
        Of the images; None keeps the batch's. An integer dtype rounds to the nearest (halves to even) and
        saturates at its ends.

    Returns
    -------
    array, BHWC or HWC
        One channel stays an axis: ``[..., 0]`` drops it.

    Raises
    ------
    ValueError
        Not three or four axes; channels are unmistakably last already; NaN asked to become an integer.
    TypeError
        Another dtype.

    Examples
    --------
    >>> import numpy as np, convkit as ck
    >>> batch = np.array([-3.0, 1.6, 300.0], np.float32).reshape(1, 3, 1, 1)
    >>> ck.from_bchw(batch, "uint8").tolist()
    [[[[0, 2, 255]]]]
    """
    array = as_array(batch, "batch")
    _check_pixels(array, "batch")
    if array.ndim not in (3, 4):
        raise ValueError(f"batch has shape {array.shape}; expected BCHW or CHW")
    if _looks_channels_last(array.shape[-3:]):
        raise ValueError(
            f"batch has shape {array.shape}: its channels are last already; expected BCHW or CHW"
        )
    target = array.dtype if dtype is None else np.dtype(dtype)
    if target not in IMAGE_DTYPES:
        raise TypeError(f"dtype is {target}; expected one of {_names(IMAGE_DTYPES)}")
    return saturated(np.moveaxis(array, -3, -1), target)


def saturated(array: Array, dtype: DTypeLike) -> Array:
    """A C-contiguous copy in `dtype`; integers are rounded to the nearest and held to their range."""
    target = np.dtype(dtype)
    if target.kind == "f" or target == array.dtype:
        return np.array(array, dtype=target, order="C", copy=True)
    limits = np.iinfo(target)
    if array.dtype.kind == "f":
        if np.isnan(array).any():
            raise ValueError(f"NaN cannot become {target}; pass np.nan_to_num(array), or keep a float dtype")
        wide = np.rint(array)
    else:
        wide = array.astype(np.int32)  # holds both the source's range and the target's
    np.clip(wide, limits.min, limits.max, out=wide)
    return wide.astype(target, order="C")


# ---- colours ----------------------------------------------------------------------------------------


def rgb_to_bgr(image: ArrayLike) -> Array:
    """Swap red and blue; alpha stays last. Its own inverse, so `bgr_to_rgb` does the same.

    Parameters
    ----------
    image : array, HWC with 3 or 4 channels
        Any real dtype, kept.

    Returns
    -------
    array, HWC

    Raises
    ------
    ValueError
        Not HWC with 3 or 4 channels: a gray image has no colour order.
    TypeError
        Not an array of real numbers.

    Examples
    --------
    >>> import numpy as np, convkit as ck
    >>> ck.rgb_to_bgr(np.array([[[1, 2, 3, 9]]], np.uint8)).tolist()
    [[[3, 2, 1, 9]]]
    """
    hwc = _coloured(image)
    swapped = np.array(hwc, order="C", copy=True)
    swapped[..., 0], swapped[..., 2] = hwc[..., 2], hwc[..., 0]
    return swapped


def bgr_to_rgb(image: ArrayLike) -> Array:
    """Swap blue and red; alpha stays last. See `rgb_to_bgr`.

    Examples
    --------
    >>> import numpy as np, convkit as ck
    >>> ck.bgr_to_rgb(np.array([[[3, 2, 1]]], np.uint8)).tolist()
    [[[1, 2, 3]]]
    """
    return rgb_to_bgr(image)


GRAY_FIXED = (9798, 19235, 3735)  # 0.299, 0.587, 0.114 in 15 bits, summing to 2¹⁵: OpenCV's own
GRAY_REAL = (0.299, 0.587, 0.114)


def to_gray(image: ArrayLike) -> Array:
    """Luma of ITU-R BT.601, 0.299 R + 0.587 G + 0.114 B; the bits of OpenCV's ``COLOR_RGB2GRAY``.

    Parameters
    ----------
    image : array, HW or HWC with 1, 3 or 4 channels
        RGB order, uint8, uint16, int16, float32 or float64. Alpha is dropped, not blended.

    Returns
    -------
    array, HW
        Same dtype; integers by 15-bit fixed point, rounded half up. A gray image comes back uncopied.

    Raises
    ------
    ValueError
        Another number of axes or channels.
    TypeError
        Another dtype.

    Examples
    --------
    >>> import numpy as np, convkit as ck
    >>> ck.to_gray(np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)).tolist()
    [[76, 150, 29]]
    """
    array = as_array(image, "image")
    _check_pixels(array, "image")
    if array.ndim == 2:
        return array
    if array.ndim == 3 and array.shape[2] == 1:
        return array[..., 0]
    rgb = np.ascontiguousarray(_coloured(array)[..., :3])
    if rgb.dtype == np.int16:  # OpenCV's conversion knows no int16: its rule for uint16, in wider numbers
        weighted: Array = rgb.astype(np.int64) @ np.array(GRAY_FIXED)
        return ((weighted + (1 << 14)) >> 15).astype(np.int16)
    if rgb.dtype == np.float64:
        gray: Array = rgb @ np.array(GRAY_REAL)
        return gray
    cv2 = opencv()
    gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    return gray


# ---- checks -----------------------------------------------------------------------------------------


def _image(value: Any, name: str, pixels: bool = False) -> Array:
    """`value` as HWC; with `pixels`, of a dtype that images have."""
    image = as_array(value, name)
    if pixels and image.dtype != np.bool_:
        _check_pixels(image, name)
    if image.ndim == 2:
        return image[..., None]
    if image.ndim != 3:
        hint = {4: ": pass one image of the batch", 1: ": pass array.reshape(height, width)"}.get(
            image.ndim, ""
        )
        raise ValueError(f"{name} has shape {image.shape}; expected HW or HWC{hint}")
    if _looks_channels_first(image.shape):
        raise ValueError(
            f"{name} has shape {image.shape}, which looks like CHW; expected HW or HWC: "
            "pass ck.to_hwc(image), or take image[None] for a batch of it"
        )
    return image


def _coloured(value: Any) -> Array:
    image = as_array(value, "image")
    if image.ndim == 3 and image.shape[2] in (3, 4):
        return image
    hint = ""
    if image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 1):
        hint = ": a gray image has no colour order"
    elif image.ndim == 3 and image.shape[0] in (3, 4):
        hint = ", which looks like CHW: pass ck.to_hwc(image)"
    elif image.ndim == 4:
        hint = ": pass one image of the batch"
    raise ValueError(f"image has shape {image.shape}{hint}; expected HWC with 3 or 4 channels")


def _looks_channels_first(shape: tuple[int, ...]) -> bool:
    """Whether HWC is out of the question: few rows of many columns of more channels than a picture has."""
    return shape[0] <= MAX_CHANNELS < min(shape[1], shape[2])


def _looks_channels_last(shape: tuple[int, ...]) -> bool:
    return shape[2] <= MAX_CHANNELS < min(shape[0], shape[1])


def _is_batch_of_images(value: Any) -> bool:
    """Whether `value` is a list of arrays; a list of numbers or of rows of numbers is one image."""
    if isinstance(value, (list, tuple)) and not value:
        raise ValueError("images is an empty list; expected at least one image")
    return isinstance(value, (list, tuple)) and not isinstance(value[0], (list, tuple, int, float))


def _check_alike(images: list[Array]) -> None:
    for i, image in enumerate(images):
        if image.shape != images[0].shape:
            raise ValueError(
                f"images[{i}] has shape {image.shape} (HWC) and images[0] has {images[0].shape}; "
                "expected one size: crop or resize them first"
            )
        if image.dtype != images[0].dtype:
            raise TypeError(
                f"images[{i}] has dtype {image.dtype} and images[0] has {images[0].dtype}; expected one dtype"
            )


def _check_pixels(array: Array, name: str) -> None:
    if array.dtype not in IMAGE_DTYPES:
        raise TypeError(
            f"{name} has dtype {array.dtype}; expected one of {_names(IMAGE_DTYPES)}: "
            "pass array.astype(np.float32)"
        )


def _bchw_dtype(dtype: DTypeLike | Literal["float32", "float64"] | None) -> np.dtype[Any] | None:
    if dtype is None:
        return None
    target = np.dtype(dtype)
    if target not in FLOATS:
        raise TypeError(f"dtype is {target}; expected float32, float64, or None to keep the images'")
    return target


def _names(dtypes: tuple[np.dtype[Any], ...]) -> str:
    return ", ".join(map(str, dtypes))

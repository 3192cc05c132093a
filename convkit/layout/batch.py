"""Images to BCHW batches and back, normalised in the same pass over memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from convkit import _checks, _dispatch, _threads
from convkit._checks import (
    FLOATS,
    IMAGE_DTYPES,
    Array,
    as_array,
    image_hint,
    looks_channels_first,
    looks_channels_last,
)
from convkit.layout.shape import check_pixels, hwc, names
from convkit.layout.values import saturated

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

Scale = Literal["unit"] | float
Order = Literal["RGB", "BGR"]

STREAM_BYTES = 32_000_000
"""An `out` of more than this is written around the caches, which could not hold it for its reader anyway."""

WORK = 4
"""Multiply-adds that one number's way is worth, for `threads_for`."""


def to_bchw(
    image_or_images: Any,
    *,
    dtype: DTypeLike | None = "float32",
    scale: Scale | None = None,
    mean: float | Sequence[float] | None = None,
    std: float | Sequence[float] | None = None,
    order: Order = "RGB",
    out: Array | None = None,
    num_threads: int | None = None,
) -> Array:
    """A batch for convolutions from one image, a list of images, or BHWC: ``(image·scale − mean) / std``.

    Channels come first, in one pass over memory; unless `scale`, `mean` or `std` are given, values are kept.

    Parameters
    ----------
    image_or_images : array or list of arrays
        HW or HWC: a batch of one. A list or tuple of such images, of one shape and dtype. Four axes: BHWC.
        uint8, uint16, int16, float32, float64 or bool.
    dtype : {"float32", "float64", None}
        Of the result; None keeps the images'.
    scale : "unit" or number, optional
        "unit" maps an integer dtype's range to 0..1 (int16: to −1..1), and is refused for floats, whose range
        nobody knows.
    mean, std : number or a number for each channel, optional
        Subtracted and divided by after scaling, in the order of the result's channels.
    order : {"RGB", "BGR"}
        Of the result's channels; images are RGB or RGBA.
    out : array, BCHW, optional
        To write into.
    num_threads : int, optional
        See `options`.

    Returns
    -------
    array, BCHW
        `out`, where it is given. Normalised numbers err by at most 3·2⁻²⁴·(|x·scale/std| + |mean/std|) in
        float32.

    Raises
    ------
    ValueError
        Shapes differ or are no image's; channels are unmistakably first already; a value overflows float32;
        `scale`, `mean` or `std` do not fit the channels, or are no finite numbers.
    TypeError
        Another dtype, or images of different dtypes.

    Examples
    --------
    >>> import numpy as np, convkit as ck
    >>> photo = np.full((224, 224, 3), 255, np.uint8)
    >>> batch = ck.to_bchw(photo)
    >>> batch.shape, str(batch.dtype), float(batch.max())
    ((1, 3, 224, 224), 'float32', 255.0)
    >>> normal = ck.to_bchw([photo, photo], scale="unit", mean=[0.5, 0.5, 0.75], std=0.25)
    >>> normal.shape, normal[0, :, 0, 0].round(3).tolist()
    ((2, 3, 224, 224), [2.0, 2.0, 1.0])
    """
    images = _images(image_or_images)
    height, width, channels = images[0].shape
    target = _bchw_dtype(dtype, images[0].dtype)
    normal = normalisation(images[0].dtype, target, channels, scale, mean, std)
    swapped = channel_order(order, channels)
    batch = _checks.output(out, (len(images), channels, height, width), target, *images)
    if target not in FLOATS:
        if (scale, mean, std) != (None, None, None):
            raise TypeError(f'{target} does not hold normalised values; pass dtype="float32"')
        for slot, image in zip(batch, images, strict=True):
            slot[...] = image.transpose(2, 0, 1)[swapped]
        return batch
    planes = batch if _rows_are_whole(batch) else _checks.empty(batch.shape, target)
    lost = (
        _dispatch.native()
        .family("layout", target)
        .to_planes(
            tuple(image.view(np.uint8) if image.dtype == np.bool_ else image for image in images),
            planes,
            swapped,
            *normal,
            out is not None and planes.nbytes > STREAM_BYTES,
            _threads.threads_for(WORK * planes.size, num_threads),
        )
    )
    if lost:
        raise ValueError('a value overflows float32; pass dtype="float64"')
    if planes is not batch:
        batch[...] = planes
    return batch


def from_bchw(
    batch: ArrayLike,
    dtype: DTypeLike | None = None,
    *,
    scale: Scale | None = None,
    mean: float | Sequence[float] | None = None,
    std: float | Sequence[float] | None = None,
    order: Order = "RGB",
    out: Array | None = None,
    num_threads: int | None = None,
) -> Array:
    """Images from a batch: BCHW → BHWC, CHW → HWC, as ``(batch·std + mean) / scale``; undoes `to_bchw`.

    Parameters
    ----------
    batch : array, BCHW or CHW
        uint8, uint16, int16, float32 or float64.
    dtype : dtype, optional
        Of the images; None keeps the batch's. An integer dtype rounds to the nearest (halves to even) and
        saturates at its ends.
    scale, mean, std, order
        What `to_bchw` was given: a float batch is brought back. ``scale="unit"`` wants an integer `dtype`.
    out : array, BHWC or HWC, optional
        To write into.
    num_threads : int, optional
        See `options`.

    Returns
    -------
    array, BHWC or HWC
        RGB. One channel stays an axis: ``[..., 0]`` drops it.

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
    >>> ck.from_bchw(batch / 255, "uint8", scale="unit").tolist()
    [[[[0, 2, 255]]]]
    """
    array = as_array(batch, "batch")
    check_pixels(array, "batch")
    if array.ndim not in (3, 4):
        raise ValueError(f"batch has shape {array.shape}; expected BCHW or CHW")
    if looks_channels_last(array.shape[-3:]):
        raise ValueError(
            f"batch has shape {array.shape}: its channels are last already; expected BCHW or CHW"
        )
    target = array.dtype if dtype is None else np.dtype(dtype)
    if target not in IMAGE_DTYPES:
        raise TypeError(f"dtype is {target}; expected one of {names(IMAGE_DTYPES)}")
    if scale == "unit" and isinstance(scale, str) and target.kind == "f":
        raise ValueError(
            f'scale is "unit", and the images of {target} have no range that it could come from: pass '
            'dtype="uint8"'
        )
    *count, channels, height, width = array.shape
    normal = normalisation(target, array.dtype, channels, scale, mean, std)
    swapped = channel_order(order, channels)
    images = _checks.output(out, (*count, height, width, channels), target, array)
    if array.dtype not in FLOATS:
        if (scale, mean, std) != (None, None, None):
            raise TypeError(f"a batch of {array.dtype} is not normalised; pass batch.astype(np.float32)")
        images[...] = saturated(np.moveaxis(array, -3, -1)[..., swapped], target)
        return images
    planes = array if array.ndim == 4 else array[None]
    planes = planes if _rows_are_whole(planes) else np.ascontiguousarray(planes)
    bhwc = images if images.ndim == 4 else images[None]
    lost = (
        _dispatch.native()
        .family("layout", array.dtype)
        .from_planes(
            tuple(bhwc),
            planes,
            swapped,
            *_inverse(normal),
            _threads.threads_for(WORK * planes.size, num_threads),
        )
    )
    if lost and target.kind == "f":
        raise ValueError('a value overflows float32; pass dtype="float64"')
    if lost:
        raise ValueError(f"NaN cannot become {target}; pass np.nan_to_num(batch), or keep a float dtype")
    return images


# ---- arguments --------------------------------------------------------------------------------------


class Affine(NamedTuple):
    """``x·scale + offset`` for each channel, in float64."""

    scale: Array
    offset: Array


def normalisation(
    pixels: np.dtype[Any],
    batch: np.dtype[Any],
    channels: int,
    scale: Scale | None,
    mean: float | Sequence[float] | None,
    std: float | Sequence[float] | None,
) -> Affine:
    """``(x·scale − mean) / std`` for pixels and a batch of those dtypes."""
    factor = 1.0
    if scale == "unit" and isinstance(scale, str):
        if pixels.kind == "f":
            raise ValueError(
                f'scale is "unit", and {pixels} has no range that it could map to 0..1; pass a number'
            )
        factor = 1 if pixels == np.bool_ else 1 / np.iinfo(pixels).max
    elif isinstance(scale, str):
        raise ValueError(f'scale is {scale!r}; expected "unit" or a number')
    elif scale is not None:
        factor = _nonzero(_checks.finite(scale, "scale"), "scale")
    width = np.ones(channels) if std is None else _per_channel(std, "std", channels)
    for number in width:
        _nonzero(float(number), "std")
    # x − 0 is x for every x, −0 included
    centre = np.zeros(channels) if mean is None else _per_channel(mean, "mean", channels)
    with np.errstate(over="ignore"):
        normal = Affine(factor / width, -centre / width)
    if batch in FLOATS:
        _check_reach(normal, pixels, batch)
    return normal


def _inverse(normal: Affine) -> Affine:
    return Affine(1 / normal.scale, np.where(normal.offset == 0, -0.0, -normal.offset / normal.scale))


def _check_reach(normal: Affine, pixels: np.dtype[Any], batch: np.dtype[Any]) -> None:
    """Refuse factors, there and back, that lead out of the batch's dtype."""
    largest = 1.0 if pixels.kind in "fb" else float(np.iinfo(pixels).max)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        there = [normal.scale * largest, normal.offset]
        back = [1 / normal.scale, normal.offset / normal.scale]
        reached = np.abs(there + back).max()
    if not reached <= np.finfo(batch).max:
        raise ValueError(f"scale, mean and std lead beyond the numbers of {batch}; pass smaller ones")


def channel_order(order: Order, channels: int) -> Array:
    """The image's channel that each plane holds."""
    _checks.choice(order, "order", ("RGB", "BGR"))
    if order == "RGB":
        return np.arange(channels)
    if channels not in (3, 4):
        raise ValueError(f'order is "BGR" and there are {channels} channels; expected 3 or 4')
    return np.array([2, 1, 0, 3][:channels])


def _per_channel(value: Any, name: str, channels: int) -> Array:
    if not _checks.is_sequence(value):
        return np.full(channels, _checks.finite(value, name))
    if len(value) != channels:
        raise ValueError(
            f"{name} has {len(value)} numbers and the images {channels} channels; expected one number, or "
            f"{channels}"
        )
    return np.array([_checks.finite(number, f"{name}[{i}]") for i, number in enumerate(value)])


def _nonzero(number: float, name: str) -> float:
    if number == 0:
        raise ValueError(f"{name} is 0; expected another number: it divides")
    return number


def _images(value: Any) -> list[Array]:
    """HWC images of one shape and dtype from an image, a list of them, or BHWC."""
    if _is_batch_of_images(value):
        images = [hwc(item, f"images[{i}]", pixels=True) for i, item in enumerate(value)]
        _check_alike(images)
        return images
    whole = as_array(value, "image", np.dtype(np.float32))
    if whole.ndim == 4:
        if looks_channels_first(whole.shape[1:]):
            hint = image_hint(whole.shape, "image")
            raise ValueError(
                f"image has shape {whole.shape}; expected HW, HWC or BHWC{hint}, or leave ck.to_bchw out"
            )
        hwc(whole[0], "image[0]", pixels=True)
        return list(whole)
    return [hwc(whole, "image", pixels=True)]


def _is_batch_of_images(value: Any) -> bool:
    """Whether `value` is a list of arrays; a list of numbers or of rows of numbers is one image."""
    if not isinstance(value, Sequence) or isinstance(value, (str, bytes)):
        return False
    if not value:
        raise ValueError("images is an empty list; expected at least one image")
    return not isinstance(value[0], (list, tuple, int, float))


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


def _bchw_dtype(dtype: DTypeLike | None, pixels: np.dtype[Any]) -> np.dtype[Any]:
    if dtype is None:
        return pixels
    target = np.dtype(dtype)
    if target not in FLOATS:
        raise TypeError(f"dtype is {target}; expected float32, float64, or None to keep the images'")
    return target


def _rows_are_whole(planes: Array) -> bool:
    """Whether the pixels of a row lie side by side: what the kernels ask of planes."""
    return planes.strides[3] == planes.itemsize or planes.shape[3] == 1

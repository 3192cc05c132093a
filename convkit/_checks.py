"""Every array and argument is normalised and refused here, once and in the same words.

An error names the argument, what came, what was expected, and the line that mends it.
"""

from __future__ import annotations

import math
import operator
import re
import sys
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from math import isfinite
from typing import Any, TypeAlias, TypeGuard

import numpy as np

from convkit import _dispatch, _pool

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Pair: TypeAlias = tuple[int, int]

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
IMAGE_DTYPES = tuple(np.dtype(d) for d in (np.uint8, np.uint16, np.int16, np.float32, np.float64))
_NATIVE_IMAGES = frozenset(IMAGE_DTYPES)
MAX_THREADS = 1024
MAX_AXES = 64  # of a NumPy array
INT64_MAX = 2**63 - 1
HUGE = 4 * 1024 * 1024  # bytes of an array from which on NumPy asks the system for large pages
MAX_CHANNELS = 4  # of a picture: gray, gray + alpha, RGB, RGBA
MAX_BANDS = 16  # of an image for the filters, which take any number: satellites' have up to 13
LOOKS_LIKE = "; it looks like "
UNLIKE_RGB = {"P", "PA", "CMYK", "YCbCr", "LAB", "HSV"}
"""Pillow's modes that need a conversion before numbers are colours."""

# ---- arrays -----------------------------------------------------------------------------------------


def as_array(value: Any, name: str, dtype: np.dtype[Any] | None = None) -> Array:
    """`value` as a native, aligned ndarray, without a copy where it is one.

    Takes arrays, sequences of numbers, images of Pillow, and whatever offers ``__array_interface__``,
    ``__array__`` or DLPack on the CPU. Python's own numbers carry no dtype: lists of them become `dtype`,
    where it is given.
    """
    if type(value) is np.ndarray and value.dtype.kind == "f" and value.dtype.isnative and value.size:
        flags = value.flags
        if flags.c_contiguous and flags.aligned:
            return value  # nothing to refuse: small arrays are computed in less time than it takes to ask
    if "numpy.ma" in sys.modules and isinstance(value, np.ma.MaskedArray):  # a first `np.ma` costs 15 ms
        raise TypeError(f"{name} is a masked array; pass {name}.filled(...) to say what masked pixels hold")
    if isinstance(value, np.ndarray):
        array = value
    elif value is None:
        raise TypeError(f"{name} is None; expected an array")
    elif isinstance(value, (list, tuple, int, float)):
        array = _from_sequence(value, name, dtype)
    elif isinstance(value, (str, bytes)):
        raise TypeError(f"{name} is {type(value).__name__}; expected an array (ck.imread reads a file)")
    else:
        array = _from_protocol(value, name)
    if array.dtype.kind in "OcSTUVmM":
        raise TypeError(f"{name} has dtype {array.dtype}; expected real numbers")
    if array.size == 0:
        raise ValueError(f"{name} is empty: its shape is {array.shape}")
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    flags = array.flags
    if not flags.aligned or (
        not flags.c_contiguous and any(stride % array.itemsize for stride in array.strides)
    ):
        array = array.copy()
    return array


def _from_protocol(value: Any, name: str) -> Array:
    if getattr(value, "mode", None) in UNLIKE_RGB and hasattr(value, "getbands"):
        raise ValueError(
            f"{name} is a Pillow image of mode {value.mode}, whose numbers are no gray, RGB or RGBA; "
            f"pass {name}.convert('RGB')"
        )
    try:
        if any(hasattr(value, a) for a in ("__array_interface__", "__array__", "__array_struct__")):
            return np.asarray(value)
        if hasattr(value, "__dlpack__"):
            return np.from_dlpack(value)
    except Exception as error:  # other libraries raise what they like
        raise TypeError(f"{name} is {type(value).__name__}, which gives no array: {error}") from error
    raise TypeError(f"{name} is {type(value).__name__}; expected an array")


def _from_sequence(value: Any, name: str, dtype: np.dtype[Any] | None) -> Array:
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} is a ragged sequence; expected rows of equal length") from error
    except Exception as error:  # of the items, which may be other libraries'
        raise TypeError(f"{name} is a sequence that gives no array: {error}") from error
    if dtype is not None and array.dtype.kind in "iuf" and _is_weak(value):
        array = array.astype(dtype)
    return array


def _is_weak(value: Any) -> bool:
    """Whether `value` is a Python number, or a sequence of them: they carry no dtype of their own."""
    for _ in range(MAX_AXES):
        if not isinstance(value, (list, tuple)) or not value:
            break
        value = value[0]
    return isinstance(value, (list, tuple, int, float)) and not isinstance(value, np.generic)


def float_arrays(**arrays: Any) -> list[Array]:
    """The named arrays, all float32 or all float64; sequences of numbers take the others' dtype."""
    first = next(iter(arrays.values()))
    if (
        all(type(a) is np.ndarray and a.dtype == first.dtype for a in arrays.values())
        and first.dtype in FLOATS
    ):
        return [as_array(value, name) for name, value in arrays.items()]
    carriers = {name: as_array(value, name) for name, value in arrays.items() if not _is_weak(value)}
    weak = next((array.dtype for array in carriers.values() if array.dtype in FLOATS), np.dtype(np.float64))
    found: list[Array] = []
    for name, value in arrays.items():
        array = carriers[name] if name in carriers else as_array(value, name, weak)
        if array.dtype not in FLOATS:
            told = f"{name} has dtype {array.dtype}; expected float32 or float64"
            if array.ndim == 3 and looks_channels_last(array.shape) and array.dtype in IMAGE_DTYPES:
                raise TypeError(f"{told}, and it looks like HWC: pass ck.to_bchw({name})")
            raise TypeError(f"{told}: pass {name}.astype(np.float32)")
        if found and array.dtype != found[0].dtype:
            first = next(iter(arrays))
            raise TypeError(
                f"{name} has dtype {array.dtype} and {first} has {found[0].dtype}; expected one dtype: "
                f"pass {name}.astype(np.{found[0].dtype})"
            )
        found.append(array)
    return found


def batch(value: Array, name: str, channels: int) -> tuple[Array, bool]:
    """`value` as BCHW with `channels` channels, and whether it came as CHW."""
    channels_first(value.shape, name, channels)
    single = value.ndim == 3
    return (value[None] if single else value), single


def channels_first(shape: tuple[int, ...], name: str, channels: int) -> None:
    """Refuse a shape that is no BCHW or CHW of `channels` channels."""
    maps(shape, name)
    found = shape[-3]
    if found != channels:
        raise ValueError(
            f"{name} has shape {shape}, {found} channels; the weight expects {channels}"
            f"{channels_last_hint(shape, channels)}"
        )


def channels_last_hint(shape: tuple[int, ...], channels: int) -> str:
    """What an input refused for want of `channels` channels looks like, and the mend, where they lie last.

    Without a number of channels none can be given: maps of few columns are as likely as BHWC.
    """
    if len(shape) not in (3, 4) or shape[-1] != channels or not looks_channels_last(shape[-3:]):
        return ""
    return f"{LOOKS_LIKE}{'HWC' if len(shape) == 3 else 'BHWC'}: pass ck.to_bchw(image)"


def image_hint(shape: tuple[int, ...], name: str) -> str:
    """What an array refused as an HW or HWC image looks like, and the mend; empty where it fits both."""
    if len(shape) == 3 and looks_channels_first(shape):
        return f"{LOOKS_LIKE}CHW: pass ck.to_hwc({name})"
    if len(shape) != 4:
        return ""
    if looks_channels_first(shape[1:]):
        return f"{LOOKS_LIKE}BCHW: pass ck.from_bchw({name})[i] for one image of the batch"
    looks = f"{LOOKS_LIKE}BHWC" if looks_channels_last(shape[1:]) else "; it is a batch"
    return f"{looks}: pass {name}[i] for one image of the batch"


def looks_channels_first(shape: tuple[int, ...], most: int = MAX_CHANNELS) -> bool:
    """Whether HWC is out of the question: few rows of many columns of more channels than an image has.

    `most` of them, where a function takes more than pictures have.
    """
    return shape[0] <= MAX_CHANNELS < shape[1] and shape[2] > most


def looks_channels_last(shape: tuple[int, ...]) -> bool:
    """Whether CHW is out of the question."""
    return shape[2] <= MAX_CHANNELS < min(shape[0], shape[1])


def maps(shape: tuple[int, ...], name: str) -> None:
    """Refuse a shape that is no BCHW or CHW."""
    if len(shape) not in (3, 4):
        hint = f"; pass {name}[None] for one channel" if len(shape) == 2 else ""
        raise ValueError(f"{name} has shape {shape}; expected BCHW or CHW{hint}")


def shape_of(value: Any, name: str) -> tuple[int, ...]:
    """`value` as the shape of a BCHW or CHW array."""
    if not is_sequence(value):
        raise TypeError(f"{name} is {value!r}; expected (B, C, H, W) or (C, H, W)")
    shape = tuple(integer(n, name, 1) for n in value)
    if len(shape) not in (3, 4):
        raise ValueError(f"{name} is {shape}; expected (B, C, H, W) or (C, H, W)")
    checked_size(shape, 8)
    return shape


def images(value: Any, name: str) -> tuple[Array, Array]:
    """`value` as a float BCHW or CHW array, and as BCHW."""
    (array,) = float_arrays(**{name: value})
    maps(array.shape, name)
    return array, array if array.ndim == 4 else array[None]


def weight_shape(
    input_shape: tuple[int, ...], output_shape: tuple[int, ...], groups: Any, kernel: Pair
) -> tuple[int, int, int, int]:
    """The weight's shape of a convolution between maps of these shapes."""
    for name, shape in (("input", input_shape), ("grad_output", output_shape)):
        if len(shape) not in (3, 4):
            raise ValueError(f"{name} has shape {shape}; expected BCHW or CHW")
    channels, number = input_shape[-3], integer(groups, "groups", 1)
    if channels % number:
        raise ValueError(f"groups is {groups}, which does not divide the input's {channels} channels")
    return output_shape[-3], channels // number, *kernel


def residual(value: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array | None:
    """`value`, if it is not None, as an array of the output's `shape` and `dtype`."""
    if value is None:
        return None
    array = as_array(value, "residual", dtype)
    if array.dtype != dtype:
        raise TypeError(
            f"residual has dtype {array.dtype}; expected the output's, {dtype}: "
            f"pass residual.astype(np.{dtype})"
        )
    if array.shape != shape:
        message = f"residual has shape {array.shape}; expected the output's, {shape}"
        if array.shape == (*shape[:-3], *shape[-2:], shape[-3]):
            axes = (0, 3, 1, 2) if len(shape) == 4 else (2, 0, 1)
            raise ValueError(f"{message}, channels first: pass residual.transpose{axes}")
        if _broadcasts(array.shape, shape):
            raise ValueError(f"{message}: pass np.broadcast_to(residual, {shape})")
        raise ValueError(message)
    return array


def _broadcasts(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(shape, to) == to
    except ValueError:
        return False


def output(
    out: Any,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    *inputs: Array,
    residual: Array | None = None,
) -> Array:
    """`out`, checked, or a fresh array of `shape` and `dtype` where it is None.

    It may be the `residual`, but not a part of it or the same in another order.
    """
    if out is None:
        return empty(shape, dtype)
    found = fitting(out, shape, dtype)
    if not _is_aligned(found):
        raise ValueError("out is not aligned to its dtype; pass np.empty(...)")
    for array in inputs:
        if overlaps(found, array):
            raise ValueError("out overlaps an input in memory; pass an array of its own, or out=None")
    if residual is not None and overlaps(found, residual) and not _is_same(found, residual):
        raise ValueError(
            "out overlaps residual in memory without being it; pass out=residual to add in place, "
            "or an array of its own"
        )
    return found


def fitting(out: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """`out`, refused where even NumPy could not write `shape` and `dtype` to it; aligned or not."""
    if not isinstance(out, np.ndarray):
        raise TypeError(
            f"out is {type(out).__name__}; expected a NumPy array of shape {shape} and dtype {dtype}"
        )
    if out.shape != shape:
        raise ValueError(f"out has shape {out.shape}; expected {shape}")
    if out.dtype != dtype or not out.dtype.isnative:
        raise TypeError(f"out has dtype {out.dtype.str}; expected {dtype}")
    if not out.flags.writeable:
        raise ValueError("out is read-only; pass an array that can be written")
    refuse_shared(out)
    return out


def refuse_shared(out: Array) -> None:
    """Refuse an `out` in which one element may lie over another."""
    if not out.flags.c_contiguous and _overlaps_itself(out):
        raise ValueError("out is a view whose elements share memory; pass np.empty(...)")


def _is_aligned(array: Array) -> bool:
    """Whether each element lies at a multiple of its size from the first, which is aligned."""
    flags = array.flags
    size = array.itemsize or 1  # that of an empty string, or of a record without fields, is 0
    return flags.aligned and (flags.c_contiguous or not any(stride % size for stride in array.strides))


def needs_between(out: Any) -> bool:
    """Whether `out` is an array that kernels cannot write to, as it is not aligned to its dtype."""
    return isinstance(out, np.ndarray) and not _is_aligned(out)


def _is_same(a: Array, b: Array) -> bool:
    """Whether two arrays of one shape and dtype have each element in the same place."""
    return a.ctypes.data == b.ctypes.data and same_strides(a, b)


def same_strides(a: Array, b: Array) -> bool:
    """Whether two arrays of one shape step alike along every axis that has steps."""
    steps = zip(a.strides, b.strides, a.shape, strict=True)
    return all(mine == other for mine, other, n in steps if n > 1)


def overlaps(a: Array, b: Array) -> bool:
    """Whether two arrays share memory; where the proof would take long, whether their extents do."""
    if a is not b and a.flags.owndata and b.flags.owndata:
        return False  # each has memory of its own: by far the most frequent, and told in less time
    if not np.may_share_memory(a, b):
        return False
    try:
        return np.shares_memory(a, b, max_work=10_000)  # type: ignore[arg-type] # any bound is allowed
    except np.exceptions.TooHardError:
        return True


def _overlaps_itself(array: Array) -> bool:
    """Whether two elements may share memory: an axis steps less than the axes inside it reach."""
    extent = array.itemsize
    steps = sorted((abs(stride), n) for stride, n in zip(array.strides, array.shape, strict=True) if n > 1)
    for stride, n in steps:
        if stride < extent:
            return True
        extent += stride * (n - 1)
    return False


def empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """An uninitialised array whose data starts on a 64-byte boundary, of the scope's pool if it has one."""
    size = checked_size(shape, dtype.itemsize)
    pool = _pool.current.get() if size >= _pool.SMALLEST else None
    if pool is None and size < HUGE:
        small: Array = _dispatch.cpu().small_array(shape, dtype, size)
        return small
    buffer = np.empty(size + 64, np.uint8) if pool is None else pool.take(size + 64)
    return np.ndarray(shape, dtype, buffer, _dispatch.cpu().past_line(buffer))


def checked_size(shape: tuple[int, ...], itemsize: int = 1) -> int:
    """Bytes of an array of `shape`; refused where they overflow a 64-bit integer."""
    size = itemsize * math.prod(shape)
    if size > INT64_MAX - 64:
        raise ValueError(f"an array of shape {shape} would take {size} bytes, more than 64 bits can count")
    return size


# ---- numbers ----------------------------------------------------------------------------------------


def integer(value: Any, name: str, minimum: int | None = None) -> int:
    """`value` as an int (an integer of any kind, no bool), at least `minimum`."""
    if type(value) is int and (minimum is None or value >= minimum):
        return value
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} is {value!r}; expected an integer")
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} is {value!r}; expected an integer") from None
    if minimum is not None and number < minimum:
        raise ValueError(f"{name} is {number}; expected at least {minimum}")
    return number


def is_sequence(value: Any) -> TypeGuard[Sequence[Any]]:
    """Whether `value` has items to be read one by one: not a number, a 0-d array or a text."""
    if type(value) in (tuple, list):
        return True
    if isinstance(value, np.ndarray):
        return value.ndim > 0
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray))


def pair(value: Any, name: str, minimum: int | None = None) -> Pair:
    """`value`, an integer or two of them (vertical, horizontal), as a pair of ints."""
    if type(value) is not int and is_sequence(value):
        if len(value) != 2:
            raise ValueError(f"{name} is {value!r}; expected an integer or a pair (vertical, horizontal)")
        return integer(value[0], f"{name}[0]", minimum), integer(value[1], f"{name}[1]", minimum)
    number = integer(value, name, minimum)
    return number, number


def choice(value: Any, name: str, allowed: Sequence[str]) -> str:
    """`value` if it is one of the `allowed` words."""
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name} is {value!r}; expected one of {', '.join(map(repr, allowed))}")
    return value


def thread_count(value: Any) -> int:
    """A number of threads: an integer from 1 to `MAX_THREADS`."""
    number = integer(value, "num_threads", 1)
    if number > MAX_THREADS:
        raise ValueError(f"num_threads is {number}; expected at most {MAX_THREADS}")
    return number


def one_of(value: Any, name: str, allowed: Sequence[int]) -> int:
    """`value` as an int, if it is one of those `allowed`."""
    number = integer(value, name)
    if number not in allowed:
        *most, last = allowed
        raise ValueError(f"{name} is {number}; expected {', '.join(map(str, most))} or {last}")
    return number


_BYTES = {"": 1, "B": 1} | {
    prefix + unit: base**power
    for unit, base in (("B", 1000), ("iB", 1024))
    for power, prefix in enumerate("KMGT", 1)
}


def byte_count(value: Any, name: str) -> int:
    """`value` in bytes: an integer, or a text such as "256MB" (10⁶) or "256MiB" (2²⁰)."""
    if not isinstance(value, str):
        return integer(value, name, 0)
    number, unit = re.fullmatch(r"\s*(\d*\.?\d*)\s*(.*?)\s*", value, re.DOTALL).groups()  # type: ignore[union-attr]
    if number in ("", ".") or unit not in _BYTES:
        raise ValueError(f"{name} is {value!r}; expected bytes, or a text such as '256MB' or '1GiB'")
    return int(float(number) * _BYTES[unit])


# ---- images and their filters -----------------------------------------------------------------------

layout_told: ContextVar[bool] = ContextVar("layout_told", default=False)
"""Whether it is known where the channels of an image lie: then nothing is refused for looking like CHW."""

MAX_EXTENT = 2**15 - 1
"""The largest extent of a filter's kernel, in either direction."""

_CONVERSIONS = {
    "c": "np.abs({name}).astype(np.float32)",
    "b": "{name}.astype(np.uint8) * 255",
    "f": "{name}.astype(np.float32)",
    "O": "np.asarray({name}, np.float32)",
}


def image(value: Any, name: str = "image") -> Array:
    """`value` as an HW or HWC image of one of the `IMAGE_DTYPES`; sequences of numbers become float64."""
    if type(value) is np.ndarray and value.ndim == 2 and value.size and value.dtype in _NATIVE_IMAGES:
        flags = value.flags
        if flags.c_contiguous and flags.aligned:
            return value  # nothing to refuse: small images are filtered in less time than it takes to ask
    if isinstance(value, np.ndarray):
        _refuse_other_dtypes(value.dtype, name)  # first: this message tells how to convert
    elif isinstance(value, (list, tuple)) and value and isinstance(value[0], np.ndarray):
        raise TypeError(f"{name} is a {type(value).__name__} of arrays; expected one image: pass {name}[i]")
    array = as_array(value, name, np.dtype(np.float64))
    _refuse_other_dtypes(array.dtype, name)
    if not _is_image(array.shape):
        raise ValueError(
            f"{name} has shape {array.shape}; expected an image, HW or HWC{image_hint(array.shape, name)}"
            f"{_axis_hint(array.shape)}"
        )
    return array


def image_shape(value: Any, name: str) -> tuple[int, ...]:
    """`value` as the shape of an HW or HWC image."""
    expected = "an image's, (H, W) or (H, W, C)"
    shape = numbers_of(value, name, expected)
    if not _is_image(shape):
        hint = f"{LOOKS_LIKE}CHW: pass {(*shape[1:], shape[0])}" if len(shape) == 3 else ""
        raise ValueError(f"{name} is {shape}; expected {expected}{hint}")
    return shape


def _is_image(shape: tuple[int, ...]) -> bool:
    """Whether an image of `shape` is taken for HW or HWC."""
    return len(shape) == 2 or (
        len(shape) == 3 and (layout_told.get() or not looks_channels_first(shape, MAX_BANDS))
    )


def _axis_hint(shape: tuple[int, ...]) -> str:
    """How to tell a filter where the channels of that shape lie."""
    if len(shape) == 3:
        return ", or channel_axis=-1 where its channels lie last"
    if len(shape) != 4:
        return ""
    if looks_channels_first(shape[1:]):
        return ", or channel_axis=1 for all of them"
    return ", or channel_axis=-1 (None: no channels) for a stack of them"


def _refuse_other_dtypes(dtype: np.dtype[Any], name: str) -> None:
    if dtype.kind not in "iuf" or dtype.newbyteorder("=") not in IMAGE_DTYPES:  # strings have no byte order
        raise TypeError(
            f"{name} has dtype {dtype}; expected uint8, uint16, int16, float32 or float64"
            f"{_conversion_hint(dtype, name)}"
        )


def _conversion_hint(dtype: np.dtype[Any], name: str) -> str:
    """What makes an image of an array of another dtype; empty for texts and bytes without a meaning."""
    if dtype.names:
        return f": pass one of its fields, as {name}[{dtype.names[0]!r}]"
    if dtype.kind in "VSUT":
        return ""
    return f": pass {_CONVERSIONS.get(dtype.kind, '{name}.astype(np.float64)').format(name=name)}"


def image_dtype(value: Any, name: str = "dtype") -> np.dtype[Any]:
    """`value` as one of the `IMAGE_DTYPES`."""
    if isinstance(value, np.dtype) and value in _NATIVE_IMAGES:
        return value
    try:
        dtype: np.dtype[Any] = np.dtype(value)
    except (TypeError, ValueError, SyntaxError):
        dtype = np.dtype(object)
    if value is None or dtype not in IMAGE_DTYPES:
        raise TypeError(f"{name} is {value!r}; expected uint8, uint16, int16, float32 or float64")
    return dtype


def coefficients(value: Any, name: str, ndim: int) -> Array:
    """`value` as a float64 kernel of `ndim` axes whose coefficients are finite."""
    array = np.ascontiguousarray(as_array(value, name), np.float64)
    if array.ndim != ndim:
        expected = "rows and columns" if ndim == 2 else "one axis"
        raise ValueError(f"{name} has shape {array.shape}; expected {ndim}-D, {expected}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds NaN or Inf; expected finite coefficients: pass np.nan_to_num({name})")
    if max(array.shape) > MAX_EXTENT:
        raise ValueError(f"{name} has shape {array.shape}; expected at most {MAX_EXTENT} in each direction")
    return array


def finite(value: Any, name: str) -> float:
    """`value` as a finite float."""
    if type(value) is float and isfinite(value):
        return value
    if type(value) is int and abs(value) < 2**53:
        return float(value)
    if isinstance(value, (bool, np.bool_, str, bytes)) or np.ndim(value):
        raise TypeError(f"{name} is {value!r}; expected a number")
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} is {value!r}; expected a number") from None
    except OverflowError:
        raise ValueError(
            f"{name} is an integer of {value.bit_length()} bits, more than a float holds"
        ) from None
    if not np.isfinite(number):
        raise ValueError(f"{name} is {number}; expected a finite number")
    return number


def flag(value: Any, name: str) -> bool:
    """`value` if it is True or False: a text such as "no" is neither."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} is {value!r}; expected True or False")
    return bool(value)


def numbers_of(value: Any, name: str, expected: str) -> tuple[int, ...]:
    """`value` as a shape: integers of at least 1; `expected` says what it should be."""
    if getattr(value, "ndim", 0) > 1:  # an array, or a tensor
        raise TypeError(f"{name} is an array; expected {expected}: pass array.shape")
    if not is_sequence(value):
        raise TypeError(f"{name} is {value!r}; expected {expected}")
    return tuple(integer(n, f"{name}[{i}]", 1) for i, n in enumerate(value))


def mapping(value: Any, name: str, example: str) -> Mapping[str, Any]:
    """`value` if it gives things by names, at least one."""
    if not isinstance(value, Mapping):
        raise TypeError(
            f"{name} is {type(value).__name__}; expected names and what they stand for: {example}"
        )
    if not value:
        raise ValueError(f"{name} is empty; expected at least one by its name: {example}")
    for key in value:
        if not isinstance(key, str):
            raise TypeError(f"{name} has the key {key!r}; expected texts: {example}")
    return value


def texts(value: Any, name: str, example: tuple[str, ...]) -> None:
    """Refuse what is not so many texts as the example has."""
    found = tuple(value) if is_sequence(value) else ()
    if len(found) != len(example) or not all(isinstance(each, str) for each in found):
        kind = ValueError if is_sequence(value) else TypeError
        raise kind(f"{name} is {value!r}; expected {len(example)} texts: {name}={example}")


def held(number: float, name: str, dtype: np.dtype[Any]) -> float:
    """`number`, refused where it is finite and leaves the range of the float `dtype`."""
    if np.isfinite(number) and abs(number) > float(np.finfo(dtype).max):
        raise ValueError(f"{name} is {number:g}, more than {dtype} holds")
    return number


def positive(value: Any, name: str) -> float:
    """`value` as a finite float above zero."""
    number = finite(value, name)
    if number <= 0:
        raise ValueError(f"{name} is {number}; expected a number above 0")
    return number


def positive_pair(value: Any, name: str) -> tuple[float, float]:
    """`value`, a number above zero or two of them (vertical, horizontal), as a pair."""
    if isinstance(value, (Sequence, np.ndarray)) and not isinstance(value, (str, bytes)) and np.ndim(value):
        if len(value) != 2:
            raise ValueError(f"{name} is {value!r}; expected a number or a pair (vertical, horizontal)")
        return positive(value[0], f"{name}[0]"), positive(value[1], f"{name}[1]")
    number = positive(value, name)
    return number, number


def extent(value: Any, name: str) -> int:
    """`value` as the extent of a kernel, 1 to `MAX_EXTENT`."""
    number = integer(value, name, 1)
    if number > MAX_EXTENT:
        raise ValueError(f"{name} is {number}; expected at most {MAX_EXTENT}")
    return number


def extents(value: Any, name: str) -> Pair:
    """`value`, an extent or two of them (vertical, horizontal), as a pair."""
    height, width = pair(value, name)
    return extent(height, name), extent(width, name)


def odd(value: Any, name: str, maximum: int = MAX_EXTENT) -> int:
    """`value` as an odd extent from 1 to `maximum`."""
    number = integer(value, name)
    if not 1 <= number <= maximum or number % 2 == 0:
        raise ValueError(f"{name} is {number}; expected an odd number from 1 to {maximum}")
    return number


def fill_value(value: Any, dtype: np.dtype[Any], name: str = "cval") -> float:
    """The `cval` of a constant border, refused where an image of `dtype` could not hold it."""
    if type(value) in (int, float) and value == 0:
        return float(value)  # by far the most frequent, and every dtype holds it
    if dtype in FLOATS and isinstance(value, (float, np.floating)):
        return held(float(value), name, dtype)  # NaN and Inf are values of a float image
    number = finite(value, name)
    if dtype in FLOATS:
        held(number, name, dtype)
    else:
        limits = np.iinfo(dtype)
        if not number.is_integer() or not limits.min <= number <= limits.max:
            raise ValueError(
                f"{name} is {value!r}; expected an integer that {dtype} holds, {limits.min} to {limits.max}"
            )
    return number

"""`unfold` and `fold`: the pixels under a convolution's kernels as columns, and columns summed back."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING, Any

from convkit import _checks, shapes
from convkit._checks import Array, Pair
from convkit.shapes import Axis

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def unfold(
    input: ArrayLike,
    kernel_size: int | Pair,
    dilation: int | Pair = 1,
    padding: int | Pair = 0,
    stride: int | Pair = 1,
) -> Array:
    """The pixels under each position of a kernel, a column for each ("im2col").

    Parameters
    ----------
    input : array_like, (B, C, H, W) or (C, H, W)
        float32 or float64, any strides.
    kernel_size : int or (vertical, horizontal)
    dilation, padding, stride : int or (vertical, horizontal)
        As in `conv2d`; padded pixels are 0.

    Returns
    -------
    ndarray, (B, C·kh·kw, H'·W') or (C·kh·kw, H'·W')
        ``weight.reshape(O, -1) @ unfold(input, ...)`` is the convolution, with its pixels in one axis.

    Raises
    ------
    TypeError
        `input` is None, or not of float32 or float64.
    ValueError
        Sizes that do not fit, an output without pixels.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> ck.unfold(np.arange(6.0).reshape(1, 2, 3), 2)
    array([[0., 1.],
           [1., 2.],
           [3., 4.],
           [4., 5.]])
    """
    x, x_bchw = _checks.images(input, "input")
    images, channels, height, width = x_bchw.shape
    axes = fold_axes((height, width), kernel_size, dilation, padding, stride)
    outputs, kernel = [axis.output for axis in axes], [axis.kernel for axis in axes]
    columns = _checks.empty((images, channels, *kernel, *outputs), x.dtype)
    for (r, s), seeing, seen in taps(axes):
        columns[:, :, r, s] = 0
        columns[:, :, r, s, seeing[0], seeing[1]] = x_bchw[:, :, seen[0], seen[1]]
    return columns.reshape(*x.shape[:-3], channels * kernel[0] * kernel[1], outputs[0] * outputs[1])


def fold(
    input: ArrayLike,
    output_size: Pair,
    kernel_size: int | Pair,
    dilation: int | Pair = 1,
    padding: int | Pair = 0,
    stride: int | Pair = 1,
) -> Array:
    """Columns as `unfold` gives them, each number added to the pixel that it came from: `unfold`'s gradient.

    Parameters
    ----------
    input : array_like, (B, C·kh·kw, H'·W') or (C·kh·kw, H'·W')
        float32 or float64, any strides.
    output_size : (height, width)
    kernel_size, dilation, padding, stride
        As in `unfold`.

    Returns
    -------
    ndarray, (B, C, height, width) or (C, height, width)
        Of `input`'s dtype; summed kernel element by kernel element, in their order.

    Raises
    ------
    TypeError
        `input` is None, or not of float32 or float64.
    ValueError
        Sizes that do not fit.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> ck.fold(np.ones((4, 2)), (2, 3), 2)[0]
    array([[1., 2., 1.],
           [1., 2., 1.]])
    """
    (x,) = _checks.float_arrays(input=input)
    *_, channels, height, width = fold_shape(x.shape, output_size, kernel_size, dilation, padding, stride)
    axes = fold_axes((height, width), kernel_size, dilation, padding, stride)
    kernel, outputs = [axis.kernel for axis in axes], [axis.output for axis in axes]
    columns = x.reshape(-1, channels, *kernel, *outputs)
    y = _checks.empty((*columns.shape[:2], height, width), x.dtype)
    y[...] = 0
    for (r, s), seeing, seen in taps(axes):
        y[:, :, seen[0], seen[1]] += columns[:, :, r, s, seeing[0], seeing[1]]
    return y if x.ndim == 3 else y[0]


def fold_axes(size: Pair, kernel: Any, dilation: Any, padding: Any, stride: Any) -> list[Axis]:
    """The axes of the convolution; its padding is the same on both sides."""
    return shapes.conv_axes(size, kernel, stride, _checks.pair(padding, "padding", 0), dilation)


def fold_shape(
    given: tuple[int, ...], output_size: Any, kernel: Any, dilation: Any, padding: Any, stride: Any
) -> tuple[int, ...]:
    """The shape that columns of the shape `given` are folded to."""
    size = _checks.pair(output_size, "output_size", 1)
    axes = fold_axes(size, kernel, dilation, padding, stride)
    elements, positions = axes[0].kernel * axes[1].kernel, axes[0].output * axes[1].output
    if len(given) not in (2, 3) or given[-2] % elements or given[-1] != positions:
        raise ValueError(f"input has shape {given}; expected (B, C·{elements}, {positions}), or without B")
    return (*given[:-2], given[-2] // elements, *size)


def taps(axes: list[Axis]) -> Iterator[tuple[Pair, list[slice], list[slice]]]:
    """Each kernel element, the outputs to which it brings input pixels, and those pixels."""
    for tap in product(*(range(axis.kernel) for axis in axes)):
        spans = [span(axis, index) for axis, index in zip(axes, tap, strict=True)]
        if all(first < end for first, end, _ in spans):
            seeing = [slice(first, end) for first, end, _ in spans]
            seen = [
                slice(place, place + (end - first - 1) * axis.stride + 1, axis.stride)
                for (first, end, place), axis in zip(spans, axes, strict=True)
            ]
            yield (tap[0], tap[1]), seeing, seen
        else:
            yield (tap[0], tap[1]), [slice(0, 0)] * 2, [slice(0, 0)] * 2


def span(axis: Axis, tap: int) -> tuple[int, int, int]:
    """The first output that a tap brings an input pixel to, the one behind the last, and that pixel."""
    offset = tap * axis.dilation - axis.before
    first = max(0, -(offset // axis.stride))
    end = min(axis.output, (axis.size - 1 - offset) // axis.stride + 1)
    return first, end, offset + first * axis.stride

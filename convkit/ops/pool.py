"""Pooling and its gradients: windows as tables, a kernel for the largest number and one for the mean."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, overload

import numpy as np

from convkit import _checks, _dispatch
from convkit._checks import Array, Pair
from convkit._threads import threads_for

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

# Multiply-adds that take as long as a pixel takes, of the input, that is compared, or gets its gradient.
LARGEST, SPREAD = 64, 8

OutputSize = int | tuple[int | None, int | None]


class Windows(NamedTuple):
    """The windows of an axis: [first, behind the last] of each, and the number each mean is divided by."""

    places: Array
    counts: Array


# ---- windows -------------------------------------------------------------------------------------------


def pooled(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool) -> int:
    """How many windows an axis has: with `ceil_mode` the last may reach over the end, not begin there."""
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    windows = (room + (stride - 1 if ceil_mode else 0)) // stride + 1
    return windows - 1 if ceil_mode and (windows - 1) * stride >= size + padding else windows


@lru_cache(maxsize=256)
def sliding(
    size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool, include_pad: bool
) -> Windows:
    """The windows of an axis, cut to the input; `include_pad`: padded pixels count."""
    first = np.arange(pooled(size, kernel, stride, padding, dilation, ceil_mode)) * stride - padding
    last = first + dilation * (kernel - 1) + 1
    counts = np.minimum(last, size + padding) - first
    inside = first + -(np.minimum(first, 0) // dilation) * dilation
    places = np.stack([inside, np.minimum(last, size)], axis=1).astype(np.intp)
    return Windows(places, counts if include_pad else places[:, 1] - places[:, 0])


@lru_cache(maxsize=256)
def adaptive(size: int, output: int) -> Windows:
    """Windows that share an axis between so many outputs, and may overlap by a pixel."""
    index = np.arange(output)
    places = np.stack([index * size // output, -(-(index + 1) * size // output)], axis=1).astype(np.intp)
    return Windows(places, places[:, 1] - places[:, 0])


class Sizes(NamedTuple):
    """The arguments of a pooling along both axes."""

    kernel: Pair
    stride: Pair
    padding: Pair
    dilation: Pair
    ceil_mode: bool

    def output(self, size: Pair) -> Pair:
        """Windows along each axis; at least 1."""
        for name, (n, k, s, p, d) in zip(("height", "width"), self._along(size), strict=True):
            if pooled(n, k, s, p, d, self.ceil_mode) < 1:
                raise ValueError(
                    f"the output {name} would be 0: input {n} + padding ({p}, {p}) is {n + 2 * p}, shorter "
                    f"than the effective kernel {d * (k - 1) + 1}; take a smaller kernel_size, or pad by more"
                )
        height, width = (pooled(*axis, self.ceil_mode) for axis in self._along(size))
        return height, width

    def windows(self, size: Pair, include_pad: bool = True) -> tuple[Windows, Windows]:
        """Those of rows and of columns."""
        self.output(size)
        vertical, horizontal = (sliding(*axis, self.ceil_mode, include_pad) for axis in self._along(size))
        return vertical, horizontal

    def _along(self, size: Pair) -> list[tuple[int, int, int, int, int]]:
        return list(zip(size, self.kernel, self.stride, self.padding, self.dilation, strict=True))


def check_sizes(kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: Any) -> Sizes:
    """The checked arguments of a pooling; the default stride is the kernel."""
    kernel = _checks.pair(kernel_size, "kernel_size", 1)
    stride = kernel if stride is None else _checks.pair(stride, "stride", 1)
    padding = _checks.pair(padding, "padding", 0)
    if any(2 * p > k for p, k in zip(padding, kernel, strict=True)):
        raise ValueError(f"padding is {padding}; expected at most half of kernel_size, {kernel}")
    dilation = _checks.pair(dilation, "dilation", 1)
    return Sizes(kernel, stride, padding, dilation, _checks.flag(ceil_mode, "ceil_mode"))


def check_output_size(output_size: Any, size: Pair) -> Pair:
    """The size of an adaptive pooling's output; None keeps the input's."""
    if not _checks.is_sequence(output_size):
        output_size = (output_size, output_size)
    if len(output_size) != 2:
        raise ValueError(f"output_size is {output_size!r}; expected an integer or a pair (height, width)")
    height, width = (
        n if wanted is None else _checks.integer(wanted, "output_size", 1)
        for wanted, n in zip(output_size, size, strict=True)
    )
    return height, width


# ---- the largest number --------------------------------------------------------------------------------


@overload
def max_pool2d(
    input: ArrayLike,
    kernel_size: int | Pair,
    stride: int | Pair | None = None,
    padding: int | Pair = 0,
    dilation: int | Pair = 1,
    *,
    ceil_mode: bool = False,
    return_indices: Literal[False] = False,
    num_threads: int | None = None,
) -> Array: ...
@overload
def max_pool2d(
    input: ArrayLike,
    kernel_size: int | Pair,
    stride: int | Pair | None = None,
    padding: int | Pair = 0,
    dilation: int | Pair = 1,
    *,
    ceil_mode: bool = False,
    return_indices: Literal[True],
    num_threads: int | None = None,
) -> tuple[Array, Array]: ...
def max_pool2d(
    input: ArrayLike,
    kernel_size: int | Pair,
    stride: int | Pair | None = None,
    padding: int | Pair = 0,
    dilation: int | Pair = 1,
    *,
    ceil_mode: bool = False,
    return_indices: bool = False,
    num_threads: int | None = None,
) -> Array | tuple[Array, Array]:
    """The largest number of each window.

    Parameters
    ----------
    input : array_like, (B, C, H, W) or (C, H, W)
        float32 or float64, any strides.
    kernel_size : int or (vertical, horizontal)
        Of a window.
    stride : int or (vertical, horizontal), optional
        From one window to the next; unset, `kernel_size`.
    padding : int or (vertical, horizontal)
        Places on each side that never win; at most half of `kernel_size`.
    dilation : int or (vertical, horizontal)
        From one pixel of a window to its next.
    ceil_mode : bool
        A last window may reach over the end, if it begins in the input or the padding before it.
    return_indices : bool
        Return the places too, for `max_pool2d_grad`.
    num_threads : int, optional
        As in `conv2d`.

    Returns
    -------
    ndarray, (B, C, H', W') or (C, H', W')
        ``H' = floor((H + 2·padding - dilation·(kh - 1) - 1) / stride) + 1``, or rounded up.
    ndarray of int64, of the same shape
        With `return_indices`: ``row·W + column`` of each in its map; -1 where dilation skips all of the
        input, and the number is -Inf.

    Raises
    ------
    TypeError
        `input` is None, or not of float32 or float64.
    ValueError
        Sizes that do not fit, an output without pixels.

    Notes
    -----
    A window that holds NaN gives NaN. Of equal numbers the first counts, of several NaN the last: PyTorch's
    choice.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> y, places = ck.max_pool2d(np.array([[[1.0, 5.0], [2.0, 3.0]]]), 2, return_indices=True)
    >>> y[0], places[0]
    (array([[5.]]), array([[1]]))
    """
    sizes = check_sizes(kernel_size, stride, padding, dilation, ceil_mode)
    return_indices = _checks.flag(return_indices, "return_indices")
    x, x_bchw = _checks.images(input, "input")
    windows = sizes.windows((x_bchw.shape[2], x_bchw.shape[3]))
    y, index = find_largest(x, windows, sizes.dilation, num_threads)
    return (y, index) if return_indices else y


@overload
def adaptive_max_pool2d(
    input: ArrayLike,
    output_size: OutputSize,
    *,
    return_indices: Literal[False] = False,
    num_threads: int | None = None,
) -> Array: ...
@overload
def adaptive_max_pool2d(
    input: ArrayLike,
    output_size: OutputSize,
    *,
    return_indices: Literal[True],
    num_threads: int | None = None,
) -> tuple[Array, Array]: ...
def adaptive_max_pool2d(
    input: ArrayLike,
    output_size: OutputSize,
    *,
    return_indices: bool = False,
    num_threads: int | None = None,
) -> Array | tuple[Array, Array]:
    """The largest number of each of so many windows that they give a map of `output_size`.

    Parameters
    ----------
    input : array_like, (B, C, H, W) or (C, H, W)
        float32 or float64, any strides.
    output_size : int or (height, width)
        None for one of them keeps the input's. 1 is global pooling.
    return_indices, num_threads
        As in `max_pool2d`.

    Returns
    -------
    ndarray, or two
        As of `max_pool2d`. Window i of n along an axis of N holds ``floor(i·N / n)`` to
        ``ceil((i + 1)·N / n) - 1``.

    Raises
    ------
    TypeError, ValueError
        As in `max_pool2d`.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> ck.adaptive_max_pool2d(np.arange(9.0).reshape(1, 3, 3), 2)[0]
    array([[4., 5.],
           [7., 8.]])
    """
    return_indices = _checks.flag(return_indices, "return_indices")
    x, x_bchw = _checks.images(input, "input")
    height, width = check_output_size(output_size, (x_bchw.shape[2], x_bchw.shape[3]))
    windows = adaptive(x_bchw.shape[2], height), adaptive(x_bchw.shape[3], width)
    y, index = find_largest(x, windows, (1, 1), num_threads)
    return (y, index) if return_indices else y


def find_largest(
    x: Array, windows: tuple[Windows, Windows], step: Pair, num_threads: int | None
) -> tuple[Array, Array]:
    """The largest number of each window, and its place."""
    rows, columns = (axis.places for axis in windows)
    shape = (*x.shape[:-2], len(rows), len(columns))
    y, index = _checks.empty(shape, x.dtype), _checks.empty(shape, np.dtype(np.int64))
    threads = threads_for(LARGEST * x.size, num_threads)
    kernels = _dispatch.native().family("pool", x.dtype)
    kernels.max_pool(maps_of(x), maps_of(y), maps_of(index), x.shape[-1], rows, columns, *step, threads)
    return y, index


def max_pool2d_grad(
    grad_output: ArrayLike,
    indices: ArrayLike,
    input_shape: tuple[int, ...],
    *,
    out: Array | None = None,
    num_threads: int | None = None,
) -> Array:
    """Gradient of `max_pool2d` or `adaptive_max_pool2d` by its input: each number goes where it came from.

    Parameters
    ----------
    grad_output : array_like, (B, C, H', W') or (C, H', W')
        float32 or float64.
    indices : array_like of integers, of the same shape
        What the pooling returned with ``return_indices=True``.
    input_shape : tuple of int, (B, C, H, W) or (C, H, W)
    out, num_threads
        As in `conv2d`.

    Returns
    -------
    ndarray, of `input_shape`
        Of `grad_output`'s dtype; 0 where no index leads.

    Raises
    ------
    TypeError
        An array is None, or of another kind of numbers.
    ValueError
        Shapes that do not belong together, an index outside its map.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> ck.max_pool2d_grad(np.ones((1, 1, 1)), np.full((1, 1, 1), 3), (1, 2, 2))[0]
    array([[0., 0.],
           [0., 1.]])
    """
    g, _ = _checks.images(grad_output, "grad_output")
    shape = _checks.shape_of(input_shape, "input_shape")
    index = _checks.as_array(indices, "indices")
    if index.dtype.kind not in "iu":
        raise TypeError(f"indices has dtype {index.dtype}; expected integers")
    if index.shape != g.shape or shape[:-2] != g.shape[:-2]:
        raise ValueError(
            f"grad_output has shape {g.shape}, indices {index.shape} and the input {shape}; expected "
            "the same images and channels, and an index for each number"
        )
    if index.min() < -1 or index.max() >= shape[-2] * shape[-1]:
        raise ValueError(
            f"indices go from {index.min()} to {index.max()}; expected 0 to {shape[-2] * shape[-1] - 1}, a "
            f"place in a map of {shape[-2]}×{shape[-1]}"
        )
    y = _checks.output(out, shape, g.dtype, g, index)
    to = y if y.flags.c_contiguous else _checks.empty(shape, y.dtype)
    threads = threads_for(SPREAD * y.size, num_threads)
    kernels = _dispatch.native().family("pool", g.dtype)
    kernels.max_pool_gradient(maps_of(g), maps_of(index.astype(np.int64, copy=False)), maps_of(to), threads)
    if to is not y:
        y[...] = to
    return y


def maps_of(array: Array) -> Array:
    """A row for each map."""
    return np.ascontiguousarray(array).reshape(-1, array.shape[-2] * array.shape[-1])


# ---- the mean ------------------------------------------------------------------------------------------


def avg_pool2d(
    input: ArrayLike,
    kernel_size: int | Pair,
    stride: int | Pair | None = None,
    padding: int | Pair = 0,
    *,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    num_threads: int | None = None,
) -> Array:
    """The mean of each window.

    Parameters
    ----------
    input : array_like, (B, C, H, W) or (C, H, W)
        float32 or float64, any strides.
    kernel_size, stride, padding, ceil_mode, num_threads
        As in `max_pool2d`; padded pixels are 0.
    count_include_pad : bool
        Padded pixels count in the mean. Those that `ceil_mode` alone reaches never do.
    divisor_override : int, optional
        What each sum is divided by instead; not 0.

    Returns
    -------
    ndarray, (B, C, H', W') or (C, H', W')
        As of `max_pool2d`.

    Raises
    ------
    TypeError, ValueError
        As in `max_pool2d`.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> ck.avg_pool2d(np.arange(16.0).reshape(1, 4, 4), 2)[0]
    array([[ 2.5,  4.5],
           [10.5, 12.5]])
    """
    x, x_bchw = _checks.images(input, "input")
    size = x_bchw.shape[2], x_bchw.shape[3]
    windows = mean_windows(size, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)
    return average(x, windows, size, False, None, num_threads)


def avg_pool2d_grad(
    grad_output: ArrayLike,
    input_shape: tuple[int, ...],
    kernel_size: int | Pair,
    stride: int | Pair | None = None,
    padding: int | Pair = 0,
    *,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    out: Array | None = None,
    num_threads: int | None = None,
) -> Array:
    """Gradient of `avg_pool2d` by its input.

    Parameters
    ----------
    grad_output : array_like, (B, C, H', W') or (C, H', W')
        float32 or float64.
    input_shape : tuple of int, (B, C, H, W) or (C, H, W)
    kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
        The pooling's.
    out, num_threads
        As in `conv2d`.

    Returns
    -------
    ndarray, of `input_shape`
        Of `grad_output`'s dtype.

    Raises
    ------
    TypeError, ValueError
        As in `avg_pool2d`; shapes that are not those of one pooling.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> ck.avg_pool2d_grad(np.ones((1, 1, 1)), (1, 2, 2), 2)[0]
    array([[0.25, 0.25],
           [0.25, 0.25]])
    """
    g, _ = _checks.images(grad_output, "grad_output")
    shape = _checks.shape_of(input_shape, "input_shape")
    size = shape[-2], shape[-1]
    windows = mean_windows(size, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)
    return spread(g, windows, shape, out, num_threads)


def adaptive_avg_pool2d(
    input: ArrayLike, output_size: OutputSize, *, num_threads: int | None = None
) -> Array:
    """The mean of each of so many windows that they give a map of `output_size`.

    Parameters
    ----------
    input : array_like, (B, C, H, W) or (C, H, W)
        float32 or float64, any strides.
    output_size : int or (height, width)
        None for one of them keeps the input's. 1 is global pooling.
    num_threads : int, optional
        As in `conv2d`.

    Returns
    -------
    ndarray, (B, C, height, width) or (C, height, width)
        Windows as of `adaptive_max_pool2d`.

    Raises
    ------
    TypeError, ValueError
        As in `max_pool2d`.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> ck.adaptive_avg_pool2d(np.arange(9.0).reshape(1, 3, 3), 1)[0]
    array([[4.]])
    """
    x, x_bchw = _checks.images(input, "input")
    size = x_bchw.shape[2], x_bchw.shape[3]
    height, width = check_output_size(output_size, size)
    return average(x, (adaptive(size[0], height), adaptive(size[1], width)), size, False, None, num_threads)


def adaptive_avg_pool2d_grad(
    grad_output: ArrayLike,
    input_shape: tuple[int, ...],
    *,
    out: Array | None = None,
    num_threads: int | None = None,
) -> Array:
    """Gradient of `adaptive_avg_pool2d` by its input.

    Parameters
    ----------
    grad_output : array_like, (B, C, height, width) or (C, height, width)
        float32 or float64.
    input_shape : tuple of int, (B, C, H, W) or (C, H, W)
    out, num_threads
        As in `conv2d`.

    Returns
    -------
    ndarray, of `input_shape`
        Of `grad_output`'s dtype.

    Raises
    ------
    TypeError, ValueError
        As in `avg_pool2d_grad`.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> ck.adaptive_avg_pool2d_grad(np.ones((1, 1, 1)), (1, 2, 2))[0]
    array([[0.25, 0.25],
           [0.25, 0.25]])
    """
    g, g_bchw = _checks.images(grad_output, "grad_output")
    shape = _checks.shape_of(input_shape, "input_shape")
    windows = adaptive(shape[-2], g_bchw.shape[2]), adaptive(shape[-1], g_bchw.shape[3])
    return spread(g, windows, shape, out, num_threads)


def mean_windows(
    size: Pair,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: Any,
    count_include_pad: Any,
    divisor_override: Any,
) -> tuple[Windows, Windows]:
    """The windows of `avg_pool2d`, and its divisors as a product of a row's and a column's."""
    include_pad = _checks.flag(count_include_pad, "count_include_pad")
    sizes = check_sizes(kernel_size, stride, padding, 1, ceil_mode)
    rows, columns = sizes.windows(size, include_pad)
    if divisor_override is None:
        return rows, columns
    divisor = _checks.integer(divisor_override, "divisor_override")
    if divisor == 0:
        raise ValueError("divisor_override is 0; expected another integer")
    ones = np.ones(len(columns.places), np.intp)
    return rows._replace(counts=np.full(len(rows.places), divisor)), columns._replace(counts=ones)


def spread(
    g: Array,
    windows: tuple[Windows, Windows],
    shape: tuple[int, ...],
    out: Array | None,
    num_threads: int | None,
) -> Array:
    """The gradient of the means of `windows`."""
    expected = (*shape[:-2], *(len(axis.places) for axis in windows))
    if g.shape != expected:
        raise ValueError(
            f"grad_output has shape {g.shape}; the pooling of an input of shape {shape} gives {expected}"
        )
    return average(g, windows, (shape[-2], shape[-1]), True, out, num_threads)


def average(
    x: Array,
    windows: tuple[Windows, Windows],
    size: Pair,
    back: bool,
    out: Array | None,
    num_threads: int | None,
) -> Array:
    """The mean of each window of maps of `size`, or, going `back`, the gradient."""
    rows, columns = windows
    shape = (*x.shape[:-2], *(size if back else (len(rows.places), len(columns.places))))
    y = _checks.output(out, shape, x.dtype, x)
    to = y if y.flags.c_contiguous else _checks.empty(shape, y.dtype)
    source, target = maps_of(x), maps_of(to)
    threads = threads_for(2 * max(x.size, y.size), num_threads)
    lines = np.empty((1 if threads == 1 else len(source), size[1]), x.dtype)
    counts = np.concatenate([rows.counts, columns.counts]).astype(x.dtype)
    kernels = _dispatch.native().family("pool", x.dtype)
    kernels.avg_pool(source, target, lines, size[1], rows.places, columns.places, counts, back, threads)
    if to is not y:
        y[...] = to
    return y

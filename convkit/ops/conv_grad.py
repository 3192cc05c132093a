"""The gradients of `conv2d`: by its input (a transposed convolution), its weight, its bias."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from convkit import _checks, _dispatch
from convkit._checks import Array, Pair
from convkit._threads import threads_for
from convkit.ops.conv import (
    PADDING_BORDERS,
    Padding,
    PaddingMode,
    axes_of,
    check_border,
    check_groups,
    in_groups,
)
from convkit.ops.conv_transpose import run
from convkit.ops.epilogue import PLAIN
from convkit.ops.weight_grad import write_weight_grad
from convkit.shapes import Axis

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def conv2d_input_grad(
    grad_output: ArrayLike,
    weight: ArrayLike,
    input_shape: tuple[int, ...],
    stride: int | Pair = 1,
    padding: Padding = 0,
    dilation: int | Pair = 1,
    groups: int = 1,
    *,
    padding_mode: PaddingMode = "zeros",
    out: Array | None = None,
    num_threads: int | None = None,
) -> Array:
    """Gradient of `conv2d` by its input.

    Parameters
    ----------
    grad_output : array_like, (B, O, H', W') or (O, H', W')
        The gradient by the convolution's output; float32 or float64, any strides.
    weight : array_like, (O, C / groups, kh, kw)
        The convolution's, of `grad_output`'s dtype.
    input_shape : tuple of int, (B, C, H, W) or (C, H, W)
        The convolution's input, whose size the output's does not tell where a stride leaves rows over.
    stride, padding, dilation, groups, padding_mode
        The convolution's. What padded pixels would receive goes to the pixels that they repeat.
    out, num_threads
        As in `conv2d`.

    Returns
    -------
    ndarray, of `input_shape`
        Of `grad_output`'s dtype.

    Raises
    ------
    TypeError
        An array is None, not numeric, or of another dtype than `grad_output`.
    ValueError
        Shapes that are not those of one convolution.

    Notes
    -----
    ``dx[b, c, u, v] = Σ weight[o, c, r, s] · dy[b, o, i, j]`` over all o, r, s, i, j whose product `conv2d`
    takes from that pixel. With stride 1 it is a convolution with the kernel turned, of any algorithm and its
    error bound; with others, every product is summed (Dumoulin and Visin, *A guide to convolution arithmetic
    for deep learning*, 2016, §4).

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> ck.conv2d_input_grad(np.ones((1, 2, 2)), np.ones((1, 1, 2, 2)), (1, 3, 3))[0]
    array([[1., 2., 1.],
           [2., 4., 2.],
           [1., 2., 1.]])
    """
    g, w = _checks.float_arrays(grad_output=grad_output, weight=weight)
    shape = _checks.shape_of(input_shape, "input_shape")
    groups, axes = check_convolution(shape, w.shape, g.shape, stride, padding, dilation, groups)
    _checks.choice(padding_mode, "padding_mode", tuple(PADDING_BORDERS))
    y = _checks.output(out, shape, g.dtype, g, w)
    g_bchw, y_bchw = (a if a.ndim == 4 else a[None] for a in (g, y))
    write_input_grad(g_bchw, in_groups(w, groups), y_bchw, axes, PADDING_BORDERS[padding_mode], num_threads)
    return y


def write_input_grad(
    g: Array,
    weight_gockk: Array,
    y: Array,
    axes: tuple[Axis, Axis],
    border: str,
    num_threads: int | None,
    images: int = 1,
) -> None:
    """Write the gradient by the input of a convolution; `images` as in `write_conv`."""
    weight_gcokk = weight_gockk.swapaxes(1, 2)
    if border == "constant" or all(axis.before == axis.after == 0 for axis in axes):
        write_padded_grad(g, weight_gcokk, y, axes, num_threads, images)
        return
    padded = [axis._replace(size=axis.before + axis.size + axis.after, before=0, after=0) for axis in axes]
    whole = _checks.empty((*y.shape[:2], padded[0].size, padded[1].size), g.dtype)
    write_padded_grad(g, weight_gcokk, whole, (padded[0], padded[1]), num_threads, images)
    vertical, horizontal = axes
    fold(whole.swapaxes(2, 3), horizontal, border)
    across = slice(horizontal.before, horizontal.before + horizontal.size)
    fold(whole[..., across], vertical, border)
    y[...] = whole[:, :, vertical.before : vertical.before + vertical.size, across]


def write_padded_grad(
    g: Array, weight_gcokk: Array, y: Array, axes: tuple[Axis, Axis], num_threads: int | None, images: int
) -> None:
    """Write the gradient by an input that is padded with constants."""
    vertical, horizontal = axes
    stride, dilation = (vertical.stride, horizontal.stride), (vertical.dilation, horizontal.dilation)
    before = vertical.before, horizontal.before
    run(g, weight_gcokk, None, y, stride, before, dilation, "auto", num_threads, PLAIN, images)


def fold(padded: Array, axis: Axis, border: str) -> None:
    """Add the rows of padding to those that they repeat."""
    places = np.pad(np.arange(axis.size), (axis.before, axis.after), border)  # type: ignore[call-overload]
    for row, place in enumerate(places):
        if not axis.before <= row < axis.before + axis.size:
            padded[:, :, axis.before + place] += padded[:, :, row]


def conv2d_weight_grad(
    input: ArrayLike,
    grad_output: ArrayLike,
    kernel_size: int | Pair,
    stride: int | Pair = 1,
    padding: Padding = 0,
    dilation: int | Pair = 1,
    groups: int = 1,
    *,
    padding_mode: PaddingMode = "zeros",
    cval: float = 0.0,
    out: Array | None = None,
    num_threads: int | None = None,
) -> Array:
    """Gradient of `conv2d` by its weight.

    Parameters
    ----------
    input : array_like, (B, C, H, W) or (C, H, W)
        The convolution's; float32 or float64, any strides.
    grad_output : array_like, (B, O, H', W') or (O, H', W')
        The gradient by the convolution's output, of `input`'s dtype.
    kernel_size : int or (vertical, horizontal)
    stride, padding, dilation, groups, padding_mode, cval
        The convolution's.
    out, num_threads
        As in `conv2d`.

    Returns
    -------
    ndarray, (O, C / groups, kh, kw)
        Of `input`'s dtype.

    Raises
    ------
    TypeError
        An array is None, not numeric, or of another dtype than `input`.
    ValueError
        Shapes that are not those of one convolution.

    Notes
    -----
    ``dw[o, c, r, s] = Σ dy[b, o, i, j] · x[b, c, u, v]``, over the images b and output pixels (i, j), with
    (u, v) as `conv2d` has it. Pixels are summed in chunks of one size and in one order, so that the bits do
    not depend on the number of threads. ``|dw - exact| ≤ γₙ · Σ |dy| |x|`` with n = B·H'·W' (Higham,
    *Accuracy and Stability of Numerical Algorithms*, 2002, §3.1). Where Winograd's algorithm is faster (3×3
    kernels with stride 1, in float32), the error is bounded by 2e-6 + γₘ of the largest ``Σ |dy| |x|`` with m
    chunks of up to 64 tiles, and a NaN or Inf reaches all taps of its channels;
    ``options(precision="exact")`` never takes it.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> x = np.arange(9.0).reshape(1, 3, 3)
    >>> ck.conv2d_weight_grad(x, np.ones((1, 2, 2)), 2)[0, 0]
    array([[ 8., 12.],
           [20., 24.]])
    """
    x, g = _checks.float_arrays(input=input, grad_output=grad_output)
    kernel = _checks.pair(kernel_size, "kernel_size", 1)
    shape = _checks.weight_shape(x.shape, g.shape, groups, kernel)
    groups, axes = check_convolution(x.shape, shape, g.shape, stride, padding, dilation, groups)
    border, cval = check_border(padding_mode, cval, x.dtype)
    y = _checks.output(out, shape, x.dtype, x, g)
    x_bchw, g_bchw = (a if a.ndim == 4 else a[None] for a in (x, g))
    write_weight_grad(x_bchw, g_bchw, y, axes, groups, border, cval, num_threads)
    return y


def conv2d_bias_grad(
    grad_output: ArrayLike, *, out: Array | None = None, num_threads: int | None = None
) -> Array:
    """Gradient of `conv2d`, or `conv_transpose2d`, by its bias: the sum over images and pixels.

    Parameters
    ----------
    grad_output : array_like, (B, O, H', W') or (O, H', W')
        The gradient by the convolution's output; float32 or float64.
    out, num_threads
        As in `conv2d`.

    Returns
    -------
    ndarray, (O,)
        Summed in float64 and rounded to `grad_output`'s dtype.

    Raises
    ------
    TypeError
        An array is None, or not of float32 or float64.
    ValueError
        It has other axes.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> ck.conv2d_bias_grad(np.ones((2, 3, 4, 4), np.float32))
    array([32., 32., 32.], dtype=float32)
    """
    (g,) = _checks.float_arrays(grad_output=grad_output)
    if g.ndim not in (3, 4):
        raise ValueError(f"grad_output has shape {g.shape}; expected BCHW or CHW")
    y = _checks.output(out, (g.shape[-3],), g.dtype, g)
    write_bias_grad(g, y, num_threads)
    return y


def write_bias_grad(g: Array, y: Array, num_threads: int | None) -> None:
    """Write the gradient by a bias."""
    runs = np.ascontiguousarray(g).reshape(-1, g.shape[-2] * g.shape[-1])
    sums = np.empty(runs.shape[0])
    _dispatch.native().family("norm", g.dtype).sums(runs, sums, threads_for(g.size, num_threads))
    y[...] = sums.reshape(-1, g.shape[-3]).sum(0)


def check_convolution(
    input_shape: tuple[int, ...],
    weight_shape: tuple[int, ...],
    output_shape: tuple[int, ...],
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: Any,
) -> tuple[int, tuple[Axis, Axis]]:
    """`groups` and the axes of the convolution that has these shapes."""
    groups = _checks.integer(groups, "groups", 1)
    if len(weight_shape) != 4:
        raise ValueError(f"weight has shape {weight_shape}; expected (O, C / groups, kh, kw)")
    if len(input_shape) not in (3, 4):
        raise ValueError(f"the input's shape is {input_shape}; expected BCHW or CHW")
    check_groups(input_shape[-3], groups)
    if weight_shape[0] % groups:
        raise ValueError(
            f"groups is {groups}, which does not divide the weight's {weight_shape[0]} output channels"
        )
    if weight_shape[1] * groups != input_shape[-3]:
        raise ValueError(
            f"the input's shape is {input_shape}, {input_shape[-3]} channels; the weight expects "
            f"{weight_shape[1] * groups}"
        )
    axes = axes_of(input_shape[-2:], weight_shape[2:], stride, padding, dilation)
    expected = (*input_shape[:-3], weight_shape[0], axes[0].output, axes[1].output)
    if output_shape != expected:
        raise ValueError(
            f"grad_output has shape {output_shape}; the convolution of an input of shape {input_shape} gives "
            f"{expected}"
        )
    return groups, axes

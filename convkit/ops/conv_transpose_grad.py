"""The gradients of `conv_transpose2d`: a convolution, and a convolution's weight gradient, roles swapped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from convkit import _checks
from convkit._checks import Array, Pair
from convkit.ops.choice import decide
from convkit.ops.conv import ask, check_groups
from convkit.ops.problem import Layer, Problem
from convkit.ops.weight_grad import write_weight_grad
from convkit.shapes import Axis

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def conv_transpose2d_input_grad(
    grad_output: ArrayLike,
    weight: ArrayLike,
    input_shape: tuple[int, ...],
    stride: int | Pair = 1,
    padding: int | Pair = 0,
    groups: int = 1,
    dilation: int | Pair = 1,
    *,
    out: Array | None = None,
    num_threads: int | None = None,
) -> Array:
    """Gradient of `conv_transpose2d` by its input: a convolution of the output's gradient.

    Parameters
    ----------
    grad_output : array_like, (B, O, H', W') or (O, H', W')
        The gradient by the output; float32 or float64, any strides. Its size tells the `output_padding`.
    weight : array_like, (C, O / groups, kh, kw)
        Of `grad_output`'s dtype.
    input_shape : tuple of int, (B, C, H, W) or (C, H, W)
    stride, padding, groups, dilation
        As in `conv_transpose2d`.
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
        Shapes that are not those of one transposed convolution.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> ck.conv_transpose2d_input_grad(np.ones((1, 4, 4)), np.ones((1, 1, 2, 2)), (1, 2, 2), stride=2)[0]
    array([[4., 4.],
           [4., 4.]])
    """
    g, w = _checks.float_arrays(grad_output=grad_output, weight=weight)
    shape = _checks.shape_of(input_shape, "input_shape")
    groups, axes = check_transposed(shape, w.shape, g.shape, stride, padding, dilation, groups)
    y = _checks.output(out, shape, g.dtype, g, w)
    g_bchw, y_bchw = (a if a.ndim == 4 else a[None] for a in (seen(g, axes), y))
    if not g_bchw.size:
        y[...] = 0
        return y
    weight_gockk = w.reshape(groups, w.shape[0] // groups, *w.shape[1:])
    problem = Problem(1, groups, weight_gockk.shape[1], w.shape[1], *axes, w.itemsize)
    layer = Layer(weight_gockk, None, "constant", 0.0)
    decision = decide(ask(problem, "auto", once=True), layer, num_threads)
    decision.convolution.run(g_bchw, y_bchw, num_threads)
    return y


def conv_transpose2d_weight_grad(
    input: ArrayLike,
    grad_output: ArrayLike,
    kernel_size: int | Pair,
    stride: int | Pair = 1,
    padding: int | Pair = 0,
    groups: int = 1,
    dilation: int | Pair = 1,
    *,
    out: Array | None = None,
    num_threads: int | None = None,
) -> Array:
    """Gradient of `conv_transpose2d` by its weight.

    Parameters
    ----------
    input : array_like, (B, C, H, W) or (C, H, W)
        float32 or float64, any strides.
    grad_output : array_like, (B, O, H', W') or (O, H', W')
        The gradient by the output, of `input`'s dtype. Its size tells the `output_padding`.
    kernel_size : int or (vertical, horizontal)
    stride, padding, groups, dilation
        As in `conv_transpose2d`.
    out, num_threads
        As in `conv2d`.

    Returns
    -------
    ndarray, (C, O / groups, kh, kw)
        Of `input`'s dtype; the same bits on any number of threads, within the bound of `conv2d_weight_grad`.

    Raises
    ------
    TypeError
        An array is None, not numeric, or of another dtype than `input`.
    ValueError
        Shapes that are not those of one transposed convolution.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> ck.conv_transpose2d_weight_grad(np.ones((1, 2, 2)), np.ones((1, 4, 4)), 2, stride=2)[0, 0]
    array([[4., 4.],
           [4., 4.]])
    """
    x, g = _checks.float_arrays(input=input, grad_output=grad_output)
    kernel = _checks.pair(kernel_size, "kernel_size", 1)
    shape = _checks.weight_shape(g.shape, x.shape, groups, kernel)
    groups, axes = check_transposed(x.shape, shape, g.shape, stride, padding, dilation, groups)
    y = _checks.output(out, shape, x.dtype, x, g)
    x_bchw, g_bchw = (a if a.ndim == 4 else a[None] for a in (x, seen(g, axes)))
    if not g_bchw.size:
        y[...] = 0
        return y
    write_weight_grad(g_bchw, x_bchw, y, axes, groups, "constant", 0.0, num_threads)
    return y


def seen(g: Array, axes: tuple[Axis, Axis]) -> Array:
    """The rows and columns that taps lead to; none where all miss the output."""
    vertical, horizontal = axes
    return g[..., : max(vertical.size, 0), : max(horizontal.size, 0)]


def check_transposed(
    input_shape: tuple[int, ...],
    weight_shape: tuple[int, ...],
    output_shape: tuple[int, ...],
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: Any,
) -> tuple[int, tuple[Axis, Axis]]:
    """`groups`, and the axes of the convolution from the output to the input of these shapes."""
    groups = _checks.integer(groups, "groups", 1)
    stride = _checks.pair(stride, "stride", 1)
    padding = _checks.pair(padding, "padding", 0)
    dilation = _checks.pair(dilation, "dilation", 1)
    if len(weight_shape) != 4:
        raise ValueError(f"weight has shape {weight_shape}; expected (C, O / groups, kh, kw)")
    if len(input_shape) not in (3, 4) or weight_shape[0] != input_shape[-3]:
        raise ValueError(f"the input's shape is {input_shape}; the weight expects {weight_shape[0]} channels")
    check_groups(input_shape[-3], groups)
    least = [
        (n - 1) * s - 2 * p + d * (k - 1) + 1
        for n, k, s, p, d in zip(input_shape[-2:], weight_shape[2:], stride, padding, dilation, strict=True)
    ]
    most = [n + max(s, d) - 1 for n, s, d in zip(least, stride, dilation, strict=True)]
    channels = (*input_shape[:-3], weight_shape[1] * groups)
    size = output_shape[-2:]
    if output_shape[:-2] != channels or any(
        not low <= n <= high for n, low, high in zip(size, least, most, strict=True)
    ):
        raise ValueError(
            f"grad_output has shape {output_shape}; the transposed convolution of an input of shape "
            f"{input_shape} gives {(*channels, *least)} to {(*channels, *most)}"
        )
    axes = []
    for i, name in enumerate(("vertical", "horizontal")):
        kernel, before = weight_shape[2 + i], padding[i]
        after = (input_shape[i - 2] - 1) * stride[i] + dilation[i] * (kernel - 1) + 1 - size[i] - before
        seen = size[i] + min(after, 0)  # an output_padding may lie beyond all taps
        axes.append(Axis(name, seen, kernel, stride[i], dilation[i], before, max(after, 0)))
    return groups, (axes[0], axes[1])

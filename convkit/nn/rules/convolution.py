"""Convolutions and their gradients, by the kernels of `ops`."""

from __future__ import annotations

from typing import Any

from convkit import _checks
from convkit._checks import Array, Pair
from convkit.nn.rules.result import Needs, Result
from convkit.ops import conv, conv_grad, conv_transpose, conv_transpose_grad
from convkit.ops.problem import Layer
from convkit.ops.weight_grad import write_weight_grad


def conv2d(
    needs: Needs,
    x: Array,
    weight: Array,
    bias: Array | None,
    stride: Pair,
    padding: Any,
    dilation: Pair,
    groups: int,
    padding_mode: Any,
) -> Result:
    """`convkit.conv2d`; where a gradient is needed, the algorithms are chosen for the whole batch."""
    if not any(needs):
        output = conv.conv2d(x, weight, bias, stride, padding, dilation, groups, padding_mode=padding_mode)
        return Result(output, _no_gradient)
    x, weight, *rest = _checks.float_arrays(
        input=x, weight=weight, **({} if bias is None else {"bias": bias})
    )
    bias = rest[0] if rest else None
    biases = None if bias is None else bias.shape
    sizes = conv.sizes_of(x.shape, weight.shape, biases, stride, padding, dilation, groups)
    border, cval = conv.check_border(padding_mode, 0.0, x.dtype)
    groups, axes = sizes.groups, sizes.axes
    layer = Layer(conv.in_groups(weight, groups), bias, border, cval)
    output = _checks.empty(sizes.output, x.dtype)
    x_bchw = _batch(x)
    images = x_bchw.shape[0]
    conv.write_conv(x_bchw, layer, _batch(output), axes, "auto", None, images=images)

    def backward(g: Array) -> tuple[Array | None, ...]:
        g_bchw = _batch(g)
        by_x = by_weight = by_bias = None
        if needs[0]:
            by_x = _checks.empty(x.shape, x.dtype)
            conv_grad.write_input_grad(g_bchw, layer.weight_gockk, _batch(by_x), axes, border, None, images)
        if needs[1]:
            by_weight = _checks.empty(weight.shape, x.dtype)
            write_weight_grad(x_bchw, g_bchw, by_weight, axes, groups, border, cval, None)
        if needs[2]:
            by_bias = _checks.empty(g.shape[-3:-2], g.dtype)
            conv_grad.write_bias_grad(g, by_bias, None)
        return by_x, by_weight, by_bias

    saved = (*([weight] if needs[0] else []), *([x] if needs[1] else []))
    return Result(output, backward, saved)


def _batch(array: Array) -> Array:
    """CHW as BCHW."""
    return array if array.ndim == 4 else array[None]


def _no_gradient(g: Array) -> tuple[None]:
    return (None,)


def conv_transpose2d(
    needs: Needs,
    x: Array,
    weight: Array,
    bias: Array | None,
    stride: Pair,
    padding: Pair,
    output_padding: Pair,
    groups: int,
    dilation: Pair,
) -> Result:
    """`convkit.conv_transpose2d`."""
    shape, kernel = x.shape, (weight.shape[2], weight.shape[3])

    def backward(g: Array) -> tuple[Array | None, ...]:
        how = (stride, padding, groups, dilation)
        return (
            conv_transpose_grad.conv_transpose2d_input_grad(g, weight, shape, *how) if needs[0] else None,
            conv_transpose_grad.conv_transpose2d_weight_grad(x, g, kernel, *how) if needs[1] else None,
            conv_grad.conv2d_bias_grad(g) if needs[2] else None,
        )

    saved = (*([weight] if needs[0] else []), *([x] if needs[1] else []))
    output = conv_transpose.conv_transpose2d(
        x, weight, bias, stride, padding, output_padding, groups, dilation
    )
    return Result(output, backward, saved)

"""Convolutions and their gradients, by the kernels of `ops`."""

from __future__ import annotations

from typing import Any

from convkit._checks import Array, Pair
from convkit.nn.rules.result import Needs, Result
from convkit.ops import conv, conv_grad, conv_transpose, conv_transpose_grad


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
    """`convkit.conv2d`."""
    shape, kernel = x.shape, (weight.shape[2], weight.shape[3])

    def backward(g: Array) -> tuple[Array | None, ...]:
        how = (stride, padding, dilation, groups)
        return (
            conv_grad.conv2d_input_grad(g, weight, shape, *how, padding_mode=padding_mode)
            if needs[0]
            else None,
            conv_grad.conv2d_weight_grad(x, g, kernel, *how, padding_mode=padding_mode) if needs[1] else None,
            conv_grad.conv2d_bias_grad(g) if needs[2] else None,
        )

    saved = (*([weight] if needs[0] else []), *([x] if needs[1] else []))
    output = conv.conv2d(x, weight, bias, stride, padding, dilation, groups, padding_mode=padding_mode)
    return Result(output, backward, saved)


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

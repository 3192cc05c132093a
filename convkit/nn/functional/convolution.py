"""Convolutions."""

from __future__ import annotations

from typing import Any

from convkit._checks import integer, pair
from convkit.nn.either import tensors_or_arrays
from convkit.nn.rules import convolution as rules
from convkit.nn.rules import pooling
from convkit.nn.tensor import Tensor, apply
from convkit.ops.conv_transpose import padding_for

MODES = ("zeros", "reflect", "replicate", "circular")


@tensors_or_arrays
def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    *,
    padding_mode: str = "zeros",
) -> Tensor:
    """`convkit.conv2d` with gradients by input, weight and bias.

    Parameters
    ----------
    input : Tensor or ndarray, (B, C, H, W) or (C, H, W)
    weight : Tensor or ndarray, (O, C / groups, kh, kw)
    bias : (O,), optional
    stride, padding, dilation, groups
        As in `convkit.conv2d`.
    padding_mode : {"zeros", "reflect", "replicate", "circular"}
    """
    return apply(
        rules.conv2d,
        input,
        weight,
        bias,
        stride=pair(stride, "stride", 1),
        padding=padding,
        dilation=pair(dilation, "dilation", 1),
        groups=groups,
        padding_mode=padding_mode,
    )


@tensors_or_arrays
def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int = 1,
    padding: Any = 0,
    dilation: int = 1,
    groups: int = 1,
    *,
    padding_mode: str = "zeros",
) -> Tensor:
    """Correlation along the last axis, of (B, C, L) or (C, L) with (O, C / groups, k)."""
    check_lines(input.shape, weight.shape[1] * groups if weight.ndim == 3 else None)
    sides = padding if isinstance(padding, str) else (0, integer(padding, "padding", 0))
    output = conv2d(
        input.unsqueeze(-2),
        weight.unsqueeze(-2),
        bias,
        (1, stride),
        sides,
        (1, dilation),
        groups,
        padding_mode=padding_mode,
    )
    return output.squeeze(-2)  # type: ignore[no-any-return]


def check_lines(shape: tuple[int, ...], channels: int | None) -> None:
    """Refuse a shape that is no (B, C, L) or (C, L) of `channels` channels."""
    if len(shape) not in (2, 3):
        raise ValueError(f"input has shape {shape}; expected (B, C, L) or (C, L)")
    if channels is not None and shape[-2] != channels:
        raise ValueError(f"input has shape {shape}, {shape[-2]} channels; the weight expects {channels}")


@tensors_or_arrays
def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
    *,
    output_size: Any = None,
) -> Tensor:
    """`convkit.conv_transpose2d` with gradients by input, weight and bias.

    Parameters
    ----------
    input : Tensor or ndarray, (B, C, H, W) or (C, H, W)
    weight : Tensor or ndarray, (C, O / groups, kh, kw)
    bias : (O,), optional
    stride, padding, output_padding, groups, dilation, output_size
        As in `convkit.conv_transpose2d`.
    """
    stride, padding = pair(stride, "stride", 1), pair(padding, "padding", 0)
    dilation = pair(dilation, "dilation", 1)
    if output_size is not None:
        kernel = (weight.shape[2], weight.shape[3])
        size = (input.shape[-2], input.shape[-1])
        output_padding = padding_for(output_size, size, kernel, stride, padding, output_padding, dilation)
    return apply(
        rules.conv_transpose2d,
        input,
        weight,
        bias,
        stride=stride,
        padding=padding,
        output_padding=pair(output_padding, "output_padding", 0),
        groups=groups,
        dilation=dilation,
    )


@tensors_or_arrays
def unfold(input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """`convkit.unfold`: the pixels under each position of a kernel, a column for each."""
    return apply(pooling.unfold, input, sizes=(kernel_size, dilation, padding, stride))


@tensors_or_arrays
def fold(
    input: Tensor, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Tensor:
    """`convkit.fold`: columns added back to the pixels that they came from."""
    sizes = (kernel_size, dilation, padding, stride)
    return apply(pooling.fold, input, output_size=output_size, sizes=sizes)

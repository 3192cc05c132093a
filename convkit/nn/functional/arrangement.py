"""Shapes: linear maps of features, padding, resampling, and joining."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from convkit._checks import Pair, choice, float_arrays, integer, is_sequence, maps, pair
from convkit.nn.either import tensors_or_arrays
from convkit.nn.rules import arithmetic, arrangement
from convkit.nn.tensor import Tensor, apply
from convkit.nn.trace import Shape

PADDING = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


@tensors_or_arrays
def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``input @ weight.T + bias``, of the last axis: (..., in) with (out, in) to (..., out)."""
    shape = linear_shape(input.shape, weight.shape)
    biases = {} if bias is None else {"bias": bias.data}
    if any(t is not None and t.dtype != input.dtype for t in (weight, bias)):
        float_arrays(input=input.data, weight=weight.data, **biases)  # refuses them
    if bias is not None and bias.shape != weight.shape[:1]:
        check_bias(bias.shape, shape)
        return input @ weight.T + bias
    return apply(arithmetic.linear, input, weight, bias)


def check_bias(bias: Shape, output: Shape) -> None:
    """Refuse a bias that is neither one number for each output nor repeated to them."""
    fits = zip(bias[::-1], output[::-1], strict=False)
    if len(bias) > len(output) or any(n not in (1, m) for n, m in fits):
        raise ValueError(f"bias has shape {bias}; expected one for each of the outputs, {output[-1:]}")


def linear_shape(given: Shape, weight: Shape) -> Shape:
    """The shape that `linear` gives."""
    if len(weight) != 2:
        raise ValueError(f"weight has shape {weight}; expected (out, in)")
    if not given or given[-1] != weight[1]:
        raise ValueError(
            f"input has shape {given}; the weight, {weight}, expects {weight[1]} features in the last axis"
        )
    return (*given[:-1], weight[0])


@tensors_or_arrays
def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float = 0.0) -> Tensor:
    """With more elements around the last axes.

    Parameters
    ----------
    input : Tensor or ndarray
    pad : (left, right), (left, right, top, bottom), ...
        PyTorch's order: the last axis first.
    mode : {"constant", "reflect", "replicate", "circular"}
        What they hold: `value`, the mirrored, the outermost or the repeated elements.
    value : float
    """
    choice(mode, "mode", tuple(PADDING))
    widths = pad_widths(input.shape, pad)
    return apply(arrangement.pad, input, widths=widths, mode=PADDING[mode], value=value)


def pad_widths(given: Shape, pad: Sequence[int]) -> list[tuple[int, int]]:
    """How many elements `pad` adds before and after each axis."""
    if len(pad) % 2 or len(pad) > 2 * len(given):
        raise ValueError(f"pad is {tuple(pad)} for shape {given}; expected (left, right, top, bottom, ...)")
    sides = [(integer(pad[i], "pad", 0), integer(pad[i + 1], "pad", 0)) for i in range(0, len(pad), 2)][::-1]
    return [(0, 0)] * (len(given) - len(sides)) + sides


@tensors_or_arrays
def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """The axes from `start_dim` to `end_dim` made one."""
    return input.flatten(start_dim, end_dim)


def concatenate(tensors: Sequence[Any], dim: int = 0) -> Any:
    """One after the other along `dim`; arrays where none is a tensor."""
    if not any(isinstance(tensor, Tensor) for tensor in tensors):
        return np.concatenate(tensors, dim)
    return apply(arrangement.concatenate, *tensors, axis=dim)


cat = concatenate


def stack(tensors: Sequence[Any], dim: int = 0) -> Any:
    """Side by side along a new axis `dim`; arrays where none is a tensor."""
    if not any(isinstance(tensor, Tensor) for tensor in tensors):
        return np.stack(tensors, dim)
    return concatenate([(t if isinstance(t, Tensor) else Tensor(t)).unsqueeze(dim) for t in tensors], dim)


@tensors_or_arrays
def where(condition: Any, input: Any, other: Any) -> Tensor:
    """`input` where the condition holds, else `other`."""
    return apply(arithmetic.where, condition, input, other)


@tensors_or_arrays
def maximum(input: Tensor, other: Any) -> Tensor:
    """The greater of both; equal ones share the gradient."""
    return apply(arithmetic.maximum, input, other)


@tensors_or_arrays
def minimum(input: Tensor, other: Any) -> Tensor:
    """The lesser of both; equal ones share the gradient."""
    return apply(arithmetic.minimum, input, other)


@tensors_or_arrays
def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """(..., C·r², H, W) to (..., C, H·r, W·r): channels become pixels (Shi et al., 2016)."""
    r = integer(upscale_factor, "upscale_factor", 1)
    shape = shuffled(input.shape, r)
    *lead, channels, height, width = input.shape
    n = len(lead)
    parts = input.reshape(*lead, channels // (r * r), r, r, height, width)
    order = (*range(n), n, n + 3, n + 1, n + 4, n + 2)
    return parts.permute(*order).reshape(*shape)


def shuffled(given: Shape, r: int) -> Shape:
    """The shape that `pixel_shuffle` gives."""
    maps(given, "input")
    *lead, channels, height, width = given
    if channels % (r * r):
        raise ValueError(f"input has {channels} channels; expected a multiple of {r}² = {r * r}")
    return (*lead, channels // (r * r), height * r, width * r)


@tensors_or_arrays
def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """(..., C, H·r, W·r) to (..., C·r², H, W): the inverse of `pixel_shuffle`."""
    r = integer(downscale_factor, "downscale_factor", 1)
    shape = unshuffled(input.shape, r)
    *lead, channels, height, width = input.shape
    n = len(lead)
    parts = input.reshape(*lead, channels, height // r, r, width // r, r)
    order = (*range(n), n, n + 2, n + 4, n + 1, n + 3)
    return parts.permute(*order).reshape(*shape)


def unshuffled(given: Shape, r: int) -> Shape:
    """The shape that `pixel_unshuffle` gives."""
    maps(given, "input")
    *lead, channels, height, width = given
    if height % r or width % r:
        raise ValueError(f"input has {height}×{width} pixels; expected multiples of {r}")
    return (*lead, channels * r * r, height // r, width // r)


@tensors_or_arrays
def interpolate(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """Maps of another size, as PyTorch's `interpolate`.

    Parameters
    ----------
    input : Tensor or ndarray, (B, C, H, W)
    size : int or (height, width), optional
    scale_factor : float or (vertical, horizontal), optional
        Instead of `size`, which is then rounded down.
    mode : {"nearest", "bilinear"}
    align_corners : bool, optional
        Of "bilinear": the corners' centres stay where they are.
    """
    choice(mode, "mode", ("nearest", "bilinear"))
    if mode == "nearest" and align_corners is not None:
        raise ValueError("align_corners is for mode='bilinear'; leave it out")
    output, scales = resized(input.shape, size, scale_factor)
    height, width = input.shape[2:]
    if mode == "nearest" and output[0] % height == 0 and output[1] % width == 0:
        return _repeated(input, output[0] // height, output[1] // width)
    rows = _weights(height, output[0], scales[0], mode, bool(align_corners), input.dtype)
    columns = _weights(width, output[1], scales[1], mode, bool(align_corners), input.dtype)
    return apply(arithmetic.matmul, rows, input) @ columns.T


def resized(given: Shape, size: Any, scale_factor: Any) -> tuple[Pair, Any]:
    """The size that `interpolate` gives, and its scales, None where `size` says it."""
    if len(given) != 4:
        raise ValueError(f"input has shape {given}; expected BCHW")
    if (size is None) == (scale_factor is None):
        raise ValueError(f"size is {size} and scale_factor is {scale_factor}; expected one of them")
    if size is not None:
        return pair(size, "size", 1), (None, None)
    scales = tuple(scale_factor) if is_sequence(scale_factor) else (scale_factor, scale_factor)
    output = int(given[2] * scales[0]), int(given[3] * scales[1])
    if min(output) < 1:
        raise ValueError(f"the output would be {output}; expected at least 1 pixel in each direction")
    return output, scales


def _repeated(input: Tensor, down: int, across: int) -> Tensor:
    batch, channels, height, width = input.shape
    wide = input.reshape(batch, channels, height, 1, width, 1).expand(
        batch, channels, height, down, width, across
    )
    return wide.reshape(batch, channels, height * down, width * across)


def _weights(size: int, output: int, scale: float | None, mode: str, corners: bool, dtype: Any) -> np.ndarray:
    """The matrix (output, size) of an interpolation along one axis."""
    place = np.arange(output)
    step = size / output if scale is None else 1 / scale
    weights = np.zeros((output, size), dtype)
    if mode == "nearest":
        weights[place, np.minimum((place * step).astype(int), size - 1)] = 1
        return weights
    if corners:
        source = place * ((size - 1) / (output - 1) if output > 1 else 0.0)
    else:
        source = np.maximum((place + 0.5) * step - 0.5, 0)
    first = np.minimum(source.astype(int), size - 1)
    rest = source - first
    np.add.at(weights, (place, first), 1 - rest)
    np.add.at(weights, (place, np.minimum(first + 1, size - 1)), rest)
    return weights

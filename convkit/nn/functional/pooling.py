"""Pooling."""

from __future__ import annotations

from typing import Any

from convkit._checks import flag
from convkit.nn.either import tensors_or_arrays
from convkit.nn.rules import pooling as rules
from convkit.nn.tensor import Tensor, apply
from convkit.ops import pool


@tensors_or_arrays
def _max_pool2d(input: Tensor, *sizes: Any, ceil_mode: bool) -> Tensor:
    return apply(rules.max_pool2d, input, sizes=sizes, ceil_mode=ceil_mode)


def max_pool2d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """`convkit.max_pool2d`: the greatest of each window, and its place where that is asked for."""
    sizes = (kernel_size, stride, padding, dilation)
    if not flag(return_indices, "return_indices"):
        return _max_pool2d(input, *sizes, ceil_mode=ceil_mode)
    x = input.data if isinstance(input, Tensor) else input
    found = pool.max_pool2d(x, *sizes, ceil_mode=ceil_mode, return_indices=True)
    if not isinstance(input, Tensor):
        return found
    return apply(rules.largest, input, found=found), Tensor(found[1])


@tensors_or_arrays
def avg_pool2d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """`convkit.avg_pool2d`: the mean of each window."""
    settings = {
        "ceil_mode": ceil_mode,
        "count_include_pad": count_include_pad,
        "divisor_override": divisor_override,
    }
    return apply(rules.avg_pool2d, input, sizes=(kernel_size, stride, padding), settings=settings)


@tensors_or_arrays
def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Tensor:
    """`convkit.adaptive_avg_pool2d`: means of windows that give a map of `output_size`."""
    return apply(rules.adaptive_avg_pool2d, input, output_size=output_size)


@tensors_or_arrays
def adaptive_max_pool2d(input: Tensor, output_size: Any) -> Tensor:
    """`convkit.adaptive_max_pool2d`: the greatest of windows that give a map of `output_size`."""
    return apply(rules.adaptive_max_pool2d, input, output_size=output_size)

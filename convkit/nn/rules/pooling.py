"""Pooling and its gradients, by the kernels of `ops`."""

from __future__ import annotations

from typing import Any

from convkit._checks import Array
from convkit.nn.rules.result import Needs, Result
from convkit.ops import fold as columns
from convkit.ops import pool


def max_pool2d(needs: Needs, x: Array, sizes: tuple[Any, ...], ceil_mode: bool) -> Result:
    """`convkit.max_pool2d`; what is kept is the place of each maximum."""
    return largest(needs, x, pool.max_pool2d(x, *sizes, ceil_mode=ceil_mode, return_indices=True))


def adaptive_max_pool2d(needs: Needs, x: Array, output_size: Any) -> Result:
    """`convkit.adaptive_max_pool2d`."""
    return largest(needs, x, pool.adaptive_max_pool2d(x, output_size, return_indices=True))


def largest(needs: Needs, x: Array, found: tuple[Array, Array]) -> Result:
    """The largest pixels of windows, that were `found` with their places."""
    (output, places), shape = found, x.shape
    return Result(output, lambda g: (pool.max_pool2d_grad(g, places, shape),))


def avg_pool2d(needs: Needs, x: Array, sizes: tuple[Any, ...], settings: dict[str, Any]) -> Result:
    """`convkit.avg_pool2d`."""
    shape = x.shape
    output = pool.avg_pool2d(x, *sizes, **settings)
    return Result(output, lambda g: (pool.avg_pool2d_grad(g, shape, *sizes, **settings),))


def adaptive_avg_pool2d(needs: Needs, x: Array, output_size: Any) -> Result:
    """`convkit.adaptive_avg_pool2d`."""
    shape = x.shape
    return Result(
        pool.adaptive_avg_pool2d(x, output_size), lambda g: (pool.adaptive_avg_pool2d_grad(g, shape),)
    )


def unfold(needs: Needs, x: Array, sizes: tuple[Any, ...]) -> Result:
    """`convkit.unfold`."""
    size = (x.shape[-2], x.shape[-1])
    return Result(columns.unfold(x, *sizes), lambda g: (columns.fold(g, size, *sizes),))


def fold(needs: Needs, x: Array, output_size: Any, sizes: tuple[Any, ...]) -> Result:
    """`convkit.fold`."""
    return Result(columns.fold(x, output_size, *sizes), lambda g: (columns.unfold(g, *sizes),))

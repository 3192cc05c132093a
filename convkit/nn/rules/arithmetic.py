"""Arithmetic of elements, with broadcasting, and products of matrices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from convkit._checks import Array
from convkit.nn.rules.result import Needs, Result, unbroadcast
from convkit.ops.matmul import product


def _both(
    needs: Needs, x: Any, y: Any, by_x: Callable[[Array], Array], by_y: Callable[[Array], Array]
) -> Callable[[Array], tuple[Array | None, Array | None]]:
    """The backward step of an operation on two arrays that are broadcast."""
    return lambda g: (
        unbroadcast(by_x(g), x) if needs[0] else None,
        unbroadcast(by_y(g), y) if needs[1] else None,
    )


def _arrays(*values: Any) -> tuple[Array, ...]:
    return tuple(value for value in values if isinstance(value, np.ndarray))


# ---- two arrays -------------------------------------------------------------------------------------


def add(needs: Needs, x: Any, y: Any) -> Result:
    """x + y."""
    return Result(np.add(x, y), _both(needs, x, y, lambda g: g, lambda g: g))


def subtract(needs: Needs, x: Any, y: Any) -> Result:
    """x - y."""
    return Result(np.subtract(x, y), _both(needs, x, y, lambda g: g, np.negative))


def multiply(needs: Needs, x: Any, y: Any) -> Result:
    """x · y."""
    saved = _arrays(*([y] if needs[0] else []), *([x] if needs[1] else []))
    return Result(np.multiply(x, y), _both(needs, x, y, lambda g: g * y, lambda g: g * x), saved)


def divide(needs: Needs, x: Any, y: Any) -> Result:
    """x / y."""
    by_y = lambda g: -g * x / (y * y)  # noqa: E731
    return Result(np.divide(x, y), _both(needs, x, y, lambda g: g / y, by_y), _arrays(x, y))


def power(needs: Needs, x: Any, y: Any) -> Result:
    """x to the power of y; ∂/∂y is 0 where x is 0 and y at least 0, as the limit is."""
    output = np.power(x, y)

    def by_x(g: Array) -> Array:  # 0, not 0 · 0⁻¹, where y is 0
        less = np.where(y == 0, 0, y - 1) if isinstance(y, np.ndarray) else y - 1 if y else 0
        return np.asarray(g * (y * np.power(x, less)))

    def by_y(g: Array) -> Array:
        flat = (np.equal(x, 0) & np.greater_equal(y, 0)) if isinstance(x, np.ndarray) else np.equal(x, 0)
        return np.asarray(g * np.where(flat, 0, output * np.log(np.where(flat, 1, x)))).astype(g.dtype)

    return Result(output, _both(needs, x, y, by_x, by_y), _arrays(x, y))


def maximum(needs: Needs, x: Any, y: Any) -> Result:
    """The greater of both; the gradient is shared in halves where they are equal."""
    output = np.maximum(x, y)
    return Result(output, _both(needs, x, y, _share(output, x, y), _share(output, y, x)), _arrays(x, y))


def minimum(needs: Needs, x: Any, y: Any) -> Result:
    """The lesser of both; the gradient is shared in halves where they are equal."""
    output = np.minimum(x, y)
    return Result(output, _both(needs, x, y, _share(output, x, y), _share(output, y, x)), _arrays(x, y))


def _share(output: Array, mine: Any, other: Any) -> Callable[[Array], Array]:
    def share(g: Array) -> Array:
        taken = (output == mine).astype(g.dtype)
        taken[np.equal(mine, other) & (taken > 0)] = 0.5
        return np.asarray(g * taken)

    return share


def where(needs: Needs, condition: Any, x: Any, y: Any) -> Result:
    """x where the condition holds, else y."""
    _, *rest = needs

    def backward(g: Array) -> tuple[Array | None, ...]:
        zero = g.dtype.type(0)
        by_x = unbroadcast(np.where(condition, g, zero), x) if rest[0] else None
        return None, by_x, unbroadcast(np.where(condition, zero, g), y) if rest[1] else None

    return Result(np.where(condition, x, y), backward, _arrays(condition))


def matmul(needs: Needs, x: Array, y: Array) -> Result:
    """The product of matrices, of stacks of them and of vectors, as `numpy.matmul`."""
    x2 = x[None] if x.ndim == 1 else x
    y2 = y[:, None] if y.ndim == 1 else y

    def backward(g: Array) -> tuple[Array | None, Array | None]:
        if y.ndim == 1:
            g = g[..., None]
        if x.ndim == 1:
            g = g[..., None, :]
        by_x = unbroadcast(product(g, y2.swapaxes(-1, -2)), x2).reshape(x.shape) if needs[0] else None
        if not needs[1]:
            return by_x, None
        if y2.ndim == 2:  # one product of two matrices, not a stack that is then summed
            by_y = product(x2.reshape(-1, x2.shape[-1]).T, g.reshape(-1, g.shape[-1]))
        else:
            by_y = unbroadcast(product(x2.swapaxes(-1, -2), g), y2)
        return by_x, by_y.reshape(y.shape)

    saved = (*([y] if needs[0] else []), *([x] if needs[1] else []))
    return Result(product(x, y), backward, saved)


def linear(needs: Needs, x: Array, weight: Array, bias: Array | None) -> Result:
    """x · weightᵀ + bias, of the last axis; `bias` is one number for each row of `weight`."""
    rows = x.reshape(-1, x.shape[-1])
    output = product(rows, weight.T)
    if bias is not None:
        output = output + bias

    def backward(g: Array) -> tuple[Array | None, ...]:
        g = g.reshape(-1, g.shape[-1])
        by_x = unbroadcast(product(g, weight).reshape(x.shape), x) if needs[0] else None
        by_weight = unbroadcast(product(g.T, rows), weight) if needs[1] else None
        return by_x, by_weight, unbroadcast(g, bias) if needs[2] else None

    saved = (*([weight] if needs[0] else []), *([x] if needs[1] else []))
    return Result(output.reshape(*x.shape[:-1], weight.shape[0]), backward, saved)


# ---- one array --------------------------------------------------------------------------------------


def negative(needs: Needs, x: Array) -> Result:
    """-x."""
    return Result(np.negative(x), lambda g: (-g,))


def exp(needs: Needs, x: Array) -> Result:
    """The exponential."""
    output = np.exp(x)
    return Result(output, lambda g: (g * output,))


def log(needs: Needs, x: Array) -> Result:
    """The natural logarithm."""
    return Result(np.log(x), lambda g: (g / x,), (x,))


def sqrt(needs: Needs, x: Array) -> Result:
    """The square root."""
    output = np.sqrt(x)
    return Result(output, lambda g: (g / (2 * output),))


def absolute(needs: Needs, x: Array) -> Result:
    """|x|, with gradient 0 at 0."""
    return Result(np.abs(x), lambda g: (g * np.sign(x),), (x,))


def tanh(needs: Needs, x: Array) -> Result:
    """The hyperbolic tangent."""
    output = np.tanh(x)
    return Result(output, lambda g: (g * (1 - output * output),))


def clip(needs: Needs, x: Array, low: float | None, high: float | None) -> Result:
    """x, at least `low` and at most `high`; the gradient passes where x lies between them or on them."""

    def backward(g: Array) -> tuple[Array]:
        inside = np.ones(x.shape, bool)
        if low is not None:
            inside &= x >= low
        if high is not None:
            inside &= x <= high
        return (np.where(inside, g, g.dtype.type(0)),)

    return Result(np.clip(x, low, high), backward, (x,))


def astype(needs: Needs, x: Array, dtype: np.dtype[Any]) -> Result:
    """x in another dtype."""
    return Result(x.astype(dtype), lambda g: (g.astype(x.dtype),))

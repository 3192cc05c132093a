"""Sums, means, variances, extremes and softmax along axes."""

from __future__ import annotations

import math

import numpy as np

from convkit._checks import Array
from convkit.nn.rules.result import Needs, Result

Axes = tuple[int, ...]


def _spread(gradient: Array, x: Array, axes: Axes, keepdims: bool) -> Array:
    """The gradient of a reduction with the axes that it lost, of size 1."""
    return gradient if keepdims else np.expand_dims(gradient, axes)


def _sum(x: Array, axes: Axes, keepdims: bool) -> Array:
    return np.asarray(x.sum(axis=axes, keepdims=keepdims))


def total(needs: Needs, x: Array, axes: Axes, keepdims: bool) -> Result:
    """The sum along `axes`."""
    shape, dtype = x.shape, x.dtype

    def backward(g: Array) -> tuple[Array]:
        return (np.broadcast_to(_spread(g, x, axes, keepdims), shape).astype(dtype),)

    return Result(_sum(x, axes, keepdims), backward)


def mean(needs: Needs, x: Array, axes: Axes, keepdims: bool) -> Result:
    """The mean along `axes`."""
    count = math.prod(x.shape[axis] for axis in axes)

    def backward(g: Array) -> tuple[Array]:
        return (np.broadcast_to(_spread(g, x, axes, keepdims) / count, x.shape).astype(x.dtype),)

    return Result(np.asarray(x.mean(axis=axes, keepdims=keepdims)), backward)


def variance(needs: Needs, x: Array, axes: Axes, correction: int, keepdims: bool) -> Result:
    """The mean square of the distance from the mean, over n - `correction` instead of n."""
    count = max(math.prod(x.shape[axis] for axis in axes) - correction, 0)

    def backward(g: Array) -> tuple[Array]:
        apart = x - x.mean(axis=axes, keepdims=True)
        with np.errstate(invalid="ignore"):  # NaN, as the variance of one number is
            return (_spread(g, x, axes, keepdims) * apart * (2 / count if count else math.inf),)

    return Result(np.asarray(x.var(axis=axes, ddof=correction, keepdims=keepdims)), backward, (x,))


def extreme(needs: Needs, x: Array, axes: Axes, keepdims: bool, greatest: bool) -> Result:
    """The greatest, or the least, along `axes`; the gradient is shared evenly where there are several."""
    kept = np.asarray((np.max if greatest else np.min)(x, axis=axes, keepdims=True))

    def backward(g: Array) -> tuple[Array]:
        taken = (x == kept).astype(x.dtype)
        taken /= taken.sum(axis=axes, keepdims=True)
        return (taken * _spread(g, x, axes, keepdims),)

    return Result(kept if keepdims else np.squeeze(kept, axes), backward, (x,))


def softmax(needs: Needs, x: Array, axis: int) -> Result:
    """exp(x) / Σ exp(x) along `axis`."""
    output = np.exp(x - x.max(axis=axis, keepdims=True))
    output /= output.sum(axis=axis, keepdims=True)

    def backward(g: Array) -> tuple[Array]:
        return (output * (g - (g * output).sum(axis=axis, keepdims=True)),)

    return Result(output, backward)


def log_softmax(needs: Needs, x: Array, axis: int) -> Result:
    """x - log Σ exp(x) along `axis`."""
    apart = x - x.max(axis=axis, keepdims=True)
    output = apart - np.log(np.exp(apart).sum(axis=axis, keepdims=True))

    def backward(g: Array) -> tuple[Array]:
        return (g - np.exp(output) * g.sum(axis=axis, keepdims=True),)

    return Result(output, backward)

"""Activations: functions of single elements."""

from __future__ import annotations

import math

import numpy as np

from convkit._checks import Array
from convkit.nn.rules.result import Needs, Result, unbroadcast
from convkit.ops.activation import activate, activation_grad
from convkit.ops.epilogue import Activation


def fused(needs: Needs, x: Array, name: Activation, negative_slope: float | None = None) -> Result:
    """One of the kernels' own, by its name in `convkit.activate`."""
    output = activate(x, name, negative_slope=negative_slope)
    if name in ("relu", "relu6"):  # their output tells as much, and the next layer keeps it anyway
        return Result(output, lambda g: (activation_grad(g, output, name),))
    return Result(output, lambda g: (activation_grad(g, x, name, negative_slope=negative_slope),), (x,))


def prelu(needs: Needs, x: Array, weight: Array) -> Result:
    """x where x > 0, else its channel's weight · x."""
    slope = weight if weight.size == 1 else weight.reshape(-1, *(1,) * (x.ndim - 2))

    def backward(g: Array) -> tuple[Array | None, Array | None]:
        by_x = np.where(x > 0, g, slope * g) if needs[0] else None
        by_slope = unbroadcast(np.where(x > 0, 0, x * g), slope).reshape(weight.shape) if needs[1] else None
        return by_x, by_slope

    return Result(np.where(x > 0, x, slope * x), backward, (x, weight))


def elu(needs: Needs, x: Array, alpha: float) -> Result:
    """x where x > 0, else alpha·(eˣ - 1)."""
    factor = x.dtype.type(alpha)
    output = np.where(x > 0, x, factor * np.expm1(np.minimum(x, 0)))
    return Result(output, lambda g: (g * np.where(x > 0, 1, output + factor).astype(g.dtype),), (x,))


def softplus(needs: Needs, x: Array, beta: float, threshold: float) -> Result:
    """log(1 + e^(beta·x)) / beta, and x itself where beta·x is above `threshold`."""
    scaled = x * beta
    output = np.where(scaled > threshold, x, np.logaddexp(0, scaled).astype(x.dtype) / beta)
    return Result(
        output, lambda g: (g * np.where(scaled > threshold, 1, logistic(scaled)).astype(g.dtype),), (x,)
    )


def gelu_tanh(needs: Needs, x: Array) -> Result:
    """x·(1 + tanh(√(2/π)·(x + 0.044715·x³))) / 2 (Hendrycks and Gimpel, 2016)."""
    scale, cubic = math.sqrt(2 / math.pi), 0.044715
    bent = np.tanh(scale * (x + cubic * x * x * x))

    def backward(g: Array) -> tuple[Array]:
        slope = scale * (1 + 3 * cubic * x * x)
        return (g * (0.5 * (1 + bent) + 0.5 * x * (1 - bent * bent) * slope),)

    return Result(0.5 * x * (1 + bent), backward, (x,))


def logistic(x: Array) -> Array:
    """1 / (1 + e⁻ˣ); what overflows on the way comes out as 0."""
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-x)))

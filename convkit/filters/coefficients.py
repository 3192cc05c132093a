"""The coefficients of the bank: what tells one linear filter from another."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from convkit._checks import Array

REACH = 39
"""Standard deviations from which on a Gaussian is 0 in float64."""


@dataclass(frozen=True, eq=False)
class Gradient:
    """A separable first derivative: `derivative` along an axis, `smoothing` across it."""

    derivative: Array
    smoothing: Array


def _fixed(*values: float) -> Array:
    array = np.array(values, np.float64)
    array.flags.writeable = False
    return array


PREWITT = Gradient(_fixed(-1, 0, 1), _fixed(1, 1, 1))
SCHARR = Gradient(_fixed(-1, 0, 1), _fixed(3, 10, 3))


@cache
def binomial(size: int, differences: int = 0) -> Array:
    """Row `size` - 1 of Pascal's triangle, with the last `differences` sums made differences.

    With d differences it is the d-th derivative of Sobel's family: the smoothing of `size` - d, then [-1, 1]
    d times.
    """
    kernel = np.ones(1)
    for step in range(size - 1):
        kernel = np.convolve(kernel, [1.0, 1.0] if step < size - 1 - differences else [-1.0, 1.0])
    return _fixed(*kernel)


def _smoothing(ksize: int) -> Array:
    """Binomial weights; for `ksize` 1 the pixel alone, amid the 3 taps that its derivative has."""
    return binomial(ksize) if ksize > 1 else _fixed(0, 1, 0)


@cache
def sobel(ksize: int) -> Gradient:
    """Sobel's first derivative at `ksize`, an odd number; 1 is the 3-tap difference without smoothing."""
    return Gradient(binomial(max(ksize, 3), 1), _smoothing(ksize))


def second_derivatives(ksize: int) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """The (vertical, horizontal) kernels of ∂²/∂x² and ∂²/∂y² whose sum is the Laplacian."""
    curve, smooth = binomial(max(ksize, 3), 2), _smoothing(ksize)
    return (smooth, curve), (curve, smooth)


def gaussian(sigma: float, radius: int) -> Array:
    """Samples of a Gaussian at -radius..radius, with a sum of 1."""
    x = np.arange(-radius, radius + 1, dtype=np.float64)
    near = np.abs(x) < REACH * sigma
    weights: Array = np.zeros(len(x))
    weights[near] = np.exp(-0.5 * (x[near] / sigma) ** 2)
    return weights / float(weights.sum())


def gaussian_derivative(sigma: float, radius: int, order: int) -> Array:
    """The `order`-th derivative of `gaussian`, as a correlation: qₙ(x/σ) e^(-x²/2σ²) / σⁿ.

    qₙ₊₁ = qₙ′ − qₙ·t, from q₀ = 1. A weight that no float64 holds is infinite.
    """
    q = np.polynomial.Polynomial([1.0])
    for _ in range(order):
        q = q.deriv() - q * np.polynomial.Polynomial([0.0, 1.0])
    weights = gaussian(sigma, radius)
    near = weights > 0  # where t is no infinity
    x = np.arange(-radius, radius + 1, dtype=np.float64)[near]
    weights[near] *= q(-x / sigma)
    with np.errstate(over="ignore"):
        for _ in range(order):  # σⁿ may be 0
            weights /= sigma
    return weights


def gaussian_256(sigma: float, radius: int) -> Array:
    """`gaussian` in integers with a sum of 256: each rounding error is carried towards the centre."""
    exact = gaussian(sigma, radius) * 256
    weights, error = np.zeros_like(exact), 0.0
    for i in range(radius):
        weights[i] = weights[-1 - i] = round(exact[i] + error)
        error += exact[i] - weights[i]
    weights[radius] = 256 - weights.sum()
    return weights

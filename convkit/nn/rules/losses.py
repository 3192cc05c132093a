"""Losses whose gradient is shorter than what the tape would record."""

from __future__ import annotations

import numpy as np

from convkit._checks import Array
from convkit.nn.rules.result import Needs, Result


def cross_entropy(
    needs: Needs,
    scores: Array,
    wanted: Array,
    weight: Array | None,
    counted: Array | None,
    divisor: float | None,
) -> Result:
    """-Σ_c weight_c · wanted_c · log softmax(scores)_c along axis 1.

    `counted` is 0 where an example does not count. A `divisor` makes it the sum over all, divided by it.
    """
    if counted is not None:  # whatever they hold
        scores = np.where(counted[:, None] != 0, scores, scores.dtype.type(0))
    apart = scores - scores.max(axis=1, keepdims=True)
    powers = np.exp(apart)
    sums = powers.sum(axis=1, keepdims=True)
    logs = apart - np.log(sums)
    if weight is not None:
        wanted = wanted * weight.reshape(1, -1, *(1,) * (scores.ndim - 2))
    if counted is not None:
        wanted = wanted * counted[:, None]
    each = np.zeros_like(logs)
    np.multiply(wanted, logs, out=each, where=wanted != 0)  # a class at -inf that is not wanted costs nothing
    losses = -each.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):  # the mean of none is NaN
        output = losses if divisor is None else np.asarray(losses.sum() / scores.dtype.type(divisor))

    def backward(g: Array) -> tuple[Array, None]:
        gradient = powers / sums
        gradient *= wanted.sum(axis=1, keepdims=True)
        gradient -= wanted
        if divisor is None:
            gradient *= g[:, None]
        else:
            gradient *= g / scores.dtype.type(divisor) if divisor else 0
        return gradient, None

    return Result(output, backward, (wanted,))


def binary_cross_entropy(needs: Needs, x: Array, wanted: Array) -> Result:
    """-wanted · log x - (1 - wanted) · log(1 - x), with logarithms of at least -100.

    The gradient divides by x · (1 - x), of at least 1e-12, so that it is finite at 0 and 1.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        yes, no = np.maximum(np.log(x), -100), np.maximum(np.log1p(-x), -100)

    def backward(g: Array) -> tuple[Array | None, Array | None]:
        by_x = g * (x - wanted) / np.maximum(x * (1 - x), 1e-12) if needs[0] else None
        return by_x, g * (no - yes) if needs[1] else None

    return Result(-(wanted * yes + (1 - wanted) * no), backward, (x, wanted))


def binary_cross_entropy_with_logits(
    needs: Needs, scores: Array, wanted: Array, positive: Array | None
) -> Result:
    """-positive · wanted · log σ(scores) - (1 - wanted) · log(1 - σ(scores)), without overflow."""
    log_weight = 1 if positive is None else 1 + (positive - 1) * wanted
    tail = np.log1p(np.exp(-np.abs(scores))) + np.maximum(-scores, 0)
    output = (1 - wanted) * scores + log_weight * tail

    def backward(g: Array) -> tuple[Array, Array | None]:
        with np.errstate(over="ignore"):
            sigmoid = 1 / (1 + np.exp(-scores))
        by_scores = g * ((1 - wanted) - log_weight * (1 - sigmoid))
        by_wanted = g * (-scores + (0 if positive is None else (positive - 1) * tail)) if needs[1] else None
        return by_scores, by_wanted

    return Result(output.astype(scores.dtype, copy=False), backward, (scores, wanted))

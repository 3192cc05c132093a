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
    apart = scores - scores.max(axis=1, keepdims=True)
    powers = np.exp(apart)
    sums = powers.sum(axis=1, keepdims=True)
    logs = apart - np.log(sums)
    if weight is not None:
        wanted = wanted * weight.reshape(1, -1, *(1,) * (scores.ndim - 2))
    if counted is not None:
        wanted = wanted * counted[:, None]
    losses = -(wanted * logs).sum(axis=1)
    output = losses if divisor is None else np.asarray(losses.sum() / scores.dtype.type(divisor))

    def backward(g: Array) -> tuple[Array, None]:
        gradient = powers / sums
        gradient *= wanted.sum(axis=1, keepdims=True)
        gradient -= wanted
        gradient *= g[:, None] if divisor is None else g / scores.dtype.type(divisor)
        return gradient, None

    return Result(output, backward, (wanted,))


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

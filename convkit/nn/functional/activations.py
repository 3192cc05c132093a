"""Activations."""

from __future__ import annotations

from convkit._checks import choice
from convkit.nn.either import tensors_or_arrays
from convkit.nn.rules import activation as rules
from convkit.nn.rules import arithmetic, reduction
from convkit.nn.tensor import Tensor, apply


@tensors_or_arrays
def relu(input: Tensor) -> Tensor:
    """max(0, x)."""
    return apply(rules.fused, input, name="relu")


@tensors_or_arrays
def relu6(input: Tensor) -> Tensor:
    """min(max(0, x), 6)."""
    return apply(rules.fused, input, name="relu6")


@tensors_or_arrays
def leaky_relu(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """x where x > 0, else negative_slope·x (Maas et al., 2013)."""
    return apply(rules.fused, input, name="leaky_relu", negative_slope=negative_slope)


@tensors_or_arrays
def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """x where x > 0, else weight·x, with one weight or one for each channel (He et al., 2015)."""
    check_slopes(weight.numel(), input.shape)
    return apply(rules.prelu, input, weight)


def check_slopes(number: int, shape: tuple[int, ...]) -> None:
    """Refuse slopes that are neither one nor one for each channel."""
    if number not in (1, shape[1] if len(shape) > 1 else 1):
        raise ValueError(f"weight has {number} numbers; expected 1, or one for each channel of {shape}")


@tensors_or_arrays
def elu(input: Tensor, alpha: float = 1.0) -> Tensor:
    """x where x > 0, else alpha·(eˣ - 1) (Clevert et al., 2016)."""
    return apply(rules.elu, input, alpha=alpha)


@tensors_or_arrays
def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x·(1 + erf(x/√2)) / 2, or its approximation by "tanh" (Hendrycks and Gimpel, 2016)."""
    choice(approximate, "approximate", ("none", "tanh"))
    if approximate == "tanh":
        return apply(rules.gelu_tanh, input)
    return apply(rules.fused, input, name="gelu")


@tensors_or_arrays
def silu(input: Tensor) -> Tensor:
    """x / (1 + e⁻ˣ) (Elfwing et al., 2018)."""
    return apply(rules.fused, input, name="silu")


@tensors_or_arrays
def hardswish(input: Tensor) -> Tensor:
    """x·min(max(x + 3, 0), 6) / 6 (Howard et al., 2019)."""
    return apply(rules.fused, input, name="hardswish")


@tensors_or_arrays
def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """x, at least `min_val` and at most `max_val`."""
    return input.clamp(min_val, max_val)


@tensors_or_arrays
def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + e^(beta·x)) / beta."""
    return apply(rules.softplus, input, beta=beta, threshold=threshold)


@tensors_or_arrays
def sigmoid(input: Tensor) -> Tensor:
    """1 / (1 + e⁻ˣ)."""
    return apply(rules.fused, input, name="sigmoid")


@tensors_or_arrays
def tanh(input: Tensor) -> Tensor:
    """The hyperbolic tangent."""
    return apply(arithmetic.tanh, input)


@tensors_or_arrays
def softmax(input: Tensor, dim: int = -1) -> Tensor:
    """exp(x) / Σ exp(x) along `dim`."""
    return apply(reduction.softmax, input, axis=dim)


@tensors_or_arrays
def log_softmax(input: Tensor, dim: int = -1) -> Tensor:
    """The logarithm of `softmax`, without its rounding."""
    return apply(reduction.log_softmax, input, axis=dim)

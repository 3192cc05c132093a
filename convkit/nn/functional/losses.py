"""Losses as functions; `loss.py` has them as modules. PyTorch's names, arguments and values."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from convkit._checks import choice, finite, positive
from convkit.nn.either import tensors_or_arrays
from convkit.nn.rules import arithmetic
from convkit.nn.rules import losses as rules
from convkit.nn.tensor import Tensor, apply

REDUCTIONS = ("mean", "sum", "none")


def reduced(each: Tensor, reduction: str) -> Tensor:
    """The mean or the sum of losses, or themselves."""
    choice(reduction, "reduction", REDUCTIONS)
    return each.mean() if reduction == "mean" else each.sum() if reduction == "sum" else each


def _same(input: Tensor, target: Tensor) -> None:
    """No broadcasting: (B, 1) against (B,) would compare all with all."""
    if input.shape != target.shape:
        raise ValueError(
            f"input has shape {input.shape} and target {target.shape}; expected one shape: "
            f"pass target.reshape({input.shape})"
            if input.numel() == target.numel()
            else f"input has shape {input.shape} and target {target.shape}; expected one shape"
        )


@tensors_or_arrays
def mse_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """(input - target)²."""
    _same(input, target)
    apart = input - target
    return reduced(apart * apart, reduction)


@tensors_or_arrays
def l1_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """|input - target|."""
    _same(input, target)
    return reduced((input - target).abs(), reduction)


@tensors_or_arrays
def huber_loss(input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0) -> Tensor:
    """d² / 2 where |d| ≤ delta, else delta · (|d| - delta / 2) (Huber, 1964)."""
    _same(input, target)
    positive(delta, "delta")
    size = (input - target).abs()
    inside = size.clamp(max=delta)
    return reduced(inside * (size - inside * 0.5), reduction)


@tensors_or_arrays
def smooth_l1_loss(input: Tensor, target: Tensor, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """d² / (2·beta) where |d| < beta, else |d| - beta / 2 (Girshick, 2015)."""
    if finite(beta, "beta") < 0:
        raise ValueError(f"beta is {beta}; expected at least 0")
    if beta == 0:
        return l1_loss(input, target, reduction)  # type: ignore[no-any-return]
    each = huber_loss(input, target, "none", beta) / beta
    return reduced(each, reduction)


@tensors_or_arrays
def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """-log softmax(input) of the class that was wanted.

    Parameters
    ----------
    input : Tensor or ndarray, (B, C, ...) or (C,)
        Scores, not probabilities.
    target : integers (B, ...) or (), or probabilities of `input`'s shape
    weight : (C,), optional
        Of each class.
    ignore_index : int
        A target that does not count.
    reduction : {"mean", "sum", "none"}
        "mean" divides by the weights of what was wanted.
    label_smoothing : float
        So much of the target is spread over all classes (Szegedy et al., 2016).

    Raises
    ------
    ValueError
        Shapes do not fit, or a target is no class.
    """
    choice(reduction, "reduction", REDUCTIONS)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing is {label_smoothing}; expected 0 to 1")
    if input.ndim == 1:
        how = "sum" if reduction == "none" else reduction
        return cross_entropy(  # type: ignore[no-any-return]
            input.unsqueeze(0), target.unsqueeze(0), weight, ignore_index, how, label_smoothing
        )
    classes, scores = input.shape[1], input.data
    counted = None
    if target.dtype.kind in "iu":
        labels = target.data
        if labels.shape != (input.shape[0], *input.shape[2:]):
            raise ValueError(
                f"target has shape {labels.shape}; expected {(input.shape[0], *input.shape[2:])}, a class "
                f"for each"
            )
        counts = labels != ignore_index
        if counts.all():
            safe = labels
        else:
            safe = np.where(counts, labels, 0)
            counted = counts.astype(scores.dtype)
        _check_labels(safe, classes)
        wanted = (np.expand_dims(safe, 1) == _classes(classes, scores.ndim)).astype(scores.dtype)
        total = counts.sum() if weight is None else float((weight.data[safe] * counts).sum())
    else:
        if target.shape != input.shape:
            raise ValueError(f"target has shape {target.shape}; expected probabilities, {input.shape}")
        wanted, total = target.data.astype(scores.dtype, copy=False), scores.size / classes
    if label_smoothing:
        wanted = wanted * (1 - label_smoothing) + label_smoothing / classes
    divisor = {"mean": total, "sum": 1.0, "none": None}[reduction]
    return apply(
        rules.cross_entropy,
        input,
        wanted,
        weight=None if weight is None else weight.data.astype(scores.dtype, copy=False),
        counted=counted,
        divisor=divisor,
    )


@lru_cache(maxsize=64)
def _classes(number: int, axes: int) -> np.ndarray:
    """All classes, along axis 1."""
    return np.arange(number).reshape(1, -1, *(1,) * (axes - 2))


def _check_labels(labels: np.ndarray, classes: int) -> None:
    if labels.size and not (labels.min() >= 0 and labels.max() < classes):
        wrong = labels[(labels < 0) | (labels >= classes)].flat[0]
        raise ValueError(
            f"target holds {wrong}; the classes are 0 to {classes - 1}, as input has {classes} scores"
        )


@tensors_or_arrays
def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """-input of the class that was wanted, where `input` is log probabilities, (B, C, ...)."""
    labels = target.data
    if labels.dtype.kind not in "iu" or labels.shape != (input.shape[0], *input.shape[2:]):
        raise ValueError(f"target has shape {labels.shape}, {labels.dtype}; expected integers (B, ...)")
    ignored = labels == ignore_index
    _check_labels(labels[~ignored], input.shape[1])
    safe = np.where(ignored, 0, labels)
    each_weight = np.ones(labels.shape, input.dtype) if weight is None else weight.data[safe]
    each_weight = np.where(ignored, 0, each_weight).astype(input.dtype)
    places: list[Any] = list(np.indices(labels.shape, sparse=True))
    picked = apply(arithmetic.where, ignored, input.dtype.type(0), input[(places[0], safe, *places[1:])])
    each: Tensor = -picked * each_weight
    if reduction == "mean":
        mean: Tensor = each.sum() / each_weight.sum()
        return mean
    return reduced(each, reduction)


@tensors_or_arrays
def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """-target · log σ(input) - (1 - target) · log(1 - σ(input)), of scores and probabilities of one shape."""
    _same(input, target)
    wanted = target if target.dtype == input.dtype else target.astype(input.dtype)
    positive_weight = None if pos_weight is None else pos_weight.data
    each = apply(rules.binary_cross_entropy_with_logits, input, wanted, positive=positive_weight)
    return reduced(each if weight is None else each * weight, reduction)


@tensors_or_arrays
def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """-target · log(input) - (1 - target) · log(1 - input), of probabilities; logarithms at least -100."""
    _same(input, target)
    wanted = target if target.dtype == input.dtype else target.astype(input.dtype)
    each = apply(rules.binary_cross_entropy, input, wanted)
    return reduced(each if weight is None else each * weight, reduction)


@tensors_or_arrays
def kl_div(input: Tensor, target: Tensor, reduction: str = "mean", log_target: bool = False) -> Tensor:
    """target · (log target - input), where `input` is log probabilities.

    `reduction` may be "batchmean" too: the sum, over the number of examples, which is the divergence
    (Kullback and Leibler, 1951).
    """
    _same(input, target)
    choice(reduction, "reduction", (*REDUCTIONS, "batchmean"))
    if log_target:
        each = target.exp() * (target - input)
    else:
        held = target.data > 0
        safe = apply(arithmetic.where, held, target, target.dtype.type(1))
        each = target * (safe.log() - input)
    if reduction == "batchmean":
        return each.sum() / input.shape[0]
    return reduced(each, reduction)

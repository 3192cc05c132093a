"""Normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from convkit._checks import Array, flag
from convkit.nn.either import tensors_or_arrays
from convkit.nn.rules import normalization as rules
from convkit.nn.tensor import Tensor, apply
from convkit.ops.norm import check_eps


@tensors_or_arrays
def batch_norm(
    input: Tensor,
    running_mean: Any,
    running_var: Any,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Each channel less its mean, over its deviation, times `weight` plus `bias`.

    Parameters
    ----------
    input : Tensor or ndarray, (B, C, ...)
    running_mean, running_var : ndarray, (C,), or None
        Taken where not `training`; changed in place in training.
    weight, bias : (C,), optional
    training : bool
        Take the batch's own mean and variance.
    momentum, eps : float

    Raises
    ------
    ValueError
        A batch of one value a channel in training; no statistics to take.
    """
    return batch_norm_and(input, running_mean, running_var, weight, bias, training, momentum, eps, False)


def batch_norm_and(
    input: Tensor,
    running_mean: Any,
    running_var: Any,
    weight: Tensor | None,
    bias: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    rectified: bool,
) -> Tensor:
    """`batch_norm`, and a ReLU of it where `rectified`."""
    mean, var = _raw(running_mean), _raw(running_var)
    moments: list[Array] = []
    output = apply(
        rules.batch_norm,
        input,
        weight,
        bias,
        mean=mean if mean is None else mean.astype(input.dtype, copy=False),
        var=var if var is None else var.astype(input.dtype, copy=False),
        training=flag(training, "training"),
        eps=check_eps(eps),
        rectified=rectified,
        moments=moments,
    )
    if training and mean is not None and var is not None:
        count = input.numel() // input.shape[1]
        _follow(mean, moments[0], momentum)
        _follow(var, moments[1] * (count / (count - 1)), momentum)
    return output


@tensors_or_arrays
def instance_norm(
    input: Tensor,
    running_mean: Any = None,
    running_var: Any = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """`batch_norm` of each image by itself."""
    if not use_input_stats:
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)  # type: ignore[no-any-return]
    x = input.data
    if x.ndim < 3 or x[0, 0].size == 1:
        raise ValueError(f"input has shape {x.shape}, one pixel a channel, which has no variance")
    mean, var = (_raw(value) for value in (running_mean, running_var))
    if mean is not None and var is not None:
        axes = tuple(range(2, x.ndim))
        _follow(mean, x.mean(axis=axes, dtype=np.float64).mean(axis=0), momentum)
        _follow(var, x.var(axis=axes, dtype=np.float64, ddof=1).mean(axis=0), momentum)
    return apply(rules.group_norm, input, weight, bias, groups=x.shape[1], eps=eps)


@tensors_or_arrays
def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """`convkit.group_norm`: groups of channels of each example less their mean, over their deviation."""
    return apply(rules.group_norm, input, weight, bias, groups=num_groups, eps=eps)


@tensors_or_arrays
def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """`convkit.layer_norm`: the last axes less their mean, over their deviation."""
    return apply(rules.layer_norm, input, weight, bias, shape=tuple(normalized_shape), eps=eps)


def _follow(running: Array, new: Array, momentum: float) -> None:
    """A running moment after one more batch; infinite after an infinite one."""
    running[...] = (1 - momentum) * running + momentum * new


def _raw(value: Any) -> Any:
    return value.data if isinstance(value, Tensor) else value

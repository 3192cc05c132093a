"""Normalisation and its gradients, by the kernels of `ops`."""

from __future__ import annotations

from typing import Any

from convkit import _checks
from convkit._checks import Array
from convkit.nn.rules.result import Needs, Result
from convkit.ops import norm
from convkit.ops.batch_norm import (
    batch_moments,
    batch_norm_gradients,
    given_arrays,
    write_batch_norm,
)


def _saved(x: Array, weight: Any) -> tuple[Array, ...]:
    return (x,) if weight is None else (x, weight)


def batch_norm(
    needs: Needs,
    x: Array,
    weight: Any,
    bias: Any,
    mean: Any,
    var: Any,
    training: bool,
    eps: float,
    rectified: bool,
    moments: list[Array],
) -> Result:
    """`convkit.batch_norm`, and a ReLU of it where `rectified`; what it used is put into `moments`."""
    x, weight, bias = given_arrays(x, weight, bias)
    used = batch_moments(x, mean, var, training)
    output = _checks.empty(x.shape, x.dtype)
    write_batch_norm(x, weight, bias, used, training, eps, rectified, output)
    moments += [used[0], used[1]]

    def backward(g: Array) -> tuple[Array, ...]:
        return batch_norm_gradients(g, x, output if rectified else None, weight, used, training, eps)

    return Result(output, backward, _saved(x, weight))


def group_norm(needs: Needs, x: Array, weight: Any, bias: Any, groups: int, eps: float) -> Result:
    """`convkit.group_norm`."""
    output = norm.group_norm(x, groups, weight, bias, eps=eps)
    return Result(output, lambda g: norm.group_norm_grad(g, x, groups, weight, eps=eps), _saved(x, weight))


def layer_norm(needs: Needs, x: Array, weight: Any, bias: Any, shape: tuple[int, ...], eps: float) -> Result:
    """`convkit.layer_norm`."""
    output = norm.layer_norm(x, shape, weight, bias, eps=eps)
    return Result(output, lambda g: norm.layer_norm_grad(g, x, shape, weight, eps=eps), _saved(x, weight))

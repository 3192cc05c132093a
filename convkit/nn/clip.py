"""Gradients cut to a size."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from convkit._checks import positive
from convkit.nn.tensor import Tensor


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> float:
    """Scale all gradients so that their norm, as if they were one vector, is at most `max_norm`.

    Returns
    -------
    float
        The norm before.

    Raises
    ------
    RuntimeError
        The norm is NaN or Inf, and `error_if_nonfinite`.
    """
    tensors = _with_gradients(parameters)
    norms = np.array(
        [np.linalg.norm(t.grad.data.reshape(-1), norm_type) for t in tensors if t.grad is not None]
    )
    total = float(np.linalg.norm(norms, norm_type)) if norms.size else 0.0
    if error_if_nonfinite and not np.isfinite(total):
        raise RuntimeError(
            f"the norm of the gradients is {total}: lower the learning rate, or look at the data"
        )
    scale = min(1.0, positive(max_norm, "max_norm") / (total + 1e-6))
    if scale < 1:
        for tensor in tensors:
            assert tensor.grad is not None
            tensor.grad = Tensor(tensor.grad.data * scale)
    return total


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Cut each element of all gradients to at most `clip_value` in size."""
    limit = positive(clip_value, "clip_value")
    for tensor in _with_gradients(parameters):
        assert tensor.grad is not None
        tensor.grad = Tensor(np.clip(tensor.grad.data, -limit, limit))


def _with_gradients(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    given = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    return [tensor for tensor in given if tensor.grad is not None]

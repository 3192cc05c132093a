"""Functions of tensors that take arrays too, and then give arrays."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from convkit.nn.autograd import no_grad
from convkit.nn.tensor import Tensor, as_array


def tensors_or_arrays(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, whose arrays become tensors; where none was one, its result is an array."""

    @wraps(function)
    def call(*values: Any, **named: Any) -> Any:
        tensors = arrays = False
        for value in (*values, *named.values()):
            if isinstance(value, Tensor):
                tensors = True
            elif isinstance(value, np.ndarray):
                arrays = True
        if tensors and not arrays:  # as layers call it
            return function(*values, **named)
        if tensors:
            return function(
                *map(_wrapped, values), **{name: _wrapped(value) for name, value in named.items()}
            )
        with no_grad():
            first, *rest = values
            if not isinstance(first, (int, float)):
                first = Tensor(as_array(first))
            result = function(
                first, *map(_wrapped, rest), **{name: _wrapped(value) for name, value in named.items()}
            )
            return result.data if isinstance(result, Tensor) else result

    return call


def _wrapped(value: Any) -> Any:
    return Tensor(value) if isinstance(value, np.ndarray) else value

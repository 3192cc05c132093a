"""What a rule gives, and what the rules share."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np

from convkit._checks import Array
from convkit.nn.autograd import Backward

Needs = tuple[bool, ...]


class Result(NamedTuple):
    """An output, the function of its gradient, and the arrays that this function will read."""

    output: Array
    backward: Backward
    saved: tuple[Array, ...] = ()
    view: bool = False
    """Whether the output may lie in an input's memory."""


class Rule(Protocol):
    """A rule's signature."""

    __name__: str

    def __call__(self, needs: Needs, *inputs: Any, **arguments: Any) -> Result: ...


def unbroadcast(gradient: Array, like: Any) -> Array:
    """`gradient` summed over the axes along which `like` was repeated, in `like`'s dtype."""
    shape = np.shape(like)
    if gradient.shape != shape:
        extra = gradient.ndim - len(shape)
        axes = [
            *range(extra),
            *(extra + i for i, n in enumerate(shape) if n == 1 != gradient.shape[extra + i]),
        ]
        gradient = gradient.sum(axis=tuple(axes), keepdims=True).reshape(shape)
    return np.asarray(gradient, getattr(like, "dtype", None))

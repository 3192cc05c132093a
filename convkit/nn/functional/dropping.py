"""Dropout."""

from __future__ import annotations

import numpy as np

from convkit._checks import Array, finite
from convkit.nn.either import tensors_or_arrays
from convkit.nn.random import current_generator
from convkit.nn.tensor import Tensor


@tensors_or_arrays
def dropout(
    input: Tensor, p: float = 0.5, training: bool = True, generator: np.random.Generator | None = None
) -> Tensor:
    """Each element 0 with probability `p`, else over 1 - p (Srivastava et al., 2014)."""
    return dropped(input, p, training, input.shape, generator)


@tensors_or_arrays
def dropout2d(
    input: Tensor, p: float = 0.5, training: bool = True, generator: np.random.Generator | None = None
) -> Tensor:
    """Each channel of each image 0 with probability `p`, else over 1 - p (Tompson et al., 2015)."""
    return dropped(input, p, training, (*input.shape[:-2], 1, 1), generator)


def dropped(
    input: Tensor, p: float, training: bool, shape: tuple[int, ...], generator: np.random.Generator | None
) -> Tensor:
    """`input` times a mask of `shape`."""
    if not 0 <= finite(p, "p") <= 1:
        raise ValueError(f"p is {p}; expected a probability, 0 to 1")
    if not training or p == 0:
        return input
    drawn: Array = (generator or current_generator()).random(shape, np.float32)
    scale = 0.0 if p == 1 else 1 / (1 - p)
    mask: Array = (drawn >= p) * input.dtype.type(scale)
    return input * mask

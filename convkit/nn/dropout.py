"""Dropout, in training only."""

from __future__ import annotations

from typing import Any

import numpy as np

from convkit.nn import functional as F
from convkit.nn.module import Pointwise
from convkit.nn.tensor import Tensor


class Dropout(Pointwise):
    """In training each element is 0 with probability `p`, and over 1 - p otherwise (Srivastava et al., 2014).

    Parameters
    ----------
    p : float
    inplace : bool
        Taken, and changes nothing.
    generator : numpy.random.Generator, optional
        Draws which; unset, the one of `manual_seed`. Checkpoints keep the place of either.
    """

    def __init__(
        self, p: float = 0.5, inplace: bool = False, *, generator: np.random.Generator | None = None
    ) -> None:
        if not 0 <= p <= 1:
            raise ValueError(f"p is {p}; expected a probability, 0 to 1")
        self.p, self.inplace, self.generator = p, inplace, generator

    def forward(self, input: Tensor) -> Any:
        """The input, thinned out."""
        return F.dropout(input, self.p, self.training, self.generator)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"p={self.p}"


class Dropout2d(Dropout):
    """In training each channel of each image is 0 with probability `p` (Tompson et al., 2015)."""

    def forward(self, input: Tensor) -> Any:
        """The input, thinned out."""
        return F.dropout2d(input, self.p, self.training, self.generator)

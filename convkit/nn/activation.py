"""Activations as modules. `inplace` is taken, as PyTorch's code passes it, and changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from convkit.nn import functional as F
from convkit.nn.functional.activations import check_slopes
from convkit.nn.module import Pointwise
from convkit.nn.parameter import Parameter
from convkit.nn.tensor import Tensor
from convkit.nn.trace import Shape
from convkit.shapes import Axis


class _Simple(Pointwise):
    """A function of the input alone."""

    function: Any

    def __init__(self, inplace: bool = False) -> None:
        self.inplace = inplace

    def forward(self, input: Tensor) -> Any:
        """The function of each element."""
        return type(self).function(input)


class ReLU(_Simple):
    """max(0, x)."""

    function = staticmethod(F.relu)


class ReLU6(_Simple):
    """min(max(0, x), 6)."""

    function = staticmethod(F.relu6)


class SiLU(_Simple):
    """x / (1 + e⁻ˣ)."""

    function = staticmethod(F.silu)


class Hardswish(_Simple):
    """x·min(max(x + 3, 0), 6) / 6."""

    function = staticmethod(F.hardswish)


class Sigmoid(_Simple):
    """1 / (1 + e⁻ˣ)."""

    function = staticmethod(F.sigmoid)


class Tanh(_Simple):
    """The hyperbolic tangent."""

    function = staticmethod(F.tanh)


class LeakyReLU(Pointwise):
    """x where x > 0, else negative_slope·x."""

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        self.negative_slope, self.inplace = negative_slope, inplace

    def forward(self, input: Tensor) -> Any:
        """The function of each element."""
        return F.leaky_relu(input, self.negative_slope)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"negative_slope={self.negative_slope}"


class PReLU(Pointwise):
    """x where x > 0, else weight·x, with one learnt weight or one for each channel."""

    def __init__(self, num_parameters: int = 1, init: float = 0.25, dtype: Any = None) -> None:
        self.num_parameters = num_parameters
        self.weight = Parameter(np.full(num_parameters, init, np.float32 if dtype is None else dtype))

    def forward(self, input: Tensor) -> Any:
        """The function of each element."""
        return F.prelu(input, self.weight)

    def _shape(self, shape: Shape) -> Shape:
        check_slopes(self.num_parameters, shape)
        return shape

    def extra_repr(self) -> str:
        """The arguments."""
        return f"num_parameters={self.num_parameters}"


class ELU(Pointwise):
    """x where x > 0, else alpha·(eˣ - 1)."""

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        self.alpha, self.inplace = alpha, inplace

    def forward(self, input: Tensor) -> Any:
        """The function of each element."""
        return F.elu(input, self.alpha)


class GELU(Pointwise):
    """x·(1 + erf(x/√2)) / 2, or its approximation by "tanh"."""

    def __init__(self, approximate: str = "none") -> None:
        self.approximate = approximate

    def forward(self, input: Tensor) -> Any:
        """The function of each element."""
        return F.gelu(input, self.approximate)


class Softplus(Pointwise):
    """log(1 + e^(beta·x)) / beta."""

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        self.beta, self.threshold = beta, threshold

    def forward(self, input: Tensor) -> Any:
        """The function of each element."""
        return F.softplus(input, self.beta, self.threshold)


class Softmax(Pointwise):
    """exp(x) / Σ exp(x) along `dim`."""

    def __init__(self, dim: int = -1) -> None:
        self.dim = dim

    def forward(self, input: Tensor) -> Any:
        """Probabilities."""
        return F.softmax(input, self.dim)

    def _windows(self, shape: Shape) -> Sequence[Axis] | None:
        return super()._windows(shape) if self.dim % len(shape) < len(shape) - 2 else None

    def extra_repr(self) -> str:
        """The arguments."""
        return f"dim={self.dim}"


class LogSoftmax(Softmax):
    """The logarithm of `Softmax`."""

    def forward(self, input: Tensor) -> Any:
        """Their logarithms."""
        return F.log_softmax(input, self.dim)

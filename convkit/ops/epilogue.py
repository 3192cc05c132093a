"""What a convolution does with its sums before it writes them: add a residual, apply an activation."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from convkit import _checks
from convkit._checks import Array

Activation = Literal["relu", "relu6", "leaky_relu", "silu", "gelu", "hardswish", "sigmoid"]

# an activation's place is the number by which the kernels know it: `Activation` of _native/epilogue.pxd
ACTIVATIONS: tuple[str | None, ...] = (None, *get_args(Activation))
NEGATIVE_SLOPE = 0.01


class Epilogue(NamedTuple):
    """The last arguments of every kernel: an activation, its slope, a residual of the output's strides."""

    activation: int = 0
    slope: float = 0.0
    residual: Array | None = None

    @property
    def plain(self) -> bool:
        """Whether it changes nothing."""
        return self.activation == 0 and self.residual is None

    def adding(self, residual: Array | None, y: Array) -> Epilogue:
        """With a `residual` of `y`'s shape; one of other strides is laid into `y`, to be added in place."""
        if residual is None:
            return self
        if not _checks.same_strides(residual, y):
            y[...] = residual
            residual = y
        return self._replace(residual=residual)

    def of(self, images: slice) -> Epilogue:
        """Of some images alone."""
        return self if self.residual is None else self._replace(residual=self.residual[images])


PLAIN = Epilogue()


def check_activation(activation: Any, negative_slope: Any, dtype: np.dtype[Any]) -> Epilogue:
    """The epilogue of an activation by name."""
    if activation is not None:
        _checks.choice(activation, "activation", get_args(Activation))
    code = ACTIVATIONS.index(activation)
    if activation != "leaky_relu":
        if negative_slope is not None:
            raise ValueError(
                f"negative_slope is {negative_slope!r} with activation={activation!r}; "
                "pass activation='leaky_relu'"
            )
        return Epilogue(code)
    slope = NEGATIVE_SLOPE if negative_slope is None else _checks.finite(negative_slope, "negative_slope")
    return Epilogue(code, _checks.held(slope, "negative_slope", dtype))

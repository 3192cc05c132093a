"""Operations of a `forward` that multiply and add as layers do: which they are, and what they take."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from convkit.nn.parameter import Parameter
from convkit.nn.rules import arithmetic, arrangement, convolution
from convkit.nn.tensor import Tensor

NAMES: dict[Any, str] = {
    convolution.conv2d: "functional.conv2d",
    convolution.conv_transpose2d: "functional.conv_transpose2d",
    arithmetic.matmul: "matmul",
    arithmetic.linear: "functional.linear",
}


class Operations:
    """The products of every operation, and the parameters that it took."""

    def __init__(self) -> None:
        self.macs = 0
        self._views: dict[int, tuple[Tensor, Parameter]] = {}  # tensors are kept, so that none takes their id

    def seen(self, rule: Any, inputs: Sequence[Any], output: Tensor) -> int:
        """The multiply-adds of one operation; counted."""
        if rule in (arrangement.permute, arrangement.reshape) and isinstance(inputs[0], Parameter):
            self._views[id(output)] = (output, inputs[0])
        count = _products(rule, inputs, output)
        self.macs += count
        return count

    def parameters(self, inputs: Sequence[Any]) -> list[Parameter]:
        """Those among the inputs, as they are or rearranged."""
        found = (self._views[id(each)][1] if id(each) in self._views else each for each in inputs)
        return [each for each in found if isinstance(each, Parameter)]


def _products(rule: Any, inputs: Sequence[Any], output: Tensor) -> int:
    if rule is convolution.conv2d:
        return math.prod((*output.shape, *inputs[1].shape[1:]))
    if rule is convolution.conv_transpose2d:
        return math.prod((*inputs[0].shape, *inputs[1].shape[1:]))
    if rule in (arithmetic.matmul, arithmetic.linear):
        return math.prod((*output.shape, inputs[0].shape[-1]))
    return 0

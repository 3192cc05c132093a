"""What a number of a map sees of the input: its window, handed on from layer to layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from convkit._checks import Pair
from convkit.nn.rules import activation, arithmetic
from convkit.nn.tensor import Tensor
from convkit.nn.trace import says
from convkit.shapes import Axis

POINTWISE = {rule.__name__ for rule in (activation.fused, activation.prelu, activation.elu)}
POINTWISE |= {rule.__name__ for rule in (activation.softplus, activation.gelu_tanh, arithmetic.tanh)}
"""Operations that leave every number in its place."""


class Field(NamedTuple):
    """The input pixels that output (0, 0) sees, and those from one output to the next; (down, across)."""

    size: Pair = (1, 1)
    jump: Pair = (1, 1)
    start: Pair = (0, 0)

    def after(self, windows: Sequence[Axis]) -> Field:
        """Through a layer with these windows."""
        if len(windows) == 1:  # along a line
            windows = [Axis("", 1, 1, 1, 1), *windows]
        rows = list(zip(windows, self.size, self.jump, self.start, strict=True))
        size = [s + (axis.extent - 1) * j for axis, s, j, _ in rows]
        jump = [j * axis.stride for axis, _, j, _ in rows]
        start = [first - axis.before * j for axis, _, j, first in rows]
        return Field((size[0], size[1]), (jump[0], jump[1]), (start[0], start[1]))


class Fields:
    """The field of every tensor that a chain of layers made of the first one."""

    def __init__(self, start: Tensor) -> None:
        # tensors are kept, so that no other takes their id
        self._known: dict[int, tuple[Tensor, Field | None]] = {id(start): (start, Field())}
        self.ended = "an operation between layers"
        """What it was that left a map without a field."""

    def of(self, tensor: Any) -> Field | None:
        """None: it is no chain of windows of one size."""
        if id(tensor) in self._known:
            return self._known[id(tensor)][1]
        node = getattr(tensor, "_node", None)
        while node is not None and node.name in POINTWISE:  # a function between layers, where it was recorded
            node = node.parents[0]
            for known, field in self._known.values():
                if known._node is node is not None:
                    return field
        return None

    def hand_on(self, layer: Any, given: Any, output: Tensor) -> Field | None:
        """The field of what a layer made of `given`; remembered."""
        before = self.of(given)
        after = None
        if before is not None:
            windows = layer._windows(given.shape) if says(layer, "_windows") else None
            after = None if windows is None else before.after(windows)
            if after is None:
                self.ended = type(layer).__name__
        self._known[id(output)] = (output, after)
        return after

"""The size of image that a model was made for, found by arithmetic."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

Shape = tuple[int, ...]
LARGEST = 2**14


def size_that_gives(features: int, ran: Sequence[tuple[Any, Shape, Shape]]) -> tuple[int, int] | None:
    """The least (height, width) from which the layers that ran make maps of so many numbers in all.

    Of the image's own proportions; None where layers are no chain that tells its sizes, or no size does.
    """
    start = ran[0][1]
    if len(start) != 4 or any(before[2] != after[1] for before, after in pairwise(ran)):
        return None

    def image(height: int) -> tuple[int, int]:
        return height, max(round(height * start[3] / start[2]), 1)

    def count(height: int) -> int:
        return _numbers((*start[:2], *image(height)), [layer for layer, *_ in ran])

    try:
        height = _least(lambda n: count(n) >= features)
        return image(height) if count(height) == features else None
    except LookupError:
        return None


def _least(holds: Callable[[int], bool]) -> int:
    """The least number up to `LARGEST` of which something holds that holds of all above it."""
    low, high = 1, LARGEST
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def _numbers(shape: Shape, layers: Sequence[Any]) -> int:
    """How many numbers the layers make of an example; 0 where nothing is left of it."""
    from convkit.nn.trace import says  # which asks for diagnoses

    for layer in layers:
        if not says(layer, "_shape"):
            raise LookupError(f"{layer} does not tell its size")
        try:
            shape = layer._shape(shape)
        except ValueError:
            return 0
    return math.prod(shape[1:])

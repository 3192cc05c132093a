"""What an operation does to rows of an image, once everything about it has been checked.

An operation checks its arguments, allocates its output, and hands its kernel to `execute`, which runs it.
While a chain of filters is planned, `prepare` keeps the kernel instead, to be run on bands of rows again and
again without a further check.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from convkit._checks import Array

RowKernel: TypeAlias = Callable[[Array, Array, int, int], None]
"""``kernel(source, target, first, threads)``: fill the rows of `target`, the first of which lies on row
`first` of `source`. Both are HW or HWC of any strides; outside of `source` is what the border says."""


class Prepared(NamedTuple):
    """A kernel, and the output that it would fill for the image it was prepared with."""

    kernel: RowKernel
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


_recorded: ContextVar[list[tuple[RowKernel, Array]] | None] = ContextVar("convkit_rows", default=None)


def execute(kernel: RowKernel, source: Array, result: Array, threads: int) -> Array:
    """Fill `result` from `source`, and return it."""
    recorded = _recorded.get()
    if recorded is None:
        kernel(source, result, 0, threads)
    else:
        recorded.append((kernel, result))
    return result


def prepare(
    function: Callable[..., Any], shape: tuple[int, ...], dtype: np.dtype[Any], arguments: dict[str, Any]
) -> Prepared | None:
    """The kernel with which `function` filters images of `shape` and `dtype`.

    None where it does more, or other things, than execute a single kernel. Whatever `function` raises of the
    arguments is raised here.
    """
    token = _recorded.set([])
    try:
        with np.errstate(all="ignore"):  # of arrays that nobody filled
            result = function(np.broadcast_to(np.zeros((), dtype), shape), **arguments)
        recorded = _recorded.get()
    finally:
        _recorded.reset(token)
    if recorded is None or len(recorded) != 1 or recorded[0][1] is not result:
        return None
    return Prepared(recorded[0][0], result.shape, result.dtype)

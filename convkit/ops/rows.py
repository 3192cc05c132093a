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

from convkit._checks import Array, Pair

Run: TypeAlias = Callable[[Array, Array, int, int], None]


class RowKernel(NamedTuple):
    """A kernel, bound to its arguments, and how far it sees.

    ``run(source, target, first, threads)`` fills the rows of `target`, the first of which lies on row `first`
    of `source`. Both are HW or HWC of any strides; outside of `source` is what the border says.
    """

    run: Run
    above: int  # rows that an output row depends on above the one that it lies on
    below: int

    @classmethod
    def of(cls, run: Run, extent: Pair, anchor: Pair, border: str) -> RowKernel:
        """The kernel of a filter of `extent`; "valid" output rows lie on the first row that they see."""
        above = 0 if border == "valid" else anchor[0]
        return cls(run, above, extent[0] - 1 - above)


class Prepared(NamedTuple):
    """A kernel, and the output that it fills for the image it was prepared with."""

    kernel: RowKernel
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


_recorded: ContextVar[list[tuple[RowKernel, Array, Array]] | None] = ContextVar("convkit_rows", default=None)


def recording() -> bool:
    """Whether kernels are kept instead of being run."""
    return _recorded.get() is not None


def execute(kernel: RowKernel, source: Array, result: Array, threads: int) -> Array:
    """Fill `result` from `source`, and return it."""
    recorded = _recorded.get()
    if recorded is None:
        kernel.run(source, result, 0, threads)
    else:
        recorded.append((kernel, source, result))
    return result


def prepare(
    function: Callable[..., Any], shape: tuple[int, ...], dtype: np.dtype[Any], arguments: dict[str, Any]
) -> list[Prepared]:
    """The kernels with which `function` filters images of `shape` and `dtype`, one after another.

    An empty list where it does anything else. Whatever `function` raises of the arguments is raised here.
    """
    image = np.broadcast_to(np.zeros((), dtype), shape)
    recorded: list[tuple[RowKernel, Array, Array]] = []
    token = _recorded.set(recorded)
    try:
        with np.errstate(all="ignore"):  # of arrays that nobody filled
            last = function(image, **arguments)
    finally:
        _recorded.reset(token)
    found = []
    for kernel, source, result in recorded:
        if source is not image:
            return []
        found.append(Prepared(kernel, result.shape, result.dtype))
        image = result
    return found if image is last else []

"""What an operation does to rows of an image, once everything about it has been checked.

An operation checks its arguments, allocates its output, and hands its kernel to `execute`, which runs it.
While a chain of filters is planned, `prepare` keeps the kernel instead, to be run on bands of rows again and
again without a further check; `note` keeps it as well, for the next call with the same arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from convkit import _checks
from convkit._checks import Array, Pair
from convkit._threads import threads_for

Run: TypeAlias = Callable[..., None]


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


class Step(NamedTuple):
    """A kernel that fills an output of `shape` and `dtype`, for `work` multiply-adds on so many threads."""

    kernel: RowKernel
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    work: float
    num_threads: int | None

    def made_of(self, source: Array, result: Array | None = None) -> Array:
        """What the kernel makes of `source`, in `result` or a fresh array."""
        if result is None:
            result = _checks.empty(self.shape, self.dtype)
        return execute(self.kernel, source, result, self.work, self.num_threads)

    def threads(self) -> int:
        """As many as the kernel may use now."""
        return threads_for(self.work, self.num_threads)


class _Notes:
    """Kernels that were handed to `execute`, each with its source and its result; `run`: and are run."""

    def __init__(self, run: bool) -> None:
        self.run = run
        self._made: list[tuple[Array, Array, Step]] = []

    def add(self, source: Array, result: Array, step: Step) -> None:
        self._made.append((source, result, step))

    def steps(self, image: Array, last: Array) -> list[Step]:
        """Those that lead from `image` to `last`, one after another; empty where they do not."""
        found = []
        for source, result, step in self._made:
            if source is not image:
                return []
            found.append(step)
            image = result
        return found if image is last else []


taken: ContextVar[_Notes | None] = ContextVar("convkit_rows", default=None)
"""The notes that are taken now."""


def noting() -> bool:
    """Whether notes are taken of the kernels."""
    return taken.get() is not None


def planning() -> bool:
    """Whether nobody asks for the result, but for its shape and dtype."""
    notes = taken.get()
    return notes is not None and not notes.run


def execute(kernel: RowKernel, source: Array, result: Array, work: float, num_threads: int | None) -> Array:
    """Fill `result` from `source`, `work` multiply-adds, and return it."""
    threads = threads_for(work, num_threads)
    notes = taken.get()
    if notes is None or notes.run:
        kernel.run(source, result, 0, threads)
    if notes is not None:
        notes.add(source, result, Step(kernel, result.shape, result.dtype, work, num_threads))
    return result


def prepare(
    function: Callable[..., Any], shape: tuple[int, ...], dtype: np.dtype[Any], arguments: dict[str, Any]
) -> list[Step]:
    """The kernels with which `function` filters images of `shape` and `dtype`, one after another.

    An empty list where it does anything else. Whatever `function` raises of the arguments is raised here.
    """
    image = np.broadcast_to(np.zeros((), dtype), shape)
    with np.errstate(all="ignore"):  # of arrays that nobody filled
        return _noted(_Notes(run=False), function, image, (), arguments)[1]


def note(
    function: Callable[..., Any], image: Array, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[Any, list[Step]]:
    """What `function` gives for `image`, and the kernels that led there; none where it did anything else."""
    return _noted(_Notes(run=True), function, image, args, kwargs)


def _noted(
    notes: _Notes,
    function: Callable[..., Any],
    image: Array,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> tuple[Any, list[Step]]:
    token = taken.set(notes)
    try:
        result = function(image, *args, **kwargs)
    finally:
        taken.reset(token)
    return result, notes.steps(image, result)

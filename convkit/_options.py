"""Settings for a scope: a context variable, so threads and tasks do not see each other's."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, get_args

from convkit._checks import choice, thread_count

if TYPE_CHECKING:
    from collections.abc import Iterator

Precision = Literal["fast", "exact"]


@dataclass(frozen=True, slots=True)
class Options:
    """What `options` may set; None leaves the choice to the environment and the machine."""

    num_threads: int | None = None
    precision: Precision = "fast"


current: ContextVar[Options] = ContextVar("convkit_options", default=Options())  # noqa: B039 (frozen)


@contextmanager
def options(*, num_threads: int | None = None, precision: Precision | None = None) -> Iterator[None]:
    """Set options for the calls inside a ``with`` block, in this thread or task alone.

    Parameters
    ----------
    num_threads : int, optional
        Threads of each operation, at least 1. Unset: the enclosing block's, else ``CONVKIT_NUM_THREADS``,
        ``OMP_NUM_THREADS``, else the processors that the process may use.
    precision : {"fast", "exact"}, optional
        "exact" allows direct summation only: no algorithm whose error is not bounded term by term.

    Raises
    ------
    ValueError
        `num_threads` is below 1 or `precision` is unknown.
    TypeError
        `num_threads` is not an integer.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> with ck.options(num_threads=1, precision="exact"):
    ...     ck.conv2d(np.ones((1, 4, 4), np.float32), np.ones((1, 1, 3, 3), np.float32)).shape
    (1, 2, 2)
    """
    changes: dict[str, object] = {}
    if num_threads is not None:
        changes["num_threads"] = thread_count(num_threads)
    if precision is not None:
        changes["precision"] = choice(precision, "precision", get_args(Precision))
    token = current.set(replace(current.get(), **changes))  # type: ignore[arg-type]
    try:
        yield
    finally:
        current.reset(token)

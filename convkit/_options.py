"""Settings for a scope: a context variable, so threads and tasks do not see each other's."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, get_args

from convkit import _pool
from convkit._checks import byte_count, choice, thread_count

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
def options(
    *,
    num_threads: int | None = None,
    precision: Precision | None = None,
    pool: int | str | None = None,
) -> Iterator[None]:
    """Set options for the calls inside a ``with`` block, in this thread or task alone.

    Parameters
    ----------
    num_threads : int, optional
        Threads of each operation, at least 1. Unset: the enclosing block's, else ``CONVKIT_NUM_THREADS``,
        ``OMP_NUM_THREADS``, else the processors that the process may use.
    precision : {"fast", "exact"}, optional
        "exact" allows direct summation only: no algorithm whose error is not bounded term by term.
    pool : int or str, optional
        Keep the memory of results that died for further results, as a loop wants it: at most so many bytes,
        or a text such as "256MB". 0: no pool. Memory returns to the pool when the array and all its views are
        gone, and to the system when the block ends. Without a pool, each page of a large result is cleared by
        the system when it is first touched, which costs more than many a filter.

    Raises
    ------
    ValueError
        `num_threads` is below 1, `precision` is unknown, or `pool` is no number of bytes.
    TypeError
        `num_threads` is not an integer, or `pool` neither that nor a text.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> with ck.options(num_threads=1, precision="exact"):
    ...     ck.conv2d(np.ones((1, 4, 4), np.float32), np.ones((1, 1, 3, 3), np.float32)).shape
    (1, 2, 2)
    >>> with ck.options(pool="256MB"):
    ...     for frame in np.zeros((3, 480, 640), np.uint8):
    ...         edges = ck.filters.sobel(frame)  # from the second frame on in memory that was used before
    """
    changes: dict[str, object] = {}
    if num_threads is not None:
        changes["num_threads"] = thread_count(num_threads)
    if precision is not None:
        changes["precision"] = choice(precision, "precision", get_args(Precision))
    memory = _pool.current.get()
    if pool is not None:
        limit = byte_count(pool, "pool")
        memory = _pool.Pool(limit) if limit else None
    token = current.set(replace(current.get(), **changes))  # type: ignore[arg-type]
    pool_token = _pool.current.set(memory)
    try:
        yield
    finally:
        _pool.current.reset(pool_token)
        current.reset(token)
        if pool is not None and memory is not None:
            memory.close()

"""How many threads a call may use, and how many its work is worth."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable, Sequence
from contextvars import copy_context
from threading import Thread

from convkit._checks import MAX_THREADS, thread_count
from convkit._options import current

SMALL_WORK = 1_000_000
"""Multiply-adds (20 µs) below which one thread beats the start of a second (5 µs, more on a busy machine)."""

OUTPUT_WORK = 8
"""Multiply-adds that take as long as all else that an output of a convolution takes."""

INPUT_WORK = 2
"""The same of an element of its input."""

force_threads = False
"""Tests set this to run small work on every thread that was asked for."""

_forked = False


def _mark_forked() -> None:
    """A forked child has its parent's OpenMP pool without the threads: entering a team would hang."""
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_mark_forked)


def threads_for(work: float, num_threads: int | None = None) -> int:
    """The thread count of a call that makes `work` multiply-adds.

    The argument wins over `options`, that over ``CONVKIT_NUM_THREADS``, that over ``OMP_NUM_THREADS``, and
    all over the processors that affinity and the control group's quota leave to the process. A forked child
    and work below `SMALL_WORK` stay on one thread.
    """
    if num_threads is not None:
        num_threads = thread_count(num_threads)
    if _forked or (work < SMALL_WORK and not force_threads):
        return 1
    return num_threads or current.get().num_threads or default_threads()


def run_together(calls: Sequence[Callable[[], object]]) -> None:
    """Run each call on a thread of its own, the first on the caller's, all with the caller's options.

    An error of any is raised when all have ended.
    """
    errors: list[BaseException] = []

    def run(call: Callable[[], object]) -> None:
        try:
            call()
        except BaseException as error:  # a Ctrl-C too waits for the others, which still write
            errors.append(error)

    others = [Thread(target=copy_context().run, args=(run, call), name="convkit") for call in calls[1:]]
    try:
        for other in others:
            other.start()
        run(calls[0])
    except BaseException as error:
        errors.append(error)
    while True:
        try:
            alive = [other for other in others if other.is_alive()]
            if not alive:
                break
            alive[0].join()
        except BaseException as error:
            errors.append(error)
    if errors:
        raise errors[0]


def default_threads() -> int:
    """The threads of a call that names none."""
    if named := os.environ.get("CONVKIT_NUM_THREADS"):
        if not named.strip().isdecimal() or int(named) < 1:
            raise ValueError(f"CONVKIT_NUM_THREADS is {named!r}; expected an integer of at least 1")
        try:
            return thread_count(int(named))
        except ValueError as error:
            raise ValueError(f"CONVKIT_NUM_THREADS: {error}") from None
    named = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if not named.isdecimal() or not int(named):  # OpenMP's to judge, not ours
        return usable_processors()
    return min(int(named), MAX_THREADS)


def usable_processors() -> int:
    """Processors left to this process by its affinity mask and its control group's quota."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux has it
    processors = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, min(processors, _cgroup_quota()))


def _read(*path: str) -> str:
    with open(os.path.join(*path)) as file:
        return file.read()


@functools.cache
def _cgroup_quota(root: str = "/sys/fs/cgroup") -> int:
    """Whole processors that the control group (version 2, else 1) grants; a large number where unlimited."""
    try:
        quota, period = _read(root, "cpu.max").split()
    except (OSError, ValueError):
        try:
            quota = _read(root, "cpu/cpu.cfs_quota_us")
            period = _read(root, "cpu/cpu.cfs_period_us")
        except OSError:
            return 1 << 20
    try:
        return math.ceil(int(quota) / int(period)) if int(quota) > 0 else 1 << 20
    except (ValueError, ZeroDivisionError):  # "max": no quota
        return 1 << 20

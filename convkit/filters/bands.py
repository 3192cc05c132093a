"""A chain of filters run band by band: which rows each filter reads and writes, planned once.

The rows of the last image are shared among the threads, and each cuts its own into bands. For each band every
filter of the chain writes just the rows that the next one lacks, into a window on its image that holds no
more rows than are still read: so all that lies between two filters stays in the thread's cache, and rows are
computed twice only where two threads meet. Borders are the image's own: a kernel is told which row of its
source it starts from, and no band reads beyond the rows at hand except where the image itself ends.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from threading import Lock
from typing import Any, NamedTuple

import numpy as np

from convkit import _checks
from convkit._checks import Array
from convkit._threads import run_together
from convkit.filters.registry import Filter
from convkit.ops import rows
from convkit.ops.rows import RowKernel

CACHE_BYTES = 2048 * 1024
"""What windows may take for each thread: a large second-level cache. Of smaller ones some is read from the
third, which costs less than more bands do."""

SMALL_BYTES = 352 * 1024
IMAGE_SHARE = 7
"""Windows take at most this part of the image, less what further threads take, where that is not small in any
case."""

THREAD_BYTES = 1200 * 1024
"""What a thread's kernels leave allocated."""

MIN_BAND = 8
"""Bands are multiples of so many rows: kernels sum four or eight at a time."""

SHARED_BAND = 16
"""Rows of bands below which threads wait longer for the interpreter, between two kernels, than they save."""


@dataclass(frozen=True)
class Step:
    """A kernel of a chain, prepared for images of one shape and dtype."""

    name: str
    kernel: RowKernel
    height: int  # of the source
    shape: tuple[int, ...]  # of the result
    dtype: np.dtype[Any]

    def reads(self, start: int, stop: int) -> tuple[int, int]:
        """Rows of the source that the output rows `start` to `stop` depend on, mirrored ones too."""
        above, below = self.kernel.above, self.kernel.below
        first = max(0, min(start - above, self.height - 1 - below))
        return first, min(self.height, max(stop + below, above + 1))

    @property
    def reach(self) -> int:
        """Rows that an output row depends on beside its own."""
        return self.kernel.above + self.kernel.below

    @property
    def row_bytes(self) -> int:
        return int(np.prod(self.shape[1:])) * self.dtype.itemsize


class Part(NamedTuple):
    """The bands of a thread, and the rows that the windows of all steps but the last must hold."""

    bands: list[list[Move]]
    windows: list[int]


class Move(NamedTuple):
    """What one filter does for one band; rows count from the start of the windows that hold them."""

    kept: slice  # rows of its own window that are still needed, moved to the front first
    read: slice
    first: int  # the row, of those that are read, under the first one that is written
    write: slice


def prepare(
    found: Filter, arguments: dict[str, Any], shape: tuple[int, ...], dtype: np.dtype[Any]
) -> list[Step]:
    """The filter `found` as steps on images of `shape` and `dtype`; raises what the filter would.

    An empty list where it is more than kernels of rows.
    """
    steps = []
    for made in rows.prepare(found.function, shape, dtype, arguments):
        steps.append(Step(found.name, made.kernel, shape[0], made.shape, made.dtype))
        shape = made.shape
    return steps


class Banded:
    """Steps, each of which reads what the one before it writes, as bands for `threads` threads."""

    def __init__(self, steps: Sequence[Step], image_bytes: int, threads: int) -> None:
        self.steps = tuple(steps)
        height = steps[-1].shape[0]
        self.threads = max(1, min(threads, height // MIN_BAND))
        while self.threads > 1 and band_rows(self.steps, image_bytes, self.threads) < SHARED_BAND:
            self.threads -= 1
        self.band = band_rows(self.steps, image_bytes, self.threads)
        cuts = [height * i // self.threads for i in range(self.threads + 1)]
        self.parts = [schedule(self.steps, self.band, *rows) for rows in pairwise(cuts)]

    @property
    def window_bytes(self) -> int:
        """Bytes of the images between the filters that are held."""
        return sum(
            n * step.row_bytes
            for part in self.parts
            for n, step in zip(part.windows, self.steps, strict=False)
        )

    def run(self, image: Array, out: Array | None = None) -> Array:
        """The last step's image, into `out` or a fresh array."""
        last = self.steps[-1]
        result = _checks.output(out, last.shape, last.dtype, image)
        images = [[image, *self._windows(part), result] for part in self.parts]
        run_together([partial(self._run_part, *each) for each in zip(self.parts, images, strict=True)])
        return result

    def _windows(self, part: Part) -> list[Array]:
        return [
            _checks.empty((n, *step.shape[1:]), step.dtype)
            for n, step in zip(part.windows, self.steps, strict=False)
        ]

    def _run_part(self, part: Part, images: list[Array]) -> None:
        for band in part.bands:
            for step, source, target, (kept, read, first, write) in zip(
                self.steps, images, images[1:], band, strict=False
            ):
                if kept.start:
                    target[: kept.stop - kept.start] = target[kept]
                if write.start < write.stop:
                    step.kernel.run(source[read], target[write], first, 1)

    def timed(self) -> tuple[Banded, list[float]]:
        """The same with a list beside it, in which the seconds of each step add up, shared by the threads."""
        seconds = [0.0] * len(self.steps)
        lock = Lock()

        def clocked(index: int, step: Step) -> Step:
            def run(source: Array, target: Array, first: int, threads: int) -> None:
                start = time.perf_counter()
                step.kernel.run(source, target, first, threads)
                with lock:
                    seconds[index] += (time.perf_counter() - start) / self.threads

            return replace(step, kernel=step.kernel._replace(run=run))

        found = copy(self)
        found.steps = tuple(clocked(i, step) for i, step in enumerate(self.steps))
        return found, seconds


def band_rows(steps: Sequence[Step], image_bytes: int, threads: int) -> int:
    """Rows of a band: as many as let a thread's windows stay in its cache."""
    room = max(image_bytes // IMAGE_SHARE - (threads - 1) * THREAD_BYTES, SMALL_BYTES)
    room = min(CACHE_BYTES, room // threads)
    each = sum(step.row_bytes for step in steps[:-1])
    beside = sum(a.row_bytes * b.reach for a, b in pairwise(steps))  # rows that the next step still reads
    most = (room - beside) // max(each, 1)
    return min(max(MIN_BAND, most // MIN_BAND * MIN_BAND), steps[-1].shape[0])


def schedule(steps: Sequence[Step], band: int, start: int, stop: int) -> Part:
    """What every step does for each band of the rows `start` to `stop` of the last image."""
    done = [start]  # the row that each step writes next
    for step in steps[:0:-1]:
        done.insert(0, step.reads(done[0], done[0] + 1)[0])
    bases = list(done)  # the row that each window starts with; the last image has no window
    bases[-1] = 0
    windows = [0] * (len(steps) - 1)
    bands = []
    for first in range(start, stop, band):
        ends: list[int] = []
        end = min(first + band, stop)
        for step in reversed(steps):
            ends.insert(0, end)
            end = step.reads(end - 1, end)[1]
        moves = []
        base = 0  # of the source
        for i, step in enumerate(steps):
            low, high = step.reads(done[i], max(ends[i], done[i] + 1))
            kept = slice(0, 0)
            if i < len(windows):
                need = steps[i + 1].reads(done[i + 1], done[i + 1] + 1)[0]
                kept = slice(need - bases[i], done[i] - bases[i])
                bases[i] = need
                windows[i] = max(windows[i], ends[i] - need)
            end = max(ends[i], done[i])
            moves.append(
                Move(
                    kept,
                    slice(low - base, high - base),
                    done[i] - low,
                    slice(done[i] - bases[i], end - bases[i]),
                )
            )
            done[i] = end
            base = bases[i]
        bands.append(moves)
    return Part(bands, windows)

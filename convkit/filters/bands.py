"""A chain of filters run band by band: which rows each filter reads and writes, planned once.

The rows of the last image are cut into chunks, which threads share, and chunks into bands. For each band all
filters of the chain write just the rows that the next one lacks, into a window on their image with no more
rows than are still read: so all that lies between two filters stays in the cache, and no row of a chunk is
computed twice. Borders are the image's own: a kernel is told which row of its source it starts from, and no
band reads beyond the rows at hand except where the image itself ends.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextvars import copy_context
from copy import copy
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from convkit import _checks
from convkit._checks import Array
from convkit.filters.registry import Filter
from convkit.ops import rows
from convkit.ops.rows import RowKernel

CACHE_BYTES = 768 * 1024
"""What the windows of a thread may take: well inside the second-level cache, beside what the kernels hold."""

SMALL_BYTES = 128 * 1024
IMAGE_SHARE = 10
"""All threads' windows take at most this part of the image, but where they are small in any case."""

MIN_BAND, MAX_BAND = 8, 64
CHUNKS_PER_THREAD = 4
MIN_CHUNK = 8
"""Rows of a chunk for each row that its start computes once more."""


@dataclass(frozen=True)
class Step:
    """A kernel of a chain, prepared for images of one shape and dtype."""

    name: str
    kernel: RowKernel
    height: int  # of the source
    shape: tuple[int, ...]  # of the result
    dtype: np.dtype[Any]
    cropped: bool = False  # whether it calls the filter, for more rows than are wanted

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


class Move(NamedTuple):
    """What one filter does for one band; rows count from the start of the windows that hold them."""

    kept: slice  # rows of its own window that are still needed, moved to the front first
    read: slice
    first: int  # the row, of those that are read, under the first one that is written
    write: slice


class Chunk(NamedTuple):
    """Rows of the last image that one thread fills."""

    bands: list[list[Move]]
    windows: list[int]  # rows that each image between two filters must hold


def prepare(
    found: Filter, arguments: dict[str, Any], shape: tuple[int, ...], dtype: np.dtype[Any]
) -> list[Step]:
    """The filter `found` as steps on images of `shape` and `dtype`; raises what the filter would."""
    kernels = rows.prepare(found.function, shape, dtype, arguments)
    if not kernels:
        return [_cropped(found, arguments, shape, dtype)]
    steps = []
    for kernel, result_shape, result_dtype in kernels:
        steps.append(Step(found.name, kernel, shape[0], result_shape, result_dtype))
        shape = result_shape
    return steps


def _cropped(found: Filter, arguments: dict[str, Any], shape: tuple[int, ...], dtype: np.dtype[Any]) -> Step:
    """A filter that is more than kernels: called on all rows that a band reads, for those that are wanted."""
    complete = found.arguments(**arguments)
    assert found.halo is not None
    top, bottom, left, right = found.halo(complete)
    result = shape
    if complete.get("border") == "valid":
        result = (shape[0] - top - bottom, shape[1] - left - right, *shape[2:])
        top, bottom = 0, top + bottom

    def run(source: Array, target: Array, first: int, threads: int) -> None:
        done = found.function(source, **arguments, num_threads=threads)
        target[...] = done[first : first + len(target)]

    kernel = RowKernel(run, top, bottom)
    return Step(found.name, kernel, shape[0], result, found.output_dtype(dtype, complete), cropped=True)


class Banded:
    """Steps, each of which reads what the one before it writes, as bands for `threads` threads."""

    def __init__(self, steps: Sequence[Step], image_bytes: int, threads: int) -> None:
        self.steps = tuple(steps)
        self.band = band_rows(self.steps, image_bytes // threads)
        chunks = [schedule(self.steps, a, b, self.band) for a, b in self._cuts(threads)]
        self.chunks = tuple(chunks)
        self.threads = min(threads, len(chunks))
        held = [max(rows) for rows in zip(*(chunk.windows for chunk in chunks), strict=True)]
        self.windows = tuple(held)

    def _cuts(self, threads: int) -> list[tuple[int, int]]:
        height = self.steps[-1].shape[0]
        if threads == 1:
            return [(0, height)]
        again = sum(step.reach for step in self.steps[1:])
        length = max(-(-height // (threads * CHUNKS_PER_THREAD)), MIN_CHUNK * again, self.band)
        return [(start, min(start + length, height)) for start in range(0, height, length)]

    @property
    def window_bytes(self) -> int:
        """Bytes of the images between two filters that one thread holds."""
        return sum(n * step.row_bytes for n, step in zip(self.windows, self.steps, strict=False))

    def run(self, image: Array, out: Array | None = None) -> Array:
        """The last step's image, into `out` or a fresh array."""
        last = self.steps[-1]
        result = _checks.output(out, last.shape, last.dtype, image)
        if self.threads == 1:
            self._work(iter(self.chunks), image, result)
        else:
            in_threads(self.threads, self._work, Shared(self.chunks), image, result)
        return result

    def _work(self, chunks: Any, image: Array, result: Array) -> None:
        between = [
            _checks.empty((n, *step.shape[1:]), step.dtype)
            for n, step in zip(self.windows, self.steps, strict=False)
        ]
        images = list(pairwise([image, *between, result]))
        kernels = [step.kernel.run for step in self.steps]
        for chunk in chunks:
            for band in chunk.bands:
                for kernel, (source, target), (kept, read, first, write) in zip(
                    kernels, images, band, strict=True
                ):
                    if kept.start:
                        target[: kept.stop - kept.start] = target[kept]
                    if write.start < write.stop:
                        kernel(source[read], target[write], first, 1)

    def timed(self) -> tuple[Banded, list[float]]:
        """The same with a list beside it, in which the seconds of each step add up."""
        seconds = [0.0] * len(self.steps)
        clocked = copy(self)
        clocked.steps = tuple(
            replace(step, kernel=_clocked(step.kernel, seconds, i)) for i, step in enumerate(self.steps)
        )
        return clocked, seconds


def _clocked(kernel: RowKernel, seconds: list[float], index: int) -> RowKernel:
    def run(source: Array, target: Array, first: int, threads: int) -> None:
        start = time.perf_counter()
        kernel.run(source, target, first, threads)
        seconds[index] += time.perf_counter() - start

    return kernel._replace(run=run)


def band_rows(steps: Sequence[Step], image_bytes: int) -> int:
    """Rows of a band: as many as let the windows stay in the cache, for a thread's `image_bytes` of image."""
    room = max(min(CACHE_BYTES, image_bytes // IMAGE_SHARE), SMALL_BYTES)
    each = sum(step.row_bytes for step in steps[:-1])
    beside = sum(a.row_bytes * b.reach for a, b in pairwise(steps))  # rows that the next step still reads
    return max(MIN_BAND, min((room - beside) // max(each, 1), MAX_BAND))


def schedule(steps: Sequence[Step], start: int, stop: int, band: int) -> Chunk:
    """What every step does for each band of the rows `start` to `stop` of the last image."""
    done: list[int] = []  # the row that each step writes next
    row = start
    for step in reversed(steps):
        done.insert(0, row)
        row = step.reads(row, row + 1)[0]
    bases = [*done[:-1], 0]  # the row that each window starts with; the last image has no window
    windows = [0] * (len(steps) - 1)
    bands = []
    for at in range(start, stop, band):
        ends: list[int] = []
        end = min(at + band, stop)
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
            write = slice(done[i] - bases[i], max(ends[i], done[i]) - bases[i])
            moves.append(Move(kept, slice(low - base, high - base), done[i] - low, write))
            done[i] = max(ends[i], done[i])
            base = bases[i]
        bands.append(moves)
    return Chunk(bands, windows)


class Shared:
    """An iterator that threads may share."""

    def __init__(self, items: Sequence[Any]) -> None:
        self._items = iter(items)
        self._lock = threading.Lock()

    def __iter__(self) -> Shared:
        return self

    def __next__(self) -> Any:
        with self._lock:
            return next(self._items)


def in_threads(count: int, work: Callable[..., None], *args: Any) -> None:
    """Run ``work(*args)`` in `count` threads, this one among them; raises what the first of them raised."""
    errors: list[BaseException] = []

    def guarded() -> None:
        try:
            work(*args)
        except BaseException as error:
            errors.append(error)

    others = [threading.Thread(target=copy_context().run, args=(guarded,)) for _ in range(count - 1)]
    for thread in others:
        thread.start()
    guarded()
    for thread in others:
        thread.join()
    if errors:
        raise errors[0]

"""A bounded pool of memory for outputs: in a loop, the pages of a result that died are the next one's.

The system clears every page of a large array when it is first touched, which costs more than many a filter.
A pool keeps the memory of arrays that nobody holds any more, up to a limit, and hands it out again.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from contextvars import ContextVar
from typing import Any

import numpy as np

SMALLEST = 64 * 1024
"""Smaller arrays are left to the allocator, which keeps their pages itself."""

PAGE = 4096


class Lease:
    """Memory of a pool: the base of every array and view upon it, so that it lives as long as any of them.

    NumPy lets a view refer to the array that owns the memory and skips those between; what is no array stays.
    """

    __slots__ = ("__array_interface__", "_memory", "_pool")

    def __init__(self, memory: Any, pool: Pool) -> None:
        self.__array_interface__ = memory.__array_interface__
        self._memory = memory
        self._pool = pool

    def __del__(self) -> None:
        self._pool.give(self._memory)


class Pool:
    """Memory of arrays that died, at most `limit` bytes of it.

    Any thread may take and give. Memory comes back when the last array upon it dies, which may be in the
    middle of anything, a collection of garbage in `take` included: so what comes back is put in a queue, and
    whoever gets the lock without waiting empties it.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.idle_bytes = 0
        self._idle: OrderedDict[int, list[Any]] = OrderedDict()  # by size; the size used last comes last
        self._returned: deque[Any] = deque()
        self._lock = threading.Lock()

    def take(self, size: int) -> np.ndarray[Any, Any]:
        """Memory of at least `size` bytes, as an array of bytes."""
        size = -(-size // PAGE) * PAGE
        memory = None
        if self._lock.acquire(blocking=False):  # never wait: in a forked child nobody may be left to unlock
            try:
                memory = self._pop(size)
            finally:
                self._lock.release()
            self._settle()
        if memory is None:
            memory = np.empty(size, np.uint8)
        return np.asarray(Lease(memory, self))

    def give(self, memory: Any) -> None:
        """Take `memory` back, and forget what was used longest ago where that is more than the limit."""
        self._returned.append(memory)
        self._settle()

    def close(self) -> None:
        """Forget all memory, now and whenever some comes back."""
        self.limit = 0
        self.give(np.empty(0, np.uint8))  # whoever holds the lock sees it, and the limit

    def _settle(self) -> None:
        while self._returned and self._lock.acquire(blocking=False):
            try:
                while self._returned:
                    self._push(self._returned.popleft())
            finally:
                self._lock.release()  # then look again: who came meanwhile did not wait

    def _push(self, memory: Any) -> None:
        self._idle.setdefault(memory.size, []).append(memory)
        self._idle.move_to_end(memory.size)
        self.idle_bytes += memory.size
        while self.idle_bytes > self.limit:
            self._pop(next(iter(self._idle)), 0)

    def _pop(self, size: int, place: int = -1) -> Any:
        """The memory of `size` bytes that came back last (`place` 0: first), None where there is none."""
        if size not in self._idle:
            return None
        memory = self._idle[size].pop(place)
        if not self._idle[size]:
            del self._idle[size]
        self.idle_bytes -= size
        return memory


current: ContextVar[Pool | None] = ContextVar("convkit_pool", default=None)

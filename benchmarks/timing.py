"""Interleaved timing: short blocks of each contender in turn, so that a slow spell hits them all."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping


def block(call: Callable[[], object], seconds: float) -> float:
    """The median time of one call, in seconds, over about `seconds` and at least three calls."""
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def interleaved(
    calls: Mapping[str, Callable[[], object]], rounds: int = 9, seconds: float = 0.015
) -> dict[str, list[float]]:
    """Block medians of each call, in seconds, one for each round; the first round, not counted, warms up."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(rounds + 1):
        for name, call in calls.items():
            spent = block(call, seconds)
            if turn:
                times[name].append(spent)
    return times

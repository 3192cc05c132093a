"""Interleaved timing: short blocks of each contender in turn, so that a slow spell hits them all."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping

import numpy as np

KEPT = 8
"""Results held alive, so that no allocator hands out the same warm memory again and again."""

KEPT_BYTES = 600_000_000
"""Of all results of one contender: fewer are kept where they are large, as the memory is the machine's."""


def block(call: Callable[[], object], seconds: float, kept: deque[object] | None = None) -> float:
    """The median time of one call, in seconds, over about `seconds` and three calls; `kept` holds results."""
    times: list[float] = []
    results = deque[object](maxlen=KEPT) if kept is None else kept
    end = time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        results.append(call())
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def interleaved(
    calls: Mapping[str, Callable[[], object]],
    result_bytes: int,
    rounds: int = 9,
    seconds: float = 0.015,
    most_bytes: int = KEPT_BYTES,
) -> dict[str, np.ndarray]:
    """Block medians of each call, in seconds, one for each round; the first round, not counted, warms up.

    Each call's last results, of `result_bytes` each, live on until its next block: who comes after whom does
    not decide who gets memory that the system need not clear first.
    """
    most = max(1, min(KEPT, most_bytes // result_bytes))
    times: dict[str, list[float]] = {name: [] for name in calls}
    kept: dict[str, deque[object]] = {name: deque(maxlen=most) for name in calls}
    for turn in range(rounds + 1):
        for name, call in calls.items():
            spent = block(call, seconds, kept[name])
            if turn:
                times[name].append(spent)
    return {name: np.array(values) for name, values in times.items()}


def interval(values: np.ndarray, resamples: int = 2000) -> tuple[float, float]:
    """The bootstrap 95 % interval of the median."""
    rng = np.random.default_rng(0)
    medians = np.median(rng.choice(values, (resamples, len(values))), axis=1)
    low, high = np.percentile(medians, [2.5, 97.5])
    return float(low), float(high)

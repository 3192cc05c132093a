"""`python -m benchmarks filters`: the bank beside OpenCV, SciPy, scikit-image and Pillow, row by row."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from benchmarks import bank
from benchmarks.filter_cases import Case
from benchmarks.timing import interleaved, interval

SECONDS = 1.5
"""What a row may take beside OpenCV, at least three rounds."""

OTHERS = ("scipy", "scikit-image", "pillow")
"""Libraries of one thread that are so much slower that a few calls tell."""


@dataclass
class Row:
    """What was measured of one case; times in seconds, medians over the rounds."""

    case: str
    threads: int
    seconds: float  # into a `dst` that is there
    seconds_interval: tuple[float, float]
    opencv: float
    ratio: float  # convkit's time over OpenCV's, median over the rounds; NaN where OpenCV has no such filter
    fresh: float  # into fresh outputs, eight of which live
    opencv_fresh: float
    fresh_ratio: float
    limit: float  # the share of the machine's limit, memory or multiply-adds, that `seconds` reaches
    difference: str  # between the two results
    others: dict[str, float] = field(default_factory=dict)  # convkit's fresh time over theirs
    random: bool = False


def measure(
    cases: Iterable[Case], threads: int, libraries: list[str], peak: float, bandwidth: float, random: bool
) -> Iterable[Row]:
    """Time every case; `peak` in GFLOP/s and `bandwidth` in GB/s of one core."""
    cv2.setNumThreads(threads)
    for case in cases:
        row = measure_case(case, threads, libraries, peak, bandwidth)
        row.random = random
        yield row


def measure_case(case: Case, threads: int, libraries: list[str], peak: float, bandwidth: float) -> Row:
    """Time one case, in blocks that take turns with OpenCV's."""
    image = case.image
    calls = {"convkit": own_call(case, threads)}
    if "opencv" in libraries and (found := chain_call("opencv", case)) is not None:
        calls["opencv"] = found
    results = {name: call(image, None) for name, call in calls.items()}
    timed: dict[str, Callable[[], object]] = {}
    for name, call in calls.items():
        dst = np.empty_like(results[name])
        timed[name] = bound(call, image, dst)
        timed[f"{name} fresh"] = bound(call, image, None)
    times = interleaved(timed, results["convkit"].nbytes, rounds(timed))
    missing = np.full(1, np.nan)
    ours, fresh = times["convkit"], times["convkit fresh"]
    theirs, their_fresh = times.get("opencv", missing), times.get("opencv fresh", missing)
    moved = (image.nbytes + results["convkit"].nbytes) / (bandwidth * 1e9)
    least = max(moved, 2 * case.products / (peak * 1e9 * threads * (4 / wide(case))))
    row = Row(
        case=case.name,
        threads=threads,
        seconds=float(np.median(ours)),
        seconds_interval=interval(ours),
        opencv=float(np.median(theirs)),
        ratio=float(np.median(ours / theirs)),
        fresh=float(np.median(fresh)),
        opencv_fresh=float(np.median(their_fresh)),
        fresh_ratio=float(np.median(fresh / their_fresh)),
        limit=least / float(np.median(ours)),
        difference=difference(results["convkit"], results["opencv"]) if "opencv" in results else "",
    )
    if threads == 1:
        for name in OTHERS:
            if name in libraries and (found := chain_call(name, case)) is not None:
                row.others[name] = row.fresh / few_calls(found, image)
    return row


def own_call(case: Case, threads: int) -> bank.Call:
    """The filter itself, or the chain."""
    if len(case.chain.stages) > 1:
        return lambda image, dst: case.chain(image, out=dst, num_threads=threads)
    ((found, arguments),) = case.chain.stages
    return lambda image, dst: found.function(image, **arguments, out=dst, num_threads=threads)


def chain_call(library: str, case: Case) -> bank.Call | None:
    """The filters of a case by another library, one after another; with a `dst`, those between are kept."""
    calls: list[bank.Call] = []
    now = case.image
    for found, arguments in case.chain.stages:
        call = bank.call_of(library, found, arguments, now)
        if call is None:
            return None
        calls.append(call)
        now = call(now, None) if len(case.chain.stages) > 1 else now
    if len(calls) == 1:
        return calls[0]
    between: dict[int, Any] = {}

    def together(image: np.ndarray, dst: np.ndarray | None) -> np.ndarray:
        for i, call in enumerate(calls):
            last = i == len(calls) - 1
            kept = dst if last else between.get(i) if dst is not None else None
            image = call(image, kept)
            if not last and dst is not None:
                between[i] = image
        return image

    return together


def bound(call: bank.Call, image: np.ndarray, dst: np.ndarray | None) -> Callable[[], object]:
    """A call without arguments."""
    return lambda: call(image, dst)


def rounds(calls: dict[str, Callable[[], object]]) -> int:
    """As many rounds of blocks, of 15 ms and three calls at least, as the time for a row allows."""
    each = 0.0
    for call in calls.values():
        start = time.perf_counter()
        call()
        each += max(0.015, 3 * (time.perf_counter() - start))
    return int(np.clip(SECONDS / each - 1, 3, 9))


def few_calls(call: bank.Call, image: np.ndarray, most: float = 0.25) -> float:
    """The median time of some calls, of one alone where that takes longer than `most` seconds."""
    times: list[float] = []
    while len(times) < 5 and sum(times) < most:
        start = time.perf_counter()
        call(image, None)
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def wide(case: Case) -> int:
    """Bytes of the numbers that are summed."""
    return 8 if case.dtype == "float64" else 4


def difference(ours: np.ndarray, theirs: np.ndarray) -> str:
    """In words, how far two results lie apart."""
    theirs = np.asarray(theirs).reshape(ours.shape)
    if ours.dtype != theirs.dtype:
        return f"{theirs.dtype}"
    if np.array_equal(ours, theirs):
        return "equal"
    if ours.dtype.kind == "f":
        return f"{np.abs(ours - theirs).max() / np.abs(theirs).max():.0e}"
    return f"{np.abs(ours.astype(int) - theirs).max()} units"

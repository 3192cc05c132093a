"""The machine's limits, measured: floating-point peak of one core, and copy bandwidth."""

from __future__ import annotations

import platform
from pathlib import Path

import numpy as np

from benchmarks.timing import block
from convkit import _dispatch


def fma_peak(isa: str, seconds: float = 0.05) -> float:
    """GFLOP/s of one core on float32 multiply-adds in registers."""
    peak = _dispatch.load(isa).family("peak", np.float32)
    steps = 200_000
    operations = peak.multiply_add(steps)
    return float(operations / block(lambda: peak.multiply_add(steps), seconds) / 1e9)


def copy_bandwidth(megabytes: int = 128, seconds: float = 0.2) -> float:
    """GB/s of one core, bytes read and written, copying an array far larger than the caches."""
    source = np.ones(megabytes << 18, np.float32)
    target = np.empty_like(source)
    return float(2 * source.nbytes / block(lambda: np.copyto(target, source), seconds) / 1e9)


def processor() -> str:
    """The processor's name, as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()

"""Hold the standing limits: a clean build, the size of the wheel, the time of `import convkit`."""

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

BUILD_SECONDS = 240
LOOP_SECONDS = 0.075
"""What `loop` takes on the machine of the build's limit; one that others use is up to twice as slow."""
WHEEL_MEGABYTES = 8.0
IMPORT_MILLISECONDS = 60.0

# In a fresh interpreter: what convkit adds to an import of NumPy, and what it must not bring along.
IMPORT = """
import time, numpy
start = time.perf_counter()
import convkit
spent = time.perf_counter() - start
import sys
heavy = {"cv2", "matplotlib"} & set(sys.modules)
assert not heavy, f"import convkit imports {heavy}"
print(spent * 1e3)
"""


def import_milliseconds(runs: int = 15) -> float:
    """The median over fresh interpreters, after one that fills the file cache."""
    times = [
        float(
            subprocess.run(
                [sys.executable, "-P", "-c", IMPORT],  # the installed package, not the checkout beside it
                check=True,
                capture_output=True,
                text=True,
            ).stdout
        )
        for _ in range(runs + 1)
    ]
    return statistics.median(times[1:])


def loop() -> float:
    """The seconds of a million rounds that never change."""
    start, number = time.perf_counter(), 0
    for i in range(1_000_000):
        number = number * 3 + i & 0xFFFF
    return time.perf_counter() - start


def slowness() -> float:
    """How many times as long the machine takes just now, from 1 to 2; all times are as much longer."""
    return min(2.0, max(1.0, statistics.median(loop() for _ in range(15)) / LOOP_SECONDS))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build-seconds", type=float, required=True)
    parser.add_argument("--wheel", type=Path, required=True)
    chosen = parser.parse_args()
    slow = slowness()
    rows = [
        ("clean build", chosen.build_seconds, BUILD_SECONDS * slow, "s"),
        ("wheel", chosen.wheel.stat().st_size / 1e6, WHEEL_MEGABYTES, "MB"),
        ("import convkit, beyond NumPy", import_milliseconds(), IMPORT_MILLISECONDS * slow, "ms"),
    ]
    for name, value, limit, unit in rows:
        print(f"{name}: {value:.1f} {unit} (limit {limit:.4g}){'' if value <= limit else '  TOO MUCH'}")
    return int(any(value > limit for _, value, limit, _ in rows))


if __name__ == "__main__":
    sys.exit(main())

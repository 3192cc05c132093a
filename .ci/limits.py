"""Hold the standing limits: a clean build, the size of the wheel, the time of `import convkit`."""

import argparse
import statistics
import subprocess
import sys
from pathlib import Path

BUILD_SECONDS = 240
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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build-seconds", type=float, required=True)
    parser.add_argument("--wheel", type=Path, required=True)
    chosen = parser.parse_args()
    rows = [
        ("clean build", chosen.build_seconds, BUILD_SECONDS, "s"),
        ("wheel", chosen.wheel.stat().st_size / 1e6, WHEEL_MEGABYTES, "MB"),
        ("import convkit, beyond NumPy", import_milliseconds(), IMPORT_MILLISECONDS, "ms"),
    ]
    for name, value, limit, unit in rows:
        print(f"{name}: {value:.1f} {unit} (limit {limit:g}){'' if value <= limit else '  TOO MUCH'}")
    return int(any(value > limit for _, value, limit, _ in rows))


if __name__ == "__main__":
    sys.exit(main())

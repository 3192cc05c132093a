"""What each algorithm costs: the steps that it makes, counted, times what a step was measured to take.

``python -m benchmarks costs`` measures the table anew, and prints it.
"""

from __future__ import annotations

from convkit._dispatch import ISAS

Work = dict[str, float]
"""How often each step is made: those of `PREPARING` when weights are prepared, the others in each call."""

PREPARING = ("plan", "weights")

# Nanoseconds of each step in float32, on the instruction sets of `ISAS`; those of float64 take twice as long.
COSTS: dict[str, dict[str, tuple[float, float, float]]] = {
    "gemm": {
        "plan": (4490, 9400, 5110),
        "weights": (0.22, 0.481, 0.268),
        "call": (4090, 5340, 3920),
        "products": (0.0526, 0.027, 0.0105),
        "thin products": (0.0429, 0.036, 0.0202),
        "tiles": (9.03, 21.9, 18.1),
        "rows": (3.96, 7.32, 4.15),
        "packed": (0.224, 0.255, 0.0854),
        "packed by pairs": (0.136, 0.225, 0.0888),
        "packed singly": (0.187, 0.34, 0.17),
        "repacked": (0.535, 0.684, 0.213),
        "outputs": (0.128, 0.0672, 0.0706),
        "moved": (0.207, 0.432, 0.165),
    },
    "broadcast": {
        "plan": (3570, 7640, 3740),
        "weights": (1.07, 1.91, 0.921),
        "call": (2180, 3290, 2070),
        "products": (0.0591, 0.0292, 0.0111),
        "thin products": (0.0688, 0.0386, 0.0136),
        "read in place": (0.128, 0.122, 0.0834),
        "rows": (5.96, 11.6, 4.66),
        "packed": (0.069, 0.0973, 0.0646),
        "outputs": (0.329, 0.266, 0.104),
        "moved": (0.113, 0.376, 0.151),
    },
    "depthwise": {
        "plan": (1820, 3810, 1840),
        "weights": (0.587, 0.932, 0.593),
        "call": (2110, 4430, 1980),
        "products": (0.0589, 0.0335, 0.0108),
        "single products": (0.0505, 0.0265, 0.0116),
        "single products by rows": (0.0597, 0.0382, 0.0179),
        "far reads": (0.0158, 0.0127, 0.00761),
        "packed": (0.109, 0.125, 0.0669),
        "packed by pairs": (0.169, 0.152, 0.0938),
        "packed singly": (0.237, 0.248, 0.0997),
        "rows": (1.44, 1.47, 0.712),
        "tiles": (1.36, 8.03, 5.23),
        "outputs": (0.157, 0.0162, 0.0428),
        "moved": (0.0643, 0.29, 0.0833),
    },
    "winograd": {
        "plan": (3870, 6810, 4210),
        "weights": (0.567, 0.999, 0.45),
        "call": (1930, 1640, 467),
        "products": (0.0601, 0.0282, 0.0103),
        "inputs": (0.131, 0.451, 0.179),
        "inputs written far": (0, 0, 0.101),
        "outputs": (0.194, 0.309, 0.136),
        "units": (773, 1180, 2380),
        "moved": (0.284, 0.514, 0.149),
    },
    "fft": {
        "plan": (58000, 151000, 51000),
        "weights": (4.8, 9.12, 4.91),
        "call": (10400, 66700, 0),
        "transforms": (1.89, 2.77, 1.72),
        "products": (0.342, 1.07, 0.291),
        "read": (1.53, 3.08, 1.98),
        "tiles": (37200, 79900, 39500),
        "moved": (1.8, 7.09, 2.51),
    },
}


def predicted(work: Work, algorithm: str, isa: str, itemsize: int) -> tuple[float, float]:
    """Milliseconds on one thread: of preparing the weights, and of a call."""
    costs, column = COSTS[algorithm], ISAS.index(isa)
    times = {step: count * costs[step][column] * 1e-6 * itemsize / 4 for step, count in work.items()}
    preparation = sum(times.pop(step, 0) for step in PREPARING)
    return preparation, sum(times.values())

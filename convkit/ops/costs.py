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
        "plan": (4490, 4720, 5110),
        "weights": (0.22, 0.251, 0.268),
        "call": (4090, 4210, 3920),
        "products": (0.0526, 0.018, 0.0105),
        "thin products": (0.0429, 0.025, 0.0202),
        "tiles": (9.03, 11.1, 18.1),
        "rows": (3.96, 4.33, 4.15),
        "packed": (0.224, 0.171, 0.0854),
        "packed by pairs": (0.136, 0.104, 0.0888),
        "packed singly": (0.187, 0.135, 0.17),
        "repacked": (0.535, 0.325, 0.213),
        "outputs": (0.128, 0.0518, 0.0706),
        "moved": (0.207, 0.148, 0.165),
    },
    "broadcast": {
        "plan": (3570, 3730, 3740),
        "weights": (1.07, 1.06, 0.921),
        "call": (2180, 1820, 2070),
        "products": (0.0591, 0.0193, 0.0111),
        "thin products": (0.0688, 0.0229, 0.0136),
        "read in place": (0.128, 0.0935, 0.0834),
        "rows": (5.96, 6.36, 4.66),
        "packed": (0.069, 0.102, 0.0646),
        "outputs": (0.329, 0.221, 0.104),
        "moved": (0.113, 0.0963, 0.151),
    },
    "depthwise": {
        "plan": (1820, 1940, 1840),
        "weights": (0.587, 0.63, 0.593),
        "call": (2110, 2290, 1980),
        "products": (0.0589, 0.0182, 0.0108),
        "single products": (0.0505, 0.0191, 0.0116),
        "single products by rows": (0.0597, 0.027, 0.0179),
        "far reads": (0.0158, 0.0083, 0.00761),
        "packed": (0.109, 0.0659, 0.0669),
        "packed by pairs": (0.169, 0.0896, 0.0938),
        "packed singly": (0.237, 0.147, 0.0997),
        "rows": (1.44, 0.788, 0.712),
        "tiles": (1.36, 9.56, 5.23),
        "outputs": (0.157, 0, 0.0428),
        "moved": (0.0643, 0.0726, 0.0833),
    },
    "winograd": {
        "plan": (3870, 3960, 4210),
        "weights": (0.567, 0.478, 0.45),
        "call": (1930, 1600, 467),
        "products": (0.0601, 0.0192, 0.0103),
        "inputs": (0.131, 0.188, 0.179),
        "inputs written far": (0, 0.146, 0.101),
        "outputs": (0.194, 0.149, 0.136),
        "units": (773, 1090, 2380),
        "moved": (0.284, 0.152, 0.149),
    },
    "fft": {
        "plan": (58000, 51700, 51000),
        "weights": (4.8, 4.78, 4.91),
        "call": (10400, 1910, 0),
        "transforms": (1.89, 1.79, 1.72),
        "products": (0.342, 0.298, 0.291),
        "read": (1.53, 1.8, 1.98),
        "tiles": (37200, 35700, 39500),
        "moved": (1.8, 2.05, 2.51),
    },
}


def predicted(work: Work, algorithm: str, isa: str, itemsize: int) -> tuple[float, float]:
    """Milliseconds on one thread: of preparing the weights, and of a call."""
    costs, column = COSTS[algorithm], ISAS.index(isa)
    times = {step: count * costs[step][column] * 1e-6 * itemsize / 4 for step, count in work.items()}
    preparation = sum(times.pop(step, 0) for step in PREPARING)
    return preparation, sum(times.values())

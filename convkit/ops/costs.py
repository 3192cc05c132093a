"""What each algorithm costs: the steps that it makes, counted, times what a step was measured to take.

``python -m benchmarks costs`` measures the table anew, and prints it.
"""

from __future__ import annotations

from convkit._dispatch import ISAS

Work = dict[str, float]
"""How often each step is made: those of `PREPARING` when weights are prepared, the others in each call."""

PREPARING = ("plan", "weights")

# Nanoseconds of each step in float32, on the instruction sets of `ISAS`; those of float64 take twice as
# long. Weights are prepared with other layers' numbers in the caches (not yet on the baseline); a plan's
# own time is of warm caches, as what Python takes more in cold ones it takes for every algorithm.
COSTS: dict[str, dict[str, tuple[float, float, float]]] = {
    "gemm": {
        "plan": (4490, 17300, 18000),
        "weights": (0.22, 0.189, 0.219),
        "call": (4090, 2630, 2310),
        "products": (0.0526, 0.0194, 0.018),
        "thin products": (0.0429, 0.0278, 0.0257),
        "tiles": (9.03, 9.81, 13.3),
        "rows": (3.96, 3.59, 4.66),
        "packed": (0.224, 0.161, 0.142),
        "packed by pairs": (0.136, 0.137, 0.126),
        "packed singly": (0.187, 0.161, 0.165),
        "repacked": (0.535, 0.307, 0.189),
        "outputs": (0.128, 0.0978, 0.139),
        "outputs by lines": (0.128, 0.0739, 0.0387),
        "moved": (0.207, 0.0602, 0.069),
        "moved by lines": (0.207, 0.0586, 0.0692),
    },
    "broadcast": {
        "plan": (3570, 13100, 13400),
        "weights": (1.07, 1.19, 1.03),
        "call": (2180, 2120, 1610),
        "products": (0.0591, 0.0206, 0.0198),
        "thin products": (0.0688, 0.0246, 0.0169),
        "read in place": (0.128, 0.00535, 0),
        "read apart": (0.128, 0.0639, 0),
        "rows": (5.96, 3.23, 3.05),
        "packed": (0.069, 0.0711, 0.0585),
        "outputs": (0.329, 0.207, 0.131),
        "moved": (0.113, 0.0667, 0.121),
    },
    "depthwise": {
        "plan": (1820, 8790, 8950),
        "weights": (0.587, 0.762, 0.803),
        "call": (2110, 2530, 2560),
        "products": (0.0589, 0.0207, 0.0197),
        "single products": (0.0505, 0.0194, 0.0167),
        "single products by rows": (0.0597, 0.0291, 0.0207),
        "far reads": (0.0158, 0.00498, 0.00566),
        "packed": (0.109, 0.0431, 0.0751),
        "packed by pairs": (0.169, 0.0475, 0.0559),
        "packed singly": (0.237, 0.0598, 0.0601),
        "packed apart": (0, 0.0513, 0.0293),
        "rows": (1.44, 0.545, 0.0717),
        "tiles": (1.36, 3.2, 5.82),
        "outputs": (0.157, 0.0977, 0),
        "moved": (0.0643, 0.117, 0.135),
    },
    "winograd": {
        "plan": (3870, 13100, 13500),
        "weights": (0.567, 0.426, 0.405),
        "call": (1930, 2560, 430),
        "products": (0.0601, 0.02, 0.0175),
        "inputs": (0.131, 0.337, 0.313),
        "inputs written far": (0, 0.0147, 0.00168),
        "outputs": (0.194, 0.193, 0.183),
        "units": (773, 754, 1850),
        "moved": (0.284, 0.254, 0.247),
    },
    "winograd_1d": {
        "plan": (13400, 14400, 14400),
        "weights": (1.62, 1.14, 0.781),
        "call": (3470, 3010, 3280),
        "products": (0.0569, 0.0225, 0.0174),
        "sums": (0.229, 0.0857, 0.186),
        "sums of three": (0.229, 0.0616, 0.169),
        "rows": (7.32, 8.21, 8.48),
        "packed": (0.164, 0.0667, 0.296),
        "packed by pairs": (0.0142, 0.00965, 0.185),
        "packed singly": (0.145, 0.00949, 0.226),
        "outputs": (0.316, 0.209, 0),
        "moved": (0.225, 0.179, 0.0432),
    },
    "fft": {
        "plan": (58000, 97000, 97600),
        "weights": (4.8, 4.75, 5.06),
        "call": (10400, 29200, 11000),
        "transforms": (1.89, 2.1, 1.73),
        "products": (0.342, 0.425, 0.438),
        "read": (1.53, 1.81, 2.23),
        "tiles": (37200, 41400, 48200),
        "moved": (1.8, 2.33, 2.96),
    },
}


def predicted(work: Work, algorithm: str, isa: str, itemsize: int) -> tuple[float, float]:
    """Milliseconds on one thread: of preparing the weights, and of a call."""
    costs, column = COSTS[algorithm], ISAS.index(isa)
    times = {step: count * costs[step][column] * 1e-6 * itemsize / 4 for step, count in work.items()}
    preparation = sum(times.pop(step, 0) for step in PREPARING)
    return preparation, sum(times.values())

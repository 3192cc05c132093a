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
        "plan": (3550, 3830, 3800),
        "weights": (0.363, 0.405, 0.337),
        "call": (4040, 4140, 3840),
        "products": (0.0514, 0.0176, 0.0095),
        "thin products": (0.0427, 0.0254, 0.0198),
        "tiles": (8.8, 10.9, 16.9),
        "rows": (3.63, 4.56, 3.88),
        "packed": (0.229, 0.16, 0.0802),
        "packed by pairs": (0.139, 0.0978, 0.0902),
        "packed singly": (0.189, 0.127, 0.17),
        "repacked": (0.534, 0.328, 0.196),
        "outputs": (0.131, 0.0541, 0.0741),
        "moved": (0.175, 0.139, 0.155),
    },
    "broadcast": {
        "plan": (3480, 3850, 3820),
        "weights": (1.03, 1.01, 0.781),
        "call": (2170, 1820, 2040),
        "products": (0.057, 0.0192, 0.01),
        "thin products": (0.0676, 0.0226, 0.0125),
        "read in place": (0.117, 0.0927, 0.0848),
        "rows": (5.51, 6.51, 4.63),
        "packed": (0.063, 0.0902, 0.0528),
        "outputs": (0.309, 0.219, 0.101),
        "moved": (0.102, 0.0897, 0.142),
    },
    "depthwise": {
        "plan": (1850, 1930, 1820),
        "weights": (0.58, 0.638, 0.592),
        "call": (1730, 2150, 1830),
        "products": (0.0573, 0.019, 0.0109),
        "products by rows": (0.0617, 0.0217, 0.0124),
        "packed": (0.0909, 0.0955, 0.0876),
        "packed by pairs": (0.165, 0.112, 0.103),
        "packed singly": (0.237, 0.162, 0.109),
        "rows": (1.79, 0.977, 0.858),
        "tiles": (3.91, 7.96, 3.33),
        "outputs": (0.0348, 0, 0.0377),
        "moved": (0.0639, 0.0624, 0.0781),
    },
    "winograd": {
        "plan": (3920, 4080, 4100),
        "weights": (0.532, 0.452, 0.406),
        "call": (2080, 1560, 369),
        "products": (0.0585, 0.0195, 0.00968),
        "inputs": (0.136, 0.197, 0.168),
        "inputs written far": (0, 0.169, 0.0927),
        "outputs": (0.196, 0.145, 0.132),
        "units": (752, 1100, 2410),
        "moved": (0.207, 0.124, 0.137),
    },
    "fft": {
        "plan": (57600, 53000, 51600),
        "weights": (4.52, 4.61, 4.62),
        "call": (4990, 754, 0),
        "transforms": (1.85, 1.77, 1.72),
        "products": (0.313, 0.276, 0.24),
        "read": (1.6, 1.88, 1.88),
        "tiles": (35700, 36600, 41000),
        "moved": (1.8, 2.12, 2.24),
    },
}


def predicted(work: Work, algorithm: str, isa: str, itemsize: int) -> tuple[float, float]:
    """Milliseconds on one thread: of preparing the weights, and of a call."""
    costs, column = COSTS[algorithm], ISAS.index(isa)
    times = {step: count * costs[step][column] * 1e-6 * itemsize / 4 for step, count in work.items()}
    preparation = sum(times.pop(step, 0) for step in PREPARING)
    return preparation, sum(times.values())

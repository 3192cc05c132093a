"""What each algorithm costs: the steps that it makes, counted, times what a step was measured to take.

``python -m benchmarks costs`` measures the table anew, and prints it.
"""

from __future__ import annotations

from convkit._dispatch import ISAS

Work = dict[str, float]
"""How often each step is made: those of `PREPARING` when weights are prepared, the others in each call."""

PREPARING = ("plan", "weights", "broadcast weights")

# Nanoseconds of each step in float32, on the instruction sets of `ISAS`; those of float64 take twice as long.
COSTS: dict[str, dict[str, tuple[float, float, float]]] = {
    "gemm": {
        "plan": (5310, 5530, 5390),
        "weights": (0.353, 0.382, 0.293),
        "broadcast weights": (1.13, 1.18, 1.07),
        "call": (4890, 4630, 3380),
        "products": (0.0511, 0.0171, 0.0102),
        "thin products": (0.0489, 0.027, 0.0229),
        "broadcast products": (0.0503, 0.0179, 0.00949),
        "packed": (0.253, 0.217, 0.158),
        "packed by pairs": (0.241, 0.216, 0.211),
        "packed singly": (0.545, 0.395, 0.403),
        "repacked": (0.0238, 0.0214, 0.0123),
        "outputs": (0.354, 0.218, 0.193),
    },
    "depthwise": {
        "plan": (1830, 1850, 1790),
        "weights": (0.598, 0.647, 0.607),
        "call": (1600, 2200, 2210),
        "products": (0.058, 0.0196, 0.0118),
        "products by rows": (0.0619, 0.0219, 0.0137),
        "packed": (0.104, 0.0939, 0.132),
        "packed by pairs": (0.154, 0.113, 0.14),
        "packed singly": (0.261, 0.171, 0.165),
        "rows": (2.67, 1.82, 0),
        "outputs": (0.217, 0.174, 0.0726),
    },
    "winograd": {
        "plan": (3550, 3810, 3730),
        "weights": (0.569, 0.445, 0.41),
        "call": (1750, 1740, 769),
        "products": (0.0554, 0.018, 0.00994),
        "inputs": (0.253, 0.252, 0.216),
        "outputs": (0.324, 0.211, 0.181),
        "units": (464, 575, 1390),
    },
    "fft": {
        "plan": (47700, 49600, 48000),
        "weights": (4.58, 4.43, 4.41),
        "call": (9460, 9700, 11400),
        "transforms": (2.02, 1.93, 1.97),
        "products": (0.436, 0.405, 0.448),
        "read": (1.37, 1.5, 1.35),
        "tiles": (22700, 22700, 22800),
    },
}


def predicted(work: Work, algorithm: str, isa: str, itemsize: int) -> tuple[float, float]:
    """Milliseconds on one thread: of preparing the weights, and of a call."""
    costs, column = COSTS[algorithm], ISAS.index(isa)
    times = {step: count * costs[step][column] * 1e-6 * itemsize / 4 for step, count in work.items()}
    preparation = sum(times.pop(step, 0) for step in PREPARING)
    return preparation, sum(times.values())

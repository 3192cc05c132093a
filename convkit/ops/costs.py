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
        "plan": (3520, 3820, 3750),
        "weights": (0.366, 0.437, 0.344),
        "call": (3850, 4450, 3770),
        "products": (0.0515, 0.0179, 0.00973),
        "thin products": (0.0422, 0.0256, 0.02),
        "tiles": (8.95, 10.9, 17.4),
        "rows": (3.62, 4.43, 3.82),
        "packed": (0.23, 0.17, 0.0806),
        "packed by pairs": (0.13, 0.109, 0.0955),
        "packed singly": (0.204, 0.132, 0.173),
        "repacked": (0.527, 0.331, 0.181),
        "outputs": (0.138, 0.0419, 0.0631),
        "moved": (0.182, 0.156, 0.167),
    },
    "broadcast": {
        "plan": (3450, 3720, 3530),
        "weights": (1.06, 1.07, 0.914),
        "call": (2200, 2100, 2070),
        "products": (0.0592, 0.0199, 0.0104),
        "thin products": (0.0808, 0.0326, 0.0143),
        "read in place": (0.121, 0.0901, 0.095),
        "rows": (6.09, 6.82, 5.3),
        "packed": (0.0701, 0.0651, 0.0477),
        "outputs": (0.398, 0.269, 0.115),
        "moved": (0.0946, 0.0804, 0.127),
    },
    "depthwise": {
        "plan": (1790, 1860, 1800),
        "weights": (0.575, 0.637, 0.592),
        "call": (1750, 2140, 1900),
        "products": (0.0574, 0.0193, 0.0109),
        "products by rows": (0.0616, 0.0223, 0.0124),
        "packed": (0.0857, 0.0982, 0.0855),
        "packed by pairs": (0.156, 0.114, 0.106),
        "packed singly": (0.242, 0.165, 0.11),
        "rows": (1.8, 0.981, 0.912),
        "tiles": (1.58, 8, 3.91),
        "outputs": (0.127, 0, 0.0296),
        "moved": (0.0629, 0.0692, 0.0838),
    },
    "winograd": {
        "plan": (3830, 4070, 3970),
        "weights": (0.538, 0.47, 0.427),
        "call": (1890, 1520, 482),
        "products": (0.0584, 0.0198, 0.00969),
        "inputs": (0.132, 0.192, 0.172),
        "inputs written far": (0, 0.173, 0.1),
        "outputs": (0.193, 0.141, 0.134),
        "units": (753, 1120, 2320),
        "moved": (0.213, 0.165, 0.162),
    },
    "fft": {
        "plan": (58600, 52800, 50700),
        "weights": (4.63, 4.84, 4.86),
        "call": (8010, 2870, 0),
        "transforms": (1.85, 1.84, 1.72),
        "products": (0.326, 0.292, 0.258),
        "read": (1.62, 1.81, 1.95),
        "tiles": (36600, 34300, 39000),
        "moved": (1.82, 1.94, 2.62),
    },
}


def predicted(work: Work, algorithm: str, isa: str, itemsize: int) -> tuple[float, float]:
    """Milliseconds on one thread: of preparing the weights, and of a call."""
    costs, column = COSTS[algorithm], ISAS.index(isa)
    times = {step: count * costs[step][column] * 1e-6 * itemsize / 4 for step, count in work.items()}
    preparation = sum(times.pop(step, 0) for step in PREPARING)
    return preparation, sum(times.values())

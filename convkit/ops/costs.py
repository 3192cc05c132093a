"""What each algorithm costs: the steps that it makes, counted, times what a step was measured to take.

``python -m benchmarks costs`` measures the table anew, and prints it.
"""

from __future__ import annotations

from convkit._dispatch import ISAS

Work = dict[str, float]
"""How often each step is made; "weights" and "plan" when weights are prepared, the others in each call."""

# Nanoseconds of each step in float32, on the instruction sets of `ISAS`; those of float64 take twice as long.
COSTS: dict[str, dict[str, tuple[float, float, float]]] = {
    "gemm": {
        "plan": (4520, 4860, 4660),
        "weights": (0.406, 0.454, 0.366),
        "call": (3030, 3210, 2930),
        "products": (0.0582, 0.0202, 0.0118),
        "thin products": (0.0542, 0.0315, 0.0241),
        "packed": (0.2, 0.185, 0.181),
        "packed by pairs": (0.257, 0.265, 0.267),
        "packed singly": (0.679, 0.618, 0.617),
        "repacked": (0.292, 0.206, 0.244),
        "outputs": (0.146, 0.108, 0.149),
    },
    "depthwise": {
        "plan": (5860, 5770, 5250),
        "weights": (3.24, 3.35, 3.19),
        "call": (2460, 2380, 2200),
        "products": (0.0555, 0.022, 0.0134),
        "products by rows": (0.0625, 0.0283, 0.0204),
        "packed": (0.207, 0.168, 0.154),
        "packed by pairs": (0.282, 0.286, 0.226),
        "packed singly": (0.669, 0.672, 0.74),
        "rows": (3.25, 4.86, 1.9),
        "outputs": (0.111, 0.0646, 0.0382),
    },
    "winograd": {
        "plan": (5130, 5290, 6720),
        "weights": (0.88, 0.917, 0.889),
        "call": (633, 1040, 99.5),
        "products": (0.0544, 0.019, 0.0101),
        "inputs": (0.286, 0.276, 0.232),
        "outputs": (0.3, 0.203, 0.186),
        "units": (584, 755, 1810),
    },
    "fft": {
        "plan": (50300, 50500, 47400),
        "weights": (4.65, 4.99, 4.79),
        "call": (9580, 12100, 8170),
        "transforms": (2.13, 2.26, 2.15),
        "products": (0.436, 0.353, 0.315),
        "read": (1.32, 1.34, 1.53),
        "tiles": (27400, 24300, 25600),
    },
}


def predicted(work: Work, algorithm: str, isa: str, itemsize: int) -> tuple[float, float]:
    """Milliseconds on one thread: of preparing the weights, and of a call."""
    costs, column = COSTS[algorithm], ISAS.index(isa)
    times = {step: count * costs[step][column] * 1e-6 * itemsize / 4 for step, count in work.items()}
    preparation = times.pop("weights") + times.pop("plan")
    return preparation, sum(times.values())

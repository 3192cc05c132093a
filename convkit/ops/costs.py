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
        "plan": (4480, 4670, 4540),
        "weights": (0.42, 0.425, 0.349),
        "call": (4140, 3730, 3280),
        "products": (0.0573, 0.0192, 0.0106),
        "thin products": (0.0558, 0.0314, 0.0253),
        "packed": (0.199, 0.147, 0.135),
        "packed by pairs": (0.257, 0.237, 0.239),
        "packed singly": (0.451, 0.385, 0.415),
        "repacked": (0.314, 0.236, 0.256),
        "outputs": (0.241, 0.147, 0.175),
    },
    "depthwise": {
        "plan": (5450, 5190, 5030),
        "weights": (2.51, 2.48, 1.63),
        "call": (2060, 2450, 2410),
        "products": (0.0551, 0.0194, 0.0118),
        "products by rows": (0.0584, 0.0208, 0.0131),
        "packed": (0.139, 0.115, 0.135),
        "packed by pairs": (0.225, 0.159, 0.137),
        "packed singly": (0.337, 0.228, 0.173),
        "rows": (0.962, 1.15, 0.16),
        "outputs": (0.244, 0.156, 0.0832),
    },
    "winograd": {
        "plan": (5080, 5210, 5840),
        "weights": (0.609, 0.473, 0.48),
        "call": (605, 1300, 393),
        "products": (0.0519, 0.016, 0.00881),
        "inputs": (0.263, 0.235, 0.226),
        "outputs": (0.305, 0.195, 0.172),
        "units": (419, 507, 1490),
    },
    "fft": {
        "plan": (48000, 49900, 50100),
        "weights": (4.69, 4.52, 4.54),
        "call": (9420, 9490, 9400),
        "transforms": (2.15, 2.13, 2.14),
        "products": (0.368, 0.297, 0.276),
        "read": (1.3, 1.33, 1.36),
        "tiles": (25900, 25800, 25300),
    },
}


def predicted(work: Work, algorithm: str, isa: str, itemsize: int) -> tuple[float, float]:
    """Milliseconds on one thread: of preparing the weights, and of a call."""
    costs, column = COSTS[algorithm], ISAS.index(isa)
    times = {step: count * costs[step][column] * 1e-6 * itemsize / 4 for step, count in work.items()}
    preparation = times.pop("weights") + times.pop("plan")
    return preparation, sum(times.values())

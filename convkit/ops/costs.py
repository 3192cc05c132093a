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
# own time is of warm caches, as what Python takes more in cold ones it takes for every algorithm. The
# products of "depthwise" on AVX-512 count a tenth less than was fitted: fewer layers are then given a
# slower algorithm. What "winograd_1d" moves on AVX-512 was measured on first layers, whose results come back
# from memory while products are summed.
COSTS: dict[str, dict[str, tuple[float, float, float]]] = {
    "gemm": {
        "plan": (4490, 9890, 13900),
        "weights": (0.22, 0.8, 0.212),
        "call": (4090, 4660, 3160),
        "products": (0.0526, 0.0271, 0.0185),
        "thin products": (0.0429, 0.0345, 0.0267),
        "tiles": (9.03, 15.8, 14.3),
        "rows": (3.96, 6.3, 5.19),
        "packed": (0.224, 0.31, 0.122),
        "packed by pairs": (0.136, 0.311, 0.115),
        "packed singly": (0.187, 0.372, 0.147),
        "repacked": (0.535, 0.308, 0.179),
        "outputs": (0.128, 0.254, 0.0547),
        "outputs by lines": (0.128, 0.195, 0.0274),
        "moved": (0.207, 0.118, 0.0967),
    },
    "broadcast": {
        "plan": (3570, 8240, 10300),
        "weights": (1.07, 3.18, 1.14),
        "call": (2180, 4010, 2330),
        "products": (0.0591, 0.0336, 0.0198),
        "thin products": (0.0688, 0.0399, 0.0173),
        "read in place": (0.128, 0.0336, 0.00379),
        "read apart": (0.128, 0.157, 0.0161),
        "rows": (5.96, 10.6, 3.18),
        "packed": (0.069, 0.0347, 0.0837),
        "outputs": (0.329, 0.294, 0.117),
        "moved": (0.113, 0.154, 0.117),
    },
    "depthwise": {
        "plan": (1820, 3920, 6450),
        "weights": (0.587, 3.52, 0.756),
        "call": (2110, 3620, 2710),
        "products": (0.0589, 0.0343, 0.0176),
        "single products": (0.0505, 0.0276, 0.0161),
        "single products by rows": (0.0597, 0.0352, 0.0212),
        "far reads": (0.0158, 0.0131, 0.0051),
        "packed": (0.109, 0.107, 0.0564),
        "packed by pairs": (0.169, 0.0917, 0.0591),
        "packed singly": (0.237, 0.149, 0.0579),
        "packed apart": (0, 0.0436, 0.0307),
        "rows": (1.44, 1.26, 0.445),
        "tiles": (1.36, 8.05, 4.3),
        "outputs": (0.157, 0.0982, 0),
        "moved": (0.0643, 0.189, 0.142),
    },
    "winograd": {
        "plan": (3870, 7980, 10400),
        "weights": (0.567, 1.27, 0.393),
        "call": (1930, 4410, 1420),
        "products": (0.0601, 0.029, 0.0173),
        "inputs": (0.131, 0.5, 0.339),
        "inputs written far": (0, 0.00649, 0),
        "outputs": (0.194, 0.299, 0.16),
        "units": (773, 1050, 1590),
        "moved": (0.284, 0.42, 0.321),
    },
    "winograd_1d": {
        "plan": (13400, 13400, 13500),
        "weights": (1.62, 1.16, 0.737),
        "call": (3470, 4160, 3140),
        "products": (0.0569, 0.0346, 0.0169),
        "sums": (0.229, 0.145, 0.118),
        "rows": (7.32, 14.7, 8.04),
        "packed": (0.164, 0.0377, 0.339),
        "packed by pairs": (0.0142, 0, 0.19),
        "packed singly": (0.145, 0.0675, 0.185),
        "outputs": (0.316, 0.426, 0.0585),
        "moved": (0.225, 0.165, 0.1),
    },
    "fft": {
        "plan": (58000, 189000, 97400),
        "weights": (4.8, 11.1, 4.66),
        "call": (10400, 51800, 22700),
        "transforms": (1.89, 2.96, 1.77),
        "products": (0.342, 0.354, 0.552),
        "read": (1.53, 3.69, 2.07),
        "tiles": (37200, 109000, 37300),
        "moved": (1.8, 7.93, 2.25),
    },
}


def predicted(work: Work, algorithm: str, isa: str, itemsize: int) -> tuple[float, float]:
    """Milliseconds on one thread: of preparing the weights, and of a call."""
    costs, column = COSTS[algorithm], ISAS.index(isa)
    times = {step: count * costs[step][column] * 1e-6 * itemsize / 4 for step, count in work.items()}
    preparation = sum(times.pop(step, 0) for step in PREPARING)
    return preparation, sum(times.values())

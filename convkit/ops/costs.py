"""What each algorithm costs: the steps that it makes, counted, times what a step was measured to take.

``python -m benchmarks costs`` measures the table anew, and prints it.
"""

from __future__ import annotations

from convkit import _dispatch

Work = dict[str, float]
"""How often each step is made: those of `PREPARING` when weights are prepared, the others in each call."""

PREPARING = ("plan", "weights")

MACHINES = (*_dispatch.ISAS, "avx512 twice")
"""Those that the table was measured on: for each instruction set one, and for AVX-512 two, as some multiply
and add in two of its registers a cycle, others in one."""

# Nanoseconds of each step in float32, on each of `MACHINES`; those of float64 take twice as long. Weights are
# prepared with other layers' numbers in the caches (not yet on the baseline); a plan's own time is of warm
# caches, as what Python takes more in cold ones it takes for every algorithm.
COSTS: dict[str, dict[str, tuple[float, float, float, float]]] = {
    "gemm": {
        "plan": (4490, 17300, 18000, 6200),
        "weights": (0.22, 0.189, 0.219, 0.411),
        "call": (4090, 2630, 2310, 2510),
        "products": (0.0526, 0.0194, 0.018, 0.0126),
        "thin products": (0.0429, 0.0278, 0.0257, 0.0223),
        "tiles": (9.03, 9.81, 13.3, 13.4),
        "rows": (3.96, 3.59, 4.66, 5.6),
        "packed": (0.224, 0.161, 0.142, 0.166),
        "packed by pairs": (0.136, 0.137, 0.126, 0.132),
        "packed singly": (0.187, 0.161, 0.165, 0.132),
        "repacked": (0.535, 0.307, 0.189, 0.144),
        "outputs": (0.128, 0.0978, 0.139, 0.163),
        "outputs by lines": (0.128, 0.0739, 0.0387, 0.0839),
        "moved": (0.207, 0.0602, 0.069, 0.164),
        "moved by lines": (0.207, 0.0586, 0.0692, 0.147),
    },
    "broadcast": {
        "plan": (3570, 13100, 13400, 4500),
        "weights": (1.07, 1.19, 1.03, 1.3),
        "call": (2180, 2120, 1610, 1460),
        "products": (0.0591, 0.0206, 0.0198, 0.0148),
        "thin products": (0.0688, 0.0246, 0.0169, 0.0157),
        "read in place": (0.128, 0.00535, 0, 0.0162),
        "read apart": (0.128, 0.0639, 0, 0.0538),
        "rows": (5.96, 3.23, 3.05, 4.7),
        "packed": (0.069, 0.0711, 0.0585, 0.0556),
        "outputs": (0.329, 0.207, 0.131, 0.119),
        "moved": (0.113, 0.0667, 0.121, 0.203),
    },
    "depthwise": {
        "plan": (1820, 8790, 8950, 2500),
        "weights": (0.587, 0.762, 0.803, 1.66),
        "call": (2110, 2530, 2560, 1970),
        "products": (0.0589, 0.0207, 0.0197, 0.0137),
        "single products": (0.0505, 0.0194, 0.0167, 0.0141),
        "single products by rows": (0.0597, 0.0291, 0.0207, 0.0204),
        "far reads": (0.0158, 0.00498, 0.00566, 0.0055),
        "packed": (0.109, 0.0431, 0.0751, 0.0579),
        "packed by pairs": (0.169, 0.0475, 0.0559, 0.0591),
        "packed singly": (0.237, 0.0598, 0.0601, 0.0696),
        "packed apart": (0, 0.0513, 0.0293, 0.0364),
        "rows": (1.44, 0.545, 0.0717, 0.902),
        "tiles": (1.36, 3.2, 5.82, 0.902),
        "outputs": (0.157, 0.0977, 0, 0.0819),
        "moved": (0.0643, 0.117, 0.135, 0.153),
    },
    "winograd": {
        "plan": (3870, 13100, 13500, 5500),
        "weights": (0.567, 0.426, 0.405, 0.542),
        "call": (1930, 2560, 430, 1160),
        "products": (0.0601, 0.02, 0.0175, 0.0138),
        "inputs": (0.131, 0.337, 0.313, 0.266),
        "inputs written far": (0, 0.0147, 0.00168, 0.149),
        "outputs": (0.194, 0.193, 0.183, 0.208),
        "units": (773, 754, 1850, 1450),
        "moved": (0.284, 0.254, 0.247, 0.173),
    },
    "winograd_1d": {
        "plan": (13400, 14400, 14400, 5100),
        "weights": (1.62, 1.14, 0.781, 0.871),
        "call": (3470, 3010, 3280, 2900),
        "products": (0.0569, 0.0225, 0.0174, 0.0151),
        "sums": (0.229, 0.0857, 0.186, 0.15),
        "sums of three": (0.229, 0.0616, 0.169, 0.162),
        "rows": (7.32, 8.21, 8.48, 10.1),
        "packed": (0.164, 0.0667, 0.296, 0.19),
        "packed by pairs": (0.0142, 0.00965, 0.185, 0.111),
        "packed singly": (0.145, 0.00949, 0.226, 0.121),
        "outputs": (0.316, 0.209, 0, 0.0299),
        "moved": (0.225, 0.179, 0.0432, 0.173),
    },
    "fft": {
        "plan": (58000, 97000, 97600, 187000),
        "weights": (4.8, 4.75, 5.06, 5.56),
        "call": (10400, 29200, 11000, 25800),
        "transforms": (1.89, 2.1, 1.73, 2.1),
        "products": (0.342, 0.425, 0.438, 0.819),
        "read": (1.53, 1.81, 2.23, 1.87),
        "tiles": (37200, 41400, 48200, 34400),
        "moved": (1.8, 2.33, 2.96, 2.5),
    },
}


def machine(isa: str) -> str:
    """The one of `MACHINES` that is most like the one at hand with `isa`."""
    return "avx512 twice" if isa == "avx512" and _dispatch.cpu().multiplies_twice() else isa


def predicted(work: Work, algorithm: str, isa: str, itemsize: int) -> tuple[float, float]:
    """Milliseconds on one thread: of preparing the weights, and of a call."""
    costs, column = COSTS[algorithm], MACHINES.index(machine(isa))
    times = {step: count * costs[step][column] * 1e-6 * itemsize / 4 for step, count in work.items()}
    preparation = sum(times.pop(step, 0) for step in PREPARING)
    return preparation, sum(times.values())

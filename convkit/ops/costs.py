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
        "plan": (4490, 15100, 14100),
        "weights": (0.22, 0.213, 0.202),
        "call": (4090, 3560, 3380),
        "products": (0.0526, 0.0198, 0.018),
        "thin products": (0.0429, 0.0275, 0.0255),
        "tiles": (9.03, 10.1, 14.2),
        "rows": (3.96, 3.78, 5.31),
        "packed": (0.224, 0.146, 0.11),
        "packed by pairs": (0.136, 0.132, 0.124),
        "packed singly": (0.187, 0.132, 0.153),
        "repacked": (0.535, 0.246, 0.189),
        "outputs": (0.128, 0.112, 0.0966),
        "outputs by lines": (0.128, 0.0709, 0.0273),
        "moved": (0.207, 0.0854, 0.0856),
        "moved by lines": (0.207, 0.101, 0.0966),
    },
    "broadcast": {
        "plan": (3570, 11500, 10800),
        "weights": (1.07, 1.2, 1.25),
        "call": (2180, 2920, 2450),
        "products": (0.0591, 0.0206, 0.0194),
        "thin products": (0.0688, 0.0248, 0.0168),
        "read in place": (0.128, 0.000722, 0.000439),
        "read apart": (0.128, 0.0746, 0),
        "rows": (5.96, 2.52, 3.53),
        "packed": (0.069, 0.0464, 0.0719),
        "outputs": (0.329, 0.21, 0.127),
        "moved": (0.113, 0.126, 0.136),
    },
    "depthwise": {
        "plan": (1820, 7170, 7100),
        "weights": (0.587, 0.746, 0.758),
        "call": (2110, 3200, 2660),
        "products": (0.0589, 0.0206, 0.0193),
        "single products": (0.0505, 0.02, 0.0164),
        "single products by rows": (0.0597, 0.0255, 0.0236),
        "far reads": (0.0158, 0.00567, 0.006),
        "packed": (0.109, 0.0517, 0.0583),
        "packed by pairs": (0.169, 0.0519, 0.0558),
        "packed singly": (0.237, 0.0681, 0.0606),
        "packed apart": (0, 0.0497, 0.0256),
        "rows": (1.44, 0, 0.373),
        "tiles": (1.36, 2.07, 4.43),
        "outputs": (0.157, 0.11, 0.0202),
        "moved": (0.0643, 0.128, 0.142),
    },
    "winograd": {
        "plan": (3870, 11400, 10900),
        "weights": (0.567, 0.434, 0.374),
        "call": (1930, 3220, 1620),
        "products": (0.0601, 0.0193, 0.0172),
        "inputs": (0.131, 0.288, 0.329),
        "inputs written far": (0, 0, 0),
        "outputs": (0.194, 0.205, 0.165),
        "units": (773, 772, 1580),
        "moved": (0.284, 0.371, 0.251),
    },
    "winograd_1d": {
        "plan": (13400, 13100, 12800),
        "weights": (1.62, 1.14, 0.776),
        "call": (3470, 4210, 4000),
        "products": (0.0569, 0.0235, 0.0175),
        "sums": (0.229, 0.0691, 0.166),
        "rows": (7.32, 8, 8.74),
        "packed": (0.164, 0.0415, 0.267),
        "packed by pairs": (0.0142, 0, 0.17),
        "packed singly": (0.145, 0, 0.222),
        "outputs": (0.316, 0.212, 0.00172),
        "moved": (0.225, 0.199, 0.0945),
    },
    "fft": {
        "plan": (58000, 104000, 99100),
        "weights": (4.8, 4.8, 4.66),
        "call": (10400, 21900, 25900),
        "transforms": (1.89, 2.13, 1.79),
        "products": (0.342, 0.61, 0.563),
        "read": (1.53, 1.47, 1.94),
        "tiles": (37200, 42500, 37000),
        "moved": (1.8, 1.94, 2.09),
    },
}


def predicted(work: Work, algorithm: str, isa: str, itemsize: int) -> tuple[float, float]:
    """Milliseconds on one thread: of preparing the weights, and of a call."""
    costs, column = COSTS[algorithm], ISAS.index(isa)
    times = {step: count * costs[step][column] * 1e-6 * itemsize / 4 for step, count in work.items()}
    preparation = sum(times.pop(step, 0) for step in PREPARING)
    return preparation, sum(times.values())

"""`python -m benchmarks costs`: the table of `convkit/ops/costs.py`, measured on this machine.

Each algorithm runs layers drawn at random, and the time of its steps is fitted to what they took (least
squares of relative errors, no step below 0). A machine that others use is slow for one layer and fast for
the next: what a layer's algorithms have in common is taken out. The table is printed as the source has it,
and after it what choosing by it costs: the time of the algorithm that it takes over the fastest one's, of the
same layers.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator

import numpy as np

from benchmarks.layers import Layer, random_layers
from benchmarks.timing import interleaved
from convkit import _dispatch, shapes
from convkit.ops import problem
from convkit.ops.choice import ALGORITHMS
from convkit.ops.costs import COSTS, MACHINES, PREPARING, Work, machine

OTHERS = 12 << 20
"""Bytes that are touched before weights are prepared."""

OUTPUTS = 4
"""Arrays that a layer is written to in turn: results live on, and the next one's memory is in no cache."""

MOODS = 8
"""Rounds of fitting, each with a better guess of how slow the machine was for which layer."""

Sample = tuple[Work, float, float]  # the steps, and what preparing the weights and a call took


def drawn(rng: np.random.Generator) -> Iterator[Layer]:
    """Layers of every kind, at most a billion products each."""
    while True:
        kind = rng.choice(["any", "3×3", "few channels", "large kernel"])
        channels, outputs = (int(2 ** rng.uniform(0, 9)) for _ in range(2))
        groups, kernel, stride = 1, int(rng.choice([1, 1, 2, 3, 4, 5])), int(rng.choice([1, 1, 2, 3]))
        if kind == "3×3":
            kernel, stride = 3, int(rng.choice([1, 2]))
        elif kind == "few channels":
            channels, outputs = (int(rng.choice([1, 1, 2, 3, 4, 8, 12, 16, 24, 32])) for _ in range(2))
            groups, kernel = int(2 ** rng.uniform(0, 6)), int(rng.choice([1, 2, 3, 3, 5, 7]))
        elif kind == "large kernel":
            channels, outputs = (int(2 ** rng.uniform(0, 6)) for _ in range(2))
            if rng.random() < 0.5:
                channels, outputs, groups = 1, 1, channels
            kernel = int(rng.choice([5, 7, 9, 11, 15, 21, 31, 45, 63]))
        layer = Layer(
            channels=groups * channels,
            size=int(2 ** rng.uniform(2.5, 8)),
            outputs=groups * outputs,
            kernel=kernel,
            stride=stride,
            dilation=int(rng.choice([1, 1, 1, 2])),
            groups=groups,
            batch=int(rng.choice([1, 1, 1, 4])),
        )
        fits = layer.dilation * (layer.kernel - 1) < layer.size + 2 * layer.padding
        if fits and 1e5 < layer.operations < 8e8:
            yield layer
        yield from random_layers(int(rng.integers(1 << 32)), 1)


def measure(layer: Layer) -> dict[str, Sample]:
    """What each algorithm that can compute the layer takes for it on one thread, in nanoseconds."""
    x, weight, bias = layer.arrays
    axes = shapes.conv_axes(x.shape[2:], weight.shape[2:], layer.stride, layer.padding, layer.dilation)
    sizes = problem.Problem(
        len(x), layer.groups, layer.outputs // layer.groups, weight.shape[1], *axes, x.itemsize
    )
    arrays = problem.Layer(
        weight.reshape(layer.groups, sizes.outputs, *weight.shape[1:]), bias, "constant", 0.0
    )
    outputs = itertools.cycle([np.ones(sizes.output_shape, np.float32) for _ in range(OUTPUTS)])
    lanes = _dispatch.native().family("kernels", x.dtype).VECTOR_LANES
    preparations, calls = dict[str, float](), dict[str, Callable[[], object]]()
    for name, algorithm in ALGORITHMS.items():
        if algorithm.refusal(sizes) is None and not is_hopeless(name, sizes):
            convolution = algorithm.prepare(sizes, arrays, 1)
            preparations[name] = cold(lambda a=algorithm: a.prepare(sizes, arrays, 1))
            calls[name] = lambda c=convolution: c.run(x, next(outputs), 1)
    times = interleaved(calls, 1, rounds=3, seconds=0.002)
    return {
        name: (ALGORITHMS[name].work(sizes, lanes), preparations[name] * 1e9, np.median(times[name]) * 1e9)
        for name in calls
    }


def cold(call: Callable[[], object]) -> float:
    """The median time of a call, in seconds, whose arrays other layers have pushed out of the caches."""
    others, times = np.zeros(OTHERS, np.uint8), list[float]()
    for _ in range(5):
        others += 1
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def is_hopeless(algorithm: str, sizes: problem.Problem) -> bool:
    """Transforms of small kernels, and of so many channels that they take seconds to prepare."""
    return algorithm == "fft" and (sizes.taps < 25 or sizes.channels * sizes.outputs > 1024)


def fit(steps: np.ndarray, times: np.ndarray) -> np.ndarray:
    """The nanoseconds of each step, none below 0, whose sums are nearest to the `times` in proportion."""
    found = np.zeros(steps.shape[1])
    weights = 1 / times
    for _ in range(20):  # outliers count less from round to round
        active = np.flatnonzero(steps.any(axis=0))
        while True:
            scale = np.abs(steps[:, active] * weights[:, None]).max(axis=0)
            scaled = steps[:, active] * weights[:, None] / scale
            solved = np.linalg.lstsq(scaled, times * weights)[0] / scale
            if (solved >= 0).all():
                break
            active = np.delete(active, (solved * scale).argmin())
        found[:] = 0
        found[active] = solved
        sums = np.maximum(steps @ found, 1e-3 * times)
        weights = 1 / np.sqrt(times * sums * np.maximum(1, np.abs(np.log(sums / times)) / 0.3))
    return found


def costs(samples: list[Sample]) -> dict[str, float]:
    """The time of each step of one algorithm, to three digits."""
    names = list(samples[0][0])
    steps = np.array([[work[name] for name in names] for work, _, _ in samples], float)
    preparing = np.array([name in PREPARING for name in names])
    found = np.zeros(len(names))
    found[preparing] = fit(steps[:, preparing], np.array([preparation for _, preparation, _ in samples]))
    found[~preparing] = fit(steps[:, ~preparing], np.array([call for _, _, call in samples]))
    return {name: float(f"{number:.3g}") for name, number in zip(names, found.tolist(), strict=True)}


def even_costs(layers: list[dict[str, Sample]]) -> dict[str, dict[str, float]]:
    """The table of all algorithms, as if every layer had met the machine in the same mood."""
    table, moods = dict[str, dict[str, float]](), np.ones(len(layers))
    for _ in range(MOODS):
        for name in ALGORITHMS:
            even = [
                (layer[name][0], layer[name][1], layer[name][2] / mood)
                for layer, mood in zip(layers, moods, strict=True)
                if name in layer
            ]
            table[name] = costs(even)
        moods = np.array([slowness(layer, table) for layer in layers])
        moods /= np.exp(np.log(moods).mean())
    return table


def slowness(layer: dict[str, Sample], table: dict[str, dict[str, float]]) -> float:
    """The median of what the algorithms took over what the table says, of those that sum products."""
    ratios = [call / forecast(work, table[name]) for name, (work, _, call) in layer.items() if name != "fft"]
    return float(np.clip(np.median(ratios), 1 / 3, 3)) if len(ratios) > 1 else 1.0


def forecast(work: Work, steps: dict[str, float]) -> float:
    """Nanoseconds of a call."""
    return sum(count * steps[step] for step, count in work.items() if step not in PREPARING)


def regret(samples: list[dict[str, Sample]], table: dict[str, dict[str, float]]) -> np.ndarray:
    """Of each layer: the time of the algorithm that the table takes, over the fastest one's."""
    ratios = []
    for layer in samples:
        forecasts = {name: forecast(work, table[name]) for name, (work, _, _) in layer.items()}
        taken = min(forecasts, key=forecasts.__getitem__)
        ratios.append(layer[taken][2] / min(call for _, _, call in layer.values()))
    return np.array(ratios)


def show(isa: str, table: dict[str, dict[str, float]]) -> None:
    """Print the table as the source has it, with the numbers of this machine with `isa` replaced."""
    column = MACHINES.index(machine(isa))
    for name, steps in table.items():
        print(f'    "{name}": {{')
        for step, number in steps.items():
            numbers = list(COSTS.get(name, {}).get(step, (0,) * len(MACHINES)))
            numbers[column] = number
            print(f'        "{step}": ({", ".join(f"{n:g}" for n in numbers)}),')
        print("    },")


def main(isa: str, seconds: float, seed: int) -> None:
    """Measure for so many seconds, and print."""
    samples: list[dict[str, Sample]] = []
    end = time.perf_counter() + seconds
    for layer in drawn(np.random.default_rng(seed)):
        samples.append(measure(layer))
        if time.perf_counter() > end:
            break
    table = even_costs(samples)
    show(isa, table)
    ratios = regret(samples, table)
    print(
        f"# {isa}, {len(ratios)} layers: {np.exp(np.log(ratios).mean()):.3f} × the fastest algorithm's time,"
    )
    print(f"# {(ratios > 1.2).mean():.1%} of them above 1.2 ×, the worst {ratios.max():.2f} ×")

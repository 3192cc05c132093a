"""`python -m benchmarks conv`: convolution layers beside the peers, weights packed or not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

import convkit as ck
from benchmarks.layers import Layer
from benchmarks.machine import fma_peak
from benchmarks.peers import PEERS
from benchmarks.timing import interleaved, interval
from convkit import _dispatch, _reference, shapes
from convkit.ops.choice import choose
from convkit.ops.conv import ask
from convkit.ops.problem import Problem


@dataclass(frozen=True)
class Row:
    """What was measured of one layer; times in seconds, medians over the rounds."""

    layer: str
    threads: int
    algorithm: str
    seconds: float
    seconds_interval: tuple[float, float]
    peers: dict[str, float]
    best_peer: str
    ratio: float  # convkit's time over the best peer's, median over the rounds
    gflops: float
    peak_share: float  # of the peak measured between the blocks, as clocks drift
    error: float  # max |y - exact| / max (|x| ⊛ |w|)
    operations: int
    bytes: int


def measure(layers: Iterable[Layer], threads: int, peers: list[str], eager: bool = False) -> Iterable[Row]:
    """Time every layer against the `peers`, one row at a time."""
    for layer in layers:
        yield measure_layer(layer, threads, peers, eager)


def eager_call(layer: Layer, threads: int) -> tuple[Callable[[], np.ndarray], str]:
    """`conv2d`, which is given the weights at each call, and the algorithm that it takes."""
    x, weight, bias = layer.arrays
    axes = shapes.conv_axes(x.shape[2:], weight.shape[2:], layer.stride, layer.padding, layer.dilation)
    outputs = layer.outputs // layer.groups
    problem = Problem(1, layer.groups, outputs, weight.shape[1], axes[0], axes[1], x.itemsize)
    algorithm = choose(ask(problem, "auto", once=True)).algorithm
    return lambda: ck.conv2d(x, weight, bias, num_threads=threads, **layer.arguments), algorithm


def plan_call(layer: Layer, threads: int) -> tuple[Callable[[], np.ndarray], str]:
    """A plan, and its algorithm."""
    x, weight, bias = layer.arrays
    plan = ck.conv2d_plan(weight, bias, input_shape=x.shape, num_threads=threads, **layer.arguments)
    return lambda: plan(x), plan.algorithm


def measure_layer(layer: Layer, threads: int, peers: list[str], eager: bool = False) -> Row:
    """Time one layer, in blocks that take turns with the peers' and with the measurement of the peak."""
    call, algorithm = (eager_call if eager else plan_call)(layer, threads)
    isa, peaks = _dispatch.native().isa, []
    calls: dict[str, Callable[[], object]] = {
        "peak": lambda: peaks.append(fma_peak(isa, 0.002)),
        "convkit": call,
    }
    calls |= {name: PEERS[name](layer, threads) for name in peers}
    times = interleaved(calls, call().nbytes)
    ours = times["convkit"]
    medians = {name: float(np.median(times[name])) for name in peers}
    best = min(medians, key=medians.__getitem__, default="")
    rate = layer.operations / float(np.median(ours)) / 1e9
    return Row(
        layer=layer.name,
        threads=threads,
        algorithm=algorithm,
        seconds=float(np.median(ours)),
        seconds_interval=interval(ours),
        peers=medians,
        best_peer=best,
        ratio=float(np.median(ours / times[best])) if best else float("nan"),
        gflops=rate,
        peak_share=rate / (threads * float(np.median(peaks))),
        error=error(call(), layer),
        operations=layer.operations,
        bytes=layer.bytes,
    )


def error(y: np.ndarray, layer: Layer) -> float:
    """The largest error of a few images' outputs, over the largest sum of magnitudes."""
    x, weight, bias = (array.astype(np.float64) for array in layer.arrays)
    x, y = x[:1], y[:1]
    parameters = (
        (layer.stride, layer.stride),
        (layer.padding,) * 4,
        (layer.dilation, layer.dilation),
        layer.groups,
    )
    exact = _reference.conv2d(x, weight, bias, *parameters)
    size = _reference.conv2d(np.abs(x), np.abs(weight), np.abs(bias), *parameters)
    return float(np.abs(y - exact).max() / size.max())

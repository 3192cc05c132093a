"""`python -m benchmarks train`: convolution layers with all three gradients, beside PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

import convkit as ck
from benchmarks.layers import Layer
from benchmarks.machine import fma_peak
from benchmarks.table import Table
from benchmarks.timing import interleaved
from convkit import _dispatch

LAYERS = [
    Layer(64, 56, 64, 3),
    Layer(128, 28, 128, 3),
    Layer(256, 14, 256, 3),
    Layer(512, 7, 512, 3),
    Layer(64, 56, 128, 3, stride=2),
    Layer(256, 56, 64, 1),
    Layer(32, 112, 32, 3, groups=32),
    Layer(96, 112, 96, 3, stride=2, groups=96),
    Layer(96, 56, 96, 7, groups=96),
    Layer(128, 56, 128, 3, groups=32),
    Layer(128, 32, 128, 3, dilation=2),
    Layer(64, 112, 128, 3, stride=2, batch=4),
    Layer(3, 224, 64, 3),
    Layer(64, 256, 64, 3),
]
HEADS = ("layer", "ms", "torch", "ratio", "forward", "input", "weight", "bias", "input, % of peak", "weight")
ABOUT = """\
Convolution layers forward and backward (float32; gradients by input, weight and bias) beside PyTorch, on
{threads} threads, by `python -m benchmarks train`. Milliseconds, medians of rounds in which the two take
turns; "ratio": convkit's time over PyTorch's, within a round; then the parts by themselves, and what the
gradients by input and weight reach of the FMA peak. Geometric mean of the ratios
{mean:.2f}, highest {highest:.2f}."""


def steps(layer: Layer, threads: int) -> dict[str, Callable[[], object]]:
    """The parts of a training step of one layer."""
    x, weight, bias = layer.arrays
    arguments = layer.arguments
    g = np.random.default_rng(1).standard_normal(
        (layer.batch, layer.outputs, layer.output_size, layer.output_size), np.float32
    )
    return {
        "forward": lambda: ck.conv2d(x, weight, bias, num_threads=threads, **arguments),
        "input": lambda: ck.conv2d_input_grad(g, weight, x.shape, num_threads=threads, **arguments),
        "weight": lambda: ck.conv2d_weight_grad(x, g, layer.kernel, num_threads=threads, **arguments),
        "bias": lambda: ck.conv2d_bias_grad(g, num_threads=threads),
    }


def torch_step(layer: Layer, threads: int) -> Callable[[], object]:
    """Forward and backward by PyTorch."""
    import torch

    torch.set_num_threads(threads)
    x, weight, bias = (torch.from_numpy(array).requires_grad_() for array in layer.arrays)
    g = torch.randn(layer.batch, layer.outputs, layer.output_size, layer.output_size)

    def call() -> object:
        y = torch.nn.functional.conv2d(x, weight, bias, **layer.arguments)
        return torch.autograd.grad(y, (x, weight, bias), g)

    return call


def main(threads: int, rounds: int, only: list[int] | None, output: Path | None) -> None:
    """Print a line for each layer, and the geometric mean of the ratios; write where asked."""
    isa, ratios = _dispatch.native().isa, []
    print(f"{isa}, {threads} threads")
    table = Table("train", HEADS)
    for layer in [LAYERS[i] for i in only] if only else LAYERS:
        parts, peaks = steps(layer, threads), list[float]()
        calls: dict[str, Callable[[], object]] = {
            "peak": lambda peaks=peaks: peaks.append(fma_peak(isa, 0.002)),  # type: ignore[misc]
            "convkit": lambda parts=parts: [call() for call in parts.values()],  # type: ignore[misc]
            "torch": torch_step(layer, threads),
            **parts,
        }
        times = interleaved(calls, layer.bytes, rounds)
        medians = {name: float(np.median(values)) for name, values in times.items()}
        ratios.append(float(np.median(times["convkit"] / times["torch"])))
        peak = threads * float(np.median(peaks)) * 1e9
        table.add(
            layer.name,
            f"{medians['convkit'] * 1e3:.3f}",
            f"{medians['torch'] * 1e3:.3f}",
            f"{ratios[-1]:.2f}",
            *(f"{medians[name] * 1e3:.3f}" for name in parts),
            *(f"{100 * layer.operations / medians[name] / peak:.0f}" for name in ("input", "weight")),
        )
    mean, highest = float(np.exp(np.mean(np.log(ratios)))), max(ratios)
    print(f"geometric mean of the ratios {mean:.2f}, highest {highest:.2f}")
    if output:
        table.write(output, ABOUT.format(threads=threads, mean=mean, highest=highest))

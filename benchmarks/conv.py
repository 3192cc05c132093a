"""`python -m benchmarks conv`: convolution layers, packed once, beside PyTorch where it is installed."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

import convkit as ck
from benchmarks.machine import copy_bandwidth, fma_peak, processor
from benchmarks.timing import interleaved
from convkit import _dispatch


@dataclass(frozen=True)
class Layer:
    """One convolution layer of a well-known network, float32."""

    channels: int
    size: int
    outputs: int
    kernel: int
    stride: int = 1
    dilation: int = 1
    groups: int = 1
    batch: int = 1

    @property
    def padding(self) -> int:
        return self.dilation * (self.kernel - 1) // 2

    @property
    def name(self) -> str:
        text = f"{self.channels}→{self.outputs} {self.kernel}×{self.kernel} @{self.size}"
        text += f" s{self.stride}" if self.stride > 1 else ""
        text += f" d{self.dilation}" if self.dilation > 1 else ""
        text += f" g{self.groups}" if self.groups > 1 else ""
        return text + (f" batch {self.batch}" if self.batch > 1 else "")


QUICK = [Layer(64, 56, 64, 3), Layer(128, 28, 128, 3), Layer(3, 224, 64, 7, stride=2), Layer(256, 56, 64, 1)]
LAYERS = [
    *QUICK,
    Layer(3, 224, 64, 3),
    Layer(256, 14, 256, 3),
    Layer(512, 7, 512, 3),
    Layer(64, 256, 64, 3),
    Layer(64, 56, 128, 3, stride=2),
    Layer(64, 56, 256, 1),
    Layer(256, 56, 512, 1, stride=2),
    Layer(128, 32, 128, 3, dilation=2),
    Layer(128, 56, 128, 3, groups=32),
    Layer(32, 112, 32, 3, groups=32),
    Layer(96, 56, 96, 7, groups=96),
    Layer(3, 32, 16, 3, stride=2, batch=2),
]


def main(quick: bool, threads: int, isa: str | None) -> None:
    """Measure the machine, then every layer; one line each."""
    name = isa or _dispatch.native().isa
    os.environ["CONVKIT_ISA"] = name
    peak = fma_peak(name)
    print(f"{processor()}, {name}, {threads} thread(s)")
    print(f"FMA peak {peak:.1f} GFLOP/s per core, copy {copy_bandwidth():.1f} GB/s")
    heads = f"{'ms':>8} {'GFLOP/s':>8} {'% of peak':>9} {'torch ms':>9} {'ratio':>6}"
    print(f"{'layer':30} {'algorithm':>9} {heads}")
    for layer in QUICK if quick else LAYERS:
        print(row(layer, threads, name), flush=True)


def row(layer: Layer, threads: int, isa: str) -> str:
    """Time one layer against its peer; the peak is measured again between the blocks, as clocks drift."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((layer.batch, layer.channels, layer.size, layer.size), np.float32)
    shape = (layer.outputs, layer.channels // layer.groups, layer.kernel, layer.kernel)
    weight, bias = rng.standard_normal(shape, np.float32), rng.standard_normal(layer.outputs, np.float32)
    arguments = {
        "stride": layer.stride,
        "padding": layer.padding,
        "dilation": layer.dilation,
        "groups": layer.groups,
    }
    plan = ck.conv2d_plan(weight, bias, input_shape=x.shape, num_threads=threads, **arguments)
    out = plan(x)
    peaks: list[float] = []
    calls: dict[str, Callable[[], object]] = {
        "peak": lambda: peaks.append(fma_peak(isa, 0.002)),
        "convkit": lambda: plan(x, out),
    }
    if find_spec("torch"):
        calls["torch"] = torch_call(x, weight, bias, threads, arguments)
    times = interleaved(calls)
    spent = statistics.median(times["convkit"])
    rate = 2 * out.size * weight[0].size / spent / 1e9
    share = 100 * rate / (threads * statistics.median(peaks))
    line = f"{layer.name:30} {plan.algorithm:>9} {spent * 1e3:8.3f} {rate:8.1f} {share:9.1f}"
    if "torch" in times:
        peer = statistics.median(times["torch"])
        ratio = statistics.median(a / b for a, b in zip(times["convkit"], times["torch"], strict=True))
        line += f" {peer * 1e3:9.3f} {ratio:6.2f}"
    return line


def torch_call(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, threads: int, arguments: dict[str, int]
) -> Callable[[], object]:
    """PyTorch's convolution of the same arrays."""
    import torch

    torch.set_num_threads(threads)
    arrays = [torch.from_numpy(array) for array in (x, weight, bias)]

    def call() -> object:
        with torch.no_grad():
            return torch.nn.functional.conv2d(*arrays, **arguments)

    return call

"""The convolution layers that are measured: named ones of well-known networks, and others drawn at random."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from convkit import shapes


@dataclass(frozen=True)
class Layer:
    """A float32 convolution with a square kernel and map, padded to keep the map's size at stride 1."""

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
    def output_size(self) -> int:
        return shapes.conv2d_output(self.size, self.kernel, self.stride, self.padding, self.dilation)

    @property
    def operations(self) -> int:
        """Floating-point operations of direct summation: two for each product."""
        pixels = self.batch * self.output_size**2
        return 2 * pixels * self.outputs * (self.channels // self.groups) * self.kernel**2

    @property
    def bytes(self) -> int:
        """Input, weights and output, each moved once."""
        weights = self.outputs * (self.channels // self.groups) * self.kernel**2
        maps = self.batch * (self.channels * self.size**2 + self.outputs * self.output_size**2)
        return 4 * (weights + maps)

    @property
    def name(self) -> str:
        text = f"{self.channels}→{self.outputs} {self.kernel}×{self.kernel} @{self.size}"
        text += f" s{self.stride}" if self.stride > 1 else ""
        text += f" d{self.dilation}" if self.dilation > 1 else ""
        text += f" g{self.groups}" if self.groups > 1 else ""
        return text + (f" batch {self.batch}" if self.batch > 1 else "")

    @property
    def arguments(self) -> dict[str, int]:
        """The keyword arguments that `conv2d` of convkit and of PyTorch share."""
        return {
            "stride": self.stride,
            "padding": self.padding,
            "dilation": self.dilation,
            "groups": self.groups,
        }

    @cached_property
    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Input, weight and bias, normal numbers; the same in every run."""
        rng = np.random.default_rng(0)
        x = rng.standard_normal((self.batch, self.channels, self.size, self.size), np.float32)
        shape = (self.outputs, self.channels // self.groups, self.kernel, self.kernel)
        weight = rng.standard_normal(shape, np.float32) / np.float32(np.sqrt(np.prod(shape[1:])))
        return x, weight, rng.standard_normal(self.outputs, np.float32)


NAMED = [
    Layer(3, 224, 64, 7, stride=2),
    Layer(3, 224, 64, 3),
    Layer(64, 56, 64, 3),
    Layer(128, 28, 128, 3),
    Layer(256, 14, 256, 3),
    Layer(512, 7, 512, 3),
    Layer(64, 56, 128, 3, stride=2),
    Layer(256, 56, 64, 1),
    Layer(64, 56, 256, 1),
    Layer(256, 56, 512, 1, stride=2),
    Layer(32, 112, 32, 3, groups=32),
    Layer(96, 112, 96, 3, stride=2, groups=96),
    Layer(96, 56, 96, 7, groups=96),
    Layer(64, 28, 64, 3, groups=64, batch=32),
    Layer(128, 32, 128, 3, dilation=2),
    Layer(128, 56, 128, 3, groups=32),
    Layer(64, 112, 128, 3, stride=2, batch=4),
    Layer(3, 64, 32, 5, stride=2),
    Layer(3, 32, 16, 3, stride=2, batch=2),
    Layer(64, 256, 64, 3),
]
QUICK = [NAMED[i] for i in (2, 3, 0, 7)]
SIZES = [Layer(64, size, 64, 3) for size in (56, 128, 256, 512, 1024)]


def random_layers(seed: int, count: int) -> list[Layer]:
    """`count` layers: 1 to 512 channels, maps of 5 to 300, kernels of 1 to 7, at most a billion products."""
    rng = np.random.default_rng(seed)
    found: list[Layer] = []
    while len(found) < count:
        groups = int(rng.choice([1, 1, 1, 1, 2, 4, 8, 32]))
        channels, outputs = (groups * int(2 ** rng.uniform(0, 9) / groups + 1) for _ in range(2))
        layer = Layer(
            channels=channels,
            size=int(2 ** rng.uniform(2.4, 8.2)),
            outputs=channels if rng.random() < 0.1 else outputs,
            kernel=int(rng.choice([1, 1, 2, 3, 3, 3, 4, 5, 7])),
            stride=int(rng.choice([1, 1, 1, 2, 2, 3])),
            dilation=int(rng.choice([1, 1, 1, 1, 2, 3])),
            groups=channels if rng.random() < 0.1 else groups,
            batch=int(rng.choice([1, 1, 1, 2, 4, 8])),
        )
        divides = layer.outputs % layer.groups == 0 and max(layer.channels, layer.outputs) <= 512
        fits = layer.dilation * (layer.kernel - 1) < layer.size + 2 * layer.padding
        if divides and fits and 1e5 < layer.operations < 2e9:
            found.append(layer)
    return found


def part(layers: list[Layer], which: str | None) -> list[Layer]:
    """Part i of n, "i/n", of the layers; all of them for None."""
    if which is None:
        return layers
    index, _, count = which.partition("/")
    return layers[int(index) - 1 :: int(count)]

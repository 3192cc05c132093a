"""`python -m benchmarks networks`: training steps of whole networks beside PyTorch, and their peak memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import convkit as ck
from benchmarks.table import Table
from benchmarks.timing import interleaved

nn = ck.nn

# What both libraries share: the same text builds either's network.


def digits(library: Any) -> Any:
    """A small network for 8×8 digits."""
    return library.Sequential(
        library.Conv2d(1, 32, 3, padding=1, bias=False),
        library.BatchNorm2d(32),
        library.ReLU(),
        library.Conv2d(32, 32, 3, padding=1, bias=False),
        library.BatchNorm2d(32),
        library.ReLU(),
        library.MaxPool2d(2),
        library.Conv2d(32, 64, 3, padding=1, bias=False),
        library.BatchNorm2d(64),
        library.ReLU(),
        library.Flatten(),
        library.Linear(64 * 16, 10),
    )


def unet(library: Any) -> Any:
    """Three levels, 16 to 64 channels, with skip connections (Ronneberger et al., 2015)."""
    join = nn.cat if library is nn else __import__("torch").cat

    def block(given: int, gave: int) -> Any:
        return library.Sequential(
            library.Conv2d(given, gave, 3, padding=1, bias=False),
            library.BatchNorm2d(gave),
            library.ReLU(),
            library.Conv2d(gave, gave, 3, padding=1, bias=False),
            library.BatchNorm2d(gave),
            library.ReLU(),
        )

    class UNet(library.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.down1, self.down2, self.bottom = block(3, 16), block(16, 32), block(32, 64)
            self.up2, self.up1 = library.ConvTranspose2d(64, 32, 2, 2), library.ConvTranspose2d(32, 16, 2, 2)
            self.join2, self.join1 = block(64, 32), block(32, 16)
            self.pool, self.head = library.MaxPool2d(2), library.Conv2d(16, 2, 1)

        def forward(self, x: Any) -> Any:
            first = self.down1(x)
            second = self.down2(self.pool(first))
            x = self.up2(self.bottom(self.pool(second)))
            x = self.up1(self.join2(join([x, second], 1)))
            return self.head(self.join1(join([x, first], 1)))

    return UNet()


NETWORKS = {
    "digits, batch 64": (digits, (64, 1, 8, 8), ()),
    "U-Net 128², batch 8": (unet, (8, 3, 128, 128), (128, 128)),
}


def step(network: str, library: str, threads: int) -> Callable[[], float]:
    """A training step, as a call that gives the loss."""
    build, shape, target = NETWORKS[network]
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape, np.float32)
    y = rng.integers(0, 2 if target else 10, (shape[0], *target))
    if library == "convkit":
        model = build(nn)
        optimiser = nn.optim.Adam(model.parameters())
        loss = nn.CrossEntropyLoss()
        inputs = nn.Tensor(x), y

        def run() -> float:
            with ck.options(num_threads=threads):
                optimiser.zero_grad()
                value = loss(model(inputs[0]), inputs[1])
                value.backward()
                optimiser.step()
                return float(value)

        return run
    import torch

    torch.set_num_threads(threads)
    theirs = build(torch.nn)
    other = torch.optim.Adam(theirs.parameters())
    criterion = torch.nn.CrossEntropyLoss()
    x_torch, y_torch = torch.from_numpy(x), torch.from_numpy(y)

    def run_torch() -> float:
        other.zero_grad()
        value = criterion(theirs(x_torch), y_torch)
        value.backward()
        other.step()
        return float(value.detach())

    return run_torch


PEAK = """
import sys
from benchmarks import networks
run = networks.step(sys.argv[1], sys.argv[2], int(sys.argv[3]))
before = networks.memory("VmRSS")
for _ in range(5):
    run()
print(networks.memory("VmHWM") - before)
"""


def memory(which: str) -> float:
    """MiB of this process: VmRSS now, VmHWM at most (`getrusage` counts its parent's too)."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(which):
            return int(line.split()[1]) / 1024
    raise ValueError(f"/proc/self/status has no {which}")


def peak(network: str, library: str, threads: int) -> float:
    """MiB that training steps add to a fresh process, which has the library and the network already."""
    command = [sys.executable, "-c", PEAK, network, library, str(threads)]
    told = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(told.stdout)


ABOUT = """\
Training steps of whole networks (float32; loss, backward, Adam) beside PyTorch, by
`python -m benchmarks networks`. Milliseconds, medians of rounds in which the two take turns; "ratio":
convkit's time over PyTorch's, within a round; MiB that five steps add to a fresh process."""


def main(threads: list[int], rounds: int, output: Path | None) -> None:
    """Measure every network: milliseconds, the ratio, and the memory of both; write where asked."""
    table = Table("networks", ("network", "threads", "ms", "torch", "ratio", "MiB", "torch's MiB"))
    for count in threads:
        for network in NETWORKS:
            calls = {library: step(network, library, count) for library in ("convkit", "torch")}
            times = interleaved(calls, 8, rounds, seconds=0.1)
            ours, theirs = (np.median(times[library]) * 1e3 for library in ("convkit", "torch"))
            ratio = np.median(times["convkit"] / times["torch"])
            mine, other = (peak(network, library, count) for library in ("convkit", "torch"))
            table.add(
                network,
                str(count),
                f"{ours:.2f}",
                f"{theirs:.2f}",
                f"{ratio:.2f}",
                f"{mine:.1f}",
                f"{other:.1f}",
            )
    if output:
        table.write(output, ABOUT)

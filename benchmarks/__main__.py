"""The command line of the benchmarks."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks import (
    bank,
    conv,
    costs,
    filter_cases,
    filter_report,
    filters,
    io,
    layers,
    layout,
    machine,
    networks,
    peers,
    report,
    spills,
    train,
)
from convkit import _dispatch


def run_conv(chosen: argparse.Namespace) -> None:
    """Measure the machine, then the layers for each number of threads; print, and write where asked."""
    os.environ["CONVKIT_ISA"] = chosen.isa or _dispatch.available()[-1]
    isa = _dispatch.native().isa
    seed = commit_seed()
    names = [name for name in chosen.peers if name in peers.installed()]
    if chosen.eager:
        names = [name for name in names if name in peers.EAGER]
    packages = ["numpy", *dict.fromkeys(name.split()[0] for name in names)]
    facts = report.Machine(
        machine.processor(),
        isa,
        machine.fma_peak(isa),
        machine.copy_bandwidth(),
        {name: version(name) for name in packages},
        seed,
    )
    print(f"{facts.processor}, {isa}")
    print(f"FMA peak {facts.peak:.1f} GFLOP/s per core, copy {facts.bandwidth:.1f} GB/s; seed {seed}")
    print(report.line(report.HEADS))
    rows = []
    chosen_layers = layers.QUICK if chosen.quick else layers.SIZES if chosen.sizes else layers.NAMED
    drawn = layers.part(chosen_layers + layers.random_layers(seed, chosen.random), chosen.part)
    for threads in chosen.threads:
        for row in conv.measure(drawn, threads, names, chosen.eager):
            rows.append(row)
            print(report.line(report.cells(row)), flush=True)
    print(report.summary(rows))
    if chosen.output:
        report.write(chosen.output, facts, rows)


def run_filters(chosen: argparse.Namespace) -> None:
    """Measure the machine, then the filters for each number of threads; print, and write where asked."""
    os.environ["CONVKIT_ISA"] = chosen.isa or _dispatch.available()[-1]
    isa = _dispatch.native().isa
    seed = commit_seed()
    modules = {
        "opencv": "opencv-python",
        "scipy": "scipy",
        "scikit-image": "scikit-image",
        "pillow": "pillow",
    }
    libraries = [name for name in chosen.peers if has(modules[name])]
    versions = {name: version(modules.get(name, name)) for name in ["numpy", *libraries]}
    facts = report.Machine(
        machine.processor(), isa, machine.fma_peak(isa), machine.copy_bandwidth(), versions, seed
    )
    print(f"{facts.processor}, {isa}")
    print(f"FMA peak {facts.peak:.1f} GFLOP/s per core, copy {facts.bandwidth:.1f} GB/s; seed {seed}")
    print(filter_report.line(filter_report.HEADS))
    named = filter_cases.quick if chosen.quick else filter_cases.sizes if chosen.sizes else filter_cases.named
    kinds = [(named(), False), (filter_cases.drawn(seed, chosen.random), True)]
    rows = []
    for threads in chosen.threads:
        for cases, random in kinds:
            part = filter_cases.part(cases, chosen.part)
            for row in filters.measure(part, threads, libraries, facts.peak, facts.bandwidth, random):
                rows.append(row)
                print(filter_report.line(filter_report.cells(row)), flush=True)
    print(filter_report.summary(rows))
    if chosen.output:
        filter_report.write(chosen.output, facts, rows)


def has(package: str) -> bool:
    """Whether a package is installed."""
    try:
        return bool(version(package))
    except PackageNotFoundError:
        return False


def commit_seed() -> int:
    """The commit's hash as the random rows' seed, so that nobody chooses them; 0 outside a checkout."""
    try:
        told = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return 0
    return int(told.stdout[:8], 16)


def main() -> int:
    """Run one benchmark; 0 where it ran (for `spills`: where nothing spilled)."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="convkit beside its peers.")
    commands = parser.add_subparsers(dest="command", required=True)
    table = commands.add_parser("conv", help="convolution layers: time, share of the FMA peak, error")
    table.add_argument("--quick", action="store_true", help="four layers only")
    table.add_argument("--sizes", action="store_true", help="64→64 3×3 on maps of 56² to 1024² only")
    table.add_argument("--eager", action="store_true", help="calls with weights, beside those that take them")
    table.add_argument("--threads", type=int, nargs="+", default=[1])
    table.add_argument("--isa", choices=_dispatch.available(), help="instruction set (default: the widest)")
    table.add_argument("--peers", nargs="*", choices=list(peers.PEERS), default=list(peers.PEERS))
    table.add_argument("--random", type=int, default=0, help="this many further layers, drawn at random")
    table.add_argument("--part", metavar="I/N", help="the rows I, I + N, ... only, to be added to the output")
    table.add_argument("--output", type=Path, help="a folder for the JSON, the Markdown table and the plots")
    table = commands.add_parser("filters", help="the bank of filters: time, share of the limit, difference")
    table.add_argument("--quick", action="store_true", help="a few filters only")
    table.add_argument("--sizes", action="store_true", help="a few filters on 32² to 16384² only")
    table.add_argument("--threads", type=int, nargs="+", default=[1])
    table.add_argument("--isa", choices=_dispatch.available(), help="instruction set (default: the widest)")
    table.add_argument("--peers", nargs="*", choices=list(bank.PEERS), default=list(bank.PEERS))
    table.add_argument("--random", type=int, default=0, help="this many further calls, drawn at random")
    table.add_argument("--part", metavar="I/N", help="the rows I, I + N, ... only, to be added to the output")
    table.add_argument("--output", type=Path, help="a folder for the JSON, the Markdown table and the plot")
    table = commands.add_parser("costs", help="the table of costs that algorithms are chosen by")
    table.add_argument("--isa", choices=_dispatch.available(), default=_dispatch.available()[-1])
    table.add_argument("--seconds", type=float, default=60)
    table.add_argument("--seed", type=int, default=0)
    table = commands.add_parser("layout", help="a 4K photo to a BCHW batch and back")
    table.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    table.add_argument("--rounds", type=int, default=7)
    table.add_argument("--output", type=Path, help="a folder for the Markdown table")
    table = commands.add_parser("train", help="convolution layers forward and backward, beside PyTorch")
    table.add_argument("--threads", type=int, default=2)
    table.add_argument("--rounds", type=int, default=7)
    table.add_argument("--rows", type=int, nargs="*", help="these rows alone, from 0 on")
    table.add_argument("--output", type=Path, help="a folder for the Markdown table")
    table = commands.add_parser("io", help="imread beside OpenCV's decoder")
    table.add_argument("--rounds", type=int, default=9)
    table.add_argument("--heights", type=int, nargs="+", default=[size[0] for size in io.SIZES])
    table.add_argument("--output", type=Path, help="a folder for the Markdown table")
    table = commands.add_parser("networks", help="training steps of whole networks beside PyTorch")
    table.add_argument("--threads", type=int, nargs="+", default=[2])
    table.add_argument("--rounds", type=int, default=7)
    table.add_argument("--output", type=Path, help="a folder for the Markdown table")
    stack = commands.add_parser("spills", help="inner loops that keep vectors on the stack (needs objdump)")
    stack.add_argument("module", nargs="?", default="convkit._kernels_avx512")
    stack.add_argument("--compilers", nargs="+", default=[], help="look at what these build instead")
    chosen = parser.parse_args()
    if chosen.command == "spills":
        return min(spills.main(chosen.module, chosen.compilers), 1)
    if chosen.command == "costs":
        os.environ["CONVKIT_ISA"] = chosen.isa
        costs.main(chosen.isa, chosen.seconds, chosen.seed)
        return 0
    if chosen.command == "io":
        io.main(chosen.rounds, chosen.heights, chosen.output)
        return 0
    if chosen.command == "networks":
        networks.main(chosen.threads, chosen.rounds, chosen.output)
        return 0
    if chosen.command == "train":
        train.main(chosen.threads, chosen.rounds, chosen.rows, chosen.output)
        return 0
    if chosen.command == "layout":
        layout.main(chosen.threads, chosen.rounds, chosen.output)
        return 0
    (run_filters if chosen.command == "filters" else run_conv)(chosen)
    return 0


if __name__ == "__main__":
    sys.exit(main())

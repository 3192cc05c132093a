"""The command line of the benchmarks."""

from __future__ import annotations

import argparse
import sys

from benchmarks import conv, spills
from convkit import _dispatch


def main() -> int:
    """Run one benchmark; 0 where it ran (for `spills`: where nothing spilled)."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="convkit beside its peers.")
    commands = parser.add_subparsers(dest="command", required=True)
    layers = commands.add_parser("conv", help="convolution layers: time, GFLOP/s, share of the FMA peak")
    layers.add_argument("--quick", action="store_true", help="four layers only")
    layers.add_argument("--threads", type=int, default=1)
    layers.add_argument("--isa", choices=_dispatch.available(), help="instruction set (default: the widest)")
    stack = commands.add_parser("spills", help="inner loops that keep vectors on the stack (needs objdump)")
    stack.add_argument("module", nargs="?", default="convkit._kernels_avx512")
    chosen = parser.parse_args()
    if chosen.command == "spills":
        return spills.main(chosen.module)
    conv.main(chosen.quick, chosen.threads, chosen.isa)
    return 0


if __name__ == "__main__":
    sys.exit(main())

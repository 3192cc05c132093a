"""`python -m benchmarks spills`: registers that the inner loops of the compiled kernels put on the stack.

An innermost loop that multiplies and adds vectors must keep its sums in registers. This reads `objdump`'s
disassembly of a kernel module, finds those loops and counts their vector stores and loads on the stack. What
is stored there spills; what is only loaded is a constant of the loop, which lies as well there as elsewhere.

With ``--compilers gcc clang`` (`make spills`) each builds every kernel for AVX2 and AVX-512 into a temporary
folder. A loop that spills is an error there, but for those of `PLAN_TIME`.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

INSTRUCTION = re.compile(r"^\s+([0-9a-f]+):\s+(.*)$")
SYMBOL = re.compile(r"^[0-9a-f]+ <(.+)>:$")
JUMP = re.compile(r"^(?:j\w+|b\.\w+|cbn?z\s+\w+,)\s+([0-9a-f]+)")
MULTIPLY_ADD = re.compile(r"^(vfn?madd|mulp[sd]|fmla)")
ON_STACK = re.compile(r"\(%rsp|-0x[0-9a-f]+\(%rbp\)|\[sp|\[x29")
STORE = re.compile(r"^(?:v?mov\w+\s+%[xyz]mm\d+,|st[rp]\s)")
ELEMENT = re.compile(r"^v?movs[sd]\s.*\(%rsp,")  # of an array of numbers: a spilled register has one place
VECTOR = re.compile(r"%[xyz]mm|\bq\d+\b")
PLAN_TIME = ("transform_some",)
"""Functions that prepare weights: a plan runs them once."""
KERNELS = re.compile(r"(_kernels|broadcast|winograd|winograd_1d|depthwise)(_f64)?_avx")


class Loop(NamedTuple):
    """An innermost loop that multiplies and adds vectors."""

    function: str
    instructions: int
    multiply_adds: int
    spills: int
    reloads: int


def loops(module: str) -> list[Loop]:
    """The arithmetic inner loops of a compiled module, in the order of its code."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ValueError(f"{module} is not built")
    return find_loops(disassembly(Path(spec.origin)))


def disassembly(path: Path) -> str:
    """By `objdump`."""
    command = ["objdump", "-d", "--no-show-raw-insn", str(path)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def find_loops(listing: str) -> list[Loop]:
    """The arithmetic inner loops in a disassembly: what lies between a backward jump and its target."""
    code: list[tuple[int, str, str]] = []
    place: dict[int, int] = {}
    function = ""
    for line in listing.splitlines():
        if symbol := SYMBOL.match(line):
            function = symbol[1]
        elif instruction := INSTRUCTION.match(line):
            place[int(instruction[1], 16)] = len(code)
            code.append((int(instruction[1], 16), instruction[2], function))
    found: list[Loop] = []
    inner_start = -1
    for end, (address, text, name) in enumerate(code):
        jump = JUMP.match(text)
        target = int(jump[1], 16) if jump else address
        if target >= address or target not in place or place[target] <= inner_start:
            continue
        inner_start = place[target]
        body = [instruction for _, instruction, _ in code[inner_start : end + 1]]
        sums = sum(bool(MULTIPLY_ADD.match(instruction)) for instruction in body)
        if sums:
            on_stack = [i for i in body if ON_STACK.search(i) and VECTOR.search(i) and not ELEMENT.match(i)]
            spills = sum(bool(STORE.match(i)) for i in on_stack)
            found.append(Loop(name, len(body), sums, spills, len(on_stack) - spills))
    return found


def spilling(found: list[Loop]) -> list[Loop]:
    """Those that store registers on the stack in a call."""
    return [loop for loop in found if loop.spills and not loop.function.endswith(PLAN_TIME)]


def show(loop: Loop) -> None:
    """Print a loop."""
    function, instructions, sums, spills, reloads = loop
    print(f"{function:70} {instructions:4} instructions {sums:3} FMA {spills} spills {reloads} reloads")


def main(module: str, compilers: Sequence[str]) -> int:
    """Print every loop of a module, or those on the stack of what compilers build; how many spill."""
    if compilers:
        return sum(survey(compiler) for compiler in compilers)
    found = loops(module)
    for loop in found:
        show(loop)
    return sum(loop.spills > 0 for loop in found)


def survey(compiler: str) -> int:
    """Print the loops on the stack of every kernel as `compiler` builds it; how many spill in a call."""
    if shutil.which(compiler) is None:
        print(f"{compiler} is not installed: skipped")
        return 0
    count = 0
    with tempfile.TemporaryDirectory() as folder:
        build(compiler, folder)
        for path in sorted(Path(folder).rglob("*.so")):
            if not KERNELS.match(path.name):
                continue
            found = find_loops(disassembly(path))
            print(f"{compiler} {path.name.split('.')[0]}: {len(found)} loops")
            for loop in found:
                if loop.spills or loop.reloads:
                    show(loop)
            count += len(spilling(found))
    print(f"{compiler}: {count} loops spill")
    return count


def build(compiler: str, folder: str) -> None:
    """Build this checkout's kernels into `folder`."""
    command = [sys.executable, "setup.py", "-q", "build_ext", "--build-lib", folder, "--build-temp"]
    environment = os.environ | {"CC": compiler, "CONVKIT_BUILD_ISA": "avx2,avx512"}
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [*command, f"{folder}/objects"], cwd=root, env=environment, capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(f"{compiler} does not build the kernels:\n{done.stderr[-2000:]}")

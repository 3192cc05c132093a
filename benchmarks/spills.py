"""`python -m benchmarks spills`: registers that the inner loops of the compiled kernels put on the stack.

An innermost loop that multiplies and adds vectors must keep its sums in registers. This reads `objdump`'s
disassembly of a kernel module, finds those loops and counts their vector loads and stores on the stack.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
from typing import NamedTuple

INSTRUCTION = re.compile(r"^\s+([0-9a-f]+):\s+(.*)$")
SYMBOL = re.compile(r"^[0-9a-f]+ <(.+)>:$")
JUMP = re.compile(r"^(?:j\w+|b\.\w+|cbn?z\s+\w+,)\s+([0-9a-f]+)")
MULTIPLY_ADD = re.compile(r"^(vfn?madd|mulp[sd]|fmla)")
ON_STACK = re.compile(r"\(%r[sb]p|\[sp|\[x29")
VECTOR = re.compile(r"%[xyz]mm|\bq\d+\b")


class Loop(NamedTuple):
    """An innermost loop that multiplies and adds vectors."""

    function: str
    instructions: int
    multiply_adds: int
    spills: int


def loops(module: str) -> list[Loop]:
    """The arithmetic inner loops of a compiled module, in the order of its code."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ValueError(f"{module} is not built")
    listing = subprocess.run(
        ["objdump", "-d", "--no-show-raw-insn", spec.origin], check=True, capture_output=True, text=True
    ).stdout
    return find_loops(listing)


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
            spills = sum(bool(ON_STACK.search(i)) and bool(VECTOR.search(i)) for i in body)
            found.append(Loop(name, len(body), sums, spills))
    return found


def main(module: str) -> int:
    """Print every loop; the number of those that spill."""
    found = loops(module)
    for function, instructions, sums, spills in found:
        print(f"{function:70} {instructions:4} instructions {sums:3} FMA {spills} spills")
    return sum(loop.spills > 0 for loop in found)

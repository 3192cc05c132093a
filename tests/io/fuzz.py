"""Mutated files through `imread`: no crash, no hang, no exception but ours, and memory under a cap.

    python tests/io/fuzz.py --count 100000

Each input follows from its number alone, so that one that fails can be made again: ``--first N --count 1``.
Inputs run in child processes of which one may die without the others. It is a script and no test.
"""

from __future__ import annotations

import argparse
import mmap
import os
import resource
import signal
import struct
import sys
import tempfile
import time
import zlib
from pathlib import Path

import numpy as np
import samples

import convkit as ck

MAX_PIXELS = 2_000_000
MEMORY = 512 << 20
"""More address space than a child has at its start may not be taken: decoders and copies of 2 MP fit well."""
SECONDS = 10
INTERESTING = (0, 1, 2, 7, 8, 16, 32, 64, 127, 128, 255)


def mutated(files: list[bytes], number: int) -> bytes:
    """Input `number`: one of the files, damaged once or several times, its checksums mended half the time."""
    rng = np.random.default_rng(number)
    data = bytearray(files[rng.integers(len(files))])
    for _ in range(rng.integers(1, 6)):
        place = (
            int(rng.integers(len(data) + 1))
            if rng.random() < 0.6
            else int(rng.integers(min(len(data), 64) + 1))
        )
        length = int(rng.integers(1, 9))
        match rng.integers(8):
            case 0:
                data[place : place + 1] = bytes([rng.choice(INTERESTING)])
            case 1:
                data[place : place + length] = rng.bytes(length)
            case 2:
                del data[place : place + int(rng.integers(1, 40))]
            case 3:
                data[place:place] = rng.bytes(length)
            case 4:
                data[place:place] = data[place : place + int(rng.integers(1, 200))]
            case 5:
                order = rng.choice(["<", ">"])
                data[place : place + 4] = struct.pack(
                    order + "I", int(rng.integers(0, 2**32)) >> int(rng.integers(32))
                )
            case 6:
                other = files[rng.integers(len(files))]
                data[place:] = other[int(rng.integers(len(other))) :]
            case 7 if place < len(data):
                data[place] ^= 1 << int(rng.integers(8))
        if not data:
            break
    return _mended(bytes(data)) if rng.random() < 0.5 else bytes(data)


def _mended(data: bytes) -> bytes:
    """A PNG with right checksums: so the damage comes to the decoder."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return data
    found, at = bytearray(data[:8]), 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        body = data[at + 4 : at + 8 + length]
        found += data[at : at + 4] + body + struct.pack(">I", zlib.crc32(body))
        at += 12 + length
    return bytes(found)


def child(files: list[bytes], numbers: range, seen: mmap.mmap) -> None:
    """Read inputs one after another; `seen` holds the number of the one at hand, and what came of them."""
    ck.imread(files[0])
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what codecs say
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, size + MEMORY))
    read = refused = 0
    for number in numbers:
        seen[:8] = struct.pack("q", number)
        signal.alarm(SECONDS)
        mode = ("unchanged", "color", "gray")[number % 3]
        try:
            image = ck.imread(mutated(files, number), mode, max_pixels=MAX_PIXELS)
        except ck.ConvkitError:
            refused += 1
        else:
            assert image.ndim in (2, 3)
            assert image.size
            read += 1
        seen[8:24] = struct.pack("qq", read, refused)
    seen[24:32] = struct.pack("q", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def run(files: list[bytes], numbers: range) -> tuple[int, int, int, list[str]]:
    """Read `numbers` in children; how many were read and refused, the peak in kB, and what went wrong."""
    failures: list[str] = []
    read = refused = peak = 0
    while numbers:
        seen = mmap.mmap(-1, 32)
        process = os.fork()
        if process == 0:
            try:
                child(files, numbers, seen)
            except BaseException as error:
                sys.stdout.write(f"{struct.unpack('q', seen[:8])[0]}: {type(error).__name__}: {error}\n")
                sys.stdout.flush()
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(process, 0)
        number, more_read, more_refused, kilobytes = struct.unpack("qqqq", seen[:])
        read, refused, peak = read + more_read, refused + more_refused, max(peak, kilobytes)
        if status == 0:
            break
        how = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else "another exception"
        failures.append(f"input {number}: {how}")
        numbers = range(number + 1, numbers.stop)
    return read, refused, peak, failures


def main() -> int:
    """Run; 0 where nothing went wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = [data for data, _ in samples.build_corpus(Path(folder)).values()]
        files += samples.build_larger(Path(folder)).values()
    start = time.perf_counter()
    read, refused, peak, failures = run(files, range(chosen.first, chosen.first + chosen.count))
    print("\n".join(failures))
    print(
        f"{chosen.count} inputs of {len(files)} files in {time.perf_counter() - start:.0f} s: {read} read, "
        f"{refused} refused, {len(failures)} failures; peak {peak / 1024:.0f} MB"
    )
    return min(len(failures), 1)


if __name__ == "__main__":
    sys.exit(main())

"""Memory: the scratch of a thread, and the peak of a process that convolves a large map."""

from pathlib import Path

import numpy as np
import pytest

from convkit.ops import conv
from convkit.ops.choice import ALGORITHMS, choose
from convkit.ops.problem import Problem

DRAWS = 1000
MOST_SCRATCH = 8 << 20


def draw(rng):
    """Up to 512 channels and maps of 1024², of any algorithm's taste."""
    while True:
        groups = int(rng.choice([1, 1, 1, 2, 4, 8, 32]))
        channels, outputs = (int(2 ** rng.uniform(0, 9)) // groups * groups for _ in range(2))
        if rng.random() < 0.15:
            groups = outputs = channels
        kernel = int(rng.choice([1, 1, 2, 3, 3, 3, 4, 5, 7, 11]))
        stride, dilation = int(rng.choice([1, 1, 2, 3])), int(rng.choice([1, 1, 1, 2, 3, 8]))
        size = tuple(int(2 ** rng.uniform(2, 10)) for _ in range(2))
        if min(channels, outputs) == 0 or kernel * dilation > min(size):
            continue
        axes = conv.axes_of(size, (kernel, kernel), stride, kernel // 2, dilation)
        images, itemsize = int(rng.choice([1, 1, 4])), int(rng.choice([4, 4, 4, 8]))
        return Problem(images, groups, outputs // groups, channels // groups, *axes, itemsize)


def test_scratch_of_a_thread(isa):
    """But for transforms, one tile of which may take more: `test_fft.py` has their bound."""
    rng = np.random.default_rng(0)
    taken = set()
    for _ in range(DRAWS):
        problem, threads, once = draw(rng), int(rng.choice([1, 2, 3, 8, 64])), bool(rng.integers(2))
        algorithm = choose(conv.ask(problem, "auto", once)).algorithm
        taken.add(algorithm)
        for name in {algorithm, "gemm"} - {"fft"}:
            size = ALGORITHMS[name].workspace(problem, threads)
            assert 0 < size <= MOST_SCRATCH, (name, threads, problem)
    assert taken >= set(ALGORITHMS) - {"fft"}


PEAK = """
import numpy as np, convkit as ck, re

def status(name):
    return int(re.search(name + r":\\s+(\\d+) kB", open("/proc/self/status").read())[1]) << 10

weight = np.random.default_rng(0).standard_normal((64, 64, 3, 3), np.float32)
before = status("VmRSS")
x = np.ones((1, 64, 1024, 1024), np.float32)
y = ck.conv2d(x, weight, padding=1, algorithm="ALGORITHM")
print(status("VmHWM") - before - x.nbytes - y.nbytes - weight.nbytes)
"""


@pytest.mark.parametrize("threads", ["1", "2"])
@pytest.mark.parametrize("algorithm", ["auto", "gemm"])
def test_peak_of_a_large_map(run_python, algorithm, threads):
    """Input, output, weights and at most 32 MB more: no padded copy, no matrix of pixels."""
    try:
        available = int(Path("/proc/meminfo").read_text().split("MemAvailable:")[1].split()[0])
    except (OSError, IndexError):
        pytest.skip("the peak is read from Linux's /proc")
    if available < 1_200_000:
        pytest.skip("less than 1.2 GB of free memory")
    extra = int(run_python(PEAK.replace("ALGORITHM", algorithm), CONVKIT_NUM_THREADS=threads))
    assert extra <= 32e6

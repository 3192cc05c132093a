"""What a chain takes beside its input and its output, measured as the peak of a process's memory."""

import sys

import pytest

MEASURE = """
import ctypes

import numpy as np
import convkit as ck

ctypes.CDLL(None).prctl(41, 1, 0, 0, 0)  # no huge pages: one of them is a quarter of the image

def status(name):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))

chain = ck.Pipeline("gaussian(1.4) | box(3) | sharpen(1.0, 0.8) | box((3, 5)) | sobel('x', dtype='{dtype}')")
chain(np.zeros((256, 256), np.{dtype}), num_threads={threads})  # loads the kernels, and starts a thread
image = np.ones((2160, 3840), np.{dtype})
out = np.ones_like(image)
before = status("VmRSS")
with open("/proc/self/clear_refs", "w") as peak:
    peak.write("5")
chain(image, out=out, num_threads={threads})
print((status("VmHWM") - before) / image.nbytes)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_chain_of_five_takes_a_quarter_of_an_image(run_python, dtype, threads):
    assert float(run_python(MEASURE.format(dtype=dtype, threads=threads))) < 0.25

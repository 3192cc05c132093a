"""
67 million pixels, a few rows at a time
=======================================

A pipeline reads rows and writes rows, wherever they lie: here from one file into another, without the whole
image in memory. One after another, the same filters hold images of its size.
"""

import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
from skimage import data

import convkit as ck
from convkit import viz

folder = tempfile.TemporaryDirectory()
stored, result = (
    np.memmap(Path(folder.name) / name, np.uint8, "w+", shape=(8192, 8192)) for name in ("wall", "result")
)
for top in range(0, 8192, 512):
    stored[top : top + 512] = np.tile(data.brick(), 16)
chain = ck.Pipeline("gaussian(sigma=2) | sharpen(amount=2, sigma=4) | dilate(footprint=3)")
print(chain.explain(stored.shape, stored.dtype))

# %%
# Memory that each way takes at most, beside the two files.


def one_by_one():
    """Each filter gives a whole image."""
    soft = ck.filters.gaussian(stored, sigma=2)
    result[:] = ck.filters.dilate(ck.filters.sharpen(soft, amount=2, sigma=4), footprint=3)


def megabytes(run):
    """The most that NumPy's arrays take while `run` runs."""
    tracemalloc.start()
    run()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most / 1e6


taken = {
    "one filter after another": megabytes(one_by_one),
    "the chain": megabytes(lambda: chain(stored)),
    "the chain, into the file": megabytes(lambda: chain(stored, out=result)),
}
figure = viz.figure(6, 2)
ax = figure.subplots()
bars = ax.barh(list(taken), list(taken.values()), color=["#b57a00", "#0072b2", "#0072b2"])
ax.bar_label(bars, [f"{value:.1f} MB" for value in taken.values()], padding=4, fontsize=9)
ax.invert_yaxis()
ax.set_xlim(0, 1.2 * max(taken.values()))
ax.set_xlabel("memory at the peak, in MB")
figure.set_label(
    "Memory at the peak: " + ", ".join(f"{name} {value:.1f} MB" for name, value in taken.items())
)
figure

# %%
# A piece of what lies in both files.
piece = np.s_[4096:4224, 4096:4352]
both = viz.compare(stored[piece], result[piece], names=("wall", "result"), difference=False)
folder.cleanup()
both

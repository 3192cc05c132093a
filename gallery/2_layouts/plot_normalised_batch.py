"""
A normalised batch, and back
============================

``ck.to_bchw`` makes one float32 batch of HWC photos and normalises it in the same pass; ``ck.from_bchw``
undoes it.
"""

from skimage import data

import convkit as ck
from convkit import viz

photos = [
    ck.letterbox(photo, 256).image
    for photo in (data.chelsea(), data.coffee(), data.astronaut(), data.rocket())
]
batch = ck.to_bchw(photos, scale="unit", mean=0.5, std=0.25)
figure = viz.show(batch, limits=(-2, 2), title="limits=(-2, 2): what black and white became")
figure

# %%
back = ck.from_bchw(batch, scale="unit", mean=0.5, std=0.25, dtype="uint8")
print(
    "largest difference:", max(int(abs(a.astype(int) - b).max()) for a, b in zip(back, photos, strict=True))
)

"""
Noise of two kinds
==================

A median takes away single wrong pixels that a Gaussian only spreads; a bilateral filter smooths grain and
leaves edges. Of the three the Gaussian alone is linear: the others have no kernel that could be drawn.
"""

import numpy as np
from skimage import data

import convkit as ck
from convkit import viz

rng = np.random.default_rng(0)
camera = data.camera()[60:316, 150:460]
specks = camera.copy()
specks[rng.random(camera.shape) < 0.08] = 255
grain = np.clip(camera + rng.normal(0, 14, camera.shape), 0, 255).astype(np.uint8)
figure = viz.contact_sheet(
    {
        "specks": specks,
        "gaussian(sigma=1.5)": ck.filters.gaussian(specks, sigma=1.5),
        "median(size=5)": ck.filters.median(specks, size=5),
        "grain": grain,
        "gaussian(sigma=1.5), again": ck.filters.gaussian(grain, sigma=1.5),
        "bilateral": ck.filters.bilateral(grain, 9, 45.0, 3.0),
    },
    columns=3,
    title="What takes noise away, and what it costs",
)
figure

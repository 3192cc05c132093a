"""
A chain without images between
==============================

A pipeline runs band by band, with a few rows between two filters, and gives the bits of one filter after
another.
"""

import numpy as np
from skimage import data

import convkit as ck
from convkit import viz

astronaut = ck.to_gray(data.astronaut())
chain = ck.Pipeline("gaussian(sigma=2) | sobel")
fused, apart = chain(astronaut), ck.filters.sobel(ck.filters.gaussian(astronaut, sigma=2))
print("the same bits:", np.array_equal(fused, apart), "with a halo of", chain.halo)
figure = viz.compare(astronaut, fused, names=("astronaut", str(chain)))
figure

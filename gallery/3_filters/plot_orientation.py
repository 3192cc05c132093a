"""
Which way edges face
====================

The angle of the gradient as a colour, its magnitude as brightness. The wheel tells right from left by blue
and yellow, down from up by light and dark, so that it can be read with any kind of colour vision.
"""

import numpy as np
from skimage import data

import convkit as ck
from convkit import viz

y, x = np.mgrid[-200:200, -200:200]
rings = (127 + 127 * np.cos(np.hypot(x, y) / 9)).astype(np.float32)
magnitude, angle = ck.filters.scharr(rings, "polar")
wheel = viz.orientation(angle, magnitude, title="rings face every way")
wheel

# %%
coffee = ck.filters.gaussian(ck.to_gray(data.coffee()).astype(np.float32), sigma=2)
magnitude, angle = ck.filters.sobel(coffee, "polar")
figure = viz.orientation(angle, magnitude, title="a cup of coffee")
figure

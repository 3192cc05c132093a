"""
Before, after, and what changed
===============================

`viz.compare` puts two images side by side and shows their difference: where a blur took something away, and
how much.
"""

from skimage import data

import convkit as ck
from convkit import viz

cat = data.chelsea()
soft = ck.filters.gaussian(cat, sigma=3)
figure = viz.compare(cat, soft, names=("cat", "gaussian(sigma=3)"))
figure

# %%
# Sharpening adds what the blur takes away.
crisp = ck.filters.sharpen(cat, amount=1.5, sigma=2)
sharpened = viz.compare(cat, crisp, names=("cat", "sharpen(amount=1.5, sigma=2)"))
sharpened

"""
What lies outside
=================

Every filter takes every border, in the words of ``numpy.pad``, without a padded copy. A wide blur makes
them visible.
"""

from skimage import data

import convkit as ck
from convkit import viz

cat = data.chelsea()
names = ("reflect", "symmetric", "edge", "wrap", "constant", "valid")
figure = viz.contact_sheet(
    {name: ck.filters.gaussian(cat, sigma=20, border=name) for name in names},
    columns=3,
    title="gaussian(sigma=20)",
)
figure

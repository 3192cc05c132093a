"""
A photo and its edges
=====================

Read a photo, blur it, find its edges, and lay them over it.
"""

from matplotlib.cbook import get_sample_data

import convkit as ck
from convkit import viz

photo = ck.imread(get_sample_data("grace_hopper.jpg", asfileobj=False))
edges = ck.filters.canny(ck.filters.gaussian(ck.to_gray(photo), sigma=1.2), 60, 160)
figure = viz.edges_overlay(photo, edges, title="gaussian, then canny")
figure

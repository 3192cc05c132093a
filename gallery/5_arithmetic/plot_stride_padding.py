"""
Stride and padding, felt directly
=================================

One input of 32×32 and three settings: padding 1 keeps the size, stride 2 halves it, and a 5×5 kernel
without padding takes four pixels away.
"""

import numpy as np

import convkit as ck
from convkit import viz

settings = [{"kernel": 3, "stride": 1, "padding": 1}, {"kernel": 3, "stride": 2, "padding": 1}, {"kernel": 5}]
figure = viz.figure(10, 2.7)
for ax, given in zip(figure.subplots(1, 3, width_ratios=(70, 54, 64)), settings, strict=True):
    viz.conv_geometry(32, **given, ax=ax)
figure

# %%
# The layer gives what the drawing says.
x = np.zeros((1, 3, 32, 32), np.float32)
for given in settings:
    k = given["kernel"]
    options = {name: value for name, value in given.items() if name != "kernel"}
    print(given, "->", ck.conv2d(x, np.zeros((8, 3, k, k), np.float32), **options).shape)

"""
What a unit looks at
====================

The box is arithmetic; the heat is the gradient of one unit. Most of a deep unit's weight lies in the middle
of its box.
"""

import numpy as np
from skimage import data

import convkit as ck
from convkit import nn, viz

rng = np.random.default_rng(0)
layers = [nn.Conv2d(3, 8, 5, stride=2, padding=2, generator=rng), nn.ReLU()]
for _ in range(4):
    layers += [nn.Conv2d(8, 8, 3, stride=1, padding=1, generator=rng), nn.ReLU()]
model = nn.Sequential(*layers, nn.Conv2d(8, 8, 3, stride=2, padding=1, generator=rng))
batch = ck.to_bchw(data.astronaut()[:192, 130:322], scale="unit", mean=0.5, std=0.25)
figure = viz.receptive_field(model, batch, unit=(22, 24))
figure

# %%
maps = viz.feature_maps(model, batch, "1", count=8, columns=4)
maps

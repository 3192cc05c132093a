"""
Learning Sobel's filter
=======================

One 3×3 layer, shown photos and their Sobel gradients, finds the kernel by itself.
"""

import numpy as np
from skimage import data

import convkit as ck
from convkit import nn, viz

gray = ck.to_gray(data.astronaut()).astype(np.float32) / 255
patches = np.stack([gray[y : y + 64, x : x + 64] for y in range(0, 448, 64) for x in range(0, 448, 64)])[
    :, None
]
targets = ck.filters.sobel(patches, "x", channel_axis=None)
model = nn.Sequential(
    nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect", bias=False, generator=np.random.default_rng(0))
)
fit = nn.fit(model, (patches, targets), nn.MSELoss(), nn.optim.Adam(model.parameters(), lr=0.1), epochs=100)
learnt = viz.kernel(model.get_submodule("0").weight.data[0, 0], title="what was learnt")
learnt

# %%
figure = viz.history(fit)
figure

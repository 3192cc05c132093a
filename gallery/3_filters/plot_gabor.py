"""
A bank of Gabor filters
=======================

A wave under a Gaussian answers to stripes of its direction and width. Any kernel can be drawn and applied:
`filter2d` takes it as it is.
"""

import numpy as np
from skimage import data

import convkit as ck
from convkit import viz

y, x = np.mgrid[-10:11, -10:11]
envelope = np.exp(-(x**2 + y**2) / (2 * 4.0**2))
turns = np.linspace(0, np.pi, 8, endpoint=False)
bank = {f"{np.degrees(t):.1f}°": envelope * np.cos((x * np.cos(t) + y * np.sin(t)) * 0.9) for t in turns}
kernels = viz.kernel_bank(bank, columns=4, title="Eight directions")
kernels

# %%
# Each keeps waves of one direction and one width.
response = viz.frequency_response(bank["45.0°"], title="the one at 45°")
response

# %%
wall = data.brick()[:256, :256].astype(np.float32)
answers = {name: np.abs(ck.filters.filter2d(wall, kernel)) for name, kernel in bank.items()}
figure = viz.contact_sheet(answers, columns=4, title="What each of them sees in a wall")
figure.set_size_inches(9, 6)
figure

"""
A depthwise layer, seen
=======================

``groups=C``: each channel has a kernel of its own. Here the red plane is blurred, the green one
differentiated, and the blue one left alone; a 1×1 layer then mixes them to one.
"""

import numpy as np
from skimage import data

import convkit as ck
from convkit import viz

batch = ck.to_bchw(data.astronaut(), scale="unit")
kernels = np.stack([viz.kernel_of("gaussian(sigma=2)"), np.zeros((17, 17)), np.zeros((17, 17))])
kernels[1, 7:10, 7:10] = viz.kernel_of("sobel('x')")
kernels[2, 8, 8] = 1
depthwise = kernels[:, None].astype(np.float32)
planes = ck.conv2d(batch, depthwise, padding=8, groups=3)[0]
mixed = ck.conv2d(planes[None], np.full((1, 3, 1, 1), 1 / 3, np.float32))[0, 0]
figure = viz.figure(8, 8)
panels = figure.subplots(2, 2).flat
viz.show(planes[0], limits=(0, 1), title="red: gaussian", ax=panels[0])
viz.show(planes[1], title="green: sobel", ax=panels[1])
viz.show(planes[2], limits=(0, 1), title="blue: identity", ax=panels[2])
viz.show(mixed, limits=(-0.5, 1), title="1×1: their mean, from black at -0.5 to white at 1", ax=panels[3])
figure

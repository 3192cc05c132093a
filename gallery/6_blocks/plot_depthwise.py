"""
A depthwise layer, seen
=======================

``groups=C``: each channel has a kernel of its own. Here the red plane is blurred, the green one
differentiated, and the blue one left alone; a 1×1 layer then mixes them to gray.
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
figure = viz.contact_sheet(
    {
        "red: gaussian": planes[0],
        "green: sobel": planes[1],
        "blue: identity": planes[2],
        "1×1: their mean": mixed,
    },
    columns=2,
)
figure

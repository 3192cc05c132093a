"""
Classic filters as a first layer
================================

Six kernels of the bank as the weights of one ``conv2d``: what trained first layers look for, written down by
hand.
"""

import numpy as np
from skimage import data

import convkit as ck
from convkit import viz

names = [
    "sobel('x')",
    "sobel('y')",
    "laplacian",
    "gaussian(sigma=1)",
    "gaussian(sigma=1) | laplacian",
    "box(size=3)",
]
weight = np.zeros((len(names), 1, 13, 13), np.float32)
for out, name in zip(weight[:, 0], names, strict=True):
    kernel = viz.kernel_of(name)
    rows, columns = (slice(6 - n // 2, 7 + n // 2) for n in kernel.shape)
    out[rows, columns] = kernel / np.abs(kernel).sum()
batch = ck.to_bchw(ck.to_gray(data.astronaut()), scale="unit")
features = ck.conv2d(batch, weight, padding=6, activation="relu")[0]
figure = viz.contact_sheet(
    dict(zip(names, features, strict=True)), columns=3, title="relu(conv2d(photo, bank))"
)
figure

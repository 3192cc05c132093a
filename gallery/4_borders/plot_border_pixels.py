"""
Borders, pixel by pixel
=======================

A kernel with a single weight off its centre moves the image, and shows what comes in from outside.
"""

import numpy as np

import convkit as ck
from convkit import viz

row = np.arange(1, 9, dtype=np.float64)[None].repeat(3, axis=0)
shift = np.zeros((1, 9))
shift[0, 0] = 1
figure = viz.figure(9, 6.5)
for ax, border in zip(
    figure.subplots(5, 1), ("reflect", "symmetric", "edge", "wrap", "constant"), strict=True
):
    viz.kernel(
        ck.filters.filter2d(row, shift, border=border)[:1],
        title=f'border="{border}": 1 … 8 moved by 4',
        ax=ax,
    )
figure

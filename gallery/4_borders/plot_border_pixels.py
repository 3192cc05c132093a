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
figure = viz.figure(6, 6.5)
told = []
for ax, border in zip(
    figure.subplots(5, 1), ("reflect", "symmetric", "edge", "wrap", "constant"), strict=True
):
    moved = ck.filters.filter2d(row, shift, border=border)[:1]
    viz.show(moved, limits=(0, 8), title=f'border="{border}": 1 … 8 moved by 4', ax=ax)
    ax.set_xlabel("")
    for x, value in enumerate(moved[0]):
        ax.text(x, 0, f"{value:.0f}", ha="center", va="center", color="white" if value < 5 else "black")
    told.append(f"{border} " + " ".join(f"{value:.0f}" for value in moved[0]))
figure.set_label("Pixels 1 to 8 moved by 4, and what comes in from outside: " + "; ".join(told))
figure

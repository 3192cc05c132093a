"""
Canny's two thresholds
======================

Weak edges stay where strong ones hold them: the low threshold says how weak, the high one how strong.
"""

from skimage import data

import convkit as ck
from convkit import viz

coins = data.coins()
figure = viz.figure(10, 7.4)
for ax, (low, high) in zip(
    figure.subplots(2, 2).flat, [(20, 60), (20, 250), (100, 250), (250, 400)], strict=True
):
    viz.edges_overlay(
        coins, ck.filters.canny(coins, low, high), title=f"canny(low={low}, high={high})", ax=ax
    )
figure

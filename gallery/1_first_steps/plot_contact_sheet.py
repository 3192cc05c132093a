"""
One photo through many filters
==============================

A contact sheet shows each result with its dtype and range: smoothing keeps uint8, derivatives give float32.
"""

from skimage import data

import convkit as ck
from convkit import viz

rocket = data.rocket()
gray = ck.to_gray(rocket)
chains = [
    "gaussian(sigma=3)",
    "sobel",
    "laplacian(ksize=5)",
    "sharpen(amount=2)",
    "median(size=7)",
    "dilate(footprint=7)",
    "erode(footprint=7)",
    "canny(low=60, high=160)",
]
results = {text: ck.Pipeline(text)(gray) for text in chains}
figure = viz.contact_sheet({"rocket": rocket, **results}, columns=3, title="A rocket through the bank")
figure

"""
Sharpening, too little and too much
===================================

The amount scales what a blur takes away; beyond 2 every edge wears a halo.
"""

from skimage import data

import convkit as ck
from convkit import viz

moon = data.moon()[100:400, 100:460]
amounts = {"moon": moon} | {f"amount={a}": ck.filters.sharpen(moon, amount=a, sigma=3) for a in (1, 2, 5)}
figure = viz.contact_sheet(amounts, columns=2)
figure

# %%
response = viz.frequency_response("sharpen(amount=2, sigma=3)")
response

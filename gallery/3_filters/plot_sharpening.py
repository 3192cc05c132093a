"""
Sharpening, too little and too much
===================================

The amount scales what a blur takes away; beyond 2 every edge wears a halo: the ring of negative weights.
"""

from skimage import data

import convkit as ck
from convkit import viz

kernel = viz.kernel("sharpen(amount=2, sigma=1)")
kernel

# %%
# The finest details are raised most, and a constant is left as it is.
response = viz.frequency_response("sharpen(amount=2, sigma=3)")
response

# %%
moon = data.moon()[100:400, 100:460]
amounts = {"moon": moon} | {f"amount={a}": ck.filters.sharpen(moon, amount=a, sigma=3) for a in (1, 2, 5)}
figure = viz.contact_sheet(amounts, columns=2)
figure

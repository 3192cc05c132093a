"""
Numbers behind a picture
========================

The same derivative of an 8-bit photo, as float32 and as int16; both keep the sign, and ``viz.show`` gives
them the scale that tells it.
"""

from skimage import data

import convkit as ck
from convkit import viz

coins = data.coins()
as_float = viz.show(ck.filters.sobel(coins, "x"), title="sobel(coins, 'x'), float32")
as_float

# %%
as_int16 = viz.show(ck.filters.sobel(coins, "x", dtype="int16"), title="the same in int16")
as_int16

"""
Smoothing
=========

A box and a Gaussian of the same spread: the box's response has side lobes, which show as stripes in fine
texture; the Gaussian's falls once and stays down.
"""

from skimage import data

import convkit as ck
from convkit import viz

kernels = viz.kernel_bank(
    {
        "box(size=7)": "box(size=7)",
        "gaussian(sigma=2)": "gaussian(sigma=2)",
        "binomial": "sepfilter2d([1, 4, 6, 4, 1], [1, 4, 6, 4, 1], scale=0.00390625)",
    },
    columns=3,
)
kernels

# %%
box = viz.frequency_response("box(size=7)")
box

# %%
gaussian = viz.frequency_response("gaussian(sigma=2)")
gaussian

# %%
grass = data.grass()[:256, :256]
photo = viz.contact_sheet(
    {name: ck.Pipeline(name)(grass) for name in ("box(size=7)", "gaussian(sigma=2)")}, columns=2
)
photo

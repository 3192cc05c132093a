"""
Second derivatives and blobs
============================

The Laplacian of a Gaussian answers to blobs of its own size: bright ones blue, dark ones red. The deep
field of Hubble is full of bright ones.
"""

from skimage import data

import convkit as ck
from convkit import viz

kernel = viz.kernel("gaussian(sigma=2) | laplacian")
kernel

# %%
# What is kept is a band of frequencies.
response = viz.frequency_response("gaussian(sigma=2) | laplacian")
response

# %%
sky = ck.to_gray(data.hubble_deep_field())[:500, :700].astype("float32")
blobs = viz.show(ck.Pipeline("gaussian(sigma=3) | laplacian")(sky), title="gaussian(sigma=3) | laplacian")
blobs

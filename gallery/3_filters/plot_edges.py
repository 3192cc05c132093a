"""
First derivatives
=================

Sobel, Scharr and Prewitt differentiate across an edge and smooth along it, each with weights of its own.
Scharr's make the magnitude the same in all directions; a derivative of a Gaussian chooses the scale, too.
"""

from skimage import data

import convkit as ck
from convkit import viz

names = ["sobel('x')", "scharr('x')", "prewitt('x')", "gaussian(sigma=1.5, order=(0, 1))"]
kernels = viz.kernel_bank({name: name for name in names}, columns=4)
kernels

# %%
response = viz.frequency_response("sobel('x')")
response

# %%
astronaut = ck.to_gray(data.astronaut())
photo = viz.contact_sheet({name: ck.Pipeline(name)(astronaut) for name in names}, columns=2)
photo

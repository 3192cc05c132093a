"""
HWC, CHW, BCHW
==============

Files hold the colours of a pixel side by side; layers want a plane for each colour, and a batch of them.
The calls that lead from one to the other, and the mistake that looks like them.
"""

from skimage import data

import convkit as ck
from convkit import viz

diagram = viz.layout_diagram((224, 224, 3))
diagram

# %%
# ``reshape`` gives the right shape and the wrong picture.
cat = data.chelsea()[:300, :450]
right, wrong = ck.to_chw(cat), cat.reshape(3, 300, 450)
figure = viz.figure(5.3, 2.6)
left, other = figure.subplots(1, 2)
viz.show(right, layout="CHW", title="ck.to_chw(cat)", ax=left)
viz.show(wrong, layout="CHW", title="cat.reshape(3, 300, 450)", ax=other)
figure

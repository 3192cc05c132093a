"""
Where it breaks, and why
========================

Most errors are errors of shape. A trace goes up to the layer that refuses, says why in red, and what would
mend it.
"""

from convkit import viz

collapsed = viz.shape_trace(
    "conv(16, 3) | pool(2) | conv(32, 3) | pool(2) | pool(2) | conv(64, 5)", (3, 32, 32)
)
collapsed

# %%
# Groups must divide the channels on both sides.
groups = viz.shape_trace("conv(8, 3, padding=1) | conv(8, 3, padding=1, groups=3)", (3, 32, 32))
groups

# %%
# A map is no vector.
flat = viz.shape_trace("conv(8, 3) | pool(2) | linear(10)", (3, 32, 32))
flat

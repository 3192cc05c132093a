"""
Transposed convolution
======================

It is the way back through a strided convolution, and equal to a plain one over the input with holes between
its pixels. ``output_padding`` says which of the sizes that the stride maps to one is meant.
"""

from convkit import viz

back = viz.conv_geometry(4, kernel=3, stride=2, padding=1, transposed=True, step=(3, 3))
back

# %%
# 8×8 and 7×7 both become 4×4 on the way there: with one pixel of output padding the way back leads to 8×8.
longer = viz.conv_geometry(4, kernel=3, stride=2, padding=1, output_padding=1, transposed=True, step=(3, 3))
longer

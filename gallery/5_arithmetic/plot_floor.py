"""
The pixels that no window reaches
=================================

With stride 2 a 3×3 window does not end at the border of 8 + 2·1 pixels: the hatched row and column lie under
none, and sizes are rounded down. ``strict=True`` refuses such sizes and names the nearest that fit.
"""

import textwrap

from convkit import shapes, viz

figure = viz.conv_geometry(8, kernel=3, stride=2, padding=1, step=(3, 3))
figure

# %%
try:
    shapes.conv2d_output(8, kernel=3, padding=1, stride=2, strict=True)
except ValueError as error:
    print(textwrap.fill(str(error), 80))

"""
The pixels that no window reaches
=================================

With stride 2 a 3×3 kernel over 32 + 2 pixels leaves one over: sizes are rounded down. ``strict=True``
refuses such sizes and names the nearest that fit.
"""

from convkit import shapes, viz

figure = viz.conv_geometry(8, kernel=3, stride=2, padding=1, step=(3, 3))
figure

# %%
try:
    shapes.conv2d_output(32, kernel=3, padding=1, stride=2, strict=True)
except ValueError as error:
    print(error)

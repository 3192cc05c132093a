"""
Dilation sees further
=====================

The same nine weights, one, two and three pixels apart: they span 3, 5 and 7 pixels, and need padding 1, 2
and 3 to keep the size.
"""

from convkit import viz

figure = viz.figure(5.3, 8.9)
for ax, dilation in zip(figure.subplots(3, 1), (1, 2, 3), strict=True):
    viz.conv_geometry(9, kernel=3, padding=dilation, dilation=dilation, step=(4, 4), ax=ax)
figure

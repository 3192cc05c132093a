"""
A window slides over an image
=============================

Each output pixel is a sum over the window; the kernel is the same everywhere. With a 3×3 kernel, stride 2
and padding 1 a 5×5 input gives ⌊(5 + 2·1 − 3) / 2⌋ + 1 = 3 pixels a side.
"""

from convkit import viz

figure = viz.conv_geometry(5, kernel=3, stride=2, padding=1, step=4)
figure

# %%
# Every stop of the window. (It plays once.)
animation = viz.conv_animation(5, kernel=3, stride=2, padding=1)
animation

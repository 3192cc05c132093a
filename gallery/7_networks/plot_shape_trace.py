"""
From a photo to ten numbers
===========================

The shape after each layer, by arithmetic alone.
"""

from convkit import viz

layers = (
    "conv(64, 7, stride=2, padding=3) | relu | pool(3, 2, padding=1) | conv(128, 3, stride=2, padding=1) | "
    "conv(256, 3, stride=2, padding=1) | global_pool | linear(10)"
)
figure = viz.shape_trace(layers, (3, 224, 224))
figure

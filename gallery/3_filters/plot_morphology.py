"""
Morphology
==========

Erosion and dilation take the least and the greatest of a neighbourhood, and their difference is the outline;
opening and closing are the one after the other, and take away what is thinner than it. None is linear: they
have no kernel of weights and no frequency response.
"""

from skimage import data

import convkit as ck
from convkit import viz

horse = (~data.horse()).astype("uint8") * 255
ops = {name: getattr(ck.filters, name)(horse, 11) for name in ("erode", "dilate", "opening", "closing")}
outline = ops["dilate"] - ops["erode"]
figure = viz.contact_sheet({"horse": horse, **ops, "dilate - erode": outline}, columns=3)
figure

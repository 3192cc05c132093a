"""
RGB or BGR
==========

OpenCV reads BGR, everything else RGB. Nothing in an array tells which it is: convkit always reads RGB, and
`viz.show` takes the order as an argument and never guesses.
"""

from skimage import data

import convkit as ck
from convkit import viz

coffee = data.coffee()
from_opencv = ck.rgb_to_bgr(coffee)
figure = viz.figure(5.3, 2.6)
left, right = figure.subplots(1, 2)
viz.show(from_opencv, title="BGR, shown as if RGB", ax=left)
viz.show(from_opencv, order="bgr", title='BGR, shown with order="bgr"', ax=right)
figure

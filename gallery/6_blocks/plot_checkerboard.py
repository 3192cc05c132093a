"""
Checkerboards of transposed layers
==================================

Where the stride does not divide the kernel, some outputs are summed from more weights than others. A
constant image shows it: 3×3 with stride 2 makes a pattern, 4×4 does not.
"""

import numpy as np

import convkit as ck
from convkit import viz

flat = np.ones((1, 1, 8, 8), np.float32)
maps = {
    f"kernel {k}×{k}, stride 2": ck.conv_transpose2d(flat, np.ones((1, 1, k, k), np.float32), stride=2)[0, 0]
    for k in (3, 4)
}
figure = viz.contact_sheet(maps, columns=2, title="A constant image, enlarged")
figure

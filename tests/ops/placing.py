"""Where arrays of the tests lie in memory."""

from __future__ import annotations

import numpy as np

LAYOUTS = ["plain", "hwc", "flipped", "slices", "fortran"]


def placed(array, layout):
    """The same values of a BCHW array elsewhere in memory; "slices" have 7 between them, in their base."""
    if layout == "hwc":
        return np.ascontiguousarray(array.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    if layout == "flipped":
        return np.ascontiguousarray(array[:, ::-1, ::-1, ::-1])[:, ::-1, ::-1, ::-1]
    if layout == "slices":
        room = np.full([2 * n for n in array.shape], 7, array.dtype)
        room[::2, ::2, ::2, ::2] = array
        return room[::2, ::2, ::2, ::2]
    if layout == "fortran":
        return np.asfortranarray(array)
    if layout == "swapped":
        return array.astype(array.dtype.newbyteorder())
    return array.copy()

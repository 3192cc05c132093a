"""Products of matrices by the convolution's kernels.

NumPy's library keeps threads of its own, which wait for work in a loop: beside ours there would be more of
them than cores, and every call would take several times as long. Its sums depend on their number, too.
"""

from __future__ import annotations

import numpy as np

from convkit._checks import FLOATS, Array, empty
from convkit.ops.taps import Tap, TapConv, cross

ONE_TAP = cross([Tap(0, 0)], [Tap(0, 0)])


def product(a: Array, b: Array) -> Array:
    """``a @ b`` as `numpy.matmul`; where `b` is a matrix of floats, no number of threads changes its bits."""
    matrices = a.ndim > 1 and b.ndim == 2 and a.shape[-1] == b.shape[0]
    if matrices and a.dtype == b.dtype and a.dtype in FLOATS and a.size and b.size:
        rows = a.reshape(-1, a.shape[-1])
        return product_of_matrices(rows, b).reshape(*a.shape[:-1], b.shape[1])
    found: Array = np.matmul(a, b)
    return found


def product_of_matrices(a: Array, b: Array) -> Array:
    """The columns of `b` are pixels, and each row of `a` weighs their channels."""
    (height, depth), width = a.shape, b.shape[1]
    found = empty((height, width), a.dtype)
    weights = TapConv(a.reshape(1, height, depth, 1, 1), None, ONE_TAP, num_threads=None)
    weights.run(b.reshape(1, depth, 1, width), found.reshape(1, height, 1, width))
    return found

"""Very large kernels by Fourier transforms of tiles (overlap-save): a cost that hardly grows with them."""

from __future__ import annotations

from itertools import product

import numpy as np

from convkit._checks import Array, Pair
from convkit.ops import fft
from convkit.ops.stencil import Stencil

SMALLEST = 2000
"""Products a pixel from which transforms take half the time of sums, which keep every promise."""

HOLES_COST = 2.5
"""What a product costs where weights of zero, which must read nothing, lie between the others."""

TILE = 512
"""Rows and columns of a transform where the kernel is small beside it: it stays in the second cache."""


def pays(stencil: Stencil) -> bool:
    """Whether a dense `stencil` has enough weights."""
    values = stencil.parts[0][0].values
    products = int(np.count_nonzero(values))
    return products * (HOLES_COST if products < values.size else 1) >= SMALLEST


def correlate(stencil: Stencil, image_hwc: Array, shape: Pair, border: str, cval: float, real: type) -> Array:
    """The sums of a dense `stencil` at `shape` pixels of an image, computed in numbers of `real`."""
    weights = stencil.parts[0][0]
    rows, columns = stencil.extent
    top, left = (0, 0) if border == "valid" else stencil.anchor
    tile = [
        fft.good_length(max(min(TILE, n + k - 1), 3 * k)) for n, k in zip(shape, (rows, columns), strict=True)
    ]
    kernel: Array = np.zeros(tile, real)
    kernel[: weights.values.shape[0], : weights.values.shape[1]] = weights.values
    kernel = np.roll(kernel, (weights.row, weights.column), (0, 1))
    spectrum = np.fft.rfft2(kernel).conj()
    image: Array = image_hwc.transpose(2, 0, 1).astype(real, copy=False)
    result = np.empty((image.shape[0], *shape), real)
    step = tile[0] - rows + 1, tile[1] - columns + 1
    block: Array = np.empty((1, *tile), real)
    for c, y, x in product(range(len(image)), range(0, shape[0], step[0]), range(0, shape[1], step[1])):
        end = min(y + step[0], shape[0]), min(x + step[1], shape[1])
        seen = (y - top, end[0] - top + rows - 1), (x - left, end[1] - left + columns - 1)
        fft.fill(block, image[c : c + 1], *seen, "constant" if border == "valid" else border, cval)
        # "ortho": NumPy's transforms are faster where they have a factor to multiply with.
        sums = np.fft.irfft2(np.fft.rfft2(block[0], norm="ortho") * spectrum, tile, norm="ortho")
        result[c, y : end[0], x : end[1]] = sums[: end[0] - y, : end[1] - x]
    return result.transpose(1, 2, 0)

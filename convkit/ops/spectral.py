"""Very large kernels by Fourier transforms of tiles (overlap-save): a cost that hardly grows with them."""

from __future__ import annotations

from itertools import product

import numpy as np

from convkit._checks import Array, Pair
from convkit.ops import fft
from convkit.ops.stencil import Stencil

SMALLEST = 900
"""Products a pixel from which transforms take three quarters of the time of sums, which keep all promises."""

HOLES_COST = 1.6
"""What a product costs where weights of zero, which must read nothing, lie between the others."""

TILE = 512
"""Rows and columns of a transform where the kernel is small beside it: it stays in the second cache."""


def pays(stencil: Stencil) -> bool:
    """Whether a dense `stencil` has enough weights."""
    values = stencil.parts[0][0].values
    products = int(np.count_nonzero(values))
    return products * (HOLES_COST if products < values.size else 1) >= SMALLEST


def correlate(
    stencil: Stencil, image_hwc: Array, sums_hwc: Array, border: str, cval: float, threads: int
) -> None:
    """Write the sums of a dense `stencil` to `sums_hwc`, computed in numbers of its dtype."""
    shape: Pair = sums_hwc.shape[0], sums_hwc.shape[1]
    tile, step = zip(*map(_cut, shape, stencil.extent), strict=True)
    spectrum = _spectrum(stencil, tile, sums_hwc.dtype.type)
    image, sums = image_hwc.transpose(2, 0, 1), sums_hwc.transpose(2, 0, 1)
    origin = (0, 0) if border == "valid" else stencil.anchor
    around = "constant" if border == "valid" else border
    places = list(product(range(len(image)), range(0, shape[0], step[0]), range(0, shape[1], step[1])))

    def run(first: int) -> None:
        block: Array = np.empty((1, *tile), sums.dtype)
        seen: Array = np.empty_like(spectrum)
        for c, y, x in places[first::threads]:
            end = min(y + step[0], shape[0]), min(x + step[1], shape[1])
            rows = y - origin[0], end[0] - origin[0] + stencil.extent[0] - 1
            columns = x - origin[1], end[1] - origin[1] + stencil.extent[1] - 1
            fft.fill(block, image[c : c + 1], rows, columns, around, cval)
            with np.errstate(all="ignore"):  # NaN, Inf and overflow are the caller's to judge
                # "ortho": NumPy's transforms are faster where they have a factor to multiply with.
                np.fft.rfft(block[0], norm="ortho", out=seen)
                np.fft.fft(seen, axis=0, norm="ortho", out=seen)
                np.multiply(seen, spectrum, out=seen)
                np.fft.ifft(seen, axis=0, norm="ortho", out=seen)
                np.fft.irfft(seen, tile[1], norm="ortho", out=block[0])
            sums[c, y : end[0], x : end[1]] = block[0, : end[0] - y, : end[1] - x]

    threads = min(threads, len(places))
    if threads == 1:
        run(0)
        return
    from concurrent.futures import ThreadPoolExecutor  # a quarter of the time of importing convkit

    with ThreadPoolExecutor(threads, "convkit-spectral") as pool:
        list(pool.map(run, range(threads)))


def _cut(outputs: int, extent: int) -> Pair:
    """The length of tiles along an axis, about equal ones, and how many outputs each gives."""
    most = max(min(TILE, outputs + extent - 1), 3 * extent) - extent + 1
    step = -(-outputs // -(-outputs // most))
    return fft.good_length(step + extent - 1), step


def _spectrum(stencil: Stencil, tile: tuple[int, ...], real: type) -> Array:
    """The transform of the kernel, to be multiplied with those of tiles."""
    weights = stencil.parts[0][0]
    kernel: Array = np.zeros(tile, real)
    kernel[: weights.values.shape[0], : weights.values.shape[1]] = weights.values
    return np.fft.rfft2(np.roll(kernel, (weights.row, weights.column), (0, 1))).conj()

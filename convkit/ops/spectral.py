"""Large kernels by Fourier transforms of tiles (overlap-save): a cost that hardly grows with them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np

from convkit import _dispatch
from convkit._checks import Array, Pair
from convkit.ops.stencil import BORDERS, Stencil

SMALLEST = 200
"""Products from which transforms take half of the time of sums, which round each output by itself."""

SMALLEST_OF_PIXELS = 600
"""The same where pixels have channels: to read and write those apart takes longer than the transforms."""

HOLES_COST = 1.6
"""What a product costs where weights of zero, which must read nothing, lie between the others."""

NEAR_BYTES = 1 << 19
"""Tiles of so many bytes stay in the second cache."""

MOST_KEPT = 1 << 18
"""Numbers of a spectrum that is kept for the next call."""

LEAST_ROWS = 16
"""Of a tile."""

FAR_COST = 1.2
"""What a number of a larger tile costs."""


def pays(stencil: Stencil, channels: bool) -> bool:
    """Whether a dense `stencil` has enough weights, for pixels with `channels` or without."""
    values = stencil.parts[0][0].values
    products = int(np.count_nonzero(values))
    cost = products * (HOLES_COST if products < values.size else 1)
    return cost >= (SMALLEST_OF_PIXELS if channels else SMALLEST)


def correlate(
    stencil: Stencil, image_hwc: Array, sums_hwc: Array, code: int, cval: float, threads: int
) -> bool:
    """Write the sums of a dense `stencil` to `sums_hwc`, computed in numbers of its dtype.

    `code` is the border's. False where not all numbers are finite: then they are in doubt.
    """
    weights = stencil.parts[0][0]
    height, width, _ = sums_hwc.shape
    family = _dispatch.native().family("spectral", sums_hwc.dtype)
    tile = _tile((height, width), weights.values.shape, family.LEAST_WIDTH, sums_hwc.itemsize)
    row, column = (0, 0) if BORDERS[code] == "valid" else stencil.anchor
    steps = tuple(map(_step, (height, width), tile, weights.values.shape))
    spectrum = _spectrum(family, weights.values, tile)
    origin = weights.row - row, weights.column - column
    finite: bool = spectrum.correlate(image_hwc, sums_hwc, origin, steps, code, cval, threads)
    return finite


@lru_cache(maxsize=256)
def _tile(outputs: Pair, extent: Pair, least_width: int, itemsize: int) -> Pair:
    """The cheapest tile, rows and columns, for an image of so many outputs."""

    def cost(tile: Pair) -> float:
        tiles = math.prod(map(_tiles, outputs, tile, extent))
        stages = sum(length.bit_length() // 2 for length in tile)  # each cuts in four
        near = 2 * itemsize * math.prod(tile) <= NEAR_BYTES
        return -(-tiles // 2) * math.prod(tile) * stages * (1 if near else FAR_COST)

    lengths = _lengths(outputs[0], extent[0], LEAST_ROWS), _lengths(outputs[1], extent[1], least_width)
    return min(product(*lengths), key=cost)


def _lengths(outputs: int, reach: int, least: int) -> Iterator[int]:
    """The powers of two that tiles may have: up to the one that holds all."""
    length = max(least, 1 << (reach - 1).bit_length())
    yield length
    while length < outputs + reach - 1:
        length *= 2
        yield length


def _tiles(outputs: int, length: int, reach: int) -> int:
    """How many tiles along an axis give so many outputs."""
    return -(-outputs // (length - reach + 1))


def _step(outputs: int, length: int, reach: int) -> int:
    """How many outputs each of equal tiles gives."""
    return -(-outputs // _tiles(outputs, length, reach))


def _spectrum(family: Any, weights: Array, tile: Pair) -> Any:
    """The transform of the kernel, to be multiplied with those of tiles; the last small ones are kept."""
    if math.prod(tile) > MOST_KEPT:
        return family.Spectrum(weights, *tile)
    return _kept_spectrum(family, weights.tobytes(), weights.shape, tile)


@lru_cache(maxsize=4)
def _kept_spectrum(family: Any, weights: bytes, shape: Pair, tile: Pair) -> Any:
    return family.Spectrum(np.frombuffer(weights).reshape(shape), *tile)

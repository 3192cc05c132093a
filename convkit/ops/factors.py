"""Kernels as sums of outer products: a separable kernel costs rows + columns, not rows · columns."""

from __future__ import annotations

import numpy as np

from convkit._checks import Array

MOST = 2  # sums of two separable parts are what the kernels of `stencil` take
EXACT = {np.dtype(np.float32): 2.0**-22, np.dtype(np.float64): 2.0**-50}
"""How far the product of the factors may be off each weight, relative to it."""

LARGEST_DIVISOR = 4096
"""What `over_integers` takes for a divisor."""


def over_integers(kernel: Array) -> tuple[Array, int] | None:
    """(integers, divisor) whose quotients are the weights, to a float64's last bits; None where none are.

    The divisor is a multiple of 1 / the least weight.
    """
    least = np.abs(kernel).min(where=kernel != 0, initial=np.inf)
    for multiple in range(1, 17):
        divisor = np.rint(multiple / least)
        if not 1 <= divisor <= LARGEST_DIVISOR:
            continue
        integers = np.rint(kernel * divisor)
        if (np.abs(integers - kernel * divisor) <= EXACT[np.dtype(np.float64)] * np.abs(integers)).all():
            return integers, int(divisor)
    return None


def factors(kernel: Array, element: np.dtype[np.floating]) -> list[tuple[Array, Array]] | None:
    """(vertical, horizontal) kernels whose outer products add up to `kernel`; None where two do not.

    Each weight is met to what sums in `element` resolve, zeros to the bit. An integer kernel is only ever
    taken apart into integers, so that its sums stay exact.
    """
    if np.array_equal(kernel, np.rint(kernel)):
        pair = _integer_factors(kernel)
        return None if pair is None else [pair]
    i, j = np.unravel_index(np.argmax(np.abs(kernel)), kernel.shape)
    if _is_met([pair := (kernel[:, j] / kernel[i, j], kernel[i])], kernel, element):
        return [pair]
    left, sizes, right = np.linalg.svd(kernel)
    pairs = [(left[:, n] * sizes[n], right[n]) for n in range(min(MOST, len(sizes)))]
    return pairs if _is_met(pairs, kernel, element) else None


def _is_met(pairs: list[tuple[Array, Array]], kernel: Array, element: np.dtype[np.floating]) -> bool:
    product = sum(np.outer(*pair) for pair in pairs)
    return bool((np.abs(product - kernel) <= EXACT[element] * np.abs(kernel)).all())


def _integer_factors(kernel: Array) -> tuple[Array, Array] | None:
    row = next((line for line in kernel if line.any()), None)
    if row is None or np.abs(kernel).max() > 2.0**53:
        return None
    along = row / np.gcd.reduce(row.astype(np.int64))
    pivot = int(np.flatnonzero(along)[0])
    down = kernel[:, pivot] / along[pivot]
    return (down, along) if np.array_equal(np.outer(down, along), kernel) else None

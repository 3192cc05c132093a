"""Gaussian smoothing by recursion, whose cost does not depend on sigma."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from convkit import _checks, _dispatch
from convkit._checks import FLOATS, Array, Pair
from convkit.ops.stencil import BORDERS

MAX_SIGMA = 500.0
"""Beyond, float64's rounding, which grows with its fourth power, would be seen."""

REACH = 5
"""Standard deviations of the border that are seen: 1.4e-4 of the weights lie beyond."""

LEAST_SIGMA = 0.01
"""Below, all weights but one are nothing."""

WORK = 40
"""What a pixel costs along both axes, in multiply-adds."""

WAVES = ((1.68, 3.735, 1.783, 0.6318), (-0.6803, -0.2598, 1.723, 1.997))
"""exp(-t²/2) is nearly Σ (a · cos(f·t) + b · sin(f·t)) · exp(-d·t) of these a, b, d and f, for t ≥ 0."""


class Recursion(NamedTuple):
    """The weights of the causal and the anticausal filter, and of earlier results in both."""

    causal: Array
    anticausal: Array
    poles: Array


@lru_cache(maxsize=64)
def recursion(sigma: float) -> Recursion:
    """The filters whose sum is nearly a Gaussian of standard deviation `sigma`, in pixels, and 1 in all.

    The coefficients are those of R. Deriche, "Recursively implementing the Gaussian and its derivatives",
    INRIA RR-1893, 1993.
    """
    sigma = max(sigma, LEAST_SIGMA)
    weights, poles = [], []
    for a, b, decay, frequency in WAVES:
        fading, angle = math.exp(-decay / sigma), frequency / sigma
        weights.append([a, fading * (b * math.sin(angle) - a * math.cos(angle))])
        poles.append([1.0, -2 * fading * math.cos(angle), fading**2])
    causal = np.polyadd(np.polymul(weights[0], poles[1]), np.polymul(weights[1], poles[0]))
    earlier = np.polymul(poles[0], poles[1])
    anticausal = (np.append(causal, 0) - causal[0] * earlier)[1:]
    total = (causal.sum() + anticausal.sum()) / earlier.sum()
    return Recursion(causal / total, anticausal / total, earlier[1:])


def reaches(sigmas: tuple[float, float]) -> Pair:
    """How many pixels around an image are seen, (vertical, horizontal)."""
    return math.ceil(REACH * sigmas[0]), math.ceil(REACH * sigmas[1])


class Smoothing(NamedTuple):
    """A blur by `sigmas` (vertical, horizontal) with the border of a code, and its constant."""

    sigmas: tuple[float, float]
    code: int
    cval: float

    def run(self, source: Array, result: Array, first: int, threads: int) -> None:
        """Smooth a whole image, HW or HWC, into `result`: its shape, or what "valid" leaves of it."""
        if BORDERS[self.code] != "valid":
            self._smooth(source, result, threads)
            return
        whole = _checks.empty(source.shape, source.dtype)
        self._replace(code=BORDERS.index("edge"))._smooth(source, whole, threads)
        down, along = reaches(self.sigmas)
        result[...] = whole[down : source.shape[0] - down, along : source.shape[1] - along]

    def _smooth(self, source: Array, result: Array, threads: int) -> None:
        run = _dispatch.native().family("recursive", FLOATS[1]).run
        between = result if result.dtype in FLOATS else _checks.empty(source.shape, FLOATS[0])
        down, along = reaches(self.sigmas)
        run(source, between, False, *recursion(self.sigmas[1]), along, self.code, self.cval, threads)
        run(between, result, True, *recursion(self.sigmas[0]), down, self.code, self.cval, threads)

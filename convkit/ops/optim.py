"""One step of an optimiser of one parameter, in place."""

from __future__ import annotations

import numpy as np

from convkit import _dispatch
from convkit._checks import Array
from convkit._threads import threads_for

WORK = 8
"""Multiply-adds that take as long as a number of a parameter."""


def adam(
    x: Array,
    gradient: Array,
    mean: Array,
    square: Array,
    largest: Array | None,
    step: int,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    decay: float,
    decoupled: bool,
) -> None:
    """Change `x` and its means by Adam's rule; `largest` is AMSGrad's, and the first `step` 1."""
    if gradient.shape != x.shape:
        raise ValueError(f"a gradient has shape {gradient.shape}; expected its parameter's, {x.shape}")
    given = [x, mean, square] + ([] if largest is None else [largest])
    lines = [np.ascontiguousarray(a).reshape(-1) for a in given]
    kernels = _dispatch.native().family("optim", x.dtype)
    g = np.ascontiguousarray(gradient, x.dtype).reshape(-1)
    most = None if largest is None else lines[3]
    threads = threads_for(WORK * x.size)
    kernels.adam(lines[0], g, lines[1], lines[2], most, step, lr, *betas, eps, decay, decoupled, threads)
    if not x.flags.c_contiguous:
        for array, line in zip(given, lines, strict=True):
            array[...] = line.reshape(array.shape)

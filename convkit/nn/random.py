"""The generator of random numbers that layers and initialisations draw from where they are given none."""

from __future__ import annotations

from contextvars import ContextVar

import numpy as np

_generator: ContextVar[np.random.Generator | None] = ContextVar("convkit_generator", default=None)


def manual_seed(seed: int | np.random.Generator) -> np.random.Generator:
    """Draw from a fresh generator from here on, in this thread or task alone.

    Parameters
    ----------
    seed : int or numpy.random.Generator

    Returns
    -------
    numpy.random.Generator

    Examples
    --------
    >>> from convkit import nn
    >>> _ = nn.manual_seed(0)
    >>> first = nn.Linear(2, 1).weight.data
    >>> _ = nn.manual_seed(0)
    >>> bool((nn.Linear(2, 1).weight.data == first).all())
    True
    """
    generator = np.random.default_rng(seed)
    _generator.set(generator)
    return generator


def current_generator() -> np.random.Generator:
    """This thread's or task's generator; without `manual_seed`, one that the system seeded."""
    generator = _generator.get()
    return manual_seed(np.random.default_rng()) if generator is None else generator

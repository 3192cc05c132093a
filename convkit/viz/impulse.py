"""The kernel of a linear filter, read off its answer to a single pixel."""

from __future__ import annotations

from typing import Any

import numpy as np

from convkit._checks import Array, as_array, coefficients
from convkit.filters import Pipeline

MAX_SHOWN = 401


def kernel_of(chain: Any) -> Array:
    """The weights of a linear filter or chain, as a correlation has them.

    Parameters
    ----------
    chain : str or Pipeline
        Such as ``"gaussian(sigma=2)"`` or ``"gaussian(sigma=1.4) | laplacian"``.

    Returns
    -------
    ndarray, float64, of two axes of odd extents
        As large as the chain's halo says.

    Raises
    ------
    ValueError
        The chain is not linear (a magnitude, a median, a threshold), or its kernel is larger than 401.

    Examples
    --------
    >>> from convkit import viz
    >>> viz.kernel_of("sobel('x')")
    array([[-1.,  0.,  1.],
           [-2.,  0.,  2.],
           [-1.,  0.,  1.]])
    """
    pipeline = chain if isinstance(chain, Pipeline) else Pipeline(chain)
    halo = pipeline.halo
    if halo is None:
        raise ValueError(f"{pipeline} needs the whole image, and has no kernel; expected a linear filter")
    rows, columns = max(halo.top, halo.bottom), max(halo.left, halo.right)
    if max(rows, columns) > MAX_SHOWN // 2:
        raise ValueError(
            f"{pipeline} has a kernel of {2 * rows + 1}×{2 * columns + 1} weights; expected at most "
            f"{MAX_SHOWN} in one direction, which can be seen: pass a smaller size or sigma"
        )
    dot = np.zeros((4 * rows + 1, 4 * columns + 1))
    dot[2 * rows, 2 * columns] = 1
    answer = pipeline(dot)
    one, two = np.random.default_rng(0).standard_normal((2, *dot.shape))
    excess = pipeline(3 * one - 2 * two) - (3 * pipeline(one) - 2 * pipeline(two))
    if answer.dtype != np.float64 or np.abs(excess).max() > 1e-9 * max(float(np.abs(answer).sum()), 1.0):
        raise ValueError(
            f'{pipeline} is not linear and has no kernel; expected e.g. "gaussian(sigma=2)" or "sobel(\'x\')"'
        )
    above, left = _lost(pipeline)
    down, across = rows - above, columns - left  # where the answer's first pixel of the kernel is
    found = answer[down : down + 2 * rows + 1, across : across + 2 * columns + 1][::-1, ::-1]
    return np.ascontiguousarray(found)


def _lost(pipeline: Pipeline) -> tuple[int, int]:
    """Rows and columns before the answer's first, that ``border="valid"`` leaves out."""
    complete = [(filter, filter.arguments(**arguments)) for filter, arguments in pipeline.stages]
    halos = [f.halo(given) for f, given in complete if f.halo is not None and given.get("border") == "valid"]
    return sum(halo.top for halo in halos), sum(halo.left for halo in halos)


def weights_of(kernel: Any, name: str = "kernel") -> Array:
    """`kernel`, an array or a linear filter, as float64 weights of two axes."""
    if isinstance(kernel, (str, Pipeline)):
        return kernel_of(kernel)
    array = as_array(kernel, name)
    return coefficients(array[None] if array.ndim == 1 else array, name, 2)

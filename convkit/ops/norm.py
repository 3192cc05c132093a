"""Group and layer norm and their gradients: moments of runs of numbers, and affine functions of them.

A run is what has one mean and one factor: group norm takes a group's channels as one run; the arithmetic
between is on a few numbers a map, in float64 (`_native/norm.pyx` does the rest).
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from convkit import _checks, _dispatch
from convkit._checks import Array
from convkit._threads import threads_for

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

EPS = 1e-5
WORK = 16
"""Multiply-adds that take as long as a number takes."""


# ---- group norm ----------------------------------------------------------------------------------------


def group_norm(
    input: ArrayLike,
    groups: int,
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    *,
    eps: float = EPS,
    out: Array | None = None,
    num_threads: int | None = None,
) -> Array:
    """Each group of an image's channels less its mean, over its standard deviation, times weight, plus bias.

    Parameters
    ----------
    input : array_like, (B, C) or (B, C, ...)
        float32 or float64, any strides.
    groups : int
        Divides C. As many as channels: instance norm.
    weight, bias : array_like, (C,), optional
        Unset, 1 and 0.
    eps, out, num_threads
        As in `batch_norm`.

    Returns
    -------
    ndarray, of `input`'s shape and dtype

    Raises
    ------
    TypeError
        An array is None, not numeric, or of another dtype than `input`.
    ValueError
        Shapes that do not fit.

    Notes
    -----
    Wu and He, *Group normalization* (2018).

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> ck.group_norm(np.array([[1.0, 3.0, 5.0, 9.0]]), 2, eps=0)
    array([[-1.,  1., -1.,  1.]])
    """
    x, w, b = check_arrays(input, weight, bias, channels_of(input), 2)
    groups = check_groups(groups, x)
    eps = check_eps(eps)
    threads = threads_for(WORK * x.size, num_threads)
    means, rate = group_moments(x, groups, eps, threads)
    y = _checks.output(out, x.shape, x.dtype, x)
    scale(x, x.shape[:2], [means, rate * w, b], y, threads)
    return y


def group_norm_grad(
    grad_output: ArrayLike,
    input: ArrayLike,
    groups: int,
    weight: ArrayLike | None = None,
    *,
    eps: float = EPS,
    num_threads: int | None = None,
) -> tuple[Array, Array, Array]:
    """Gradients of `group_norm` by its input, weight and bias.

    Parameters
    ----------
    grad_output, input : array_like, of one shape and dtype
    groups, weight, eps, num_threads
        As in `group_norm`.

    Returns
    -------
    ndarray, of `input`'s shape and dtype
    weight's and bias's gradient : ndarray, (C,)

    Raises
    ------
    TypeError, ValueError
        As in `group_norm`; arrays of different shapes.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> dx, dw, db = ck.group_norm_grad(np.ones((1, 4)), np.array([[1.0, 3.0, 5.0, 9.0]]), 2)
    >>> dx, db
    (array([[0., 0., 0., 0.]]), array([1., 1., 1., 1.]))
    """
    g, x, w = check_gradients(grad_output, input, weight, channels_of(input), 2)
    groups = check_groups(groups, x)
    eps = check_eps(eps)
    threads = threads_for(WORK * x.size, num_threads)
    means, rate = group_moments(x, groups, eps, threads)
    plain, moved = products(g, x, channel_runs(x), means, threads)
    count = x.size // x.shape[0] // groups
    each = x.shape[1] // groups
    by_mean, by_rate = (
        np.repeat((sums * w).reshape(-1, groups, each).sum(2), each, axis=1) / count
        for sums in (plain, moved)
    )
    y = _checks.empty(x.shape, x.dtype)
    combine(g, x, x.shape[:2], [means, rate * w, -(rate**3) * by_rate, -rate * by_mean], y, threads)
    return y, (moved * rate).sum(0).astype(x.dtype), plain.sum(0).astype(x.dtype)


def group_moments(x: Array, groups: int, eps: float, threads: int) -> tuple[Array, Array]:
    """Mean and 1 / standard deviation of each channel's group, (B, C)."""
    count = x.size // x.shape[0] // groups
    means, squares = moments(x, (x.shape[0] * groups, count), threads)
    rate = 1 / np.sqrt(squares / count + eps)
    each = x.shape[1] // groups
    mean, rate = (np.repeat(a.reshape(-1, groups), each, axis=1) for a in (means, rate))
    return mean, rate


# ---- layer norm ----------------------------------------------------------------------------------------


def layer_norm(
    input: ArrayLike,
    normalized_shape: int | tuple[int, ...],
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    *,
    eps: float = EPS,
    num_threads: int | None = None,
) -> Array:
    """The last axes less their mean, over their standard deviation, times a weight, plus a bias.

    Parameters
    ----------
    input : array_like, whose last axes are `normalized_shape`
        float32 or float64, any strides.
    normalized_shape : int or tuple of int
        The axes that are normalised together.
    weight, bias : array_like, of `normalized_shape`, optional
        Unset, 1 and 0.
    eps, num_threads
        As in `batch_norm`.

    Returns
    -------
    ndarray, of `input`'s shape and dtype

    Raises
    ------
    TypeError
        An array is None, not numeric, or of another dtype than `input`.
    ValueError
        Shapes that do not fit.

    Notes
    -----
    Ba, Kiros and Hinton, *Layer normalization* (2016).

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> ck.layer_norm(np.array([[1.0, 3.0], [5.0, 9.0]]), 2, eps=0)
    array([[-1.,  1.],
           [-1.,  1.]])
    """
    shape = check_normalized(normalized_shape)
    x, w, b = check_arrays(input, weight, bias, shape, 1)
    runs = check_last(x.shape, shape)
    eps = check_eps(eps)
    threads = threads_for(WORK * x.size, num_threads)
    means, rate = layer_moments(x, runs, eps, threads)
    y = _checks.empty(x.shape, x.dtype)
    scale(x, runs[:1], [means, rate, 0], y, threads)
    if weight is not None:
        y *= w.astype(x.dtype)
    if bias is not None:
        y += b.astype(x.dtype)
    return y


def layer_norm_grad(
    grad_output: ArrayLike,
    input: ArrayLike,
    normalized_shape: int | tuple[int, ...],
    weight: ArrayLike | None = None,
    *,
    eps: float = EPS,
    num_threads: int | None = None,
) -> tuple[Array, Array, Array]:
    """Gradients of `layer_norm` by its input, weight and bias.

    Parameters
    ----------
    grad_output, input : array_like, of one shape and dtype
    normalized_shape, weight, eps, num_threads
        As in `layer_norm`.

    Returns
    -------
    ndarray, of `input`'s shape and dtype
    weight's and bias's gradient : ndarray, of `normalized_shape`

    Raises
    ------
    TypeError, ValueError
        As in `layer_norm`; arrays of different shapes.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> dx, dw, db = ck.layer_norm_grad(np.ones((2, 2)), np.array([[1.0, 3.0], [5.0, 9.0]]), 2)
    >>> dx[0], db
    (array([0., 0.]), array([2., 2.]))
    """
    shape = check_normalized(normalized_shape)
    g, x, w = check_gradients(grad_output, input, weight, shape, 1)
    runs = check_last(x.shape, shape)
    eps = check_eps(eps)
    threads = threads_for(WORK * x.size, num_threads)
    means, rate = layer_moments(x, runs, eps, threads)
    weighted = g if weight is None else g * w.astype(x.dtype)
    plain, moved = products(weighted, x, runs, means, threads)
    terms = [means, rate, -(rate**3) * moved.ravel() / runs[1], -rate * plain.ravel() / runs[1]]
    y, normal = _checks.empty(x.shape, x.dtype), _checks.empty(x.shape, x.dtype)
    combine(weighted, x, runs[:1], terms, y, threads)
    scale(x, runs[:1], [means, rate, 0], normal, threads)
    rows = g.reshape(-1, *shape)
    by_weight = np.einsum("ij,ij->j", rows.reshape(runs), normal.reshape(runs), dtype=np.float64)
    by_bias = rows.sum(0, dtype=np.float64)
    return y, by_weight.reshape(shape).astype(x.dtype), by_bias.astype(x.dtype)


def layer_moments(x: Array, runs: tuple[int, int], eps: float, threads: int) -> tuple[Array, Array]:
    """Mean and 1 / standard deviation of each run."""
    means, squares = moments(x, runs, threads)
    return means, 1 / np.sqrt(squares / runs[1] + eps)


# ---- the kernels ---------------------------------------------------------------------------------------


def channel_runs(x: Array) -> tuple[int, int]:
    """How many maps there are, and the numbers of each."""
    return x.shape[0] * x.shape[1], prod(x.shape[2:])


def in_runs(x: Array, runs: tuple[int, int]) -> Array:
    """A row for each run."""
    return np.ascontiguousarray(x).reshape(runs)


def moments(x: Array, runs: tuple[int, int], threads: int) -> tuple[Array, Array]:
    """Each run's mean, and its sum of squared differences from it."""
    found = np.empty((runs[0], 2))
    _dispatch.native().family("norm", x.dtype).moments(in_runs(x, runs), found, threads)
    return found[:, 0], found[:, 1]


def products(g: Array, x: Array, runs: tuple[int, int], means: Array, threads: int) -> tuple[Array, Array]:
    """Each run's Σ g and Σ g·(x - mean), of the means' shape."""
    found = np.empty((runs[0], 2))
    kernels = _dispatch.native().family("norm", x.dtype)
    kernels.products(
        in_runs(g, runs), in_runs(x, runs), np.ascontiguousarray(means).reshape(-1), found, threads
    )
    return found[:, 0].reshape(means.shape), found[:, 1].reshape(means.shape)


def tabulated(x: Array, shape: tuple[int, ...], terms: list[Any]) -> tuple[tuple[int, int], Array]:
    """The runs of `x`, one for each number of `shape`, and a row of terms for each."""
    table = np.empty((*shape, len(terms)), x.dtype)
    for i, term in enumerate(terms):
        table[..., i] = term
    runs = prod(shape)
    return (runs, x.size // runs), table.reshape(runs, len(terms))


def scale(x: Array, shape: tuple[int, ...], terms: list[Any], y: Array, threads: int) -> None:
    """Write (x - mean)·factor + shift; mean, factor and shift of the runs take `shape` by broadcasting."""
    runs, table = tabulated(x, shape, terms)
    to = y if y.flags.c_contiguous else _checks.empty(y.shape, y.dtype)
    _dispatch.native().family("norm", x.dtype).affine(in_runs(x, runs), table, to.reshape(runs), threads)
    if to is not y:
        y[...] = to


def combine(g: Array, x: Array, shape: tuple[int, ...], terms: list[Any], y: Array, threads: int) -> None:
    """Write g·by_g + (x - mean)·by_x + shift; mean, by_g, by_x and shift as in `scale`."""
    runs, table = tabulated(x, shape, terms)
    kernels = _dispatch.native().family("norm", x.dtype)
    kernels.affine_of_two(in_runs(g, runs), in_runs(x, runs), table, y.reshape(runs), threads)


# ---- arguments -----------------------------------------------------------------------------------------


def channels_of(input: Any) -> tuple[int, ...]:
    """The shape of one number for each channel; empty where there are none."""
    return tuple(np.shape(input)[1:2])


def check_arrays(
    input: Any, weight: Any, bias: Any, shape: tuple[int, ...], axes: int
) -> tuple[Array, Array, Array]:
    """The input, and weight and bias of `shape` in float64."""
    given = {"input": input}
    given |= {name: a for name, a in (("weight", weight), ("bias", bias)) if a is not None}
    arrays = dict(zip(given, _checks.float_arrays(**given), strict=True))
    x = arrays["input"]
    if x.ndim < axes:
        raise ValueError(f"input has shape {x.shape}; expected at least {axes} axes")
    return x, parameter(arrays, "weight", shape, 1.0), parameter(arrays, "bias", shape, 0.0)


def parameter(arrays: dict[str, Array], name: str, shape: tuple[int, ...], unset: float) -> Array:
    """A parameter in float64."""
    if name not in arrays:
        return np.full(shape, unset)
    if arrays[name].shape != shape:
        of_channels = shape == arrays["input"].shape[1:2]  # and not of the last axes, as in `layer_norm`
        hint = last_hint(arrays["input"].shape, arrays[name]) if of_channels else ""
        raise ValueError(f"{name} has shape {arrays[name].shape}; expected {shape}{hint}")
    return arrays[name].astype(np.float64)


def check_gradients(
    grad_output: Any, input: Any, weight: Any, shape: tuple[int, ...], axes: int
) -> tuple[Array, Array, Array]:
    """The output's gradient, the input, and the weight in float64."""
    x, w, _ = check_arrays(input, weight, None, shape, axes)
    return gradient_of(grad_output, x), x, w


def gradient_of(grad_output: Any, x: Array) -> Array:
    """The output's gradient, of the input's shape and dtype."""
    g, _ = _checks.float_arrays(grad_output=grad_output, input=x)
    if g.shape != x.shape:
        raise ValueError(f"grad_output has shape {g.shape}; expected the input's, {x.shape}")
    return g


def check_moments(value: Any, name: str, shape: tuple[int, ...]) -> Array:
    """A mean or variance for each channel of an input of `shape`, in float64."""
    array = _checks.as_array(value, name).astype(np.float64)
    if array.shape != shape[1:2]:
        hint = last_hint(shape, array)
        raise ValueError(f"{name} has shape {array.shape}; expected {shape[1:2]}, one number a channel{hint}")
    return array


def last_hint(shape: tuple[int, ...], each: Array) -> str:
    """What an input of `shape` looks like whose channels, by the numbers for each of them, lie last."""
    return _checks.channels_last_hint(shape, each.size) if each.ndim == 1 and len(shape) == 4 else ""


def check_eps(eps: Any) -> float:
    """What is added to a variance."""
    number = _checks.finite(eps, "eps")
    if number < 0:
        raise ValueError(f"eps is {number}; expected at least 0")
    return number


def check_groups(groups: Any, x: Array) -> int:
    """`groups`, which divide the channels."""
    number = _checks.integer(groups, "groups", 1)
    if x.shape[1] % number:
        raise ValueError(f"groups is {number}, which does not divide the input's {x.shape[1]} channels")
    return number


def check_normalized(shape: Any) -> tuple[int, ...]:
    """The last axes of an input."""
    numbers = shape if _checks.is_sequence(shape) else (shape,)
    return tuple(_checks.integer(n, "normalized_shape", 1) for n in numbers)


def check_last(given: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, int]:
    """The runs of an input's last axes, which have `shape`."""
    if not shape or given[-len(shape) :] != shape:
        raise ValueError(f"input has shape {given}; expected its last axes to be {shape}")
    return prod(given) // prod(shape), prod(shape)

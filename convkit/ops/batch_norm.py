"""Batch norm and its gradients, by one kernel each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from convkit import _checks, _dispatch
from convkit._checks import Array
from convkit._threads import threads_for
from convkit.ops.norm import (
    EPS,
    WORK,
    channels_of,
    check_eps,
    check_moments,
    gradient_of,
    last_hint,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@overload
def batch_norm(
    input: ArrayLike,
    running_mean: ArrayLike | None = None,
    running_var: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    training: bool = False,
    *,
    eps: float = EPS,
    return_moments: Literal[False] = False,
    out: Array | None = None,
    num_threads: int | None = None,
) -> Array: ...
@overload
def batch_norm(
    input: ArrayLike,
    running_mean: ArrayLike | None = None,
    running_var: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    training: bool = False,
    *,
    eps: float = EPS,
    return_moments: Literal[True],
    out: Array | None = None,
    num_threads: int | None = None,
) -> tuple[Array, Array, Array]: ...
def batch_norm(
    input: ArrayLike,
    running_mean: ArrayLike | None = None,
    running_var: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    training: bool = False,
    *,
    eps: float = EPS,
    return_moments: bool = False,
    out: Array | None = None,
    num_threads: int | None = None,
) -> Array | tuple[Array, Array, Array]:
    """Each channel less its mean, over its standard deviation, times a weight, plus a bias.

    Parameters
    ----------
    input : array_like, (B, C) or (B, C, ...)
        float32 or float64, any strides.
    running_mean, running_var : array_like, (C,)
        Mean and variance of each channel; not used, and not changed, where `training`.
    weight, bias : array_like, (C,), optional
        Unset, 1 and 0.
    training : bool
        Take mean and (biased) variance from the batch.
    eps : float
        Added to the variance.
    return_moments : bool
        Return the mean and variance that were used, too.
    out, num_threads
        As in `conv2d`.

    Returns
    -------
    ndarray, of `input`'s shape and dtype
    mean, variance : ndarray of float64, (C,)
        With `return_moments`.

    Raises
    ------
    TypeError
        An array is None, not numeric, or of another dtype than `input`.
    ValueError
        Shapes that do not fit; neither `training` nor running moments; one number a channel to train on.

    Notes
    -----
    ``y = (x - mean) / √(var + eps) · weight + bias`` (Ioffe and Szegedy, 2015). Moments are summed in
    float64, in an order of their own: the same bits on any number of threads.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> ck.batch_norm(np.array([[1.0], [3.0]]), training=True, eps=0).ravel()
    array([-1.,  1.])
    """
    x, w, b = given_arrays(input, weight, bias)
    training = _checks.flag(training, "training")
    eps = check_eps(eps)
    moments = batch_moments(x, running_mean, running_var, training)
    y = _checks.output(out, x.shape, x.dtype, x)
    write_batch_norm(x, w, b, moments, training, eps, False, y, num_threads)
    return (y, moments[0], moments[1]) if return_moments else y


def write_batch_norm(
    x: Array,
    weight: Array | None,
    bias: Array | None,
    moments: Array,
    training: bool,
    eps: float,
    rectified: bool,
    y: Array,
    num_threads: int | None = None,
) -> None:
    """Write the output, where `rectified` that of a ReLU after it, and where `training` the moments too."""
    threads = threads_for(WORK * x.size, num_threads)
    to = y if y.flags.c_contiguous else _checks.empty(y.shape, y.dtype)
    kernels = _dispatch.native().family("norm", x.dtype)
    kernels.batch_norm(in_maps(x), weight, bias, moments, training, eps, rectified, in_maps(to), threads)
    if to is not y:
        y[...] = to


def batch_norm_grad(
    grad_output: ArrayLike,
    input: ArrayLike,
    mean: ArrayLike,
    var: ArrayLike,
    weight: ArrayLike | None = None,
    training: bool = False,
    *,
    eps: float = EPS,
    num_threads: int | None = None,
) -> tuple[Array, Array, Array]:
    """Gradients of `batch_norm` by its input, weight and bias.

    Parameters
    ----------
    grad_output, input : array_like, of one shape and dtype
    mean, var : array_like, (C,)
        Those that were used: `batch_norm` returns them.
    weight, training, eps, num_threads
        As in `batch_norm`. Where `training`, mean and variance depend on the input.

    Returns
    -------
    ndarray, of `input`'s shape and dtype
    weight's and bias's gradient : ndarray, (C,)

    Raises
    ------
    TypeError, ValueError
        As in `batch_norm`; arrays of different shapes.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> x = np.array([[1.0], [3.0]])
    >>> dx, dw, db = ck.batch_norm_grad(np.ones((2, 1)), x, [2.0], [1.0], training=True)
    >>> dx.ravel(), db
    (array([0., 0.]), array([2.]))
    """
    x, w, _ = given_arrays(input, weight, None)
    g = gradient_of(grad_output, x)
    training = _checks.flag(training, "training")
    eps = check_eps(eps)
    pairs = ((mean, "mean"), (var, "var"))
    moments = np.stack([check_moments(value, name, x.shape) for value, name in pairs])
    return batch_norm_gradients(g, x, None, w, moments, training, eps, num_threads)


def batch_norm_gradients(
    g: Array,
    x: Array,
    rectified: Array | None,
    weight: Array | None,
    moments: Array,
    training: bool,
    eps: float,
    num_threads: int | None = None,
) -> tuple[Array, Array, Array]:
    """`batch_norm_grad` of arrays that are checked; `rectified` is the output, where a ReLU followed."""
    threads = threads_for(WORK * x.size, num_threads)
    y, by_parameters = _checks.empty(x.shape, x.dtype), np.empty(moments.shape, x.dtype)
    before = None if rectified is None else in_maps(rectified)
    kernels = _dispatch.native().family("norm", x.dtype)
    kernels.batch_norm_gradient(
        in_maps(g), in_maps(x), before, weight, moments, training, eps, in_maps(y), by_parameters, threads
    )
    return y, by_parameters[0], by_parameters[1]


def batch_moments(x: Array, mean: Any, var: Any, training: bool) -> Array:
    """The mean and variance of each channel that were given; where `training`, room for the batch's own."""
    if training:
        if x.size == x.shape[1]:
            raise ValueError(
                f"input has shape {x.shape}; expected more than one number a channel to train on"
            )
        return np.empty((2, x.shape[1]))
    if mean is None or var is None:
        raise ValueError("running_mean or running_var is None; pass both, or training=True")
    pairs = ((mean, "running_mean"), (var, "running_var"))
    return np.stack([check_moments(value, name, x.shape) for value, name in pairs])


def given_arrays(input: Any, weight: Any, bias: Any) -> tuple[Array, Array | None, Array | None]:
    """The input, and weight and bias where they are given, of one dtype."""
    given = {"input": input}
    given |= {name: a for name, a in (("weight", weight), ("bias", bias)) if a is not None}
    arrays = dict(zip(given, _checks.float_arrays(**given), strict=True))
    x, shape = arrays["input"], channels_of(arrays["input"])
    if x.ndim < 2:
        raise ValueError(f"input has shape {x.shape}; expected at least 2 axes")
    for name in ("weight", "bias"):
        if name in arrays and arrays[name].shape != shape:
            hint = last_hint(x.shape, arrays[name])
            raise ValueError(f"{name} has shape {arrays[name].shape}; expected {shape}{hint}")
    w, b = (None if a is None else np.ascontiguousarray(a) for a in map(arrays.get, ("weight", "bias")))
    return x, w, b


def in_maps(x: Array) -> Array:
    """[image][channel][number]."""
    return np.ascontiguousarray(x).reshape(x.shape[0], x.shape[1], -1)

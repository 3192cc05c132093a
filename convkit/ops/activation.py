"""Activations of arrays and their gradients, in one pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import numpy as np

from convkit import _checks, _dispatch
from convkit._checks import Array
from convkit._threads import threads_for
from convkit.ops.epilogue import Activation, check_activation

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

ACTIVATIONS = get_args(Activation)
WORK = 4
"""Multiply-adds that take as long as an element."""


def activate(
    input: ArrayLike,
    activation: Activation,
    *,
    negative_slope: float | None = None,
    out: Array | None = None,
    num_threads: int | None = None,
) -> Array:
    """An activation of every number.

    Parameters
    ----------
    input : array_like, of any shape
        float32 or float64.
    activation, negative_slope
        As in `conv2d`, whose bits these are.
    out : ndarray, optional
        Written and returned; of `input`'s shape and dtype, not overlapping it.
    num_threads : int, optional
        As in `conv2d`.

    Returns
    -------
    ndarray
        Of `input`'s shape and dtype.

    Raises
    ------
    TypeError
        `input` is None, or not of float32 or float64.
    ValueError
        Another activation, a `negative_slope` that it does not take, an `out` that cannot take the result.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> ck.activate(np.array([-1.0, 0.5, 7.0]), "relu6")
    array([0. , 0.5, 6. ])
    """
    (x,) = _checks.float_arrays(input=input)
    _checks.choice(activation, "activation", ACTIVATIONS)
    epilogue = check_activation(activation, negative_slope, x.dtype)
    y = _checks.output(out, x.shape, x.dtype, x)
    to = y if y.flags.c_contiguous else _checks.empty(y.shape, y.dtype)
    kernels = _dispatch.native().family("activation", x.dtype)
    threads = threads_for(WORK * x.size, num_threads)
    kernels.activate(flat(x), to.reshape(-1), epilogue.activation, epilogue.slope, threads)
    if to is not y:
        y[...] = to
    return y


def activation_grad(
    grad_output: ArrayLike,
    input: ArrayLike,
    activation: Activation,
    *,
    negative_slope: float | None = None,
    out: Array | None = None,
    num_threads: int | None = None,
) -> Array:
    """Gradient of `activate` by its input.

    Parameters
    ----------
    grad_output : array_like
        The gradient by the activation's output; float32 or float64.
    input : array_like, of the same shape and dtype
        What the activation was given.
    activation, negative_slope, out, num_threads
        As in `activate`.

    Returns
    -------
    ndarray
        ``grad_output · f'(input)``. Where f has a corner the gradient is that of the flat side, as in
        PyTorch: "relu" at 0 gives 0, "relu6" at 0 and 6 too.

    Raises
    ------
    TypeError, ValueError
        As in `activate`; arrays of different shapes.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> ck.activation_grad(np.ones(3), np.array([-1.0, 0.5, 7.0]), "relu6")
    array([0., 1., 0.])
    """
    g, x = _checks.float_arrays(grad_output=grad_output, input=input)
    _checks.choice(activation, "activation", ACTIVATIONS)
    epilogue = check_activation(activation, negative_slope, x.dtype)
    if g.shape != x.shape:
        raise ValueError(f"grad_output has shape {g.shape}; expected the input's, {x.shape}")
    y = _checks.output(out, x.shape, x.dtype, x, g)
    to = y if y.flags.c_contiguous else _checks.empty(y.shape, y.dtype)
    kernels = _dispatch.native().family("activation", x.dtype)
    threads = threads_for(WORK * x.size, num_threads)
    kernels.gradient(flat(g), flat(x), to.reshape(-1), epilogue.activation, epilogue.slope, threads)
    if to is not y:
        y[...] = to
    return y


def flat(array: Array) -> Array:
    """The numbers in one line."""
    return np.ascontiguousarray(array).reshape(-1)

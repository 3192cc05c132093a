"""Gradients held to differences of function values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from convkit.nn.autograd import no_grad
from convkit.nn.tensor import Tensor


def gradcheck(
    function: Callable[..., Any], inputs: Any, *, eps: float = 1e-6, atol: float = 1e-5, rtol: float = 1e-3
) -> bool:
    """Whether the gradients of `function` are those that its values have.

    Every element of every input that requires a gradient is moved by ±`eps`, and the change of the output,
    times a
    random gradient, compared with what `backward` gives.

    Parameters
    ----------
    function : callable
        Of tensors, to a tensor; the same on every call.
    inputs : Tensor or sequence of Tensor
        float64; at least one requires a gradient.
    eps, atol, rtol : float

    Returns
    -------
    bool
        True.

    Raises
    ------
    AssertionError
        A gradient differs; tells which element, and both numbers.
    TypeError
        An input is not float64, or none requires a gradient.

    Examples
    --------
    >>> import numpy as np
    >>> from convkit import nn
    >>> x = nn.Tensor(np.linspace(0.1, 1, 6), requires_grad=True)
    >>> nn.gradcheck(lambda x: (x * x).log().sum(), x)
    True
    """
    tensors = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    checked = [t for t in tensors if isinstance(t, Tensor) and t.requires_grad]
    if not checked or any(t.dtype != np.float64 for t in checked):
        raise TypeError("gradcheck takes float64 tensors, at least one with requires_grad=True")
    for tensor in checked:
        tensor.grad = None
    output = function(*tensors)
    weights = np.random.default_rng(0).standard_normal(output.shape)
    output.backward(weights)
    for which, tensor in enumerate(checked):
        found = np.zeros(tensor.shape) if tensor.grad is None else tensor.grad.data
        array = tensor.data.copy()
        original, tensor.data = tensor.data, array
        for place in np.ndindex(array.shape):
            values = []
            for sign in (1, -1):
                array[place] = original[place] + sign * eps
                with no_grad():
                    values.append(float((function(*tensors).data * weights).sum()))
            array[place] = original[place]
            slope = (values[0] - values[1]) / (2 * eps)
            if not abs(slope - found[place]) <= atol + rtol * abs(slope):
                raise AssertionError(
                    f"the gradient of input {which} at {place} is {found[place]}; differences give {slope}"
                )
        tensor.data = original
    return True

"""First values of weights, written into them in place; PyTorch's names and distributions."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Literal, TypeAlias, TypeVar

import numpy as np

from convkit._checks import Array, choice
from convkit.nn.random import current_generator
from convkit.nn.tensor import Tensor

Weights = TypeVar("Weights", Tensor, Array)
Fan: TypeAlias = Literal["fan_in", "fan_out"]
Generator: TypeAlias = np.random.Generator | None

# ---- constants --------------------------------------------------------------------------------------


def constant_(tensor: Weights, val: float) -> Weights:
    """Every element `val`."""
    _array(tensor)[...] = val
    return tensor


def zeros_(tensor: Weights) -> Weights:
    """Every element 0."""
    return constant_(tensor, 0.0)


def ones_(tensor: Weights) -> Weights:
    """Every element 1."""
    return constant_(tensor, 1.0)


def eye_(tensor: Weights) -> Weights:
    """The identity, of a matrix."""
    array = _array(tensor)
    if array.ndim != 2:
        raise ValueError(f"tensor has shape {array.shape}; expected a matrix")
    array[...] = np.eye(*array.shape)
    return tensor


def dirac_(tensor: Weights, groups: int = 1) -> Weights:
    """Kernels that hand each channel on unchanged: 1 at the centre of the channel's own kernel, else 0.

    Parameters
    ----------
    tensor : Tensor or ndarray, (O, C / groups, ...)
    groups : int
        Divides O.
    """
    array = _array(tensor)
    if array.ndim not in (3, 4, 5):
        raise ValueError(f"tensor has shape {array.shape}; expected a kernel, (O, C, ...)")
    if array.shape[0] % groups:
        raise ValueError(f"groups is {groups}, which does not divide the {array.shape[0]} output channels")
    array[...] = 0
    outputs = array.shape[0] // groups
    centre: list[int] = [n // 2 for n in array.shape[2:]]
    for group in range(groups):
        for channel in range(min(outputs, array.shape[1])):
            array[(group * outputs + channel, channel, *centre)] = 1
    return tensor


# ---- distributions ----------------------------------------------------------------------------------


def uniform_(tensor: Weights, a: float = 0.0, b: float = 1.0, generator: Generator = None) -> Weights:
    """Uniform from `a` to `b`."""
    array = _array(tensor)
    array[...] = _of(generator).uniform(a, b, array.shape)
    return tensor


def normal_(tensor: Weights, mean: float = 0.0, std: float = 1.0, generator: Generator = None) -> Weights:
    """Normal."""
    array = _array(tensor)
    array[...] = _of(generator).normal(mean, std, array.shape)
    return tensor


def trunc_normal_(
    tensor: Weights,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator = None,
) -> Weights:
    """Normal, within `a` and `b`: uniform numbers through the inverse of its distribution function.

    Below the mean alone: there the tail's probabilities are not rounded away.
    """
    array, normal = _array(tensor), NormalDist()
    low, high = (a - mean) / std, (b - mean) / std
    if not low < high:
        raise ValueError(f"a is {a} and b is {b}; expected a < b")
    flip = low > 0
    low, high = (-high, -low) if flip else (low, high)
    drawn = _of(generator).uniform(normal.cdf(low), normal.cdf(high), array.size)
    inverse = np.array([normal.inv_cdf(p) if 0 < p < 1 else low for p in drawn.tolist()])
    array[...] = np.clip(mean + (-std if flip else std) * inverse, a, b).reshape(array.shape)
    return tensor


def xavier_uniform_(tensor: Weights, gain: float = 1.0, generator: Generator = None) -> Weights:
    """Uniform within ±gain·√(6 / (fan_in + fan_out)) (Glorot and Bengio, 2010)."""
    bound = gain * math.sqrt(6 / sum(fans(_array(tensor))))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Weights, gain: float = 1.0, generator: Generator = None) -> Weights:
    """Normal of deviation gain·√(2 / (fan_in + fan_out)) (Glorot and Bengio, 2010)."""
    return normal_(tensor, 0.0, gain * math.sqrt(2 / sum(fans(_array(tensor)))), generator)


def kaiming_uniform_(
    tensor: Weights,
    a: float = 0.0,
    mode: Fan = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator = None,
) -> Weights:
    """Uniform within ±gain·√(3 / fan) (He et al., 2015); `a` is the negative slope of "leaky_relu"."""
    bound = calculate_gain(nonlinearity, a) * math.sqrt(3 / _fan(tensor, mode))
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Weights,
    a: float = 0.0,
    mode: Fan = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator = None,
) -> Weights:
    """Normal of deviation gain / √fan (He et al., 2015)."""
    return normal_(tensor, 0.0, calculate_gain(nonlinearity, a) / math.sqrt(_fan(tensor, mode)), generator)


def orthogonal_(tensor: Weights, gain: float = 1.0, generator: Generator = None) -> Weights:
    """`gain` times orthonormal rows, or columns where there are more rows (Saxe et al., 2014)."""
    array = _array(tensor)
    if array.ndim < 2:
        raise ValueError(f"tensor has shape {array.shape}; expected at least two axes")
    rows = array.shape[0]
    columns = array.size // rows
    drawn = _of(generator).normal(size=(max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(drawn)
    q *= np.sign(np.diag(r))  # so that every rotation is as probable
    array[...] = gain * (q if rows >= columns else q.T).reshape(array.shape)
    return tensor


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """What keeps the deviation through an activation, by its name."""
    gains = {"tanh": 5 / 3, "relu": math.sqrt(2), "selu": 0.75}
    linear = ("linear", "sigmoid", "conv1d", "conv2d", "conv3d", "conv_transpose2d")
    name = choice(nonlinearity, "nonlinearity", ("leaky_relu", *gains, *linear))
    if name == "leaky_relu":
        return math.sqrt(2 / (1 + (0.01 if param is None else param) ** 2))
    return gains.get(name, 1.0)


def fans(array: Array) -> tuple[int, int]:
    """Inputs of an output, and outputs of an input, of a weight (O, C, ...)."""
    if array.ndim < 2:
        raise ValueError(f"tensor has shape {array.shape}; expected at least two axes, (O, C, ...)")
    window = math.prod(array.shape[2:])
    return array.shape[1] * window, array.shape[0] * window


def _fan(tensor: Tensor | Array, mode: Fan) -> int:
    choice(mode, "mode", ("fan_in", "fan_out"))
    return fans(_array(tensor))[mode == "fan_out"]


def _array(tensor: Tensor | Array) -> Array:
    return tensor.data if isinstance(tensor, Tensor) else tensor


def _of(generator: Generator) -> np.random.Generator:
    return current_generator() if generator is None else generator

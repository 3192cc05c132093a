"""Normalisation layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from convkit._checks import Array, channels_last_hint, integer
from convkit.nn import functional as F
from convkit.nn.functional.normalization import batch_norm_and
from convkit.nn.module import Module, Pointwise
from convkit.nn.parameter import Parameter
from convkit.nn.tensor import Tensor
from convkit.nn.trace import Shape
from convkit.ops.norm import check_last, check_normalized
from convkit.shapes import Axis


class BatchNorm2d(Pointwise):
    """Each channel less its mean, over its deviation, scaled and shifted (Ioffe and Szegedy, 2015).

    In training mean and variance are those of the batch, and their running means are kept for `eval`.

    Parameters
    ----------
    num_features : int
        Channels.
    eps : float
        Added to the variance.
    momentum : float or None
        Weight of a new batch in the running means; None makes them means of all batches.
    affine : bool
        Whether to learn a scale and a shift.
    track_running_stats : bool
        False takes the batch's own mean and variance in `eval` too.
    bias : bool
        False learns the scale alone.

    Attributes
    ----------
    weight : Parameter, (C,), or None
    bias : Parameter, (C,), or None
    running_mean : ndarray, (C,), or None
    running_var : ndarray, (C,), or None
    num_batches_tracked : ndarray of one int64, or None
    """

    _axes: tuple[int, ...] = (4,)
    running_mean: Array | None
    running_var: Array | None
    num_batches_tracked: Array | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        self.num_features = integer(num_features, "num_features", 1)
        self.eps, self.momentum = eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        dtype = np.dtype(np.float32 if dtype is None else dtype)
        self.weight = Parameter(np.ones(num_features, dtype)) if affine else None
        self.bias = Parameter(np.zeros(num_features, dtype)) if affine and bias else None
        tracked = track_running_stats
        self.register_buffer("running_mean", np.zeros(num_features, dtype) if tracked else None)
        self.register_buffer("running_var", np.ones(num_features, dtype) if tracked else None)
        self.register_buffer("num_batches_tracked", np.zeros((), np.int64) if tracked else None)

    def forward(self, input: Tensor, rectified: bool = False) -> Any:
        """Of input's shape; where `rectified`, followed by a ReLU."""
        self._shape(input.shape)
        momentum = 0.0 if self.momentum is None else self.momentum
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked += 1
            if self.momentum is None:
                momentum = 1 / int(self.num_batches_tracked)
        return batch_norm_and(
            input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or self.running_mean is None,
            momentum,
            self.eps,
            rectified,
        )

    def _shape(self, shape: Shape) -> Shape:
        if len(shape) not in self._axes or shape[1] != self.num_features:
            raise ValueError(
                f"input has shape {shape}; {type(self).__name__} was made for {self.num_features} channels "
                f"in axis 1 of {' or '.join(map(str, self._axes))} axes"
                f"{channels_last_hint(shape, self.num_features) if 4 in self._axes else ''}"
            )
        return shape

    def _windows(self, shape: Shape) -> Sequence[Axis] | None:
        return super()._windows(shape) if self.running_mean is not None else None

    def extra_repr(self) -> str:
        """The arguments."""
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}"


class BatchNorm1d(BatchNorm2d):
    """`BatchNorm2d` of (B, C) and (B, C, L)."""

    _axes = (2, 3)


class InstanceNorm2d(BatchNorm2d):
    """Each channel of each image less its own mean, over its own deviation (Ulyanov et al., 2016).

    Parameters and attributes as of `BatchNorm2d`; `affine` and `track_running_stats` are False unless asked
    for.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, dtype, bias=bias)

    def forward(self, input: Tensor, rectified: bool = False) -> Any:
        """Of input's shape; where `rectified`, followed by a ReLU."""
        self._shape(input.shape)
        momentum = 0.0 if self.momentum is None else self.momentum
        use_input = self.training or self.running_mean is None
        output = F.instance_norm(
            input, self.running_mean, self.running_var, self.weight, self.bias, use_input, momentum, self.eps
        )
        return F.relu(output) if rectified else output


class GroupNorm(Module):
    """Groups of channels less their mean, over their deviation (Wu and He, 2018).

    Parameters
    ----------
    num_groups : int
        Divides `num_channels`.
    num_channels : int
    eps : float
    affine, bias : bool
        Whether to learn a scale and a shift; False for `bias` leaves out the shift.

    Attributes
    ----------
    weight : Parameter, (C,), or None
    bias : Parameter, (C,), or None
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        self.num_groups = integer(num_groups, "num_groups", 1)
        self.num_channels = integer(num_channels, "num_channels", 1)
        if num_channels % num_groups:
            raise ValueError(f"num_groups is {num_groups}, which does not divide the {num_channels} channels")
        self.eps, self.affine = eps, affine
        dtype = np.dtype(np.float32 if dtype is None else dtype)
        self.weight = Parameter(np.ones(num_channels, dtype)) if affine else None
        self.bias = Parameter(np.zeros(num_channels, dtype)) if affine and bias else None

    def forward(self, input: Tensor) -> Any:
        """Of input's shape."""
        self._shape(input.shape)
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def _shape(self, shape: Shape) -> Shape:
        if len(shape) < 2 or shape[1] != self.num_channels:
            raise ValueError(
                f"input has shape {shape}; GroupNorm was made for {self.num_channels} channels in axis 1"
                f"{channels_last_hint(shape, self.num_channels) if len(shape) == 4 else ''}"
            )
        return shape

    def extra_repr(self) -> str:
        """The arguments."""
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}"


class LayerNorm(Module):
    """The last axes less their mean, over their deviation (Ba et al., 2016).

    Parameters
    ----------
    normalized_shape : int or tuple of int
        The lengths of the last axes.
    eps : float
    elementwise_affine, bias : bool

    Attributes
    ----------
    weight : Parameter, `normalized_shape`, or None
    bias : Parameter, `normalized_shape`, or None
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        dtype: Any = None,
    ) -> None:
        shape = check_normalized(normalized_shape)
        self.normalized_shape, self.eps, self.elementwise_affine = shape, eps, elementwise_affine
        dtype = np.dtype(np.float32 if dtype is None else dtype)
        self.weight = Parameter(np.ones(shape, dtype)) if elementwise_affine else None
        self.bias = Parameter(np.zeros(shape, dtype)) if elementwise_affine and bias else None

    def forward(self, input: Tensor) -> Any:
        """Of input's shape."""
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def _shape(self, shape: Shape) -> Shape:
        check_last(shape, self.normalized_shape)
        return shape

    def extra_repr(self) -> str:
        """The arguments."""
        return f"{self.normalized_shape}, eps={self.eps}"

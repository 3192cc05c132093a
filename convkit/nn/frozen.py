"""Networks for inference: weights packed in plans, batch normalisation folded in, activations fused."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from convkit._checks import Array
from convkit.nn import activation, autograd
from convkit.nn.containers import Identity, Sequential
from convkit.nn.conv import Conv2d, DepthwiseConv2d, LazyConv2d
from convkit.nn.dropout import Dropout
from convkit.nn.module import Module
from convkit.nn.norm import BatchNorm2d
from convkit.nn.tensor import Tensor
from convkit.nn.trace import Shape
from convkit.ops.conv import Conv2dPlan, conv2d_plan
from convkit.shapes import Axis

ACTIVATIONS: dict[type[Module], str] = {
    activation.ReLU: "relu",
    activation.ReLU6: "relu6",
    activation.LeakyReLU: "leaky_relu",
    activation.SiLU: "silu",
    activation.GELU: "gelu",
    activation.Hardswish: "hardswish",
    activation.Sigmoid: "sigmoid",
}

PLANS = 8
"""Sizes of input that a layer keeps a plan for."""


class FrozenConv2d(Module):
    """A convolution with its weights packed for each size of input that it has seen; it gives no gradient.

    Made by `freeze`. Its bits do not depend on the size of the batch.
    """

    _axes: tuple[int, ...] = (3, 4)

    def __init__(
        self, conv: Conv2d, weight: Array, bias: Array | None, function: str | None, slope: Any
    ) -> None:
        self.in_channels, self.out_channels = conv.in_channels, conv.out_channels
        self.kernel_size, self.stride, self.groups = conv.kernel_size, conv.stride, conv.groups
        self.padding, self.dilation = conv.padding, conv.dilation
        self.activation, self._made_from = function, Conv2d if isinstance(conv, LazyConv2d) else type(conv)
        self._weight, self._bias = weight, bias
        self._arguments = {
            "stride": conv.stride,
            "padding": conv.padding,
            "dilation": conv.dilation,
            "groups": conv.groups,
            "padding_mode": conv.padding_mode,
            "activation": function,
            "negative_slope": slope,
        }
        self._plans: dict[tuple[int, ...], Conv2dPlan] = {}

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, H, W) to (B, O, H', W'), activation included."""
        if input.requires_grad and autograd.is_grad_enabled():
            raise RuntimeError("a frozen layer gives no gradient: train the model that it was made from")
        x = input.data
        shape = (1, *x.shape[-3:])[-x.ndim :] if x.ndim in (3, 4) else x.shape
        plan = self._plans.get(shape)
        if plan is None:
            plan = conv2d_plan(self._weight, self._bias, input_shape=shape, **self._arguments)
            plans = dict(list(self._plans.items())[-PLANS + 1 :])
            self._plans = {**plans, shape: plan}  # in one step: other threads see either
        return Tensor(plan(x))

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_plans": {}}  # they hold weights packed for this machine

    def _computes_otherwise(self, dtype: np.dtype[Any]) -> bool:
        return dtype != self._weight.dtype

    def _shape(self, shape: Shape) -> Shape:
        return Conv2d._shape(self, shape)  # type: ignore[arg-type] # it has all that is asked for

    def _windows(self, shape: Shape) -> Sequence[Axis] | None:
        return Conv2d._windows(self, shape)  # type: ignore[arg-type]

    def extra_repr(self) -> str:
        """The arguments."""
        tail = f", {self.activation}" if self.activation else ""
        return f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}{tail}"


def freeze(module: Module) -> Module:
    """A copy of `module` for inference, in `eval` mode.

    Convolutions get their weights packed; in a `Sequential`, a batch normalisation that follows one is folded
    into its weights, and an activation after that is applied while the sums are in the cache. Dropout and
    identities go. The copy is its own: what is changed in `module` afterwards does not reach it.

    Parameters
    ----------
    module : Module

    Returns
    -------
    Module
        Called as `module` is.

    Raises
    ------
    ValueError
        A lazy layer that was never called.

    Examples
    --------
    >>> from convkit import nn
    >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout())
    >>> model.freeze()
    Sequential(
      (0): FrozenConv2d(3, 8, kernel_size=(3, 3), relu)
    )
    """
    frozen = _frozen(copy.deepcopy(module).eval())
    return frozen.requires_grad_(False)


def _frozen(module: Module) -> Module:
    if _is(module, Conv2d, DepthwiseConv2d, LazyConv2d):
        return _layer(module, None, None)
    if getattr(type(module), "forward", None) is Sequential.forward and not _hooked(module):
        return Sequential(dict(_fused(list(module.named_children()))))
    for name, child in list(module.named_children()):
        setattr(module, name, _frozen(child))
    return module


def _fused(layers: list[tuple[str, Module]]) -> Iterator[tuple[str, Module]]:
    """A `Sequential`'s layers, those that follow a convolution taken into it."""
    layers = [
        (name, layer)
        for name, layer in layers
        if not _is(layer, Dropout, Identity, *Dropout.__subclasses__())
    ]
    while layers:
        name, layer = layers.pop(0)
        if not _is(layer, Conv2d, DepthwiseConv2d, LazyConv2d):
            yield name, _frozen(layer)
            continue
        norm = function = None
        if layers and _is(layers[0][1], BatchNorm2d) and layers[0][1].running_mean is not None:  # type: ignore[attr-defined]
            norm = layers.pop(0)[1]
        if (
            layers
            and _is(layers[0][1], *ACTIVATIONS)
            and getattr(layers[0][1], "approximate", "none") == "none"
        ):
            function = layers.pop(0)[1]
        yield name, _layer(layer, norm, function)


def _layer(conv: Any, norm: Any, function: Module | None) -> FrozenConv2d:
    if not conv.in_channels:
        raise ValueError(
            "a LazyConv2d that was never called has no weights: call the model once, then freeze it"
        )
    weight, bias = conv.weight.data, None if conv.bias is None else conv.bias.data
    if norm is not None:
        weight, bias = _folded(weight, bias, norm)
    slope = getattr(function, "negative_slope", None)
    return FrozenConv2d(conv, weight, bias, None if function is None else ACTIVATIONS[type(function)], slope)


def _folded(weight: Array, bias: Array | None, norm: Any) -> tuple[Array, Array]:
    """The weights and the bias of a convolution and the normalisation after it, computed in float64."""
    mean, var = norm.running_mean.astype(np.float64), norm.running_var.astype(np.float64)
    scale = 1 / np.sqrt(var + norm.eps)
    shift = -mean * scale if bias is None else (bias - mean) * scale
    if norm.weight is not None:
        gain = norm.weight.data.astype(np.float64)
        scale, shift = scale * gain, shift * gain
    if norm.bias is not None:
        shift = shift + norm.bias.data
    return (weight * scale[:, None, None, None]).astype(weight.dtype), shift.astype(weight.dtype)


def _is(module: Module, *kinds: type[Module]) -> bool:
    """Whether `module` is of just these kinds and computes as they do."""
    return type(module) in kinds and not _hooked(module)


def _hooked(module: Module) -> bool:
    return bool(module._hooks or module._pre_hooks)

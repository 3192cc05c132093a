"""`Linear`, and layers that only rearrange."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from convkit._checks import integer
from convkit.nn import functional as F
from convkit.nn import init
from convkit.nn.functional.arrangement import linear_shape, pad_widths, resized, shuffled, unshuffled
from convkit.nn.module import Module
from convkit.nn.parameter import Parameter
from convkit.nn.tensor import Tensor
from convkit.nn.trace import Shape
from convkit.shapes import Axis

if TYPE_CHECKING:
    from numpy.typing import DTypeLike


class Linear(Module):
    """``y = x @ weight.T + bias`` of the last axis.

    Parameters
    ----------
    in_features, out_features : int
    bias : bool
    dtype : dtype, optional
        float32 where it is not given.
    generator : numpy.random.Generator, optional
        Of the first weights; unset, the one of `manual_seed`.

    Attributes
    ----------
    weight : Parameter, (out_features, in_features)
    bias : Parameter, (out_features,), or None
        Both uniform within ±1/√in_features at first.

    Examples
    --------
    >>> import numpy as np
    >>> from convkit import nn
    >>> nn.Linear(3, 2)(np.ones((5, 3), np.float32)).shape
    (5, 2)
    """

    bias: Parameter | None

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        dtype: DTypeLike | None = None,
        *,
        generator: np.random.Generator | None = None,
    ) -> None:
        self.in_features = integer(in_features, "in_features", 1)
        self.out_features = integer(out_features, "out_features", 1)
        shape = (self.out_features, self.in_features)
        self.weight = Parameter(np.empty(shape, np.float32 if dtype is None else dtype))
        self.bias = Parameter(np.empty(shape[0], self.weight.dtype)) if bias else None
        self.reset_parameters(generator)

    def reset_parameters(self, generator: np.random.Generator | None = None) -> None:
        """Draw the first weights anew."""
        bound = 1 / math.sqrt(self.in_features)
        init.uniform_(self.weight, -bound, bound, generator)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound, generator)

    def forward(self, input: Tensor) -> Any:
        """(..., in_features) to (..., out_features)."""
        return F.linear(input, self.weight, self.bias)

    def _shape(self, shape: Shape) -> Shape:
        return linear_shape(shape, self.weight.shape)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"{self.in_features}, {self.out_features}" + ("" if self.bias is not None else ", bias=False")


class Flatten(Module):
    """The axes from `start_dim` to `end_dim` made one: by default all of an example."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Tensor) -> Any:
        """(B, C, H, W) to (B, C·H·W)."""
        return input.flatten(self.start_dim, self.end_dim)

    def _shape(self, shape: Shape) -> Shape:
        first, last = (axis % max(len(shape), 1) for axis in (self.start_dim, self.end_dim))
        return (*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :])


class Unflatten(Module):
    """One axis made several.

    Parameters
    ----------
    dim : int
    unflattened_size : tuple of int
    """

    def __init__(self, dim: int, unflattened_size: tuple[int, ...]) -> None:
        self.dim, self.unflattened_size = dim, tuple(unflattened_size)

    def forward(self, input: Tensor) -> Any:
        """With the axis replaced."""
        return input.reshape(*self._shape(input.shape))

    def _shape(self, shape: Shape) -> Shape:
        axis = self.dim % len(shape)
        sizes, known = self.unflattened_size, math.prod(n for n in self.unflattened_size if n != -1)
        sizes = tuple(shape[axis] // known if n == -1 else n for n in sizes)
        if math.prod(sizes) != shape[axis]:
            raise ValueError(
                f"input has shape {shape}; its axis {axis}, of {shape[axis]}, is no {self.unflattened_size}"
            )
        return (*shape[:axis], *sizes, *shape[axis + 1 :])


class PixelShuffle(Module):
    """(B, C·r², H, W) to (B, C, H·r, W·r) (Shi et al., 2016)."""

    _axes: tuple[int, ...] = (3, 4)

    def __init__(self, upscale_factor: int) -> None:
        self.upscale_factor = integer(upscale_factor, "upscale_factor", 1)

    def forward(self, input: Tensor) -> Any:
        """Channels become pixels."""
        return F.pixel_shuffle(input, self.upscale_factor)

    def _shape(self, shape: Shape) -> Shape:
        return shuffled(shape, self.upscale_factor)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """(B, C, H·r, W·r) to (B, C·r², H, W)."""

    _axes: tuple[int, ...] = (3, 4)

    def __init__(self, downscale_factor: int) -> None:
        self.downscale_factor = integer(downscale_factor, "downscale_factor", 1)

    def forward(self, input: Tensor) -> Any:
        """Pixels become channels."""
        return F.pixel_unshuffle(input, self.downscale_factor)

    def _shape(self, shape: Shape) -> Shape:
        return unshuffled(shape, self.downscale_factor)


class Upsample(Module):
    """Maps of another size.

    Parameters
    ----------
    size : int or (height, width), optional
    scale_factor : float or (vertical, horizontal), optional
        Instead of `size`.
    mode : {"nearest", "bilinear"}
    align_corners : bool, optional
        Of "bilinear".
    """

    _axes: tuple[int, ...] = (4,)

    def __init__(
        self,
        size: Any = None,
        scale_factor: Any = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
    ) -> None:
        self.size, self.scale_factor, self.mode, self.align_corners = size, scale_factor, mode, align_corners

    def forward(self, input: Tensor) -> Any:
        """`functional.interpolate`."""
        return F.interpolate(input, self.size, self.scale_factor, self.mode, self.align_corners)

    def _shape(self, shape: Shape) -> Shape:
        output, _ = resized(shape, self.size, self.scale_factor)
        return (*shape[:2], *output)

    def extra_repr(self) -> str:
        """The arguments."""
        target = f"size={self.size}" if self.size is not None else f"scale_factor={self.scale_factor}"
        return f"{target}, mode={self.mode!r}"


class _Pad(Module):
    mode = "constant"

    def __init__(self, padding: int | tuple[int, int, int, int], value: float = 0.0) -> None:
        self.padding = (padding,) * 4 if isinstance(padding, int) else tuple(padding)
        self.value = value

    def forward(self, input: Tensor) -> Any:
        """With `padding` more pixels: left, right, top, bottom."""
        return F.pad(input, self.padding, self.mode, self.value)

    def _shape(self, shape: Shape) -> Shape:
        widths = pad_widths(shape, self.padding)
        return tuple(n + before + after for n, (before, after) in zip(shape, widths, strict=True))

    def _windows(self, shape: Shape) -> Sequence[Axis] | None:
        rows = zip(shape[-2:], pad_widths(shape, self.padding)[-2:], strict=True)
        return [Axis("", n, 1, 1, 1, before, after) for n, (before, after) in rows]

    def extra_repr(self) -> str:
        """The arguments."""
        return f"{self.padding}" + (f", value={self.value}" if self.value else "")


class ConstantPad2d(_Pad):
    """Pixels of one value around a map: (left, right, top, bottom), or as many on each side."""

    def __init__(self, padding: int | tuple[int, int, int, int], value: float) -> None:
        super().__init__(padding, value)


class ZeroPad2d(_Pad):
    """Zeros around a map: (left, right, top, bottom), or as many on each side."""

    def __init__(self, padding: int | tuple[int, int, int, int]) -> None:
        super().__init__(padding)


class ReflectionPad2d(ZeroPad2d):
    """The map mirrored around itself, without its edge pixel."""

    mode = "reflect"


class ReplicationPad2d(ZeroPad2d):
    """A map's edge pixels repeated around it."""

    mode = "replicate"


class CircularPad2d(ZeroPad2d):
    """The map repeated around itself."""

    mode = "circular"

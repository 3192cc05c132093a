"""Convolution layers."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from convkit._checks import Array, channels_first, choice, flag, integer, maps, pair
from convkit.nn import functional as F
from convkit.nn import init
from convkit.nn.functional.convolution import MODES, check_lines
from convkit.nn.module import Module
from convkit.nn.parameter import Parameter
from convkit.nn.tensor import Tensor
from convkit.nn.trace import Shape, shape_after
from convkit.shapes import Axis, conv_axes, conv_transpose2d_output

if TYPE_CHECKING:
    from numpy.typing import DTypeLike


class Conv2d(Module):
    """2-D convolution (correlation: the kernel is not flipped) with learnt kernels.

    Parameters
    ----------
    in_channels, out_channels : int
        `out_channels` is the number of filters.
    kernel_size : int or (height, width)
    stride : int or (vertical, horizontal)
        2 halves the map.
    padding : int, (vertical, horizontal), "same" or "valid"
        Pixels added on each side. "same" keeps ceil(size / stride).
    dilation : int or (vertical, horizontal)
        Pixels from one tap to the next.
    groups : int
        Divides both numbers of channels; ``groups=in_channels`` is depthwise.
    bias : bool
        Whether to add a learnt number to each output channel.
    padding_mode : {"zeros", "reflect", "replicate", "circular"}
    dtype : dtype, optional
        float32 where it is not given.
    generator : numpy.random.Generator, optional
        Of the first weights; unset, the one of `manual_seed`.

    Attributes
    ----------
    weight : Parameter, (out_channels, in_channels / groups, kh, kw)
    bias : Parameter, (out_channels,), or None
        Both uniform within ±1/√(in_channels / groups · kh · kw) at first.

    Raises
    ------
    ValueError
        `groups` does not divide the channels, or a number is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from convkit import nn
    >>> conv = nn.Conv2d(3, 16, kernel_size=3, stride=2, padding=1)
    >>> conv(np.zeros((2, 3, 32, 32), np.float32)).shape
    (2, 16, 16, 16)
    """

    bias: Parameter | None
    weight: Parameter
    _axes: tuple[int, ...] = (3, 4)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        dtype: DTypeLike | None = None,
        *,
        generator: np.random.Generator | None = None,
    ) -> None:
        self.in_channels = integer(in_channels, "in_channels", 1)
        self.out_channels = integer(out_channels, "out_channels", 1)
        self.kernel_size = pair(kernel_size, "kernel_size", 1)
        self.stride, self.dilation = pair(stride, "stride", 1), pair(dilation, "dilation", 1)
        self.padding = _padding(padding)
        self.groups = integer(groups, "groups", 1)
        self.padding_mode = choice(padding_mode, "padding_mode", MODES)
        _divides(self.groups, in_channels=self.in_channels, out_channels=self.out_channels)
        shape = (self.out_channels, self.in_channels // self.groups, *self.kernel_size)
        self._make(shape, self.out_channels, flag(bias, "bias"), dtype)
        self.reset_parameters(generator)

    def _make(self, shape: tuple[int, ...], outputs: int, bias: bool, dtype: DTypeLike | None) -> None:
        element = np.dtype(np.float32 if dtype is None else dtype)
        self.weight = Parameter(np.empty(shape, element))
        self.bias = Parameter(np.empty(outputs, element)) if bias else None

    def reset_parameters(self, generator: np.random.Generator | None = None) -> None:
        """Draw the first weights anew."""
        bound = 1 / math.sqrt(init.fans(self.weight.data)[0])
        init.uniform_(self.weight, -bound, bound, generator)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound, generator)

    def forward(self, input: Tensor) -> Any:
        """(B, C, H, W) to (B, O, H', W')."""
        return F.conv2d(
            input,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
            padding_mode=self.padding_mode,
        )

    def _shape(self, shape: Shape) -> Shape:
        channels_first(shape, "input", self.in_channels)
        return (*shape[:-3], self.out_channels, *(axis.output for axis in self._windows(shape) or ()))

    def _windows(self, shape: Shape) -> Sequence[Axis] | None:
        return conv_axes(shape[-2:], self.kernel_size, self.stride, self.padding, self.dilation)

    def to_filter(self, output: int = 0, input: int = 0) -> Array:
        """The kernel from one input channel to one output channel, as `convkit.filters.filter2d` takes it.

        Parameters
        ----------
        output : int
            The output channel.
        input : int
            The input channel, among those of the output's group.

        Returns
        -------
        ndarray, (kh, kw)
            A copy, float64. ``filter2d(image, kernel)`` correlates with it, as the layer does.

        Raises
        ------
        ValueError
            The layer has no such channel, or a dilation: its taps lie apart.
        """
        outputs, inputs = self.weight.shape[:2]
        if not (0 <= output < outputs and 0 <= input < inputs):
            raise ValueError(
                f"output is {output} and input {input}; the layer has {outputs} and {inputs} channels"
            )
        kernel = self.weight.data[output, input].astype(np.float64)
        rows, columns = ((k - 1) * d + 1 for k, d in zip(kernel.shape, self.dilation, strict=True))
        spread = np.zeros((rows, columns))
        spread[:: self.dilation[0], :: self.dilation[1]] = kernel
        return spread

    def extra_repr(self) -> str:
        """The arguments."""
        parts = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}"]
        usual = {
            "stride": (1, 1),
            "padding": (0, 0),
            "output_padding": (0, 0),
            "dilation": (1, 1),
            "groups": 1,
        }
        usual["padding_mode"] = "zeros"
        parts += [
            f"{n}={getattr(self, n)!r}" for n, value in usual.items() if getattr(self, n, value) != value
        ]
        return ", ".join(parts) + ("" if self.bias is not None else ", bias=False")


class ConvTranspose2d(Conv2d):
    """Transposed 2-D convolution: enlarges maps, as the gradient of a `Conv2d` by its input does.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding
        Of the convolution that this one transposes: `padding` takes pixels off the output.
    output_padding : int or (vertical, horizontal)
        Rows and columns added at the bottom and right.
    groups, bias, dilation, padding_mode, dtype, generator
        As of `Conv2d`; `padding_mode` has to be "zeros".

    Attributes
    ----------
    weight : Parameter, (in_channels, out_channels / groups, kh, kw)
    bias : Parameter, (out_channels,), or None

    Raises
    ------
    ValueError
        As `Conv2d`, or an `output_padding` that is neither below the stride nor below the dilation.

    Examples
    --------
    >>> import numpy as np
    >>> from convkit import nn
    >>> up = nn.ConvTranspose2d(8, 3, 3, stride=2, padding=1)
    >>> up(np.zeros((1, 8, 16, 16), np.float32), output_size=(32, 32)).shape
    (1, 3, 32, 32)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        dtype: DTypeLike | None = None,
        *,
        generator: np.random.Generator | None = None,
    ) -> None:
        choice(padding_mode, "padding_mode", ("zeros",))
        self.output_padding = pair(output_padding, "output_padding", 0)
        self._padding = pair(padding, "padding", 0)
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias,
            padding_mode,
            dtype,
            generator=generator,
        )
        conv_transpose2d_output(  # refuses an output padding that no input can have
            (1, 1), self.kernel_size, self.stride, 0, self.output_padding, self.dilation
        )

    def _make(self, shape: tuple[int, ...], outputs: int, bias: bool, dtype: DTypeLike | None) -> None:
        super()._make((self.in_channels, self.out_channels // self.groups, *shape[2:]), outputs, bias, dtype)

    def forward(self, input: Tensor, output_size: Any = None) -> Any:
        """(B, C, H, W) to (B, O, H', W'), or to `output_size` (H', W')."""
        return F.conv_transpose2d(
            input,
            self.weight,
            self.bias,
            self.stride,
            self._padding,
            0 if output_size is not None else self.output_padding,
            self.groups,
            self.dilation,
            output_size=None if output_size is None else tuple(output_size)[-2:],
        )

    def _shape(self, shape: Shape) -> Shape:
        channels_first(shape, "input", self.in_channels)
        size = conv_transpose2d_output(
            shape[-2:], self.kernel_size, self.stride, self._padding, self.output_padding, self.dilation
        )
        return (*shape[:-3], self.out_channels, *size)

    def _windows(self, shape: Shape) -> Sequence[Axis] | None:
        return None  # those of its phases differ

    def to_filter(self, output: int = 0, input: int = 0) -> Array:
        """Refused: a transposed convolution is no filter of one pixel at a time."""
        raise ValueError("a ConvTranspose2d is no filter; Conv2d.to_filter gives one")


class Conv1d(Conv2d):
    """1-D convolution of (B, C, L).

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, dilation, groups
        As of `Conv2d`, along one axis.
    bias, padding_mode, dtype, generator
        As of `Conv2d`.

    Attributes
    ----------
    weight : Parameter, (out_channels, in_channels / groups, k)
    bias : Parameter, (out_channels,), or None
    """

    _axes = (2, 3)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        dtype: DTypeLike | None = None,
        *,
        generator: np.random.Generator | None = None,
    ) -> None:
        one = {
            name: integer(value[0] if isinstance(value, tuple) and len(value) == 1 else value, name)
            for name, value in (("kernel_size", kernel_size), ("stride", stride), ("dilation", dilation))
        }
        words = isinstance(padding, str)
        sides = (
            padding
            if words
            else (0, integer(padding[0] if isinstance(padding, tuple) else padding, "padding", 0))
        )
        super().__init__(
            in_channels,
            out_channels,
            (1, one["kernel_size"]),
            (1, one["stride"]),
            sides,
            (1, one["dilation"]),
            groups,
            bias,
            padding_mode,
            dtype,
            generator=generator,
        )

    def _make(self, shape: tuple[int, ...], outputs: int, bias: bool, dtype: DTypeLike | None) -> None:
        super()._make((*shape[:2], shape[3]), outputs, bias, dtype)

    def forward(self, input: Tensor) -> Any:
        """(B, C, L) to (B, O, L')."""
        return F.conv1d(
            input,
            self.weight,
            self.bias,
            self.stride[1],
            self.padding if isinstance(self.padding, str) else self.padding[1],
            self.dilation[1],
            self.groups,
            padding_mode=self.padding_mode,
        )

    def _shape(self, shape: Shape) -> Shape:
        check_lines(shape, self.in_channels)
        (length,) = (axis.output for axis in (self._windows(shape) or ())[1:])
        return (*shape[:-2], self.out_channels, length)

    def _windows(self, shape: Shape) -> Sequence[Axis] | None:
        return super()._windows((1, shape[-1]))

    def extra_repr(self) -> str:
        """The arguments, along the line alone."""
        return re.sub(r"\([01], (\d+)\)", r"\1", super().extra_repr())

    def to_filter(self, output: int = 0, input: int = 0) -> Array:
        """Refused: use ``layer.weight``."""
        raise ValueError("a Conv1d is no image filter; Conv2d.to_filter gives one")


class DepthwiseConv2d(Conv2d):
    """A `Conv2d` whose channels do not meet: ``groups=in_channels``.

    Parameters
    ----------
    in_channels : int
    kernel_size
    depth_multiplier : int
        Filters of each channel.
    stride, padding, dilation, bias, padding_mode, dtype, generator
        As of `Conv2d`.
    """

    def __init__(
        self,
        in_channels: int,
        kernel_size: Any,
        depth_multiplier: int = 1,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        dtype: DTypeLike | None = None,
        *,
        generator: np.random.Generator | None = None,
    ) -> None:
        super().__init__(
            in_channels,
            in_channels * integer(depth_multiplier, "depth_multiplier", 1),
            kernel_size,
            stride,
            padding,
            dilation,
            in_channels,
            bias,
            padding_mode,
            dtype,
            generator=generator,
        )


class SeparableConv2d(Module):
    """A depthwise convolution, then a 1×1 one: a `Conv2d` in far fewer numbers (Chollet, 2017).

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, dilation, bias, padding_mode, dtype, generator
        As of `Conv2d`; `bias` is that of both.

    Attributes
    ----------
    depthwise : DepthwiseConv2d
    pointwise : Conv2d

    Examples
    --------
    >>> from convkit import nn
    >>> sum(p.numel() for p in nn.SeparableConv2d(32, 64, 3, bias=False).parameters())
    2336
    >>> nn.Conv2d(32, 64, 3, bias=False).weight.numel()
    18432
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        dtype: DTypeLike | None = None,
        *,
        generator: np.random.Generator | None = None,
    ) -> None:
        self.depthwise = DepthwiseConv2d(
            in_channels,
            kernel_size,
            1,
            stride,
            padding,
            dilation,
            bias,
            padding_mode,
            dtype,
            generator=generator,
        )
        self.pointwise = Conv2d(in_channels, out_channels, 1, bias=bias, dtype=dtype, generator=generator)

    def forward(self, input: Tensor) -> Any:
        """(B, C, H, W) to (B, O, H', W')."""
        return self.pointwise(self.depthwise(input))

    def _shape(self, shape: Shape) -> Shape:
        return shape_after(self.pointwise, shape_after(self.depthwise, shape))


class LazyConv2d(Conv2d):
    """A `Conv2d` that takes `in_channels` from the first input that it sees, or the weights that it loads.

    Parameters
    ----------
    out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, dtype, generator
        As of `Conv2d`. Parameters exist from the first call on: make the optimiser after it.
    """

    def __init__(
        self,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        dtype: DTypeLike | None = None,
        *,
        generator: np.random.Generator | None = None,
    ) -> None:
        self._later = (kernel_size, stride, padding, dilation, groups, bias, padding_mode, dtype)
        self._generator = generator
        self.out_channels = integer(out_channels, "out_channels", 1)
        self.in_channels = 0

    def _become(self, in_channels: int) -> None:
        """Make the parameters."""
        super().__init__(in_channels, self.out_channels, *self._later, generator=self._generator)

    def forward(self, input: Tensor) -> Any:
        """(B, C, H, W) to (B, O, H', W')."""
        if not self.in_channels:
            self._become(input.shape[-3])
        return super().forward(input)

    def _shape(self, shape: Shape) -> Shape:
        if self.in_channels:
            return super()._shape(shape)
        maps(shape, "input")
        return Conv2d(shape[-3], self.out_channels, *self._later)._shape(shape)

    def _windows(self, shape: Shape) -> Sequence[Axis] | None:
        return super()._windows(shape) if self.in_channels else None

    def _prepare(self, path: str, state_dict: Mapping[str, Any]) -> None:
        weight = state_dict.get(f"{path}.weight" if path else "weight")
        if not self.in_channels and weight is not None and len(np.shape(weight)) == 4:
            self._become(np.shape(weight)[1] * int(self._later[4]))

    def extra_repr(self) -> str:
        """The arguments."""
        return super().extra_repr() if self.in_channels else f"?, {self.out_channels}, not called yet"


def _padding(value: Any) -> Any:
    if isinstance(value, str):
        return choice(value, "padding", ("same", "valid"))
    if isinstance(value, (tuple, list)) and len(value) == 4:
        return tuple(integer(p, f"padding[{i}]", 0) for i, p in enumerate(value))
    return pair(value, "padding", 0)


def _divides(groups: int, **channels: int) -> None:
    for name, count in channels.items():
        if count % groups:
            fits = [g for g in range(1, count + 1) if all(c % g == 0 for c in channels.values())]
            raise ValueError(
                f"groups is {groups}, which does not divide {name}, {count}; expected one of "
                f"{', '.join(map(str, fits))}: groups=1 is a plain convolution, groups=in_channels a "
                f"depthwise one"
            )

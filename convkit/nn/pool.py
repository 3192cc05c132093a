"""Pooling layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from convkit._checks import maps
from convkit.nn import functional as F
from convkit.nn.module import Module
from convkit.nn.tensor import Tensor
from convkit.nn.trace import Shape
from convkit.ops.fold import fold_axes, fold_shape
from convkit.ops.pool import Sizes, check_output_size, check_sizes
from convkit.shapes import Axis


class _Sliding(Module):
    """What both poolings by a sliding window have in common."""

    kernel_size: Any
    stride: Any
    padding: Any
    ceil_mode: bool
    dilation: Any = 1
    _axes: tuple[int, ...] = (3, 4)

    def _sizes(self) -> Sizes:
        return check_sizes(self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)

    def _shape(self, shape: Shape) -> Shape:
        maps(shape, "input")
        return (*shape[:-2], *self._sizes().output((shape[-2], shape[-1])))

    def _windows(self, shape: Shape) -> Sequence[Axis] | None:
        sizes = self._sizes()
        rows = zip(shape[-2:], sizes.kernel, sizes.stride, sizes.dilation, sizes.padding, strict=True)
        return [Axis("", n, k, s, d, p, p) for n, k, s, d, p in rows]

    def extra_repr(self) -> str:
        """The arguments."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxPool2d(_Sliding):
    """The greatest of each window.

    Parameters
    ----------
    kernel_size : int or (height, width)
    stride : int or (vertical, horizontal), optional
        `kernel_size` where it is not given.
    padding, dilation : int or (vertical, horizontal)
        Padded pixels never win; at most half of `kernel_size` on each side.
    return_indices : bool
        Give the place of each maximum in its map too.
    ceil_mode : bool
        Count windows that only partly fit.

    Raises
    ------
    ValueError
        A number is out of range.
    """

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.dilation = padding, dilation
        self.return_indices, self.ceil_mode = return_indices, ceil_mode
        self._sizes()

    def forward(self, input: Tensor) -> Any:
        """(B, C, H, W) to (B, C, H', W')."""
        return F.max_pool2d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
            self.return_indices,
        )


class AvgPool2d(_Sliding):
    """The mean of each window.

    Parameters
    ----------
    kernel_size : int or (height, width)
    stride : int or (vertical, horizontal), optional
        `kernel_size` where it is not given.
    padding : int or (vertical, horizontal)
        At most half of `kernel_size`.
    ceil_mode : bool
        Count windows that only partly fit.
    count_include_pad : bool
        Whether padded pixels count.
    divisor_override : int, optional
        What sums are divided by instead.

    Raises
    ------
    ValueError
        A number is out of range.
    """

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.ceil_mode = padding, ceil_mode
        self.count_include_pad, self.divisor_override = count_include_pad, divisor_override
        self._sizes()

    def forward(self, input: Tensor) -> Any:
        """(B, C, H, W) to (B, C, H', W')."""
        return F.avg_pool2d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )


class AdaptiveAvgPool2d(Module):
    """Means over windows that cover a map in `output_size` steps; 1 is the mean of the whole map.

    Parameters
    ----------
    output_size : int or (height, width)
        None keeps an axis as it is.
    """

    _axes: tuple[int, ...] = (3, 4)

    def __init__(self, output_size: Any) -> None:
        self.output_size = output_size
        check_output_size(output_size, (1, 1))

    def forward(self, input: Tensor) -> Any:
        """(B, C, H, W) to (B, C, h, w), with h and w of `output_size`."""
        return F.adaptive_avg_pool2d(input, self.output_size)

    def _shape(self, shape: Shape) -> Shape:
        maps(shape, "input")
        return (*shape[:-2], *check_output_size(self.output_size, (shape[-2], shape[-1])))

    def _windows(self, shape: Shape) -> Sequence[Axis] | None:
        """One size fits all where the map is a multiple of the output."""
        output = check_output_size(self.output_size, (shape[-2], shape[-1]))
        if any(n % o for n, o in zip(shape[-2:], output, strict=True)):
            return None
        return [Axis("", n, n // o, n // o, 1) for n, o in zip(shape[-2:], output, strict=True)]

    def extra_repr(self) -> str:
        """The arguments."""
        return f"output_size={self.output_size}"


class AdaptiveMaxPool2d(AdaptiveAvgPool2d):
    """The greatest of windows that cover a map in `output_size` steps."""

    def forward(self, input: Tensor) -> Any:
        """(B, C, H, W) to (B, C, h, w), with h and w of `output_size`."""
        return F.adaptive_max_pool2d(input, self.output_size)


class Unfold(Module):
    """The pixels under each position of a kernel, a column for each ("im2col").

    Parameters
    ----------
    kernel_size, dilation, padding, stride : int or (vertical, horizontal)
    """

    _axes: tuple[int, ...] = (3, 4)

    def __init__(self, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> None:
        self._sizes = (kernel_size, dilation, padding, stride)

    def forward(self, input: Tensor) -> Any:
        """(B, C, H, W) to (B, C·kh·kw, positions)."""
        return F.unfold(input, *self._sizes)

    def _shape(self, shape: Shape) -> Shape:
        maps(shape, "input")
        axes = fold_axes((shape[-2], shape[-1]), *self._sizes)
        rows, places = (math.prod(n) for n in ((a.kernel for a in axes), (a.output for a in axes)))
        return (*shape[:-3], shape[-3] * rows, places)

    def extra_repr(self) -> str:
        """The arguments."""
        names = ("kernel_size", "dilation", "padding", "stride")
        return ", ".join(f"{name}={value}" for name, value in zip(names, self._sizes, strict=True))


class Fold(Unfold):
    """Columns as `Unfold` gives them, each number added to the pixel that it came from.

    Parameters
    ----------
    output_size : (height, width)
    kernel_size, dilation, padding, stride : int or (vertical, horizontal)
    """

    _axes = (2, 3)

    def __init__(
        self, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
    ) -> None:
        super().__init__(kernel_size, dilation, padding, stride)
        self.output_size = output_size

    def forward(self, input: Tensor) -> Any:
        """(B, C·kh·kw, positions) to (B, C, height, width)."""
        return F.fold(input, self.output_size, *self._sizes)

    def _shape(self, shape: Shape) -> Shape:
        return fold_shape(shape, self.output_size, *self._sizes)

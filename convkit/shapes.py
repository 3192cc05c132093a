"""Sizes of convolutions, by arithmetic alone: no array is made here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias, overload

from convkit._checks import INT64_MAX, Pair, choice, integer, is_sequence, pair

Size: TypeAlias = int | Sequence[int]
Padding: TypeAlias = int | Sequence[int] | Literal["same", "valid"]

# ---- one axis ---------------------------------------------------------------------------------------


class Axis(NamedTuple):
    """A convolution along one axis, every number checked."""

    name: str
    size: int
    kernel: int
    stride: int
    dilation: int
    before: int = 0
    after: int = 0

    @property
    def extent(self) -> int:
        """Pixels from the kernel's first tap to its last: the effective kernel."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def room(self) -> int:
        """How far the kernel can move over the padded input; negative where it does not fit."""
        return self.size + self.before + self.after - self.extent

    @property
    def output(self) -> int:
        """Windows that fit."""
        return self.room // self.stride + 1

    def same(self) -> Pair:
        """The padding that makes the output ceil(size / stride); an odd pixel goes to the end."""
        windows = -(-self.size // self.stride)
        total = max((windows - 1) * self.stride + self.extent - self.size, 0)
        return total // 2, total - total // 2


def conv_axes(size: Size, kernel: Size, stride: Size, padding: Padding, dilation: Size) -> list[Axis]:
    """The axes of a convolution, one for an integer `size`, two for a pair, each with room for a window."""
    axes = _padded(_axes(size, kernel, stride, dilation), padding)
    for axis in axes:
        _counted(axis.size + axis.before + axis.after, "the padded input", axis)
        if axis.room < 0:
            raise ValueError(
                f"the output{_of(axis)} would be {axis.output}: input {axis.size} + padding "
                f"({axis.before}, {axis.after}) is {axis.size + axis.before + axis.after}, shorter than the "
                f"effective kernel {axis.extent} (kernel {axis.kernel}, dilation {axis.dilation}); "
                f"pad by {-axis.room} more in all, or take a smaller kernel or dilation"
            )
    return axes


def _axes(size: Size, kernel: Size, stride: Size, dilation: Size) -> list[Axis]:
    columns = [
        _numbers(value, name, size, 1)
        for name, value in (("size", size), ("kernel", kernel), ("stride", stride), ("dilation", dilation))
    ]
    names = ("height", "width") if len(columns[0]) == 2 else ("",)
    axes = [Axis(name, *row) for name, row in zip(names, zip(*columns, strict=True), strict=True)]
    for axis in axes:
        _counted(axis.extent, "the effective kernel", axis)
    return axes


def _padded(axes: list[Axis], padding: Padding) -> list[Axis]:
    """The axes with `padding` resolved to pixels before and after each."""
    if isinstance(padding, str):
        word = choice(padding, "padding", ("same", "valid"))
        sides = [axis.same() if word == "same" else (0, 0) for axis in axes]
    elif is_sequence(padding) and len(padding) == 4 and len(axes) == 2:
        top, bottom, left, right = (integer(p, f"padding[{i}]", 0) for i, p in enumerate(padding))
        sides = [(top, bottom), (left, right)]
    else:
        size = axes[0].size if len(axes) == 1 else [axis.size for axis in axes]
        sides = [(p, p) for p in _numbers(padding, "padding", size, 0)]
    return [axis._replace(before=b, after=a) for axis, (b, a) in zip(axes, sides, strict=True)]


def _numbers(value: Size, name: str, size: Size, minimum: int) -> tuple[int, ...]:
    """`value` as one integer for a single axis, as two where `size` is a pair; each of 64 bits."""
    if is_sequence(size):
        numbers: tuple[int, ...] = pair(value, name, minimum)
    elif is_sequence(value):
        raise ValueError(
            f"{name} is {value!r} and size is {size!r}, one axis; expected an integer: "
            f"pass size=({size}, {size}) for a height and a width"
        )
    else:
        numbers = (integer(value, name, minimum),)
    for number in numbers:
        if number > INT64_MAX:
            raise ValueError(f"{name} is {number}; expected at most 2**63 - 1")
    return numbers


def _of(axis: Axis) -> str:
    return f" {axis.name}" if axis.name else ""


def _counted(number: int, what: str, axis: Axis) -> int:
    if number > INT64_MAX:
        raise ValueError(f"{what}{_of(axis)} would be {number}, more than 64 bits can count")
    return number


# ---- convolution ------------------------------------------------------------------------------------


@overload
def conv2d_output(
    size: int,
    kernel: int,
    stride: int = 1,
    padding: Padding = 0,
    dilation: int = 1,
    *,
    strict: bool = False,
) -> int: ...
@overload
def conv2d_output(
    size: Sequence[int],
    kernel: Size,
    stride: Size = 1,
    padding: Padding = 0,
    dilation: Size = 1,
    *,
    strict: bool = False,
) -> Pair: ...
def conv2d_output(
    size: Size,
    kernel: Size,
    stride: Size = 1,
    padding: Padding = 0,
    dilation: Size = 1,
    *,
    strict: bool = False,
) -> int | Pair:
    """Output size of a convolution or a pooling: floor((I + 2P − D(K − 1) − 1) / S) + 1.

    Parameters
    ----------
    size : int or pair of int
        Input size along one axis, or (height, width). The answer has the same form.
    kernel, stride, dilation : int or pair of int
        At least 1; pairs (vertical, horizontal) where `size` is a pair.
    padding : int, pair, four ints, "same" or "valid"
        Pixels on either side; four numbers are top, bottom, left, right. "valid" is 0; "same" is the rule of
        `same_padding`, whose output is ceil(size / stride).
    strict : bool
        Refuse a size whose last pixels no window reaches, that is where I + 2P − D(K − 1) − 1 is not a
        multiple of the stride. "same" fits itself to the size and is not refused.

    Returns
    -------
    int or pair of int
        At least 1.

    Raises
    ------
    ValueError
        No window fits; a number is out of range or leaves 64 bits; `strict` and the stride does not divide.
    TypeError
        A number is not an integer.

    Examples
    --------
    >>> from convkit import shapes
    >>> shapes.conv2d_output(32, kernel=3, padding=1, stride=2)
    16
    >>> shapes.conv2d_output((224, 320), kernel=(7, 5), padding=(3, 2), stride=2)
    (112, 160)
    """
    axes = conv_axes(size, kernel, stride, padding, dilation)
    if strict and padding != "same":
        for axis in axes:
            _check_division(axis)
    return _like(size, [axis.output for axis in axes])


def _check_division(axis: Axis) -> None:
    rest = axis.room % axis.stride
    if rest:
        nearest = [n for n in (axis.size - rest, axis.size - rest + axis.stride) if n >= 1]
        raise ValueError(
            f"stride {axis.stride} does not divide {axis.room} (input{_of(axis)} {axis.size} + padding "
            f"({axis.before}, {axis.after}) − effective kernel {axis.extent}): "
            f"the last {rest} would be left out; "
            f"the nearest sizes that fit are {' and '.join(map(str, nearest))}"
        )


def _like(size: Size, numbers: list[int]) -> int | Pair:
    """`numbers` in the form of `size`: an int for an int, a pair for a pair."""
    return (numbers[0], numbers[1]) if is_sequence(size) else numbers[0]


@overload
def same_padding(size: int, kernel: int, stride: int = 1, dilation: int = 1) -> Pair: ...
@overload
def same_padding(
    size: Sequence[int], kernel: Size, stride: Size = 1, dilation: Size = 1
) -> tuple[Pair, Pair]: ...
def same_padding(size: Size, kernel: Size, stride: Size = 1, dilation: Size = 1) -> Pair | tuple[Pair, Pair]:
    """Padding (before, after) that makes the output ceil(size / stride): TensorFlow's "SAME".

    With stride 1 it is PyTorch's "same" too. Where the sum is odd, the extra pixel goes to the end.

    Parameters
    ----------
    size, kernel, stride, dilation : int or pair of int
        As for `conv2d_output`.

    Returns
    -------
    pair of int, or pair of pairs
        (before, after) for one axis; ((top, bottom), (left, right)) where `size` is a pair.

    Raises
    ------
    ValueError, TypeError
        As for `conv2d_output`.

    Examples
    --------
    >>> from convkit import shapes
    >>> shapes.same_padding(224, kernel=3, stride=2)
    (0, 1)
    >>> shapes.same_padding((5, 6), kernel=3)
    ((1, 1), (1, 1))
    """
    sides = [axis.same() for axis in _axes(size, kernel, stride, dilation)]
    return (sides[0], sides[1]) if is_sequence(size) else sides[0]


# ---- transposed convolution -------------------------------------------------------------------------


@overload
def conv_transpose2d_output(
    size: int, kernel: int, stride: int = 1, padding: int = 0, output_padding: int = 0, dilation: int = 1
) -> int: ...
@overload
def conv_transpose2d_output(
    size: Sequence[int],
    kernel: Size,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    dilation: Size = 1,
) -> Pair: ...
def conv_transpose2d_output(
    size: Size,
    kernel: Size,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    dilation: Size = 1,
) -> int | Pair:
    """Output size of a transposed convolution: (I − 1)S − 2P + D(K − 1) + P_out + 1.

    Parameters
    ----------
    size, kernel, stride, dilation : int or pair of int
        As for `conv2d_output`.
    padding : int or pair of int
        Pixels cut from either side of the output: the padding of the convolution that this one transposes.
    output_padding : int or pair of int
        Pixels added at the end, less than the stride or the dilation. It says which of the sizes that a
        strided convolution maps to `size` is meant.

    Returns
    -------
    int or pair of int
        At least 1.

    Raises
    ------
    ValueError
        Nothing is left; a number is out of range or leaves 64 bits.
    TypeError
        A number is not an integer.

    Examples
    --------
    >>> from convkit import shapes
    >>> shapes.conv_transpose2d_output(16, kernel=3, stride=2, padding=1, output_padding=1)
    32
    """
    axes = _axes(size, kernel, stride, dilation)
    cuts = _numbers(padding, "padding", size, 0)
    extras = _numbers(output_padding, "output_padding", size, 0)
    return _like(size, [_transposed(*row) for row in zip(axes, cuts, extras, strict=True)])


def _transposed(axis: Axis, cut: int, extra: int) -> int:
    if extra >= max(axis.stride, axis.dilation):
        raise ValueError(
            f"output_padding is {extra}; expected less than the stride {axis.stride} "
            f"or the dilation {axis.dilation}"
        )
    full = (axis.size - 1) * axis.stride + axis.extent
    if full + extra - 2 * cut < 1:
        raise ValueError(
            f"the output{_of(axis)} would be {full + extra - 2 * cut}: input {axis.size} with stride "
            f"{axis.stride} and effective kernel {axis.extent} spreads over {full} + output_padding {extra}, "
            f"and padding cuts {cut} from either side; pass padding of at most {(full + extra - 1) // 2}"
        )
    return _counted(full + extra, "the output before padding is cut", axis) - 2 * cut


# ---- receptive field --------------------------------------------------------------------------------


class ReceptiveField(NamedTuple):
    """What one output of a stack of layers sees, along one axis, in input pixels."""

    size: int
    """Pixels that one output sees."""
    jump: int
    """Pixels between the fields of neighbouring outputs: the product of the strides."""
    start: int
    """First pixel that output 0 sees; negative where its field begins in the padding."""

    @property
    def centre(self) -> float:
        """The middle of output 0's field; output i's is ``centre + i * jump``."""
        return self.start + (self.size - 1) / 2


LAYER = ("kernel", "stride", "dilation", "padding")


def receptive_field(layers: Iterable[Sequence[int] | Mapping[str, int]]) -> ReceptiveField:
    """Receptive field of a stack of convolutions or poolings, along one axis.

    Parameters
    ----------
    layers : iterable of tuple or dict
        First layer first: (kernel, stride), (kernel, stride, dilation), (kernel, stride, dilation, padding),
        or a dict with those keys. The kernel is required; stride and dilation are 1 and padding 0 where
        left out.

    Returns
    -------
    ReceptiveField
        ``size``, ``jump`` and ``start``, named; ``centre`` beside them. No layers: (1, 1, 0).

    Raises
    ------
    ValueError
        A number is out of range, a key is unknown, the kernel is missing, or the field leaves 64 bits.
    TypeError
        A layer is neither a sequence nor a mapping, or a number is not an integer.

    Notes
    -----
    Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill, 2019.

    Examples
    --------
    >>> from convkit import shapes
    >>> shapes.receptive_field([(3, 1), (3, 1)])
    ReceptiveField(size=5, jump=1, start=0)
    >>> shapes.receptive_field([{"kernel": 7, "stride": 2, "padding": 3}, (3, 2, 1, 1)])
    ReceptiveField(size=11, jump=4, start=-5)
    """
    size, jump, start = 1, 1, 0
    for index, layer in enumerate(layers):
        kernel, stride, dilation, padding = _layer(layer, f"layers[{index}]")
        size += dilation * (kernel - 1) * jump
        start -= padding * jump
        jump *= stride
        if max(size, jump, -start) > INT64_MAX:
            raise ValueError(f"the receptive field after layers[{index}] leaves 64 bits")
    return ReceptiveField(size, jump, start)


def _layer(layer: Any, name: str) -> tuple[int, int, int, int]:
    """One layer as (kernel, stride, dilation, padding)."""
    if isinstance(layer, Mapping):
        given = dict(layer)
    elif is_sequence(layer):
        if not 1 <= len(layer) <= len(LAYER):
            raise ValueError(f"{name} is {layer!r}; expected ({', '.join(LAYER)}), the last two optional")
        given = dict(zip(LAYER, layer, strict=False))
    else:
        raise TypeError(
            f"{name} is {layer!r}; expected a tuple ({', '.join(LAYER)}) or a dict with those keys"
        )
    if unknown := [key for key in given if key not in LAYER]:
        raise ValueError(f"{name} has the key {unknown[0]!r}; expected {', '.join(LAYER)}")
    if "kernel" not in given:
        raise ValueError(f"{name} is {layer!r}, without a kernel; expected at least {{'kernel': 3}}")
    return (
        integer(given["kernel"], f"{name} kernel", 1),
        integer(given.get("stride", 1), f"{name} stride", 1),
        integer(given.get("dilation", 1), f"{name} dilation", 1),
        integer(given.get("padding", 0), f"{name} padding", 0),
    )

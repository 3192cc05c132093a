"""The shape after each layer, by arithmetic alone, and where a list of layers breaks.

`nn.trace_shapes` does it for layers that exist; here they are text, as ``conv(16, 3, padding=1) | relu``.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from convkit import shapes
from convkit._checks import integer, numbers_of

Shape = tuple[int, ...]
EXAMPLE = "conv(16, 3, stride=2, padding=1) | relu | pool(2) | flatten | linear(10)"
POINTWISE = ("relu", "relu6", "leaky_relu", "gelu", "silu", "sigmoid", "tanh", "batchnorm", "dropout")


class Step(NamedTuple):
    """One layer of a trace."""

    layer: str
    given: Shape
    gave: Shape | None
    """None: it refuses what it was given."""
    parameters: int
    note: str
    """Why it refuses; "" where it does not."""
    mend: str
    """What would mend it."""


class _Refused(ValueError):
    def __init__(self, reason: str, mend: str) -> None:
        self.mend = mend
        super().__init__(reason)


def trace_steps(layers: str, input_shape: Sequence[int]) -> list[Step]:
    """Trace shapes through layers that are written as text.

    Parameters
    ----------
    layers : str
        Layers joined by ``|``: ``conv(out, kernel, stride=1, padding=0, dilation=1, groups=1)``,
        ``conv_transpose(out, kernel, stride=1, padding=0, output_padding=0)``,
        ``pool(kernel, stride=kernel, padding=0)``, ``flatten``, ``linear(out)``, ``global_pool``, and names
        such as ``relu`` or ``batchnorm`` that change no shape. Nothing in the text is evaluated.
    input_shape : (C, H, W)

    Returns
    -------
    list of Step
        Up to the layer that refuses, if one does: its `gave` is None, `note` and `mend` tell why.

    Raises
    ------
    ValueError
        A text that is no list of layers, or a shape that is not (C, H, W).
    TypeError
        No text, or no shape.

    Examples
    --------
    >>> from convkit import viz
    >>> for step in viz.trace_steps("conv(8, 3, stride=2, padding=1) | relu | pool(2)", (3, 32, 32)):
    ...     print(step.layer, step.gave)
    conv(8, 3, stride=2, padding=1) (8, 16, 16)
    relu (8, 16, 16)
    pool(2) (8, 8, 8)
    >>> viz.trace_steps("pool(40)", (3, 32, 32))[0].mend
    'a smaller kernel, padding, or at least 40×40 at this layer'
    """
    if not isinstance(layers, str):
        raise TypeError(f"layers is {type(layers).__name__}; expected text, such as {EXAMPLE!r}")
    shape: Shape = numbers_of(input_shape, "input_shape", "(channels, height, width)")
    if len(shape) != 3:
        raise ValueError(f"input_shape is {shape}; expected (channels, height, width)")
    steps: list[Step] = []
    for name, text, args, kwargs in _calls(layers):
        try:
            gave, parameters = _LAYERS[name](shape, *args, **kwargs)
        except _Refused as error:
            steps.append(Step(text, shape, None, 0, str(error), error.mend))
            return steps
        except (TypeError, ValueError) as error:
            reason = str(error).partition("() ")[2] or str(error)
            expected = ", as in" if "expected" in reason else "; expected e.g."
            raise ValueError(f"{text}: {reason}{expected} {EXAMPLE!r}") from None
        steps.append(Step(text, shape, gave, parameters, "", ""))
        shape = gave
    return steps


# ---- text -------------------------------------------------------------------------------------------


def _calls(layers: str) -> Iterator[tuple[str, str, list[Any], dict[str, Any]]]:
    for text in layers.split("|"):
        try:
            node = ast.parse(text.strip(), mode="eval").body
            call = node if isinstance(node, ast.Call) else ast.Call(node, [], [])
            args = [ast.literal_eval(value) for value in call.args]
            kwargs = {str(word.arg): ast.literal_eval(word.value) for word in call.keywords}
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            raise ValueError(f"cannot read the layer {text.strip()!r}; expected e.g. {EXAMPLE!r}") from None
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        if name not in _LAYERS:
            raise ValueError(f"there is no layer {text.strip()!r}; expected one of {', '.join(_LAYERS)}")
        yield name, text.strip(), args, kwargs


# ---- layers -----------------------------------------------------------------------------------------


def _conv(
    shape: Shape, out: int, kernel: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> tuple[Shape, int]:
    channels, size = _map(shape)
    out, groups = integer(out, "out", 1), integer(groups, "groups", 1)
    if channels % groups or out % groups:
        raise _Refused(
            f"groups={groups} does not divide {channels} input and {out} output channels",
            f"groups={_divisors(math.gcd(channels, out))}: 1 is a plain convolution",
        )
    gave = _fits(size, kernel, stride, padding, dilation)
    return (out, *gave), out * (channels // groups) * _area(kernel) + out


def _divisors(number: int) -> str:
    found = [str(n) for n in range(1, number + 1) if number % n == 0]
    return " or ".join([", ".join(found[:-1])] * (len(found) > 1) + found[-1:])


def _conv_transpose(
    shape: Shape, out: int, kernel: Any, stride: Any = 1, padding: Any = 0, output_padding: Any = 0
) -> tuple[Shape, int]:
    channels, size = _map(shape)
    try:
        gave = shapes.conv_transpose2d_output(size, kernel, stride, padding, output_padding)
    except ValueError as error:
        raise _Refused(str(error), "less padding, or output_padding below the stride") from None
    return (integer(out, "out", 1), *gave), out * channels * _area(kernel) + out


def _pool(shape: Shape, kernel: Any, stride: Any = None, padding: Any = 0) -> tuple[Shape, int]:
    channels, size = _map(shape)
    return (channels, *_fits(size, kernel, kernel if stride is None else stride, padding, 1)), 0


def _flatten(shape: Shape) -> tuple[Shape, int]:
    return (math.prod(shape),), 0


def _global_pool(shape: Shape) -> tuple[Shape, int]:
    return (_map(shape)[0],), 0


def _linear(shape: Shape, out: int) -> tuple[Shape, int]:
    if len(shape) != 1:
        raise _Refused(
            f"linear takes one axis, not the map {_times(shape)}", "flatten, or global_pool, before it"
        )
    return (integer(out, "out", 1),), shape[0] * out + out


def _same(shape: Shape, *args: Any) -> tuple[Shape, int]:
    return shape, 0


def _batchnorm(shape: Shape) -> tuple[Shape, int]:
    return shape, 2 * shape[0]


_LAYERS: Mapping[str, Callable[..., tuple[Shape, int]]] = {
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "pool": _pool,
    "flatten": _flatten,
    "global_pool": _global_pool,
    "linear": _linear,
    **dict.fromkeys(POINTWISE, _same),
    "batchnorm": _batchnorm,
}


def _map(shape: Shape) -> tuple[int, tuple[int, int]]:
    if len(shape) != 3:
        raise _Refused(f"a map is needed, and {shape[0]} numbers came", "flatten and linear at the end")
    return shape[0], (shape[1], shape[2])


def _fits(size: tuple[int, int], kernel: Any, stride: Any, padding: Any, dilation: Any) -> tuple[int, int]:
    try:
        return shapes.conv2d_output(size, kernel, stride=stride, padding=padding, dilation=dilation)
    except ValueError as error:
        if "effective kernel" not in str(error):
            raise
        sides = shapes._padded(shapes._axes(size, kernel, stride, dilation), padding)
        need = "×".join(str(side.extent - side.before - side.after) for side in sides)
        mend = f"a smaller kernel, padding, or at least {need} at this layer"
        if min(size) < 8:
            mend += "; earlier layers may halve the map too often"
        raise _Refused(str(error), mend) from None


def _area(kernel: Any) -> int:
    return math.prod(kernel) if isinstance(kernel, (tuple, list)) else int(kernel) ** 2


def _times(shape: Shape) -> str:
    return "×".join(map(str, shape))

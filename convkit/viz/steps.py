"""The shape after each layer, by arithmetic alone, and where a list of layers breaks.

`nn.trace_shapes` does it for layers that exist; here they are text, as ``conv(16, 3, padding=1) | relu``, or
PyTorch's, as ``Conv2d(3, 16, 3) | ReLU()``.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from convkit import shapes
from convkit._checks import flag, integer, numbers_of

Shape = tuple[int, ...]
Layer = Callable[..., tuple[Shape, int]]
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
        Layers joined by ``|``: ``conv(out, kernel, stride=1, padding=0, dilation=1, groups=1, bias=True)``,
        ``depthwise(kernel, stride=1, padding=0, dilation=1)``,
        ``conv_transpose(out, kernel, stride=1, padding=0, output_padding=0, bias=True)``,
        ``pool(kernel, stride=kernel, padding=0)``, ``flatten``, ``linear(out, bias=True)``, ``global_pool``,
        and names such as ``relu`` or ``batchnorm`` that change no shape; or layers of `nn` under PyTorch's
        names and with its arguments, ``Conv2d(3, 16, 3)``. Nothing in the text is evaluated.
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
    from convkit.nn.trace import recorded

    steps: list[Step] = []
    with recorded() as ran:  # what a module that refuses says depends on what ran before it
        for run, text, args, kwargs in _calls(layers):
            step = _step(run, text, shape, args, kwargs)
            steps.append(step)
            if step.gave is None:
                break
            if len(ran) < len(steps):
                ran.append((text, (1, *shape), (1, *step.gave)))
            shape = step.gave
    return steps


def _step(run: Layer, text: str, shape: Shape, args: list[Any], kwargs: dict[str, Any]) -> Step:
    try:
        return Step(text, shape, *run(shape, *args, **kwargs), "", "")
    except _Refused as error:
        return Step(text, shape, None, 0, str(error), error.mend)
    except (TypeError, ValueError) as error:
        reason = str(error).partition("() ")[2] or str(error)
        if isinstance(run, partial):
            raise ValueError(f"{text}: {reason}; expected {_signature(run.args[0])}") from None
        expected = ", as in" if re.search(r"\bexpected\b", reason) else "; expected e.g."
        raise ValueError(f"{text}: {reason}{expected} {EXAMPLE!r}") from None


def _signature(kind: Any) -> str:
    """How a layer of `nn` is written."""
    from inspect import signature

    parameters = [p for p in signature(kind).parameters.values() if p.name not in ("dtype", "generator")]
    said = (p.name if p.default is p.empty else f"{p.name}={p.default!r}" for p in parameters)
    return f"{kind.__name__}({', '.join(said)})"


# ---- text -------------------------------------------------------------------------------------------


def _calls(layers: str) -> Iterator[tuple[Layer, str, list[Any], dict[str, Any]]]:
    for text in layers.split("|"):
        try:
            node = ast.parse(text.strip(), mode="eval").body
            call = node if isinstance(node, ast.Call) else ast.Call(node, [], [])
            args = [_value(value) for value in call.args]
            kwargs = {str(word.arg): _value(word.value) for word in call.keywords}
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            raise ValueError(f"cannot read the layer {text.strip()!r}; expected e.g. {EXAMPLE!r}") from None
        name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")  # nn.ReLU
        yield *_found(name, text.strip(), kwargs), args, kwargs


def _value(node: ast.expr) -> Any:
    """A literal; a word stands for itself, as in ``padding=same``."""
    return node.id if isinstance(node, ast.Name) else ast.literal_eval(node)


def _found(name: str, text: str, kwargs: dict[str, Any]) -> tuple[Layer, str]:
    """The layer that a word means: one of ours, PyTorch's, or another usual word for one of ours."""
    plain = name.lower().replace("_", "")
    modules = _modules()
    if name not in _LAYERS and plain in modules:
        return partial(_module, modules[plain]), text
    short = name if name in _LAYERS else ALIASES.get(plain)
    if short is None:
        from difflib import get_close_matches

        words = {each.lower(): each for each in (*(m.__name__ for m in modules.values()), *ALIASES, *_LAYERS)}
        close = [words[found] for found in get_close_matches(name.lower(), words)]
        known = f"expected one of {', '.join(_LAYERS)}, or PyTorch's, such as Conv2d(3, 16, 3)"
        hint = f"did you mean {' or '.join(close)}?" if close else known
        raise ValueError(f"there is no layer {text!r}; {hint}")
    for given in kwargs.keys() & KEYWORDS.keys():
        kwargs[KEYWORDS[given]] = kwargs.pop(given)
    return _LAYERS[short], text


KEYWORDS = {"kernel_size": "kernel", "out_channels": "out", "out_features": "out"}
ALIASES = {
    "maxpool": "pool",
    "avgpool": "pool",
    "bn": "batchnorm",
    "fc": "linear",
    "dense": "linear",
    "gap": "global_pool",
    "globalavgpool": "global_pool",
    "globalaveragepool": "global_pool",
    "globalmaxpool": "global_pool",
    "deconv": "conv_transpose",
    "convtranspose": "conv_transpose",
    "swish": "silu",
    "batchnorm": "batchnorm",
    "globalpool": "global_pool",
}
"""Without underscores and capitals."""


def _modules() -> dict[str, Any]:
    """The layers of `nn` that say their sizes, by their names without capitals."""
    from convkit import nn

    found = (getattr(nn, name) for name in nn.__all__)
    return {m.__name__.lower(): m for m in found if hasattr(m, "_shape") and m is not nn.Sequential}


def _module(kind: Any, shape: Shape, *args: Any, **kwargs: Any) -> tuple[Shape, int]:
    """As the layer itself says it, of a batch of one."""
    from convkit.nn.trace import LayerError, shape_after

    layer = kind(*args, **kwargs)
    try:
        gave = shape_after(layer, (1, *shape))
    except LayerError as error:
        reason = str(error).partition("\n")[0]
        raise _Refused(f"{reason}; likely cause: {error.cause}", error.mend) from None
    return gave[1:], sum(parameter.numel() for parameter in layer.parameters())


# ---- layers -----------------------------------------------------------------------------------------


def _conv(
    shape: Shape,
    out: int,
    kernel: Any,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    bias: bool = True,
) -> tuple[Shape, int]:
    channels, size = _map(shape)
    out, groups = integer(out, "out", 1), integer(groups, "groups", 1)
    if channels % groups or out % groups:
        raise _Refused(
            f"groups={groups} does not divide {channels} input and {out} output channels",
            f"groups={_divisors(math.gcd(channels, out))}: 1 is a plain convolution",
        )
    gave = _fits(size, kernel, stride, padding, dilation)
    return (out, *gave), out * (channels // groups) * _area(kernel) + out * flag(bias, "bias")


def _depthwise(
    shape: Shape, kernel: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1, bias: bool = True
) -> tuple[Shape, int]:
    channels, _ = _map(shape)
    return _conv(shape, channels, kernel, stride, padding, dilation, channels, bias)


def _divisors(number: int) -> str:
    found = [str(n) for n in range(1, number + 1) if number % n == 0]
    return " or ".join([", ".join(found[:-1])] * (len(found) > 1) + found[-1:])


def _conv_transpose(
    shape: Shape,
    out: int,
    kernel: Any,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    bias: bool = True,
) -> tuple[Shape, int]:
    channels, size = _map(shape)
    try:
        gave = shapes.conv_transpose2d_output(size, kernel, stride, padding, output_padding)
    except ValueError as error:
        raise _Refused(str(error), "less padding, or output_padding below the stride") from None
    return (integer(out, "out", 1), *gave), out * channels * _area(kernel) + out * flag(bias, "bias")


def _pool(shape: Shape, kernel: Any, stride: Any = None, padding: Any = 0) -> tuple[Shape, int]:
    channels, size = _map(shape)
    return (channels, *_fits(size, kernel, kernel if stride is None else stride, padding, 1)), 0


def _flatten(shape: Shape) -> tuple[Shape, int]:
    return (math.prod(shape),), 0


def _global_pool(shape: Shape) -> tuple[Shape, int]:
    return (_map(shape)[0],), 0


def _linear(shape: Shape, out: int, bias: bool = True) -> tuple[Shape, int]:
    if len(shape) != 1:
        raise _Refused(
            f"linear takes one axis, not the map {_times(shape)}", "flatten, or global_pool, before it"
        )
    return (integer(out, "out", 1),), shape[0] * out + out * flag(bias, "bias")


def _same(shape: Shape, *args: Any) -> tuple[Shape, int]:
    return shape, 0


def _batchnorm(shape: Shape) -> tuple[Shape, int]:
    return shape, 2 * shape[0]


_LAYERS: Mapping[str, Layer] = {
    "conv": _conv,
    "depthwise": _depthwise,
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

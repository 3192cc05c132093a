"""What went through the layers until one of them refused: the error that tells it, and what mends it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from inspect import signature
from itertools import pairwise
from pathlib import Path
from traceback import FrameSummary, extract_tb
from typing import Any, NamedTuple

import numpy as np

from convkit._checks import LOOKS_LIKE
from convkit.errors import ConvkitError
from convkit.nn.diagnosis import Refusal, diagnosis, is_ours, no_map, symptom

Shape = tuple[int, ...]


class Step(NamedTuple):
    """A layer, the shape that it was given, and the shape that it gave (None: it refused)."""

    layer: str
    given: Shape
    gave: Shape | None


running: ContextVar[list[tuple[object, Shape, Shape]] | None] = ContextVar("convkit_trace", default=None)
"""The layers of the outermost call under way, in this thread or task, and their shapes."""


LIBRARIES = (str(Path(__file__).parent.parent), str(Path(np.__file__).parent))
"""Where lines are that no user wrote."""


def ran(layer: object, given: Shape, gave: Shape) -> None:
    """Note a layer that ran."""
    steps = running.get()
    if steps is not None:
        steps.append((layer, given, gave))


@contextmanager
def recorded() -> Iterator[list[tuple[object, Shape, Shape]]]:
    """A list of the layers that run inside a ``with`` block, of its own."""
    steps: list[tuple[object, Shape, Shape]] = []
    token = running.set(steps)
    try:
        yield steps
    finally:
        running.reset(token)


class LayerError(ConvkitError, ValueError):
    """A layer refused its input; of another dtype than it computes in, it is a `TypeError` too.

    Attributes
    ----------
    trace : list of Step
        Every layer that ran, and last the one that refused.
    cause : str
        What it most likely is.
    mend : str
        The line that mends it.
    """

    def __init__(self, reason: str, trace: Iterable[Step], cause: str, mend: str) -> None:
        self.trace, self.cause, self.mend = list(trace), cause, mend
        super().__init__(f"{reason}\n{table(self.trace)}\nlikely cause: {cause}\nmend: {mend}")


class LayerTypeError(LayerError, TypeError):
    """A layer refused the dtype of its input."""


def table(steps: Iterable[Step]) -> str:
    """Shapes, a layer a line."""
    steps = list(steps)
    width = max((len(step.layer) for step in steps), default=0)
    lines = [
        f"  {i}: {step.layer:{width}}  {step.given} -> {'refused' if step.gave is None else step.gave}"
        for i, step in enumerate(steps)
    ]
    return "\n".join(lines)


def explained(error: Exception, layer: Any, given: Shape, inputs: tuple[Any, ...] = ()) -> LayerError:
    """`error` of a layer that was given `inputs`, the first of a shape, with the trace and a diagnosis."""
    steps = _steps()
    first = not steps
    reason = str(error) if first else str(error).partition(LOOKS_LIKE)[0]  # maps of a layer have its layout
    refusal = Refusal(reason, layer, given, first, inputs, running.get() or ())
    if isinstance(error, ValueError) and not is_ours(layer) and symptom(refusal) is None:
        return explained_between(error, layer, given)
    steps.append(Step(_named(layer), given, None))
    cause, mend = diagnosis(refusal)
    kind = LayerTypeError if isinstance(error, TypeError) else LayerError
    return kind(re.split("[:;] pass ", reason)[0], steps, cause, mend)  # one mend is enough


def explained_between(error: ValueError, module: Any, given: Shape) -> LayerError:
    """`error` of an operation between the layers of `module`, with the trace and the line to blame."""
    name = type(module).__name__
    place = f"between the layers of {name}, in its " if any(module.children()) else f"in {name}."
    cause, look = f"shapes that do not agree {place}forward", "print the shapes before it"
    if is_own(error):
        cause, look = f"a check of its own, in {name}.forward", "look at its condition"
    line = _users_line(error)
    mend = f"line {line.lineno} of {Path(line.filename).name}, {line.line}" if line else "its forward"
    return LayerError(str(error), _broken(module, given), cause, f"{mend}: {look}")


def _broken(module: Any, given: Shape) -> list[Step]:
    """The layers that ran, and the `forward` that went no further."""
    steps = _steps()
    return [*steps, Step(between(module), steps[-1].gave or given if steps else given, None)]


def tensor_of(module: Any, given: Any, output: Any) -> Any:
    """The map that `module` made of `given`: of a tuple, the first.

    Raises
    ------
    LayerError
        It gave none.
    """
    first = output[0] if isinstance(output, tuple) and output else output
    if hasattr(first, "shape"):
        return first
    while is_ours(module) and any(module.children()):  # a Sequential gives what its last layer gave
        *_, module = module.children()
    reason, cause, mend = no_map(module, output)
    raise LayerError(reason, _broken(module, getattr(given, "shape", ())), cause, mend)


def linked(steps: Sequence[Step], name: str) -> list[Step]:
    """`steps` with one more, of this name, wherever a layer is given what the one before did not give."""
    found = list(steps[:1])
    for before, step in pairwise(steps):
        if before.gave is not None and before.gave != step.given:
            found.append(Step(name, before.gave, step.given))
        found.append(step)
    return found


def between(module: Any) -> str:
    """What operations between the layers of `module` are called in a trace."""
    return f"{type(module).__name__}.forward"


def is_own(error: Exception) -> bool:
    """Whether a line of the user's raised `error`."""
    *_, last = extract_tb(error.__traceback__)
    return not last.filename.startswith(LIBRARIES) and (last.line or "").startswith("raise")


def _users_line(error: Exception) -> FrameSummary | None:
    """The last line outside this package that `error` went through."""
    lines = [f for f in extract_tb(error.__traceback__) if not f.filename.startswith(LIBRARIES)]
    return lines[-1] if lines else None


def _steps() -> list[Step]:
    """The layers that ran so far."""
    return [Step(_named(ran), *shapes) for ran, *shapes in running.get() or []]


def _named(layer: object) -> str:
    return layer if isinstance(layer, str) else repr(layer)


# ---- shapes without arrays --------------------------------------------------------------------------


def shape_after(layer: Any, shape: Shape) -> Shape:
    """What `layer` gives for an input of this shape: by arithmetic, or by zeros where its class has none.

    Raises
    ------
    LayerError
        It refuses.
    """
    if not says(layer, "_shape") or layer._hooks or layer._pre_hooks:
        return _of_zeros(layer, shape)
    if any(layer.children()):
        return tuple(layer._shape(shape))
    try:
        gave = tuple(layer._shape(shape))
    except ValueError as error:
        raise explained(error, layer, shape) from error
    ran(layer, shape, gave)
    return gave


def _of_zeros(layer: Any, shape: Shape) -> Shape:
    """The shape of what `layer`, in `eval` mode, makes of zeros."""
    takes_one_input(layer)
    dtype = next((p.dtype for p in layer.parameters()), np.dtype(np.float32))
    mode = layer.training
    layer.eval()
    zeros = np.zeros(shape, dtype)
    try:
        output = layer(zeros)
    except LayerError:
        raise
    except ValueError as error:
        raise explained_between(error, layer, shape) from error
    finally:
        layer.train(mode)
    return tuple(tensor_of(layer, zeros, output).shape)


def takes_one_input(model: Any) -> None:
    """Refuse a model without `forward`, or whose `forward` needs more than an image.

    Raises
    ------
    TypeError
        Names what it takes.
    """
    if not hasattr(model, "forward"):
        raise TypeError(
            f"{type(model).__name__} has no forward: write forward(self, x), which gives the output"
        )
    takes = signature(model.forward).parameters.values()
    needed = [
        p.name for p in takes if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    if len(needed) > 1:
        name = type(model).__name__
        raise TypeError(
            f"{name}.forward takes {', '.join(needed)}; expected one input: pass a module around it, whose "
            f"forward(self, {needed[0]}) makes the rest and returns self.model({', '.join(needed)})"
        )


def says(layer: Any, name: str) -> bool:
    """Whether `layer` has the method `name`, and what it tells holds for the `forward` that it has.

    It does not where a class of the user's overrides `forward` alone.
    """
    order = type(layer).__mro__
    speaks, runs = (next((i for i, k in enumerate(order) if n in vars(k)), None) for n in (name, "forward"))
    if speaks is None or runs is None:
        return False
    return speaks <= runs or order[runs].__module__.startswith("convkit.")

"""What went through the layers until one of them refused: the error that tells it, and what mends it."""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar
from typing import Any, NamedTuple

from convkit.errors import ConvkitError

Shape = tuple[int, ...]


class Step(NamedTuple):
    """A layer, the shape that it was given, and the shape that it gave (None: it refused)."""

    layer: str
    given: Shape
    gave: Shape | None


running: ContextVar[list[tuple[object, Shape, Shape]] | None] = ContextVar("convkit_trace", default=None)
"""The layers of the outermost call under way, in this thread or task, and their shapes."""


class LayerError(ConvkitError, ValueError):
    """A layer refused its input.

    Attributes
    ----------
    trace : list of Step
        Every layer that ran, and last the one that refused.
    cause, mend : str
        What it most likely is, and the line that mends it.
    """

    def __init__(self, reason: str, trace: Iterable[Step], cause: str, mend: str) -> None:
        self.trace, self.cause, self.mend = list(trace), cause, mend
        super().__init__(f"{reason}\n{table(self.trace)}\nlikely cause: {cause}\nmend: {mend}")


def table(steps: Iterable[Step]) -> str:
    """Shapes, a layer a line."""
    steps = list(steps)
    width = max((len(step.layer) for step in steps), default=0)
    lines = [
        f"  {i}: {step.layer:{width}}  {step.given} -> {'refused' if step.gave is None else step.gave}"
        for i, step in enumerate(steps)
    ]
    return "\n".join(lines)


def explained(error: Exception, layer: Any, given: Shape) -> LayerError:
    """`error` of a layer that was given a shape, with the trace up to it and a diagnosis."""
    steps = [Step(repr(ran), *shapes) for ran, *shapes in running.get() or []]
    steps.append(Step(repr(layer), given, None))
    cause, mend = diagnosis(str(error), layer, given, first=len(steps) == 1)
    return LayerError(str(error), steps, cause, mend)


def diagnosis(reason: str, layer: Any, given: Shape, first: bool) -> tuple[str, str]:
    """The likely cause of a refusal, and the line that mends it; the `first` layer sees the image itself."""
    expected = getattr(layer, "in_channels", None)
    name = type(layer).__name__
    if expected is not None and len(given) in (3, 4) and given[-3] != expected:
        if first and given[-1] == expected:
            call = "ck.to_bchw(image)" if len(given) == 3 else "x.transpose(0, 3, 1, 2)"
            return "channels last: an image is HWC, a layer takes BCHW", call
        if first and {given[-3], expected} == {1, 3}:
            have, want = ("gray", "colour") if given[-3] == 1 else ("colour", "gray")
            convert = "np.repeat(x, 3, axis=1)" if given[-3] == 1 else "ck.to_gray(image)"
            return (
                f"a {have} image for a layer of {want} ones: in_channels is {expected}",
                f"nn.{name}({given[-3]}, ...), or {convert}",
            )
        return (
            f"in_channels is {expected}, and what comes before gives {given[-3]} channels",
            f"nn.{name}({given[-3]}, {getattr(layer, 'out_channels', '...')}, ...)",
        )
    features = getattr(layer, "in_features", None) or getattr(layer, "num_features", None)
    axis = -1 if hasattr(layer, "in_features") else 1
    if features is not None and (len(given) < 2 or given[axis] != features):
        if axis == -1 and len(given) == 4:
            return "feature maps go into Linear without being flattened", f"nn.Flatten() before {name}"
        found = given[axis] if len(given) > abs(axis) - 1 and given else 1
        return f"{name} was made for {features} features, not {found}", f"nn.{name}({found}, ...)"
    if "effective kernel" in reason or "shorter than" in reason or "output" in reason:
        return (
            f"the map has shrunk to {given[-2:]}, too small for the kernel: missing padding, or strides that "
            "halve it too often",
            f"nn.{name}(..., padding=kernel_size // 2), a stride of 1 in an earlier layer, or a larger input",
        )
    return "the shape does not suit this layer", f"look at {name}'s docstring: ck.nn.{name}"

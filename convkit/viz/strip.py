"""A strip of boxes: the shape after each layer, and where it breaks."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from convkit._checks import is_sequence, numbers_of
from convkit.viz.steps import EXAMPLE, Shape, Step, trace_steps
from convkit.viz.style import (
    BLUE,
    FAINT,
    INK,
    LEAST,
    axes_for,
    bare,
    described,
    draws,
    extent,
    fitting,
    titled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FACE, SIDE, BROKEN = "#d6e4f2", "#a9c3dd", "#b3401a"
WIDE = 2.3
INCHES = 0.6  # of a unit up or down, about as many as across: what is square looks so
TOP = 1.7
LABELS = -2.3  # the layers' names begin there
LINE = 0.25  # of text


@draws
def shape_trace(
    model: Any, input: Sequence[int], *, title: str | None = None, ax: Axes | None = None
) -> Figure:
    """Draw the shape after each layer as a box, and in red the layer that refuses, with the reason.

    Parameters
    ----------
    model : str, list of `Step`, convkit.nn.Module, or list of modules
        Layers as `trace_steps` reads them, or its result; or modules, as `nn.trace_shapes` takes them. A
        model with a `forward` of its own is run on zeros, and drawn as its layers ran; what it does between
        them is a box of its own where it changes the shape.
    input : (C, H, W) or (B, C, H, W)
        The shape that goes in; the batch is not drawn. Of layers along a line, (C, L) or (B, C, L).
    title : str, optional
    ax : matplotlib axes, optional
        Default: those of a new figure.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        As `trace_steps`. A layer that refuses is drawn, not raised, and so is a `ValueError` of a `forward`.
    TypeError
        No layers, or no shape.

    Examples
    --------
    >>> from convkit import viz
    >>> viz.alt_text(viz.shape_trace("conv(8, 3, stride=2) | relu", (3, 32, 32)))
    'Shapes: 3×32×32, conv(8, 3, stride=2) gives 8×15×15, relu gives 8×15×15'
    """
    start, found = _steps(model, input)
    shapes = [start, *(step.gave for step in found if step.gave is not None)]
    broken = next((step for step in found if step.gave is None), None)
    count = len(found) + 1
    room = _own_room(count) if ax is None else _room_in(ax, count)
    names = [_wrapped(step, room) for step in found]
    reason = _reason(broken, room) if broken else []
    label = max((name.count("\n") + 1 for name in names), default=0)
    lines = label + len(reason) + bool(reason)
    if ax is not None:
        room = room.for_lines(lines, extent(ax)[1])
    below = LABELS - room.line * label
    bottom = LABELS - room.line * lines - 0.1 * bool(reason)
    axes = axes_for(ax, max(1.35 * count, 5), INCHES * (TOP - bottom))
    largest = max(max(_map(shape), default=1) for shape in shapes)
    numbers = [_times(shape) for shape in shapes]
    size = min(fitting(text, 0.86 * room.pitch, 9, "bold") for text in numbers)
    if size < LEAST:
        numbers = [text.replace("×", "×\n", 1) for text in numbers]
        size = max(min(fitting(text, 0.86 * room.pitch, 9, "bold") for text in numbers), LEAST - 1)
    for i, (shape, text) in enumerate(zip(shapes, numbers, strict=True)):
        _box(axes, i * WIDE, shape, largest)
        axes.text(i * WIDE, -1.35, text, ha="center", fontsize=size, color=INK, fontweight="bold")
    axes.text(0, -1.8, "input", ha="center", fontsize=room.size(8.5), color=FAINT)
    for i, (step, name) in enumerate(zip(found, names, strict=True)):
        _arrow(axes, i, step, name, room.size(8))
    if broken is not None:
        _break(axes, len(shapes) * WIDE, below, reason, room.size(8.5), room.size(9))
    words = [_times(shapes[0])]
    words += [
        f"{s.layer} " + (f"refuses: {s.note}" if s.gave is None else f"gives {_times(s.gave)}") for s in found
    ]
    axes.set_xlim(-1.2, _right(count))
    axes.set_ylim(bottom, TOP)
    bare(axes)
    titled(axes, title, 11)
    return described(axes, "Shapes: " + ", ".join(words))


class Room(NamedTuple):
    """What there is for writing."""

    pitch: float
    """Inches from one box to the next."""
    width: float
    """Inches of all."""
    line: float
    """Units of a line of text."""

    def size(self, points: float) -> float:
        """Of writing that has `points` in a figure of our own."""
        return max(points * min(1.0, self.pitch / 1.3), LEAST)

    def for_lines(self, lines: int, height: float) -> Room:
        """With lines as high as their text where so many are below the boxes, in so many inches."""
        text = 1.35 * self.size(8.5) / 72
        unit = max((height - text * lines) / (TOP - LABELS), 0.1)
        return self._replace(line=text / unit)


def _own_room(count: int) -> Room:
    return Room(1.35, max(1.35 * count, 5), LINE)


def _room_in(ax: Axes, count: int) -> Room:
    width, _ = extent(ax)
    return Room(WIDE * width / (_right(count) + 1.2), width, LINE)


def _right(count: int) -> float:
    return max((count - 1) * WIDE + 1.2, 3.0)


def _steps(model: Any, input: Any) -> tuple[Shape, list[Step]]:
    """The shape of one example, and the trace of text, or of modules as `nn.trace_shapes` makes it."""
    shape = numbers_of(input, "input", "a shape, (C, H, W)")
    if isinstance(model, str):
        shape = shape[1:] if len(shape) == 4 else shape
        return shape, trace_steps(model, shape)
    if hasattr(model, "children") and not hasattr(model, "_axes"):
        raise TypeError(
            f"model is another library's {type(model).__name__}; expected a convkit.nn.Module, or text: "
            'pass " | ".join(map(repr, model)) of a Sequential'
        )
    layers = _chain(model) if hasattr(model, "children") else model
    if not is_sequence(layers) or hasattr(layers, "dtype"):
        raise TypeError(f"model is {type(model).__name__}; expected text such as {EXAMPLE!r}, or layers")
    if any(isinstance(layer, str) for layer in layers):
        raise TypeError('model is a list with text; expected one text: pass " | ".join(model)')
    if layers and all(isinstance(layer, Step) for layer in layers):
        return shape[1:] if len(shape) == 4 else shape, list(layers)
    from convkit import nn
    from convkit.nn.summary import batch_axes
    from convkit.nn.trace import between, linked

    try:
        steps = nn.trace_shapes(model if layers == [model] else layers, shape)
    except nn.LayerError as error:
        trace = error.trace
        if layers == [model]:  # it may not hand on what it is given
            start = (1, *shape) if len(shape) == batch_axes(layers) - 1 else shape
            trace = [error.trace[0]._replace(layer="", given=start, gave=start), *trace]
        name = between(layers[0]) if len(layers) == 1 else "forward"
        *before, last = linked(trace, name)[layers == [model] :]
        reason = str(error).partition("\n")[0]
        note = f"{reason}; likely cause: {error.cause}"
        broken = Step(_brief(last.layer), last.given, None, 0, note, error.mend)
        found = [Step(_brief(step.layer), step.given, step.gave, 0, "", "") for step in before] + [broken]
        shape = found[0].given
    else:
        found = [Step(_brief(step.layer), step.given, step.gave, 0, "", "") for step in steps]
    if len(shape) == batch_axes(layers):
        found = [step._replace(given=step.given[1:], gave=step.gave and step.gave[1:]) for step in found]
        shape = shape[1:]
    return shape, found


def _chain(model: Any) -> list[Any]:
    """The layers that a model is a chain of: those within, or itself where its `forward` is its own."""
    from convkit.nn.trace import says

    within = list(model.children())
    return within if within and (says(model, "_shape") or not hasattr(model, "forward")) else [model]


def _brief(layer: str) -> str:
    """A layer's text without what is within it, and what hardly matters to its shapes."""
    layer = re.sub(r"\(\n.*\)", "(…)", layer, flags=re.DOTALL)
    layer = re.sub(r"\((\d+), \1\)", r"\1", layer)
    return re.sub(r", (eps|momentum)=[^,)]*", "", layer).removesuffix("()")


def _box(ax: Axes, x: float, shape: Sequence[int], largest: int) -> None:
    """A box as high as the map and deeper with its channels; a bar for a vector, a square for one number."""
    from matplotlib.patches import Polygon

    if not shape:
        front, depth = (0.09, 0.09), 0.0
    elif len(shape) == 1:
        half = 0.3 + 0.16 * math.log10(max(shape[0], 1))
        front, depth = (0.09, half), 0.0
    else:
        height, width = _map(shape)
        scale = 0.25 + 0.5 * max(height, width) / largest
        thin = 0.04  # of what is narrow, so that it is seen
        front = (
            max(scale * width / max(height, width), thin),
            max(scale * height / max(height, width), thin),
        )
        depth = 0.07 + 0.055 * math.log2(1 + shape[0])
    (w, h), d = front, depth
    x -= d / 2
    corners = [(x - w, -h), (x + w, -h), (x + w, h), (x - w, h)]
    top = [(x - w, h), (x + w, h), (x + w + d, h + d), (x - w + d, h + d)]
    side = [(x + w, -h), (x + w + d, d - h), (x + w + d, h + d), (x + w, h)]
    for points, colour in ((top, "#bdd3e8"), (side, SIDE), (corners, FACE)):
        ax.add_patch(Polygon(points, closed=True, facecolor=colour, edgecolor="#3d5a78", lw=0.9))


def _map(shape: Sequence[int]) -> Sequence[int]:
    """Height and width of a map, those of a line of numbers; none of a vector or a number."""
    return (1, shape[1]) if len(shape) == 2 else shape[1:]


def _arrow(ax: Axes, index: int, step: Step, name: str, size: float) -> None:
    middle = (index + 0.5) * WIDE
    colour = BLUE if step.gave is not None else BROKEN
    ax.annotate(
        "", (middle + 0.28, -2.05), (middle - 0.28, -2.05),
        arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 1.3, "shrinkA": 0, "shrinkB": 0},
    )  # fmt: skip
    ax.text(middle, -2.2, name, ha="center", va="top", fontsize=size, color=colour, family="monospace")


def _wrapped(step: Step, room: Room) -> str:
    fits = int(0.94 * 72 * room.pitch / (0.602 * room.size(8)))  # a letter of DejaVu Sans Mono is as wide
    return textwrap.fill(step.layer, min(max(fits, 4), 17))


def _reason(step: Step, room: Room) -> list[str]:
    columns = min(int(72 * room.width / (0.6 * room.size(8.5))), 76)
    return textwrap.wrap(step.note, columns) + textwrap.wrap(f"Mend: {step.mend}", columns)


def _break(ax: Axes, x: float, below: float, reason: list[str], size: float, word: float) -> None:
    from matplotlib.patches import Rectangle

    ax.add_patch(Rectangle((x - 0.5, -0.7), 1.0, 1.4, fill=False, edgecolor=BROKEN, lw=1.6, ls=(0, (3, 2))))
    ax.plot([x - 0.25, x + 0.25], [-0.3, 0.3], color=BROKEN, lw=2.4)
    ax.plot([x - 0.25, x + 0.25], [0.3, -0.3], color=BROKEN, lw=2.4)
    ax.text(x, -1.35, "breaks", ha="center", fontsize=word, color=BROKEN, fontweight="bold")
    ax.text(x + 0.9, below - 0.2, "\n".join(reason), ha="right", va="top", fontsize=size, color=BROKEN)


def _times(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape)) or "a number"

"""The sliding window: which input pixels an output pixel is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from convkit import shapes
from convkit._checks import Pair, flag, integer, pair
from convkit.shapes import Padding, Size
from convkit.viz.style import (
    AMBER,
    BLUE,
    GREEN,
    INK,
    axes_for,
    bare,
    described,
    draws,
    extent,
    inches_of,
    titled,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from matplotlib.animation import FuncAnimation
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_SIZE = 128  # of the input with its padding and holes: no output is larger
MAX_FRAMES = 400
ARROW = 26  # points between input and output
PAPER, PAD, HOLE = "#e8eef6", "#ffffff", "#f4f4f1"


@dataclass(frozen=True)
class Side:
    """One axis of the drawing, in pixels of the canvas over which the window slides."""

    size: int
    kernel: int
    hop: int
    """From one window to the next: the stride; 1 for a transposed convolution."""
    spread: int
    """From one input pixel to the next: 1; the stride of a transposed convolution."""
    dilation: int
    first: int
    """Where window 0 begins; the input's first pixel is 0."""
    last: int
    """The last place of the padded canvas."""
    output: int
    formula: str

    def taps(self, index: int) -> list[int]:
        """The places that window `index` reads."""
        return [self.first + index * self.hop + self.dilation * k for k in range(self.kernel)]

    def holds(self, place: int) -> bool:
        """Whether an input pixel lies there, and neither padding nor a hole."""
        return place % self.spread == 0 and 0 <= place // self.spread < self.size


@draws
def conv_geometry(
    input_size: Size,
    kernel: Size,
    stride: Size = 1,
    padding: Padding = 0,
    dilation: Size = 1,
    output_padding: Size = 0,
    transposed: bool = False,
    *,
    step: int | tuple[int, int] = 0,
    title: str | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw a convolution as a window that slides over the padded input, and the output that it fills.

    The window of output pixel `step` is orange, its next stop is outlined, pixels that lie under no window
    are hatched. A transposed convolution is drawn as what it is equal to: a convolution without stride over
    the input with holes between its pixels.

    Parameters
    ----------
    input_size, kernel, stride, padding, dilation : as in `shapes.conv2d_output`
        An integer size is a square. The input with its padding and holes has at most 128 pixels on a side.
    output_padding : int or pair of int
        Of a transposed convolution.
    transposed : bool
        As `shapes.conv_transpose2d_output` counts.
    step : int or (int, int)
        Output pixel to show, counted along its rows, or (row, column).
    title : str, optional
        Default: the arguments.
    ax : matplotlib axes, optional
        Default: those of a new figure.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        No window fits, a step outside the output, or more than 128 pixels on a side.

    References
    ----------
    V. Dumoulin and F. Visin, "A guide to convolution arithmetic for deep learning", 2016.

    Examples
    --------
    >>> from convkit import viz
    >>> viz.alt_text(viz.conv_geometry(5, kernel=3, stride=2, padding=1))
    'A 3×3 window slides over a 5×5 input with stride 2, padding 1: the output is 3×3'
    """
    sides = _sides(input_size, kernel, stride, padding, dilation, output_padding, transposed)
    row, column = _place(step, sides)
    width = _extent(sides[1]) + 4.2 + sides[1].output
    height = max(_extent(sides[0]), sides[0].output)
    axes = axes_for(ax, 8.0, min(max(8.0 * height / width, 2.0), 7) + 1.1)
    text = _in_words(kernel, stride, padding, dilation, output_padding, transposed)
    _draw(axes, sides, row, column, title if title is not None else text, transposed)
    h, w = sides[0], sides[1]
    window = f"{_article(h.kernel)} {h.kernel}×{w.kernel} window"
    kind = f"A transposed convolution with {window}" if transposed else window[0].upper() + window[1:]
    return described(
        axes,
        f"{kind} slides over {_article(h.size)} {h.size}×{w.size} input "
        f"with {text.partition(', ')[2]}: "
        f"the output is {h.output}×{w.output}{'' if transposed else _said(sides)}",
    )


@draws
def conv_animation(
    input_size: Size,
    kernel: Size,
    stride: Size = 1,
    padding: Padding = 0,
    dilation: Size = 1,
    output_padding: Size = 0,
    transposed: bool = False,
    *,
    interval: int = 350,
    title: str | None = None,
) -> FuncAnimation:
    """The window of `conv_geometry` on its way over all output pixels.

    Parameters
    ----------
    input_size, kernel, stride, padding, dilation, output_padding, transposed, title
        As in `conv_geometry`; at most 400 output pixels.
    interval : int
        Milliseconds from one to the next.

    Returns
    -------
    matplotlib.animation.FuncAnimation
        ``animation.save("window.gif")`` writes it, ``animation.to_jshtml()`` gives HTML with buttons;
        ``animation.save("window.mp4")`` needs ffmpeg, and raises `RuntimeError` where there is none.

    Raises
    ------
    ValueError
        As `conv_geometry`, or too many output pixels.

    Examples
    --------
    >>> from convkit import viz
    >>> animation = viz.conv_animation(4, kernel=3)
    >>> len(list(animation.new_frame_seq()))
    4
    >>> animation.pause()
    """
    from convkit.viz.film import Film

    sides = _sides(input_size, kernel, stride, padding, dilation, output_padding, transposed)
    count = sides[0].output * sides[1].output
    if count > MAX_FRAMES:
        raise ValueError(
            f"the output has {count} pixels; expected at most {MAX_FRAMES}: pass a smaller input_size"
        )
    text = (
        title
        if title is not None
        else _in_words(kernel, stride, padding, dilation, output_padding, transposed)
    )
    figure = conv_geometry(
        input_size, kernel, stride, padding, dilation, output_padding, transposed, title=title
    )
    axes = figure.axes[0]

    @draws
    def frame(index: int) -> Iterable[Any]:
        axes.clear()
        _draw(axes, sides, *divmod(index, sides[1].output), text, transposed)
        return [axes]

    _agg(figure)
    animation = Film(figure, frame, frames=count, interval=integer(interval, "interval", 1))
    animation._draw_was_started = True  # type: ignore[attr-defined] # unsaved is no fault: no warning when it dies
    return animation


def _agg(figure: Figure) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)


# ---- sizes ------------------------------------------------------------------------------------------


def _sides(
    input_size: Size,
    kernel: Size,
    stride: Size,
    padding: Padding,
    dilation: Size,
    extra: Size,
    transposed: bool,
) -> tuple[Side, Side]:
    flag(transposed, "transposed")
    size = pair(input_size, "input_size", 1)
    if not transposed:
        if extra != 0:
            raise ValueError(f"output_padding is {extra!r}; it is for transposed=True")
        axes = shapes.conv_axes(size, kernel, stride, padding, dilation)
        sides = [
            Side(
                a.size, a.kernel, a.stride, 1, a.dilation, -a.before, a.size + a.after - 1, a.output,
                f"⌊({a.size} + {a.before + a.after} − {a.extent}) / {a.stride}⌋ + 1 = {a.output}",
            )
            for a in axes
        ]  # fmt: skip
    else:
        if isinstance(padding, str):
            raise ValueError(f"padding is {padding!r}; expected integers for transposed=True")
        outputs = shapes.conv_transpose2d_output(size, kernel, stride, padding, extra, dilation)
        rows = zip(
            size, *(pair(v, "size") for v in (kernel, stride, padding, dilation)), outputs, strict=True
        )
        sides = [_transposed(*row) for row in rows]
    if (canvas := max(map(_extent, sides))) > MAX_SIZE:
        what = "the input" + " with its padding and holes" * (canvas > max(size))
        raise ValueError(
            f"{what} has {canvas} pixels on a side; expected at most {MAX_SIZE}, which can be seen: "
            "pass a smaller input_size"
        )
    return sides[0], sides[1]


def _transposed(size: int, kernel: int, stride: int, padding: int, dilation: int, output: int) -> Side:
    reach = dilation * (kernel - 1)
    first = padding - reach
    last = max(first + output - 1 + reach, (size - 1) * stride)
    formula = f"({size} − 1)·{stride} − {2 * padding} + {reach + 1}"
    extra = output - ((size - 1) * stride - 2 * padding + reach + 1)
    formula += (f" + {extra}" if extra else "") + f" = {output}"
    return Side(size, kernel, 1, stride, dilation, first, last, output, formula)


def _extent(side: Side) -> int:
    return side.last - min(side.first, 0) + 1


def _place(step: Any, sides: tuple[Side, Side]) -> Pair:
    down, across = sides[0].output, sides[1].output
    if isinstance(step, tuple):
        row, column = pair(step, "step", 0)
    else:
        row, column = divmod(integer(step, "step", 0), across)
    if row >= down or column >= across:
        raise ValueError(f"step is {step!r}; expected a pixel of the {down}×{across} output")
    return row, column


def _in_words(
    kernel: Size, stride: Size, padding: Padding, dilation: Size, extra: Size, transposed: bool
) -> str:
    parts = [f"kernel {_short(kernel)}", f"stride {_short(stride)}", f"padding {_short(padding)}"]
    parts += [f"dilation {_short(dilation)}"] * (dilation != 1) + [f"output padding {_short(extra)}"] * (
        extra != 0
    )
    return ", ".join(parts)


def _article(number: int) -> str:
    """Before a number that is read out: an 8, an 11, an 18."""
    return "an" if str(number).startswith("8") or number in (11, 18) else "a"


def _short(value: Any) -> str:
    return "×".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)


# ---- drawing ----------------------------------------------------------------------------------------


def _draw(ax: Axes, sides: tuple[Side, Side], row: int, column: int, title: str, transposed: bool) -> None:
    v, h = sides
    top, left = min(v.first, 0), min(h.first, 0)
    thin = 0.8 if max(_extent(v), _extent(h)) <= 16 else 0.35
    real: list[Any] = []
    other: list[Any] = []
    for y in range(top, v.last + 1):
        for x in range(left, h.last + 1):
            (real if v.holds(y) and h.holds(x) else other).append((x, y))
    _cells(ax, other, PAD if not transposed else HOLE, "#d5dae3", thin)
    _cells(ax, real, PAPER, "#8fa3bf", thin)
    if not transposed and (top < 0 or left < 0 or v.last >= v.size or h.last >= h.size):
        _outline(ax, 0, 0, h.size, v.size, "#51657f", 1.2, "-")
    if not transposed:
        _unread(ax, v, h, thin)
    _cells(ax, [(x, y) for y in v.taps(row) for x in h.taps(column)], AMBER, INK, max(thin, 0.6), alpha=0.75)
    gap = h.last + _gap(ax, _extent(h) + h.output)
    middle = (v.first + v.last) / 2
    start = (min(v.first, 0) + v.last) / 2 - (v.output - 1) / 2
    _cells(
        ax,
        [(gap + x, start + y) for y in range(v.output) for x in range(h.output)],
        "#e2f1ea",
        "#7fb9a4",
        thin,
    )
    _cells(ax, [(gap + column, start + row)], GREEN, INK, max(thin, 0.6))
    space = (gap - h.last) / 4.2
    ax.annotate(
        "", (gap - space, middle), (h.last + space, middle),
        arrowprops={"arrowstyle": "-|>", "color": INK, "lw": 1.6, "mutation_scale": 14},
    )  # fmt: skip
    wide = left - 0.9, max(gap + h.output, gap + 2) + 0.4
    high, end = min(top, start) - 0.9, max(v.last, start + v.output - 1)
    point = _point(ax, wide, (high, end))
    below = end + 0.5 + 4 * point
    ax.set_xlim(*wide)
    ax.set_ylim(below + 13 * point, high - 10 * point)
    note = "input with holes" if transposed and max(v.spread, h.spread) > 1 else "input"
    for centre, text, weight in (
        ((left + h.last) / 2, f"{note} {v.size}×{h.size}", "normal"),
        (gap + (h.output - 1) / 2, f"output {v.output}×{h.output}", "bold"),
    ):
        half = 36 * point * inches_of(text, 9, weight) + 4 * point
        place = min(max(centre, wide[0] + half), wide[1] - half)
        ax.text(place, below, text, ha="center", va="top", color=INK, fontsize=9, fontweight=weight)
    _stops(ax, v, h, row, column, point)
    ax.set_aspect("equal")
    bare(ax)
    formula = ";  ".join(dict.fromkeys(side.formula.replace(" ", "\u00a0") for side in sides))
    titled(ax, f"{title}\n{formula}", 9.5, 4, 2)


def _gap(ax: Axes, pixels: int) -> float:
    """Pixels of the drawing from the input's last to the output's first: room for an arrow, at any scale."""
    width = 72 * extent(ax)[0]
    return max(4.2, ARROW * pixels / max(width - ARROW, ARROW))


def _point(ax: Axes, wide: tuple[float, float], high: tuple[float, float]) -> float:
    """Pixels of the drawing that are as long as a point, in axes with room for writing."""
    width, height = extent(ax)
    return 1 / (72 * min(width / (wide[1] - wide[0]), max(height - 0.4, height / 2) / (high[1] - high[0])))


def _left_over(side: Side) -> set[int]:
    """The places of the canvas that no window reads, along one axis."""
    read = {tap for index in range(side.output) for tap in side.taps(index)}
    return set(range(min(side.first, 0), side.last + 1)) - read


def _unread(ax: Axes, v: Side, h: Side, width: float) -> None:
    """Hatch the pixels that lie under no window: where the stride does not end at the border, or leaps."""
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    rows, columns = _left_over(v), _left_over(h)
    places = [(y, x) for y in range(min(v.first, 0), v.last + 1) for x in range(min(h.first, 0), h.last + 1)]
    squares = [Rectangle((x - 0.5, y - 0.5), 1, 1) for y, x in places if y in rows or x in columns]
    style: dict[str, Any] = {"facecolor": "none", "edgecolor": "#8a95a5", "linewidth": width, "hatch": "////"}
    ax.add_collection(PatchCollection(squares, **style), autolim=False)


def _said(sides: tuple[Side, Side]) -> str:
    """Which rows and columns lie under no window, in words."""
    counts = [len(_left_over(side)) for side in sides]
    parts = [f"{n} {name}{'s' * (n > 1)}" for n, name in zip(counts, ("row", "column"), strict=True) if n]
    return f"; {' and '.join(parts)} lie{'s' * (sum(counts) == 1)} under no window" if parts else ""


def _stops(ax: Axes, v: Side, h: Side, row: int, column: int, point: float) -> None:
    """Outlines of this window and the next in its row, and the hop from one's end to the other's."""
    height, width = (d.dilation * (d.kernel - 1) + 1 for d in (v, h))
    y, x = v.taps(row)[0], h.taps(column)[0]
    if column + 1 < h.output:
        _outline(ax, x + h.hop, y, width, height, BLUE, 1.3, (0, (3, 2)))
        end = x + width - 0.5 + h.hop
        _arrow(ax, end - h.hop, end, y - 0.5 - 6 * point, point)
        if row == 0:
            ax.text(end + 3 * point, y - 0.5 - 6 * point, f"+{h.hop}", color=BLUE, fontsize=8, va="center")
    _outline(ax, x, y, width, height, "#a35c00", 2.0, "-")


def _arrow(ax: Axes, start: float, end: float, y: float, point: float) -> None:
    """From `start` to `end` to scale, and no longer: a short one is all head."""
    from matplotlib.patches import Polygon

    head, shaft = min(7 * point, end - start), 0.8 * point
    half = max(head / 2, 1.6 * point)
    neck = end - head
    above = [(start, y - shaft), (neck, y - shaft), (neck, y - half), (end, y)]
    ax.add_patch(Polygon(above + [(x, 2 * y - up) for x, up in above[-2::-1]], color=BLUE, lw=0, zorder=5))


def _cells(ax: Axes, places: list[Any], face: str, edge: str, width: float, alpha: float = 1.0) -> None:
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    squares = [Rectangle((x - 0.5, y - 0.5), 1, 1) for x, y in places]
    ax.add_collection(
        PatchCollection(squares, facecolor=face, edgecolor=edge, linewidth=width, alpha=alpha), autolim=False
    )


def _outline(
    ax: Axes, x: float, y: float, width: float, height: float, color: str, lw: float, ls: Any
) -> None:
    from matplotlib.patches import Rectangle

    ax.add_patch(
        Rectangle(
            (x - 0.5, y - 0.5),
            width,
            height,
            fill=False,
            edgecolor=color,
            linewidth=lw,
            linestyle=ls,
            zorder=4,
        )
    )

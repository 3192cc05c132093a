"""Colours, and figures of no one but their caller."""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import numpy as np

from convkit._checks import finite

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

INK = "#1c2430"
FAINT = "#5c6675"
LINE = "#c8ced8"
BLUE, ORANGE, GREEN, RED = "#0072b2", "#b57a00", "#009e73", "#8a1616"
"""After Okabe and Ito's, which colour-blind people tell apart ("Color Universal Design", 2008), with orange
and red darkened, so that lines are seen on white."""
LEAST = 5.0
"""Points of writing; what would be smaller is left out, or runs over more lines."""
AMBER = "#e69f00"
"""Orange of areas, which have an outline."""
PALE = "#e6e9ee"
"""Ink of a dark figure that is the caller's."""

OURS = "convkit"
"""Marks figures that were made here, which may grow with their titles."""

DIVERGING, MAGNITUDE = "RdBu_r", "magma"

P = ParamSpec("P")
R = TypeVar("R")


def draws(function: Callable[P, R]) -> Callable[P, R]:
    """Have `function` draw in our own style, and readably into what it was given."""

    @functools.wraps(function)
    def drawing(*args: P.args, **kwargs: P.kwargs) -> R:
        from convkit.viz.drawing import our_style

        with our_style():
            result = function(*args, **kwargs)
        _readable(kwargs.get("ax"), kwargs.get("figure"))
        return result

    return drawing


def _readable(ax: Any, figure: Any) -> None:
    """White paper under what was drawn into given axes, and pale writing beside it on a dark figure."""
    given = [ax] if ax is not None else list(figure.axes) if figure is not None else []
    if not given:
        return
    ground = given[0].figure.figure.get_facecolor()
    dark = ground[3] > 0 and luminance(ground) < 0.18
    for each in given:
        each.set_facecolor("white")
        if dark:
            for text in (each.title, each.xaxis.label, each.yaxis.label):
                text.set_color(PALE)
            each.tick_params(which="both", colors=PALE)
    written = getattr(figure, "_suptitle", None)
    if dark and written is not None:
        written.set_color(PALE)


def luminance(colour: Any) -> float:
    """Of WCAG 2.2: 0 of black, 1 of white."""
    from matplotlib.colors import to_rgb

    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return float(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])


def ink_on(colour: Any) -> str:
    """Black or white, whichever is read better on `colour`: at a contrast of at least 4.5."""
    return "black" if (luminance(colour) + 0.05) ** 2 > 1.05 * 0.05 else "white"


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches, that nothing global remembers."""
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    from convkit.viz.drawing import Drawing

    engine = ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.06)
    figure = Drawing(figsize=(width, height), dpi=120, facecolor="white", layout=engine)
    figure.set_gid(OURS)
    return figure


@draws
def figure(width: float, height: float) -> Figure:
    """An empty figure for several pictures, that a notebook shows by itself.

    Parameters
    ----------
    width, height : float
        Inches.

    Returns
    -------
    matplotlib.figure.Figure
        Its ``subplots()`` are what ``ax=`` takes.

    Raises
    ------
    ValueError
        Sizes that are not above 0.

    Examples
    --------
    >>> from convkit import viz
    >>> both = viz.figure(6, 3)
    >>> for ax, direction in zip(both.subplots(1, 2), "xy"):
    ...     _ = viz.kernel(f"sobel({direction!r})", ax=ax)
    >>> viz.alt_text(both)
    "Kernel sobel('x') of 3×3 weights from -2 to 2. Kernel sobel('y') of 3×3 weights from -2 to 2"
    """
    for name, value in (("width", width), ("height", height)):
        if finite(value, name) <= 0:
            raise ValueError(f"{name} is {value}; expected inches, above 0")
    return new_figure(width, height)


def axes_for(ax: Axes | None, width: float, height: float) -> Axes:
    """`ax`, or the axes of a new figure."""
    if ax is None:
        return new_figure(width, height).subplots()
    if not hasattr(ax, "imshow"):
        raise TypeError(f"ax is {type(ax).__name__}; expected matplotlib axes: figure.subplots()")
    return ax


def panels(
    figure: Figure | SubFigure | None, down: int, across: int, width: float, height: float, **options: Any
) -> list[Axes]:
    """`down` × `across` axes of `figure`, or of a new one."""
    if figure is not None and not hasattr(figure, "subplots"):
        raise TypeError(f"figure is {type(figure).__name__}; expected matplotlib.figure.Figure()")
    host = new_figure(width, height) if figure is None else figure
    return list(host.subplots(down, across, squeeze=False, **options).ravel())


def figure_of(ax: Axes) -> Figure:
    """The figure that `ax` is part of, subfigures left out."""
    return ax.figure.figure


def quiet(ax: Axes) -> None:
    """Take ticks away and soften the frame."""
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_color(LINE)


def bare(ax: Axes) -> None:
    """Take ticks and frame away; the paper stays."""
    quiet(ax)
    for spine in ax.spines.values():
        spine.set_visible(False)


def titled(ax: Axes, title: Any, size: float = 10.5, pad: float = 6, lines: int = 1) -> None:
    """Write `title` above the axes, in as many lines as it needs; there is room for so many."""
    if title:
        inches = ax.get_window_extent().width / ax.figure.dpi
        text = wrapped(str(title), inches, size)
        _grow(ax.figure, text.count("\n") + 1 - lines, size)
        ax.set_title(text, color=INK, fontsize=size, pad=pad, parse_math=False)


def headed(figure: Figure | SubFigure, title: Any, size: float = 12, bold: bool = True) -> None:
    """Write `title` above a whole figure, in as many lines as it needs."""
    if title:
        weight = "bold" if bold else "normal"
        inches = 0.96 * figure.bbox.width / figure.dpi
        text = wrapped(str(title), inches, size, weight)
        _grow(figure, text.count("\n"), size)
        figure.suptitle(text, color=INK, fontsize=size, fontweight=weight, parse_math=False)
        if figure.get_layout_engine() is None:
            _make_room(figure, text.count("\n") + 1, size)


def _make_room(figure: Figure | SubFigure, lines: int, size: float) -> None:
    """Move the axes of a figure that no layout arranges down, below a heading and their own titles."""
    inches = figure.bbox.height / figure.dpi
    top = 1 - 0.02 - (1.4 * lines * size + 24) / 72 / inches
    pars = figure.subplotpars
    if pars.bottom + 0.2 < top < pars.top:
        figure.subplots_adjust(top=top)


def _grow(figure: Any, lines: int, size: float) -> None:
    """Make a figure of ours higher, by lines of `size` points."""
    if lines > 0 and figure.get_gid() == OURS:
        figure.set_figheight(figure.get_figheight() + 1.4 * lines * size / 72)


def wrapped(text: str, inches: float, size: float, weight: str = "normal", family: str = "sans-serif") -> str:
    """`text`, of `size` points, in lines that are no longer than so many inches."""
    lines: list[str] = []
    for line in text.splitlines():
        columns = len(line)
        parts = [line]
        while columns > 1 and not all(inches_of(part, size, weight, family) <= inches for part in parts):
            columns -= max(1, columns // 20)
            parts = textwrap.wrap(line, columns)
        lines += parts
    return "\n".join(lines)


def fitting(
    text: str, inches: float, size: float, weight: str = "normal", family: str = "sans-serif"
) -> float:
    """The points, at most `size`, of which `text` is no longer than so many inches."""
    longest = max(inches_of(line, size, weight, family) for line in text.splitlines())
    return size * min(1.0, inches / longest)


def inches_of(line: str, size: float, weight: str = "normal", family: str = "sans-serif") -> float:
    """The width of one line."""
    from matplotlib.font_manager import FontProperties

    font = FontProperties(family=family, size=size, weight=weight)
    return float(_ruler().get_text_width_height_descent(line, font, False)[0]) / 72


@functools.cache
def _ruler() -> Any:
    from matplotlib.backends.backend_agg import RendererAgg

    return RendererAgg(1, 1, 72)  # type: ignore[no-untyped-call]


def extent(ax: Axes) -> tuple[float, float]:
    """Width and height of `ax`, in inches."""
    box = ax.get_window_extent()
    return float(box.width / ax.figure.dpi), float(box.height / ax.figure.dpi)


BESIDE = 1.4
"""Inches beside a narrow image that its note may take: those of a scale, and as many on the other side."""


def noted(ax: Axes, note: str, shape: tuple[int, ...] = (1, 1)) -> None:
    """Write below the axes what a picture of `shape` cannot show; nothing where there is nothing to say."""
    if note:
        width, height = extent(ax)
        image = min(width, height * shape[1] / shape[0])
        text = note.removeprefix(", ")
        if image < width / 2:
            text = wrapped(text, image + BESIDE, 8)
            _grow(ax.figure, text.count("\n"), 8)
        ax.set_xlabel(text, color=FAINT, fontsize=8, labelpad=5)


# ---- in words ---------------------------------------------------------------------------------------


def described(ax: Axes, text: str) -> Figure:
    """Say in words what `ax` shows; gives its figure."""
    ax.set_label(text)
    return figure_of(ax)


def missing(values: Any) -> str:
    """How many numbers are none, in words; "" where all are."""
    count = int(values.size - np.isfinite(values).sum())
    return f", {count} not finite" if count else ""


def told(host: Figure | SubFigure, text: str) -> Figure:
    """Say in words what a figure, or a part of one, shows; gives the whole."""
    host.set_label(text)
    return host.figure.figure


def alt_text(figure: Figure | SubFigure) -> str:
    """What a figure of this module shows, in words: the alternative text of its picture.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        ``figure.set_label(text)`` says it for a figure of your own, and has the last word.

    Returns
    -------
    str
        Empty where nothing was said.

    Raises
    ------
    TypeError
        No figure.

    Examples
    --------
    >>> from convkit import viz
    >>> viz.alt_text(viz.kernel([[1, 0, -1]]))
    'Kernel of 1×3 weights from -1 to 1'
    """
    if not hasattr(figure, "axes") or not hasattr(figure, "get_label") or hasattr(figure, "imshow"):
        hint = ": pass ax.figure" if hasattr(figure, "imshow") else ""
        raise TypeError(f"figure is {type(figure).__name__}; expected matplotlib.figure.Figure{hint}")
    said = str(figure.get_label() or "")
    parts = [alt_text(part) for part in figure.subfigs]
    parts += [str(ax.get_label()) for ax in figure.axes]
    return said or ". ".join(dict.fromkeys(part for part in parts if part and not part.startswith("<")))

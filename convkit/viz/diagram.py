"""The three layouts of a photo, and the ways between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from convkit._checks import numbers_of
from convkit.viz.style import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    LEAST,
    axes_for,
    bare,
    described,
    draws,
    extent,
    fitting,
    titled,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIGN = "⚠  "
NOTES = ("colours of a pixel lie together", "a plane for each colour", "what layers take")
WIDE, TOP, BOTTOM = (-0.7, 11.8), 4.2, -2.6
COLOURS = ("#d55e00", "#009e73", "#0072b2", "#8a8f98")


@draws
def layout_diagram(
    shape: Sequence[int] = (224, 224, 3), *, title: str | None = None, ax: Axes | None = None
) -> Figure:
    """Draw how an HWC image becomes CHW and BCHW, with the calls, and the mistake that looks like them.

    Parameters
    ----------
    shape : (int, int, int)
        Height, width and channels of the image, 1 to 4 of them.
    title : str, optional
    ax : matplotlib axes, optional
        Default: those of a new figure.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        No HWC shape.
    TypeError
        No integers, or an array instead of its shape.

    Examples
    --------
    >>> from convkit import viz
    >>> viz.alt_text(viz.layout_diagram((224, 224, 3))).partition("; ")[0]
    'HWC (224, 224, 3) to CHW (3, 224, 224) with ck.to_chw, to BCHW (1, 3, 224, 224) with ck.to_bchw'
    """
    sizes = numbers_of(shape, "shape", "(height, width, channels)")
    if len(sizes) != 3:
        raise ValueError(f"shape is {sizes}; expected (height, width, channels)")
    height, width, channels = sizes
    if channels > len(COLOURS):
        raise ValueError(f"shape is {sizes}, {channels} channels; expected 1 to {len(COLOURS)}, at the end")
    axes = axes_for(ax, 9.6, 4.4)
    hwc, chw = (height, width, channels), (channels, height, width)
    bchw = (1, *chw)
    warning = f"{SIGN}reshape{chw} gives this shape too, {_reshaped(sizes)}"
    unit = 0.77 if ax is None else _unit(axes, BOTTOM)
    size = max(9 * min(1.0, unit / 0.7), LEAST + 1)
    lines = wrapped(warning, 11.2 * unit, size)
    bottom = min(BOTTOM, -2.05 - (lines.count("\n") + 1) * 1.3 * size / 72 / unit)
    unit = 0.77 if ax is None else _unit(axes, bottom)
    _pixels(axes, 0.0, channels)
    _planes(axes, 4.1, channels)
    _planes(axes, 8.5, channels)
    _batch(axes, 8.5, channels, unit)
    small = fitting(NOTES[0], 3.5 * unit, 8.5)
    for x, name, numbers, note, room in (
        (0.0, "H W C", hwc, NOTES[0], 3.5),
        (4.1, "C H W", chw, NOTES[1], 3.8),
        (8.5, "B C H W", bchw, NOTES[2], 4.2),
    ):
        _write(axes, unit, x + 1.1, -0.75, name, 3.4, 14, INK, fontweight="bold", family="monospace")
        _write(axes, unit, x + 1.1, -1.2, f"{numbers}", room, 9.5, INK, family="monospace")
        _write(axes, unit, x + 1.1, -1.58, note, room, small, FAINT)
    thin = min(1.0, unit / 0.5)
    arrow = {"arrowstyle": "-|>", "lw": 1.8 * thin, "mutation_scale": 15 * thin}
    for x, call, plain, room in (
        (2.62, "ck.to_chw(x)", "transpose(2, 0, 1)", 1.65),
        (6.85, "x[None]", "a batch of one", 1.5),
    ):
        axes.annotate("", (x + 1.05, 1.1), (x, 1.1), arrowprops=arrow | {"color": INK})
        _write(axes, unit, x + 0.5, 1.32, call, room, 8.6, BLUE, family="monospace")
        _write(axes, unit, x + 0.5, 0.72, plain, room, 8, FAINT)
    axes.annotate(
        "", (9.5, 2.95), (1.1, 2.95),
        arrowprops=arrow | {"color": GREEN, "connectionstyle": "arc3,rad=-0.13"},
    )  # fmt: skip
    _write(axes, unit, 5.3, 3.75, "ck.to_bchw(image): in one pass", 11, 10, "#00684b", family="monospace")
    axes.text(sum(WIDE) / 2, -2, lines, ha="center", va="top", fontsize=size, color="#a33f00")
    axes.set_xlim(*WIDE)
    axes.set_ylim(bottom, TOP)
    axes.set_aspect("equal")
    bare(axes)
    titled(axes, title, 12)
    ways = f"HWC {hwc} to CHW {chw} with ck.to_chw, to BCHW {bchw} with ck.to_bchw"
    return described(axes, f"{ways}; {warning.removeprefix(SIGN)}")


def _reshaped(shape: Sequence[int]) -> str:
    """What becomes of the pixels where axes were to be moved: numbers in one row have no order of axes."""
    height, width, channels = shape
    if channels == 1:
        return "and for one channel the same pixels; of more it scrambles them: it moves no axis"
    if height * width == 1:
        return "and for one pixel the same numbers; of more it scrambles them: it moves no axis"
    return "and scrambles the pixels: it moves no axis"


def _unit(ax: Axes, bottom: float) -> float:
    """Inches of one unit of the drawing, as large as `ax` holds."""
    width, height = extent(ax)
    return min(width / (WIDE[1] - WIDE[0]), height / (TOP - bottom))


def _write(
    ax: Axes, unit: float, x: float, y: float, text: str, room: float, size: float, color: str, **font: Any
) -> None:
    """Write `text` into `room` units of so many inches, smaller where need be; not what nobody could read."""
    weight, family = font.get("fontweight", "normal"), font.get("family", "sans-serif")
    fits = min(fitting(text, room * unit, size, weight, family), 0.36 * 72 * unit)
    if fits >= LEAST:
        ax.text(x, y, text, fontsize=fits, color=color, **{"ha": "center"} | font)


def _pixels(ax: Axes, x: float, channels: int) -> None:
    """4×4 pixels, each with its channels side by side."""
    from matplotlib.patches import Rectangle

    for row in range(4):
        for column in range(4):
            left, low = x + 0.55 * column, 0.55 * row
            for channel in range(channels):
                part = 0.5 / channels
                ax.add_patch(Rectangle((left + channel * part, low), part, 0.5, color=COLOURS[channel], lw=0))
            ax.add_patch(Rectangle((left, low), 0.5, 0.5, fill=False, edgecolor=INK, lw=0.8))


def _planes(ax: Axes, x: float, channels: int) -> None:
    """Shifted sheets, one a channel."""
    from matplotlib.patches import Rectangle

    for channel in reversed(range(channels)):
        shift = 0.22 * channel
        for row in range(4):
            for column in range(4):
                ax.add_patch(
                    Rectangle(
                        (x + shift + 0.4 * column, shift + 0.4 * row), 0.4, 0.4,
                        facecolor=COLOURS[channel], edgecolor="white", lw=0.7, zorder=5 - channel,
                    )
                )  # fmt: skip


def _batch(ax: Axes, x: float, channels: int, unit: float) -> None:
    from matplotlib.patches import FancyBboxPatch

    size = 1.6 + 0.22 * (channels - 1)
    ax.add_patch(
        FancyBboxPatch(
            (x - 0.12, -0.12),
            size + 0.24,
            size + 0.24,
            boxstyle="round,pad=0.05",
            fill=False,
            edgecolor=INK,
            lw=1.4,
            ls="--",
        )
    )
    right = x + size + 0.4
    _write(ax, unit, right, size / 2, "B = 1", WIDE[1] - right - 0.2, 9, INK, ha="left", va="center")

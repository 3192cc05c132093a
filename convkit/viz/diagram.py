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
    unit = 0.81 if ax is None else min(extent(ax)[0] / 11.6, extent(ax)[1] / 6.8)  # inches
    hwc, chw = (height, width, channels), (channels, height, width)
    bchw = (1, *chw)
    _pixels(axes, 0.0, channels)
    _planes(axes, 4.1, channels)
    _planes(axes, 8.2, channels)
    _batch(axes, 8.2, channels, 9 * min(1.0, unit / 0.5))
    small = fitting(NOTES[0], 3.8 * unit, 8.5)
    for x, name, numbers, note in (
        (0.0, "H W C", hwc, NOTES[0]),
        (4.1, "C H W", chw, NOTES[1]),
        (8.2, "B C H W", bchw, NOTES[2]),
    ):
        _write(axes, unit, x + 1.1, -0.75, name, 3.4, 14, INK, fontweight="bold", family="monospace")
        _write(axes, unit, x + 1.1, -1.2, f"{numbers}", 3.8, 9.5, INK, family="monospace")
        _write(axes, unit, x + 1.1, -1.58, note, 3.8, small, FAINT)
    thin = min(1.0, unit / 0.5)
    lines = {"arrowstyle": "-|>", "lw": 1.8 * thin, "mutation_scale": 15 * thin}
    for x, call, plain, room in (
        (2.72, "ck.to_chw(x)", "transpose(2, 0, 1)", 1.7),
        (6.82, "x[None]", "a batch of one", 1.4),
    ):
        axes.annotate("", (x + 1.05, 1.1), (x, 1.1), arrowprops=lines | {"color": INK})
        _write(axes, unit, x + 0.5, 1.32, call, room, 8.6, BLUE, family="monospace")
        _write(axes, unit, x + 0.5, 0.72, plain, room, 8, FAINT)
    axes.annotate(
        "", (9.2, 2.95), (1.1, 2.95),
        arrowprops=lines | {"color": GREEN, "connectionstyle": "arc3,rad=-0.13"},
    )  # fmt: skip
    _write(axes, unit, 5.2, 3.75, "ck.to_bchw(image): in one pass", 11, 10, "#00684b", family="monospace")
    warning = f"{SIGN}reshape{chw} gives this shape too, and scrambles the pixels: it moves no axis"
    size = max(9 * min(1.0, unit / 0.7), LEAST + 1)
    axes.text(
        5.2, -2, wrapped(warning, 11.4 * unit, size), ha="center", va="top", fontsize=size, color="#a33f00"
    )
    axes.set_xlim(-0.4, 11.2)
    axes.set_ylim(-2.6, 4.2)
    axes.set_aspect("equal")
    bare(axes)
    titled(axes, title, 12)
    ways = f"HWC {hwc} to CHW {chw} with ck.to_chw, to BCHW {bchw} with ck.to_bchw"
    return described(axes, f"{ways}; {warning.removeprefix(SIGN)}")


def _write(
    ax: Axes, unit: float, x: float, y: float, text: str, room: float, size: float, color: str, **font: Any
) -> None:
    """Write `text` into `room` units of so many inches, smaller where need be; not what nobody could read."""
    weight, family = font.get("fontweight", "normal"), font.get("family", "sans-serif")
    fits = min(fitting(text, room * unit, size, weight, family), 0.36 * 72 * unit)
    if fits >= LEAST:
        ax.text(x, y, text, ha="center", fontsize=fits, color=color, **font)


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


def _batch(ax: Axes, x: float, channels: int, points: float) -> None:
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
    ax.text(x + size + 0.32, size / 2, "B = 1", fontsize=points, color=INK, va="center")

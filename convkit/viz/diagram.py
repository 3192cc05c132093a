"""The three layouts of a photo, and the ways between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from convkit._checks import numbers_of
from convkit.viz.style import BLUE, FAINT, GREEN, INK, axes_for, bare, described, draws, titled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

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
    >>> viz.alt_text(viz.layout_diagram((224, 224, 3)))
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
    _pixels(axes, 0.0, channels)
    _planes(axes, 4.1, channels)
    _planes(axes, 8.2, channels)
    _batch(axes, 8.2, channels)
    for x, name, numbers, note in (
        (0.0, "H W C", hwc, "colours of a pixel lie together"),
        (4.1, "C H W", chw, "a plane for each colour"),
        (8.2, "B C H W", bchw, "what layers take"),
    ):
        axes.text(
            x + 1.1, -0.75, name, ha="center", fontsize=14, fontweight="bold", color=INK, family="monospace"
        )
        axes.text(x + 1.1, -1.2, f"{numbers}", ha="center", fontsize=9.5, color=INK, family="monospace")
        axes.text(x + 1.1, -1.58, note, ha="center", fontsize=8.5, color=FAINT)
    for x, call, plain in ((2.72, "ck.to_chw(x)", "transpose(2, 0, 1)"), (6.82, "x[None]", "a batch of one")):
        axes.annotate(
            "",
            (x + 1.05, 1.1),
            (x, 1.1),
            arrowprops={"arrowstyle": "-|>", "color": INK, "lw": 1.8, "mutation_scale": 15},
        )
        axes.text(x + 0.5, 1.32, call, ha="center", fontsize=8.6, color=BLUE, family="monospace")
        axes.text(x + 0.5, 0.72, plain, ha="center", fontsize=8, color=FAINT)
    axes.annotate(
        "", (9.2, 2.95), (1.1, 2.95),
        arrowprops={"arrowstyle": "-|>", "color": GREEN, "lw": 1.8, "connectionstyle": "arc3,rad=-0.13"},
    )  # fmt: skip
    axes.text(
        5.2,
        3.75,
        "ck.to_bchw(image): in one pass",
        ha="center",
        fontsize=10,
        color="#00684b",
        family="monospace",
    )
    axes.text(
        5.2, -2.25, f"⚠  reshape{chw} gives this shape too, and scrambles the pixels: it moves no axis",
        ha="center", fontsize=9, color="#a33f00",
    )  # fmt: skip
    axes.set_xlim(-0.4, 11.2)
    axes.set_ylim(-2.6, 4.2)
    axes.set_aspect("equal")
    bare(axes)
    titled(axes, title, 12)
    return described(axes, f"HWC {hwc} to CHW {chw} with ck.to_chw, to BCHW {bchw} with ck.to_bchw")


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


def _batch(ax: Axes, x: float, channels: int) -> None:
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
    ax.text(x + size + 0.32, size / 2, "B = 1", fontsize=9, color=INK, va="center")

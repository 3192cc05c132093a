"""Kernels as pictures."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from convkit._checks import Array, flag, integer, mapping
from convkit.viz.impulse import weights_of
from convkit.viz.style import (
    DIVERGING,
    FAINT,
    INK,
    LEAST,
    axes_for,
    described,
    draws,
    extent,
    headed,
    ink_on,
    panels,
    quiet,
    titled,
    told,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

NUMBERS_UP_TO = 9
PRINTED, WIDEST = 6.0, 16.0  # points of numbers that were asked for, and inches that they may take


@draws
def kernel(
    kernel: Any, *, annotate: bool | None = None, title: str | None = None, ax: Axes | None = None
) -> Figure:
    """Draw a kernel's weights: red where positive, blue where negative, white where 0.

    Parameters
    ----------
    kernel : array_like of two axes (or one: a row), str, or Pipeline
        Weights, or a linear filter such as ``"gaussian(sigma=2)"``, as in `kernel_of`.
    annotate : bool, optional
        Whether to write the weights into their squares; a figure of its own grows for them. Where they
        would be too small to read they are left out, and a note says so. Default: up to 9×9, where they can
        be read.
    title : str, optional
        Default: the filter's text.
    ax : matplotlib axes, optional
        Default: those of a new figure.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        No kernel of two axes, or a filter that is not linear.

    Examples
    --------
    >>> from convkit import viz
    >>> viz.kernel("sobel('y')").axes[0].get_title()
    "sobel('y')"
    """
    weights = weights_of(kernel)
    rows, columns = weights.shape
    wanted = annotate is not None and flag(annotate, "annotate")
    width = max(4.2, min(columns * _room(weights, PRINTED), WIDEST)) if wanted else 4.2
    height = min(max(width * rows / columns, 1.0), 8 if width == 4.2 else WIDEST)
    axes = axes_for(ax, width, height + 0.6)
    numbers = max(rows, columns) <= NUMBERS_UP_TO if annotate is None else wanted
    written = _draw(axes, weights, numbers, (width - 0.12, height) if ax is None else extent(axes))
    titled(axes, title if title is not None or not isinstance(kernel, str) else kernel)
    note = "" if written or not wanted else ", numbers too small to read left out"
    axes.set_xlabel(f"{rows}×{columns}, sum {_sum(weights):.3g}{note}", color=FAINT, fontsize=8.5)
    what = title or (kernel if isinstance(kernel, str) else "")
    text = f"of {rows}×{columns} weights from {weights.min():.3g} to {weights.max():.3g}"
    return described(axes, f"Kernel {what} {text}" if what else f"Kernel {text}")


def _sum(weights: Array) -> float:
    """Of all; 0 where what is left is rounding."""
    total = float(weights.sum())
    return total if abs(total) > 1e-12 * float(np.abs(weights).sum()) else 0.0


@draws
def kernel_bank(
    kernels: Mapping[str, Any],
    *,
    columns: int | None = None,
    title: str | None = None,
    figure: Figure | SubFigure | None = None,
) -> Figure:
    """Draw several kernels, each under its name and with colours of its own range.

    Parameters
    ----------
    kernels : mapping of str to kernel
        As in `kernel`.
    columns : int, optional
        Default: about a square.
    title : str, optional
    figure : matplotlib Figure or SubFigure, optional
        Default: a new one.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        No kernels, or one that `kernel` refuses.
    TypeError
        No mapping of texts.

    Examples
    --------
    >>> from convkit import viz
    >>> bank = viz.kernel_bank({"x": "sobel('x')", "y": "sobel('y')", "blur": "gaussian(sigma=1)"})
    >>> [ax.get_title() for ax in bank.axes]
    ['x', 'y', 'blur']
    """
    mapping(kernels, "kernels", """viz.kernel_bank({"dx": "sobel('x')"})""")
    found = {name: weights_of(value, f"kernels[{name!r}]") for name, value in kernels.items()}
    across = integer(columns, "columns", 1) if columns is not None else math.ceil(math.sqrt(len(found)))
    across = min(across, len(found))
    down = math.ceil(len(found) / across)
    axes = panels(figure, down, across, 2.1 * across, 2.45 * down + (0.6 if title else 0.1))
    for ax, (name, weights) in zip(axes, found.items(), strict=False):
        _draw(ax, weights, max(weights.shape) <= 5, extent(ax))
        ax.set_title(textwrap.fill(name, 24), color=INK, fontsize=9, pad=5, parse_math=False)
        ax.set_xlabel(f"{weights.shape[0]}×{weights.shape[1]}", color=FAINT, fontsize=8)
    for ax in axes[len(found) :]:
        ax.remove()
    host = axes[0].figure
    headed(axes[0].figure, title)
    return told(host, f"{title or 'A bank'}: the kernels {', '.join(found)}")


def _draw(ax: Axes, weights: Array, annotate: bool, inches: tuple[float, float]) -> bool:
    """Squares of weights, and whether their numbers are in them: if one can read them."""
    limit = float(np.abs(weights).max()) or 1.0
    drawn = ax.imshow(weights, cmap=DIVERGING, vmin=-limit, vmax=limit, interpolation="nearest")
    quiet(ax)
    rows, columns = weights.shape
    cell = min(inches[0] / columns, inches[1] / rows)
    size = min(max(15 - 1.1 * max(rows, columns), 7.5), cell / _room(weights, 1), 54 * cell)
    if not annotate or size < LEAST:
        return False
    for (row, column), weight in np.ndenumerate(weights):
        colour = ink_on(drawn.to_rgba(weight))
        ax.text(column, row, _number(weight), ha="center", va="center", color=colour, fontsize=size)
    return True


def _room(weights: Array, points: float) -> float:
    """Inches that the longest number takes, of so many points."""
    return 0.68 * max(len(_number(weight)) for weight in weights.flat) * points / 72


def _number(weight: float) -> str:
    text = f"{weight:.0f}" if 99.5 <= abs(weight) < 99_999.5 else f"{weight:.2g}"
    return text.replace("-0.", "-.").removeprefix("0") if text.startswith(("0.", "-0.")) else text

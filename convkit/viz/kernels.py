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
    axes_for,
    described,
    draws,
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
        Whether to write the weights into their squares. Default: up to 9×9.
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
    axes = axes_for(ax, 4.2, min(max(4.2 * rows / columns, 1.0), 8) + 0.6)
    _draw(
        axes, weights, max(rows, columns) <= NUMBERS_UP_TO if annotate is None else flag(annotate, "annotate")
    )
    titled(axes, title if title is not None or not isinstance(kernel, str) else kernel)
    axes.set_xlabel(
        f"{rows}×{columns}, sum {round(float(weights.sum()), 9) + 0.0:.3g}", color=FAINT, fontsize=8.5
    )
    what = title or (kernel if isinstance(kernel, str) else "")
    text = f"of {rows}×{columns} weights from {weights.min():.3g} to {weights.max():.3g}"
    return described(axes, f"Kernel {what} {text}" if what else f"Kernel {text}")


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
        _draw(ax, weights, max(weights.shape) <= 5)
        ax.set_title(textwrap.fill(name, 24), color=INK, fontsize=9, pad=5, parse_math=False)
        ax.set_xlabel(f"{weights.shape[0]}×{weights.shape[1]}", color=FAINT, fontsize=8)
    for ax in axes[len(found) :]:
        ax.remove()
    host = axes[0].figure
    headed(axes[0].figure, title)
    return told(host, f"{title or 'A bank'}: the kernels {', '.join(found)}")


def _draw(ax: Axes, weights: Array, annotate: bool) -> None:
    limit = float(np.abs(weights).max()) or 1.0
    drawn = ax.imshow(weights, cmap=DIVERGING, vmin=-limit, vmax=limit, interpolation="nearest")
    quiet(ax)
    if not annotate:
        return
    longest = max(len(_number(weight)) for weight in weights.flat)
    cell = 72 * ax.get_window_extent().width / ax.figure.dpi / weights.shape[1]  # points
    size = min(max(15 - 1.1 * max(weights.shape), 7.5), cell / (0.68 * longest))
    for (row, column), weight in np.ndenumerate(weights):
        colour = ink_on(drawn.to_rgba(weight))
        ax.text(column, row, _number(weight), ha="center", va="center", color=colour, fontsize=max(size, 5))


def _number(weight: float) -> str:
    text = f"{weight:.2g}" if abs(weight) < 100 else f"{weight:.0f}"
    return text.replace("-0.", "-.").removeprefix("0") if text.startswith(("0.", "-0.")) else text

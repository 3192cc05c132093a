"""Two images beside each other, and what lies between them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from convkit._checks import Array, flag, texts
from convkit.viz.display import caption, display, image_array, interpolation, strongest
from convkit.viz.style import DIVERGING, draws, headed, missing, noted, panels, quiet, titled, told

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from numpy.typing import ArrayLike


@draws
def compare(
    before: ArrayLike,
    after: ArrayLike,
    *,
    names: tuple[str, str] = ("before", "after"),
    difference: bool | None = None,
    title: str | None = None,
    figure: Figure | SubFigure | None = None,
) -> Figure:
    """Draw two images side by side, and their difference.

    Parameters
    ----------
    before, after : array_like
        One image each, of any layout that `show` takes; shown as `contact_sheet` shows them.
    names : (str, str)
        Of both.
    difference : bool, optional
        Whether to draw ``after - before`` too, red where it is positive, blue where it is negative, with
        the value that is furthest from 0 and its root mean square. Default: where both have one shape and
        dtype.
    title : str, optional
    figure : matplotlib Figure or SubFigure, optional
        Default: a new one.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        A shape that is no one image's, a difference of images of two shapes, or names that are not two.
    TypeError
        Something that is no array of real numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from convkit import viz
    >>> ramp = np.arange(64, dtype=np.uint8).reshape(8, 8)
    >>> len(viz.compare(ramp, ramp + 3).axes)  # two images, their difference, its scale
    4
    """
    first, second = image_array(before, "before"), image_array(after, "after")
    texts(names, "names", ("before", "after"))
    same = first.shape == second.shape
    if difference and not same:
        raise ValueError(
            f"before has shape {first.shape} and after {second.shape}; expected one shape for a difference: "
            f"pass difference=False{_alike(first, second)}"
        )
    drawn = same and first.dtype == second.dtype if difference is None else flag(difference, "difference")
    height, width = first.shape[:2]
    count = 3 if drawn else 2
    axes = panels(figure, 1, count, 3.6 * count, 3.6 * min(max(height / width, 0.3), 2.5) + 0.8)
    for ax, array, name in zip(axes, (first, second), names, strict=False):
        shown, style = display(array)
        _image(ax, shown, style, name, caption(array))
    if drawn:
        _difference(axes[2], first, second)
    headed(axes[0].figure, title)
    what = f"{title or 'Comparison'}: {names[0]} and {names[1]}" + ", and their difference" * drawn
    return told(axes[0].figure, what + missing(np.concatenate([first.ravel(), second.ravel()])))


def _alike(first: Array, second: Array) -> str:
    """What makes `second` as large as `first`, or as coloured."""
    if first.shape[:2] != second.shape[:2]:
        return f", or ck.resize(after, {first.shape[:2]})"
    return ", or ck.to_gray(" + ("after" if second.ndim == 3 else "before") + ")"


def _difference(ax: Axes, first: Array, second: Array) -> None:
    gap = second.astype(np.float64) - first.astype(np.float64)
    values = strongest(gap[..., :3]) if gap.ndim == 3 else gap
    known = gap[np.isfinite(gap)]
    largest = float(known.flat[np.abs(known).argmax()]) if known.size else 0.0
    mean = np.mean(known * known) if known.size else 0.0
    note = f"largest {largest:.4g}, root mean square {math.sqrt(mean):.4g}{missing(gap)}"
    limit = float(np.abs(values[np.isfinite(values)]).max(initial=0.0)) or 1.0
    drawn = _image(ax, values, {"cmap": DIVERGING, "vmin": -limit, "vmax": limit}, "difference", note)
    ax.figure.colorbar(drawn, ax=ax, fraction=0.045, pad=0.02).ax.tick_params(labelsize=8)


def _image(ax: Axes, shown: Array, style: dict[str, Any], name: str, note: str) -> Any:
    drawn = ax.imshow(shown, interpolation=interpolation(shown), **style)
    quiet(ax)
    titled(ax, name)
    noted(ax, note, shown.shape)
    return drawn

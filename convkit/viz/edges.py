"""Edges over the image that they were found in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from convkit._checks import Array
from convkit.layout import to_gray
from convkit.viz.display import display, image_array, interpolation, strongest
from convkit.viz.style import ORANGE, axes_for, described, draws, missing, noted, quiet, titled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike


MOST_PIXELS = 640
"""Across a picture: those of larger ones are drawn smaller than they are."""


@draws
def edges_overlay(
    image: ArrayLike,
    edges: ArrayLike,
    *,
    color: str = ORANGE,
    title: str | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw edges in colour over a dimmed image.

    Parameters
    ----------
    image : array_like
        One image of any layout and dtype that `show` takes.
    edges : array_like
        One map, or one a channel, of the image's size: a mask (bool, or uint8 as `canny` gives it),
        or magnitudes, which become more opaque the larger they are, up to their 99th percentile.
    color : str
        Any colour of matplotlib's.
    title : str, optional
    ax : matplotlib axes, optional
        Default: those of a new figure.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        Edges of another size, or a colour that is none.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> from convkit import viz
    >>> square = np.zeros((32, 32), np.uint8); square[8:24, 8:24] = 200
    >>> viz.alt_text(viz.edges_overlay(square, ck.filters.canny(square, 50, 100)))
    'Edges over the image, on 5.9 % of its pixels'
    """
    base, found = image_array(image, "image"), image_array(edges, "edges")
    if found.ndim == 3:
        found = strongest(found)
    if found.shape != base.shape[:2]:
        raise ValueError(
            f"edges has shape {found.shape} and image {base.shape}; expected one height and width: "
            'pass edges of this image, found with any border but "valid"'
        )
    gray, style = _gray(base)
    none = missing(found)
    strength = np.where(np.isfinite(found), np.abs(found.astype(np.float64)), 0)
    top = float(np.percentile(strength, 99)) or float(strength.max()) or 1.0
    height, width = found.shape
    block = max(1, max(height, width) // MOST_PIXELS)
    drawn = _greatest(strength, block)
    ink = np.empty((*drawn.shape, 4))
    ink[..., :3] = _rgb(color)
    ink[..., 3] = np.clip(drawn / top, 0, 1)
    axes = axes_for(ax, 5.2, min(max(5.2 * height / width, 1.2), 9) + 0.3)
    axes.imshow(gray, interpolation=interpolation(gray), alpha=0.55, **style)
    end = (drawn.shape[1] * block - 0.5, drawn.shape[0] * block - 0.5)
    axes.imshow(ink, interpolation=interpolation(gray), extent=(-0.5, end[0], end[1], -0.5))
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    quiet(axes)
    titled(axes, title)
    noted(axes, none)
    share = 100 * float((strength > 0.5 * top).mean())
    what = f"{title}: edges over the image" if title else "Edges over the image"
    return described(axes, f"{what}, on {share:.1f} % of its pixels{none}")


def _greatest(strength: Array, block: int) -> Array:
    """Of each `block` × `block` pixels: lines of one pixel stay where a picture is drawn smaller."""
    height, width = strength.shape
    found: Array = np.maximum.reduceat(strength, np.arange(0, height, block), axis=0)
    return np.maximum.reduceat(found, np.arange(0, width, block), axis=1)


def _gray(image: Array) -> tuple[Array, dict[str, Any]]:
    """`image` as `show` shows it, without its colours."""
    shown, style = display(image.astype(np.uint8) * 255 if image.dtype == np.bool_ else image)
    if shown.ndim == 2:
        return shown, style | {"cmap": "gray"}
    colours = shown[..., :3]
    gray = to_gray(colours if colours.dtype == np.uint8 else colours.astype(np.float64))
    return gray, display(gray)[1] if gray.dtype == np.uint8 else {"cmap": "gray", "vmin": 0, "vmax": 1}


def _rgb(color: Any) -> tuple[float, float, float]:
    from matplotlib.colors import to_rgb

    try:
        return to_rgb(color)
    except ValueError:
        raise ValueError(
            f"color is {color!r}; expected one of matplotlib's, such as 'tab:orange' or '#b57a00'"
        ) from None

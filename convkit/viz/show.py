"""One array of images, whatever its layout."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from convkit._checks import Array, as_array, choice, finite, is_sequence
from convkit.viz.display import caption, display, interpolation, layout_of, to_bhwc
from convkit.viz.style import axes_for, described, draws, noted, quiet, titled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike


@draws
def show(
    image: ArrayLike,
    *,
    layout: str | None = None,
    order: Literal["rgb", "bgr"] = "rgb",
    limits: tuple[float, float] | None = None,
    title: str | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw an image, or a batch of them side by side, in its true colours.

    Parameters
    ----------
    image : array_like
        Real numbers. uint8, uint16, masks, and coloured floats within [0, 1], but for a few just
        outside, are shown as they are, and so are colours of a wider dtype within 0 … 255 that go far above
        1; other numbers in false colours with a scale, as in `contact_sheet`.
    layout : {"HW", "HWC", "CHW", "BHWC", "BCHW"}, optional
        Default: HW for two axes; for more, where the 1, 3 or 4 channels are, at the end if at both.
    order : {"rgb", "bgr"}
        Order of the colours; it is never guessed.
    limits : (float, float), optional
        What is black and what is white, for numbers that were normalised.
    title : str, optional
    ax : matplotlib axes, optional
        Default: those of a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        The one drawn in, of `ax` if it was given.

    Raises
    ------
    ValueError
        A shape that has no such layout, or limits that are no range.
    TypeError
        No array of real numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from convkit import viz
    >>> figure = viz.show(np.zeros((2, 3, 8, 9), np.float32))
    >>> figure.axes[0].get_xlabel()
    'BCHW (2, 3, 8, 9)   float32   0 … 0'
    """
    array = as_array(image, "image")
    found = layout_of(array, "image", layout)
    choice(order, "order", ("rgb", "bgr"))
    batch = to_bhwc(array, found)
    if order == "bgr" and batch.shape[-1] >= 3:
        batch = np.concatenate([batch[..., 2::-1], batch[..., 3:]], axis=-1)
    one = _side_by_side(batch)
    shown, style = display(one) if limits is None else _between(one, limits)
    height, width = shown.shape[:2]
    axes = axes_for(ax, 5.2, min(max(5.2 * height / width, 1.2), 9) + 0.5)
    drawn = axes.imshow(shown, interpolation=interpolation(shown), **style)
    quiet(axes)
    titled(axes, title)
    note = caption(batch.reshape(-1, *batch.shape[-2:]), limits is None)
    noted(axes, f"{found} {array.shape}   {note}", shown.shape)
    if style.get("cmap") not in (None, "gray"):
        bar = axes.figure.colorbar(drawn, ax=axes, fraction=0.045, pad=0.02)
        bar.ax.tick_params(labelsize=8)
    many = f"{len(batch)} images" if len(batch) > 1 else "Image"
    return described(axes, f"{title or many}: {width}×{height} pixels, {note}")


def _side_by_side(batch: Array) -> Array:
    """A batch on a grid; empty places hold its greatest number."""
    count, height, width, channels = batch.shape
    across = math.ceil(math.sqrt(count))
    down = math.ceil(count / across)
    gap = 0 if count == 1 else max(1, min(height, width) // 32)
    sheet = np.full(
        (down * (height + gap) - gap, across * (width + gap) - gap, channels), batch.max(), batch.dtype
    )
    for i, image in enumerate(batch):
        y, x = i // across * (height + gap), i % across * (width + gap)
        sheet[y : y + height, x : x + width] = image
    return sheet[..., 0] if channels == 1 else sheet


def _between(array: Array, limits: tuple[float, float]) -> tuple[Array, dict[str, Any]]:
    if not is_sequence(limits):
        raise TypeError(f"limits is {limits!r}; expected (black, white): limits=(0, 1)")
    ends = [finite(value, f"limits[{i}]") for i, value in enumerate(limits)]
    if len(ends) != 2 or not ends[0] < ends[1]:
        raise ValueError(f"limits is {limits!r}; expected (black, white), the first below the second")
    low, high = ends
    unit = np.clip((array.astype(np.float64) - low) / (high - low), 0, 1)
    return unit, {"cmap": "gray", "vmin": 0, "vmax": 1} if unit.ndim == 2 else {}

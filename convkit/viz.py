"""Pictures of arrays, with matplotlib (imported on first use)."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from convkit._checks import Array, as_array, integer

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

INK = "#1c2430"
FAINT = "#6b7686"
CELL_WIDTH = 3.0  # inches

# ---- contact sheet ----------------------------------------------------------------------------------


def contact_sheet(
    images: Mapping[str, ArrayLike],
    *,
    columns: int | None = None,
    title: str | None = None,
    cyclic: Collection[str] = (),
) -> Figure:
    """A sheet of images, each under its name, with its dtype and range below.

    Parameters
    ----------
    images : mapping of str to array, HW or HWC
        At least one. uint8, uint16, bool, and floats within [0, 1] that have channels are shown as they are.
        Other floats and int16 are shown in false colours: diverging around 0 where negative, else from 0 up,
        either cut at the 99.5th percentile of the magnitude; where they have channels, the strongest of each
        pixel.
    columns : int, optional
        Default: about a square.
    title : str, optional
        Over the whole sheet.
    cyclic : collection of str
        Names of images that hold angles in radians, shown on a colour wheel from −π to π.

    Returns
    -------
    matplotlib.figure.Figure
        Not of pyplot: nothing global remembers it. ``figure.savefig(path)`` writes it.

    Raises
    ------
    ValueError
        No images, or a shape that is no image's.
    TypeError
        Something that is no array of real numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from convkit import viz
    >>> figure = viz.contact_sheet({"ramp": np.arange(12.0).reshape(3, 4), "mask": np.eye(3) > 0})
    >>> len(figure.axes)
    2
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    if not images:
        raise ValueError("images is empty; expected at least one named array")
    arrays = {name: _image(value, name) for name, value in images.items()}
    across = integer(columns, "columns", 1) if columns is not None else math.ceil(math.sqrt(len(arrays)))
    across = min(across, len(arrays))
    down = math.ceil(len(arrays) / across)
    aspect = np.median([min(a.shape[0] / a.shape[1], 3) for a in arrays.values()])
    size = (across * CELL_WIDTH, down * (CELL_WIDTH * aspect + 0.42) + (0.7 if title else 0.1))
    engine = ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.06)
    figure = Figure(figsize=size, dpi=120, facecolor="white", layout=engine)
    grid = figure.subplots(down, across, squeeze=False).ravel()
    for axes, (name, array) in zip(grid, arrays.items(), strict=False):
        _draw(axes, name, array, name in cyclic)
    for axes in grid[len(arrays) :]:
        axes.remove()
    if title:
        figure.suptitle(title, color=INK, fontsize=15, fontweight="bold")
    return figure


def training(history: Any, *, title: str | None = None) -> Figure:
    """The loss of each epoch, of training and of validation, on a logarithmic scale where it falls far.

    Parameters
    ----------
    history : convkit.nn.History
        As `convkit.nn.fit` gives it.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        With a second panel for the metrics, if there are any.

    Raises
    ------
    ValueError
        No epoch was run.

    Examples
    --------
    >>> from convkit import nn, viz
    >>> len(viz.training(nn.History(loss=[1.0, 0.4, 0.3], metrics={"accuracy": [0.2, 0.6, 0.7]})).axes)
    2
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    if not history.loss:
        raise ValueError("history is empty: no epoch was run")
    panels = 1 + bool(history.metrics)
    size = (5.0 * panels, 3.4)
    figure = Figure(figsize=size, dpi=120, facecolor="white", layout=ConstrainedLayoutEngine())
    axes = figure.subplots(1, panels, squeeze=False)[0]
    curves = {"training": history.loss, "validation": history.validation_loss}
    _curves(axes[0], {name: values for name, values in curves.items() if values}, "loss")
    values = [value for each in curves.values() for value in each]
    if min(values) > 0 and max(values) > 10 * min(values):
        axes[0].set_yscale("log")
    if len(history.watched) > 1:
        axes[0].axvline(history.best_epoch + 1, color=FAINT, linewidth=0.8, linestyle=":")
    if history.metrics:
        _curves(axes[1], history.metrics, "metrics")
    if title:
        figure.suptitle(title, color=INK, fontsize=13, fontweight="bold")
    return figure


def _curves(axes: Axes, curves: Mapping[str, list[float]], label: str) -> None:
    """A line for each name, over the epochs."""
    for name, values in curves.items():
        axes.plot(range(1, len(values) + 1), values, label=name, marker="o", markersize=3)
    axes.set_xlabel("epoch", color=INK)
    axes.set_ylabel(label, color=INK)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)


def rendered(figure: Figure) -> Array:
    """The figure's pixels, RGB uint8."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _draw(axes: Axes, name: str, array: Array, is_angle: bool) -> None:
    shown, style = _angles(array) if is_angle else _display(array)
    axes.imshow(shown, interpolation="antialiased" if min(array.shape[:2]) > 32 else "nearest", **style)
    lines = "\n".join(textwrap.wrap(name, 42)) or name
    axes.set_title(lines, color=INK, fontsize=8.5, family="monospace", pad=5)
    axes.set_xlabel(_caption(array), color=FAINT, fontsize=7.5, labelpad=4)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color("#c8ced8")


def _caption(array: Array) -> str:
    low, high = array.min(), array.max()
    return f"{array.dtype}   {low:.4g} … {high:.4g}" if array.dtype != np.bool_ else "bool"


# ---- what to show -----------------------------------------------------------------------------------


def _image(value: Any, name: str) -> Array:
    array = as_array(value, name)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4)):
        return array
    raise ValueError(f"{name} has shape {array.shape}; expected HW, or HWC with 1, 3 or 4 channels")


def _display(array: Array) -> tuple[Array, dict[str, Any]]:
    """What `imshow` takes to show `array` truthfully, and how."""
    gray = {"cmap": "gray", "vmin": 0, "vmax": 255}
    if array.dtype == np.bool_:
        return array, {"cmap": "gray", "vmin": 0, "vmax": 1}
    if array.dtype in (np.uint8, np.uint16):
        return (array if array.dtype == np.uint8 else (array // 257).astype(np.uint8)), gray
    if array.ndim == 3 and array.min() >= 0 and array.max() <= 1:
        return array, {}
    values = _strongest(array[..., :3]) if array.ndim == 3 else array
    values = values.astype(np.float64)
    finite = values[np.isfinite(values)]
    limit = float(np.percentile(np.abs(finite), 99.5)) if finite.size else 0.0
    limit = limit or float(np.abs(finite).max(initial=0.0)) or 1.0
    if finite.size and finite.min() < 0:
        return values, {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}
    return values, {"cmap": "magma", "vmin": 0, "vmax": limit}


def _strongest(array: Array) -> Array:
    """Of each pixel the channel of the largest magnitude, with its sign."""
    wide = array.astype(np.float64)
    channel = np.abs(wide).argmax(axis=2)[..., None]
    return np.take_along_axis(wide, channel, axis=2)[..., 0]


def _angles(array: Array) -> tuple[Array, dict[str, Any]]:
    values = _strongest(array[..., :3]) if array.ndim == 3 else array
    return values, {"cmap": "twilight", "vmin": -math.pi, "vmax": math.pi}

"""Many images on one sheet."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import numpy as np

from convkit._checks import Array, integer, is_sequence, mapping
from convkit.viz.display import angles, caption, display, image_array, interpolation
from convkit.viz.style import FAINT, INK, draws, headed, new_figure, quiet

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

CELL_WIDTH = 3.0  # inches


@draws
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
    images : mapping of str to array
        At least one, each one image of any layout that `show` takes. uint8, uint16, bool, and floats within
        [0, 1] that have channels are shown as they are, the few that sharpening or resampling takes just
        outside cut to it.
        Other floats and integers are shown in false colours: diverging around 0 where negative, else from 0
        up, either cut at the 99.5th percentile of the magnitude; where they have channels, the strongest of
        each pixel.
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
        No images, a shape that is no image's, or `cyclic` of no image.
    TypeError
        No mapping, or something that is no array of real numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from convkit import viz
    >>> figure = viz.contact_sheet({"ramp": np.arange(12.0).reshape(3, 4), "mask": np.eye(3) > 0})
    >>> len(figure.axes)
    2
    """
    mapping(images, "images", 'viz.contact_sheet({"photo": photo})')
    names = set(cyclic) if is_sequence(cyclic) or isinstance(cyclic, (set, frozenset)) else cyclic
    if not isinstance(names, set) or not names <= set(images):
        raise ValueError(f"cyclic is {cyclic!r}; expected names among {', '.join(map(repr, images))}")
    arrays = {name: image_array(value, name) for name, value in images.items()}
    across = integer(columns, "columns", 1) if columns is not None else math.ceil(math.sqrt(len(arrays)))
    across = min(across, len(arrays))
    down = math.ceil(len(arrays) / across)
    aspect = np.median([min(a.shape[0] / a.shape[1], 3) for a in arrays.values()])
    size = (across * CELL_WIDTH, down * (CELL_WIDTH * aspect + 0.42) + (0.7 if title else 0.1))
    figure = new_figure(*size)
    grid = figure.subplots(down, across, squeeze=False).ravel()
    for axes, (name, array) in zip(grid, arrays.items(), strict=False):
        _draw(axes, name, array, name in names)
    for axes in grid[len(arrays) :]:
        axes.remove()
    headed(figure, title, 15)
    figure.set_label(f"{title or 'Sheet of images'}: {', '.join(arrays)}")
    return figure


def _draw(axes: Axes, name: str, array: Array, is_angle: bool) -> None:
    shown, style = angles(array) if is_angle else display(array)
    axes.imshow(shown, interpolation=interpolation(array), **style)
    lines = "\n".join(textwrap.wrap(name, 42)) or name
    axes.set_title(lines, color=INK, fontsize=8.5, family="monospace", pad=5, parse_math=False)
    axes.set_xlabel(caption(array), color=FAINT, fontsize=7.5, labelpad=4)
    quiet(axes)

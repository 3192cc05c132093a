"""A figure as an array."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from convkit._checks import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def rendered(figure: Figure) -> Array:
    """The figure's pixels, RGB uint8."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    if not hasattr(figure, "set_canvas"):
        raise TypeError(f"figure is {type(figure).__name__}; expected matplotlib.figure.Figure")
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()

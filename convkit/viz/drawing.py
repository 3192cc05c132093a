"""Figures that notebooks show by themselves, and that look alike whatever style matplotlib is set to."""

from __future__ import annotations

import io
from contextlib import AbstractContextManager
from typing import Any

from matplotlib import rc_context, rcParamsDefault
from matplotlib.figure import Figure

GROUPS = {
    *("axes", "figure", "grid", "hatch", "image", "legend", "lines", "patch", "path"),
    *("savefig", "scatter", "text", "xtick", "ytick"),
}
THEIRS = ("savefig.directory", "savefig.dpi", "savefig.format", "figure.max_open_warning")
OURS = {key: rcParamsDefault[key] for key in rcParamsDefault if key.partition(".")[0] in GROUPS}
OURS = {key: value for key, value in OURS.items() if key not in THEIRS}


def our_style() -> AbstractContextManager[None]:
    """Matplotlib as it is by default, but for the fonts, which are the user's."""
    return rc_context(OURS)


class Drawing(Figure):
    """Matplotlib's figure, drawn later as it would be now; as a cell's last line a notebook shows it."""

    def draw(self, renderer: Any) -> None:
        """Draw, in the style that it was made in."""
        with our_style():
            super().draw(renderer)

    def savefig(self, *args: Any, **kwargs: Any) -> None:
        """Write, in the style that it was made in."""
        with our_style():
            super().savefig(*args, **kwargs)

    def _repr_png_(self) -> bytes:
        """What IPython shows of it."""
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()

"""What a kernel does to each frequency."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from convkit.viz.impulse import weights_of
from convkit.viz.style import BLUE, FAINT, INK, LINE, ORANGE, draws, headed, panels, titled, told

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

BINS = 129
ROUNDED = 1e-12  # of the largest: what rounding leaves of 0


@draws
def frequency_response(
    kernel: Any, *, title: str | None = None, figure: Figure | SubFigure | None = None
) -> Figure:
    """Draw the magnitude of a kernel's Fourier transform: what is kept of each frequency.

    Parameters
    ----------
    kernel : array_like of two axes, str, or Pipeline
        As in `kernel`.
    title : str, optional
        Default: the filter's text.
    figure : matplotlib Figure or SubFigure, optional
        Default: a new one.

    Returns
    -------
    matplotlib.figure.Figure
        A map over both frequencies, and its cuts along the axes, in cycles per pixel up to 1/2.

    Raises
    ------
    ValueError
        No kernel of two axes, or a filter that is not linear.

    References
    ----------
    R. Gonzalez and R. Woods, "Digital Image Processing", 4th ed., chapter 4.

    Examples
    --------
    >>> from convkit import viz
    >>> figure = viz.frequency_response("box(size=5)")
    >>> figure.axes[1].get_xlabel()
    'cycles per pixel'
    """
    weights = weights_of(kernel)
    name = title or (str(kernel) if not isinstance(kernel, np.ndarray | list | tuple) else "")
    frequency = np.linspace(-0.5, 0.5, BINS)
    waves = [np.exp(-2j * np.pi * np.outer(frequency, np.arange(n))) for n in weights.shape]
    response = np.abs(waves[0] @ weights @ waves[1].T)
    left, right = panels(figure, 1, 2, 8.4, 3.7 + 0.3 * bool(name), width_ratios=(1, 1.25))
    drawn = left.imshow(
        response, cmap="cividis", vmin=0, extent=(-0.5, 0.5, 0.5, -0.5), interpolation="bilinear"
    )
    left.set_xlabel("horizontal, cycles per pixel", color=FAINT, fontsize=8.5)
    left.set_ylabel("vertical", color=FAINT, fontsize=8.5)
    left.figure.colorbar(drawn, ax=left, fraction=0.045, pad=0.03).ax.tick_params(labelsize=8)
    middle = BINS // 2
    right.plot(frequency[middle:], response[middle, middle:], color=BLUE, lw=2, label="horizontal")
    right.plot(frequency[middle:], response[middle:, middle], color=ORANGE, lw=2, ls="--", label="vertical")
    right.plot(
        frequency[middle:], np.diagonal(response)[middle:], color=INK, lw=1.3, ls=":", label="both alike"
    )
    right.set_xlabel("cycles per pixel", color=FAINT, fontsize=8.5)
    right.set_xlim(0, 0.5)
    right.set_ylim(0, max(float(response.max()) * 1.08, 1e-6))
    right.grid(color=LINE, lw=0.5)
    right.legend(frameon=False, fontsize=8.5)
    for ax in (left, right):
        ax.tick_params(labelsize=8, colors=FAINT)
    titled(left, "what is kept of each frequency")
    titled(right, "and along the axes")
    headed(left.figure, name, bold=False)
    host = left.figure
    constant, finest = (0.0 if r < ROUNDED * response.max() else r for r in response[middle, [middle, -1]])
    return told(
        host,
        f"Frequency response{' of ' + name if name else ''}: {constant:.3g} of a constant, "
        f"{finest:.3g} of the finest horizontal wave, at most {response.max():.3g}",
    )

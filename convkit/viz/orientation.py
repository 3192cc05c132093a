"""Directions as colours, with the wheel that explains them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from convkit._checks import Array, as_array
from convkit.viz.display import interpolation
from convkit.viz.style import INK, axes_for, described, draws, missing, noted, quiet, titled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch
    from numpy.typing import ArrayLike


TURN = 2 * math.pi + 1e-3
"""The largest angle that is taken for radians, a float32's rounding included."""


@draws
def orientation(
    angle: ArrayLike,
    magnitude: ArrayLike | None = None,
    *,
    title: str | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw directions as colours, as bright as they are strong, with a wheel to read them by.

    Right is blue, left yellow, down light and up dark: with any kind of colour vision four directions differ.

    Parameters
    ----------
    angle : array_like, HW
        Radians, 0 to the right and π/2 downwards, as ``sobel(image, "angle")`` gives them; what is not finite
        is drawn black.
    magnitude : array_like, HW, optional
        How strong each is; its 99th percentile is drawn fully. Default: all alike.
    title : str, optional
    ax : matplotlib axes, optional
        Default: those of a new figure.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        No two axes, two sizes, or angles beyond a whole turn, as degrees are.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> from convkit import viz
    >>> y, x = np.mgrid[-8:9, -8:9]
    >>> figure = viz.orientation(np.arctan2(y, x), np.hypot(x, y), title="a wheel")
    >>> viz.alt_text(figure)
    'a wheel, as colours: right is blue, left yellow, down light, up dark'
    """
    angles = as_array(angle, "angle")
    strength = np.ones(angles.shape) if magnitude is None else as_array(magnitude, "magnitude")
    if angles.ndim != 2 or strength.shape != angles.shape:
        raise ValueError(
            f"angle has shape {angles.shape} and magnitude {strength.shape}; expected HW, both alike: "
            'pass angle and magnitude of magnitude, angle = sobel(ck.to_gray(image), "polar")'
        )
    turns = np.where(np.isfinite(angles), angles, 0).astype(np.float64)
    widest = float(np.abs(turns).max())
    if widest > TURN:
        swapped = magnitude is not None and float(np.nan_to_num(np.abs(strength)).max()) <= TURN
        mend = "orientation(angle, magnitude), in this order" if swapped else "np.deg2rad(angle)"
        raise ValueError(f"angle holds {widest:.4g}, more than a whole turn; expected radians: pass {mend}")
    none = missing(np.where(np.isfinite(strength), angles, np.nan))
    strength = np.where(np.isfinite(strength) & np.isfinite(angles), np.abs(strength.astype(np.float64)), 0)
    top = float(np.percentile(strength, 99)) or float(strength.max()) or 1.0
    height, width = angles.shape
    axes = axes_for(ax, 5.2, min(max(5.2 * height / width, 1.2), 9) + 0.4)
    shown = coloured(turns, np.clip(strength / top, 0, 1))
    axes.imshow(shown, interpolation=interpolation(shown))
    quiet(axes)
    titled(axes, title)
    noted(axes, none)
    _wheel(axes)
    what = title or "Directions"
    return described(axes, f"{what}, as colours: right is blue, left yellow, down light, up dark{none}")


def coloured(angle: Array, strength: Array) -> Array:
    """RGB in [0, 1]: a circle in Oklab, tilted so that its lightness tells down from up.

    Ottosson, "A perceptual color space for image processing", 2020.
    """
    down, right = np.sin(angle), np.cos(angle)
    lightness = 0.70 + 0.16 * down
    lab = np.stack([lightness, -0.11 * down, -0.13 * right], axis=-1)
    cones = (lab @ _FROM_LAB.T) ** 3
    linear = np.clip(cones @ _FROM_CONES.T, 0, 1) * strength[..., None] ** 1.5
    shown: Array = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.clip(shown, 0, 1)


_FROM_LAB = np.array(
    [[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728], [1, -0.0894841775, -1.2914855480]]
)
_FROM_CONES = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


def _wheel(ax: Axes) -> None:
    inset = ax.inset_axes((0.80, 0.80, 0.185, 0.185))
    inset.set_anchor("NE")
    y, x = np.mgrid[-1:1:121j, -1:1:121j]
    inside = np.hypot(x, y) <= 1
    wheel = np.ones((*x.shape, 4))
    wheel[..., :3] = coloured(np.arctan2(y, x), np.clip(np.hypot(x, y), 0, 1))
    wheel[..., 3] = inside
    inset.imshow(wheel, extent=(-1, 1, 1, -1))
    for degrees in (0, 90, 180, 270):
        turn = math.radians(degrees)
        inset.plot([0, 0.9 * math.cos(turn)], [0, 0.9 * math.sin(turn)], color="white", lw=0.6, alpha=0.6)
    inset.add_patch(_circle(INK))
    inset.set_xlim(-1.08, 1.08)
    inset.set_ylim(1.08, -1.08)
    inset.axis("off")


def _circle(color: str) -> Patch:
    from matplotlib.patches import Circle

    return Circle((0, 0), 1, fill=False, color=color, lw=1)

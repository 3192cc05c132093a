"""Classic filters as layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from convkit._checks import Array, choice, coefficients, flag, integer
from convkit.nn.conv import DepthwiseConv2d

PROBE = 129
"""Size of the image whose single bright pixel shows a filter's kernel."""


def from_filter(
    kernel: Any,
    channels: int = 1,
    trainable: bool = False,
    *,
    padding_mode: str = "reflect",
    dtype: Any = None,
) -> DepthwiseConv2d:
    """A layer that applies a filter to each channel; `Conv2d.to_filter` gives the kernel back.

    Parameters
    ----------
    kernel : array_like, (kh, kw), or callable
        Coefficients as `convkit.filters.filter2d` takes them, or a linear filter of an image, such as
        ``lambda image: ck.filters.gaussian(image, sigma=1.4)``, whose kernel is then looked at.
    channels : int
    trainable : bool
        Whether training changes the kernel.
    padding_mode : {"reflect", "zeros", "replicate", "circular"}
        The border; "reflect" is that of the filters.
    dtype : dtype, optional
        float32 where it is not given.

    Returns
    -------
    DepthwiseConv2d
        Without bias, its output of the input's size.

    Raises
    ------
    ValueError
        The callable is not linear, or not the same everywhere, or its kernel is larger than 63 in a
        direction.

    Examples
    --------
    >>> import numpy as np, convkit as ck
    >>> from convkit import nn
    >>> layer = nn.from_filter(lambda image: ck.filters.sobel(image, "x"), channels=3)
    >>> layer.to_filter()
    array([[-1.,  0.,  1.],
           [-2.,  0.,  2.],
           [-1.,  0.,  1.]])
    """
    array = _seen(kernel) if callable(kernel) else coefficients(kernel, "kernel", 2)
    choice(padding_mode, "padding_mode", ("reflect", "zeros", "replicate", "circular"))
    (top, bottom), (left, right) = ((n // 2, n - 1 - n // 2) for n in array.shape)
    layer = DepthwiseConv2d(
        integer(channels, "channels", 1),
        array.shape,
        padding=(top, bottom, left, right),
        bias=False,
        padding_mode=padding_mode,
        dtype=dtype,
    )
    layer.weight.data[...] = array
    layer.weight.requires_grad_(flag(trainable, "trainable"))
    return layer


def _seen(function: Callable[[Array], Any]) -> Array:
    """The kernel of a linear filter: what a single bright pixel becomes, turned round."""
    centre = PROBE // 2
    impulse = np.zeros((PROBE, PROBE))
    impulse[centre, centre] = 1
    answer = np.asarray(function(impulse), np.float64)
    if answer.shape != impulse.shape:
        raise ValueError(
            f"the filter makes {answer.shape} of an image of {impulse.shape}; expected one of its size"
        )
    rows, columns = np.nonzero(answer)
    if not rows.size:
        raise ValueError(
            "the filter makes nothing of a single bright pixel: it is not linear, as a median is not"
        )
    reach = [int(np.abs(places - centre).max()) for places in (rows, columns)]
    if max(reach) > centre // 2:
        raise ValueError(f"the filter's kernel reaches {max(reach)} pixels; expected at most {centre // 2}")
    down, across = (slice(centre - r, centre + r + 1) for r in reach)
    kernel = answer[down, across][::-1, ::-1].copy()
    _check_linear(function, kernel)
    return kernel


def _check_linear(function: Callable[[Array], Any], kernel: Array) -> None:
    """Hold the filter of a random patch, far from the borders, to the sum that `kernel` means."""
    size = 3 * max(kernel.shape) + 8
    image = np.random.default_rng(0).random((size, size))
    windows = np.lib.stride_tricks.sliding_window_view(image, kernel.shape)
    expected = (windows * kernel).sum(axis=(2, 3))
    top, left = (n // 2 for n in kernel.shape)
    found = np.asarray(function(image), np.float64)[
        top : top + expected.shape[0], left : left + expected.shape[1]
    ]
    if np.abs(found - expected).max() > 1e-5 * np.abs(kernel).sum():
        raise ValueError(
            "the filter is not linear, so that no kernel gives its results: a layer cannot be made of it"
        )

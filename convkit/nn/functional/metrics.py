"""How alike images are: structural similarity, and the peak signal-to-noise ratio. Differentiable."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from convkit._checks import integer, positive
from convkit.nn.either import tensors_or_arrays
from convkit.nn.functional.convolution import conv2d
from convkit.nn.tensor import Tensor


@tensors_or_arrays
def ssim(
    input: Tensor, target: Tensor, data_range: float = 1.0, window_size: int = 11, sigma: float = 1.5
) -> Tensor:
    """Structural similarity (Wang et al., 2004): 1 for equal images.

    Means, variances and covariance are weighted by a Gaussian window, wherever it fits.

    Parameters
    ----------
    input, target : Tensor or ndarray, (B, C, H, W)
    data_range : float
        From the least to the greatest value that a pixel can have.
    window_size : int
    sigma : float
        Of the window.

    Returns
    -------
    Tensor or ndarray
        The mean over all pixels, channels and images.
    """
    _same(input, target)
    channels = input.shape[1]
    place = np.arange(integer(window_size, "window_size", 1)) - (window_size - 1) / 2
    line = np.exp(-0.5 * (place / positive(sigma, "sigma")) ** 2)
    kernel = np.outer(line, line) / line.sum() ** 2
    window = np.repeat(kernel[None, None].astype(input.dtype), channels, axis=0)

    def local(x: Tensor) -> Any:
        return conv2d(x, Tensor(window), groups=channels)

    mine, theirs = local(input), local(target)
    own, other, both = local(input * input), local(target * target), local(input * target)
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    mine2, theirs2, product = mine * mine, theirs * theirs, mine * theirs
    above = (product * 2 + c1) * ((both - product) * 2 + c2)
    below = (mine2 + theirs2 + c1) * (own - mine2 + (other - theirs2) + c2)
    return (above / below).mean()  # type: ignore[no-any-return]


@tensors_or_arrays
def psnr(input: Tensor, target: Tensor, data_range: float = 1.0) -> Tensor:
    """The peak signal-to-noise ratio in decibels: 10 · log₁₀(data_range² / mean square error)."""
    _same(input, target)
    apart = input - target
    return ((apart * apart).mean().log() - 2 * math.log(positive(data_range, "data_range"))) * (
        -10 / math.log(10)
    )


@tensors_or_arrays
def total_variation(input: Tensor, reduction: str = "mean") -> Tensor:
    """The sum of |differences| of neighbours, down and across (Rudin et al., 1992; anisotropic).

    Parameters
    ----------
    input : Tensor or ndarray, (..., H, W)
    reduction : {"mean", "sum", "none"}
        Over the images (all axes but the last three); of one image it is the sum in any case.
    """
    down = (input[..., 1:, :] - input[..., :-1, :]).abs()
    across = (input[..., :, 1:] - input[..., :, :-1]).abs()
    axes = tuple(range(max(input.ndim - 3, 0), input.ndim))
    each = down.sum(axes) + across.sum(axes)
    return each if reduction == "none" else each.sum() if reduction == "sum" else each.mean()


def _same(input: Tensor, target: Tensor) -> None:
    if input.shape != target.shape:
        raise ValueError(f"input has shape {input.shape} and target {target.shape}; expected one shape")
    if input.ndim != 4:
        raise ValueError(f"input has shape {input.shape}; expected BCHW: pass images[None] for one")

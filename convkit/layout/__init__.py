"""Axis orders (HWC, CHW, BCHW), colour orders (RGB, BGR), gray and number types of images.

Each function applies its one documented meaning and guesses nothing. Results are fresh, C-contiguous arrays,
unless a docstring says otherwise.
"""

from convkit.layout.axes import to_chw, to_hwc
from convkit.layout.batch import from_bchw, to_bchw
from convkit.layout.colour import bgr_to_rgb, rgb_to_bgr, to_gray
from convkit.layout.values import saturated, to_uint8

__all__ = [
    "bgr_to_rgb",
    "from_bchw",
    "rgb_to_bgr",
    "saturated",
    "to_bchw",
    "to_chw",
    "to_gray",
    "to_hwc",
    "to_uint8",
]

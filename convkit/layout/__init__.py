"""Axis orders (HWC, CHW, BCHW), colour orders and spaces, sizes and number types of images.

Each function applies its one documented meaning and guesses nothing. Results are fresh, C-contiguous arrays,
unless a docstring says otherwise.
"""

from convkit.layout.axes import to_chw, to_hwc
from convkit.layout.batch import from_bchw, to_bchw
from convkit.layout.colour import (
    bgr_to_rgb,
    hsv_to_rgb,
    lab_to_rgb,
    premultiply,
    rgb_to_bgr,
    rgb_to_hsv,
    rgb_to_lab,
    rgb_to_ycrcb,
    to_gray,
    unpremultiply,
    ycrcb_to_rgb,
)
from convkit.layout.describe import describe
from convkit.layout.size import Letterboxed, center_crop, letterbox, resize
from convkit.layout.values import saturated, to_uint8

__all__ = [
    "Letterboxed",
    "bgr_to_rgb",
    "center_crop",
    "describe",
    "from_bchw",
    "hsv_to_rgb",
    "lab_to_rgb",
    "letterbox",
    "premultiply",
    "resize",
    "rgb_to_bgr",
    "rgb_to_hsv",
    "rgb_to_lab",
    "rgb_to_ycrcb",
    "saturated",
    "to_bchw",
    "to_chw",
    "to_gray",
    "to_hwc",
    "to_uint8",
    "unpremultiply",
    "ycrcb_to_rgb",
]

"""convkit: image filters and PyTorch's Conv2d family on NumPy arrays, at the speed of the machine."""

from convkit import errors, filters, io, shapes
from convkit._info import build_info
from convkit._options import options
from convkit._version import __version__
from convkit.errors import ConvkitError
from convkit.io import imread, imwrite
from convkit.layout import bgr_to_rgb, from_bchw, rgb_to_bgr, to_bchw, to_chw, to_gray, to_hwc
from convkit.ops.conv import Conv2dPlan, conv2d, conv2d_plan
from convkit.ops.conv_transpose import conv_transpose2d

__all__ = [
    "Conv2dPlan",
    "ConvkitError",
    "__version__",
    "bgr_to_rgb",
    "build_info",
    "conv2d",
    "conv2d_plan",
    "conv_transpose2d",
    "errors",
    "filters",
    "from_bchw",
    "imread",
    "imwrite",
    "io",
    "options",
    "rgb_to_bgr",
    "shapes",
    "to_bchw",
    "to_chw",
    "to_gray",
    "to_hwc",
]

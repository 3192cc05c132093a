"""convkit: image filters and PyTorch's Conv2d family on NumPy arrays, at the speed of the machine."""

from typing import TYPE_CHECKING, Any

from convkit import errors, io, shapes
from convkit._info import build_info
from convkit._options import options
from convkit._version import __version__
from convkit.errors import ConvkitError
from convkit.io import ImageInfo, Images, Video, VideoWriter, images, imread, imread_pages, imwrite, probe
from convkit.layout import (
    Letterboxed,
    bgr_to_rgb,
    center_crop,
    describe,
    from_bchw,
    hsv_to_rgb,
    lab_to_rgb,
    letterbox,
    premultiply,
    resize,
    rgb_to_bgr,
    rgb_to_hsv,
    rgb_to_lab,
    rgb_to_ycrcb,
    to_bchw,
    to_chw,
    to_gray,
    to_hwc,
    to_uint8,
    unpremultiply,
    ycrcb_to_rgb,
)
from convkit.ops.activation import activate, activation_grad
from convkit.ops.batch_norm import batch_norm, batch_norm_grad
from convkit.ops.conv import Conv2dPlan, conv2d, conv2d_plan
from convkit.ops.conv_grad import conv2d_bias_grad, conv2d_input_grad, conv2d_weight_grad
from convkit.ops.conv_transpose import conv_transpose2d
from convkit.ops.conv_transpose_grad import conv_transpose2d_input_grad, conv_transpose2d_weight_grad
from convkit.ops.fold import fold, unfold
from convkit.ops.norm import group_norm, group_norm_grad, layer_norm, layer_norm_grad
from convkit.ops.pool import (
    adaptive_avg_pool2d,
    adaptive_avg_pool2d_grad,
    adaptive_max_pool2d,
    avg_pool2d,
    avg_pool2d_grad,
    max_pool2d,
    max_pool2d_grad,
)

if TYPE_CHECKING:
    from convkit import filters, nn, viz
    from convkit.filters import Pipeline

__all__ = [
    "Conv2dPlan",
    "ConvkitError",
    "ImageInfo",
    "Images",
    "Letterboxed",
    "Pipeline",
    "Video",
    "VideoWriter",
    "__version__",
    "activate",
    "activation_grad",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool2d_grad",
    "adaptive_max_pool2d",
    "avg_pool2d",
    "avg_pool2d_grad",
    "batch_norm",
    "batch_norm_grad",
    "bgr_to_rgb",
    "build_info",
    "center_crop",
    "conv2d",
    "conv2d_bias_grad",
    "conv2d_input_grad",
    "conv2d_plan",
    "conv2d_weight_grad",
    "conv_transpose2d",
    "conv_transpose2d_input_grad",
    "conv_transpose2d_weight_grad",
    "describe",
    "errors",
    "filters",
    "fold",
    "from_bchw",
    "group_norm",
    "group_norm_grad",
    "hsv_to_rgb",
    "images",
    "imread",
    "imread_pages",
    "imwrite",
    "io",
    "lab_to_rgb",
    "layer_norm",
    "layer_norm_grad",
    "letterbox",
    "max_pool2d",
    "max_pool2d_grad",
    "nn",
    "options",
    "premultiply",
    "probe",
    "resize",
    "rgb_to_bgr",
    "rgb_to_hsv",
    "rgb_to_lab",
    "rgb_to_ycrcb",
    "shapes",
    "to_bchw",
    "to_chw",
    "to_gray",
    "to_hwc",
    "to_uint8",
    "unfold",
    "unpremultiply",
    "viz",
    "ycrcb_to_rgb",
]


def __getattr__(name: str) -> Any:
    """The bank and the drawing are imported when first named: a service that convolves needs neither."""
    if name in ("filters", "nn", "viz"):
        from importlib import import_module

        return import_module(f"convkit.{name}")
    if name == "Pipeline":
        from convkit.filters import Pipeline

        return Pipeline
    raise AttributeError(f"module 'convkit' has no attribute {name!r}")

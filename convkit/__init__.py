"""convkit: image filters and PyTorch's Conv2d family on NumPy arrays, at the speed of the machine."""

from typing import TYPE_CHECKING, Any

from convkit import errors, io, shapes
from convkit._info import build_info
from convkit._options import options
from convkit._version import __version__
from convkit.errors import ConvkitError
from convkit.io import ImageInfo, Images, Video, VideoWriter, images, imread, imread_pages, imwrite, probe
from convkit.layout import bgr_to_rgb, from_bchw, rgb_to_bgr, to_bchw, to_chw, to_gray, to_hwc, to_uint8
from convkit.ops.conv import Conv2dPlan, conv2d, conv2d_plan
from convkit.ops.conv_transpose import conv_transpose2d

if TYPE_CHECKING:
    from convkit import filters, viz

__all__ = [
    "Conv2dPlan",
    "ConvkitError",
    "ImageInfo",
    "Images",
    "Video",
    "VideoWriter",
    "__version__",
    "bgr_to_rgb",
    "build_info",
    "conv2d",
    "conv2d_plan",
    "conv_transpose2d",
    "errors",
    "filters",
    "from_bchw",
    "images",
    "imread",
    "imread_pages",
    "imwrite",
    "io",
    "options",
    "probe",
    "rgb_to_bgr",
    "shapes",
    "to_bchw",
    "to_chw",
    "to_gray",
    "to_hwc",
    "to_uint8",
    "viz",
]


def __getattr__(name: str) -> Any:
    """The bank and the drawing are imported when first named: a service that convolves needs neither."""
    if name in ("filters", "viz"):
        from importlib import import_module

        return import_module(f"convkit.{name}")
    raise AttributeError(f"module 'convkit' has no attribute {name!r}")

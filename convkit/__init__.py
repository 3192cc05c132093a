"""convkit: image filters and PyTorch's Conv2d family on NumPy arrays, at the speed of the machine."""

from convkit import errors, filters, shapes
from convkit._options import options
from convkit._version import __version__
from convkit.errors import ConvkitError
from convkit.ops.conv import Conv2dPlan, conv2d, conv2d_plan
from convkit.ops.conv_transpose import conv_transpose2d

__all__ = [
    "Conv2dPlan",
    "ConvkitError",
    "__version__",
    "conv2d",
    "conv2d_plan",
    "conv_transpose2d",
    "errors",
    "filters",
    "options",
    "shapes",
]

"""convkit: image filters and PyTorch's Conv2d family on NumPy arrays, at the speed of the machine."""

from convkit import errors, shapes
from convkit._options import options
from convkit._version import __version__
from convkit.errors import ConvkitError

__all__ = [
    "ConvkitError",
    "__version__",
    "errors",
    "options",
    "shapes",
]

"""The bank of filters: plain functions on HW and HWC images.

Every filter is registered with its halo and its dtype rule (`registry`), and chains of them are written as
text (`parse`). ``docs/semantics.md`` tells, row by row, what each of them promises.
"""

from convkit.filters.edge_detection import canny
from convkit.filters.edge_preserving import bilateral
from convkit.filters.edges import gaussian_gradient, laplacian, prewitt, scharr, sobel
from convkit.filters.general import explain, filter2d, sepfilter2d
from convkit.filters.morphology import closing, dilate, erode, maximum, minimum, opening
from convkit.filters.pipeline import Pipeline, parse
from convkit.filters.rank import median
from convkit.filters.sharpen import sharpen, unsharp_mask
from convkit.filters.smooth import box, gaussian, recursive_gaussian
from convkit.filters.thresholds import otsu, threshold

__all__ = [
    "Pipeline",
    "bilateral",
    "box",
    "canny",
    "closing",
    "dilate",
    "erode",
    "explain",
    "filter2d",
    "gaussian",
    "gaussian_gradient",
    "laplacian",
    "maximum",
    "median",
    "minimum",
    "opening",
    "otsu",
    "parse",
    "prewitt",
    "recursive_gaussian",
    "scharr",
    "sepfilter2d",
    "sharpen",
    "sobel",
    "threshold",
    "unsharp_mask",
]

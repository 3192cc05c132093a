"""The bank of filters: plain functions on HW and HWC images.

Every filter is registered with its halo and its dtype rule (`registry`), and chains of them are written as
text (`parse`). ``docs/semantics.md`` tells, row by row, what each of them promises.
"""

from convkit.filters.edges import gaussian_gradient, laplacian, prewitt, scharr, sobel
from convkit.filters.general import explain, filter2d, sepfilter2d
from convkit.filters.pipeline import Pipeline, parse
from convkit.filters.sharpen import sharpen, unsharp_mask
from convkit.filters.smooth import box, gaussian

__all__ = [
    "Pipeline",
    "box",
    "explain",
    "filter2d",
    "gaussian",
    "gaussian_gradient",
    "laplacian",
    "parse",
    "prewitt",
    "scharr",
    "sepfilter2d",
    "sharpen",
    "sobel",
    "unsharp_mask",
]

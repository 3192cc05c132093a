"""The order of the gallery's examples within their topics: what comes later builds on what came before."""

from __future__ import annotations

ORDER = (
    *("first_photo", "dtypes", "compare", "contact_sheet"),
    *("layouts", "rgb_bgr", "normalised_batch"),
    *(
        "smoothing",
        "sharpening",
        "edges",
        "laplacian",
        "orientation",
        "canny",
        "gabor",
        "denoise",
        "morphology",
    ),
    *("border_pixels", "borders"),
    *("window", "stride_padding", "floor", "dilation", "transposed"),
    *("depthwise", "costs", "receptive_field", "checkerboard"),
    *("shape_trace", "where_it_breaks", "summary", "filters_as_layers", "learn_a_filter"),
    *("small_network", "receptive_fields"),
    *("pipeline", "large_image", "benchmark"),
)


class Order:
    """Sphinx-gallery's key of a file in the folder that it is made for."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __call__(self, name: str) -> int:
        """The place of ``plot_<name>.py``."""
        return ORDER.index(name.removeprefix("plot_").removesuffix(".py"))

    def __repr__(self) -> str:
        return "<Order of lessons>"

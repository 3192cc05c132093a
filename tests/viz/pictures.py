"""Every figure of `convkit.viz`, small, of the same bits each time: what the stored pictures are drawn from.

``python tests/viz/pictures.py`` draws the stored pictures anew; look at them before they are committed.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import convkit as ck
from convkit import viz

BASELINES = Path(__file__).parent / "baselines"
DPI = 45
DRAWN_BY = "3.11"  # matplotlib's version: others place and draw writing a little differently


def photo() -> np.ndarray:
    """A lit ball before a striped wall."""
    y, x = np.mgrid[0:72, 0:96].astype(np.float64)
    image = np.stack([90 + 60 * np.sin(x / 5), 110 + 0.6 * x, 150 - y], axis=-1)
    height = 1 - np.hypot(x - 50, y - 36) / 26
    light = np.clip(0.3 + 0.9 * height + 0.012 * (50 - x), 0, 1)[..., None]
    image = np.where((height > 0)[..., None], light * (250, 140, 60), image)
    return np.clip(image, 0, 255).astype(np.uint8)


PHOTO = photo()
GRAY = ck.to_gray(PHOTO)

FIGURES: dict[str, Callable[[], Figure]] = {
    "show": lambda: viz.show(PHOTO, title="a photo"),
    "show_batch": lambda: viz.show(
        ck.to_bchw([PHOTO, PHOTO[::-1]], scale="unit", mean=0.5), limits=(-0.5, 0.5)
    ),
    "show_gradient": lambda: viz.show(ck.filters.sobel(GRAY, "x")),
    "compare": lambda: viz.compare(PHOTO, ck.filters.gaussian(PHOTO, 2.0), title="blur"),
    "contact_sheet": lambda: viz.contact_sheet({"photo": PHOTO, "edges": ck.filters.canny(GRAY, 50, 100)}),
    "kernel": lambda: viz.kernel("sobel('x')"),
    "kernel_bank": lambda: viz.kernel_bank({"blur": "gaussian(sigma=1)", "dx": "scharr('x')"}, title="two"),
    "frequency_response": lambda: viz.frequency_response("box(size=(3, 7))"),
    "edges_overlay": lambda: viz.edges_overlay(PHOTO, ck.filters.sobel(GRAY)),
    "orientation": lambda: viz.orientation(*ck.filters.sobel(GRAY, "polar")[::-1]),
    "conv_geometry": lambda: viz.conv_geometry((5, 6), 3, stride=2, padding=1, step=4),
    "conv_geometry_dilated": lambda: viz.conv_geometry(7, 3, dilation=2),
    "conv_geometry_transposed": lambda: viz.conv_geometry(3, 3, 2, 1, 1, 1, True, step=(2, 3)),
    "conv_animation": lambda: _last_frame(viz.conv_animation(4, 3)),
    "shape_trace": lambda: viz.shape_trace("conv(8, 3, stride=2) | relu | pool(20)", (3, 32, 32)),
    "layout_diagram": lambda: viz.layout_diagram((224, 224, 3)),
    "figure": lambda: _beside_each_other(),
}


def _beside_each_other() -> Figure:
    found = viz.figure(12, 3.2)
    left, middle, right = found.subplots(1, 3)
    viz.layout_diagram((224, 224, 3), title="a layout", ax=left)
    viz.shape_trace("conv(8, 3, stride=2) | relu | pool(2) | flatten", (3, 32, 32), ax=middle)
    viz.conv_geometry(5, 3, ax=right)
    return found


def _last_frame(animation) -> Figure:
    animation._draw_frame(3)
    return animation._fig


def _fit() -> SimpleNamespace:
    loss = [2.0, 1.1, 0.7, 0.3, 0.15]
    return SimpleNamespace(
        loss=loss,
        validation_loss=[1.2 * v for v in loss],
        metrics={"accuracy": [0.3, 0.5, 0.6, 0.8, 0.9]},
        best_epoch=4,
    )


def _network() -> Any:
    from convkit import nn

    model = nn.Sequential(
        nn.Conv2d(3, 4, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3, stride=2)
    )
    for parameter in model.parameters():
        parameter.data[...] = np.sin(1.7 * np.arange(parameter.data.size)).reshape(parameter.data.shape)
    return model


BATCH = ck.to_bchw(PHOTO, scale="unit", mean=0.5)
NETWORKS: dict[str, Callable[[], Figure]] = {
    "weights": lambda: viz.weights(np.sin(np.arange(6 * 3 * 25)).reshape(6, 3, 5, 5), columns=3),
    "history": lambda: viz.history(_fit()),
    "feature_maps": lambda: viz.feature_maps(_network(), BATCH, "0"),
    "receptive_field": lambda: viz.receptive_field(_network(), BATCH, layer="3"),
    "shape_trace_layers": lambda: viz.shape_trace(_network(), (3, 72, 96)),
}
if find_spec("convkit.nn") is not None:
    FIGURES |= NETWORKS


def figure(name: str) -> Figure:
    """The figure `name`, small."""
    found = FIGURES[name]()
    found.set_dpi(DPI)
    return found


def pixels(name: str) -> np.ndarray:
    """The figure `name`, drawn small."""
    return viz.rendered(figure(name))


if __name__ == "__main__":
    for each in FIGURES:
        ck.imwrite(str(BASELINES / f"{each}.png"), pixels(each))

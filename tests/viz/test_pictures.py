"""Every figure looks as it did when someone looked at it."""

import inspect
import sys
from pathlib import Path

import numpy as np
import pytest

import convkit as ck
from convkit import viz

sys.path.insert(0, str(Path(__file__).parent))
import pictures

TOLERANCE = 4.0  # of 255: root mean square of the difference of blocks of 4×4 pixels; fonts move by less


def blocks(image):
    h, w = (n // 4 * 4 for n in image.shape[:2])
    return image[:h, :w].reshape(h // 4, 4, w // 4, 4, -1).astype(float).mean(axis=(1, 3))


def distance(a, b):
    return float(np.sqrt(np.mean((blocks(a) - blocks(b)) ** 2)))


@pytest.mark.parametrize("name", pictures.FIGURES)
def test_it_looks_as_before_and_is_told_in_words(name):
    expected = ck.imread(str(pictures.BASELINES / f"{name}.png"))
    figure = pictures.figure(name)
    found = viz.rendered(figure)
    assert np.abs(np.subtract(found.shape, expected.shape)).max() <= 2
    h, w = (min(a, b) for a, b in zip(found.shape[:2], expected.shape[:2], strict=True))
    assert distance(found[:h, :w], expected[:h, :w]) < TOLERANCE
    assert len(viz.alt_text(figure)) > 15


def test_the_tolerance_tells_a_small_change():
    """Another step of the window, and a kernel turned by a quarter, are not within it."""
    before = pictures.pixels("conv_geometry")
    figure = viz.conv_geometry((5, 6), 3, stride=2, padding=1, step=5)
    figure.set_dpi(pictures.DPI)
    assert distance(before, viz.rendered(figure)) > TOLERANCE
    figure = viz.kernel("sobel('y')", title="sobel('x')")
    figure.set_dpi(pictures.DPI)
    assert distance(pictures.pixels("kernel"), viz.rendered(figure)) > TOLERANCE


def test_every_public_function_that_draws_has_a_picture():
    drawing = {
        name
        for name in viz.__all__
        if inspect.signature(getattr(viz, name)).return_annotation in ("Figure", "FuncAnimation")
    }
    assert len(drawing) >= 10
    missing = {
        name
        for name in drawing
        if not any(key.startswith(name) for key in pictures.FIGURES | pictures.NETWORKS)
    }
    assert not missing

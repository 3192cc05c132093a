"""Every figure looks as it did when someone looked at it."""

import inspect
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest

import convkit as ck
from convkit import viz
from convkit.viz import diagram, geometry, networks, strip

sys.path.insert(0, str(Path(__file__).parent))
import pictures

# Of 255: the largest difference of the means of blocks of so many pixels. Matplotlib brings its fonts:
# one version gives the same pixels everywhere, another moves what it draws by a pixel.
SAME = matplotlib.__version__.rpartition(".")[0] == pictures.DRAWN_BY
BLOCK, TOLERANCE = (8, 10.0) if SAME else (16, 45.0)


def blocks(image, size):
    h, w = (n // size * size for n in image.shape[:2])
    return image[:h, :w].reshape(h // size, size, w // size, size, -1).astype(float).mean(axis=(1, 3))


def distance(a, b, size=BLOCK):
    return float(np.abs(blocks(a, size) - blocks(b, size)).max())


@pytest.mark.parametrize("name", pictures.FIGURES)
def test_it_looks_as_before_and_is_told_in_words(name):
    expected = ck.imread(str(pictures.BASELINES / f"{name}.png"))
    figure = pictures.figure(name)
    found = viz.rendered(figure)
    assert np.abs(np.subtract(found.shape, expected.shape)).max() <= 2
    h, w = (min(a, b) for a, b in zip(found.shape[:2], expected.shape[:2], strict=True))
    assert distance(found[:h, :w], expected[:h, :w]) < TOLERANCE
    assert len(viz.alt_text(figure)) > 15


def _without(name, face):
    """What draws in the colour `face` no more."""
    draw = getattr(geometry, name)
    return lambda ax, places, colour, *rest, **style: (
        None if colour == face else draw(ax, places, colour, *rest, **style)
    )


@pytest.mark.skipif(not SAME, reason="drawn by another matplotlib")
@pytest.mark.parametrize(
    ("name", "module", "part", "instead"),
    [
        ("receptive_field", networks, "_box", lambda *_: None),
        ("conv_geometry", geometry, "_stops", lambda *_: None),
        ("conv_geometry_transposed", geometry, "_cells", _without("_cells", geometry.PAPER)),
        ("conv_geometry_transposed", geometry, "_cells", _without("_cells", geometry.GREEN)),
        ("conv_geometry", geometry, "_place", lambda *_: (1, 2)),
        ("layout_diagram", diagram, "_batch", lambda *_: None),
        ("shape_trace", strip, "_break", lambda *_: None),
    ],
)
def test_the_tolerance_tells_what_is_lost(monkeypatch, name, module, part, instead):
    before = ck.imread(str(pictures.BASELINES / f"{name}.png"))
    monkeypatch.setattr(module, part, instead)
    after = pictures.pixels(name)
    h, w = np.minimum(before.shape, after.shape)[:2]
    assert distance(before[:h, :w], after[:h, :w]) > 1.5 * TOLERANCE


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

"""Figures look alike in every style of matplotlib's, and notebooks show them."""

import sys
from pathlib import Path

import matplotlib
import matplotlib.style
import numpy as np
import pytest
from matplotlib.figure import Figure

from convkit import viz
from convkit.viz.style import ink_on, luminance

sys.path.insert(0, str(Path(__file__).parent))
import pictures

LOOKS = ["show_gradient", "kernel_bank", "frequency_response", "history", "conv_animation", "layout_diagram"]
RAMP = np.arange(48, dtype=np.uint8).reshape(6, 8)


def contrast(a, b):
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def dark():
    return matplotlib.style.context(
        ["dark_background", {"image.origin": "lower", "savefig.facecolor": "black"}]
    )


# ---- notebooks --------------------------------------------------------------------------------------


def test_a_notebook_shows_what_a_cell_ends_with():
    figure = viz.show(RAMP)
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert viz.figure(2, 1)._repr_png_().startswith(b"\x89PNG")
    html = viz.conv_animation(3, kernel=2)._repr_html_()
    assert html.count("data:image/png") == 4
    assert "<button" in html


@pytest.mark.parametrize("size", [(0, 3), (3, -1)])
def test_a_figure_has_a_size(size):
    with pytest.raises(ValueError, match="expected inches, above 0"):
        viz.figure(*size)


# ---- matplotlib's styles ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", LOOKS)
def test_another_style_changes_nothing(name):
    expected = pictures.pixels(name)
    with dark():
        np.testing.assert_array_equal(pictures.pixels(name), expected)
    made = pictures.figure(name)
    with dark():
        np.testing.assert_array_equal(viz.rendered(made), expected)


def test_a_dark_style_writes_the_same_file(tmp_path):
    viz.kernel("sobel('x')").savefig(tmp_path / "light.png")
    with dark():
        viz.kernel("sobel('x')").savefig(tmp_path / "dark.png")
    assert (tmp_path / "light.png").read_bytes() == (tmp_path / "dark.png").read_bytes()


@pytest.mark.parametrize(
    "draw",
    [
        lambda ax: viz.show(RAMP, title="a ramp", ax=ax),
        lambda ax: viz.kernel("sobel('x')", ax=ax),
        lambda ax: viz.conv_geometry(5, 3, ax=ax),
        lambda ax: viz.layout_diagram(title="layouts", ax=ax),
    ],
)
def test_writing_is_read_on_a_dark_figure_of_ones_own(draw):
    with dark():
        ax = Figure().subplots()
        figure = draw(ax)
        for text in (ax.title, ax.xaxis.label):
            assert contrast(text.get_color(), figure.get_facecolor()) >= 4.5
        for text in ax.texts:
            assert contrast(text.get_color(), "#ffffff") >= 4.5 or ax.images
        assert ax.patch.get_visible()
        assert contrast(ax.get_facecolor(), "#ffffff") == 1
        assert all(image.origin == "upper" for image in ax.images)


# ---- contrast ---------------------------------------------------------------------------------------


def test_numbers_are_read_on_every_colour_of_a_kernel():
    weights = np.linspace(-1, 1, 81).reshape(9, 9)
    ax = viz.kernel(weights).axes[0]
    for weight, text in zip(weights.flat, ax.texts, strict=True):
        assert contrast(text.get_color(), ax.images[0].to_rgba(weight)) >= 4.5
    for gray in np.linspace(0, 1, 256):
        assert contrast(ink_on((gray, gray, gray)), (gray, gray, gray)) >= 4.5


def test_a_dollar_is_a_dollar():
    figure = viz.show(RAMP, title="from $5 to $6")
    assert viz.rendered(figure).any()
    assert not figure.axes[0].title.get_parse_math()

"""The contact sheet: every dtype is shown truthfully, and nothing global is touched."""

import sys

import numpy as np
import pytest

from convkit import viz

pytest.importorskip("matplotlib")
rng = np.random.default_rng(24)


def shown(array, **options):
    return viz.contact_sheet({"it": array}, **options).axes[0].images[0]


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64", "bool"])
@pytest.mark.parametrize("shape", [(9, 12), (9, 12, 1), (9, 12, 3), (9, 12, 4)])
def test_every_dtype_and_shape_can_be_drawn(dtype, shape):
    if dtype == "bool" and len(shape) == 3 and shape[2] > 1:
        pytest.skip("a mask has one channel")
    sheet = viz.contact_sheet({"it": rng.integers(0, 200, shape).astype(dtype)})
    pixels = viz.rendered(sheet)
    assert (pixels.dtype, pixels.shape[2]) == (np.uint8, 3)


def test_photos_are_shown_as_they_are():
    photo = rng.integers(0, 256, (8, 9, 3), np.uint8)
    np.testing.assert_array_equal(shown(photo).get_array(), photo)
    gray = shown(photo[..., 0])
    assert (gray.get_cmap().name, gray.get_clim()) == ("gray", (0, 255))
    np.testing.assert_array_equal(shown(photo.astype(np.uint16) * 257).get_array(), photo)


def test_gradients_diverge_around_zero_and_magnitudes_start_there():
    signed = shown(np.linspace(-3, 1, 99).reshape(9, 11))
    low, high = signed.get_clim()
    assert signed.get_cmap().name == "RdBu_r"
    assert -low == high > 2.9
    assert shown(np.linspace(0, 5, 99).reshape(9, 11)).get_clim()[0] == 0


def test_angles_go_round():
    angle = viz.contact_sheet({"it": np.zeros((4, 4))}, cyclic=["it"]).axes[0].images[0]
    assert (angle.get_cmap().name, angle.get_clim()) == ("twilight", (-np.pi, np.pi))


def test_coloured_gradients_show_the_strongest_channel():
    found = shown(np.array([[[1.0, -5.0, 2.0], [3.0, 0.0, 1.0]]])).get_array()
    assert found.tolist() == [[-5.0, 3.0]]


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_constant_and_unreal_images_are_drawn(value):
    viz.rendered(viz.contact_sheet({"it": np.full((4, 5), value)}))


def test_the_grid_has_no_empty_axes():
    images = {str(i): np.zeros((4, 5)) for i in range(7)}
    assert len(viz.contact_sheet(images, columns=3, title="seven").axes) == 7
    assert len(viz.contact_sheet(images).axes) == 7


def test_what_is_no_image_is_refused():
    with pytest.raises(ValueError, match="images is empty"):
        viz.contact_sheet({})
    with pytest.raises(ValueError, match=r"bad has shape \(5, 6, 2\)"):
        viz.contact_sheet({"bad": np.zeros((5, 6, 2))})
    with pytest.raises(TypeError, match="bad is None"):
        viz.contact_sheet({"bad": None})
    with pytest.raises(ValueError, match="columns is 0"):
        viz.contact_sheet({"it": np.zeros((4, 5))}, columns=0)


def test_pyplot_is_left_alone():
    before = "matplotlib.pyplot" in sys.modules
    shown(np.zeros((4, 4)))
    assert ("matplotlib.pyplot" in sys.modules) == before

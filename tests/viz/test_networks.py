"""What is drawn of a network is what its layers hold and give."""

from types import SimpleNamespace

import numpy as np
import pytest

import convkit as ck
from convkit import viz

rng = np.random.default_rng(8)


def tiles(figure):
    return [np.asarray(image.get_array()) for image in figure.axes[0].images]


def test_weights_of_three_channels_are_colours_and_others_tiles():
    coloured = rng.standard_normal((5, 3, 7, 7))
    shown = tiles(viz.weights(coloured))
    assert [tile.shape for tile in shown] == [(7, 7, 3)] * 5
    np.testing.assert_allclose(shown[2], coloured[2].transpose(1, 2, 0) / (2 * np.abs(coloured).max()) + 0.5)
    plain = rng.standard_normal((4, 2, 3, 3))
    shown = tiles(viz.weights(SimpleNamespace(weight=SimpleNamespace(data=plain)), count=6))
    np.testing.assert_array_equal(shown, plain.reshape(8, 3, 3)[:6])
    with pytest.raises(ValueError, match="weights of shape"):
        viz.weights(np.zeros((3, 3)))


def test_weights_tell_how_many_are_left_out_and_go_by_outputs():
    nn = pytest.importorskip("convkit.nn")
    said = viz.alt_text(viz.weights(rng.standard_normal((16, 8, 3, 3))))
    assert said == "Weights: 16 kernels of 8×3×3, 64 of 128 tiles"
    figure = viz.weights(rng.standard_normal((5, 3, 3, 3)), count=2, title="first layer")
    assert any("first layer, 2 of 5 tiles" in text.get_text() for text in [figure._suptitle, *figure.texts])
    layer = nn.ConvTranspose2d(4, 6, 3, groups=2)
    shown = tiles(viz.weights(layer))
    assert viz.alt_text(viz.weights(layer)) == "Weights: 6 kernels of 2×3×3"
    np.testing.assert_array_equal(shown[2 * 4 + 1], layer.weight.data[3, 1])  # output 4: the second group's 1
    coloured = nn.ConvTranspose2d(3, 6, 5)
    assert [tile.shape for tile in tiles(viz.weights(coloured))] == [(5, 5, 3)] * 6


def test_a_history_is_drawn_epoch_by_epoch():
    fit = SimpleNamespace(
        loss=[4.0, 1.0, 0.1],
        validation_loss=[5.0, 2.0, 0.2],
        metrics={"accuracy": [0.1, 0.5, 0.9]},
        best_epoch=2,
    )
    figure = viz.history(fit)
    left, right = figure.axes
    assert [line.get_ydata().tolist() for line in left.lines[:2]] == [fit.loss, fit.validation_loss]
    assert left.get_yscale() == "log"
    assert right.lines[0].get_ydata().tolist() == [0.1, 0.5, 0.9]
    with pytest.raises(ValueError, match="no epochs"):
        viz.history(SimpleNamespace(loss=[], validation_loss=[], metrics={}, best_epoch=0))


# ---- with layers ------------------------------------------------------------------------------------


def network(nn):
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 6, 3, stride=2, dilation=2)
    )


def test_feature_maps_are_what_the_layer_gives():
    nn = pytest.importorskip("convkit.nn")
    model, image = network(nn), rng.standard_normal((1, 24, 24)).astype(np.float32)
    expected = ck.conv2d(
        image, model.get_submodule("0").weight.data, model.get_submodule("0").bias.data, padding=1
    )
    np.testing.assert_allclose(tiles(viz.feature_maps(model, image, "0")), expected, atol=1e-5)
    assert len(tiles(viz.feature_maps(model, image[None], model.get_submodule("3"), count=5))) == 5
    assert model.training
    with pytest.raises(ValueError, match="one of '0', '1', '2', '3'"):
        viz.feature_maps(model, image, "head")


def test_the_box_holds_the_gradient_and_its_corners_are_reached():
    """Theory is a bound that a chain without zeros attains: measured and computed fields have one extent."""
    nn = pytest.importorskip("convkit.nn")
    model = nn.Sequential(
        nn.Conv2d(1, 1, 3, padding=1), nn.AvgPool2d(2), nn.Conv2d(1, 1, 3, stride=2, dilation=2)
    )
    for parameter in model.parameters():
        parameter.data[...] = 1
    ax = viz.receptive_field(model, rng.random((1, 40, 40)), unit=(3, 4)).axes[0]
    heat = np.asarray(ax.images[1].get_array())[..., 3]
    rows, columns = np.nonzero(heat.max(axis=1))[0], np.nonzero(heat.max(axis=0))[0]
    box = ax.patches[0]
    assert (box.get_x() + 0.5, box.get_y() + 0.5) == (columns[0], rows[0])
    assert (box.get_width(), box.get_height()) == (columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1)


def boxes(model, image, **options):
    figure = viz.receptive_field(model, image, **options)
    corners = [
        (p.get_x() + 0.5, p.get_y() + 0.5, p.get_width(), p.get_height()) for p in figure.axes[0].patches
    ]
    return corners, viz.alt_text(figure)


def test_a_box_is_drawn_where_the_windows_have_one_size_and_else_the_title_says_why():
    nn = pytest.importorskip("convkit.nn")
    image = rng.random((1, 24, 24))
    conv = nn.Conv2d(1, 1, 3)
    for layers, box in (
        ([nn.Conv2d(1, 1, 3, padding=1), nn.AdaptiveAvgPool2d(4)], (11, 11, 8, 8)),
        ([nn.Conv2d(1, 1, 3, stride=2, padding="same")], (12, 12, 3, 3)),
        ([nn.ZeroPad2d(2), nn.ReLU(), conv], (11, 11, 3, 3)),
    ):
        assert boxes(nn.Sequential(*layers), image)[0] == [box]
    for layers, name in (
        ([nn.ConvTranspose2d(1, 1, 3, stride=2), conv], "ConvTranspose2d"),
        ([nn.AdaptiveAvgPool2d(7), conv], "AdaptiveAvgPool2d"),
        ([conv, nn.GroupNorm(1, 1)], "GroupNorm"),
    ):
        found, said = boxes(nn.Sequential(*layers), image)
        assert found == []
        assert f"no box, as {name} has no windows of one size" in said


def test_functions_between_layers_hand_the_box_on_and_sums_of_branches_do_not():
    nn = pytest.importorskip("convkit.nn")

    class Two(nn.Module):
        def __init__(self, skip):
            self.a, self.b, self.skip = nn.Conv2d(1, 1, 3, padding=1), nn.Conv2d(1, 1, 3), skip

        def forward(self, x):
            y = nn.functional.gelu(self.a(x))
            return self.b(x + y if self.skip else y)

    image = rng.random((1, 9, 9))
    assert boxes(Two(False), image)[0] == [(2, 2, 5, 5)]
    found, said = boxes(Two(True), image)
    assert found == []
    assert "no box, as an operation between layers" in said
    assert boxes(Two(True), image, layer="a")[0] == [(3, 3, 3, 3)]


def test_a_batch_is_traced_as_its_images_are():
    nn = pytest.importorskip("convkit.nn")
    for model in (network(nn), "conv(4, 3, padding=1) | relu | pool(2)"):
        one, batch = (viz.alt_text(viz.shape_trace(model, shape)) for shape in ((1, 24, 24), (8, 1, 24, 24)))
        assert one == batch
        assert "refuses" not in one
    lines = nn.Sequential(nn.Conv1d(3, 4, 5), nn.ReLU(), nn.Conv1d(4, 4, 9))
    assert viz.alt_text(viz.shape_trace(lines, (2, 3, 16))).endswith("gives 4×4")
    broken = viz.shape_trace(lines, (3, 8))
    assert viz.alt_text(broken).startswith(
        "Shapes: 3×8, Conv1d(3, 4, kernel_size=5) gives 4×4, ReLU gives 4×4, "
        "Conv1d(4, 4, kernel_size=9) refuses: the output width would be -4"
    )
    told = " ".join(" ".join(text.get_text().split()) for text in broken.axes[0].texts)
    assert "strides that halve it too often" in told  # to the last word


def test_traces_of_layers_are_drawn_and_break_in_red():
    nn = pytest.importorskip("convkit.nn")
    said = viz.alt_text(viz.shape_trace(network(nn), (1, 24, 24)))
    assert said.endswith("6×4×4")
    figure = viz.shape_trace(network(nn), (1, 8, 8))
    assert "refuses" in viz.alt_text(figure)
    assert any("likely cause" in text.get_text() for text in figure.axes[0].texts)


def test_a_model_is_drawn_as_its_forward_runs_and_breaks_where_it_does():
    nn = pytest.importorskip("convkit.nn")

    class Net(nn.Module):
        def __init__(self, last):
            self.a, self.b, self.last = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), last

        def forward(self, x):
            return self.last(self, self.a(x))

    def boom(net, y):
        raise RuntimeError("boom")

    whole, skip = Net(lambda net, y: net.b(y.mean((2, 3), True))), Net(lambda net, y: y + net.b(y))
    pooled = Net(lambda net, y: y.mean((2, 3)))
    said = [viz.alt_text(viz.shape_trace(model, (3, 8, 8))) for model in (whole, skip, pooled)]
    assert "gives 4×6×6, Net.forward gives 4×1×1, Conv2d(4, 4, kernel_size=3) refuses: " in said[0]
    assert "gives 4×6×6, Conv2d(4, 4, kernel_size=3) gives 4×4×4, Net.forward refuses: " in said[1]
    assert said[2].endswith("gives 4×6×6, Net.forward gives 4")
    for model in (skip, nn.Sequential(skip), [skip]):
        told = viz.shape_trace(model, (2, 3, 8, 8)).axes[0].texts
        told = " ".join(" ".join(text.get_text() for text in told).split())
        assert "between the layers of Net" in told
        assert "lambda net, y: y + net.b(y)" in told or "self.last(self, self.a(x))" in told

    class Early(nn.Sequential):
        def forward(self, x):
            return super().forward(x.mean((2, 3), True))

    said = viz.alt_text(viz.shape_trace(Early(nn.Conv2d(3, 4, 3)), (3, 8, 8)))
    assert said.startswith("Shapes: 3×8×8, Early.forward gives 3×1×1, Conv2d(3, 4, kernel_size=3) refuses: ")
    with pytest.raises(RuntimeError, match="boom"):
        viz.shape_trace(Net(boom), (3, 8, 8))


def test_a_model_that_ends_in_a_number_is_drawn():
    nn = pytest.importorskip("convkit.nn")

    class Score(nn.Module):
        def __init__(self, dims):
            self.conv, self.dims = nn.Conv2d(3, 4, 3), dims

        def forward(self, x):
            return self.conv(x).mean(self.dims)

    for dims in (None, (1, 2, 3)):  # of the batch, or of each image
        for shape in ((3, 8, 8), (2, 3, 8, 8)):
            figure = viz.shape_trace(Score(dims), shape)
            assert viz.alt_text(figure).endswith("gives 4×6×6, Score.forward gives a number")
            viz.rendered(figure)


def test_layers_within_a_layer_are_not_written_out():
    nn = pytest.importorskip("convkit.nn")
    model = nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), nn.Flatten())
    said = viz.alt_text(viz.shape_trace(model, (3, 8, 8)))
    assert said == "Shapes: 3×8×8, Sequential(…) gives 4×6×6, Flatten gives 144"
    lines = str(nn.trace_shapes(model, (3, 8, 8))).splitlines()
    assert lines[3].startswith(")")
    assert lines[3].index("(3, 8, 8)") == lines[4].index("(4, 6, 6)")
    assert max(map(len, lines)) < 120


def test_a_photo_as_it_was_read_is_told_the_line_that_mends_it():
    nn = pytest.importorskip("convkit.nn")
    model, photo = network(nn), rng.random((20, 24, 1), np.float32)
    for draw in (lambda x: viz.feature_maps(model, x, "0"), lambda x: viz.receptive_field(model, x)):
        with pytest.raises(nn.LayerError) as caught:
            draw(photo)
        assert caught.value.mend.startswith("ck.to_bchw(image), ")
        draw(ck.to_bchw(photo))


def test_the_size_that_a_refused_layer_needs_is_its_own():
    steps = viz.trace_steps("pool(2) | pool(20, padding=3)", (3, 16, 16))
    assert "at least 14×14 at this layer" in steps[-1].mend
    assert viz.trace_steps("pool(20, padding=3)", (3, 14, 14))[-1].gave == (3, 1, 1)


def test_a_bare_layer_is_a_model_of_one():
    nn = pytest.importorskip("convkit.nn")
    said = [viz.alt_text(viz.shape_trace(nn.Conv2d(n, 8, 3), (3, 32, 32))) for n in (3, 4)]
    assert said[0] == "Shapes: 3×32×32, Conv2d(3, 8, kernel_size=3) gives 8×30×30"
    assert said[1].startswith("Shapes: 3×32×32, Conv2d(4, 8, kernel_size=3) refuses: input has shape")


def test_a_receptive_field_leaves_what_training_has_gathered():
    nn = pytest.importorskip("convkit.nn")
    model, image = network(nn), rng.standard_normal((1, 24, 24)).astype(np.float32)
    viz.receptive_field(model, image)
    assert all(parameter.grad is None for parameter in model.parameters())
    model(nn.Tensor(image[None], requires_grad=True)).sum().backward()
    gathered = [np.array(parameter.grad.data) for parameter in model.parameters()]
    viz.receptive_field(model, image)
    for parameter, gradient in zip(model.parameters(), gathered, strict=True):
        np.testing.assert_array_equal(parameter.grad.data, gradient)


def test_the_figure_of_a_receptive_field_has_a_bound():
    nn = pytest.importorskip("convkit.nn")
    for shape in ((3, 3000, 10), (3, 10, 3000)):
        figure = viz.receptive_field(nn.Conv2d(3, 1, 3), np.zeros(shape, np.float32))
        assert 1.5 < figure.get_figheight() < 10.5


def test_what_is_not_finite_is_told():
    nn = pytest.importorskip("convkit.nn")
    image = np.zeros((1, 6, 7), np.float32)
    image[0, 2, 3] = np.nan
    assert "1 not finite" in viz.alt_text(viz.feature_maps(nn.Sequential(nn.ReLU()), image, "0"))
    layer = nn.Conv2d(1, 1, 3)
    layer.weight.data[0, 0, 1, 1] = np.nan
    assert "not finite" in viz.alt_text(viz.receptive_field(layer, np.zeros((1, 6, 7), np.float32)))


def test_weights_that_are_none_are_told():
    weights = np.ones((2, 3, 5, 5))
    weights[1] = np.nan
    figure = viz.weights(weights)
    assert viz.alt_text(figure) == "Weights: 2 kernels of 3×5×5, 75 not finite"
    assert "75 not finite" in figure.get_suptitle()


def _history(**curves):
    fit = SimpleNamespace(loss=[2.0, np.nan, 0.5], validation_loss=[], metrics=curves, best_epoch=2)
    return viz.history(fit)


def test_epochs_are_whole_and_those_without_a_number_are_marked():
    figure = _history(a=[0.1, 0.2, np.inf])
    left, right = figure.axes
    for ax, at in ((left, 2), (right, 3)):
        assert all(tick == int(tick) for tick in ax.get_xticks())
        assert ax.get_xlabel() == "epoch, 1 not finite: ×"
        crosses = [line for line in ax.lines if line.get_marker() == "x"]
        assert [x for line in crosses for x in line.get_xdata()] == [at]
    assert viz.alt_text(figure).endswith("in 3 epochs, 2 not finite")


def test_twenty_curves_look_different_and_their_names_lie_beside_them():
    figure = _history(**{f"m{i}": [0.1, 0.2, 0.3] for i in range(20)})
    viz.rendered(figure)
    lines = [line for line in figure.axes[1].lines if line.get_marker() != "x"]
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == 20
    for ax in figure.axes:
        assert ax.get_legend().get_window_extent().y0 >= ax.get_window_extent().y1 - 1

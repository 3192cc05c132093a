"""What lessons on `Conv2d` teach and warn of, with layers: steps, experiments, symptoms and causes."""

import json
from functools import partial

import numpy as np
import pytest

import convkit as ck
from convkit import nn
from convkit.nn import LayerError

rng = np.random.default_rng(7)


def randn(*shape):
    return rng.standard_normal(shape).astype(np.float32)


# ---- the layer, and its parameters ------------------------------------------------------------------


c = partial(partial, nn.Conv2d)


@pytest.mark.parametrize(
    ("layer", "given", "gave", "weight"),
    [
        (c(3, 64, kernel_size=3, stride=1, padding=1), (1, 3, 224, 224), (1, 64, 224, 224), (64, 3, 3, 3)),
        (c(3, 16, kernel_size=3, padding=1, stride=2), (2, 3, 32, 32), (2, 16, 16, 16), (16, 3, 3, 3)),
        (c(3, 8, kernel_size=3, stride=1, padding=1), (1, 3, 32, 32), (1, 8, 32, 32), (8, 3, 3, 3)),
        (c(3, 8, kernel_size=3, stride=2, padding=1), (1, 3, 32, 32), (1, 8, 16, 16), (8, 3, 3, 3)),
        (c(3, 8, kernel_size=5, stride=1, padding=0), (1, 3, 32, 32), (1, 8, 28, 28), (8, 3, 5, 5)),
        (c(8, 8, kernel_size=3, padding=1, groups=8), (1, 8, 32, 32), (1, 8, 32, 32), (8, 1, 3, 3)),
        (c(1, 2, kernel_size=1, stride=1), (1, 1, 1, 1), (1, 2, 1, 1), (2, 1, 1, 1)),
        (c(1, 1, kernel_size=2, stride=2), (1, 1, 3, 3), (1, 1, 1, 1), (1, 1, 2, 2)),
        (c(1, 1, kernel_size=2, stride=1, padding=1), (1, 1, 3, 3), (1, 1, 4, 4), (1, 1, 2, 2)),
        (c(1, 16, kernel_size=3, stride=1, padding=1), (1, 1, 28, 28), (1, 16, 28, 28), (16, 1, 3, 3)),
        (c(3, 32, kernel_size=5, stride=2, padding=2), (1, 3, 64, 64), (1, 32, 32, 32), (32, 3, 5, 5)),
        (
            c(1, 8, kernel_size=3, stride=1, padding=1, dilation=2),
            (1, 1, 28, 28),
            (1, 8, 26, 26),
            (8, 1, 3, 3),
        ),
        (c(3, 64, kernel_size=(3, 3), stride=(2, 2), bias=False), (1, 3, 9, 9), (1, 64, 4, 4), (64, 3, 3, 3)),
    ],
)
def test_the_lessons_layers(layer, given, gave, weight):
    conv = layer()
    x = randn(*given)
    y = conv(x)
    assert y.shape == gave
    assert conv.weight.shape == weight
    arguments = {
        "stride": conv.stride,
        "padding": conv.padding,
        "dilation": conv.dilation,
        "groups": conv.groups,
    }
    bias = None if conv.bias is None else conv.bias.data
    np.testing.assert_array_equal(y, ck.conv2d(x, conv.weight.data, bias, **arguments))


def test_depthwise_separable_saves_parameters():
    x = randn(1, 3, 5, 5)
    depthwise, pointwise = nn.Conv2d(3, 3, kernel_size=3, groups=3), nn.Conv2d(3, 1, kernel_size=1)
    assert depthwise(x).shape == (1, 3, 3, 3)
    assert pointwise(depthwise(x)).shape == (1, 1, 3, 3)
    count = lambda layer: sum(p.numel() for p in layer.parameters())  # noqa: E731
    assert count(nn.SeparableConv2d(32, 64, 3, bias=False)) == 2_336
    assert count(nn.Conv2d(32, 64, 3, bias=False)) == 18_432


def test_a_drill_of_two_layers():
    """Shapes by hand first, then the code, then an assertion that something is left."""
    first, second = nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.Conv2d(8, 16, 5, stride=2, padding=2)
    by_hand = ck.shapes.conv2d_output(ck.shapes.conv2d_output((64, 64), 3, 2, 1), 5, 2, 2)
    y = second(first(randn(1, 3, 64, 64)))
    assert y.shape[2:] == by_hand
    assert y.shape[2] > 0
    assert y.shape[3] > 0
    assert [step.gave for step in nn.trace_shapes([first, second], (3, 64, 64))] == [
        (8, 32, 32),
        (16, 16, 16),
    ]


def test_local_connectivity_and_weight_sharing_need_few_parameters():
    assert nn.Conv2d(3, 64, 3).weight.numel() == 1_728
    assert ck.shapes.conv2d_output((224, 224), 3, padding=1) == (224, 224)
    assert np.prod((3, 224, 224)) == 150_528


# ---- symptom → likely cause -------------------------------------------------------------------------


def test_symptom_channels():
    """ "Expected … to have 3 channels, but got 1": in_channels, colour or gray."""
    with pytest.raises(LayerError) as caught:
        nn.Conv2d(3, 8, 3)(randn(1, 1, 32, 32))
    told = str(caught.value)
    assert "1 channels; the weight expects 3" in told
    assert "a gray image for a layer of colour ones: in_channels is 3" in caught.value.cause
    assert "nn.Conv2d(1, ...)" in caught.value.mend
    assert caught.value.trace[-1].gave is None
    with pytest.raises(LayerError, match=r"ck\.to_gray\(image\)"):
        nn.Conv2d(1, 8, 3)(randn(1, 3, 32, 32))


def test_symptom_channels_last():
    for x, mend in (
        (randn(224, 224, 3), r"ck\.to_bchw\(image\)"),
        (randn(2, 32, 32, 3), r"ck\.to_bchw\(image\), which gives \(2, 3, 32, 32\)"),
    ):
        with pytest.raises(LayerError, match=f"channels last(.|\n)*mend: {mend}"):
            nn.Conv2d(3, 8, 3)(x)


def test_symptom_channels_between_layers():
    """The trace tells what ran, and which layer broke it."""
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.ReLU(),
        nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(16, 32, 3)),
        nn.ReLU(),
    )
    with pytest.raises(LayerError) as caught:
        model(randn(2, 3, 32, 32))
    assert [step.gave for step in caught.value.trace] == [
        (2, 8, 32, 32),
        (2, 8, 32, 32),
        (2, 8, 16, 16),
        None,
    ]
    assert "what comes before gives 8 channels" in caught.value.cause
    assert "nn.Conv2d(8, 32, ...)" in caught.value.mend
    assert "3: Conv2d(16, 32" in str(caught.value)
    assert "(2, 8, 16, 16) -> refused" in str(caught.value)


def test_symptom_linear_after_maps():
    with pytest.raises(LayerError, match=r"without being flattened(.|\n)*nn\.Flatten\(\)"):
        nn.Sequential(nn.Conv2d(1, 4, 3), nn.Linear(4, 2))(randn(2, 1, 8, 8))
    with pytest.raises(LayerError, match=r"made for 100 features, not 144(.|\n)*nn\.Linear\(144, \.\.\.\)"):
        nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(100, 2))(randn(2, 1, 8, 8))
    with pytest.raises(LayerError, match=r"BatchNorm2d was made for 8 features, not 4"):
        nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(8))(randn(2, 1, 8, 8))


def test_symptom_output_smaller_than_expected():
    """Missing padding or a large stride: the trace says which layer takes what."""
    steps = nn.trace_shapes([(5, 1), (3, 2, 1, 1), {"kernel": 3, "dilation": 2}], (32, 48))
    assert [step.gave for step in steps] == [(28, 44), (14, 22), (10, 18)]
    assert [step.note for step in steps] == [
        "kernel 5 with padding 0 takes 4", "stride 2", "kernel 3 with padding 0 takes 4",
    ]  # fmt: skip
    assert "(28, 44) -> (14, 22)  (stride 2)" in str(steps)
    layers = [nn.Conv2d(3, 8, 5), nn.MaxPool2d(2), nn.Conv2d(8, 4, 3, padding=1)]
    steps = nn.trace_shapes(layers, (3, 32, 32))
    assert [step.gave for step in steps] == [(8, 28, 28), (8, 14, 14), (4, 14, 14)]
    assert steps[0].note == "kernel 5 with padding 0 takes 4"


def test_symptom_spatial_collapse():
    with pytest.raises(LayerError, match="effective kernel 3") as caught:
        nn.trace_shapes([(3, 2)] * 6, 32)
    assert [step.gave for step in caught.value.trace] == [(15,), (7,), (3,), (1,), None]
    assert "halve the map too often" in caught.value.cause
    assert "padding=1" in caught.value.mend
    with pytest.raises(LayerError) as caught:
        nn.Sequential(*[nn.Conv2d(3, 3, 3, stride=2) for _ in range(6)])(randn(1, 3, 32, 32))
    assert [step.gave[-1] for step in caught.value.trace[:-1]] == [15, 7, 3, 1]
    assert "shrunk to (1, 1)" in caught.value.cause
    with pytest.raises(LayerError, match="what comes before gives 4 channels"):
        nn.trace_shapes([nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3)], (3, 8, 8))


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid")
def test_symptom_nan_in_early_training():
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 1))
    x = randn(16, 1, 8, 8)
    optimiser = nn.optim.SGD(model.parameters(), lr=1e4)
    with pytest.raises(nn.TrainingError, match=r"learning rate, 10000, is too high(.|\n)*clip_norm"):
        nn.fit(model, (x, x.mean((2, 3))), nn.MSELoss(), optimiser, 50)


def test_symptom_parameters_explode():
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Flatten(), nn.Linear(8 * 64 * 64, 256))
    told = nn.summary(model, (3, 64, 64))
    assert told.rows[2].parameters == 8 * 64 * 64 * 256 + 256
    assert told.notes == [
        "2, Linear(32768, 256), holds 100% of the parameters: pool before it: nn.AdaptiveAvgPool2d(1)"
    ]
    wide = nn.summary(nn.Sequential(nn.Conv2d(3, 512, 7), nn.Conv2d(512, 512, 7)), (3, 16, 16))
    assert "SeparableConv2d" in wide.notes[0]
    assert nn.summary(nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3)), (3, 16, 16)).notes == []
    thrice = nn.Sequential(*(nn.Conv2d(160, 160, 7, padding=3) for _ in range(3)))
    (note,) = nn.summary(thrice, (160, 2, 2)).notes
    assert note.startswith("0, Conv2d(160, 160, k=7), and 2 more like it hold 100% of the parameters: fewer")
    (note,) = nn.summary(nn.Linear(100_000, 20), (1, 100_000)).notes
    assert note.startswith("Linear(100000, 20) holds 100% of the parameters: fewer features")


@pytest.mark.parametrize(("size", "fits"), [((20, 20), (28, 28)), ((32, 32), (28, 28)), ((30, 60), (20, 40))])
def test_symptom_another_size_of_image(size, fits):
    """A model made for one size of image, given another: said by arithmetic, and it runs."""
    features = {(28, 28): 49, (20, 40): 50}[fits] * 8
    layers = [nn.Conv2d(3, 4, 3, padding=1), nn.MaxPool2d(2), nn.Conv2d(4, 8, 3, padding=1), nn.MaxPool2d(2)]

    class Own(nn.Module):
        def __init__(self):
            self.features, self.head = nn.Sequential(*layers), nn.Linear(features, 2)

        def forward(self, x):
            return self.head(nn.functional.relu(self.features(x)).flatten(1))

    for model in (nn.Sequential(*layers, nn.Flatten(), nn.Linear(features, 2)), Own()):
        with pytest.raises(LayerError, match="another size of image") as caught:
            model(randn(2, 3, *size))
        found = size[0] // 4 * (size[1] // 4) * 8
        assert caught.value.mend == f"nn.Linear({found}, ...), or images of {fits[0]}×{fits[1]}"
        assert model(randn(2, 3, *fits)).shape == (2, 2)


# ---- groups -----------------------------------------------------------------------------------------


def test_groups_that_divide_nothing():
    with pytest.raises(ValueError, match="groups is 3, which does not divide in_channels, 8"):
        nn.Conv2d(in_channels=8, out_channels=8, kernel_size=3, padding=1, groups=3)


# ---- summary ----------------------------------------------------------------------------------------


def test_summary_counts():
    model = nn.Sequential(
        nn.Conv2d(3, 16, 7, stride=2, padding=3),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
        nn.Conv2d(16, 32, 3, padding=2, dilation=2, groups=4),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(32, 10),
    ).train()
    told = nn.summary(model, (2, 3, 64, 64))
    rows = {row.name: row for row in told.rows}
    assert told.input_shape == (2, 3, 64, 64)
    assert rows["0"].output_shape == (2, 16, 32, 32)
    assert rows["0"].macs == 2 * 16 * 32 * 32 * 3 * 49
    assert rows["4"].macs == 2 * 32 * 16 * 16 * 4 * 9
    assert rows["7"].macs == 2 * 320
    assert [rows[n].receptive_field for n in "034"] == [(7, 7), (11, 11), (27, 27)]
    assert [rows[n].jump for n in "034"] == [(2, 2), (4, 4), (4, 4)]
    by_shapes = ck.shapes.receptive_field([(7, 2, 1, 3), (3, 2, 1, 1), (3, 1, 2, 2)])
    assert by_shapes[:2] == (27, 4)
    assert rows["7"].receptive_field is None
    assert rows["0"].bytes == 2 * 16 * 32 * 32 * 4
    assert (
        told.parameters == sum(p.numel() for p in model.parameters()) == sum(r.parameters for r in told.rows)
    )
    assert model.training
    assert int(model[1].num_batches_tracked) == 0
    data = json.loads(told.to_json())
    assert data["macs"] == told.macs == sum(r.macs for r in told.rows)
    assert "<td>Conv2d(3, 16, k=7, s=2)</td>" in told._repr_html_()
    lines = str(told).splitlines()
    assert {len(line.rstrip("─")) for line in lines[1:2]} == {0}
    assert lines[-1].startswith(f"{told.parameters:,} parameters")


def test_summary_of_branches():
    """Beyond a sum of branches no chain is left, and no receptive field is made up."""

    class Skip(nn.Module):
        def __init__(self):
            self.a, self.b = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 3)

        def forward(self, x):
            return self.b(x + self.a(x))

    told = nn.summary(Skip(), (3, 8, 8))
    assert [row.receptive_field for row in told.rows] == [(3, 3), None]


def test_summary_of_what_does_not_fit():
    with pytest.raises(LayerError, match="what comes before gives 8 channels"):
        nn.summary(nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(4, 8, 3)), (3, 16, 16))

"""Sizes of layers by arithmetic: those that running gives, without arrays; fields are those measured."""

import numpy as np
import pytest

from convkit import nn, viz
from convkit.nn.trace import says, shape_after

rng = np.random.default_rng(31)
F = nn.functional


class OfTheUser(nn.Module):
    """A module that says nothing of its sizes."""

    def __init__(self):
        self.conv = nn.Conv2d(6, 4, 3)

    def forward(self, x):
        return F.relu(self.conv(x)).mean((2, 3))


class Cropped(nn.Conv2d):
    """A layer whose class says sizes that its own forward does not keep."""

    def forward(self, input):
        return super().forward(input)[..., :-1]


LAYERS = [
    nn.Conv2d(6, 4, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2),
    nn.Conv2d(6, 4, 3, stride=2, padding="same"),
    nn.Conv2d(6, 4, 3, padding=(0, 1, 2, 3)),
    nn.ConvTranspose2d(6, 4, 3, stride=2, padding=1, output_padding=1),
    nn.LazyConv2d(4, 3, stride=2),
    nn.SeparableConv2d(6, 4, 3),
    nn.DepthwiseConv2d(6, 3, 2),
    nn.MaxPool2d(3, 2, 1, ceil_mode=True),
    nn.MaxPool2d(2, return_indices=True),
    nn.AvgPool2d((2, 3)),
    nn.AdaptiveAvgPool2d((None, 3)),
    nn.AdaptiveMaxPool2d(2),
    nn.Unfold(3, 1, 1, 2),
    nn.BatchNorm2d(6),
    nn.InstanceNorm2d(6),
    nn.GroupNorm(3, 6),
    nn.LayerNorm((12, 10)),
    nn.Linear(10, 7),
    nn.Flatten(),
    nn.Flatten(2),
    nn.Unflatten(1, (2, -1)),
    nn.PixelUnshuffle(2),
    nn.Upsample(scale_factor=(1.5, 2)),
    nn.ZeroPad2d((1, 2, 3, 4)),
    nn.ReflectionPad2d(2),
    nn.PReLU(6),
    nn.Softmax(1),
    nn.Dropout(),
    nn.Identity(),
    nn.Sequential(nn.Conv2d(6, 4, 3), nn.ReLU(), nn.PixelShuffle(2)),
    nn.Conv2d(6, 4, 3).freeze(),
    OfTheUser(),
    Cropped(6, 4, 3),
]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
def test_a_layer_tells_the_shape_that_it_gives(layer):
    told = shape_after(layer, (2, 6, 12, 10))
    output = layer.eval()(rng.standard_normal((2, 6, 12, 10)).astype(np.float32))
    assert told == (output[0] if isinstance(output, tuple) else output).shape


def test_every_layer_of_ours_tells_it_by_arithmetic():
    silent = {type(layer).__name__ for layer in LAYERS if not says(layer, "_shape")}
    assert silent == {"OfTheUser", "Cropped"}
    lines = nn.Sequential(
        nn.Conv1d(3, 4, 5, stride=2, padding=1), nn.BatchNorm1d(4), nn.Flatten(), nn.Fold((4, 4), 2)
    )
    assert shape_after(lines[:3], (2, 3, 21)) == (2, 40)
    assert shape_after(lines[3], (2, 12, 9)) == lines[3](np.zeros((2, 12, 9), np.float32)).shape


def test_tracing_makes_no_arrays():
    """A batch of a million images of a gigapixel has a shape all the same."""
    model = nn.Sequential(
        nn.Conv2d(3, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
    )  # fmt: skip
    steps = nn.trace_shapes(model, (10**6, 3, 2**15, 2**15))
    assert [step.gave for step in steps][-4:] == [
        (10**6, 64, 2**14, 2**14), (10**6, 64, 1, 1), (10**6, 64), (10**6, 10),
    ]  # fmt: skip
    assert nn.trace_shapes([model], (3, 2**20, 2**20))[0].gave == (10,)


def test_one_example_and_a_batch_of_layers_along_a_line():
    layers = [nn.Conv1d(3, 8, 3), nn.ReLU(), nn.Conv1d(8, 4, 3, stride=2), nn.Flatten(), nn.Linear(28, 2)]
    model = nn.Sequential(*layers)
    for lead in ((), (5,)):
        assert [step.gave for step in nn.trace_shapes(layers, (*lead, 3, 18))] == [
            (*lead, 8, 16), (*lead, 8, 16), (*lead, 4, 7), (*lead, 28), (*lead, 2),
        ]  # fmt: skip
        assert nn.summary(model, (*lead, 3, 18)).rows[-1].output_shape == (*(lead or (1,)), 2)
    assert nn.summary(model, (5, 3, 18)).rows[2].receptive_field == (1, 5)
    with pytest.raises(nn.LayerError, match=r"in_channels is 3, and the input has 5 channels"):
        nn.summary(model, (2, 5, 18))


def test_flattened_examples_go_on():
    steps = nn.trace_shapes([nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 5)], (3, 8, 8))
    assert [step.gave for step in steps] == [(4, 6, 6), (144,), (5,)]
    with pytest.raises(ValueError, match=r"size is \(32,\); layers need channels"):
        nn.trace_shapes([nn.Conv2d(1, 4, 3)], 32)


def test_a_trace_of_one_example_notes_the_layer_that_needs_its_batch_axis():
    layers = [nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(256, 5)]
    notes = [step.note for step in nn.trace_shapes(layers, (3, 8, 8))]
    assert notes == ["", "", "needs a batch axis: call the model with x[None]", ""]
    assert "batch axis" in nn.trace_shapes([nn.Sequential(*layers)], (3, 8, 8))[0].note
    assert "batch axis" in nn.trace_shapes([layers[0], nn.BatchNorm2d(4)], (3, 8, 8))[1].note
    assert "batch" not in str(nn.trace_shapes(layers, (1, 3, 8, 8)))
    assert "batch" not in str(nn.trace_shapes(layers[:2], (3, 8, 8)))


def test_what_made_a_map_smaller_is_noted_of_every_layer_with_windows():
    layers = [
        (nn.MaxPool2d(2), "stride 2, 1 left over"),
        (nn.AvgPool2d((1, 3), 1), "across: kernel 3 with padding 0 takes 2"),
        (nn.Conv2d(8, 8, 5, padding="valid"), "kernel 5 with padding 0 takes 4"),
        (nn.Conv2d(8, 8, 3, padding="same", stride=2), "stride 2"),
        (nn.Conv2d(8, 8, 3, padding=1), ""),
        (nn.Conv2d(8, 8, 5).freeze(), "kernel 5 with padding 0 takes 4"),
        (nn.Conv2d(8, 8, (1, 3), padding=(0, 1), stride=(2, 1)), "down: stride 2"),
        (nn.AdaptiveAvgPool2d(1), "output_size 1"),
        (nn.ReLU(), ""),
    ]  # fmt: skip
    for layer, note in layers:
        assert nn.trace_shapes([layer], (8, 13, 13))[0].note == note


def test_a_model_is_traced_as_its_forward_runs():
    class Net(nn.Module):
        def __init__(self):
            self.a, self.b = nn.Conv2d(3, 4, 3, stride=2), nn.Linear(4, 2)

        def forward(self, x):
            return self.b(nn.functional.relu(self.a(x)).mean((2, 3)))

    for lead in ((), (5,)):
        steps = nn.trace_shapes(Net(), (*lead, 3, 9, 9))
        assert [(step.layer.partition("(")[0], step.gave) for step in steps] == [
            ("Conv2d", (*lead, 4, 4, 4)), ("Net.forward", (*lead, 4)), ("Linear", (*lead, 2)),
        ]  # fmt: skip
        assert steps[0].note == "kernel 3 with padding 0 takes 2, stride 2"
        assert ("batch axis" in steps[-1].note) is (not lead)
    assert nn.trace_shapes(nn.Conv2d(3, 4, 3), (3, 8, 8)) == nn.trace_shapes([nn.Conv2d(3, 4, 3)], (3, 8, 8))
    with pytest.raises(nn.LayerError, match="in_channels is 3, and the input has 5 channels"):
        nn.trace_shapes(Net(), (5, 9, 9))


def test_a_lazy_layer_stays_as_it_is():
    lazy = nn.LazyConv2d(4, 3)
    assert nn.trace_shapes([lazy, nn.Conv2d(4, 2, 3)], (3, 9, 9))[-1].gave == (2, 5, 5)
    assert lazy.in_channels == 0


# ---- fields -----------------------------------------------------------------------------------------


CHAINS = [
    [nn.Conv2d(1, 1, 3, stride=2, padding="same")],  # 12 is even: all of the padding is at the end
    [nn.ZeroPad2d((2, 1, 2, 0)), nn.Conv2d(1, 1, 3)],
    [nn.Conv2d(1, 1, 3, padding=1), nn.AdaptiveAvgPool2d(3), nn.Conv2d(1, 1, 2)],
    [nn.AvgPool2d(3, 2, 1), nn.BatchNorm2d(1), nn.Conv2d(1, 1, 2)],
]


@pytest.mark.parametrize("layers", CHAINS)
def test_fields_are_those_that_gradients_have(layers):
    model = nn.Sequential(*layers).eval()
    for parameter in model.parameters():
        parameter.data[...] = 1
    x = nn.Tensor(np.zeros((1, 1, 12, 12), np.float32), requires_grad=True)
    fields = nn.fields.Fields(x)
    y = x
    for layer in layers:
        before, y = y, layer(y)
        field = fields.hand_on(layer, before, y)
    for row, column in np.ndindex(*y.shape[2:]):
        x.grad = None
        model(x)[0, 0, row, column].backward()
        seen = [np.flatnonzero(x.grad.data[0, 0].any(axis=axis)) for axis in (1, 0)]
        for place, size, jump, start, pixels in zip((row, column), *field, seen, strict=True):
            first = start + place * jump
            assert pixels[[0, -1]].tolist() == [max(first, 0), min(first + size, 12) - 1]


def test_no_field_is_made_up():
    for layer in (
        nn.ConvTranspose2d(2, 2, 3, stride=2),
        nn.AdaptiveAvgPool2d(5),
        nn.GroupNorm(1, 2),
        Cropped(2, 2, 3),
    ):
        told = nn.summary(nn.Sequential(nn.Conv2d(2, 2, 3), layer, nn.ReLU()), (2, 14, 14))
        assert [row.receptive_field for row in told.rows] == [(3, 3), None, None]


def test_a_map_without_channels_gets_one_advice():
    with pytest.raises(nn.LayerError) as caught:
        nn.summary(nn.Sequential(nn.Conv2d(3, 4, 3)), (8, 8))
    assert "pass" not in str(caught.value)
    assert str(caught.value).count("[None") == 1


class _Two(nn.Module):
    def forward(self, x, y):
        return x + y


@pytest.mark.parametrize(
    "call",
    [
        lambda: nn.summary(_Two(), (3, 8, 8)),
        lambda: nn.trace_shapes(_Two(), (3, 8, 8)),
        lambda: nn.trace_shapes(nn.Sequential(nn.ReLU(), _Two()), (3, 8, 8)),
        lambda: viz.shape_trace(_Two(), (3, 8, 8)),
        lambda: viz.feature_maps(_Two(), np.zeros((3, 8, 8), np.float32), "a"),
        lambda: viz.receptive_field(_Two(), np.zeros((3, 8, 8), np.float32)),
    ],
)
def test_a_model_of_two_inputs_is_told_how_to_be_of_one(call):
    with pytest.raises(TypeError, match=r"_Two.forward takes x, y; expected one input: pass a module around"):
        call()


def test_a_summary_that_does_not_fit_names_what_does(monkeypatch):
    model, shape = nn.Sequential(nn.Conv2d(3, 4, 3)), (3, 10**7, 10**7)
    with pytest.raises(MemoryError, match=r"nn.trace_shapes\(model, \(3, 10000000, 10000000\)\) tells"):
        nn.summary(model, shape)
    assert nn.trace_shapes(model, shape)[-1].gave == (4, 10**7 - 2, 10**7 - 2)

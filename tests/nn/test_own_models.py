"""Models with a `forward` of one's own: what they give, and where they break, is told as layers tell it."""

import numpy as np
import pytest

from convkit import nn, viz
from convkit.nn import LayerError

SIZE = (3, 8, 8)
IMAGE = np.zeros(SIZE, np.float32)


class Gives(nn.Module):
    """What `make` makes of a map; with a layer, or without one."""

    def __init__(self, make, layer=False):
        self.make = make
        if layer:
            self.a = nn.Conv2d(3, 3, 3)

    def forward(self, x):
        return self.make(self.a(x) if hasattr(self, "a") else x)


NO_TENSOR = [
    (lambda x: None, "gives None; expected a tensor", "a forward without return", "return"),
    (lambda x: [x, x], "gives a list of 2; expected", "several maps", "return one of them"),
    (lambda x: {"p3": x}, "gives a dict of 'p3'; expected", "several maps", "return one of them"),
    (lambda x: (), "gives an empty tuple; expected", "no map", "return"),
    (lambda x: 3.0, "gives a float; expected", "no map", "nn.Tensor"),
]
ASKED = {
    "trace_shapes": lambda model: nn.trace_shapes([model], SIZE),
    "within": lambda model: nn.trace_shapes([nn.Sequential(model, nn.ReLU())], SIZE),
    "shape_trace": lambda model: viz.shape_trace([nn.Sequential(model)], SIZE),
    "receptive_field": lambda model: viz.receptive_field(nn.Sequential(model), IMAGE),
    "feature_maps": lambda model: viz.feature_maps(nn.Sequential(model), IMAGE, "0"),
    "summary": lambda model: nn.summary(model, SIZE),
}


@pytest.mark.parametrize("layer", [False, True])
@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize(("make", "reason", "cause", "mend"), NO_TENSOR)
def test_a_forward_that_gives_no_tensor_is_told_so(asked, make, reason, cause, mend, layer):
    model = Gives(make, layer)
    if asked == "summary" and layer and make(0) is not None:
        assert nn.summary(model, SIZE).rows[0].name == "a"  # of its layers a table is made all the same
    elif asked == "shape_trace":
        figure = ASKED[asked](model)
        told = " ".join(" ".join(text.get_text() for text in figure.axes[0].texts).split())
        assert all(words in told for words in (f"Gives.forward {reason}", cause, mend))
    else:
        with pytest.raises(LayerError, match=f"Gives.forward {reason}") as caught:
            ASKED[asked](model)
        assert cause in caught.value.cause
        assert mend in caught.value.mend
        assert len(caught.value.trace) >= 1 + layer


def test_a_layer_that_takes_a_list_has_a_row():
    class Joined(nn.Module):
        def forward(self, maps):
            return nn.cat(maps, 1)

    class Net(nn.Module):
        def __init__(self):
            self.a, self.join, self.b = nn.Conv2d(3, 3, 3), Joined(), nn.Conv2d(6, 2, 3)

        def forward(self, x):
            y = self.a(x)
            return self.b(self.join([y, y]))

    assert [row.receptive_field for row in nn.summary(Net(), SIZE).rows] == [(3, 3), None, None]


def added(y, x):
    widened = y * 2
    return widened + x  # the line to blame


BREAKS = {
    "sum": lambda x: x[:, :, 1:] + x,
    "concatenation": lambda x: nn.cat([x, x[:, :, 1:]], 1),
    "stack": lambda x: nn.stack([x, x[:, :, 1:]], 1),
    "reshape": lambda x: x.reshape(-1, 77),
    "helper": lambda x: added(x[:, :, 1:], x),
}
RUNS = {
    "call": lambda model: model(IMAGE[None]),
    "summary": lambda model: nn.summary(nn.Sequential(model), SIZE),
    "trace_shapes": lambda model: nn.trace_shapes([model], SIZE),
    "fit": lambda model: nn.fit(
        model, (IMAGE[None], IMAGE[None]), nn.MSELoss(), nn.optim.SGD(nn.Linear(1, 1).parameters(), 0.1), 1
    ),
}


@pytest.mark.parametrize("layer", [False, True])
@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("breaks", BREAKS)
def test_what_breaks_between_layers_is_told_with_trace_and_line(breaks, run, layer):
    with pytest.raises(LayerError, match="do not agree") as caught:
        RUNS[run](Gives(BREAKS[breaks], layer))
    assert caught.value.trace[-1].layer == "Gives.forward"
    assert len(caught.value.trace) == 1 + layer
    blamed = "return widened + x" if breaks == "helper" else f'"{breaks}": lambda x: '
    assert f"of test_own_models.py, {blamed}" in caught.value.mend


def test_an_error_that_a_forward_raises_itself_stays_as_it_is():
    def refuse(x):
        raise ValueError("odd sizes are not for me")

    with pytest.raises(ValueError, match="odd sizes") as caught:
        Gives(refuse, True)(IMAGE[None])
    assert not isinstance(caught.value, LayerError)
    with pytest.raises(LayerError, match="odd sizes") as caught:
        nn.summary(Gives(refuse, True), SIZE)
    assert "a check of its own" in caught.value.cause
    assert "raise ValueError" in caught.value.mend


class Wide(nn.Conv2d):
    pass


WRITTEN = [
    (nn.Conv2d(3, 4, 3).freeze(), 1, "nn.Conv2d(1, ...)"),
    (nn.Conv2d(3, 4, 3).freeze(), 5, "nn.Conv2d(5, 4, ...)"),
    (nn.DepthwiseConv2d(4, 3).freeze(), 5, "nn.DepthwiseConv2d(5, ...)"),
    (nn.DepthwiseConv2d(4, 3), 5, "nn.DepthwiseConv2d(5, ...)"),
    (Wide(5, 4, 3), 6, "Wide(6, 4, ...)"),
]


@pytest.mark.parametrize(("layer", "channels", "mend"), WRITTEN)
def test_the_layer_to_mend_is_called_as_it_was_written(layer, channels, mend):
    with pytest.raises(LayerError) as caught:
        layer(np.zeros((1, channels, 8, 8), np.float32))
    assert caught.value.mend.startswith(mend)
    assert "Frozen" not in caught.value.cause


def test_a_frozen_layer_refuses_as_the_one_it_was_made_of():
    conv = nn.Conv2d(3, 4, 3, dtype=np.float64)
    for x in (np.zeros((3, 2, 2)), IMAGE.astype(np.float16), IMAGE, np.zeros((8, 8, 3), np.uint8)):
        told = []
        for layer in (conv, conv.freeze()):
            with pytest.raises(LayerError) as caught:
                layer(x)
            told.append((caught.value.cause, caught.value.mend))
        assert told[0] == told[1]


class Parts(nn.Module):
    """Operations with parameters of its own, a layer that runs twice, one that never does."""

    def __init__(self):
        self.a, self.spare = nn.Conv2d(3, 3, 3, padding=1), nn.Linear(7, 5)
        self.kernel = nn.Parameter(np.ones((4, 3, 3, 3), np.float32))
        self.matrix, self.bias = (
            nn.Parameter(np.ones((2, 4), np.float32)),
            nn.Parameter(np.ones(2, np.float32)),
        )
        self.scale = nn.Parameter(np.ones((3, 1, 1), np.float32))

    def forward(self, x):
        y = nn.functional.conv2d(self.a(self.a(x)) * self.scale, self.kernel, padding=1)
        return nn.functional.linear(y.mean((2, 3)), self.matrix, self.bias)


class Leaf(nn.Module):
    def __init__(self):
        self.kernel = nn.Parameter(np.ones((4, 3, 3, 3), np.float32))

    def forward(self, x):
        return nn.functional.conv2d(x, self.kernel)


def test_a_summary_accounts_for_all_parameters_and_products():
    told = nn.summary(Parts(), (3, 8, 8))
    assert [(row.layer, row.parameters, row.macs) for row in told.rows] == [
        ("Conv2d(3, 3, k=3)", 84, 64 * 81), ("Conv2d(3, 3, k=3), again", 0, 64 * 81),
        ("functional.conv2d", 108, 64 * 108), ("functional.linear", 10, 8),
    ]  # fmt: skip
    assert told.notes == [
        "scale: 3 parameters, of no layer",
        "spare, Linear(7, 5): 40 parameters, did not run",
    ]
    assert told.parameters == sum(row.parameters for row in told.rows) + 43
    assert [row.parameters for row in nn.summary(nn.Sequential(Parts()), (3, 8, 8)).rows] == [84, 0, 108, 10]
    leaf = nn.Sequential(Leaf(), nn.Upsample(scale_factor=2, mode="bilinear"))
    assert [row.macs for row in nn.summary(leaf, (3, 8, 8)).rows] == [36 * 108, 0]
    tied = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False))
    tied[1].weight = tied[0].weight
    assert sum(row.parameters for row in nn.summary(tied, (1, 4)).rows) == 16

"""Modules: what they are made of, states, modes, hooks, refusals; layers by themselves."""

import copy
import pickle
import threading

import numpy as np
import pytest

import convkit as ck
from convkit import nn

rng = np.random.default_rng(2)


def normal(*shape):
    return rng.standard_normal(shape).astype(np.float32)


class Net(nn.Module):
    """A custom module: a skip connection, a list, a shared layer, a buffer and a loose parameter."""

    def __init__(self):
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.blocks = nn.ModuleList([nn.Conv2d(4, 4, 3, padding=1) for _ in range(2)])
        self.again = self.blocks[0]
        self.norm = nn.BatchNorm2d(4)
        self.scale = nn.Parameter(np.float32(2.0))
        self.register_buffer("offset", np.ones(4, np.float32))
        self.register_buffer("cache", np.zeros(2), persistent=False)

    def forward(self, x):
        x = self.first(x)
        for block in self.blocks:
            x = nn.functional.relu(x + self.again(block(x)))
        return self.norm(x) * self.scale + self.offset.reshape(1, -1, 1, 1)


# ---- parts ------------------------------------------------------------------------------------------


def test_names_of_parts():
    net = Net()
    assert [name for name, _ in net.named_parameters()] == [
        "scale", "first.weight", "first.bias", "blocks.0.weight", "blocks.0.bias",
        "blocks.1.weight", "blocks.1.bias", "norm.weight", "norm.bias",
    ]  # fmt: skip
    assert [name for name, _ in net.named_children()] == ["first", "blocks", "again", "norm"]
    assert sum(1 for _ in net.modules()) == 6
    assert net.get_submodule("blocks.1") is net.blocks[1]
    assert {"offset", "norm.running_mean", "norm.num_batches_tracked"} <= set(net.state_dict())
    assert "cache" not in net.state_dict()
    assert "cache" in dict(net.named_buffers())


def test_modes_and_gradients():
    net = Net()
    assert all(not m.training for m in net.eval().modules())
    assert all(m.training for m in net.train().modules())
    net.first.requires_grad_(False)
    net(nn.Tensor(normal(2, 3, 5, 5))).sum().backward()
    assert net.first.weight.grad is None
    assert net.blocks[0].weight.grad is not None
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())


def test_dtypes():
    net = Net().double()
    assert {p.dtype for p in net.parameters()} == {np.dtype(np.float64)}
    assert net.norm.running_var.dtype == np.float64
    assert net.norm.num_batches_tracked.dtype == np.int64
    assert nn.Conv2d(1, 1, 3, dtype=np.float64).weight.dtype == np.float64
    assert net.float().scale.dtype == np.float32


def test_a_copy_is_its_own():
    net = Net()
    twin = copy.deepcopy(net)
    twin.first.weight.data[...] = 0
    twin.norm.running_mean += 5
    assert np.abs(net.first.weight.data).max() > 0
    assert net.norm.running_mean.max() == 0
    assert twin.again is twin.blocks[0]


def test_sequential_like_a_list():
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    assert len(model) == 3
    assert isinstance(model[1], nn.ReLU)
    assert isinstance(model[-1], nn.Linear)
    assert [type(m).__name__ for m in model[:2]] == ["Linear", "ReLU"]
    named = nn.Sequential({"a": nn.Linear(2, 3), "b": nn.Tanh()})
    assert named.a.weight.shape == (3, 2)
    with pytest.raises(TypeError, match=r"nn\.ReLU\(\)"):
        nn.Sequential(nn.functional.relu)
    heads = nn.ModuleDict({"class": nn.Linear(2, 3)})
    assert heads["class"].out_features == 3
    assert list(heads.state_dict()) == ["class.weight", "class.bias"]
    with pytest.raises(KeyError, match="method"):
        nn.ModuleDict({"apply": nn.Identity()})


def test_text():
    model = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1, groups=1, bias=False), nn.BatchNorm2d(8))
    assert repr(model) == (
        "Sequential(\n"
        "  (0): Conv2d(3, 8, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1), bias=False)\n"
        "  (1): BatchNorm2d(8, eps=1e-05, momentum=0.1)\n"
        ")"
    )
    nested = nn.Sequential(
        {"body": nn.Sequential(nn.ReLU(), nn.ModuleList([nn.Flatten()])), "end": nn.Tanh()}
    )
    assert repr(nested) == (
        "Sequential(\n"
        "  (body): Sequential(\n"
        "    (0): ReLU()\n"
        "    (1): ModuleList(\n"
        "      (0): Flatten()\n"
        "    )\n"
        "  )\n"
        "  (end): Tanh()\n"
        ")"
    )


# ---- states -----------------------------------------------------------------------------------------


def test_a_state_is_a_copy_and_comes_back():
    one, other = Net(), Net()
    one(nn.Tensor(normal(3, 3, 5, 5)))
    state = one.state_dict()
    assert other.load_state_dict(state) == ([], [])
    one.first.weight.data[...] = 7
    assert (state["first.weight"] != 7).all()
    for name, array in other.state_dict().items():
        np.testing.assert_array_equal(array, state[name])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda s: s.pop("norm.bias"), KeyError, "missing norm.bias"),
        (lambda s: s.update(more=np.ones(2)), KeyError, "unknown more"),
        (
            lambda s: s.update({"norm.bias": np.ones(5, np.float32)}),
            ValueError,
            r"norm\.bias has shape \(5,\)",
        ),
        (lambda s: s.update({"norm.bias": np.ones(4)}), TypeError, "float64, which float32 does not hold"),
        (lambda s: s.update({"norm.bias": "text"}), TypeError, r"norm\.bias gives no array"),
    ],
)
def test_nothing_changes_where_anything_does_not_fit(change, error, message):
    net = Net()
    before = net.state_dict()
    state = {name: np.ones_like(array) * 9 for name, array in before.items()}
    change(state)
    with pytest.raises(error, match=message):
        net.load_state_dict(state)
    for name, array in net.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_states_that_only_half_match():
    net = Net()
    state = {"scale": np.float32(5), "unknown": np.ones(3)}
    result = net.load_state_dict(state, strict=False)
    assert result.unexpected_keys == ["unknown"]
    assert "first.weight" in result.missing_keys
    assert float(net.scale) == 5


def test_half_precision_widens():
    layer = nn.Linear(2, 2)
    layer.load_state_dict({k: v.astype(np.float16) for k, v in layer.state_dict().items()})
    assert layer.weight.dtype == np.float32


# ---- hooks ------------------------------------------------------------------------------------------


def test_hooks_around_forward():
    layer, seen = nn.Linear(3, 2), []
    off = layer.register_forward_hook(lambda m, inputs, output: seen.append(output.shape))
    layer.register_forward_pre_hook(lambda m, inputs: (inputs[0] * 0,))
    y = layer(normal(4, 3))
    assert seen == [(4, 2)]
    np.testing.assert_array_equal(y, np.broadcast_to(layer.bias.data, (4, 2)))
    off()
    layer.register_forward_hook(lambda m, inputs, output: output * 0)
    assert (layer(normal(4, 3)) == 0).all()
    assert seen == [(4, 2)]


# ---- chance -----------------------------------------------------------------------------------------


def test_seeds_decide_the_first_weights():
    nn.manual_seed(3)
    first = nn.Conv2d(2, 2, 3).weight.data
    nn.manual_seed(3)
    np.testing.assert_array_equal(nn.Conv2d(2, 2, 3).weight.data, first)
    one, other = (nn.Conv2d(2, 2, 3, generator=np.random.default_rng(1)) for _ in range(2))
    np.testing.assert_array_equal(one.weight.data, other.weight.data)
    assert not np.array_equal(one.weight.data, first)


def test_a_seed_is_this_threads_alone():
    nn.manual_seed(0)
    expected = np.random.default_rng(0).random(3)
    drawn = []
    thread = threading.Thread(
        target=lambda: (nn.manual_seed(9), drawn.append(nn.current_generator().random(3)))
    )
    thread.start()
    thread.join()
    np.testing.assert_array_equal(nn.current_generator().random(3), expected)
    np.testing.assert_array_equal(drawn[0], np.random.default_rng(9).random(3))


def test_orthogonal_weights():
    for shape in ((4, 12), (12, 4), (6, 2, 3, 3)):
        w = nn.init.orthogonal_(np.empty(shape), gain=2.0).reshape(shape[0], -1)
        product = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
        np.testing.assert_allclose(product, 4 * np.eye(len(product)), atol=1e-12)


def test_dropout():
    x = np.ones((200, 10, 4, 4), np.float32)
    layer = nn.Dropout(0.25, generator=np.random.default_rng(0))
    y = layer(x)
    assert set(np.unique(y)) == {0, np.float32(1 / 0.75)}
    assert y.mean() == pytest.approx(1, abs=0.02)
    assert layer.eval()(x) is not None
    np.testing.assert_array_equal(layer(x), x)
    channels = nn.Dropout2d(0.5, generator=np.random.default_rng(0))(x)
    assert (channels == channels[:, :, :1, :1]).all()
    assert 0.4 < (channels == 0).mean() < 0.6
    with pytest.raises(ValueError, match=r"p is 1\.5"):
        nn.Dropout(1.5)


# ---- layers -----------------------------------------------------------------------------------------


def test_lazy_channels():
    lazy = nn.Sequential(nn.LazyConv2d(4, 3, padding=1, groups=2), nn.ReLU())
    assert list(lazy.parameters()) == []
    assert lazy(normal(1, 6, 5, 5)).shape == (1, 4, 5, 5)
    assert lazy[0].weight.shape == (4, 3, 3, 3)
    other = nn.Sequential(nn.LazyConv2d(4, 3, padding=1, groups=2), nn.ReLU())
    other.load_state_dict(lazy.state_dict())
    x = normal(1, 6, 5, 5)
    np.testing.assert_array_equal(other(x), lazy(x))


def test_separable_is_depthwise_then_pointwise():
    layer = nn.SeparableConv2d(3, 5, 3, padding=1)
    x = normal(2, 3, 6, 6)
    between = ck.conv2d(x, layer.depthwise.weight.data, layer.depthwise.bias.data, padding=1, groups=3)
    expected = ck.conv2d(between, layer.pointwise.weight.data, layer.pointwise.bias.data)
    np.testing.assert_array_equal(layer(x), expected)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: nn.Conv2d(8, 8, 3, groups=3), ValueError, "in_channels, 8; expected one of 1, 2, 4, 8"),
        (lambda: nn.Conv2d(8, 6, 3, groups=4), ValueError, "does not divide out_channels, 6"),
        (lambda: nn.Conv2d(0, 6, 3), ValueError, "in_channels is 0"),
        (lambda: nn.Conv2d(3, 6, 3, stride=0), ValueError, "stride is 0"),
        (lambda: nn.Conv2d(3, 6, 3, padding="full"), ValueError, "padding is 'full'"),
        (lambda: nn.Conv2d(3, 6, 2.5), TypeError, "kernel_size is 2.5"),
        (lambda: nn.GroupNorm(4, 6), ValueError, "num_groups is 4"),
        (lambda: nn.ConvTranspose2d(3, 3, 3, padding_mode="reflect"), ValueError, "padding_mode"),
    ],
)  # fmt: skip
def test_layers_refuse_what_makes_no_sense(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_losses_do_not_broadcast():
    with pytest.raises(ValueError, match=r"target\.reshape\(\(4, 1\)\)"):
        nn.MSELoss()(normal(4, 1), normal(4))
    with pytest.raises(ValueError, match="target holds 7; the classes are 0 to 4"):
        nn.CrossEntropyLoss()(normal(3, 5), np.array([0, 7, 1]))


# ---- filters ----------------------------------------------------------------------------------------

FILTERS = {
    "gaussian": lambda image: ck.filters.gaussian(image, sigma=1.4),
    "sobel": lambda image: ck.filters.sobel(image, "y"),
    "laplacian": lambda image: ck.filters.laplacian(image),
    "box": lambda image: ck.filters.box(image, 4),
    "sharpen": lambda image: ck.filters.sharpen(image),
}


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_as_a_layer_and_back(name):
    image = rng.random((20, 17)).astype(np.float32)
    layer = nn.from_filter(FILTERS[name], channels=2)
    result = layer(np.stack([image, image[::-1]])[None])
    for channel, source in zip(result[0], (image, image[::-1]), strict=True):
        np.testing.assert_allclose(channel, FILTERS[name](np.ascontiguousarray(source)), atol=2e-5)
    back = ck.filters.filter2d(image, layer.to_filter(1))
    np.testing.assert_allclose(back, result[0, 0], atol=2e-5)
    assert not layer.weight.requires_grad
    assert nn.from_filter(FILTERS[name], trainable=True).weight.requires_grad


def test_a_kernel_as_a_layer_and_back():
    kernel = rng.random((3, 5))
    layer = nn.from_filter(kernel, channels=3, dtype=np.float64)
    np.testing.assert_array_equal(layer.to_filter(2), kernel)
    assert layer(rng.random((1, 3, 9, 8))).shape == (1, 3, 9, 8)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda image: ck.filters.median(image, 3), "not linear"),
        (lambda image: ck.filters.maximum(image, 3), "not linear"),
        (lambda image: image[::2], "one of its size"),
        (lambda image: ck.filters.gaussian(image, sigma=20), "reaches"),
    ],
)
def test_what_is_no_kernel(function, message):
    with pytest.raises(ValueError, match=message):
        nn.from_filter(function)


# ---- frozen -----------------------------------------------------------------------------------------

ACTIVATIONS = [
    nn.ReLU(),
    nn.ReLU6(),
    nn.LeakyReLU(0.2),
    nn.SiLU(),
    nn.GELU(),
    nn.Hardswish(),
    nn.Sigmoid(),
    nn.Tanh(),
]


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda a: type(a).__name__)
def test_frozen_layers_compute_the_same(activation):
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, padding_mode="reflect"),
        nn.BatchNorm2d(8),
        activation,
        nn.Dropout(),
        nn.Sequential(nn.DepthwiseConv2d(8, 3, bias=False), nn.BatchNorm2d(8, affine=False)),
        nn.Conv2d(8, 4, 1, bias=False),
        nn.BatchNorm2d(4, bias=False),
    )
    for _ in range(3):
        model(nn.Tensor(normal(4, 3, 12, 11) * 2 + 1))
    x = normal(5, 3, 12, 11)
    expected = model.eval()(x)
    frozen = model.freeze()
    y = frozen(x)
    np.testing.assert_allclose(y, expected, atol=2e-5 * np.abs(expected).max())
    assert len(frozen) == (4 if isinstance(activation, nn.Tanh) else 3)
    np.testing.assert_array_equal(frozen(x[:1]), y[:1])
    model[0].weight.data[...] = 0
    np.testing.assert_array_equal(frozen(x), y)


def test_frozen_parts_of_a_custom_module():
    net = Net()
    x = normal(2, 3, 6, 7)
    net(nn.Tensor(x))
    expected = net.eval()(x)
    frozen = net.freeze()
    assert type(frozen.first).__name__ == "FrozenConv2d"
    np.testing.assert_allclose(frozen(x), expected, atol=1e-5)
    assert isinstance(net.first, nn.Conv2d)
    with pytest.raises(RuntimeError, match="gives no gradient"):
        frozen(nn.Tensor(x, requires_grad=True))
    with pytest.raises(ValueError, match="never called"):
        nn.LazyConv2d(3, 3).freeze()


def test_frozen_models_are_copied_and_pickled():
    """After calls too, whose plans are made anew."""
    x = normal(2, 3, 8, 8)
    frozen = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU()).eval().freeze()
    y = frozen(x)
    for twin in (copy.deepcopy(frozen), pickle.loads(pickle.dumps(frozen))):
        np.testing.assert_array_equal(twin(x), y)

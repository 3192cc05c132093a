"""PyTorch's numbers at the edges: infinite and ignored values, empty batches, tensors of no axes."""

import re

import numpy as np
import pytest

from convkit import nn

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.peers

F, TF = nn.functional, torch.nn.functional
INF, NAN = np.inf, np.nan
EYE = np.array([[1.0, -INF, 2.0], [0.0, 1.0, 2.0]])
HOLES = np.array([[NAN, -INF, INF], [0.0, 1.0, 2.0]])
LOSSES = {
    "probabilities of 0 and 1": (
        "binary_cross_entropy", np.array([0.0, 1, 1, 0]), np.array([1.0, 0, 1, 0]), {}
    ),
    "a class at -inf": ("cross_entropy", EYE, np.array([0, 1]), {}),
    "an ignored row of NaN": ("cross_entropy", HOLES, np.array([-100, 1]), {}),
    "an ignored row of NaN, nll": ("nll_loss", HOLES, np.array([-100, 1]), {}),
    "huber at inf": ("huber_loss", np.array([INF, -INF, 0.0]), np.zeros(3), {}),
    "smooth L1 at inf": ("smooth_l1_loss", np.array([INF, -INF, 0.0]), np.zeros(3), {"beta": 0.5}),
    "one example, ignored": ("cross_entropy", EYE[1], np.array(-100), {"weight": np.ones(3)}),
}  # fmt: skip


@pytest.mark.parametrize("case", LOSSES)
def test_losses(case):
    name, x, target, named = LOSSES[case]
    mine, other = nn.Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    ours = getattr(F, name)(mine, target, **named)
    theirs = getattr(TF, name)(
        other,
        torch.tensor(target),
        **{k: torch.tensor(v) if isinstance(v, np.ndarray) else v for k, v in named.items()},
    )
    np.testing.assert_allclose(ours.item(), theirs.item(), rtol=1e-12)
    ours.backward()
    theirs.backward()
    expected = other.grad.numpy()
    if "ignored row" in case:  # theirs is NaN there, for a row that does not count
        expected = np.where(np.isnan(expected), 0, expected)
    # their 1e-12, by which the gradient at 0 and 1 is divided, is a float32
    np.testing.assert_allclose(mine.grad.data, expected, rtol=1e-8, atol=1e-15)


@pytest.mark.parametrize("y", [0, 0.0, 2, np.array([0.0, 2.0, 0.0])])
def test_powers_of_zero(y):
    x = np.array([0.0, 3.0, INF])
    mine, other = nn.Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    (mine**y).sum().backward()
    (other ** (torch.tensor(y) if isinstance(y, np.ndarray) else y)).sum().backward()
    np.testing.assert_array_equal(mine.grad.data, other.grad.numpy())


@pytest.mark.parametrize(
    "index", [np.array([0, 1]), [0, 1], np.array([True, True, False]), nn.Tensor(np.array([0, 1]))]
)
def test_an_index_that_is_changed_before_backward(index):
    x = nn.Tensor(np.zeros(3), requires_grad=True)
    y = x[index]
    raw = index.data if isinstance(index, nn.Tensor) else index
    raw[0], raw[1] = raw[-1], raw[0]
    y.sum().backward()
    assert x.grad.tolist() == [1, 1, 0]


@pytest.mark.parametrize("shape", [(0, 5), (2, 0, 5)])
def test_linear_of_no_rows(shape):
    layer, x = nn.Linear(5, 3), nn.Tensor(np.ones(shape, np.float32), requires_grad=True)
    y = layer(x)
    assert y.shape == (*shape[:-1], 3)
    y.sum().backward()
    assert x.grad.shape == shape
    assert not layer.weight.grad.data.any()


def test_running_moments_after_an_infinite_batch():
    x = np.ones((2, 3, 2, 2))
    x[0, 0, 0, 0] = INF
    for name, how in (("BatchNorm2d", {}), ("InstanceNorm2d", {"track_running_stats": True})):
        ours, theirs = getattr(nn, name)(3, dtype=np.float64, **how), getattr(torch.nn, name)(3, **how)
        with np.errstate(invalid="ignore"):
            ours(nn.Tensor(x))
        theirs.double()(torch.tensor(x))
        for _ in range(2):
            with np.errstate(invalid="ignore"):
                ours(nn.Tensor(x))
            theirs(torch.tensor(x))
        np.testing.assert_allclose(ours.running_mean, theirs.running_mean.numpy(), rtol=1e-12)
        np.testing.assert_allclose(ours.running_var, theirs.running_var.numpy(), rtol=1e-12)


@pytest.mark.filterwarnings("ignore:Degrees of freedom")
def test_deviation_of_one_number():
    x = nn.Tensor(np.ones((2, 1)), requires_grad=True)
    with np.errstate(all="ignore"):
        y = x.std(1)
        y.sum().backward()
    assert np.isnan(y.data).all()
    assert np.isnan(x.grad.data).all()


# ---- optimisers -------------------------------------------------------------------------------------

STEPS = [
    ("SGD", {"momentum": 0.9, "weight_decay": 0.1, "maximize": True}),
    ("SGD", {"momentum": 0.9, "maximize": True, "nesterov": True}),
    ("RMSprop", {"weight_decay": 0.1, "momentum": 0.9}),
    ("RMSprop", {"centered": True}),
    ("Adagrad", {"lr_decay": 0.1, "weight_decay": 0.1, "maximize": True}),
    ("Adam", {"weight_decay": 0.1, "maximize": True}),
]


@pytest.mark.parametrize(("name", "how"), STEPS)
def test_steps_of_a_number(name, how):
    p, q = nn.Parameter(np.array(2.0)), torch.nn.Parameter(torch.tensor(2.0, dtype=torch.float64))
    ours, theirs = getattr(nn.optim, name)([p], 0.1, **how), getattr(torch.optim, name)([q], 0.1, **how)
    for step in range(4):
        p.grad, q.grad = nn.Tensor(np.array(step - 1.5)), torch.tensor(step - 1.5, dtype=torch.float64)
        ours.step()
        theirs.step()
    np.testing.assert_allclose(p.item(), q.item(), rtol=1e-9)
    getattr(nn.optim, name)([p], 0.1, **how).load_state_dict(ours.state_dict())


@pytest.mark.parametrize("name", ["SGD", "RMSprop", "Adagrad", "Adam"])
def test_settings_that_are_numbers_of_numpy(name):
    p = nn.Parameter(np.ones(3, np.float32))
    optimiser = getattr(nn.optim, name)([p], lr=np.float64(0.1), weight_decay=np.float64(0.1))
    optimiser.param_groups[0]["momentum"] = np.float64(0.9)
    optimiser.param_groups[0]["weight_decay"] = np.float64(0.2)
    p.grad = nn.Tensor(np.ones(3, np.float32))
    optimiser.step()
    optimiser.load_state_dict(optimiser.state_dict())
    assert type(optimiser.param_groups[0]["lr"]) is float


def test_a_gradient_is_a_tensor_of_its_shape():
    p = nn.Parameter(np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"shape \(3,\); expected the tensor's, \(2, 3\)"):
        p.grad = nn.Tensor(np.ones(3))
    with pytest.raises(TypeError, match=r"nn\.Tensor\(grad\)"):
        p.grad = np.ones((2, 3))


# ---- modules ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["norm", "relu", "class"])
def test_a_forward_that_was_replaced_is_called(place, monkeypatch):
    model = nn.Sequential(nn.BatchNorm2d(2), nn.ReLU())
    target, instead = {
        "norm": (model[0], lambda x: x - 5),
        "relu": (model[1], lambda x: x * 0 + 7),
        "class": (nn.ReLU, lambda self, x: x * 0 + 7),
    }[place]
    monkeypatch.setattr(target, "forward", instead, raising=False)
    y = model(np.ones((2, 2, 3, 3), np.float32))
    assert (y == (0 if place == "norm" else 7)).all()


def test_a_state_that_lists_a_shared_module_under_every_name():
    def shared(library):
        layer = library.Linear(3, 3)
        return library.Sequential(layer, library.ReLU(), library.Sequential(layer))

    ours, state = shared(nn), {k: v.numpy() for k, v in shared(torch.nn).state_dict().items()}
    assert len(state) == 4
    ours.load_state_dict(state)
    np.testing.assert_array_equal(ours[0].weight.data, state["0.weight"])
    del state["0.weight"], state["0.bias"]
    ours.load_state_dict({name: value * 2 for name, value in state.items()})
    np.testing.assert_array_equal(ours[0].weight.data, state["2.0.weight"] * 2)
    with pytest.raises(KeyError, match=r"missing 0\.bias"):
        ours.load_state_dict({"2.0.weight": state["2.0.weight"]})


@pytest.mark.parametrize(
    ("weight", "bias", "said"),
    [((3,), None, "expected (out, in)"), ((2, 3), (3,), "(2,)"), ((2, 3), (7, 1, 2), "(2,)")],
)
def test_linear_refuses_what_does_not_fit(weight, bias, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        F.linear(np.ones((4, 3)), np.ones(weight), None if bias is None else np.ones(bias))


@pytest.mark.parametrize("dtype", [np.float64, np.int64])
def test_linear_of_another_dtype(dtype):
    with pytest.raises(TypeError, match=r"float32"):
        nn.Linear(3, 2)(np.ones((4, 3), dtype))


@pytest.mark.parametrize("kind", [nn.optim.Adam, nn.optim.AdamW])
def test_an_infinite_parameter_stays_one(kind):
    x = nn.Parameter(np.array([-np.inf, 1.0]))
    optimiser = kind([x], lr=0.1, weight_decay=0.0)
    x.grad = nn.Tensor(np.array([0.0, 1.0]))
    optimiser.step()
    np.testing.assert_allclose(x.detach().numpy(), [-np.inf, 0.9], rtol=1e-6)

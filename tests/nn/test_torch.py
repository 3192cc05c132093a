"""The same numbers as PyTorch: layers, losses, optimisers, schedules, first weights, whole trainings."""

import numpy as np
import pytest

from convkit import nn

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.peers

rng = np.random.default_rng(3)


def normal(*shape):
    return rng.standard_normal(shape)


def twins(name, *args, **kwargs):
    """The layer and PyTorch's, float64, with PyTorch's first weights loaded by name."""
    theirs = getattr(torch.nn, name)(*args, **kwargs).double()
    ours = getattr(nn, name)(*args, **kwargs).double()
    ours.load_state_dict({key: value.numpy() for key, value in theirs.state_dict().items()})
    return ours, theirs


def check_equal(ours, theirs, *inputs, atol=1e-10):
    """The same outputs, and the same gradients by inputs and parameters of a random one of the output."""
    mine = [nn.Tensor(x.copy(), requires_grad=True) for x in inputs]
    other = [torch.tensor(x, requires_grad=True) for x in inputs]
    y, z = ours(*mine), theirs(*other)
    np.testing.assert_allclose(y.data, z.detach().numpy(), rtol=0, atol=atol)
    gradient = normal(*y.shape)
    y.backward(gradient)
    z.backward(torch.tensor(gradient))
    for a, b in zip(mine, other, strict=True):
        np.testing.assert_allclose(a.grad.data, b.grad.numpy(), rtol=0, atol=atol)
    if isinstance(ours, nn.Module):
        parameters = dict(theirs.named_parameters())
        assert [name for name, _ in ours.named_parameters()] == list(parameters)
        for name, parameter in ours.named_parameters():
            np.testing.assert_allclose(
                parameter.grad.data, parameters[name].grad.numpy(), rtol=0, atol=atol, err_msg=name
            )
        for name, value in theirs.state_dict().items():
            np.testing.assert_allclose(
                ours.state_dict()[name], value.numpy(), rtol=0, atol=atol, err_msg=name
            )


# ---- layers -----------------------------------------------------------------------------------------

MAPS = (2, 6, 9, 8)
LAYERS = [
    ("Conv2d", (6, 4, 3), {}, MAPS),
    ("Conv2d", (6, 4, (3, 2)), {"stride": (2, 1), "padding": (1, 2), "bias": False}, MAPS),
    ("Conv2d", (6, 9, 3), {"padding": 2, "dilation": 2, "groups": 3}, MAPS),
    ("Conv2d", (6, 6, 5), {"padding": "same", "groups": 6}, MAPS),
    ("Conv2d", (6, 4, 3), {"padding": 1, "padding_mode": "reflect"}, MAPS),
    ("Conv2d", (6, 4, 3), {"padding": 2, "stride": 2, "padding_mode": "circular"}, MAPS),
    ("Conv2d", (6, 4, 3), {"padding": 2, "padding_mode": "replicate"}, MAPS),
    ("Conv2d", (6, 4, 3), {}, MAPS[1:]),
    ("Conv1d", (6, 4, 3), {"stride": 2, "padding": 1}, (2, 6, 11)),
    ("ConvTranspose2d", (6, 4, 3), {}, MAPS),
    ("ConvTranspose2d", (6, 4, 3), {"stride": 2, "padding": 1, "output_padding": 1}, MAPS),
    ("ConvTranspose2d", (6, 4, (2, 3)), {"stride": 2, "groups": 2, "dilation": 2}, MAPS),
    ("Linear", (6, 4), {}, (3, 6)),
    ("Linear", (6, 4), {"bias": False}, (2, 3, 6)),
    ("BatchNorm2d", (6,), {}, MAPS),
    ("BatchNorm2d", (6,), {"momentum": None, "affine": False}, MAPS),
    ("BatchNorm1d", (6,), {}, (5, 6)),
    ("BatchNorm2d", (6,), {"bias": False}, MAPS),
    ("GroupNorm", (3, 6), {}, MAPS),
    ("GroupNorm", (3, 6), {"bias": False}, MAPS),
    ("LayerNorm", ((9, 8),), {}, MAPS),
    ("InstanceNorm2d", (6,), {"affine": True}, MAPS),
    ("MaxPool2d", (2,), {}, MAPS),
    ("MaxPool2d", (3,), {"stride": 2, "padding": 1, "dilation": 1, "ceil_mode": True}, MAPS),
    ("MaxPool2d", ((2, 3),), {"stride": 1, "dilation": 2}, MAPS),
    ("AvgPool2d", (2,), {}, MAPS),
    ("AvgPool2d", (3,), {"stride": 2, "padding": 1, "ceil_mode": True}, MAPS),
    ("AvgPool2d", (3,), {"padding": 1, "count_include_pad": False}, MAPS),
    ("AdaptiveAvgPool2d", (1,), {}, MAPS),
    ("AdaptiveAvgPool2d", ((4, 3),), {}, MAPS),
    ("Unfold", (3,), {"padding": 1, "stride": 2}, MAPS),
    ("Fold", ((9, 8), 2), {"stride": 1}, (2, 12, 56)),
    ("ReLU", (), {}, MAPS),
    ("ReLU6", (), {}, MAPS),
    ("LeakyReLU", (0.1,), {}, MAPS),
    ("PReLU", (6,), {}, MAPS),
    ("PReLU", (), {}, MAPS),
    ("ELU", (), {}, MAPS),
    ("GELU", (), {}, MAPS),
    ("GELU", (), {"approximate": "tanh"}, MAPS),
    ("SiLU", (), {}, MAPS),
    ("Sigmoid", (), {}, MAPS),
    ("Tanh", (), {}, MAPS),
    ("Hardswish", (), {}, MAPS),
    ("Softplus", (), {}, MAPS),
    ("Softmax", (1,), {}, MAPS),
    ("LogSoftmax", (1,), {}, MAPS),
    ("Flatten", (), {}, MAPS),
    ("PixelShuffle", (2,), {}, (2, 8, 3, 4)),
    ("PixelUnshuffle", (2,), {}, (2, 2, 6, 4)),
    ("Upsample", (), {"scale_factor": 2}, MAPS),
    ("Upsample", (), {"size": (13, 5)}, MAPS),
    ("Upsample", (), {"scale_factor": 2, "mode": "bilinear"}, MAPS),
    ("Upsample", (), {"size": (5, 12), "mode": "bilinear", "align_corners": True}, MAPS),
    ("ZeroPad2d", ((1, 2, 0, 3),), {}, MAPS),
    ("ConstantPad2d", (2, 1.5), {}, MAPS),
    ("ReflectionPad2d", (2,), {}, MAPS),
    ("ReplicationPad2d", ((1, 2, 3, 0),), {}, MAPS),
    ("CircularPad2d", (3,), {}, MAPS),
]


@pytest.mark.parametrize(("name", "args", "kwargs", "shape"), LAYERS)
def test_layer(name, args, kwargs, shape):
    check_equal(*twins(name, *args, **kwargs), normal(*shape) * 2)


@pytest.mark.parametrize("name", ["BatchNorm2d", "InstanceNorm2d"])
def test_evaluation_takes_running_statistics(name):
    ours, theirs = twins(name, 6, affine=True, track_running_stats=True)
    for _ in range(3):
        x = normal(*MAPS) * 3 + 1
        ours(nn.Tensor(x)), theirs(torch.tensor(x))
    check_equal(ours.eval(), theirs.eval(), normal(*MAPS))


def test_output_size_of_a_transposed_convolution():
    ours, theirs = twins("ConvTranspose2d", 6, 4, 3, stride=2, padding=1)
    x = normal(*MAPS)
    for size in ((17, 16), (18, 15)):
        expected = theirs(torch.tensor(x), output_size=size).detach().numpy()
        np.testing.assert_allclose(ours(x, output_size=size), expected, atol=1e-12)


# ---- losses -----------------------------------------------------------------------------------------

CLASS_WEIGHTS = np.array([0.5, 1.0, 2.0, 0.1, 1.5])


def classes(*shape):
    return rng.integers(0, 5, shape)


LOSSES = [
    ("MSELoss", {}, normal(4, 3), normal(4, 3)),
    ("L1Loss", {}, normal(4, 3), normal(4, 3)),
    ("HuberLoss", {"delta": 0.7}, normal(4, 3), normal(4, 3)),
    ("SmoothL1Loss", {"beta": 0.4}, normal(4, 3), normal(4, 3)),
    ("CrossEntropyLoss", {}, normal(6, 5), classes(6)),
    ("CrossEntropyLoss", {"label_smoothing": 0.1}, normal(6, 5, 3, 2), classes(6, 3, 2)),
    (
        "CrossEntropyLoss",
        {"weight": CLASS_WEIGHTS, "label_smoothing": 0.2, "ignore_index": 3},
        normal(9, 5),
        classes(9),
    ),
    ("CrossEntropyLoss", {"label_smoothing": 0.2}, normal(4, 5), rng.dirichlet(np.ones(5), 4)),
    ("NLLLoss", {"weight": CLASS_WEIGHTS, "ignore_index": 1}, normal(6, 5, 2), classes(6, 2)),
    ("BCEWithLogitsLoss", {}, normal(4, 3) * 30, rng.random((4, 3))),
    (
        "BCEWithLogitsLoss",
        {"pos_weight": np.array([0.5, 2, 3]), "weight": np.array([1.0, 2, 3])},
        normal(4, 3),
        rng.random((4, 3)),
    ),
    ("BCELoss", {}, rng.random((4, 3)), rng.random((4, 3))),
    ("KLDivLoss", {}, normal(4, 3), rng.dirichlet(np.ones(3), 4)),
    ("KLDivLoss", {"log_target": True}, normal(4, 3), normal(4, 3)),
]


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(("name", "kwargs", "x", "target"), LOSSES)
def test_loss(name, kwargs, x, target, reduction):
    arrays = {key: torch.tensor(v) if isinstance(v, np.ndarray) else v for key, v in kwargs.items()}
    theirs = getattr(torch.nn, name)(reduction=reduction, **arrays)
    ours = getattr(nn, name)(reduction=reduction, **kwargs)
    check_equal(lambda a: ours(a, target), lambda a: theirs(a, torch.tensor(target)), x, atol=1e-12)
    value = ours(x, target)
    assert isinstance(value, np.ndarray)


def test_batchmean():
    x, target = normal(4, 3), rng.dirichlet(np.ones(3), 4)
    theirs = torch.nn.KLDivLoss(reduction="batchmean")(torch.tensor(x), torch.tensor(target))
    np.testing.assert_allclose(nn.KLDivLoss(reduction="batchmean")(x, target), theirs.numpy(), atol=1e-12)


def test_one_example_without_a_batch():
    x = normal(5)
    check_equal(
        lambda a: nn.functional.cross_entropy(a, np.array(2)),
        lambda a: torch.nn.functional.cross_entropy(a, torch.tensor(2)),
        x,
    )


# ---- operations -------------------------------------------------------------------------------------

OPERATIONS = {
    "arithmetic": lambda a, b: (a + b) * (a - b) / (b * b + 1) - 2 * a + 1 / (a * a + 3) - (-b),
    "broadcasting": lambda a, b: a * b[0] + b[:, :1] - a[1] / (b[2, 3] + 9),
    "powers": lambda a, b: (a * a + 1) ** 1.5 + (a * a + 1) ** b + 2**b,
    "matrices": lambda a, b: a @ b.transpose(0, 1),
    "functions": lambda a, b: a.exp() + (b * b + 1).log() + (a * a + 1).sqrt() + a.abs() + a.tanh(),
    "clamp": lambda a, b: a.clamp(-0.5, 0.5) + b.clamp(min=0.1),
    "reductions": lambda a, b: a.sum() + b.mean(0) + a.sum(1, keepdim=True).mean() + b.var(0) + a.std(),
    "extremes": lambda a, b: a.amax(1) + b.amin((0, 1)),
    "shapes": lambda a, b: (
        a.reshape(4, 3).permute(1, 0) + b.flatten().reshape(3, -1) + a.unsqueeze(0).squeeze(0)
    ),
    "slices": lambda a, b: a[1:, ::2] + b[:2, [0, 0]] + a[0, 1],
    "softmax": lambda a, b: a.softmax(1) * b.log_softmax(0),
    "reuse": lambda a, b: sum((a * b) ** k for k in range(1, 5)),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_operation(name):
    check_equal(OPERATIONS[name], OPERATIONS[name], normal(3, 4), normal(3, 4))


def test_joining():
    check_equal(
        lambda a, b: nn.cat([a, b, a], 1),
        lambda a, b: torch.cat([a, b, a], 1),
        normal(3, 4),
        normal(3, 2),
    )
    check_equal(
        lambda a, b: nn.stack([a, b], 1), lambda a, b: torch.stack([a, b], 1), normal(3, 4), normal(3, 4)
    )
    for ours, theirs in ((nn.functional.maximum, torch.maximum), (nn.functional.minimum, torch.minimum)):
        check_equal(ours, theirs, np.array([1.0, 2, 3]), np.array([1.0, 3, 2]))
    mask = np.array([True, False, True])
    check_equal(
        lambda a, b: nn.where(mask, a, b),
        lambda a, b: torch.where(torch.tensor(mask), a, b),
        normal(3),
        normal(3),
    )


@pytest.mark.parametrize(
    "shapes",
    [
        ((3,), (3,)),
        ((2, 3), (3,)),
        ((3,), (3, 4)),
        ((5, 2, 3), (3, 4)),
        ((5, 2, 3), (5, 3, 4)),
        ((2, 3), (5, 3, 4)),
    ],
)
def test_matmul(shapes):
    check_equal(lambda a, b: a @ b, lambda a, b: a @ b, *(normal(*shape) for shape in shapes))


# ---- optimisers and schedules -----------------------------------------------------------------------

OPTIMISERS = [
    ("SGD", {"lr": 0.05}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "dampening": 0.1, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True, "maximize": True}),
    ("Adam", {"lr": 0.01}),
    ("Adam", {"lr": 0.01, "betas": (0.8, 0.95), "weight_decay": 0.1, "amsgrad": True}),
    ("AdamW", {"lr": 0.01}),
    ("AdamW", {"lr": 0.01, "weight_decay": 0.3, "amsgrad": True}),
    ("RMSprop", {"lr": 0.01}),
    ("RMSprop", {"lr": 0.01, "momentum": 0.5, "centered": True, "weight_decay": 0.1}),
    ("Adagrad", {"lr": 0.1}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.01, "weight_decay": 0.1, "initial_accumulator_value": 0.2}),
]


@pytest.mark.parametrize(("name", "settings"), OPTIMISERS)
def test_two_hundred_steps(name, settings):
    """Two groups, one with a rate of its own, and gradients that differ in size."""
    starts = [normal(4, 3), normal(5)]
    ours = [nn.Parameter(x) for x in starts]
    theirs = [torch.nn.Parameter(torch.tensor(x)) for x in starts]
    optimisers = [
        make([{"params": p[:1]}, {"params": p[1:], "lr": 0.003}], **settings)
        for make, p in ((getattr(nn.optim, name), ours), (getattr(torch.optim, name), theirs))
    ]
    for step in range(200):
        for p, q in zip(ours, theirs, strict=True):
            gradient = normal(*p.shape) * 10.0 ** (step % 5 - 2)
            p.grad, q.grad = nn.Tensor(gradient), torch.tensor(gradient)
        for optimiser in optimisers:
            optimiser.step()
    for p, q in zip(ours, theirs, strict=True):
        size = np.abs(q.detach().numpy()).max()
        np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=0, atol=1e-12 * max(1, size))


SCHEDULES = [
    ("StepLR", {"step_size": 4, "gamma": 0.3}),
    ("MultiStepLR", {"milestones": [3, 5, 11], "gamma": 0.5}),
    ("ExponentialLR", {"gamma": 0.9}),
    ("ConstantLR", {"factor": 0.2, "total_iters": 4}),
    ("LinearLR", {"start_factor": 0.1, "total_iters": 7}),
    ("CosineAnnealingLR", {"T_max": 20, "eta_min": 0.001}),
    ("LambdaLR", {"lr_lambda": lambda step: 1 / (1 + step)}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 20}),
    (
        "OneCycleLR",
        {
            "max_lr": [0.5, 0.3],
            "epochs": 5,
            "steps_per_epoch": 4,
            "anneal_strategy": "linear",
            "three_phase": True,
        },
    ),
]


@pytest.mark.parametrize("optimiser", ["SGD", "Adam"])
@pytest.mark.parametrize(("name", "settings"), SCHEDULES)
def test_schedule(name, settings, optimiser):
    rates = []
    for library, make in (
        (nn.optim, nn.Parameter),
        (torch.optim, lambda x: torch.nn.Parameter(torch.tensor(x))),
    ):
        momentum = {"momentum": 0.9} if optimiser == "SGD" else {}
        groups = [{"params": [make(np.ones(2))]}, {"params": [make(np.ones(3))], "lr": 0.02}]
        chosen = getattr(library, optimiser)(groups, lr=0.1, **momentum)
        schedule = getattr(library.lr_scheduler, name)(chosen, **settings)
        rates.append([])
        for _ in range(19):
            rates[-1].append([[g["lr"], *g.get("betas", (g.get("momentum"),))] for g in chosen.param_groups])
            chosen.step()
            schedule.step()
    np.testing.assert_allclose(rates[0], rates[1], rtol=1e-12)


def test_a_warm_up_then_a_cosine():
    rates = []
    for library, parameter in (
        (nn.optim, nn.Parameter(np.ones(2))),
        (torch.optim, torch.nn.Parameter(torch.ones(2))),
    ):
        s, optimiser = library.lr_scheduler, library.SGD([parameter], lr=0.1)
        parts = [s.LinearLR(optimiser, 0.1, total_iters=4), s.CosineAnnealingLR(optimiser, 10)]
        schedule = s.SequentialLR(optimiser, parts, [4])
        rates.append([])
        for _ in range(14):
            rates[-1].append(optimiser.param_groups[0]["lr"])
            optimiser.step()
            schedule.step()
    np.testing.assert_allclose(rates[0], rates[1], rtol=1e-12)


@pytest.mark.parametrize("kind", [1.0, 2.0, np.inf])
def test_clipping(kind):
    gradients = [normal(4, 3), normal(5)]
    ours = [nn.Parameter(g) for g in gradients]
    theirs = [torch.nn.Parameter(torch.tensor(g)) for g in gradients]
    for p, q, g in zip(ours, theirs, gradients, strict=True):
        p.grad, q.grad = nn.Tensor(g.copy()), torch.tensor(g)
    total = nn.clip_grad_norm_(ours, 0.7, kind)
    assert total == pytest.approx(float(torch.nn.utils.clip_grad_norm_(theirs, 0.7, kind)), rel=1e-12)
    nn.clip_grad_value_(ours, 0.05)
    torch.nn.utils.clip_grad_value_(theirs, 0.05)
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.grad.data, q.grad.numpy(), rtol=1e-12)


# ---- first weights ----------------------------------------------------------------------------------

INITS = [
    ("uniform_", {"a": -0.3, "b": 0.9}),
    ("normal_", {"mean": 0.3, "std": 2.0}),
    ("trunc_normal_", {"std": 1.0, "a": -0.5, "b": 1.5}),
    ("trunc_normal_", {"mean": 0.0, "std": 1.0, "a": 1.0, "b": 3.0}),
    ("xavier_uniform_", {"gain": 1.7}),
    ("xavier_normal_", {}),
    ("kaiming_uniform_", {"a": 5**0.5}),
    ("kaiming_normal_", {"mode": "fan_out", "nonlinearity": "relu"}),
]


def test_first_weights_have_the_same_distribution():
    """Kolmogorov and Smirnov's test, and the layers' own first weights."""
    from scipy.stats import ks_2samp

    generator = np.random.default_rng(5)
    torch.manual_seed(5)
    for name, settings in INITS:
        ours = getattr(nn.init, name)(np.empty((40, 20, 3, 3)), **settings, generator=generator)
        theirs = getattr(torch.nn.init, name)(torch.empty(40, 20, 3, 3, dtype=torch.float64), **settings)
        assert ks_2samp(ours.ravel(), theirs.numpy().ravel()).pvalue > 0.01, name
    for name, args in (
        ("Conv2d", (16, 64, 3)),
        ("Conv1d", (16, 64, 3)),
        ("ConvTranspose2d", (16, 64, 3)),
        ("Linear", (100, 70)),
    ):
        ours = getattr(nn, name)(*args, generator=generator)
        theirs = getattr(torch.nn, name)(*args)
        assert [(n, p.shape) for n, p in ours.named_parameters()] == [
            (n, tuple(p.shape)) for n, p in theirs.named_parameters()
        ]
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            assert ks_2samp(a.data.ravel(), b.detach().numpy().ravel()).pvalue > 0.01, name


def test_weights_without_chance():
    for name, shape, settings in (("dirac_", (6, 2, 3, 5), {"groups": 2}), ("eye_", (3, 5), {})):
        ours = getattr(nn.init, name)(np.empty(shape), **settings)
        theirs = getattr(torch.nn.init, name)(torch.empty(shape), **settings)
        np.testing.assert_array_equal(ours, theirs.numpy())
    for nonlinearity, param in (("leaky_relu", 0.2), ("relu", None), ("tanh", None), ("conv2d", None)):
        gain = torch.nn.init.calculate_gain(nonlinearity, param)
        assert nn.init.calculate_gain(nonlinearity, param) == pytest.approx(gain, rel=1e-14)


# ---- whole networks ---------------------------------------------------------------------------------


def network(library):
    """Convolutions, strides, groups, normalisation and a head."""
    return library.Sequential(
        library.Conv2d(3, 8, 3, padding=1),
        library.BatchNorm2d(8),
        library.ReLU(),
        library.MaxPool2d(2),
        library.Conv2d(8, 16, 3, stride=2, padding=1, groups=4, bias=False),
        library.GroupNorm(4, 16),
        library.SiLU(),
        library.AdaptiveAvgPool2d(1),
        library.Flatten(),
        library.Linear(16, 5),
    )


def test_the_same_loss_curve():
    """50 steps of Adam with the same weights and batches, in float64."""
    ours, theirs = network(nn).double(), network(torch.nn).double()
    ours.load_state_dict({key: value.numpy() for key, value in theirs.state_dict().items()})
    x, y = normal(64, 3, 14, 13), rng.integers(0, 5, 64)
    mine = nn.optim.Adam(ours.parameters(), lr=3e-3)
    other = torch.optim.Adam(theirs.parameters(), lr=3e-3)
    curves = [], []
    for step in range(50):
        rows = slice(step % 4 * 16, step % 4 * 16 + 16)
        for model, optimiser, loss, batch in (
            (ours, mine, nn.CrossEntropyLoss(), (nn.Tensor(x[rows]), y[rows])),
            (theirs, other, torch.nn.CrossEntropyLoss(), (torch.tensor(x[rows]), torch.tensor(y[rows]))),
        ):
            optimiser.zero_grad()
            value = loss(model(batch[0]), batch[1])
            value.backward()
            optimiser.step()
            curves[model is theirs].append(value.item())
    np.testing.assert_allclose(curves[0], curves[1], rtol=0, atol=1e-8)
    assert curves[0][-1] < 0.95 * curves[0][0]
    torch_state = theirs.eval().state_dict()
    for name, array in ours.eval().state_dict().items():
        np.testing.assert_allclose(array, torch_state[name].numpy(), rtol=0, atol=1e-7, err_msg=name)
    np.testing.assert_allclose(ours(x), theirs(torch.tensor(x)).detach().numpy(), atol=1e-7)


def test_a_file_of_pytorchs(tmp_path):
    """Written by `safetensors.torch`, in float32, float16 and bfloat16."""
    from safetensors.torch import save_file

    theirs = network(torch.nn)
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        state = {k: v.to(dtype) if v.is_floating_point() else v for k, v in theirs.state_dict().items()}
        save_file(state, tmp_path / "theirs.safetensors")
        ours = network(nn)
        result = nn.load_weights(tmp_path / "theirs.safetensors", ours)
        assert result == ([], [])
        for name, array in ours.state_dict().items():
            np.testing.assert_array_equal(array, state[name].float().numpy())


def test_to_and_from_dlpack():
    x = nn.Tensor(np.arange(6, dtype=np.float32).reshape(2, 3))
    assert torch.from_dlpack(x).tolist() == x.tolist()
    assert nn.Tensor(np.from_dlpack(torch.ones(2, 3))).tolist() == [[1, 1, 1], [1, 1, 1]]
    recorded = (nn.Tensor(np.ones(3, np.float32), requires_grad=True) * 2).detach()
    assert torch.from_dlpack(recorded).tolist() == [2, 2, 2]

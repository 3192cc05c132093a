"""The tape: gradients of every operation, memory, arrays that change, threads, refusals."""

import gc
import threading
import weakref

import numpy as np
import pytest

import convkit as ck
from convkit import nn

F = nn.functional
rng = np.random.default_rng(11)


def normal(*shape):
    return rng.standard_normal(shape)


def leaf(*shape):
    return nn.Tensor(normal(*shape), requires_grad=True)


# ---- gradients of all operations and layers ---------------------------------------------------------

FUNCTIONS = {
    "add": lambda a, b: a + b[0],
    "subtract": lambda a, b: 1 - a - b,
    "multiply": lambda a, b: a * b * 3,
    "divide": lambda a, b: a / (b * b + 1),
    "power": lambda a, b: (a * a + 1) ** b,
    "matmul": lambda a, b: a @ b.T,
    "exp, log, sqrt": lambda a, b: (a.exp() + 1).log() * (b * b + 1).sqrt(),
    "tanh, abs": lambda a, b: a.tanh() * b.abs(),
    "clamp": lambda a, b: a.clamp(-1, 1) * b,
    "sum, mean": lambda a, b: a.sum(0) * b.mean(1, keepdim=True),
    "var, std": lambda a, b: a.var(0) + b.std(0, correction=0),
    "amax, amin": lambda a, b: a.amax(0) * b.amin(0),
    "softmax": lambda a, b: a.softmax(0) * b.log_softmax(1),
    "reshape": lambda a, b: a.reshape(6, 2) @ b.T.reshape(2, 6),
    "index": lambda a, b: a[1:, [0, 0, 2]] * b[:2, :3] + a[None, 0, 1],
    "expand": lambda a, b: a[:, None].expand(3, 2, 4) * b[:, None],
    "concatenate": lambda a, b: nn.cat([a, b * a]),
    "where": lambda a, b: nn.where(np.arange(4) > 1, a, b),
    "maximum, minimum": lambda a, b: F.maximum(a, b) * F.minimum(a, 0.3),
    "pad": lambda a, b: F.pad(a, (1, 2), value=2.0) * F.pad(b, (2, 1), "reflect"),
    "pads": lambda a, b: F.pad(a, (1, 2, 2, 1), "circular") * F.pad(b, (3, 0, 0, 3), "replicate"),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_of_operations(name):
    assert nn.gradcheck(FUNCTIONS[name], [leaf(3, 4), leaf(3, 4)])


LAYERS = {
    "Conv2d": lambda: nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2),
    "Conv2d, reflected": lambda: nn.Conv2d(4, 2, (2, 3), padding=1, dilation=2, padding_mode="reflect"),
    "Conv2d, same": lambda: nn.Conv2d(4, 2, 4, padding="same"),
    "DepthwiseConv2d": lambda: nn.DepthwiseConv2d(4, 3, 2, padding=(0, 1, 2, 1)),
    "SeparableConv2d": lambda: nn.SeparableConv2d(4, 3, 3, padding=1),
    "ConvTranspose2d": lambda: nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2),
    "MaxPool2d": lambda: nn.MaxPool2d(3, 2, 1),
    "AvgPool2d": lambda: nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False),
    "AdaptiveAvgPool2d": lambda: nn.AdaptiveAvgPool2d((2, 3)),
    "BatchNorm2d": lambda: nn.BatchNorm2d(4),
    "BatchNorm2d, eval": lambda: nn.BatchNorm2d(4).eval(),
    "GroupNorm": lambda: nn.GroupNorm(2, 4),
    "LayerNorm": lambda: nn.LayerNorm((5, 4)),
    "InstanceNorm2d": lambda: nn.InstanceNorm2d(4, affine=True),
    "Upsample": lambda: nn.Upsample(scale_factor=2, mode="bilinear"),
    "PixelShuffle": lambda: nn.PixelShuffle(2),
    "Unfold": lambda: nn.Unfold(2, padding=1, stride=2),
    "PReLU": lambda: nn.PReLU(4),
    "LeakyReLU": lambda: nn.LeakyReLU(0.2),
    "ReLU": lambda: nn.ReLU(),
    "GELU": lambda: nn.GELU(),
    "GELU, tanh": lambda: nn.GELU("tanh"),
    "SiLU": lambda: nn.SiLU(),
    "ELU": lambda: nn.ELU(),
    "Hardswish": lambda: nn.Hardswish(),
    "Sigmoid": lambda: nn.Sigmoid(),
    "Softplus": lambda: nn.Softplus(),
    "Softmax": lambda: nn.Softmax(1),
    "Linear": lambda: nn.Linear(4, 3),
    "Dropout": lambda: nn.Dropout(0.0),
}


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_of_layers(name):
    layer = LAYERS[name]().double()
    for parameter in layer.parameters():
        parameter.data[...] += 0.1 * normal(*parameter.shape)
    assert nn.gradcheck(lambda x, *_: layer(x), [leaf(2, 4, 5, 4), *layer.parameters()])


LOSSES = {
    "mse": lambda x, y: F.mse_loss(x, y),
    "l1": lambda x, y: F.l1_loss(x, y),
    "huber": lambda x, y: F.huber_loss(x, y, delta=0.5),
    "smooth l1": lambda x, y: F.smooth_l1_loss(x, y, beta=0.5),
    "cross entropy": lambda x, y: F.cross_entropy(x, np.array([2, 0, 1]), label_smoothing=0.1),
    "nll": lambda x, y: F.nll_loss(x.log_softmax(1), np.array([2, 0, 1])),
    "bce with logits": lambda x, y: F.binary_cross_entropy_with_logits(x, y),
    "bce": lambda x, y: F.binary_cross_entropy(F.sigmoid(x), F.sigmoid(y)),
    "kl": lambda x, y: F.kl_div(x.log_softmax(1), y.softmax(1), "batchmean"),
    "psnr": lambda x, y: F.psnr(x.reshape(1, 1, 3, 4), y.reshape(1, 1, 3, 4)),
    "total variation": lambda x, y: F.total_variation(x.reshape(1, 3, 4)) * y.sum(),
}


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_of_losses(name):
    assert nn.gradcheck(LOSSES[name], [leaf(3, 4), leaf(3, 4)])


def test_gradient_of_ssim():
    x, y = (nn.Tensor(rng.random((1, 2, 9, 8)), requires_grad=True) for _ in range(2))
    assert nn.gradcheck(lambda x, y: F.ssim(x, y, window_size=5), [x, y])
    assert F.ssim(x, x, window_size=5).item() == pytest.approx(1)


def test_a_wrong_gradient_is_found():
    with pytest.raises(AssertionError, match=r"input 0 at \(0,\)"):
        nn.gradcheck(lambda x: x * x.detach(), leaf(3))


def test_gradcheck_wants_float64():
    with pytest.raises(TypeError, match="float64"):
        nn.gradcheck(lambda x: x, nn.Tensor(np.ones(2, np.float32), requires_grad=True))


# ---- what comes in decides what comes out -----------------------------------------------------------


def test_arrays_in_arrays_out():
    x = normal(2, 3, 6, 5).astype(np.float32)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    y = model(x)
    assert isinstance(y, np.ndarray)
    assert y.dtype == np.float32
    np.testing.assert_array_equal(model(nn.Tensor(x)).data, y)
    assert isinstance(F.relu(x), np.ndarray)
    assert isinstance(F.mse_loss(x, x + 1), np.ndarray)
    assert isinstance(F.conv2d(x, model[0].weight), nn.Tensor)
    assert isinstance(nn.cat([x, x]), np.ndarray)


def test_an_array_on_either_side():
    x, a = leaf(3), normal(3)
    for result in (a + x, a - x, a * x, a / x, x + a, a @ x, 2**x):
        assert isinstance(result, nn.Tensor)
        assert result.requires_grad


def test_numbers_do_not_widen():
    x = nn.Tensor([1.0, 2.0], requires_grad=True)
    y = (2 * x + 1.5) / 3 - x**2
    y.sum().backward()
    assert x.dtype == y.dtype == x.grad.dtype == np.float32


def test_mixed_dtypes_give_each_its_own_gradient():
    x, y = nn.Tensor([1.0, 2.0], requires_grad=True), leaf(2)
    (x * y).sum().backward()
    assert (x.grad.dtype, y.grad.dtype) == (np.float32, np.float64)


def test_numpy_would_cut_the_gradient():
    x = leaf(3)
    with pytest.raises(RuntimeError, match=r"detach\(\)\.numpy\(\)"):
        np.asarray(x)
    with pytest.raises(RuntimeError, match="requires a gradient"):
        x.numpy()
    with pytest.raises(TypeError):
        np.exp(x)
    with pytest.raises(TypeError, match="gives no array"):
        ck.conv2d(nn.Tensor(normal(1, 1, 5, 5), requires_grad=True), normal(1, 1, 3, 3))
    np.testing.assert_array_equal(np.asarray(x.detach()), x.data)


# ---- backward ---------------------------------------------------------------------------------------


def test_gradients_add_up_until_they_are_forgotten():
    x = leaf(3)
    for _ in range(2):
        (x * 2).sum().backward()
    assert x.grad.tolist() == [4, 4, 4]
    x.grad = None
    (x * 2).backward(np.array([1.0, 2, 3]))
    assert x.grad.tolist() == [2, 4, 6]


def test_the_tape_is_freed():
    x = leaf(3)
    y = (x * x).exp()
    y.sum().backward()
    with pytest.raises(RuntimeError, match=r"freed by an earlier.*retain_graph=True"):
        y.sum().backward()
    z = (x * x).exp().sum()
    z.backward(retain_graph=True)
    z.backward()


def test_memory_goes_step_by_step():
    """What an operation kept is gone when the walk has passed it, and all of it after backward."""
    x, kept, alive = leaf(4), [], []
    first = y = x * 1
    first.register_hook(lambda g: alive.append(sum(ref() is not None for ref in kept[:-1])))
    for _ in range(5):
        y = y.tanh()
        kept.append(weakref.ref(y.data))
    loss = y.sum()
    gc.disable()
    try:
        loss.backward()
        assert alive == [0]
        del y
        assert all(ref() is None for ref in kept)
    finally:
        gc.enable()


def test_what_follows_is_run_before_what_it_follows_from():
    """A value that is used early and late gets both gradients before it passes them on."""
    x = leaf(3)
    a = x * 2
    b = a * a
    c = b + a
    d = c * a
    d.sum().backward()
    np.testing.assert_allclose(x.grad.data, 2 * (3 * a.data**2 + 2 * a.data))


def test_a_thousand_operations_deep():
    x = leaf(2)
    y = x
    for _ in range(5000):
        y = y + 0.001
    y.sum().backward()
    assert x.grad.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: leaf(3).detach().sum().backward(), "nothing here requires a gradient"),
        (lambda: (leaf(3) * 2).backward(), r"shape \(3,\) needs a gradient"),
        (lambda: (leaf(3) * 2).requires_grad_(False), "was computed"),
    ],
)
def test_backward_refuses(call, message):
    with pytest.raises(RuntimeError, match=message):
        call()


def test_a_gradient_of_another_shape():
    with pytest.raises(ValueError, match=r"gradient has shape \(2,\); expected \(3,\)"):
        (leaf(3) * 2).backward(np.ones(2))


def test_integers_have_no_gradient():
    with pytest.raises(TypeError, match="int64"):
        nn.Tensor(np.arange(3), requires_grad=True)


def test_hooks_see_and_change_gradients():
    x = leaf(3)
    y = x * 2
    seen = []
    remove = y.register_hook(lambda g: seen.append(g.tolist()))
    x.register_hook(lambda g: g * 10)
    y.sum().backward()
    assert seen == [[1, 1, 1]]
    assert x.grad.tolist() == [20, 20, 20]
    remove()


def test_no_grad_is_for_this_thread_alone():
    x, seen = leaf(2), []
    with nn.no_grad():
        assert not (x * 2).requires_grad
        with nn.enable_grad():
            assert (x * 2).requires_grad
        thread = threading.Thread(target=lambda: seen.append((x * 2).requires_grad))
        thread.start()
        thread.join()
    assert seen == [True]
    assert nn.is_grad_enabled()


# ---- arrays that change -----------------------------------------------------------------------------


@pytest.mark.parametrize("change", [
    lambda a: a.__setitem__((0, 0), 9),
    lambda a: a.__setitem__(..., a[::-1].copy()),
    lambda a: a.__setitem__(..., a[:, ::-1].copy()),
    lambda a: a.__iadd__(1),
])  # fmt: skip
def test_a_saved_array_that_was_changed_is_noticed(change):
    for shape in ((8, 64), (100, 251)):
        array = normal(*shape)
        x = nn.Tensor(array, requires_grad=True)
        loss = (x * x).sum()
        change(array)
        with pytest.raises(RuntimeError, match="changed in place"):
            loss.backward()


def test_a_view_of_a_changed_array_is_noticed():
    array = normal(2, 6)
    x = nn.Tensor(array, requires_grad=True)
    loss = x.reshape(3, 4).exp().sum() + (x.T[1:] ** 2).sum()
    array[0] = 0
    with pytest.raises(RuntimeError, match="changed in place"):
        loss.backward()


def test_a_step_between_forward_and_backward_is_noticed():
    layer = nn.Linear(3, 2)
    optimiser = nn.optim.SGD(layer.parameters(), lr=0.1)
    x = nn.Tensor(normal(4, 3).astype(np.float32), requires_grad=True)
    first, second = (layer(x) ** 2).sum(), (layer(x) ** 2).sum()
    first.backward()
    optimiser.step()
    with pytest.raises(RuntimeError, match="changed in place"):
        second.backward()


def test_results_cannot_be_changed_in_place():
    y = leaf(3) * 2
    with pytest.raises(ValueError, match="read-only"):
        y.data[0] = 1
    x = leaf(3)
    x.sum().backward()
    with pytest.raises(ValueError, match="read-only"):
        x.grad.data[0] = 1


def test_what_is_not_saved_may_change():
    array = normal(3)
    x = nn.Tensor(array, requires_grad=True)
    loss = (x + 1).sum()
    array[0] = 5
    loss.backward()
    assert x.grad.tolist() == [1, 1, 1]

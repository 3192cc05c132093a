"""What makes a step short changes no result: joined passes, steps in a kernel, choices for the batch."""

import numpy as np
import pytest

import convkit as ck
from convkit import nn
from convkit.nn.autograd import fingerprint

X = np.random.default_rng(3).standard_normal((16, 8, 8, 8)).astype(np.float32)


def layers(*after_norm):
    nn.manual_seed(1)
    return nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), *after_norm, nn.Conv2d(8, 4, 3))


def outcome(model, x=X):
    """Output, gradients, running moments."""
    y = model(nn.Tensor(x))
    (y * y).sum().backward()
    return [y.detach().numpy(), *(p.grad.numpy() for p in model.parameters()), *model.buffers()]


def equal(ours, theirs):
    return all(np.array_equal(a, b, equal_nan=True) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("training", [True, False])
def test_relu_of_a_batch_norm_is_part_of_its_pass(training):
    fused, apart = layers(nn.ReLU()), layers(nn.Identity(), nn.ReLU())
    ours, theirs = (outcome(model.train(training)) for model in (fused, apart))
    assert np.array_equal(ours[0], theirs[0])
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6 * np.abs(b).max())


def test_who_looks_between_sees_what_the_norm_gave():
    model, seen = layers(nn.ReLU()), []
    remove = model[1].register_forward_hook(lambda module, inputs, output: seen.append(output.numpy().min()))
    with nn.no_grad():
        y = model(nn.Tensor(X)).numpy()
        remove()
        model.train()
        assert np.array_equal(model(nn.Tensor(X)).numpy(), y)
    assert seen[0] < 0


def test_a_step_has_the_same_bits_on_any_number_of_threads():
    found = []
    for count in (1, 2, 3, 7):
        with ck.options(num_threads=count):
            found.append(outcome(layers(nn.ReLU())))
    assert all(equal(found[0], other) for other in found[1:])


def test_without_a_gradient_an_image_has_the_bits_that_it_has_alone():
    conv = nn.Conv2d(8, 16, 3, padding=1)
    assert np.array_equal(conv(X)[5:6], conv(X[5:6]))


def test_adam_on_arrays_that_do_not_lie_in_one_line_and_on_long_ones():
    start, gradient = np.random.default_rng(0).standard_normal((2, 300, 1000))
    found = []
    for data in (start, np.asfortranarray(start)):
        for count in (1, 3):
            p = nn.Parameter(start)
            p._data = data.copy(order="K")
            p.grad = nn.Tensor(gradient)
            with ck.options(num_threads=count):
                optimiser = nn.optim.AdamW([p], lr=0.1, amsgrad=True)
                for _ in range(3):
                    optimiser.step()
            found.append(p.data)
    assert all(np.array_equal(found[0], other) for other in found[1:])
    with pytest.raises(ValueError, match=r"shape \(5,\)"):
        p.grad = nn.Tensor(np.ones(5))


@pytest.mark.parametrize("change", [np.negative, lambda a: a[::-1], lambda a: np.roll(a, 8)])
def test_a_fingerprint_notices(change):
    array = np.random.default_rng(0).standard_normal(1024)
    assert fingerprint(array) != fingerprint(change(array))
    assert fingerprint(array) == fingerprint(array.copy())

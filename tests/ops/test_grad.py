"""Gradients of the convolutions: the definition's, the same bits on any number of threads, PyTorch's."""

import numpy as np
import pytest

import convkit as ck
from convkit import _dispatch, _reference, _threads
from convkit.ops import weight_grad
from convkit.ops.conv import PADDING_BORDERS
from convkit.ops.problem import Problem
from convkit.shapes import Axis

CALLS = 2000
PARTS = 10
THREADS = (1, 2, 3, 7)


def draw(seed):
    """Input, weight, the gradient of the output, and the arguments; integers, so that sums are exact."""
    rng = np.random.default_rng(seed)
    groups, channels, outputs = (int(n) for n in rng.integers(1, (4, 5, 19)))
    if seed % 4 == 0:
        groups, channels, outputs = int(rng.integers(1, 9)), 1, int(rng.integers(1, 3))
    kernel, stride, dilation = (tuple(int(n) for n in rng.integers(1, most, 2)) for most in (5, 4, 3))
    size = [d * (k - 1) + int(n) for d, k, n in zip(dilation, kernel, rng.integers(1, 14, 2), strict=True)]
    padding = tuple(int(n) for n in rng.integers(0, 3, 4))
    mode = str(rng.choice(["zeros", *PADDING_BORDERS]))
    dtype = np.dtype(rng.choice([np.float32, np.float64]))
    x = rng.integers(-8, 9, (int(rng.integers(1, 4)), groups * channels, *size)).astype(dtype)
    weight = rng.integers(-8, 9, (groups * outputs, channels, *kernel)).astype(dtype)
    arguments = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    y = ck.conv2d(x, weight, padding_mode=mode, **arguments)
    return x, weight, rng.integers(-8, 9, y.shape).astype(dtype), arguments, mode


@pytest.mark.parametrize("part", range(PARTS))
def test_integers_are_exact_on_any_number_of_threads(part, monkeypatch):
    monkeypatch.setattr(_threads, "force_threads", True)
    for seed in range(part, CALLS, PARTS):
        x, weight, g, arguments, mode = draw(seed)
        exact = _reference.conv2d_grads(
            *(a.astype(np.float64) for a in (x, weight, g)), *arguments.values(), PADDING_BORDERS[mode]
        )
        for isa in _dispatch.available():
            monkeypatch.setattr(_dispatch, "_chosen", _dispatch.load(isa))
            threads = THREADS[seed // PARTS % 4]  # by turns: where all are exact, all have the same bits
            how = arguments | {"padding_mode": mode, "num_threads": threads}
            with ck.options(precision="exact"):
                by_input = ck.conv2d_input_grad(g, weight, x.shape, **how)
                by_weight = ck.conv2d_weight_grad(x, g, weight.shape[2:], **how)
            assert (by_input == exact[0]).all(), (isa, seed, threads)
            assert (by_weight == exact[1]).all(), (isa, seed, threads)
            assert (ck.conv2d_bias_grad(g) == g.sum((0, 2, 3), dtype=np.float64)).all()


def test_many_chunks_and_blocks_have_the_same_bits(isa, threads):
    rng = np.random.default_rng(1)
    for channels, outputs, groups, size, kernel in ((70, 80, 1, 20, 3), (6, 40, 1, 300, 3), (8, 8, 8, 90, 7)):
        x = rng.standard_normal((2, channels, 9, size), np.float32)
        g = rng.standard_normal((2, outputs, 9, size), np.float32)
        how = {"padding": kernel // 2, "groups": groups}
        with ck.options(precision="exact"):
            dw = ck.conv2d_weight_grad(x, g, kernel, **how, num_threads=threads)
            assert dw.tobytes() == ck.conv2d_weight_grad(x, g, kernel, **how, num_threads=1).tobytes()
        y, size64 = (
            ck.conv2d_weight_grad(*(f(a.astype(np.float64)) for a in (x, g)), kernel, **how)
            for f in (np.positive, np.abs)
        )
        n = 2 * 9 * size
        assert (np.abs(dw - y) <= n * 2.0**-24 / (1 - n * 2.0**-24) * size64).all()


def gradients(num_threads):
    """Every gradient, of floats whose sums depend on their order."""
    rng = np.random.default_rng(3)

    def normal(*shape):
        return rng.standard_normal(shape, np.float32)

    how = {"num_threads": num_threads}
    x, weight, depthwise = normal(3, 12, 41, 43), normal(20, 12, 3, 3), normal(12, 1, 3, 3)
    for stride, w, groups in ((1, weight, 1), (2, weight, 1), (2, depthwise, 12)):
        g = normal(*ck.conv2d(x, w, None, stride, 1, groups=groups).shape)
        sizes = {"stride": stride, "padding": 1, "groups": groups} | how
        yield ck.conv2d_input_grad(g, w, x.shape, **sizes)
        yield ck.conv2d_weight_grad(x, g, 3, **sizes)
        yield ck.conv2d_bias_grad(g, **how)
        yield ck.conv_transpose2d_input_grad(x, w, g.shape, **sizes)
        yield ck.conv_transpose2d_weight_grad(g, x, 3, **sizes)
    g = normal(*x.shape)
    yield ck.activation_grad(g, x, "gelu", **how)
    yield from ck.batch_norm_grad(
        g, x, *ck.batch_norm(x, training=True, return_moments=True)[1:], training=True, **how
    )
    yield from ck.group_norm_grad(g, x, 3, **how)
    yield from ck.layer_norm_grad(g, x, (43,), **how)
    y, places = ck.max_pool2d(x, 3, 2, return_indices=True)
    yield ck.max_pool2d_grad(y, places, x.shape, **how)
    yield ck.avg_pool2d_grad(y, x.shape, 3, 2, **how)
    yield ck.adaptive_avg_pool2d_grad(normal(3, 12, 5, 6), x.shape, **how)


def test_every_gradient_has_the_same_bits(isa, threads):
    for i, (one, other) in enumerate(zip(gradients(1), gradients(threads), strict=True)):
        assert one.tobytes() == other.tobytes(), i


def test_float32_weight_gradients_within_the_bound(isa):
    for seed in range(150):
        x, weight, g, arguments, mode = draw(seed)
        rng = np.random.default_rng(seed)
        x, g = (rng.standard_normal(a.shape, np.float32) for a in (x, g))
        with ck.options(precision="exact"):
            dw = ck.conv2d_weight_grad(x, g, weight.shape[2:], **arguments, padding_mode=mode)
        exact, magnitude = (
            _reference.conv2d_grads(
                f(x.astype(np.float64)),
                weight.astype(np.float64),
                f(g.astype(np.float64)),
                *arguments.values(),
                PADDING_BORDERS[mode],
            )[1]
            for f in (np.positive, np.abs)
        )
        n = g[:, 0].size * 2.0**-24
        assert (np.abs(dw - exact) <= n / (1 - n) * magnitude).all(), seed


def test_a_nan_reaches_the_weights_that_it_meets_alone(isa):
    x, g = np.ones((1, 1, 5, 5), np.float32), np.ones((1, 9, 3, 3), np.float32)
    x[0, 0, 0, 0] = np.nan
    for outputs in (1, 9):
        dw = ck.conv2d_weight_grad(x, g[:, :outputs], 3)
        assert np.isnan(dw[:, 0, 0, 0]).all()
        assert np.isnan(dw).sum() == outputs


def test_winograd_is_taken_for_large_layers_in_float32_alone():
    def taken(channels=64, itemsize=4, **change):
        axes = (Axis(name, 56, 3, 1, 1, 1, 1)._replace(**change) for name in ("vertical", "horizontal"))
        return weight_grad.takes_winograd(Problem(1, 1, 64, channels, *axes, itemsize), 8, "avx2")

    assert taken()
    assert not any((taken(1), taken(itemsize=8), taken(stride=2), taken(kernel=5), taken(dilation=27)))
    with ck.options(precision="exact"):
        assert not taken()


def test_shapes_of_no_convolution_are_refused():
    x, g = np.ones((1, 2, 5, 5)), np.ones((1, 3, 3, 3))
    with pytest.raises(ValueError, match="grad_output has shape"):
        ck.conv2d_weight_grad(x, g, 2)
    with pytest.raises(ValueError, match="groups is 3"):
        ck.conv2d_weight_grad(x, g, 3, groups=3)
    with pytest.raises(ValueError, match="the weight expects 2"):
        ck.conv2d_input_grad(g, np.ones((3, 2, 3, 3)), (1, 4, 5, 5))


@pytest.mark.peers
def test_transposed_as_torch(isa):
    torch = pytest.importorskip("torch")
    for seed in range(300):
        rng = np.random.default_rng(seed)
        groups, channels, outputs, kernel, stride, dilation, n = (int(v) for v in rng.integers(1, 5, 7))
        padding, extra = int(rng.integers(0, 2)), int(rng.integers(0, max(stride, dilation)))
        if (n - 1) * stride - 2 * padding + dilation * (kernel - 1) + extra < 0:
            continue
        x, w = (
            rng.standard_normal((2, groups * channels, n, n)),
            rng.standard_normal((groups * channels, outputs, kernel, kernel)),
        )
        tensors = [torch.from_numpy(a).requires_grad_() for a in (x, w)]
        y = torch.conv_transpose2d(*tensors, None, stride, padding, extra, groups, dilation)
        g = rng.standard_normal(tuple(y.shape))
        theirs = torch.autograd.grad(y, tensors, torch.from_numpy(g))
        how = (stride, padding, groups, dilation)
        for mine, other in zip(
            (
                ck.conv_transpose2d_input_grad(g, w, x.shape, *how),
                ck.conv_transpose2d_weight_grad(x, g, kernel, *how),
            ),
            theirs,
            strict=True,
        ):
            np.testing.assert_allclose(mine, other.numpy(), atol=1e-10)

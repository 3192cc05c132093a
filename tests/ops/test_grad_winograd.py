"""Weight gradients by Winograd's algorithm: near the definition's, the same bits on any number of threads."""

import numpy as np
import pytest

import convkit as ck
from convkit import _dispatch, _reference, _threads
from convkit.ops import weight_grad
from convkit.ops.conv import PADDING_BORDERS

BOUND = 2e-6  # of the largest Σ |dy| |x|; more pixels than in these tests add rounding errors of chunks
CALLS = 160
THREADS = (1, 2, 3, 7)


@pytest.fixture(autouse=True)
def always(monkeypatch):
    """Taken wherever it can be, on as many threads as are asked for."""
    monkeypatch.setattr(weight_grad, "predicted", lambda costs, *_: float(costs is weight_grad.DIRECT))
    monkeypatch.setattr(_threads, "force_threads", True)


def exact(x, g, *arguments):
    """The gradient, and the sum of magnitudes."""
    for f in (np.positive, np.abs):
        a, b = (f(a.astype(np.float64)) for a in (x, g))
        groups = arguments[3]
        weight = np.zeros((g.shape[1], x.shape[1] // groups, 3, 3))
        yield _reference.conv2d_grads(a, weight, b, *arguments)[1]


def draw(seed):
    """Input, the gradient of the output, and the arguments: steps of any sign, channels of no full vector."""
    rng = np.random.default_rng(seed)
    groups, channels, outputs, images = (int(n) for n in rng.integers(1, (3, 35, 35, 4)))
    dilation = tuple(int(n) for n in rng.integers(1, 4, 2))
    padding = tuple(int(n) for n in rng.integers(0, 3, 4))
    size = [3 * d + int(n) for d, n in zip(dilation, rng.integers(1, 22, 2), strict=True)]
    x = rng.standard_normal((images, groups * channels, *size), np.float32)
    arguments = {"stride": (1, 1), "padding": padding, "dilation": dilation, "groups": groups}
    sizes = [
        n + padding[2 * i] + padding[2 * i + 1] - 2 * d
        for i, (n, d) in enumerate(zip(size, dilation, strict=True))
    ]
    g = rng.standard_normal((images, groups * outputs, *sizes), np.float32)
    if seed % 3 == 0:
        x, g = (np.asfortranarray(a)[:, :, ::-1] for a in (x, g))
    return x, g, arguments, str(rng.choice(list(PADDING_BORDERS)))


@pytest.mark.parametrize("part", range(2))
def test_random_layers_are_near_the_definition(part, monkeypatch):
    for seed in range(part, CALLS, 2):
        x, g, arguments, mode = draw(seed)
        dw64, size = exact(x, g, *arguments.values(), PADDING_BORDERS[mode])
        for isa in _dispatch.available():
            monkeypatch.setattr(_dispatch, "_chosen", _dispatch.load(isa))
            how = arguments | {"padding_mode": mode, "num_threads": THREADS[seed // 2 % 4]}
            dw = ck.conv2d_weight_grad(x, g, 3, **how)
            assert np.abs(dw - dw64).max() <= BOUND * size.max(), (isa, seed)
            with ck.options(precision="exact"):
                assert (dw != ck.conv2d_weight_grad(x, g, 3, **how)).any()


def test_many_chunks_and_parts_have_the_same_bits(isa, threads):
    rng = np.random.default_rng(1)
    for images, channels, outputs, groups, size in (
        (2, 40, 24, 1, 90),
        (1, 200, 300, 2, 9),
        (40, 8, 9, 1, 10),
    ):
        x = rng.standard_normal((images, channels * groups, size, size + 1), np.float32)
        g = rng.standard_normal((images, outputs * groups, size, size + 1), np.float32)
        dw, alone = (
            ck.conv2d_weight_grad(x, g, 3, padding=1, groups=groups, num_threads=n) for n in (threads, 1)
        )
        assert dw.tobytes() == alone.tobytes()


@pytest.mark.parametrize("fill", ["noise", "image", "one", "tenth"])
def test_many_pixels_are_within_the_bound(fill, isa):
    rng = np.random.default_rng(2)
    draws = {
        "noise": lambda *shape: rng.standard_normal(shape, np.float32),
        "image": lambda *shape: rng.integers(0, 256, shape).astype(np.float32),
        "one": lambda *shape: np.ones(shape, np.float32),
        "tenth": lambda *shape: np.full(shape, 0.1, np.float32),
    }
    x, g = draws[fill](2, 8, 150, 150), draws[fill](2, 8, 150, 150)
    dw64, size = (
        ck.conv2d_weight_grad(f(x), f(g), 3, padding=1) for f in (np.float64, lambda a: abs(np.float64(a)))
    )
    assert np.abs(ck.conv2d_weight_grad(x, g, 3, padding=1) - dw64).max() <= BOUND * size.max()


def test_transposed_takes_it_too():
    rng = np.random.default_rng(3)
    x, g = (rng.standard_normal((1, 9, 20, 20), np.float32) for _ in range(2))
    dw = ck.conv_transpose2d_weight_grad(x, g, 3, padding=1)
    assert dw.tobytes() == ck.conv2d_weight_grad(g, x, 3, padding=1).tobytes()


def test_a_nan_stays_in_its_channel(isa):
    x, g = np.ones((1, 20, 9, 9), np.float32), np.ones((1, 20, 9, 9), np.float32)
    x[0, 3, 4, 4] = np.nan
    dw = ck.conv2d_weight_grad(x, g, 3, padding=1)
    assert np.isnan(dw[:, 3]).all()
    assert np.isfinite(np.delete(dw, 3, 1)).all()

"""Normalisation and activations, with their gradients, held to their definitions in float64."""

import numpy as np
import pytest

import convkit as ck
from convkit import _reference
from convkit.ops.activation import ACTIVATIONS

EPS = 1e-3
SHAPES = [(3, 8, 5, 7), (2, 4, 33, 40), (5, 6)]
DTYPES = [np.float32, np.float64]


def arrays(shape, dtype):
    rng = np.random.default_rng(sum(shape))
    x, g = (rng.standard_normal(shape) * 3 + 1 for _ in range(2))
    weight, bias = rng.standard_normal((2, shape[1]))
    return [a.astype(dtype) for a in (x, g, weight, bias)]


def check(ours, exact, dtype):
    """Of numbers about as large as 1."""
    for mine, other in zip(ours, exact, strict=True):
        assert mine.dtype == dtype
        scale = max(1, np.abs(other).max())
        np.testing.assert_allclose(mine, other, rtol=0, atol=50 * np.finfo(dtype).eps * scale)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_batch_norm(shape, dtype, isa, threads):
    x, g, weight, bias = arrays(shape, dtype)
    how = {"training": True, "eps": EPS, "num_threads": threads}
    y, mean, var = ck.batch_norm(x, weight=weight, bias=bias, return_moments=True, **how)
    gradients = ck.batch_norm_grad(g, x, mean, var, weight, **how)
    wide, wide_g, w, b = (a.astype(np.float64) for a in (x, g, weight, bias))
    axes = (0, *range(2, len(shape)))
    w, b = (a.reshape(1, -1, *[1] * (len(shape) - 2)) for a in (w, b))
    standard = _reference.normalised(wide, axes, EPS)
    by_x = _reference.normalised_grad(wide_g * w, wide, axes, EPS)
    exact = [standard * w + b, by_x, (wide_g * standard).sum(axes), wide_g.sum(axes)]
    check([y, *gradients], exact, dtype)
    np.testing.assert_allclose(mean, wide.mean(axes), rtol=1e-12)
    np.testing.assert_allclose(var, wide.var(axes), rtol=1e-6 if dtype == np.float32 else 1e-12)
    # in evaluation the moments are constants
    how["training"] = False
    rate = w / np.sqrt(var.reshape(w.shape) + EPS)
    centred = wide - mean.reshape(w.shape)
    check(
        [
            ck.batch_norm(x, mean, var, weight, bias, **how),
            ck.batch_norm_grad(g, x, mean, var, weight, **how)[0],
        ],
        [centred * rate + b, wide_g * rate],
        dtype,
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_group_norm(shape, dtype, isa, threads):
    x, g, weight, bias = arrays(shape, dtype)
    how = {"eps": EPS, "num_threads": threads}
    ours = [ck.group_norm(x, 2, weight, bias, **how), *ck.group_norm_grad(g, x, 2, weight, **how)]
    wide, wide_g, w, b = (a.astype(np.float64) for a in (x, g, weight, bias))
    w, b = (a.reshape(1, -1, *[1] * (len(shape) - 2)) for a in (w, b))
    rows = (shape[0], 2, -1)
    standard = _reference.normalised(wide.reshape(rows), (2,), EPS).reshape(shape)
    by_x = _reference.normalised_grad((wide_g * w).reshape(rows), wide.reshape(rows), (2,), EPS).reshape(
        shape
    )
    axes = (0, *range(2, len(shape)))
    check(ours, [standard * w + b, by_x, (wide_g * standard).sum(axes), wide_g.sum(axes)], dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("axes", [1, 2])
def test_layer_norm(axes, dtype, isa, threads):
    x, g, _, _ = arrays((3, 8, 5, 7), dtype)
    weight, bias = x[0, 0, -1] if axes == 1 else x[0, 0], g[0, 0, -1] if axes == 1 else g[0, 0]
    how = {"eps": EPS, "num_threads": threads}
    y = ck.layer_norm(x, weight.shape, weight, bias, **how)
    gradients = ck.layer_norm_grad(g, x, weight.shape, weight, **how)
    wide, wide_g, w, b = (a.astype(np.float64) for a in (x, g, weight, bias))
    last, rest = tuple(range(4 - axes, 4)), tuple(range(4 - axes))
    standard = _reference.normalised(wide, last, EPS)
    by_x = _reference.normalised_grad(wide_g * w, wide, last, EPS)
    check([y, *gradients], [standard * w + b, by_x, (wide_g * standard).sum(rest), wide_g.sum(rest)], dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activation(activation, dtype, isa, threads):
    rng = np.random.default_rng(2)
    x, g = (rng.standard_normal((7, 999)).astype(dtype) * 4 for _ in range(2))
    step = 1e-5  # differences of the definition are right to 1e-9, but across its corners
    for corner in (-3, 0, 3, 6):
        x[np.abs(x - corner) < 2 * step] = 1
    up, down = (_reference.epilogue(x.astype(np.float64) + h, activation) for h in (step, -step))
    dx = ck.activation_grad(g, x, activation, num_threads=threads)
    atol = 1e-8 if dtype == np.float64 else 1e-5
    np.testing.assert_allclose(dx, g * (up - down) / (2 * step), rtol=0, atol=atol)


def test_channels_that_lie_last_are_told_where_their_number_is_known():
    bhwc, each = np.zeros((1, 8, 9, 3), np.float32), np.ones(3, np.float32)
    for call in (
        lambda: ck.batch_norm(bhwc, each, each),
        lambda: ck.batch_norm(bhwc, weight=each, training=True),
        lambda: ck.group_norm(bhwc, 1, each),
    ):
        with pytest.raises(ValueError, match=r"looks like BHWC: pass ck.to_bchw\(image\)"):
            call()
    assert ck.group_norm(bhwc, 1).shape == bhwc.shape  # maps of three columns, for all it can know

"""Pooling, columns of windows: their definitions, their gradients, the same bits on any number of threads."""

import numpy as np
import pytest

import convkit as ck
from convkit import _reference, _threads

CALLS = 60
PARTS = 4


def draw(seed):
    rng = np.random.default_rng(seed)
    kernel, stride, dilation = (tuple(int(n) for n in rng.integers(1, most, 2)) for most in (5, 4, 3))
    padding = tuple(int(rng.integers(0, k // 2 + 1)) for k in kernel)
    size = [d * (k - 1) + int(n) for d, k, n in zip(dilation, kernel, rng.integers(1, 22, 2), strict=True)]
    x = (
        rng.permutation(6 * size[0] * size[1])
        .reshape(2, 3, *size)
        .astype(rng.choice([np.float32, np.float64]))
    )
    return rng, x, kernel, stride, padding, dilation, bool(rng.integers(2))


def windows(x, *sizes):
    *sizes, ceil_mode = sizes
    return [_reference.windows(*axis, ceil_mode) for axis in zip(x.shape[2:], *sizes, strict=True)]


@pytest.fixture(params=range(PARTS))
def seeds(request):
    return range(request.param, CALLS, PARTS)


def test_the_largest_and_its_place(seeds, isa, monkeypatch):
    monkeypatch.setattr(_threads, "force_threads", True)
    for seed in seeds:
        rng, x, kernel, stride, padding, dilation, ceil_mode = draw(seed)
        how = {"ceil_mode": ceil_mode, "return_indices": True, "num_threads": (1, 2, 3, 7)[seed // PARTS % 4]}
        y, places = ck.max_pool2d(x, kernel, stride, padding, dilation, **how)
        axes = windows(x, kernel, stride, padding, dilation, ceil_mode)
        largest, found = _reference.max_pool2d(x, axes)
        np.testing.assert_array_equal(y, largest, err_msg=str(seed))
        np.testing.assert_array_equal(places, found, err_msg=str(seed))
        g = rng.integers(-9, 9, y.shape).astype(x.dtype)
        sent = np.zeros((6, x[0, 0].size))
        for row, map_places, numbers in zip(sent, places.reshape(6, -1), g.reshape(6, -1), strict=True):
            np.add.at(row, map_places, numbers)
        dx = ck.max_pool2d_grad(g, places, x.shape, num_threads=how["num_threads"])
        np.testing.assert_array_equal(dx, sent.reshape(x.shape), err_msg=str(seed))


def test_the_mean(seeds, isa, monkeypatch):
    monkeypatch.setattr(_threads, "force_threads", True)
    for seed in seeds:
        rng, x, kernel, stride, padding, _, ceil_mode = draw(seed)
        axes = windows(x, kernel, stride, padding, (1, 1), ceil_mode)
        how = {"ceil_mode": ceil_mode, "count_include_pad": bool(seed % 2)}
        threads = (1, 2, 3, 7)[seed // PARTS % 4]
        y = ck.avg_pool2d(x, kernel, stride, padding, **how, num_threads=threads)
        mean = _reference.avg_pool2d(x, axes, padding, how["count_include_pad"])
        relative = 100 * np.finfo(x.dtype).eps
        np.testing.assert_allclose(y, mean, rtol=relative, atol=relative, err_msg=str(seed))
        g = rng.standard_normal(y.shape).astype(x.dtype)
        dx = ck.avg_pool2d_grad(g, x.shape, kernel, stride, padding, **how, num_threads=threads)
        pixels = np.eye(x[0, 0].size).reshape(1, -1, *x.shape[2:])
        factors = _reference.avg_pool2d(pixels, axes, padding, how["count_include_pad"])[0]
        by_x = np.einsum("pij,bcij->bcp", factors, g.astype(np.float64)).reshape(x.shape)
        np.testing.assert_allclose(dx, by_x, rtol=0, atol=relative, err_msg=str(seed))


def test_columns(seeds):
    for seed in seeds:
        rng, x, kernel, stride, padding, dilation, _ = draw(seed)
        how = {"dilation": dilation, "padding": padding, "stride": stride}
        columns = ck.unfold(x, kernel, **how)
        np.testing.assert_array_equal(columns, _reference.unfold(x, kernel, **how), err_msg=str(seed))
        c = rng.integers(-9, 9, columns.shape).astype(np.float64)
        folded = ck.fold(c, x.shape[2:], kernel, **how)  # sends back what `unfold` took: its transpose
        assert (folded * x).sum() == (c * columns).sum(), seed


def test_windows_of_nan_and_of_nothing(isa):
    x = np.zeros((1, 1, 2, 2), np.float32)
    x[0, 0, 1, 1] = np.nan
    assert np.isnan(ck.max_pool2d(x, 2)).all()
    y, places = ck.max_pool2d(np.ones((1, 1, 1, 1)), 2, 1, 1, 2, return_indices=True)  # dilated past it
    assert (y == -np.inf).all()
    assert (places == -1).all()

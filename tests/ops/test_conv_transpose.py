"""Transposed convolution: phases that are summed together, and in pieces; stride 1 is a convolution."""

import tracemalloc

import configurations
import numpy as np
import pytest

import convkit as ck
from convkit import _reference, _threads
from convkit.ops import phases
from convkit.ops.choice import WORDS

# kernel, stride, padding, dilation: one tap a phase, several, none; all columns in one run, or many
AXES = [
    (1, 1, 0, 1),
    (2, 2, 0, 1),
    (3, 2, 1, 1),
    (4, 2, 1, 1),
    (5, 3, 2, 1),
    (7, 7, 3, 1),
    (3, 3, 0, 2),
    (5, 4, 1, 6),
]
AXES += [(16, 8, 4, 1), (24, 24, 0, 1), (2, 5, 0, 1), (3, 2, 0, 3), (1, 4, 0, 1), (6, 4, 5, 2), (40, 6, 3, 1)]


def arrays(kernel, size=(5, 6), channels=4, outputs=3, groups=2, images=2, dtype=np.float32):
    rng = np.random.default_rng(0)
    x = configurations.numbers(rng, (images, channels, *size), dtype)
    weight = configurations.numbers(rng, (channels, outputs, *kernel), dtype)
    return x, weight, configurations.numbers(rng, (outputs * groups,), dtype)


@pytest.fixture(params=AXES, ids=str)
def vertical(request):
    return request.param


@pytest.fixture(params=AXES[1::3], ids=str)
def horizontal(request):
    return request.param


def layer(vertical, horizontal):
    kernel, stride, padding, dilation = zip(vertical, horizontal, strict=True)
    return kernel, {"stride": stride, "padding": padding, "dilation": dilation, "groups": 2}


def test_within_the_bound(vertical, horizontal, isa, threads):
    kernel, options = layer(vertical, horizontal)
    call = arrays(kernel)
    wide = [array.astype(np.float64) for array in call]
    exact, magnitude = (_reference.conv_transpose2d(*a, **options) for a in (wide, map(np.abs, wide)))
    y = ck.conv_transpose2d(*call, **options, algorithm="direct", num_threads=threads)
    bound = configurations.gamma(call[1][:2, 0].size + 1, 2.0**-24) * magnitude
    assert (np.abs(y - exact) <= bound).all()


def test_pieces_change_no_bit(vertical, horizontal, monkeypatch):
    """Images, bands of rows and rows of phases at a time, a residual added in place."""
    kernel, options = layer(vertical, horizontal)
    call = arrays(kernel)
    y = ck.conv_transpose2d(*call, **options)
    residual = np.random.default_rng(1).standard_normal(y.shape, np.float32)
    for most in (1, 3000, 30_000):
        monkeypatch.setattr(phases, "MAPS_BYTES", most)
        assert ck.conv_transpose2d(*call, **options).tobytes() == y.tobytes()
        out = residual.copy()
        ck.conv_transpose2d(*call, **options, residual=out, activation="relu", out=out)
        np.testing.assert_array_equal(out, np.maximum(y + residual, 0))


def test_scratch_is_bounded():
    x, weight = np.ones((2, 8, 128, 128), np.float32), np.ones((8, 8, 4, 4), np.float32)
    for stride in (2, 4):
        tracemalloc.start()
        y = ck.conv_transpose2d(x, weight, stride=stride)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < y.nbytes + phases.MAPS_BYTES + 200_000


# ---- a channel for itself, two columns at a time --------------------------------------------------------


@pytest.mark.parametrize("turn", range(4))
def test_depthwise(turn, isa, monkeypatch):
    monkeypatch.setattr(_threads, "force_threads", True)
    two = [(3, 2, 1, 1), (2, 2, 0, 1), (1, 2, 0, 3), (7, 2, 3, 1), (5, 2, 5, 3)]
    for down, across in zip(AXES[turn::4], two[turn:] + two, strict=False):
        kernel, stride, padding, dilation = zip(down, across, strict=True)
        options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": 3}
        x, weight, bias = arrays(kernel, (12, 60), channels=3, outputs=1, groups=3)
        wide = [array.astype(np.float64) for array in (x, weight, bias)]
        exact, magnitude = (_reference.conv_transpose2d(*a, **options) for a in (wide, map(np.abs, wide)))
        bound = configurations.gamma(weight[0].size + 1, 2.0**-24) * magnitude
        y = ck.conv_transpose2d(x, weight, bias, **options, num_threads=1)
        assert (np.abs(y - exact) <= bound).all()
        for threads in (2, 3, 7):
            other = ck.conv_transpose2d(x, weight, bias, **options, num_threads=threads)
            assert other.tobytes() == y.tobytes()
        out = y.copy()  # a residual in place, of an input of other strides
        turned = np.ascontiguousarray(x[..., ::-1])[..., ::-1]
        ck.conv_transpose2d(turned, weight, bias, **options, residual=out, activation="relu", out=out)
        np.testing.assert_array_equal(out, np.maximum(y + y, 0))


# ---- stride 1 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", WORDS)
def test_stride_1_is_a_convolution(algorithm):
    x, weight, bias = arrays((3, 3), size=(20, 21))
    y = ck.conv_transpose2d(x, weight, bias, padding=1, groups=2, algorithm=algorithm)
    turned = weight.reshape(2, 2, 3, 3, 3).swapaxes(1, 2).reshape(6, 2, 3, 3)[..., ::-1, ::-1]
    other = ck.conv2d(x, turned, bias, padding=1, groups=2, algorithm=algorithm)
    if algorithm == "autotune":  # each may take another
        np.testing.assert_allclose(y, other, rtol=0, atol=1e-4 * np.abs(other).max())
    else:
        assert y.tobytes() == other.tobytes()


@pytest.mark.parametrize("options", [{"stride": 2}, {"stride": (1, 2)}, {"padding": 3}], ids=str)
@pytest.mark.parametrize("algorithm", ["broadcast", "depthwise", "winograd", "fft"])
def test_refuses_algorithms_that_cannot_compute_it(options, algorithm):
    x, weight, bias = arrays((3, 3), size=(20, 21))
    with pytest.raises(ValueError, match=f"algorithm is '{algorithm}' .*: pass algorithm='auto'"):
        ck.conv_transpose2d(x, weight, bias, groups=2, algorithm=algorithm, **options)


def test_exact_precision_is_kept():
    x, weight, bias = arrays((3, 3), size=(40, 40), channels=64, outputs=64, groups=1)
    with ck.options(precision="exact"):
        y = ck.conv_transpose2d(x, weight, bias)
    assert y.tobytes() == ck.conv_transpose2d(x, weight, bias, algorithm="direct").tobytes()

"""`out=`: any array that can take the result, and no other."""

import configurations
import numpy as np
import pytest

import convkit as ck

X = np.linspace(-1, 1, 2 * 4 * 9 * 40, dtype=np.float32).reshape(2, 4, 9, 40)


def function(name):
    weight = np.linspace(-2, 3, 4 * 4 * 9, dtype=np.float32).reshape(4, 4, 3, 3)
    options = {"padding": 1, "stride": 2 if name == "conv_transpose2d" else 1}
    return lambda x, out=None, weight=weight: getattr(ck, name)(x, weight, out=out, **options)


@pytest.fixture(params=configurations.CALLS)
def convolve(request):
    """Either function of an input and `out`."""
    return function(request.param)


def views(shape):
    """Arrays of `shape` that are filled with NaN, with many kinds of strides."""
    nan = np.full([n + 5 for n in shape], np.nan, np.float32)
    yield nan[tuple(slice(2, 2 + n) for n in shape)]
    yield np.full([3 * n for n in shape], np.nan, np.float32)[tuple(slice(None, None, 3) for _ in shape)]
    yield np.flip(np.full(shape, np.nan, np.float32))
    yield np.full(shape, np.nan, np.float32)[..., ::-1]
    yield np.full(shape, np.nan, np.float32, order="F")
    yield np.full(shape[::-1], np.nan, np.float32).T
    yield np.moveaxis(np.full((*shape[:-3], *shape[-2:], shape[-3]), np.nan, np.float32), -1, -3)


@pytest.mark.parametrize("batched", [True, False])
def test_is_returned_and_fully_written(convolve, batched, isa):
    x = X if batched else X[0]
    y = convolve(x)
    for out in views(y.shape):
        assert convolve(x, out) is out
        assert out.tobytes() == y.tobytes()


def test_nothing_beside_it_is_written(convolve, isa, threads):
    y = convolve(X)
    around = np.full([n + 2 for n in y.shape], 7, np.float32)
    inner = around[1:-1, 1:-1, 1:-1, 1:-1]
    convolve(X, inner)
    assert inner.tobytes() == y.tobytes()
    inner[...] = 7
    assert (around == 7).all()


def test_interleaved_with_the_input(convolve):
    """Two halves of one buffer share its extent and no element."""
    x = X[:, :, :, :20]
    y = convolve(x)
    both = np.zeros((*y.shape, 2), np.float32)
    half = both[..., 0][tuple(slice(n) for n in x.shape)]
    half[...] = x
    convolve(half, both[..., 1])
    assert both[..., 1].tobytes() == y.tobytes()


def refusals():
    shape = function("conv2d")(X).shape
    read_only = np.zeros(shape, np.float32)
    read_only.flags.writeable = False
    unaligned = np.zeros(4 * np.prod(shape) + 1, np.uint8)[1:].view(np.float32).reshape(shape)
    return {
        "read-only": (read_only, ValueError, "out is read-only"),
        "shape": (
            np.zeros((2, 4, 9, 39), np.float32),
            ValueError,
            r"out has shape \(2, 4, 9, 39\); expected",
        ),
        "no batch": (np.zeros(shape[1:], np.float32), ValueError, "out has shape"),
        "dtype": (np.zeros(shape), TypeError, "out has dtype <f8; expected float32"),
        "byte order": (np.zeros(shape, ">f4"), TypeError, "out has dtype >f4; expected float32"),
        "integers": (np.zeros(shape, np.int32), TypeError, "out has dtype <i4"),
        "unaligned": (unaligned, ValueError, "out is not aligned"),
        "broadcast": (
            np.lib.stride_tricks.as_strided(np.zeros(40, np.float32), shape, (0, 0, 0, 4)),
            ValueError,
            "out is a view whose elements share memory",
        ),
        "windows": (
            np.lib.stride_tricks.as_strided(np.zeros(4000, np.float32), shape, (400, 40, 4, 4)),
            ValueError,
            "out is a view whose elements share memory",
        ),
        "windows off the multiples": (
            np.lib.stride_tricks.as_strided(unaligned, shape, (400, 40, 4, 4)),
            ValueError,
            "out is a view whose elements share memory",
        ),
        "list": ([0.0], TypeError, "out is list; expected a NumPy array of shape"),
        "number": (1.0, TypeError, "out is float"),
    }


@pytest.mark.parametrize("kind", refusals())
def test_refuses_what_cannot_take_the_result(kind):
    out, error, message = refusals()[kind]
    with pytest.raises(error, match=message):
        function("conv2d")(X, out)


def test_refuses_to_overwrite_its_input(convolve):
    y = convolve(X[:, :, :5, :20])
    memory = np.zeros(y.size * 3, np.float32)
    out = memory[y.size : 2 * y.size].reshape(y.shape)
    size = 2 * 4 * 5 * 20
    for start in (y.size, y.size - size + 1, 2 * y.size - 1):  # wholly, by the first element, by the last
        x = memory[start : start + size].reshape(2, 4, 5, 20)
        with pytest.raises(ValueError, match="out overlaps an input in memory"):
            convolve(x, out)
    beside = memory[: y.size][:size].reshape(2, 4, 5, 20)
    assert convolve(beside, out) is out


def test_refuses_to_overwrite_weight_and_bias(convolve):
    y = convolve(X)
    out = np.zeros(y.shape, np.float32)
    with pytest.raises(ValueError, match="out overlaps an input in memory"):
        convolve(X, out, weight=out.reshape(-1)[-144:].reshape(4, 4, 3, 3))
    x, weight = np.ones((1, 1, 4, 4), np.float32), np.ones((1, 1, 1, 1), np.float32)
    out = np.zeros((1, 1, 4, 4), np.float32)
    for name in configurations.CALLS:
        with pytest.raises(ValueError, match="out overlaps an input in memory"):
            getattr(ck, name)(x, weight, out[0, 0, 3, 3:], out=out)


def test_a_fresh_result_is_plain_and_aligned(convolve):
    y = convolve(X)
    assert type(y) is np.ndarray
    assert y.flags.c_contiguous
    assert y.flags.writeable
    assert y.ctypes.data % 64 == 0

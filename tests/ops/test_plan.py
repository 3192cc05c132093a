"""Plans: the bits of the eager call, fixed weights, any thread."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import configurations
import numpy as np
import pytest

import convkit as ck
from convkit import _dispatch

CALLS = 200
WEIGHT = np.linspace(-1, 1, 6 * 2 * 9, dtype=np.float32).reshape(6, 2, 3, 3)
X = np.linspace(-3, 3, 2 * 4 * 21 * 30, dtype=np.float32).reshape(2, 4, 21, 30)


def make(**arguments):
    return ck.conv2d_plan(WEIGHT, **{"input_shape": X.shape, "groups": 2} | arguments)


def test_same_bits_as_the_eager_call(monkeypatch):
    for seed in range(CALLS):
        call = configurations.conv2d_call(seed)
        for isa in _dispatch.available():
            monkeypatch.setattr(_dispatch, "_chosen", _dispatch.load(isa))
            plan = ck.conv2d_plan(call.weight, call.bias, input_shape=call.x.shape, **call.arguments)
            y = ck.conv2d(call.x, call.weight, call.bias, **call.arguments | {"algorithm": plan.algorithm})
            assert plan.output_shape == y.shape
            assert plan.dtype == y.dtype
            assert plan(call.x).tobytes() == y.tobytes(), f"{isa}, seed {seed}: {call}"


def test_weights_and_bias_are_copied():
    weight, bias = WEIGHT.copy(), np.ones(6, np.float32)
    plan = ck.conv2d_plan(weight, bias, input_shape=X.shape, groups=2)
    y = plan(X)
    weight[...] = bias[...] = np.nan
    assert plan(X).tobytes() == y.tobytes()


def test_many_threads_at_once(threads):
    """Scratch belongs to the call: each caller gets its own image's bits."""
    plan = make(padding=1)
    images = [np.roll(X, i, axis=3) for i in range(16)]
    alone = [plan(image, num_threads=1).tobytes() for image in images]
    with ThreadPoolExecutor(8) as pool:
        together = pool.map(lambda i: plan(images[i % 16], num_threads=threads).tobytes(), range(160))
        assert all(bits == alone[i % 16] for i, bits in enumerate(together))


def test_another_batch_size():
    plan = make()
    for batch in (1, 5):
        x = np.resize(X, (batch, *X.shape[1:]))
        assert plan(x).tobytes() == ck.conv2d(x, WEIGHT, groups=2, algorithm=plan.algorithm).tobytes()


def test_one_image():
    plan = make(input_shape=[*X.shape[1:]])
    assert plan.output_shape == (6, 19, 28)
    assert plan(X[0]).tobytes() == ck.conv2d(X[:1], WEIGHT, groups=2, algorithm=plan.algorithm).tobytes()


def test_out():
    plan = make()
    out = np.empty((6, 19, 28, 2), np.float32).transpose(3, 0, 1, 2)
    assert plan(X, out) is out
    assert out.tobytes() == plan(X).tobytes()
    for wrong in (X[:, :, :19, :28], out[..., :-1], out.astype(np.float64)):
        with pytest.raises((TypeError, ValueError), match="out"):
            plan(X, wrong)
    square = ck.conv2d_plan(np.ones((4, 4, 1, 1), np.float32), input_shape=X.shape)
    x = X.copy()
    with pytest.raises(ValueError, match="out overlaps an input"):
        square(x, x)


def test_sequences_take_its_dtype():
    plan = make()
    assert plan(X.tolist()).tobytes() == plan(X).tobytes()


def test_what_it_tells():
    plan = make(stride=2, padding="same", algorithm="depthwise")
    assert plan.algorithm == "depthwise"
    assert plan.input_shape == (2, 4, 21, 30)
    assert plan.output_shape == (2, 6, 11, 15)
    assert plan.dtype == np.float32
    assert repr(plan) == "<Conv2dPlan (2, 4, 21, 30) -> (2, 6, 11, 15) float32, depthwise>"
    assert isinstance(plan, ck.Conv2dPlan)


@pytest.mark.parametrize("word", ["auto", "direct", "gemm", "depthwise"])
def test_algorithm_words(word):
    plan = make(algorithm=word)
    assert plan.algorithm in ("direct", "gemm", "depthwise")
    assert plan(X).tobytes() == ck.conv2d(X, WEIGHT, groups=2, algorithm=plan.algorithm).tobytes()


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (
            X.astype(np.float64),
            TypeError,
            r"x has dtype float64; the plan was made for float32: pass x\.astype",
        ),
        (X.astype(np.uint8), TypeError, "x has dtype uint8"),
        (X[:, :, :-1], ValueError, r"x has shape \(2, 4, 20, 30\); the plan was made for \(2, 4, 21, 30\)"),
        (X[:, :2], ValueError, "x has shape"),
        (X[0], ValueError, "x has shape"),
        (X[None], ValueError, "x has shape"),
        (X[:0], ValueError, "x is empty"),
        (None, TypeError, "x is None"),
    ],
)
def test_refuses_other_inputs(x, error, message):
    with pytest.raises(error, match=message):
        make()(x)


@pytest.mark.parametrize("num_threads", [0, -1, 1.5, True, False, "2"])
def test_refuses_bad_thread_counts(num_threads):
    with pytest.raises((TypeError, ValueError), match="num_threads is"):
        make(num_threads=num_threads)
    with pytest.raises((TypeError, ValueError), match="num_threads is"):
        make()(X, num_threads=num_threads)


@pytest.mark.parametrize(
    ("shape", "error"),
    [
        (None, TypeError),
        (5, TypeError),
        ("abcd", TypeError),
        ((4.0, 8, 8), TypeError),
        ((True, 4, 8, 8), TypeError),
        ((), ValueError),
        ((8, 8), ValueError),
        ((1, 1, 4, 8, 8), ValueError),
        ((0, 4, 8, 8), ValueError),
        ((1, 4, -8, 8), ValueError),
        ((1, 5, 8, 8), ValueError),
        ((8, 8, 4), ValueError),
        ((1, 4, 2**62, 2**62), ValueError),
        ((2**70, 4, 8, 8), ValueError),
        ((4, 2**63, 8), ValueError),
    ],
    ids=str,
)
def test_refuses_bad_input_shapes(shape, error):
    with pytest.raises(error, match=r"input_shape is|size is|more than 64 bits"):
        make(input_shape=shape)


def test_a_plan_of_any_size_takes_no_memory():
    plan = make(input_shape=(2**20, 4, 2**15, 2**15))
    assert plan.output_shape == (2**20, 6, 2**15 - 2, 2**15 - 2)


def test_copies_are_the_plan_itself():
    """Nothing in it changes; it belongs to this machine."""
    plan = ck.conv2d_plan(np.ones((2, 3, 3, 3), np.float32), input_shape=(1, 3, 8, 8))
    assert copy.copy(plan) is copy.deepcopy(plan) is plan
    with pytest.raises(TypeError, match="pickle the weights"):
        pickle.dumps(plan)

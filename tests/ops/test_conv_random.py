"""Thousands of random calls: within the bound of the definition, the same bits on any number of threads."""

import configurations
import numpy as np
import pytest

import convkit as ck
from convkit import _dispatch, _threads

CALLS = 1500  # of each
PARTS = 10
THREADS = (1, 2, 3, 7)


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", configurations.CALLS)
def test_within_the_bound_of_the_definition(name, part, monkeypatch):
    monkeypatch.setattr(_threads, "force_threads", True)
    for seed in range(part, CALLS, PARTS):
        call = configurations.CALLS[name](seed)
        y64, bound, _ = configurations.expected(name, call)
        for isa in _dispatch.available():
            monkeypatch.setattr(_dispatch, "_chosen", _dispatch.load(isa))
            y, *others = (
                getattr(ck, name)(call.x, call.weight, call.bias, **call.arguments, num_threads=threads)
                for threads in THREADS
            )
            what = f"{isa}, seed {seed}: {call}"
            assert y.dtype == call.x.dtype.newbyteorder("="), what
            assert y.shape == y64.shape, what
            assert (np.abs(y - y64) <= bound).all(), what
            assert all(other.tobytes() == y.tobytes() for other in others), what


@pytest.mark.parametrize("name", configurations.CALLS)
def test_other_threads_get_the_same_bits(name, isa, threads):
    """Images of many units of work: several bands of pixels and chunks of output channels."""
    rng = np.random.default_rng(5)
    x = configurations.numbers(rng, (2, 24, 45, 47), np.float32)
    for outputs, groups in ((20, 1), (600, 1), (24, 24), (12, 3)):
        shape = (outputs, 24 // groups) if name == "conv2d" else (24, outputs // groups)
        weight = configurations.numbers(rng, (*shape, 3, 3), np.float32)
        function = getattr(ck, name)
        y = function(x[:, :, :20], weight, stride=2, padding=1, groups=groups, num_threads=threads)
        alone = function(x[:1, :, :20], weight, stride=2, padding=1, groups=groups, num_threads=1)
        assert y[:1].tobytes() == alone.tobytes()


@pytest.mark.parametrize("name", configurations.CALLS)
def test_the_generator_draws_every_kind_of_call(name):
    """A change to the generator must not leave a parameter untested unnoticed."""
    calls = [configurations.CALLS[name](seed) for seed in range(400)]
    arguments = [call.arguments for call in calls]
    assert {call.x.ndim for call in calls} == {3, 4}
    assert {call.x.dtype.str for call in calls} >= {"<f4", ">f4", "<f8", ">f8"}
    assert {call.bias is None for call in calls} == {True, False}
    assert any(min(call.x.strides) < 0 for call in calls)
    assert any(not call.weight.flags.aligned for call in calls)
    assert any(not call.x.flags.writeable for call in calls)
    assert any(
        a["groups"] == call.x.shape[-3] < 2 * a["groups"] for a, call in zip(arguments, calls, strict=True)
    )
    if name == "conv2d":
        assert {a["padding_mode"] for a in arguments} == set(configurations.BORDERS)
        assert {type(a["padding"]) for a in arguments} == {str, int, tuple, list, np.ndarray}
        assert any(max(c.reference["padding"]) > max(c.x.shape[-2:]) for c in calls)
    else:
        assert {"output_size" in a for a in arguments} == {True, False}
        assert any(max(c.reference["output_padding"]) > 0 for c in calls)

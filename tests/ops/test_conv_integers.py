"""Integers in float32 whose sums stay below 2²⁴ come out exact."""

import math

import configurations
import numpy as np
import pytest

import convkit as ck
from convkit import _dispatch

CALLS = 300
DEEP = [(1, 3000, 1, 4), (3, 130, 5, 5), (2, 1, 17, 19), (9, 40, 1, 300), (33, 65, 3, 3)]


def integers(rng, shape, most):
    return rng.integers(-most, most + 1, shape)


@pytest.mark.parametrize("name", configurations.CALLS)
def test_random_calls(name, monkeypatch):
    for seed in range(CALLS):
        call = configurations.CALLS[name](seed)
        rng = np.random.default_rng([4, seed])
        most = math.isqrt((2**24 - 1) // (call.products + 1))
        arrays = [None if a is None else integers(rng, a.shape, most) for a in call[:3]]
        call = configurations.Call(*arrays, *call[3:])
        if call.reference.get("cval"):
            call.reference["cval"] = call.arguments["cval"] = -most
        exact = configurations.defined(name, call, np.int64)
        assert configurations.defined(name, call, np.int64, absolute=True).max() < 2**24
        disguised = [
            None if a is None else configurations.disguised(rng, a.astype(np.float32)) for a in arrays
        ]
        for isa in _dispatch.available():
            monkeypatch.setattr(_dispatch, "_chosen", _dispatch.load(isa))
            y = getattr(ck, name)(*disguised, **call.arguments)
            np.testing.assert_array_equal(y, exact, f"{isa}, seed {seed}: {call}")


@pytest.mark.parametrize("shape", DEEP, ids=str)
def test_sums_of_many_products(shape, isa, threads):
    """Kernels deeper than one block of products, and wider than one too."""
    rng = np.random.default_rng(6)
    products = math.prod(shape[1:])
    most = math.isqrt((2**24 - 1) // products)
    weight = integers(rng, shape, most)
    x = integers(rng, (1, shape[1], shape[2] + 2, shape[3] + 3), most)
    call = configurations.Call(x, weight, None, {}, {}, products)
    exact = configurations.defined("conv2d", call, np.int64)
    y = ck.conv2d(x.astype(np.float32), weight.astype(np.float32), num_threads=threads)
    np.testing.assert_array_equal(y, exact)

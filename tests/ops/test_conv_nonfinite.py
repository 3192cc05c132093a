"""NaN and Inf reach the outputs that see them, and change no bit of any other."""

import configurations
import numpy as np
import pytest

import convkit as ck
from convkit import _dispatch

CALLS = 200


def seen(name, call, place):
    """Which outputs see the input's pixel `place`."""
    x = np.zeros(call.x.shape)
    x[place] = 1
    reference = call.reference | ({"cval": 0.0} if "cval" in call.reference else {})
    alone = call._replace(x=x, weight=np.ones(call.weight.shape), bias=None, reference=reference)
    return configurations.defined(name, alone, np.float64) > 0


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", configurations.CALLS)
def test_stays_in_the_receptive_field(name, value, monkeypatch):
    for seed in range(CALLS):
        call = configurations.CALLS[name](seed)
        rng = np.random.default_rng(seed)
        place = tuple(rng.integers(n) for n in call.x.shape)
        spoilt = call.x.copy()
        spoilt[place] = value
        inside = seen(name, call, place)
        for isa in _dispatch.available():
            monkeypatch.setattr(_dispatch, "_chosen", _dispatch.load(isa))
            finite, y = (
                getattr(ck, name)(x, call.weight, call.bias, **call.arguments) for x in (call.x, spoilt)
            )
            assert not np.isfinite(y[inside]).any(), f"{isa}, seed {seed}: {call}"
            assert y[~inside].tobytes() == finite[~inside].tobytes(), f"{isa}, seed {seed}: {call}"


def test_a_nan_constant_reaches_the_border_alone(isa):
    x, weight = np.ones((1, 2, 5, 40), np.float32), np.ones((3, 2, 3, 3), np.float32)
    y = ck.conv2d(x, weight, padding=1, padding_mode="constant", cval=np.nan)
    assert (y[:, :, 1:-1, 1:-1] == 18).all()
    y[:, :, 1:-1, 1:-1] = np.nan
    assert np.isnan(y).all()

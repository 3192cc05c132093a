"""Every filter against its oracle, with the tolerance of its row in docs/semantics.md."""

import numpy as np
import pytest

import convkit as ck
from convkit import _dispatch
from convkit.filters import registry

CALLS = 300
EPILOGUE = {"activation", "residual"}


@pytest.mark.parametrize("name", registry.names())
def test_rows_cover_every_dtype(semantics, name):
    rows = [row for row in semantics if name in row.operations]
    covered = {dtype for row in rows for dtype in row.inputs}
    assert covered == {np.dtype(d) for d in (np.uint8, np.uint16, np.int16, np.float32, np.float64)}
    assert {row.border for row in rows} == {registry.get(name).default_border or "–"}


def test_rows_name_known_operations(semantics):
    named = {name for row in semantics for name in row.operations}
    assert named >= set(registry.names())
    assert named - set(registry.names()) - EPILOGUE <= set(ck.__all__)


@pytest.mark.parametrize("name", registry.names())
def test_random_calls(name, draw, assert_as_reference, monkeypatch):
    rng = np.random.default_rng(sum(map(ord, name)))
    for call in range(CALLS):
        image, arguments = draw(rng, name, 70 if call % 10 == 0 else 24)
        results = []
        for isa in _dispatch.available():
            monkeypatch.setattr(_dispatch, "_chosen", _dispatch.load(isa))
            results.append(registry.get(name).function(image, **arguments))
        assert_as_reference(name, image, arguments, results)

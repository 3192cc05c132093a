"""The border index is numpy.pad's, however far outside and however small the image."""

import numpy as np
import pytest

from convkit import _dispatch
from convkit.ops.stencil import BORDERS

PADDED = ("edge", "reflect", "symmetric", "wrap")


def border_rows(first: int, count: int, height: int, border: str) -> list[int]:
    native = _dispatch.native().family("stencil", np.float32)
    return native.border_rows(first, count, height, BORDERS.index(border))


def test_codes_are_the_kernels(isa):
    for dtype in (np.float32, np.float64):
        assert _dispatch.native().family("stencil", dtype).BORDERS == BORDERS


@pytest.mark.parametrize("border", PADDED)
@pytest.mark.parametrize("height", [1, 2, 3, 4, 7])
def test_as_numpy_pad(isa, border, height):
    expected = np.pad(np.arange(height), 40, mode=border)
    assert border_rows(-40, height + 80, height, border) == expected.tolist()


@pytest.mark.parametrize("border", ["constant", "valid"])
def test_outside_is_the_constant(isa, border):
    assert border_rows(-2, 7, 3, border) == [-1, -1, 0, 1, 2, -1, -1]


@pytest.mark.parametrize("border", PADDED)
@pytest.mark.parametrize("far", [-(10**15), 10**15])
def test_far_outside(isa, border, far):
    found = border_rows(far, 40, 5, border)
    assert set(found) <= set(range(5))
    steps = np.abs(np.diff(found))
    assert (steps <= (4 if border == "wrap" else 1)).all()

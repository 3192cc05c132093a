"""The choice of the accumulator, rounding, and what `apply` refuses."""

import numpy as np
import pytest

from convkit import _reference
from convkit.ops import stencil

S16, F32, F64 = np.dtype(np.int16), np.dtype(np.float32), np.dtype(np.float64)


@pytest.mark.parametrize(
    ("image", "out", "kernel", "expected"),
    [
        ("u1", "u1", [[0.1]], F32),
        ("u1", "f4", [[2.0**16]], F32),
        ("u1", "f4", [[2.0**17]], F64),
        ("u2", "u2", [[255]], F32),
        ("u2", "u2", [[128, -129]], F64),
        ("i2", "i2", [[511]], F32),
        ("i2", "i2", [[512]], F64),
        ("u2", "u2", [[0.5]], F32),
        ("u2", "u1", [[42.5]], F32),
        ("u2", "u1", [[42.75]], F64),
        ("i2", "u1", [[85.25]], F32),
        ("i2", "u1", [[85.5]], F64),
        ("u2", "f4", [[0.5]], F64),
        ("f4", "f4", [[1e9]], F32),
        ("f4", "f8", [[1]], F64),
        ("u1", "f8", [[1]], S16),
        ("u1", "i2", [[64, -64]], S16),
        ("u1", "f4", [[65, -64]], F32),
        ("u1", "f8", [[65, -64]], F64),
        ("f8", "f4", [[1]], F64),
    ],
)
def test_accumulator(image, out, kernel, expected):
    operation = stencil.dense(np.array(kernel, np.float64), (0, 0))
    assert stencil.accumulator(operation, np.dtype(image), np.dtype(out)) == expected


def apply(operation, image, **changes):
    options = {"border": "reflect", "cval": 0.0, "dtype": image.dtype, "out": None, "num_threads": None}
    return stencil.apply(operation, image, **(options | changes))


IDENTITY = stencil.dense(np.ones((1, 1)), (0, 0))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("out", [np.uint8, np.uint16, np.int16])
@pytest.mark.parametrize("half_up", [False, True])
def test_rounding_and_saturation(isa, dtype, out, half_up):
    edges = np.array([-32769, -32768, -1, 0, 1, 254, 255, 256, 32767, 32768, 65535, 65536, 1e9, -1e9])
    steps = np.array([-0.75, -0.5, -0.25, 0, 0.25, 0.5, 0.75])
    image = (edges[:, None] + steps).astype(dtype)
    image = np.concatenate([image.ravel(), [np.nan, np.inf, -np.inf]]).astype(dtype)[None]
    found = apply(stencil.scaled(IDENTITY, half_up=half_up), image, dtype=out)
    limits = np.iinfo(out)
    wide = np.clip(np.nan_to_num(image.astype(np.float64)), -1e10, 1e10)
    nearest = np.floor(wide + 0.5) if half_up else np.rint(wide)
    np.testing.assert_array_equal(found, np.clip(nearest, limits.min, limits.max).astype(out))


def test_zero_kernel_reads_nothing(isa):
    operation = stencil.scaled(stencil.dense(np.zeros((3, 3)), (1, 1)), delta=2.0)
    np.testing.assert_array_equal(apply(operation, np.full((2, 3), np.nan)), np.full((2, 3), 2.0))


@pytest.mark.parametrize("border", ["constant", "edge", "reflect", "symmetric", "wrap"])
def test_kernel_larger_than_the_image(isa, border):
    rng = np.random.default_rng(0)
    image, kernel = rng.standard_normal((3, 2, 2)), rng.standard_normal((11, 24))
    found = apply(stencil.dense(kernel, (2, 20)), image, border=border, cval=1.5)
    expected = _reference.correlate(image, kernel, border, 1.5, (2, 20))
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_valid_with_nothing_left():
    with pytest.raises(ValueError, match=r"border='valid' leaves nothing.*\(2, 5\).*3x1.*reflect"):
        apply(stencil.dense(np.ones((3, 1)), (1, 0)), np.ones((2, 5)), border="valid")


def test_nan_outside(isa):
    found = apply(stencil.dense(np.ones((1, 3)), (0, 1)), np.ones((1, 3)), border="constant", cval=np.nan)
    np.testing.assert_array_equal(np.isnan(found), [[True, False, True]])


def test_sizes_that_overflow():
    image = np.lib.stride_tricks.as_strided(np.zeros(1, np.uint8), (2**31, 2**30), (0, 0))
    with pytest.raises(ValueError, match="more than 64 bits can count"):
        apply(IDENTITY, image, dtype=np.float64)


def test_sums_that_go_on_from_others_are_rounded_with_them():
    """Of a sharpened image's two parts the first goes through the second's sum along the line."""
    here, blur = np.array([0.0, 1.0, 0.0]), np.array([0.25, 0.5, 0.25])
    operation = stencil.separable((3 * here, here), (-2 * blur, blur))
    assert operation.roundings == 3 * (2 + 2 + 3 + 1) + 2 * (4 + 4 + 1)

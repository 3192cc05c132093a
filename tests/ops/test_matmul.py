"""Products of matrices: NumPy's, in bits that no number of threads changes."""

import numpy as np
import pytest

import convkit as ck
from convkit.ops.matmul import product

rng = np.random.default_rng(50)
SHAPES = [(1, 1, 1), (3, 5, 2), (64, 1024, 10), (10, 64, 1024), (7, 300, 33), (129, 17, 65)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_of_any_layout(shape, dtype, isa):
    m, k, n = shape
    left, right = rng.standard_normal((m, k)).astype(dtype), rng.standard_normal((k, n)).astype(dtype)
    exact = left.astype(np.longdouble) @ right.astype(np.longdouble)
    bound = (k + 1) * np.finfo(dtype).eps * (np.abs(left) @ np.abs(right))
    for a in (left, np.asfortranarray(left), np.repeat(left, 2, axis=1)[:, ::2]):
        for b in (right, np.asfortranarray(right), right[::-1].copy()[::-1]):
            assert (np.abs(product(a, b) - exact) <= bound).all()


def test_bits_of_any_number_of_threads():
    a, b = rng.standard_normal((150, 700), np.float32), rng.standard_normal((700, 90), np.float32)
    found = []
    for threads in (1, 2, 3, 7):
        with ck.options(num_threads=threads):
            found.append(product(a, b))
    for other in found[1:]:
        np.testing.assert_array_equal(found[0], other)


@pytest.mark.parametrize(
    ("a", "b"),
    [((4,), (4, 3)), ((2, 4), (4,)), ((2, 3, 4), (4, 5)), ((2, 3, 4), (2, 4, 5)), ((0, 4), (4, 2))],
)
def test_other_shapes_as_numpy(a, b):
    x, y = rng.standard_normal(a), rng.standard_normal(b)
    np.testing.assert_allclose(product(x, y), x @ y, rtol=1e-12, strict=True)
    with pytest.raises(ValueError, match="matmul"):
        product(np.ones((2, 3)), np.ones((2, 3)))

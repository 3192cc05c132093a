"""Every filter beside OpenCV's over random calls: equal bits where docs/semantics.md says so, else close."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from convkit import filters as f
from convkit.filters import registry

cv2 = pytest.importorskip("cv2")
bank = pytest.importorskip("benchmarks.bank", reason="not in a checkout")

CALLS = 500
ONE_UNIT = 1
RELATIVE = 1e-5
DTYPES = tuple(map(np.dtype, ("uint8", "uint16", "int16", "float32", "float64")))
DOCS = Path(__file__).parents[2] / "docs" / "semantics.md"


def random_image(rng, dtype):
    channels = [(), (1,), (3,), (4,)][rng.integers(4)]
    shape = (*rng.integers(1, 70, 2, endpoint=True).tolist(), *channels)
    if dtype.kind == "f":
        return (rng.standard_normal(shape) * 100).astype(dtype)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)


def random_calls(found):
    """Images, arguments and what OpenCV gives, of calls that it takes."""
    rng = np.random.default_rng(sum(map(ord, found.name)))
    done = 0
    while done < CALLS:
        dtype = DTYPES[rng.integers(len(DTYPES))]
        image = random_image(rng, dtype)
        arguments = bank.random_arguments(rng, found, dtype)
        call = bank.call_of("opencv", found, arguments, image)
        if call is not None:
            done += 1
            expected = np.asarray(call(image, None))  # which drops a channel axis of length 1
            channels = () if found.name in bank.ONE_PLANE else image.shape[2:]
            yield image, arguments, expected.reshape(*expected.shape[:2], *channels)


@pytest.mark.parametrize("name", registry.names())
def test_every_filter_has_a_peer_or_a_reason(name):
    has_peer = name in bank.PEERS["opencv"]
    assert has_peer != (name in bank.WITHOUT_PEER), f"add {name} to benchmarks/bank.py"
    assert not has_peer or name in bank.DRAWS, f"add a draw of {name}'s arguments to benchmarks/bank.py"


def test_differences_and_reasons_are_documented():
    text = DOCS.read_text("utf-8").partition("### Where OpenCV differs")[2].partition("\n## ")[0]
    rows = {line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")}
    assert rows - {"what"} == set(bank.DIFFERENCES) | set(bank.WITHOUT_PEER)


@pytest.fixture
def without_ipp():
    """OpenCV's own code, which its results on several threads are those of."""
    used = cv2.ipp.useIPP()
    cv2.ipp.setUseIPP(False)
    yield
    cv2.ipp.setUseIPP(used)


def test_canny_of_aperture_5(without_ipp):
    """A picture of which IPP finds a pixel more."""
    image = 251 * (np.arange(5) == [[0], [1], [1], [2], [2], [3]]).astype(np.uint8)
    expected = cv2.Canny(image, 200, 800, apertureSize=5, L2gradient=True)
    np.testing.assert_array_equal(f.canny(image, 200, 800, aperture=5, l2=True), expected)


@pytest.mark.parametrize(("aperture", "first"), [(3, 2.0**31), (5, 2.0**31), (7, 2.0**35)])
def test_canny_with_thresholds_beyond_integers(without_ipp, aperture, first):
    image = np.random.default_rng(8).integers(0, 256, (30, 40), np.uint8)
    for high in (np.nextafter(first, 0), first, 1e300):
        assert cv2.Canny(image, 100, high, apertureSize=aperture).any() == (high >= first)
        assert not f.canny(image, 100, high, aperture=aperture).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sign", [1, -1])
def test_outside_of_floats(dtype, sign):
    """Beside the image, which the only weight of the footprint misses, and over an infinite one."""
    ours, theirs = (f.erode, cv2.erode) if sign > 0 else (f.dilate, cv2.dilate)
    corner = np.zeros((5, 5), np.uint8)
    corner[0, 0] = 1
    for image, footprint in (
        (np.ones((2, 3), dtype), corner),
        (np.full((2, 3), sign * np.inf, dtype), np.ones((3, 3), np.uint8)),
    ):
        assert (ours(image, footprint) == sign * np.inf).all()
        assert (theirs(image, footprint) == sign * np.finfo(dtype).max).all()


@pytest.mark.parametrize("name", [name for name in registry.names() if name in bank.PEERS["opencv"]])
def test_equal_to_opencv(name, semantics):
    found = registry.get(name)
    for image, arguments, expected in random_calls(found):
        result = found.function(image, **arguments)
        assert (result.shape, result.dtype) == (expected.shape, expected.dtype)
        if result.dtype.kind == "f":
            size = max(np.abs(expected).max(), np.abs(image.astype(np.float64)).max())
            assert np.abs(result - expected).max() <= RELATIVE * size, arguments
        else:
            units = np.abs(result.astype(int) - expected).max()
            assert units <= allowed(found, image, arguments, semantics), (image.dtype, image.shape, arguments)


def allowed(found, image, arguments, semantics):
    """By how many units an integer result may differ: the documented differences, else what its row says."""
    complete = SimpleNamespace(name=found.name, **found.arguments(**arguments))
    complete.result = found.output_dtype(image.dtype, vars(complete))
    if differs := max(differs(complete, image.dtype) for differs in bank.DIFFERENCES.values()):
        return differs
    rows = [row for row in semantics if found.name in row.operations and image.dtype in row.inputs]
    if len(rows) > 1:
        kernels = [arguments[key] for key in ("kernel", "kernel_x", "kernel_y") if key in arguments]
        whole = all((np.asarray(kernel) % 1 == 0).all() for kernel in kernels)
        rows = [row for row in rows if (row.qualifier == "integer kernel") == whole]
    (row,) = rows
    return 0 if row.equality.startswith("exact") else ONE_UNIT

"""Every filter beside OpenCV's over random calls: equal bits where docs/semantics.md says so, else close."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from convkit.filters import registry

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
            yield image, arguments, expected.reshape(*expected.shape[:2], *image.shape[2:])


@pytest.mark.parametrize("name", registry.names())
def test_every_filter_has_a_peer_or_a_reason(name):
    has_peer = name in bank.PEERS["opencv"]
    assert has_peer != (name in bank.WITHOUT_PEER), f"add {name} to benchmarks/bank.py"
    assert not has_peer or name in bank.DRAWS, f"add a draw of {name}'s arguments to benchmarks/bank.py"


def test_differences_and_reasons_are_documented():
    text = DOCS.read_text("utf-8").partition("### Where OpenCV differs")[2].partition("\n## ")[0]
    rows = {line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")}
    assert rows - {"what"} == set(bank.DIFFERENCES) | set(bank.WITHOUT_PEER)


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

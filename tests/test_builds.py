"""Each compiled module holds the instructions of its own set and no wider ones."""

import importlib.util
import itertools
import platform
import shutil
import subprocess

import numpy as np
import pytest

from convkit import _dispatch

pytestmark = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="names x86-64 registers"
)

BYTES = {"baseline": 16, "avx2": 32, "avx512": 64}
WIDER = {"baseline": ("%ymm", "%zmm"), "avx2": ("%zmm",), "avx512": ()}
MODULES = [
    _dispatch._module_name(family, np.dtype(dtype), isa)
    for family, dtype, isa in itertools.product(_dispatch.FAMILIES, _dispatch.REAL_SUFFIX, _dispatch.ISAS)
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_vectors_are_as_wide_as_its_registers(dtype, isa):
    kernels = _dispatch.load(isa).family("kernels", dtype)
    assert kernels.VECTOR_LANES * np.dtype(dtype).itemsize == BYTES[isa]


@pytest.mark.parametrize("module", MODULES)
def test_no_wider_register_is_named(module):
    """A machine without it would stop at the first such instruction, in the module's start already."""
    spec = importlib.util.find_spec(module)
    if spec is None or shutil.which("objdump") is None:
        pytest.skip("not built, or no objdump")
    listing = subprocess.run(
        ["objdump", "-d", spec.origin], check=True, capture_output=True, text=True
    ).stdout
    isa = module.rsplit("_", 1)[-1]
    assert not [name for name in WIDER.get(isa, WIDER["baseline"]) if name in listing]

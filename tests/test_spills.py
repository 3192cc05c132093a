"""The kernels' inner loops keep their sums in registers; the look at the machine code that says so."""

import importlib.util
import shutil
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "benchmarks" / "spills.py"


@pytest.fixture(scope="module")
def spills():
    """`benchmarks.spills`, which is no part of the installed package."""
    if not SOURCE.exists():
        pytest.skip("not in a checkout")
    spec = importlib.util.spec_from_file_location("spills", SOURCE)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


LISTING = """
0000000000001000 <tidy>:
    1000:	xor    %eax,%eax
    1010:	vmovups (%rbp),%zmm1
    1016:	vbroadcastss (%rdi),%zmm2
    101c:	vfmadd231ps %zmm1,%zmm2,%zmm0
    1022:	mov    0x8(%rsp),%rcx
    1026:	add    $0x40,%rsi
    102a:	cmp    %rsi,%rdx
    102d:	jne    1010 <tidy+0x10>
    102f:	ret

0000000000002000 <spilling>:
    2000:	nop
    2008:	nop
    2010:	vmovaps -0x40(%rbp),%ymm3
    2016:	vfmadd231pd %ymm1,%ymm2,%ymm3
    201c:	vmovaps %ymm3,0x40(%rsp)
    2022:	dec    %rcx
    2025:	jne    2010 <spilling+0x10>
    2027:	dec    %rdx
    202a:	jne    2008 <spilling+0x8>
    202c:	ret

0000000000003000 <copying>:
    3000:	movups (%rsi),%xmm0
    3004:	movups %xmm0,0x10(%rsp)
    3009:	dec    %rcx
    300c:	jne    3000 <copying>
    300e:	ret

0000000000004000 <planning>:
    4000:	vfnmadd213sd %xmm3,%xmm1,%xmm2
    4005:	vmovsd %xmm2,0x8(%rsp,%rcx,8)
    400b:	dec    %rcx
    400e:	jne    4000 <planning>
    4010:	ret
"""


def test_finds_the_loops_that_multiply(spills):
    tidy, spilling, planning = spills.find_loops(LISTING)
    assert tidy == spills.Loop("tidy", instructions=7, multiply_adds=1, spills=0, reloads=0)
    assert spilling == spills.Loop("spilling", instructions=5, multiply_adds=1, spills=1, reloads=1)
    assert planning == spills.Loop("planning", instructions=4, multiply_adds=1, spills=0, reloads=0)


def test_a_module_that_is_not_built(spills):
    with pytest.raises(ValueError, match=r"convkit\._kernels_z80 is not built"):
        spills.loops("convkit._kernels_z80")


def built_loops(spills, family, dtype, isa):
    """The loops of a module of this installation."""
    module = f"convkit.{family}{dtype}_{isa}"
    if shutil.which("objdump") is None:
        pytest.skip("no objdump")
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not built")
    return spills.loops(module)


@pytest.mark.parametrize("isa", ["avx2", "avx512"])
@pytest.mark.parametrize("dtype", ["", "_f64"])
@pytest.mark.parametrize("family", ["_kernels", "_native.winograd", "_native.depthwise"])
def test_no_loop_of_a_call_spills(spills, family, dtype, isa):
    loops = built_loops(spills, family, dtype, isa)
    assert len(loops) >= 16
    assert not spills.spilling(loops)


@pytest.mark.parametrize("isa", ["avx2", "avx512"])
def test_no_loop_down_the_columns_spills(spills, isa):
    loops = built_loops(spills, "_native.winograd_1d", "", isa)
    assert len(loops) >= 9  # transforms there and back, and tiles
    assert not spills.spilling(loops)


@pytest.mark.parametrize("isa", ["avx2", "avx512"])
@pytest.mark.parametrize("dtype", ["", "_f64"])
def test_the_tiles_of_the_gemm_leave_the_stack_alone(spills, dtype, isa):
    loops = built_loops(spills, "_kernels", dtype, isa)
    assert max(loop.multiply_adds for loop in loops) >= 12
    assert not [loop for loop in loops if loop.spills or loop.reloads]


@pytest.mark.parametrize("isa", ["avx2", "avx512"])
def test_the_peak_is_of_as_many_operations_as_it_says(spills, isa):
    (loop,) = built_loops(spills, "_native.peak", "", isa)
    assert loop.multiply_adds == 12  # none is left out because its result is known
    assert (loop.spills, loop.reloads) == (0, 0)


def test_weights_are_prepared_once_and_may_spill(spills):
    loops = [spills.Loop(name, 20, 4, 1, 1) for name in ("transform_lanes", "winograd_avx2_transform_some")]
    assert spills.spilling(loops) == loops[:1]

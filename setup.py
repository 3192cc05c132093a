"""The build table: every kernel family, and the instruction sets and element types it is compiled for.

One Cython source becomes one extension module per (element type, instruction set). The baseline float32 build
keeps the plain name (``convkit._kernels``); the others carry a suffix (``convkit._kernels_f64_avx512``).

``CONVKIT_BUILD_ISA=avx512`` (or a comma-separated list) builds those instruction sets and the baseline
families alone: the developer's quick build. Everything else about the package is in ``pyproject.toml``.
"""

import functools
import os
import subprocess
import sysconfig
import tempfile
from pathlib import Path
from typing import NamedTuple

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError, LinkError

# Flags of each instruction set; a machine that is not x86-64 has its baseline only (NEON on Arm).
# gcc may park an address in an MMX register, which leaves the unit of long doubles unusable: NaN in NumPy's.
NO_MMX = "-mno-mmx"
# Machines without AVX2 are old and few: their builds take less time to compile.
BRIEF = ["-O1", "-fpeel-loops", "-ftree-loop-vectorize", "-fvect-cost-model=dynamic"]
X86_64 = {
    "baseline": [NO_MMX, *BRIEF],
    "avx2": [NO_MMX, "-march=x86-64-v3", "-mprefer-vector-width=256"],
    "avx512": [NO_MMX, "-march=x86-64-v4", "-mprefer-vector-width=512"],
}
PORTABLE = {"baseline": []}
MACHINE = sysconfig.get_platform().rsplit("-", 1)[-1]
ISA_FLAGS = X86_64 if MACHINE in ("x86_64", "amd64") else PORTABLE

REAL_FLAGS = {
    "f32": [],
    "f64": ["-DCONVKIT_FLOAT64"],
    "u8": ["-DCONVKIT_U8"],
    "u16": ["-DCONVKIT_U16"],
    "s16": ["-DCONVKIT_S16"],
    "": [],
}
# Wider registers would wait for the same bytes, or have not been measured to pay.
UP_TO_AVX2 = ("baseline", "avx2")
# Nor do images that are not of bytes, and float64 but in its most common kernels, pay for the time that such
# builds take.
PIXELS = ("u8", "u16", "s16", "f32", "f64")


class Family(NamedTuple):
    """One ``.pyx`` file and the builds that pay for it (at least 10 % measured over the build below)."""

    module: str
    isas: tuple[str, ...] = ("baseline", "avx2", "avx512")
    reals: tuple[str, ...] = ("f32", "f64")
    flags: tuple[str, ...] = ()  # gcc's
    lanes: tuple[str, ...] = ()  # where they are not the element type's


# The loops over a large tile of registers are unrolled only where the compiler may write so much; what is
# left a loop is kept in memory. gcc is told for the families that need it.
# clang would load what all branches of a kernel begin with ahead of them, and keep it on the stack for the
# branch that has the fewest registers to spare.
CLANG_FLAGS = ("-mllvm", "-unroll-threshold=10000", "-mllvm", "-hoist-common-insts=false")
# Ordering instructions from both ends, clang gathers an unrolled loop's loads at its top, more than there are
# registers; from the top alone, they stay about where the source has them. clang 20 knows the second name.
CLANG_TOP_DOWN = ("-mllvm -misched-topdown", "-mllvm -misched-prera-direction=topdown")
LANES_16 = ("-DCONVKIT_INT16",)
# In functions of thousands of lines gcc looks for common values longer than it compiles them, and finds none.
NO_GCSE = ("-fno-gcse",)
# What -O3 and -O2 add to unrolling and vectorising: copies of loops for cases that do not come up, ranges
# of values that no kernel has use for, code shared between branches. They take half of the time of a build,
# and the kernels are 1 % faster without.
UNUSED_PASSES = (
    "-fno-code-hoisting",
    "-fno-crossjumping",
    "-fno-ipa-cp-clone",
    "-fno-ipa-icf",
    "-fno-loop-interchange",
    "-fno-loop-unroll-and-jam",
    "-fno-predictive-commoning",
    "-fno-rerun-cse-after-loop",
    "-fno-split-loops",
    "-fno-split-paths",
    "-fno-tree-loop-distribution",
    "-fno-tree-pre",
    "-fno-tree-tail-merge",
    "-fno-tree-vrp",
    "-fno-gcse-after-reload",
    "--param=ggc-min-heapsize=300000",  # kilobytes before gcc tidies its memory: a tenth of the time
)
# What a sorting network orders early and uses late would be put off, and all that it needs kept on the stack.
IN_ORDER = ("-fno-tree-ter",)
UNROLL = ("--param=max-completely-peeled-insns=16000", "--param=max-completely-peel-times=64")

FAMILIES = [
    Family("convkit._kernels", flags=UNROLL),
    Family("convkit._native.winograd"),
    Family("convkit._native.winograd_1d", reals=("f32",)),
    Family("convkit._native.broadcast", flags=UNROLL),
    Family("convkit._native.depthwise", reals=("f32",), flags=UNROLL),
    Family("convkit._native.depthwise", isas=UP_TO_AVX2, reals=("f64",), flags=UNROLL),
    Family("convkit._native.weave", isas=UP_TO_AVX2),
    Family("convkit._native.zipped", isas=UP_TO_AVX2),
    Family("convkit._native.grad", isas=UP_TO_AVX2, flags=UNROLL),
    Family("convkit._native.grad_few", isas=UP_TO_AVX2, flags=UNROLL),
    Family("convkit._native.grad_winograd", reals=("f32",), flags=UNROLL),
    Family("convkit._native.pool", isas=UP_TO_AVX2),
    Family("convkit._native.norm", isas=UP_TO_AVX2),
    Family("convkit._native.activation", isas=UP_TO_AVX2),
    Family("convkit._native.optim", isas=UP_TO_AVX2),
    Family("convkit._native.mark", isas=("baseline",), reals=("u8",)),
    Family("convkit._native.stencil", flags=(*UNROLL, *NO_GCSE)),
    Family("convkit._native.spectral", reals=("f32",), flags=UNROLL),
    Family("convkit._native.spectral", isas=UP_TO_AVX2, reals=("f64",), flags=UNROLL),
    Family("convkit._native.narrow", reals=("s16",), flags=(*UNROLL, *NO_GCSE), lanes=LANES_16),
    Family("convkit._native.recursive", reals=("f64",)),
    Family("convkit._native.box"),
    Family("convkit._native.box_integers", isas=UP_TO_AVX2, reals=PIXELS[:3]),
    Family("convkit._native.morphology", isas=UP_TO_AVX2, reals=("u8",)),
    Family("convkit._native.morphology", isas=UP_TO_AVX2, reals=PIXELS[1:], flags=tuple(BRIEF)),  # 5 % slower
    Family("convkit._native.rank", reals=("u8",), flags=IN_ORDER),
    Family("convkit._native.rank", isas=UP_TO_AVX2, reals=PIXELS[1:], flags=IN_ORDER),
    Family("convkit._native.bilateral", reals=("u8", "f32")),
    Family("convkit._native.bilateral", isas=UP_TO_AVX2, reals=("u16", "s16", "f64")),
    Family("convkit._native.threshold", reals=("u8",)),
    Family("convkit._native.threshold", isas=UP_TO_AVX2, reals=PIXELS[1:]),
    Family("convkit._native.running", isas=UP_TO_AVX2, reals=("u8",)),
    Family("convkit._native.canny", reals=("u8",)),
    Family("convkit._native.layout", isas=UP_TO_AVX2),
    Family("convkit._native.red_blue", isas=UP_TO_AVX2, reals=("f32",)),
    Family("convkit._native.row_sums", isas=UP_TO_AVX2, reals=("u8",)),
    Family("convkit._native.unpack", isas=UP_TO_AVX2, reals=("u8",)),
    Family("convkit._native.segments", isas=("baseline",), reals=("u8",)),
    Family("convkit._native.blocks", isas=("baseline",), reals=("u8",)),
    Family("convkit._native.peak", reals=("f32",)),
    Family("convkit._native.cpu", isas=("baseline",), reals=("",)),
    Family("convkit._native.keys", isas=("baseline",), reals=("",)),
]

COMPILE = [
    "-O3",
    "-g0",
    "-ffp-contract=fast",  # a*b + c is one rounding where the machine has FMA
    "-fno-math-errno",  # with the next: sqrt is one vector instruction, not a call
    "-fno-trapping-math",
    "-Werror=implicit-function-declaration",
    "-Wno-all",
    "-Wno-attributes",
    "-Wno-psabi",  # how vectors are passed to functions of other compilers: ours are inlined
]
# `cdef inline` kernels take tile sizes as constant arguments: they must really be inlined.
MACROS = [
    ("CYTHON_INLINE", "inline __attribute__((always_inline))"),
    ("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION"),
]


def wanted_isas() -> set[str]:
    """The instruction sets to build: all, or those named in ``CONVKIT_BUILD_ISA``."""
    named = os.environ.get("CONVKIT_BUILD_ISA")
    if not named:
        return set(ISA_FLAGS)
    wanted = set(named.split(","))
    if unknown := wanted - set(ISA_FLAGS):
        raise SystemExit(f"CONVKIT_BUILD_ISA names {sorted(unknown)}; this machine builds {list(ISA_FLAGS)}")
    return wanted


class Build(NamedTuple):
    """A row of the table for one element type and instruction set."""

    family: Family
    real: str
    isa: str

    @property
    def name(self) -> str:
        """Of its module."""
        real = "" if self.real in ("", "f32") else f"_{self.real}"
        return self.family.module + real + ("" if self.isa == "baseline" else f"_{self.isa}")


def builds() -> list[Build]:
    """All that are wanted; where a family has none for an instruction set, the next plainer one."""
    order = list(ISA_FLAGS)
    found = []
    for family in FAMILIES:
        plainer = [
            [isa for isa in order[: order.index(wanted) + 1] if isa in family.isas] for wanted in order
        ]
        isas = {names[-1] for names, wanted in zip(plainer, order, strict=True) if wanted in wanted_isas()}
        found += [Build(family, real, isa) for real in family.reals for isa in order if isa in isas]
    return found


TRANSLATED = Path("build/cython/translated")
# What every module with a memoryview would else hold a copy of, a third of its C.
SHARED = Extension("convkit._native.shared", ["convkit/_native/shared.c"])


def translate(modules: list[str]) -> Extension:
    """Translate each source to C once, whatever it is then compiled for; gives the shared module."""
    sources = [Extension(module, [f"{module.replace('.', '/')}.pyx"]) for module in modules]
    *_, shared = cythonize(
        [*sources, SHARED],
        build_dir=str(TRANSLATED),
        nthreads=os.cpu_count() or 1,
        quiet=True,
        shared_utility_qualified_name=SHARED.name,
        compiler_directives={
            "language_level": 3,
            "binding": False,
            "boundscheck": False,
            "wraparound": False,
            "cdivision": True,
            "initializedcheck": False,
            "embedsignature": True,
            "freethreading_compatible": True,
        },
    )
    return shared


def c_source(build: Build) -> Path:
    """The C of a build, under its own name: a module enters `sys.modules` by the name in its text."""
    module, name = build.family.module, build.name
    plain = Path(module.replace(".", "/")).with_suffix(".c")
    text = (TRANSLATED / plain).read_text()
    text = text.replace(f'"{module}"', f'"{name}"')
    text = text.replace(f"PyInit_{plain.stem}(", f"PyInit_{name.rsplit('.', 1)[-1]}(")
    path = Path(f"build/cython/{build.real or 'any'}_{build.isa}") / plain
    if not path.exists() or path.read_text() != text:  # what has not changed is not compiled again
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return path


@functools.cache
def extensions() -> list[Extension]:
    """The shared module, and an extension for every row of the table."""
    wanted = builds()
    found = [translate(list(dict.fromkeys(build.family.module for build in wanted)))]
    found[0].extra_compile_args, found[0].gcc_flags = [*COMPILE, "-O1"], ()
    for build in wanted:
        extension = Extension(
            build.name,
            [str(c_source(build))],
            depends=[*map(str, Path("convkit/_native").glob("*.h")), "setup.py"],
            include_dirs=["convkit/_native"],
            define_macros=MACROS,
            extra_compile_args=[
                *COMPILE,
                *ISA_FLAGS[build.isa],
                *REAL_FLAGS[build.real],
                *build.family.lanes,
            ],
        )
        extension.gcc_flags = (*UNUSED_PASSES, *build.family.flags)
        found.append(extension)
    return found


OPENMP = ("-fopenmp", "-Xpreprocessor -fopenmp -lomp")
ASKS_OPENMP = "#include <omp.h>\nint main(void) { return omp_get_max_threads() < 1; }\n"
ASKS_NOTHING = "int main(void) { return 0; }\n"
# Commands that ask for the names of files, for which nothing need be translated.
METADATA = {"egg_info", "dist_info", "sdist"}


class BuildExt(build_ext):
    """Compiles on every core, with OpenMP where the compiler has it and without where it does not."""

    def finalize_options(self) -> None:
        if METADATA.isdisjoint(self.distribution.commands):
            self.distribution.ext_modules = extensions()
        super().finalize_options()
        self.parallel = self.parallel or os.cpu_count()

    def build_extensions(self) -> None:
        told = subprocess.run([*self.compiler.compiler_so, "--version"], capture_output=True, text=True)
        openmp = self.first_that_links(OPENMP, ASKS_OPENMP)
        if not openmp:
            self.warn("this compiler has no OpenMP: building single-threaded kernels")
        is_clang = "clang" in told.stdout
        clang_flags = [*CLANG_FLAGS, *self.first_that_links(CLANG_TOP_DOWN, ASKS_NOTHING)] if is_clang else []
        for extension in self.extensions:
            given = [f for f in extension.extra_compile_args if not (is_clang and f in BRIEF)]
            extension.extra_compile_args = [*given, *(clang_flags or extension.gcc_flags)]
            extension.extra_compile_args += [f for f in openmp if not f.startswith("-l")]
            extension.extra_link_args += openmp
        super().build_extensions()

    def first_that_links(self, choices: tuple[str, ...], program: str) -> list[str]:
        """The first flags with which `program` compiles and links; none, where it does with none of them."""
        return next((flags.split() for flags in choices if self.links_with(flags.split(), program)), [])

    def links_with(self, flags: list[str], program: str) -> bool:
        """Whether `program` compiles and links with `flags`."""
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "probe.c")
            source.write_text(program)
            compile_flags = [f for f in flags if not f.startswith("-l")]
            try:
                objects = self.compiler.compile(
                    [str(source)], output_dir=folder, extra_postargs=compile_flags
                )
                self.compiler.link_executable(objects, "probe", output_dir=folder, extra_postargs=flags)
            except (CompileError, LinkError):
                return False
        return True


setup(ext_modules=[SHARED], cmdclass={"build_ext": BuildExt})

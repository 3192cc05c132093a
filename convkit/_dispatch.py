"""Which build of the kernels runs: asked of the machine once, on first use; `CONVKIT_ISA` overrides.

The sole importer of native modules. `native()` is the chosen build; its attributes are the kernel families,
imported when first touched, so that `import convkit` loads none of them.
"""

from __future__ import annotations

import functools
import importlib
import os
from importlib.machinery import EXTENSION_SUFFIXES
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from convkit.errors import ConvkitError, UnsupportedMachine

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

FOLDER = os.path.dirname(__file__)

ISAS = ("baseline", "avx2", "avx512")
"""Instruction sets from the plainest to the widest; index = the level that `cpu.machine_level` reports."""

FAMILIES = {
    "kernels": "convkit._kernels",
    "winograd": "convkit._native.winograd",
    "winograd_1d": "convkit._native.winograd_1d",
    "broadcast": "convkit._native.broadcast",
    "depthwise": "convkit._native.depthwise",
    "weave": "convkit._native.weave",
    "zipped": "convkit._native.zipped",
    "grad": "convkit._native.grad",
    "grad_few": "convkit._native.grad_few",
    "grad_winograd": "convkit._native.grad_winograd",
    "pool": "convkit._native.pool",
    "norm": "convkit._native.norm",
    "activation": "convkit._native.activation",
    "optim": "convkit._native.optim",
    "mark": "convkit._native.mark",
    "stencil": "convkit._native.stencil",
    "spectral": "convkit._native.spectral",
    "recursive": "convkit._native.recursive",
    "layout": "convkit._native.layout",
    "red_blue": "convkit._native.red_blue",
    "row_sums": "convkit._native.row_sums",
    "unpack": "convkit._native.unpack",
    "segments": "convkit._native.segments",
    "blocks": "convkit._native.blocks",
    "narrow": "convkit._native.narrow",
    "box": "convkit._native.box",
    "box_integers": "convkit._native.box_integers",
    "morphology": "convkit._native.morphology",
    "rank": "convkit._native.rank",
    "bilateral": "convkit._native.bilateral",
    "threshold": "convkit._native.threshold",
    "running": "convkit._native.running",
    "canny": "convkit._native.canny",
    "peak": "convkit._native.peak",
}
SUFFIX: dict[np.dtype[Any], str] = {
    np.dtype(np.float32): "",
    np.dtype(np.float64): "_f64",
    np.dtype(np.uint8): "_u8",
    np.dtype(np.uint16): "_u16",
    np.dtype(np.int16): "_s16",
}


class Native:
    """The kernel families of one instruction set: ``native.family("kernels", np.float32)``."""

    def __init__(self, isa: str) -> None:
        self.isa = isa
        self._modules: dict[tuple[str, Any], Any] = {}

    def family(self, name: str, dtype: DTypeLike) -> Any:
        """The compiled module of family `name` whose element type is `dtype`."""
        try:
            return self._modules[name, dtype]
        except KeyError:
            module = importlib.import_module(_built_name(name, np.dtype(dtype), self.isa))
            self._modules[name, dtype] = module
            return module


def _built_name(family: str, dtype: np.dtype[Any], isa: str) -> str:
    """That of `isa`, or of the next plainer one where `setup.py` has no build for it."""
    names = [_module_name(family, dtype, name) for name in _and_plainer(isa)]
    return next((name for name in names if name in _modules()), names[0])


def _and_plainer(isa: str) -> tuple[str, ...]:
    return ISAS[ISAS.index(isa) :: -1]


def _module_name(family: str, dtype: np.dtype[Any], isa: str) -> str:
    return FAMILIES[family] + SUFFIX[dtype] + ("" if isa == "baseline" else f"_{isa}")


@functools.cache
def cpu() -> ModuleType:
    """The module that asks the machine what it has; safe on every machine."""
    try:
        return importlib.import_module("convkit._native.cpu")
    except ModuleNotFoundError as error:
        raise _nothing_built() from error


def _nothing_built() -> ConvkitError:
    return ConvkitError(
        f"the kernels of {FOLDER} are not built; in a source folder Python finds the sources before an "
        "installed convkit: run pip install -e . there, or start Python elsewhere"
    )


@functools.cache
def keys() -> ModuleType:
    """The module that tells calls apart."""
    return importlib.import_module("convkit._native.keys")


@functools.cache
def available() -> tuple[str, ...]:
    """The instruction sets that this machine has and this installation was built for."""
    found = tuple(isa for isa in ISAS[: cpu().machine_level() + 1] if _is_built(isa))
    if not found:
        raise _nothing_built()
    return found


def _is_built(isa: str) -> bool:
    """Whether there are kernels for `isa`, and of each family some for it or for a plainer one.

    A build for other instruction sets alone leaves what an earlier one made, which may lack a family.
    """
    names = _modules()
    return _module_name("kernels", np.dtype(np.float32), isa) in names and all(
        any(_module_name(family, dtype, name) in names for dtype in SUFFIX for name in _and_plainer(isa))
        for family in FAMILIES
    )


@functools.cache
def _modules() -> frozenset[str]:
    """The compiled modules of this installation: to list two folders takes less time than to ask for each."""
    return frozenset(
        f"{package}.{file.partition('.')[0]}"
        for package, folder in (("convkit", FOLDER), ("convkit._native", os.path.join(FOLDER, "_native")))
        for file in os.listdir(folder)
        if file.endswith(tuple(EXTENSION_SUFFIXES))
    )


@functools.cache
def load(isa: str) -> Native:
    """The build for `isa`; `UnsupportedMachine` where the machine or the installation lacks it."""
    if isa not in available():
        if isa not in ISAS:
            why = f"{isa!r} is not one of {', '.join(ISAS)}"
        else:
            why = f"this {'machine' if ISAS.index(isa) > cpu().machine_level() else 'build'} lacks it"
        raise UnsupportedMachine(
            f"CONVKIT_ISA={isa} cannot run here ({why}): this machine and build have "
            f"{', '.join(available())}; unset CONVKIT_ISA to take {available()[-1]}"
        )
    return Native(isa)


_chosen: Native | None = None


def native() -> Native:
    """The build in use: `CONVKIT_ISA`'s, else the widest available."""
    global _chosen
    if _chosen is None:
        _chosen = load(os.environ.get("CONVKIT_ISA") or available()[-1])
    return _chosen

"""What runs here: the build, the machine and the versions, for bug reports."""

from __future__ import annotations

import os
from typing import Any

from convkit import _dispatch
from convkit._threads import default_threads
from convkit._version import __version__

OPENCV = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)
VECTOR_BYTES = {"avx2": 32, "avx512": 64}


def build_info() -> dict[str, Any]:
    """Version, instruction set, OpenMP, threads, compiler and the versions of what convkit stands on.

    Returns
    -------
    dict
        ``version``, ``isa`` (in use), ``isas_available``, ``vector_bytes``, ``openmp`` (bool),
        ``openmp_date`` (yyyymm, 0 without), ``threads`` (of a call that names none), ``compiler``,
        ``python``, ``numpy``, ``opencv`` and ``matplotlib`` (None where not installed; neither is imported),
        ``platform``.

    Raises
    ------
    UnsupportedMachine
        ``CONVKIT_ISA`` names an instruction set that cannot run here.
    ValueError
        ``CONVKIT_NUM_THREADS`` is no positive integer.

    Examples
    --------
    >>> import convkit as ck
    >>> info = ck.build_info()
    >>> info["isa"] in info["isas_available"]
    True
    """
    import platform  # slow to import, and seldom asked for

    isa = _dispatch.native().isa
    facts = _dispatch.cpu().build_facts()
    return {
        "version": __version__,
        "isa": isa,
        "isas_available": list(_dispatch.available()),
        "vector_bytes": VECTOR_BYTES.get(isa, facts["baseline_vector_bytes"]),
        "openmp": facts["openmp"] > 0,
        "openmp_date": facts["openmp"],
        "threads": default_threads() if facts["openmp"] else 1,
        "compiler": facts["compiler"],
        "python": platform.python_version(),
        "numpy": _installed("numpy"),
        "opencv": _opencv(),
        "matplotlib": _installed("matplotlib"),
        "platform": platform.platform(),
    }


def _installed(package: str) -> str | None:
    import importlib.metadata

    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _opencv() -> str | None:
    """The version of the package that `import cv2` takes: several may be installed."""
    import importlib.metadata
    import importlib.util

    spec = importlib.util.find_spec("cv2")
    if spec is None or spec.origin is None:
        return None
    for package in OPENCV:
        for found in importlib.metadata.distributions(name=package):
            if os.path.abspath(str(found.locate_file("cv2/__init__.py"))) == os.path.abspath(spec.origin):
                return found.version
    return next(filter(None, map(_installed, OPENCV)), None)

"""`convkit filters`, `convkit demo` and `convkit info`: what there is, and what runs here."""

from __future__ import annotations

import argparse
import inspect
import json
import time
from pathlib import Path

from convkit._info import build_info
from convkit.cli.told import Told, count
from convkit.filters import pipeline, registry
from convkit.io import imread, imwrite
from convkit.io.formats import for_name
from convkit.layout import to_gray

# ---- filters ----------------------------------------------------------------------------------------

HIDDEN = ("out", "num_threads", "channel_axis")  # arguments that mean nothing on a command line


def filters(arguments: argparse.Namespace) -> Told:
    """List the filters with their arguments."""
    found = [registry.get(name) for name in registry.names()]
    return Told("\n".join(f"{f.name}{_parameters(f.signature)}\n    {f.summary}" for f in found))


def _parameters(signature: inspect.Signature) -> str:
    """The parameters that a pipeline may give, with their defaults."""
    listed = [p for p in list(signature.parameters.values())[1:] if p.name not in HIDDEN]
    return (
        "(" + ", ".join(p.name if p.default is p.empty else f"{p.name}={p.default!r}" for p in listed) + ")"
    )


# ---- demo -------------------------------------------------------------------------------------------

PHOTO = "grace_hopper.jpg"  # comes with matplotlib
SAMPLES = {  # values for parameters without a default
    "sigma": "4",
    "size": "13",
    "footprint": "7",
    "value": "100",
    "diameter": "9",
    "sigma_color": "40.0",
    "sigma_space": "3.0",
    "low": "60",
    "high": "160",
    "kernel": "[[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]",
    "kernel_x": "[-2, 5, -2]",
    "kernel_y": "[0.2, 0.2, 0.2, 0.2, 0.2]",
}
ENCORE = ("sobel('angle')", "gaussian(sigma=2) | laplacian")


def demo(arguments: argparse.Namespace) -> Told:
    """Draw a photo through every filter."""
    from matplotlib.cbook import get_sample_data

    from convkit import viz

    for_name(arguments.output)
    path = get_sample_data(PHOTO, asfileobj=False)
    photo = imread(path)
    gray = to_gray(photo)
    names = [name for name in registry.names() if SAMPLES.keys() >= set(required(name))]
    chains = [pipeline.parse(text) for text in (*map(sample, names), *ENCORE)]
    images, seconds = {PHOTO: photo}, 0.0
    for chain in chains:
        start = time.perf_counter()
        result = chain(photo)
        seconds += time.perf_counter() - start
        images[str(chain)] = result if result.dtype == photo.dtype else chain(gray)
    angles = [str(c) for c in chains if any("angle" in stage.arguments.values() for stage in c.stages)]
    sheet = viz.contact_sheet(images, columns=5, title="convkit: the filters", cyclic=angles)
    imwrite(arguments.output, viz.rendered(sheet))
    info = build_info()
    return Told(
        f"{arguments.output}: {Path(path).name} ({photo.shape[1]}×{photo.shape[0]}) through "
        f"{len(names)} filters in {seconds * 1e3:.1f} ms, {info['isa']}, {count(info['threads'], 'thread')}"
    )


def sample(name: str) -> str:
    """A call of the filter `name` with a sample value for each parameter that has no default."""
    given = ", ".join(f"{parameter}={SAMPLES[parameter]}" for parameter in required(name))
    return f"{name}({given})" if given else name


def required(name: str) -> list[str]:
    """The parameters after the image that have no default."""
    return [
        p.name for p in list(registry.get(name).signature.parameters.values())[1:] if p.default is p.empty
    ]


# ---- info -------------------------------------------------------------------------------------------


def info(arguments: argparse.Namespace) -> Told:
    """Tell what runs here."""
    facts = build_info()
    if arguments.json:
        return Told(json.dumps(facts, indent=2))
    rows = {
        "convkit": facts["version"],
        "instruction set": f"{facts['isa']}, {8 * facts['vector_bytes']}-bit vectors "
        f"(available: {', '.join(facts['isas_available'])})",
        "threads": facts["threads"],
        "OpenMP": facts["openmp_date"] or "none: one thread",
        "compiler": facts["compiler"],
        "Python": facts["python"],
        "NumPy": facts["numpy"],
        "OpenCV": facts["opencv"] or "not installed",
        "matplotlib": facts["matplotlib"] or "not installed",
        "platform": facts["platform"],
    }
    return Told("\n".join(f"{name:<16} {value}" for name, value in rows.items()))

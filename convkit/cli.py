"""The `convkit` command, built from the registry of filters."""

from __future__ import annotations

import argparse
import inspect
import io
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from convkit._checks import Array
from convkit._info import build_info
from convkit._options import options
from convkit._version import __version__
from convkit.errors import ConvkitError
from convkit.filters import pipeline, registry
from convkit.io import imread, imwrite
from convkit.io.formats import Format, channel_count, for_name
from convkit.layout import saturated, to_gray

DESCRIPTION = "Image filters at the speed of the machine."
EXAMPLES = """\
examples:
  convkit apply "gaussian(sigma=1.4) | sobel" photo.jpg -o edges.png
  convkit filters
  convkit demo -o sheet.png
  convkit info
"""
APPLY = """\
A pipeline is one or more filters joined by |, with arguments as in Python; `convkit filters` lists them.

A result that the output's format holds is written as it is: smoothing to PNG, gradients to TIFF.
Where it does not, as with gradients to PNG or JPEG, |x| is rounded and saturated to the range of the
input (0..255 for 8 bits); --stretch maps min..max to the whole range instead. The report says what
was done.
"""

# ---- the command ------------------------------------------------------------------------------------


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status: 0, or 2 where the input is at fault."""
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")  # what its codecs say is in our one line
    for stream in (sys.stdout, sys.stderr):  # a terminal that lacks a sign shows another one
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    parser = _parser()
    arguments = parser.parse_args(argv)
    run: Callable[[argparse.Namespace], str] = getattr(
        arguments, "run", lambda _: parser.format_help().rstrip()
    )
    try:
        print(run(arguments), flush=True)
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        return 130
    except (ConvkitError, OSError, ValueError, TypeError, MemoryError) as error:
        print(f"convkit: error: {_one_line(error)}", file=sys.stderr)
        return 2
    return 0


def _one_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as the rest of the command does."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"convkit: error: {message}; see {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = _Parser("convkit", description=DESCRIPTION, epilog=EXAMPLES, formatter_class=raw)
    parser.add_argument("--version", action="version", version=f"convkit {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    apply = commands.add_parser(
        "apply", help="filter an image file", description=APPLY, epilog=EXAMPLES, formatter_class=raw
    )
    apply.add_argument("pipeline", help='such as "gaussian(sigma=1.4) | sobel"')
    apply.add_argument("input", help="PNG, JPEG, TIFF, WebP, BMP, PNM or PFM")
    apply.add_argument("-o", "--output", required=True, help="the file to write; its ending names the format")
    apply.add_argument(
        "--mode", default="unchanged", choices=("unchanged", "color", "gray"), help="how to read the input"
    )
    apply.add_argument("--stretch", action="store_true", help="map the result's min..max to the whole range")
    apply.add_argument("--threads", type=int, metavar="N", help="threads to use")
    apply.set_defaults(run=_apply)

    filters = commands.add_parser("filters", help="list the filters and their arguments")
    filters.set_defaults(run=_filters)

    demo = commands.add_parser("demo", help="draw a sample photo through every filter")
    demo.add_argument("-o", "--output", default="convkit-demo.png", help="default: %(default)s")
    demo.set_defaults(run=_demo)

    info = commands.add_parser("info", help="tell what runs here, for bug reports")
    info.add_argument("--json", action="store_true", help="for machines")
    info.set_defaults(run=_info)
    return parser


# ---- apply ------------------------------------------------------------------------------------------


def _apply(arguments: argparse.Namespace) -> str:
    chain = pipeline.parse(arguments.pipeline)
    target = for_name(arguments.output)
    image = imread(arguments.input, arguments.mode)
    notes = []
    if channel_count(image) == 4:  # a derivative of an opaque alpha is 0: the result would be invisible
        image = image[..., :3]
        notes.append("alpha dropped")
    threads: AbstractContextManager[None] = nullcontext()
    if arguments.threads is not None:
        threads = options(num_threads=arguments.threads)
    start = time.perf_counter()
    with threads:
        result = chain(image)
    elapsed = time.perf_counter() - start
    result, note = _fitted(result, target, image.dtype, arguments.stretch)
    imwrite(arguments.output, result)
    size = f"{result.shape[1]}×{result.shape[0]}"
    done = (
        f"{arguments.output}: {size} {result.dtype}, {chain} of {arguments.input} in {elapsed * 1e3:.1f} ms"
    )
    return "; ".join([done, *notes, *([note] if note else [])])


def _fitted(result: Array, target: Format, source: np.dtype[Any], stretch: bool) -> tuple[Array, str]:
    """`result` in a dtype that `target` holds, and what was done to it in words ("" for nothing).

    `source` is the dtype of the image that was read: its range is the one that a viewer expects.
    """
    if result.dtype == np.bool_:
        result = result.astype(np.uint8) * np.uint8(255)
    if "uint8" not in target.dtypes:
        held = result.dtype == np.float32
        return (result, "") if held else (result.astype(np.float32), f"{result.dtype} to float32")
    into = source if source in (np.uint8, np.uint16) and source.name in target.dtypes else np.dtype(np.uint8)
    top = np.iinfo(into).max
    if stretch:
        return _stretched(result, into), f"min..max stretched to 0..{top}"
    if result.dtype.name in target.dtypes:
        return result, ""
    if source not in (np.uint8, np.uint16):
        raise ValueError(
            f"{target.name} cannot hold {result.dtype}, and a {source} image has no range to fit into it: "
            "add --stretch, or write .tiff"
        )
    wide = np.abs(result.astype(np.float64))
    if source == np.uint16 and into == np.uint8:
        return saturated(wide / 257, into), "|x| / 257 rounded and saturated to 0..255"
    return saturated(wide, into), f"|x| rounded and saturated to 0..{top}"


def _stretched(result: Array, into: np.dtype[Any]) -> Array:
    low, high = float(result.min()), float(result.max())
    if not np.isfinite(high - low):
        raise ValueError("the result holds NaN or Inf and cannot be stretched; write .tiff, which holds them")
    return saturated((result.astype(np.float64) - low) * (np.iinfo(into).max / ((high - low) or 1)), into)


# ---- filters ----------------------------------------------------------------------------------------

HIDDEN = ("out", "num_threads", "channel_axis")  # arguments that mean nothing on a command line


def _filters(arguments: argparse.Namespace) -> str:
    found = [registry.get(name) for name in registry.names()]
    return "\n".join(f"{f.name}{_parameters(f.signature)}\n    {f.summary}" for f in found)


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


def _demo(arguments: argparse.Namespace) -> str:
    from matplotlib.cbook import get_sample_data

    from convkit import viz

    for_name(arguments.output)
    path = get_sample_data(PHOTO, asfileobj=False)
    photo = imread(path)
    gray = to_gray(photo)
    names = [name for name in registry.names() if SAMPLES.keys() >= set(_required(name))]
    chains = [pipeline.parse(text) for text in (*map(_sample, names), *ENCORE)]
    images, seconds = {PHOTO: photo}, 0.0
    for chain in chains:
        start = time.perf_counter()
        result = chain(photo)
        seconds += time.perf_counter() - start
        images[str(chain)] = result if result.dtype == photo.dtype else chain(gray)
    angles = [str(c) for c in chains if any("angle" in stage.arguments.values() for stage in c.stages)]
    sheet = viz.contact_sheet(images, columns=4, title="convkit: the filters", cyclic=angles)
    imwrite(arguments.output, viz.rendered(sheet))
    info = build_info()
    return (
        f"{arguments.output}: {Path(path).name} ({photo.shape[1]}×{photo.shape[0]}) through "
        f"{len(names)} filters in {seconds * 1e3:.1f} ms, {info['isa']}, {_count(info['threads'], 'thread')}"
    )


def _sample(name: str) -> str:
    """A call of the filter `name` with a sample value for each parameter that has no default."""
    given = ", ".join(f"{parameter}={SAMPLES[parameter]}" for parameter in _required(name))
    return f"{name}({given})" if given else name


def _required(name: str) -> list[str]:
    """The parameters after the image that have no default."""
    return [
        p.name for p in list(registry.get(name).signature.parameters.values())[1:] if p.default is p.empty
    ]


# ---- info -------------------------------------------------------------------------------------------


def _info(arguments: argparse.Namespace) -> str:
    info = build_info()
    if arguments.json:
        return json.dumps(info, indent=2)
    rows = {
        "convkit": info["version"],
        "instruction set": f"{info['isa']}, {8 * info['vector_bytes']}-bit vectors "
        f"(available: {', '.join(info['isas_available'])})",
        "threads": info["threads"],
        "OpenMP": info["openmp_date"] or "none: one thread",
        "compiler": info["compiler"],
        "Python": info["python"],
        "NumPy": info["numpy"],
        "OpenCV": info["opencv"] or "not installed",
        "matplotlib": info["matplotlib"] or "not installed",
        "platform": info["platform"],
    }
    return "\n".join(f"{name:<16} {value}" for name, value in rows.items())


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"

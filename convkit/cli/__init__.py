"""The `convkit` command, built from the registry of filters."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from convkit._version import __version__
from convkit.cli import apply, draw, memory, show
from convkit.cli.told import INTERRUPTED, Told, one_line
from convkit.errors import ConvkitError, CorruptImage

DESCRIPTION = "Image filters at the speed of the machine."
EXAMPLES = """\
examples:
  convkit apply "gaussian(sigma=1.4) | sobel" photo.jpg -o edges.png
  convkit apply "gaussian(sigma=1.4) | sobel" photos/ -o edges/ --skip-existing --report report.json
  convkit filters
  convkit show photo.jpg "gaussian(sigma=2) | sobel" -o before-after.png
  convkit kernel "gaussian(sigma=2)"
  convkit trace "conv(16, 3, stride=2, padding=1) | relu | pool(2)" --input 3x64x64
  convkit demo -o sheet.png
  convkit info
"""
APPLY = """\
A pipeline is one or more filters joined by |, with arguments as in Python; `convkit filters` lists them.

A result that the output's format holds is written as it is: smoothing to PNG, gradients to TIFF.
Where it does not, as with gradients to PNG or JPEG, |x| is rounded and saturated to the range of the
input (0..255 for 8 bits); --stretch maps min..max to the whole range instead. The report says what
was done.

Of a folder, every image below it is filtered into the same place of the output folder; one that
fails costs no other, is named at the end, and makes the exit status 1. After Ctrl-C the files under way are
finished, and the summary and the report are written; a second one ends the command at once.

No output replaces a file that lies in the input folder. An output folder inside it may hold images already
with --skip-existing alone, which leaves them: they are no inputs. Of a file of several pages the first is
filtered, of an animation its still image, and the summary says so. A video is filtered frame by frame.
"""

# ---- the command ------------------------------------------------------------------------------------


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status: 0, 1 where a file is damaged, 2 for a wrong call."""
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")  # what its codecs say is in our one line
    for stream in (sys.stdout, sys.stderr):  # a terminal that lacks a sign shows another one
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    parser = _parser()
    arguments = parser.parse_args(argv)
    if argv is None:  # the process is the command's
        memory.keep_freed()
    run: Callable[[argparse.Namespace], Told] = getattr(
        arguments, "run", lambda _: Told(parser.format_help().rstrip())
    )
    status = 0
    try:
        text, status = run(arguments)
        print(text, flush=True)
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        return INTERRUPTED
    except (ConvkitError, OSError, ValueError, TypeError, MemoryError) as error:
        print(f"convkit: error: {one_line(error)}", file=sys.stderr)
        return 1 if isinstance(error, CorruptImage) else 2
    return status


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as the rest of the command does."""

    def error(self, message: str) -> NoReturn:
        unknown = message.partition("unrecognized arguments: ")[2]
        if unknown and os.path.isfile(unknown.split()[0]):  # as a shell makes of in/*.jpg
            message += "; of many files, pass the folder, with e.g. --pattern '*.jpg'"
        self.exit(2, f"convkit: error: {message}; see {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = _Parser("convkit", description=DESCRIPTION, epilog=EXAMPLES, formatter_class=raw)
    parser.add_argument("--version", action="version", version=f"convkit {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    command = commands.add_parser(
        "apply",
        help="filter a file, a folder or a video",
        description=APPLY,
        epilog=EXAMPLES,
        formatter_class=raw,
    )
    command.add_argument("pipeline", help='such as "gaussian(sigma=1.4) | sobel"')
    command.add_argument("input", help="PNG, JPEG, TIFF, WebP, BMP, PNM or PFM; a video; a folder")
    command.add_argument(
        "-o", "--output", required=True, help="a file, whose ending names the format; or a folder"
    )
    command.add_argument(
        "--mode", default="unchanged", choices=("unchanged", "color", "gray"), help="how to read the input"
    )
    command.add_argument("--stretch", action="store_true", help="map min..max to the whole range")
    command.add_argument("--threads", type=int, metavar="N", help="threads of each filter (of a folder's: 1)")
    command.add_argument("--pattern", metavar="GLOB", help="of a folder: the files that match, as **/*.jpg")
    command.add_argument(
        "--workers", type=int, metavar="N", help="of a folder: files at a time (default: processors)"
    )
    command.add_argument(
        "--on-error",
        choices=("skip", "stop"),
        help="of a folder: after a file that fails (default: skip)",
    )
    command.add_argument("--skip-existing", action="store_true", help="of a folder: leave what is there")
    command.add_argument("--report", metavar="JSON", help="of a folder: what became of each file")
    command.set_defaults(run=apply.run)

    filters = commands.add_parser("filters", help="list the filters and their arguments")
    filters.set_defaults(run=show.filters)

    demo = commands.add_parser("demo", help="draw a sample photo through every filter")
    demo.add_argument("-o", "--output", default="convkit-demo.png", help="default: %(default)s")
    demo.set_defaults(run=show.demo)

    before_after = commands.add_parser("show", help="draw an image beside what a chain makes of it")
    before_after.add_argument("input", help="an image")
    before_after.add_argument(
        "pipeline", nargs="?", help='such as "gaussian(sigma=1.4) | sobel"; none: as it is'
    )
    before_after.add_argument("-o", "--output", help=f"default: {draw.SHOWN}, without --terminal")
    before_after.add_argument(
        "--terminal",
        choices=draw.PROTOCOLS,
        help="send the picture to a terminal that knows this protocol",
    )
    before_after.set_defaults(run=draw.show)

    kernel = commands.add_parser("kernel", help="print and draw the kernel of a linear filter")
    kernel.add_argument("pipeline", help='such as "gaussian(sigma=2)"')
    kernel.add_argument("-o", "--output", default="convkit-kernel.png", help="default: %(default)s")
    kernel.set_defaults(run=draw.kernel)

    trace = commands.add_parser("trace", help="print the shape after each layer, and where it breaks")
    trace.add_argument(
        "layers",
        help='such as "conv(16, 3, stride=2, padding=1) | relu | pool(2) | flatten | linear(10)", or with '
        "PyTorch's names and arguments: Conv2d(3, 16, 3) | ReLU",
    )
    trace.add_argument("--input", default="3x224x224", metavar="CxHxW", help="default: %(default)s")
    trace.add_argument("-o", "--output", metavar="PNG", help="draw it, too")
    trace.set_defaults(run=draw.trace)

    info = commands.add_parser("info", help="tell what runs here, for bug reports")
    info.add_argument("--json", action="store_true", help="for machines")
    info.set_defaults(run=show.info)
    return parser

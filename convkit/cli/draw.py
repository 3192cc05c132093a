"""`convkit show`, `convkit kernel` and `convkit trace`: pictures and tables for people at a terminal."""

from __future__ import annotations

import argparse
import base64
import io
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from convkit._checks import Array
from convkit.cli.told import Told, count
from convkit.filters import pipeline
from convkit.io import imread, imwrite
from convkit.io.formats import for_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PROTOCOLS = ("kitty", "iterm")
SHOWN = "convkit-show.png"
EDGE = 4  # rows and columns of a large kernel that are printed at each end


def show(arguments: argparse.Namespace) -> Told:
    """Draw an image beside what a chain makes of it."""
    from convkit import viz

    chain = None if arguments.pipeline is None else pipeline.parse(arguments.pipeline)
    output = arguments.output
    if output is None and not arguments.terminal:
        output = SHOWN
    if output is not None:
        for_name(output)
    image = imread(arguments.input)
    name = Path(arguments.input).name
    if chain is None:
        figure = viz.show(image, title=name)
    else:
        figure = viz.compare(image, chain(image), names=(name, str(chain)))
    if output is not None:
        imwrite(output, viz.rendered(figure))
    if arguments.terminal is not None:
        return Told(_escaped(figure, arguments.terminal))
    return Told(f"{output}: {viz.alt_text(figure)}")


def _escaped(figure: Figure, protocol: str) -> str:
    """A picture as the terminal's protocol sends it: kitty's in pieces of 4096, iTerm2's in one."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    text = base64.b64encode(buffer.getvalue()).decode()
    if protocol == "iterm":
        return f"\x1b]1337;File=inline=1;size={len(buffer.getvalue())}:{text}\x07"
    pieces = [text[i : i + 4096] for i in range(0, len(text), 4096)]
    last = len(pieces) - 1
    heads = [("a=T,f=100," if i == 0 else "") + f"m={int(i < last)}" for i in range(len(pieces))]
    return "".join(f"\x1b_G{head};{piece}\x1b\\" for head, piece in zip(heads, pieces, strict=True))


# ---- kernel -----------------------------------------------------------------------------------------


def kernel(arguments: argparse.Namespace) -> Told:
    """Print a linear filter's weights, and draw them."""
    from convkit import viz

    weights = viz.kernel_of(arguments.pipeline)
    for_name(arguments.output)
    imwrite(arguments.output, viz.rendered(viz.kernel(weights, title=arguments.pipeline)))
    rows, columns = weights.shape
    total = round(float(weights.sum()), 9) + 0.0
    return Told(f"{_table(weights)}\n{rows}×{columns}, sum {total:.6g}; drawn in {arguments.output}")


def _table(weights: Array) -> str:
    """The weights, no wider than the terminal, where there is one: of longer rows both ends."""
    fit = shutil.get_terminal_size(fallback=(10_000, 24)).columns
    rows = _printed(weights.shape[0], None)
    for edge in (None, *range(EDGE, 0, -1)):
        columns = _printed(weights.shape[1], edge)
        cells = [["…" if None in (i, j) else f"{weights[i, j]:.4g}" for j in columns] for i in rows]
        width = max(len(cell) for row in cells for cell in row)
        if len(columns) * (width + 2) - 2 <= fit:
            break
    return "\n".join("  ".join(cell.rjust(width) for cell in row) for row in cells)


def _printed(extent: int, edge: int | None) -> list[int | None]:
    """The places of an axis that are printed; None stands for those between both ends of many."""
    if extent <= (4 * EDGE + 1 if edge is None else 2 * edge + 1):
        return [*range(extent)]
    edge = edge or EDGE
    return [*range(edge), None, *range(extent - edge, extent)]


# ---- trace ------------------------------------------------------------------------------------------


def trace(arguments: argparse.Namespace) -> Told:
    """Print the shape after each layer; the status is 1 where one refuses."""
    from convkit import viz

    given = _shape(arguments.input)
    steps = viz.trace_steps(arguments.layers, given)
    rows = [("input", _times(given), "")]
    rows += [(s.layer, "refused" if s.gave is None else _times(s.gave), f"{s.parameters:,}") for s in steps]
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    lines = [f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}".rstrip() for a, b, c in rows]
    last = steps[-1]
    if last.gave is None:
        lines += [f"because: {last.note}", f"mend: {last.mend}"]
    else:
        lines.append(f"{count(len(steps), 'layer')}, {sum(s.parameters for s in steps):,} parameters")
    if arguments.output is not None:
        for_name(arguments.output)
        imwrite(arguments.output, viz.rendered(viz.shape_trace(steps, given)))
        lines.append(f"drawn in {arguments.output}")
    return Told("\n".join(lines), 1 if last.gave is None else 0)


def _shape(text: str) -> tuple[int, ...]:
    try:
        shape = tuple(int(part) for part in text.lower().replace("×", "x").replace(",", "x").split("x"))
    except ValueError:
        shape = ()
    if len(shape) != 3:
        raise ValueError(f"--input is {text!r}; expected channels, height and width, such as 3x224x224")
    return shape


def _times(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))

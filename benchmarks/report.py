"""What a run leaves behind: a line for each row, JSON, a Markdown table, and two plots."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.conv import Row


@dataclass(frozen=True)
class Machine:
    """The machine, measured before the rows."""

    processor: str
    isa: str
    peak: float  # GFLOP/s of one core
    bandwidth: float  # GB/s of one core, bytes read and written
    versions: dict[str, str]
    seed: int


HEADS = (
    "layer",
    "threads",
    "algorithm",
    "ms",
    "best peer",
    "its ms",
    "ratio",
    "GFLOP/s",
    "% of peak",
    "error",
)


def cells(row: Row) -> tuple[str, ...]:
    """One row as text."""
    peer = f"{row.peers[row.best_peer] * 1e3:.3f}" if row.best_peer else ""
    return (
        row.layer,
        str(row.threads),
        row.algorithm,
        f"{row.seconds * 1e3:.3f}",
        row.best_peer,
        peer,
        f"{row.ratio:.2f}",
        f"{row.gflops:.0f}",
        f"{100 * row.peak_share:.0f}",
        f"{row.error:.1e}",
    )


def line(values: tuple[str, ...]) -> str:
    """A row for the terminal."""
    widths = (30, 7, 10, 8, 19, 8, 5, 7, 9, 7)
    return " ".join(
        f"{v:<{w}}" if i in (0, 2, 4) else f"{v:>{w}}"
        for i, (v, w) in enumerate(zip(values, widths, strict=True))
    )


def summary(rows: list[Row]) -> str:
    """Geometric mean and extremes of the ratios, for each number of threads."""
    lines = []
    for threads in sorted({row.threads for row in rows}):
        ratios = np.array([row.ratio for row in rows if row.threads == threads])
        if np.isfinite(ratios).all():
            mean = float(np.exp(np.log(ratios).mean()))
            lines.append(
                f"{threads} thread(s): geometric mean {mean:.3f}, {ratios.min():.2f} to {ratios.max():.2f}"
            )
    return "\n".join(lines)


def markdown(machine: Machine, rows: list[Row]) -> str:
    """The table, with the machine above it."""
    text = [
        f"{machine.processor}, {machine.isa}; FMA peak {machine.peak:.0f} GFLOP/s and copy "
        f"{machine.bandwidth:.0f} GB/s per core; random rows drawn with seed {machine.seed}; "
        + ", ".join(f"{name} {version}" for name, version in machine.versions.items())
        + ".",
        "",
        "| " + " | ".join(HEADS) + " |",
        "|" + "---|" * len(HEADS),
    ]
    text += ["| " + " | ".join(cells(row)) + " |" for row in rows]
    return "\n".join([*text, "", summary(rows), ""])


def write(folder: Path, machine: Machine, rows: list[Row]) -> None:
    """Leave conv.json, conv.md, conv.png and roofline.png in `folder`.

    Rows of the same commit and instruction set that lie there are kept: a long run may be made in parts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "conv.json"
    rows = sorted([*kept(path, machine, rows), *rows], key=lambda row: row.threads)
    document = {"machine": asdict(machine), "rows": [asdict(row) for row in rows]}
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "conv.md").write_text(markdown(machine, rows), encoding="utf-8")
    plot_ratios(folder / "conv.png", rows)
    plot_roofline(folder / "roofline.png", machine, rows)


def kept(path: Path, machine: Machine, rows: list[Row]) -> list[Row]:
    """The rows of an earlier part that these do not replace."""
    if not path.exists():
        return []
    document = json.loads(path.read_text(encoding="utf-8"))
    if (document["machine"]["seed"], document["machine"]["isa"]) != (machine.seed, machine.isa):
        return []
    new = {(row.layer, row.threads) for row in rows}
    return [row for row in (Row(**old) for old in document["rows"]) if (row.layer, row.threads) not in new]


def plot_ratios(path: Path, rows: list[Row]) -> None:
    """Time over the best peer's, a bar for each layer and number of threads."""
    from matplotlib.figure import Figure

    threads = sorted({row.threads for row in rows})
    layers = list(dict.fromkeys(row.layer for row in rows))
    ratio = {(row.layer, row.threads): row.ratio for row in rows}
    figure = Figure(figsize=(9, 1 + 0.28 * len(layers)), layout="constrained")
    axes = figure.subplots()
    height = 0.8 / len(threads)
    for i, count in enumerate(threads):
        values = [ratio.get((layer, count), np.nan) for layer in layers]
        places = np.arange(len(layers)) + (i - (len(threads) - 1) / 2) * height
        axes.barh(places, values, height, label=f"{count} thread{'s' * (count > 1)}", color=f"C{i}")
    axes.axvline(1, color="black", linewidth=1)
    axes.set_yticks(range(len(layers)), layers)
    axes.invert_yaxis()
    axes.set_xlabel("time over the best peer's (less is faster)")
    axes.legend(frameon=False)
    figure.savefig(path, dpi=110)


def plot_roofline(path: Path, machine: Machine, rows: list[Row]) -> None:
    """One thread's rates over their arithmetic intensity, under the machine's two limits."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5.5), layout="constrained")
    axes = figure.subplots()
    span = np.geomspace(0.5, 1000, 200)
    axes.plot(
        span, np.minimum(machine.peak, machine.bandwidth * span), color="black", label="limit of one core"
    )
    one = [row for row in rows if row.threads == 1]
    for i, algorithm in enumerate(sorted({row.algorithm for row in one})):
        chosen = [row for row in one if row.algorithm == algorithm]
        intensity = [row.operations / row.bytes for row in chosen]
        axes.plot(intensity, [row.gflops for row in chosen], "o", color=f"C{i}", label=algorithm)
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="operations per byte moved once",
        ylabel="GFLOP/s (direct summation's)",
    )
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=110)

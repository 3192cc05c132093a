"""What a run over the filters leaves behind: lines, JSON, a Markdown table, and a plot."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from benchmarks.filters import OTHERS, Row
from benchmarks.report import Machine

HEADS = (
    "filter",
    "threads",
    "ms",
    "OpenCV",
    "ratio",
    "fresh ms",
    "OpenCV fresh",
    "ratio fresh",
    "% of limit",
    "difference",
    *(f"/ {name}" for name in OTHERS),
)
WIDTHS = (58, 7, 9, 9, 6, 9, 12, 11, 10, 10, 8, 14, 8)


def number(value: float, digits: int) -> str:
    """A number, nothing for NaN."""
    return f"{value:.{digits}f}" if np.isfinite(value) else ""


def cells(row: Row) -> tuple[str, ...]:
    """One row as text."""
    return (
        row.case,
        str(row.threads),
        number(row.seconds * 1e3, 3),
        number(row.opencv * 1e3, 3),
        number(row.ratio, 2),
        number(row.fresh * 1e3, 3),
        number(row.opencv_fresh * 1e3, 3),
        number(row.fresh_ratio, 2),
        number(100 * row.limit, 0),
        row.difference,
        *(number(row.others.get(name, np.nan), 3) for name in OTHERS),
    )


def line(values: tuple[str, ...]) -> str:
    """A row for the terminal."""
    return " ".join(
        f"{v:<{w}}" if i == 0 else f"{v:>{w}}" for i, (v, w) in enumerate(zip(values, WIDTHS, strict=True))
    ).rstrip()


def summary(rows: list[Row]) -> str:
    """Geometric means and extremes of the ratios: named and random rows, each number of threads."""
    lines = []
    for threads in sorted({row.threads for row in rows}):
        for random in (False, True):
            chosen = [row for row in rows if (row.threads, row.random) == (threads, random)]
            texts = [
                means("with dst", [row.ratio for row in chosen]),
                means("fresh", [row.fresh_ratio for row in chosen]),
                *(means(f"over {name}", [row.others.get(name, np.nan) for row in chosen]) for name in OTHERS),
            ]
            if any(texts):
                kind = "random" if random else "named"
                lines.append(f"- {kind} rows, {threads} thread(s): {'; '.join(filter(None, texts))}")
    return "\n".join(lines)


def means(what: str, ratios: list[float]) -> str:
    """The geometric mean and the extremes, nothing of nothing."""
    known = np.array([ratio for ratio in ratios if np.isfinite(ratio)])
    if not known.size:
        return ""
    mean = float(np.exp(np.log(known).mean()))
    return f"{what} {mean:.3f} ({known.min():.2f} to {known.max():.2f}, {known.size} rows)"


def markdown(machine: Machine, rows: list[Row]) -> str:
    """The table, with the machine above it."""
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    text = [
        f"{machine.processor}, {machine.isa}; FMA peak {machine.peak:.0f} GFLOP/s and copy "
        f"{machine.bandwidth:.0f} GB/s per core; random rows drawn with seed {machine.seed}; {versions}. "
        "Ratios are convkit's time over the other's, medians of interleaved blocks: with a `dst` that is "
        "there, and with fresh outputs, of which eight live.",
        "",
        "| " + " | ".join(HEADS) + " |",
        "|---" + "|---:" * (len(HEADS) - 1) + "|",
    ]
    text += ["| " + " | ".join(value.replace("|", "→") for value in cells(row)) + " |" for row in rows]
    return "\n".join([*text, "", summary(rows), ""])


def write(folder: Path, machine: Machine, rows: list[Row]) -> None:
    """Leave filters.json, filters.md and filters.png in `folder`.

    Rows of the same commit and instruction set that lie there are kept: a long run may be made in parts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "filters.json"
    rows = sorted([*kept(path, machine, rows), *rows], key=lambda row: (row.threads, row.random, row.case))
    document = {"machine": asdict(machine), "rows": [asdict(row) for row in rows]}
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "filters.md").write_text(markdown(machine, rows), encoding="utf-8")
    plot(folder / "filters.png", rows)


def kept(path: Path, machine: Machine, rows: list[Row]) -> list[Row]:
    """The rows of an earlier part that these do not replace."""
    if not path.exists():
        return []
    document = json.loads(path.read_text(encoding="utf-8"))
    if (document["machine"]["seed"], document["machine"]["isa"]) != (machine.seed, machine.isa):
        return []
    new = {(row.case, row.threads) for row in rows}
    return [row for row in (Row(**old) for old in document["rows"]) if (row.case, row.threads) not in new]


def plot(path: Path, rows: list[Row]) -> None:
    """Time over OpenCV's with a `dst`, a bar for each row and number of threads."""
    from matplotlib.figure import Figure

    rows = [row for row in rows if np.isfinite(row.ratio)]
    threads = sorted({row.threads for row in rows})
    cases = list(dict.fromkeys(row.case for row in rows))
    ratio = {(row.case, row.threads): row.ratio for row in rows}
    figure = Figure(figsize=(10, 1 + 0.24 * len(cases)), layout="constrained")
    axes = figure.subplots()
    height = 0.8 / max(len(threads), 1)
    for i, count in enumerate(threads):
        values = [ratio.get((case, count), np.nan) for case in cases]
        places = np.arange(len(cases)) + (i - (len(threads) - 1) / 2) * height
        axes.barh(places, values, height, label=f"{count} thread{'s' * (count > 1)}", color=f"C{i}")
    axes.axvline(1, color="black", linewidth=1)
    axes.set_yticks(range(len(cases)), cases, fontsize=7)
    axes.set_ylim(len(cases) - 0.5, -0.5)
    axes.set_xlabel("time over OpenCV's (less is faster)")
    axes.legend(frameon=False)
    figure.savefig(path, dpi=110)

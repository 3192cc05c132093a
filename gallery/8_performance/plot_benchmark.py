"""
The benchmark, drawn
====================

Each layer of ``docs/benchmarks/conv.json``: convkit's time as a share of the best of its peers, on the
machine named there. Left of the line convkit is faster.
"""

import json
from pathlib import Path

from convkit import viz

found = [p for p in (Path.cwd(), *Path.cwd().parents) if (p / "docs/benchmarks/conv.json").exists()]
if not found:
    raise FileNotFoundError(
        "docs/benchmarks/conv.json is neither here nor above: start in a checkout of convkit"
    )
report = json.loads((found[0] / "docs/benchmarks/conv.json").read_text())
rows = sorted((row for row in report["rows"] if row["threads"] == 1), key=lambda row: row["ratio"])[::-1]
figure = viz.figure(8, 0.19 * len(rows) + 1.2)
ax = figure.subplots()
ax.axvline(1, color="#1c2430", lw=1)
colours = ["#0072b2" if row["ratio"] <= 1 else "#d55e00" for row in rows]
ax.scatter([row["ratio"] for row in rows], range(len(rows)), c=colours, s=28)
ax.hlines(range(len(rows)), 1, [row["ratio"] for row in rows], colors=colours, lw=1.4)
ax.set_yticks(range(len(rows)), [row["layer"] for row in rows], fontsize=7.5)
ax.set_xscale("log", base=2)
ax.set_xticks([0.25, 0.5, 1, 2], ["¼", "½", "1", "2"])
ax.margins(y=0.01)
ax.set_xlabel("time / time of the best peer, one thread")
ax.set_title(report["machine"]["processor"], fontsize=10)
faster = sum(row["ratio"] <= 1 for row in rows)
figure.set_label(f"convkit is faster than the best peer on {faster} of {len(rows)} layers, on one thread")
figure

"""A table that grows row by row on the terminal, and is left as Markdown with the machine above it."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks import machine
from convkit import _dispatch

PACKAGES = ("numpy", "opencv-python-headless", "opencv-python", "torch")


class Table:
    """Rows of text; `name` is the file that they are left in."""

    def __init__(self, name: str, heads: tuple[str, ...]) -> None:
        self.name = name
        self.heads = heads
        self.rows: list[tuple[str, ...]] = []
        print(_line(heads))

    def add(self, *cells: str) -> None:
        """Print a row, and keep it."""
        self.rows.append(cells)
        print(_line(cells), flush=True)

    def write(self, folder: Path, about: str) -> None:
        """Leave the table in `folder`, `about` what it shows and on what."""
        isa = _dispatch.native().isa
        facts = (
            f"{machine.processor()}, {isa}; copy {machine.copy_bandwidth():.1f} GB/s per core; {_versions()}."
        )
        lines = [
            "| " + " | ".join(row) + " |" for row in (self.heads, ("---",) * len(self.heads), *self.rows)
        ]
        folder.mkdir(parents=True, exist_ok=True)
        text = "\n".join([about, "", facts, "", *lines, ""])
        (folder / f"{self.name}.md").write_text(text, encoding="utf-8")


def _line(cells: tuple[str, ...]) -> str:
    return f"{cells[0]:38} " + " ".join(f"{cell:>12}" for cell in cells[1:])


def _versions() -> str:
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)

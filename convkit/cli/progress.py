"""A bar on a terminal, and nothing in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


def progress(items: Iterable[Item], total: int, unit: str) -> Iterator[Item]:
    """`items`, counted on the terminal that the errors go to, if they go to one."""
    if not sys.stderr.isatty():
        yield from items
        return
    from tqdm import tqdm

    yield from tqdm(items, total=total or None, unit=f" {unit}s", file=sys.stderr, leave=False)

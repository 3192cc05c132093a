"""``python docs/check_site.py SITE``: links inside the site lead somewhere, pictures have a text."""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The links, anchors and pictures of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = {"", "top"}
        self.silent: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect."""
        found = dict(attrs)
        self.anchors |= {found[key] or "" for key in ("id", "name") if found.get(key)}
        self.links += [found[key] or "" for key in ("href", "src") if found.get(key)]
        if tag == "img" and "alt" not in found:
            self.silent.append(found.get("src") or "?")


def faults(site: Path) -> list[str]:
    """What is wrong, a line each."""
    pages = {path.resolve(): Page(path) for path in site.rglob("*.html") if "_static" not in path.parts}
    told = []
    for path, page in pages.items():
        where = path.relative_to(site.resolve())
        told += [f"{where}: no alternative text for {source}" for source in page.silent]
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if target.is_dir():
                target /= "index.html"
            if not target.exists():
                told.append(f"{where}: {link} leads nowhere")
            elif target in pages and unquote(parts.fragment) not in pages[target].anchors:
                told.append(f"{where}: {link} has no such place")
    if not pages:
        told.append(f"{site} holds no pages")
    return told


if __name__ == "__main__":
    found = faults(Path(sys.argv[1]))
    print("\n".join(found) or "links and pictures are whole")
    sys.exit(bool(found))

"""``python docs/check_site.py SITE``: is the site whole?

Links inside the site lead somewhere and pictures have a text. Where Chromium is installed, every page is
opened in it, as wide as a desk and as narrow as a phone, light and dark: nothing on the console, nothing cut,
nothing too pale.
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from browser import CHROMIUM, Browser

LOOKS = [(1280, False), (1280, True), (390, False), (390, True)]


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
        if tag == "img" and not (found.get("alt") or "").strip():
            self.silent.append(found.get("src") or "?")


def faults(site: Path) -> list[str]:
    """What is wrong, a line each."""
    pages = {path: Page(path) for path in _pages(site)}
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


def unreadable(site: Path) -> list[str]:
    """What `read.js` finds wrong in a browser, a line each."""
    script = Path(__file__).with_name("read.js").read_text(encoding="utf-8")
    told = []
    with Browser() as browser:
        for path in _pages(site):
            where = path.relative_to(site.resolve())
            browser.look(*LOOKS[0])
            browser.open(path)
            for width, dark in LOOKS:
                browser.look(width, dark)
                how = f"{where} ({width} pixels, {'dark' if dark else 'light'})"
                told += [f"{how}: {fault}" for fault in browser.run(script)]
            told += [f"{where}: console: {fault}" for fault in browser.faults]
            browser.faults.clear()
    return told


def _pages(site: Path) -> list[Path]:
    return [path.resolve() for path in sorted(site.rglob("*.html")) if "_static" not in path.parts]


if __name__ == "__main__":
    site = Path(sys.argv[1])
    found = faults(site) + (unreadable(site) if CHROMIUM else [])
    seen = (
        f"{len(_pages(site))} pages opened, {len(LOOKS)} looks each"
        if CHROMIUM
        else "no Chromium: not opened"
    )
    print("\n".join(found) or f"links and pictures are whole; {seen}")
    sys.exit(bool(found))

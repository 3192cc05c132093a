"""Takes the figures of an example, without pyplot, into its page; each must say in words what it shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.animation import FuncAnimation
from matplotlib.figure import Figure

from convkit import viz

DPI = 110
PHONE = 350  # pixels
LEAST, LEGIBLE = 0.6, 0.7  # of its size, to fit; otherwise
FRAME = """
.. container:: {frame}

   .. image:: {path}
      :alt: {alt}
      :class: sphx-glr-single-img
      :width: {width}px

"""


def scraper(block: Any, block_vars: dict[str, Any], gallery_conf: dict[str, Any]) -> str:
    """reStructuredText for the figures that this block assigned to variables."""
    seen = block_vars.setdefault("_seen", set())
    text = ""
    for name, value in list(block_vars["example_globals"].items()):
        if isinstance(value, (Figure, FuncAnimation)) and id(value) not in seen:
            seen.add(id(value))
            text += _saved(name, value, block_vars)
    return text


def name_thumbnails(app: Any, doctree: Any) -> None:
    """A thumbnail says what the first figure of its example says."""
    from docutils.nodes import image

    for node in doctree.findall(image):
        path = Path(app.srcdir, node["uri"].lstrip("/"))
        if path.stem.endswith("_thumb"):
            stem = path.stem.removeprefix("sphx_glr_").removesuffix("_thumb")
            page = (path.parents[2] / f"{stem}.rst").read_text(encoding="utf-8")
            node["alt"] = page.partition(":alt: ")[2].partition("\n")[0]


def _saved(name: str, value: Any, block_vars: dict[str, Any]) -> str:
    path = Path(next(block_vars["image_path_iterator"]))
    if isinstance(value, FuncAnimation):
        alt = viz.alt_text(value._fig) + ", one step after another"
        path = _gif(value, path.with_suffix(".gif"))
    else:
        alt = viz.alt_text(value)
        value.savefig(path, dpi=DPI)
        if (cut := _cut(value)) > 0.02:
            raise ValueError(f"{block_vars['src_file']}: {cut:.2f} inches of {name} are cut")
    if len(alt) < 10:
        raise ValueError(
            f"{block_vars['src_file']}: {name} says nothing of what it shows: {name}.set_label(...)"
        )
    shown = path.relative_to(Path(block_vars["target_file"]).parent)
    alt = " ".join(alt.split())
    width = _narrowest(path)
    frame = "figure-frame" if width <= PHONE else "figure-frame wide-figure"
    return FRAME.format(path=shown.as_posix(), alt=alt, width=width, frame=frame)


def _narrowest(path: Path) -> int:
    """How many pixels wide a phone shows it, past its own edge if need be, so that one can read it."""
    from PIL import Image

    with Image.open(path) as image:
        fits = LEAST * image.width <= PHONE
        return min(image.width, PHONE) if fits else round(LEGIBLE * image.width)


def _cut(figure: Figure) -> float:
    """How far anything drawn reaches beyond the figure, in inches."""
    width, height = figure.get_size_inches()
    drawn = figure.get_tightbbox()
    return float(np.max([-drawn.x0, -drawn.y0, drawn.x1 - width, drawn.y1 - height]))


def _gif(animation: FuncAnimation, path: Path) -> Path:
    """It plays once: what moves for longer than five seconds must be stoppable."""
    from PIL import Image

    figure, frames = animation._fig, []
    figure.set_dpi(80)
    for data in animation.new_frame_seq():
        animation._draw_frame(data)
        frames.append(Image.fromarray(viz.rendered(figure)).quantize(64))
    milliseconds = min(450, 5000 // len(frames))
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=milliseconds)
    return path

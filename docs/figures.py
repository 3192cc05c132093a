"""Takes the figures of an example, without pyplot, into its page; each must say in words what it shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.animation import FuncAnimation
from matplotlib.figure import Figure

from convkit import viz


def scraper(block: Any, block_vars: dict[str, Any], gallery_conf: dict[str, Any]) -> str:
    """reStructuredText for the figures that this block assigned to variables."""
    seen = block_vars.setdefault("_seen", set())
    text = ""
    for name, value in list(block_vars["example_globals"].items()):
        if isinstance(value, (Figure, FuncAnimation)) and id(value) not in seen:
            seen.add(id(value))
            text += _saved(name, value, block_vars)
    return text


def _saved(name: str, value: Any, block_vars: dict[str, Any]) -> str:
    path = Path(next(block_vars["image_path_iterator"]))
    if isinstance(value, FuncAnimation):
        alt = viz.alt_text(value._fig) + ", one step after another"
        path = _gif(value, path.with_suffix(".gif"))
    else:
        alt = viz.alt_text(value)
        value.savefig(path, dpi=110)
    if len(alt) < 10:
        raise ValueError(
            f"{block_vars['src_file']}: {name} says nothing of what it shows: {name}.set_label(...)"
        )
    shown = path.relative_to(Path(block_vars["target_file"]).parent)
    alt = " ".join(alt.split())
    return f"\n.. image:: {shown.as_posix()}\n   :alt: {alt}\n   :class: sphx-glr-single-img\n\n"


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

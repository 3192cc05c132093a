"""An animation that says what is missing to write it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.animation import FuncAnimation, writers

FILMS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi")


class Film(FuncAnimation):
    """Matplotlib's animation; a film is refused where the program that writes it is not installed."""

    def save(self, filename: Any, writer: Any = None, *args: Any, **kwargs: Any) -> None:
        """Write ``.gif``, ``.webp`` or ``.png``, or a film such as ``.mp4``, which ffmpeg has to write."""
        if writer in (None, "ffmpeg") and Path(filename).suffix.lower() in FILMS:
            _ask_for_ffmpeg(f"writing {Path(filename).name}", 'animation.save("window.gif") needs none')
        super().save(filename, writer, *args, **kwargs)

    def _repr_html_(self) -> str:
        """What IPython shows of it: its frames, with buttons."""
        return str(self.to_jshtml())

    def to_html5_video(self, *args: Any, **kwargs: Any) -> Any:
        """A ``<video>`` tag with an MP4 within, which ffmpeg has to write."""
        _ask_for_ffmpeg("an HTML5 video", "animation.to_jshtml() needs none")
        return super().to_html5_video(*args, **kwargs)


def _ask_for_ffmpeg(purpose: str, instead: str) -> None:
    if not writers.is_available("ffmpeg"):
        raise RuntimeError(
            f"{purpose} needs ffmpeg, which is not there: install it (apt install ffmpeg, brew install "
            f"ffmpeg, conda install ffmpeg); {instead}"
        )

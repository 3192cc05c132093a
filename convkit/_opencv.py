"""OpenCV, imported on first use: it costs more than all of convkit, and it needs system libraries."""

from __future__ import annotations

import functools
import threading
from typing import Any

from convkit.errors import ConvkitError


@functools.cache
def opencv() -> Any:
    """The module ``cv2``; where it cannot be imported, a `ConvkitError` that says what to install."""
    try:
        import cv2
    except ImportError as error:
        raise ConvkitError(_advice(error)) from error
    return cv2


_lock = threading.Lock()
_silent = 0
_level = 0


@functools.cache
def _set_log_level(cv2: Any) -> Any:
    return cv2.setLogLevel if hasattr(cv2, "setLogLevel") else cv2.utils.logging.setLogLevel  # 4.x, 5.x


class quiet:
    """Keep OpenCV's log off the terminal while an exception tells what is wrong; then as it was.

    The level is the process's: the first of several threads keeps it, the last puts it back.
    """

    def __init__(self, cv2: Any) -> None:
        self._set = _set_log_level(cv2)

    def __enter__(self) -> None:
        global _silent, _level
        with _lock:
            if _silent == 0:
                _level = self._set(0)
            _silent += 1

    def __exit__(self, *_: object) -> None:
        global _silent
        with _lock:
            _silent -= 1
            if _silent == 0:
                self._set(_level)


def _advice(error: ImportError) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name == "cv2":
        return "OpenCV is not installed; run: pip install opencv-python-headless"
    return (
        f"OpenCV cannot be loaded: {error}. Where a system library such as libGL.so.1 is missing, run: "
        "pip install opencv-python-headless (it needs none), or on Debian and Ubuntu: apt install libgl1"
    )

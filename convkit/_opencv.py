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


class Quiet:
    """Keeps OpenCV's log off the terminal while an exception tells what is wrong; then as it was.

    The level is the process's: the first of several threads keeps it, the last puts it back. There is one
    object for all, `quiet`: to make one for each image would take longer than the rest.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._silent = 0
        self._level = 0
        self._set: Any = None

    def __enter__(self) -> None:
        if self._set is None:
            cv2 = opencv()
            self._set = cv2.setLogLevel if hasattr(cv2, "setLogLevel") else cv2.utils.logging.setLogLevel
        with self._lock:
            if self._silent == 0:
                self._level = self._set(0)
            self._silent += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._silent -= 1
            if self._silent == 0:
                self._set(self._level)


quiet = Quiet()


def _advice(error: ImportError) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name == "cv2":
        return "OpenCV is not installed; run: pip install opencv-python-headless"
    return (
        f"OpenCV cannot be loaded: {error}. Where a system library such as libGL.so.1 is missing, run: "
        "pip install opencv-python-headless (it needs none), or on Debian and Ubuntu: apt install libgl1"
    )

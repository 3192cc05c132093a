"""OpenCV, imported on first use: it costs more than all of convkit, and it needs system libraries."""

from __future__ import annotations

import functools
import os
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

    The level is the process's: the last of several threads puts back what one of them found. There is one
    object for all, `quiet`, and no lock in it: they would take longer than the rest for each image.
    """

    def __init__(self) -> None:
        self._inside: list[None] = []  # one for each thread: lists grow and shrink by one step
        self._found: list[int] = []  # the level, where it was another
        self._set: Any = None

    def __enter__(self) -> None:
        if self._set is None:
            cv2 = opencv()
            self._set = cv2.setLogLevel if hasattr(cv2, "setLogLevel") else cv2.utils.logging.setLogLevel
        self._inside.append(None)
        if level := self._set(0):
            self._found.append(level)

    def __exit__(self, *_: object) -> None:
        self._inside.pop()
        while self._found and not self._inside:
            try:
                level = self._found.pop()
            except IndexError:  # another was last, too
                return
            self._set(level)
            if self._inside:  # by now; who came in last will put it back
                self._set(0)
                self._found.append(level)

    def forget(self) -> None:
        """In a process that was forked: threads that were inside are not there."""
        self._inside.clear()
        if self._found:
            self._set(self._found.pop())


quiet = Quiet()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=quiet.forget)


def _advice(error: ImportError) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name == "cv2":
        return "OpenCV is not installed; run: pip install opencv-python-headless"
    return (
        f"OpenCV cannot be loaded: {error}. Where a system library such as libGL.so.1 is missing, run: "
        "pip install opencv-python-headless (it needs none), or on Debian and Ubuntu: apt install libgl1"
    )

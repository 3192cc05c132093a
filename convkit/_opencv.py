"""OpenCV, imported on first use: it costs more than all of convkit, and it needs system libraries."""

from __future__ import annotations

import functools
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


def _advice(error: ImportError) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name == "cv2":
        return "OpenCV is not installed; run: pip install opencv-python-headless"
    return (
        f"OpenCV cannot be loaded: {error}. Where a system library such as libGL.so.1 is missing, run: "
        "pip install opencv-python-headless (it needs none), or on Debian and Ubuntu: apt install libgl1"
    )

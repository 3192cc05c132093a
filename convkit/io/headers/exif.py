"""The orientation of a photo, from its EXIF block."""

from __future__ import annotations

import numpy as np

from convkit._dispatch import native


def orientation(block: bytes) -> int:
    """1 to 8; 1 where the block cannot be understood: other programs often damage EXIF."""
    found: int = native().family("segments", np.uint8).orientation(block)
    return found

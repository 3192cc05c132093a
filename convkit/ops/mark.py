"""Whether an array was changed."""

from __future__ import annotations

import numpy as np

from convkit import _dispatch
from convkit._checks import Array

BYTES = np.dtype(np.uint8)


def fingerprint(array: Array) -> int:
    """A number of 64 bits that changes when the array does: a hash of its bits, in the order of its axes."""
    if array.size == 0:
        return 0
    data = np.ascontiguousarray(array).reshape(-1).view(BYTES)
    found: int = _dispatch.native().family("mark", BYTES).mark(data)
    return found

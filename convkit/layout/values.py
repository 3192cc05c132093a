"""Number types of pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from convkit._checks import Array

if TYPE_CHECKING:
    from numpy.typing import DTypeLike


def saturated(array: Array, dtype: DTypeLike) -> Array:
    """A C-contiguous copy in `dtype`; integers are rounded to the nearest and held to their range."""
    target = np.dtype(dtype)
    if target.kind == "f" or target == array.dtype:
        return np.array(array, dtype=target, order="C", copy=True)
    limits = np.iinfo(target)
    if array.dtype.kind == "f":
        if np.isnan(array).any():
            raise ValueError(f"NaN cannot become {target}; pass np.nan_to_num(array), or keep a float dtype")
        wide = np.rint(array)
    else:
        wide = array.astype(np.int32)  # holds both the source's range and the target's
    np.clip(wide, limits.min, limits.max, out=wide)
    return wide.astype(target, order="C")

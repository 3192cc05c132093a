"""States: named arrays, checked whole before a byte of them is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from convkit._checks import Array
from convkit.nn.tensor import as_array


class LoadResult(NamedTuple):
    """Names that only one side had."""

    missing_keys: list[str]
    unexpected_keys: list[str]


def load_arrays(into: Mapping[str, Array], given: Mapping[str, Any], strict: bool) -> LoadResult:
    """Write the arrays `given` into those of the same names, if all of them fit."""
    missing = [name for name in into if name not in given]
    unexpected = [name for name in given if name not in into]
    if strict and (missing or unexpected):
        told = [f"missing {', '.join(missing)}"] * bool(missing)
        told += [f"unknown {', '.join(map(str, unexpected))}"] * bool(unexpected)
        raise KeyError(f"state_dict does not match: {'; '.join(told)}. Pass strict=False to load the others")
    arrays = {name: fitting(given[name], array, name) for name, array in into.items() if name in given}
    for name, array in arrays.items():
        into[name][...] = array
    return LoadResult(missing, unexpected)


def fitting(value: Any, like: Array, name: str) -> Array:
    """`value` as an array of the shape of `like`, and of a dtype that its dtype holds."""
    try:
        array = as_array(value)
    except Exception as error:  # other libraries raise what they like
        raise TypeError(f"{name} gives no array: {error}") from error
    if array.shape != like.shape:
        raise ValueError(f"{name} has shape {array.shape}; the module's has {like.shape}")
    if not np.can_cast(array.dtype, like.dtype, "safe"):
        raise TypeError(
            f"{name} has dtype {array.dtype}, which {like.dtype} does not hold: convert it first "
            f"(.astype(np.{like.dtype})), or the module (module.to(np.{array.dtype}))"
        )
    return array

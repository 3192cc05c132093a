"""Weights in safetensors files: named arrays, no code; written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from convkit._atomic import put
from convkit._checks import Array
from convkit.errors import WeightsFileError
from convkit.nn.module import Module
from convkit.nn.state import LoadResult
from convkit.nn.tensor import as_array

DTYPES = {
    "F64": "f8",
    "F32": "f4",
    "F16": "f2",
    "I64": "i8",
    "I32": "i4",
    "I16": "i2",
    "I8": "i1",
    "U64": "u8",
    "U32": "u4",
    "U16": "u2",
    "U8": "u1",
    "BOOL": "?",
}


def save_weights(path: str | os.PathLike[str], source: Module | Mapping[str, Any]) -> None:
    """Write a module's state, or named arrays, to a safetensors file.

    The file appears whole or not at all: it is written beside its place, flushed to the disk and renamed.

    Parameters
    ----------
    path : str or path-like
    source : Module or mapping of str to array_like

    Raises
    ------
    WeightsFileError
        The file cannot be written; an `OSError` as well.

    Examples
    --------
    >>> import os, tempfile
    >>> from convkit import nn
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "layer.safetensors")
    ...     nn.save_weights(path, nn.Conv2d(3, 8, 3))
    ...     sorted((name, array.shape) for name, array in nn.load_weights(path).items())
    [('bias', (8,)), ('weight', (8, 3, 3, 3))]
    """
    arrays = source._state() if isinstance(source, Module) else dict(source)
    write(path, {name: as_array(array) for name, array in arrays.items()}, {})


def load_weights(
    path: str | os.PathLike[str], module: Module | None = None, strict: bool = True
) -> dict[str, Array] | LoadResult:
    """Read a safetensors file, into a module where one is given.

    Parameters
    ----------
    path : str or path-like
        float16 and bfloat16 are read as float32, which holds them exactly.
    module : Module, optional
        Takes the arrays of its names; see `Module.load_state_dict`. Nothing changes where anything does not
        fit.
    strict : bool
        Refuse names that are missing or unknown.

    Returns
    -------
    dict of str to ndarray, or LoadResult where a module is given

    Raises
    ------
    WeightsFileError
        The file cannot be read, or is no safetensors file; an `OSError` as well.
    KeyError, ValueError, TypeError
        As `Module.load_state_dict`.
    """
    arrays, _ = read(path)
    return arrays if module is None else module.load_state_dict(arrays, strict)


def write(path: str | os.PathLike[str], arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> None:
    """Write arrays and texts."""
    from safetensors.numpy import save

    name = os.fsdecode(path)
    packed = {key: _native(array) for key, array in arrays.items()}
    data = save(packed, metadata=dict(metadata) or None)
    try:
        put(os.path.realpath(name), data)
    except OSError as error:
        raise _of_file(error, name) from None


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Array], dict[str, str]]:
    """The arrays and the texts of a file, checked whole."""
    from safetensors import SafetensorError, deserialize

    name = os.fsdecode(path)
    try:
        with open(name, "rb") as file:
            data = file.read()
    except OSError as error:
        raise _of_file(error, name) from None
    try:
        entries = deserialize(data)  # type: ignore[no-untyped-call]
    except SafetensorError as error:
        raise WeightsFileError(
            f"{name} is no whole safetensors file ({error}); a .pt file is saved anew in PyTorch: "
            "safetensors.torch.save_file(model.state_dict(), path)"
        ) from None
    return {key: _array(entry, key, name) for key, entry in entries}, _metadata(data)


def _metadata(data: bytes) -> dict[str, str]:
    import json

    length = int.from_bytes(data[:8], "little")
    texts: dict[str, str] = json.loads(data[8 : 8 + length]).get("__metadata__", {})
    return texts


def _array(entry: Mapping[str, Any], key: str, name: str) -> Array:
    kind, shape = entry["dtype"], tuple(entry["shape"])
    if kind == "BF16":  # the upper half of a float32
        halves = np.frombuffer(entry["data"], "<u2").astype(np.uint32)
        return (halves << np.uint32(16)).view(np.float32).reshape(shape)
    if kind not in DTYPES:
        raise WeightsFileError(
            f"{name}: {key} has dtype {kind}; expected one of {', '.join([*DTYPES, 'BF16'])}"
        )
    array = np.frombuffer(entry["data"], "<" + DTYPES[kind]).reshape(shape)
    native = array.astype(array.dtype.newbyteorder("="))
    return native.astype(np.float32) if kind == "F16" else native


def _native(array: Array) -> Array:
    return np.ascontiguousarray(array.astype(array.dtype.newbyteorder("="), copy=False)).reshape(array.shape)


def _of_file(error: OSError, name: str) -> OSError:
    """The system's `error` about a file of weights as one of convkit's, which is still the system's too."""
    kind = type(error)
    if kind in (OSError, WeightsFileError):
        return WeightsFileError(error.errno, error.strerror, name)
    both = type(kind.__name__, (WeightsFileError, kind), {})
    raised: OSError = both(error.errno, error.strerror, name)
    return raised

"""PyTorch's answers, kept in a file: `goldens/make.py` made it."""

import inspect
import json
from pathlib import Path

import configurations
import numpy as np
import pytest

import convkit as ck

with np.load(Path(__file__).parent / "goldens" / "convolutions.npz") as file:
    STORED = {name: file[name] for name in file.files}
CASES = [name.removesuffix(".call") for name in STORED if name.endswith(".call")]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("case", CASES)
def test_as_stored(case, dtype, isa):
    name, arguments = json.loads(str(STORED[f"{case}.call"]))
    arrays = {
        a: STORED[f"{case}.{a}"].astype(dtype) for a in ("x", "weight", "bias") if f"{case}.{a}" in STORED
    }
    function = getattr(ck, name)
    residual = STORED[f"{case}.residual"].astype(dtype) if f"{case}.residual" in STORED else None
    y = function(*arrays.values(), **arguments, residual=residual)
    arguments = {k: v for k, v in arguments.items() if k not in ("activation", "negative_slope")}
    if "cval" in arguments:
        arguments["cval"] = abs(arguments["cval"])
    magnitude = function(*(np.abs(a.astype(np.float64)) for a in arrays.values()), **arguments)
    inputs = (
        arrays["weight"].shape[1]
        if name == "conv2d"
        else arrays["weight"].shape[0] // arguments.get("groups", 1)
    )
    n = inputs * arrays["weight"].shape[2] * arrays["weight"].shape[3] + 1
    if residual is not None:
        magnitude, n = magnitude + np.abs(residual), n + 2  # it and the slope are two more roundings
    own = configurations.gamma(n, 2.0**-53)  # PyTorch's
    bound = 1e-12 if dtype == np.float64 else configurations.gamma(n, 2.0**-24) + own
    assert y.shape == STORED[f"{case}.y"].shape
    assert (np.abs(y - STORED[f"{case}.y"]) <= bound * magnitude).all()


@pytest.mark.parametrize("name", configurations.CALLS)
def test_every_parameter_has_a_case(name):
    given = set()
    for case in CASES:
        function, arguments = json.loads(str(STORED[f"{case}.call"]))
        stored = {"residual"} if f"{case}.residual" in STORED else set()
        given |= set(arguments) | stored if function == name else set()
    parameters = set(inspect.signature(getattr(ck, name)).parameters)
    assert given == parameters - {"input", "weight", "bias", "out", "algorithm", "num_threads"}

"""Checkpoints: all that training needs to go on as if it had never stopped, in one safetensors file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from convkit._checks import Array
from convkit.errors import WeightsFileError
from convkit.nn import weights
from convkit.nn.data import Batches
from convkit.nn.module import Module
from convkit.nn.optim import Optimizer
from convkit.nn.random import current_generator
from convkit.nn.schedule import LRScheduler
from convkit.nn.state import load_arrays

FORMAT = "convkit checkpoint 1"


def save_checkpoint(
    path: str | os.PathLike[str],
    model: Module,
    optimiser: Optimizer | None = None,
    schedule: LRScheduler | None = None,
    batches: Batches | None = None,
    *,
    extra: Any = None,
) -> None:
    """Write weights, buffers, modes, the optimiser's state, schedule, generators and the place in the data.

    The file appears whole or not at all: a process that is killed leaves the one before.

    Parameters
    ----------
    path : str or path-like
    model : Module
    optimiser : Optimizer, optional
    schedule : LRScheduler, optional
    batches : Batches, optional
    extra : optional
        Whatever JSON holds, such as the number of steps; `load_checkpoint` gives it back.

    Raises
    ------
    WeightsFileError
        The file cannot be written.
    """
    save(path, model, optimiser, schedule, batches, extra, {})


def save(
    path: str | os.PathLike[str],
    model: Module,
    optimiser: Optimizer | None,
    schedule: LRScheduler | None,
    batches: Batches | None,
    extra: Any,
    best: Mapping[str, Array],
) -> None:
    """`save_checkpoint`, with a second state of the model."""
    arrays = {f"model.{name}": array for name, array in model._state().items()}
    arrays |= {f"best.{name}": array for name, array in best.items()}
    told: dict[str, Any] = {
        "format": FORMAT,
        "training": {name: module.training for name, module in model.named_modules()},
        "generators": {name: g.bit_generator.state for name, g in _generators(model).items()},
        "extra": extra,
    }
    if optimiser is not None:
        state = optimiser.state_dict()
        told["optimiser"] = {"groups": state["param_groups"], "state": {}}
        for place, kept in state["state"].items():
            arrays |= {f"optimiser.{place}.{k}": v for k, v in kept.items() if isinstance(v, np.ndarray)}
            told["optimiser"]["state"][place] = {
                k: v for k, v in kept.items() if not isinstance(v, np.ndarray)
            }
    if schedule is not None:
        told["schedule"] = schedule.state_dict()
    if batches is not None:
        told["batches"] = batches.state_dict()
    weights.write(path, arrays, {"convkit": json.dumps(told)})


def load_checkpoint(
    path: str | os.PathLike[str],
    model: Module,
    optimiser: Optimizer | None = None,
    schedule: LRScheduler | None = None,
    batches: Batches | None = None,
) -> Any:
    """Go on from a checkpoint; training gives the bits that it would have given without a stop.

    Everything is read and checked before anything changes.

    Parameters
    ----------
    path : str or path-like
    model, optimiser, schedule, batches
        Made as those that were saved. Each that is given has to be in the file.

    Returns
    -------
    object
        `extra`, as it was saved.

    Raises
    ------
    WeightsFileError
        The file cannot be read, is cut short, or is no checkpoint.
    KeyError, ValueError, TypeError
        It does not fit the model or the optimiser.
    """
    return load(path, model, optimiser, schedule, batches)[0]


def load(
    path: str | os.PathLike[str],
    model: Module,
    optimiser: Optimizer | None,
    schedule: LRScheduler | None,
    batches: Batches | None,
) -> tuple[Any, dict[str, Array]]:
    """`load_checkpoint`, and the second state of the model."""
    arrays, texts = weights.read(path)
    told = json.loads(texts.get("convkit", "{}"))
    if told.get("format") != FORMAT:
        raise WeightsFileError(f"{os.fsdecode(path)} is no checkpoint; nn.load_weights reads weights alone")
    parts = {"optimiser": optimiser, "schedule": schedule, "batches": batches}
    for name, part in parts.items():
        if part is not None and name not in told:
            raise KeyError(f"{os.fsdecode(path)} holds no {name}; load it without, or save it with one")
    state = {n.removeprefix("model."): a for n, a in arrays.items() if n.startswith("model.")}
    generators = _generators(model)
    if set(generators) != set(told["generators"]):
        raise KeyError(
            f"the file has generators {sorted(told['generators'])}; the model {sorted(generators)}"
        )
    if schedule is not None and len(told["schedule"]["base_lrs"]) != len(schedule.base_lrs):
        raise ValueError(f"the file's schedule has {len(told['schedule']['base_lrs'])} groups of parameters")
    own = model._state()
    snapshot = {name: array.copy() for name, array in own.items()}
    load_arrays(own, state, strict=True)
    try:
        if optimiser is not None:
            optimiser.load_state_dict(_optimiser_state(told["optimiser"], arrays))
    except Exception:
        load_arrays(own, snapshot, strict=True)
        raise
    if schedule is not None:
        schedule.load_state_dict(told["schedule"])
    if batches is not None:
        batches.load_state_dict(told["batches"])
    for name, module in model.named_modules():
        module.training = told["training"].get(name, module.training)
    for name, generator in generators.items():
        generator.bit_generator.state = told["generators"][name]
    return told["extra"], {n.removeprefix("best."): a for n, a in arrays.items() if n.startswith("best.")}


def _optimiser_state(told: Mapping[str, Any], arrays: Mapping[str, Array]) -> dict[str, Any]:
    state: dict[int, dict[str, Any]] = {int(place): dict(kept) for place, kept in told["state"].items()}
    for name, array in arrays.items():
        if name.startswith("optimiser."):
            _, place, key = name.split(".", 2)
            state[int(place)][key] = array
    groups = [{k: tuple(v) if k == "betas" else v for k, v in group.items()} for group in told["groups"]]
    return {"state": state, "param_groups": groups}


def _generators(model: Module) -> dict[str, np.random.Generator]:
    """The scope's generator, and those that modules have of their own."""
    found = {"": current_generator()}
    for path, module in model.named_modules():
        for name, value in vars(module).items():
            if isinstance(value, np.random.Generator):
                found[f"{path}.{name}" if path else name] = value
    return found

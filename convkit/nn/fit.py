"""`fit`: the loop of training, with a bar, validation, early stopping, checkpoints and a history."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from convkit._checks import Array, integer
from convkit.errors import ConvkitError
from convkit.nn import checkpoint as checkpoints
from convkit.nn.autograd import no_grad
from convkit.nn.clip import clip_grad_norm_
from convkit.nn.data import Batches, batches
from convkit.nn.module import Module
from convkit.nn.optim import Optimizer
from convkit.nn.schedule import LRScheduler
from convkit.nn.tensor import Tensor, as_array


@dataclass
class History:
    """What happened, an entry an epoch; `convkit.viz.history` draws it.

    Attributes
    ----------
    loss : list of float
        Mean over the training's examples.
    validation_loss : list of float
        Mean over the validation's, empty where there are none.
    metrics : dict of str to list of float
        Of the validation data, or of the training data where there is none.
    lr : list of float
        Of the first group, at the epoch's end.
    seconds : list of float
    best_epoch : int
        Where the loss that was watched was least.
    stopped : str
        Why it ended: "epochs", or "patience".
    """

    loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    metrics: dict[str, list[float]] = field(default_factory=dict)
    lr: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    best_epoch: int = 0
    stopped: str = ""

    @property
    def watched(self) -> list[float]:
        """The validation's loss, or the training's where there is none."""
        return self.validation_loss or self.loss

    def to_json(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self))


class TrainingError(ConvkitError, RuntimeError):
    """The loss became NaN or infinite.

    Attributes
    ----------
    causes : list of str
        The likely ones, most likely first, each with what mends it.
    history : History
        Of the epochs before.
    """

    def __init__(self, message: str, causes: list[str], history: History) -> None:
        self.causes, self.history = causes, history
        super().__init__("\n".join([message, "likely causes:", *(f"  - {cause}" for cause in causes)]))


def fit(
    model: Module,
    data: Any,
    loss: Callable[..., Any],
    optimiser: Optimizer,
    epochs: int,
    *,
    validation: Any = None,
    metrics: Mapping[str, Callable[[Any, Any], float]] | None = None,
    schedule: LRScheduler | None = None,
    schedule_each: str = "epoch",
    clip_norm: float | None = None,
    patience: int | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: bool | None = None,
) -> History:
    """Train `model`.

    Parameters
    ----------
    model : Module
        Left in training mode, with its best weights where `patience` is given.
    data : Batches, iterable of (x, y), or (x, y)
        Two arrays are cut into shuffled batches of 32.
    loss : callable
        ``loss(model(x), y)`` is a tensor with one element.
    optimiser : Optimizer
    epochs : int
        In all: a run that is resumed goes on to this number.
    validation : as `data`, optional
        Looked at after each epoch, in `eval` mode. Two arrays are cut into batches of 256, in their order.
    metrics : mapping of str to callable, optional
        ``metric(prediction, y)`` of arrays is a number; means over the examples are kept.
    schedule : LRScheduler, optional
    schedule_each : {"epoch", "batch"}
        When the schedule goes on.
    clip_norm : float, optional
        At most this norm of all gradients.
    patience : int, optional
        Stop after so many epochs without a lower loss, and go back to the best weights.
    checkpoint : path, optional
        Written after each epoch, whole or not at all.
    resume : bool
        Go on from `checkpoint` where there is one; the bits are those of a run without a stop.
    progress : bool, optional
        A bar; unset, on a terminal.

    Returns
    -------
    History

    Raises
    ------
    TrainingError
        The loss is NaN or infinite; tells the likely causes.
    ValueError
        An argument is out of range, or `data` is empty.

    Examples
    --------
    >>> import numpy as np
    >>> from convkit import nn
    >>> rng = np.random.default_rng(0)
    >>> x = rng.standard_normal((64, 3)).astype(np.float32)
    >>> y = x @ np.array([[1], [2], [3]], np.float32)
    >>> model = nn.Linear(3, 1, generator=rng)
    >>> history = nn.fit(model, (x, y), nn.MSELoss(), nn.optim.Adam(model.parameters(), lr=0.1), epochs=60)
    >>> history.loss[-1] < 1e-2
    True
    """
    integer(epochs, "epochs", 1)
    if schedule_each not in ("epoch", "batch"):
        raise ValueError(f"schedule_each is {schedule_each!r}; expected 'epoch' or 'batch'")
    train = _batches(data, "data", shuffle=True)
    held = None if validation is None else _batches(validation, "validation", shuffle=False)
    keep = train if isinstance(train, Batches) else None
    history, best = History(), dict[str, Array]()
    if resume and checkpoint is not None and os.path.exists(checkpoint):
        told, best = checkpoints.load(checkpoint, model, optimiser, schedule, keep)
        history = History(**told)
    step = _Step(model, loss, optimiser, schedule if schedule_each == "batch" else None, clip_norm, history)
    for epoch in range(len(history.loss), epochs):
        start = time.perf_counter()
        model.train()
        seen = _Means(metrics or {} if held is None else {})
        for x, y in _bar(train, f"epoch {epoch + 1}/{epochs}", progress):
            seen.add(*step(x, y), y)
        if not seen.count:
            raise ValueError(
                "data gave no batches; expected at least one (an iterator is exhausted after an epoch)"
            )
        if schedule is not None and schedule_each == "epoch":
            schedule.step()
        history.loss.append(seen.loss)
        if held is not None:
            seen = evaluate(model, held, loss, metrics or {})
            history.validation_loss.append(seen.loss)
        for name, value in seen.metrics.items():
            history.metrics.setdefault(name, []).append(value)
        history.lr.append(float(optimiser.param_groups[0]["lr"]))
        history.seconds.append(time.perf_counter() - start)
        if history.watched[-1] <= min(history.watched):
            history.best_epoch = epoch
            best = model.state_dict() if patience is not None else {}
        if checkpoint is not None:
            checkpoints.save(checkpoint, model, optimiser, schedule, keep, asdict(history), best)
        if patience is not None and epoch - history.best_epoch >= patience:
            history.stopped = "patience"
            break
    if best and patience is not None:
        model.load_state_dict(best)
    history.stopped = history.stopped or "epochs"
    model.train()
    return history


class _Step:
    """One batch: forward, backward, and the optimiser's step."""

    def __init__(
        self,
        model: Module,
        loss: Callable[..., Any],
        optimiser: Optimizer,
        schedule: LRScheduler | None,
        clip_norm: float | None,
        history: History,
    ) -> None:
        self.model, self.loss, self.optimiser, self.schedule = model, loss, optimiser, schedule
        self.clip_norm, self.history, self.count = clip_norm, history, 0
        self.last = math.nan

    def __call__(self, x: Tensor, y: Any) -> tuple[float, Tensor]:
        self.optimiser.zero_grad()
        prediction = self.model(x)
        loss = self.loss(prediction, y)
        value = float(loss.data)
        self.count += 1
        if not math.isfinite(value):
            where = f"step {self.count} of epoch {len(self.history.loss) + 1}"
            causes = likely_causes(self.model, self.optimiser, x, y, self.last, self.clip_norm)
            raise TrainingError(f"the loss is {value} at {where}", causes, self.history)
        self.last = value
        loss.backward()
        if self.clip_norm is not None:
            clip_grad_norm_(self.model.parameters(), self.clip_norm)
        self.optimiser.step()
        if self.schedule is not None:
            self.schedule.step()
        return value, prediction


def likely_causes(
    model: Module, optimiser: Optimizer, x: Any, y: Any, last: float, clip_norm: float | None
) -> list[str]:
    """Why a loss became NaN, those that can be seen first."""
    causes = []
    rate = max(group["lr"] for group in optimiser.param_groups)
    for name, array in (("x", x), ("y", y)):
        values = as_array(array)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            causes.append(f"{name} holds NaN or Inf: look at the data (np.isfinite({name}).all())")
        elif values.dtype.kind == "f" and np.abs(values).max() > 100:
            causes.append(
                f"{name} reaches {np.abs(values).max():g}: bring it to about [-1, 1], "
                "ck.to_bchw(images, scale='unit', mean=0.5, std=0.5)"
            )
    broken = [name for name, p in model.named_parameters() if not np.isfinite(p.data).all()]
    tail = f"; {broken[0]} is not finite any more" if broken else ""
    grown = f", and the loss had grown to {last:g}" if last > 1e3 else ""
    causes.append(
        f"the learning rate, {rate:g}, is too high{grown}{tail}: try lr={rate / 10:g}, or a warm-up"
    )
    if clip_norm is None:
        causes.append("gradients explode: pass clip_norm=1.0")
    if not any("Norm" in type(module).__name__ for module in model.modules()):
        causes.append("activations are not normalised: put nn.BatchNorm2d between convolution and activation")
    causes.append(
        "a logarithm or a division by 0 in the loss: take losses of scores (CrossEntropyLoss, BCEWithLogits)"
    )
    return causes


class _Means:
    """Means over examples."""

    def __init__(self, metrics: Mapping[str, Callable[[Any, Any], float]]) -> None:
        self.functions, self.count = metrics, 0
        self.sums = dict.fromkeys(["loss", *metrics], 0.0)

    def add(self, loss: float, prediction: Tensor, y: Any) -> None:
        """A batch's."""
        n = len(prediction)
        self.count += n
        self.sums["loss"] += loss * n
        for name, function in self.functions.items():
            self.sums[name] += float(function(prediction.data, as_array(y))) * n

    @property
    def loss(self) -> float:
        """The mean loss."""
        return self.sums["loss"] / self.count

    @property
    def metrics(self) -> dict[str, float]:
        """The mean of each metric."""
        return {name: self.sums[name] / self.count for name in self.functions}


def evaluate(
    model: Module,
    data: Iterable[Any],
    loss: Callable[..., Any],
    metrics: Mapping[str, Callable[[Any, Any], float]],
) -> _Means:
    """Loss and metrics of data, in `eval` mode; the model is left in the mode that it was in."""
    mode, means = model.training, _Means(metrics)
    model.eval()
    try:
        with no_grad():
            for x, y in data:
                prediction = model(x if isinstance(x, Tensor) else Tensor(x))
                means.add(float(loss(prediction, y).data), prediction, y)
    finally:
        model.train(mode)
    if not means.count:
        raise ValueError("validation gave no batches; expected at least one")
    return means


def accuracy(prediction: Any, target: Any) -> float:
    """The share of examples whose greatest score, along axis 1, is that of the class in `target`."""
    return float((as_array(prediction).argmax(axis=1) == as_array(target)).mean())


def _batches(data: Any, name: str, shuffle: bool) -> Iterable[Any]:
    if isinstance(data, tuple):
        if len(data) != 2:
            raise ValueError(f"{name} is a tuple of {len(data)}; expected (x, y), or batches")
        return batches(*data, batch_size=32 if shuffle else 256, shuffle=shuffle)
    if not isinstance(data, Iterable):
        raise TypeError(f"{name} is {type(data).__name__}; expected nn.batches(x, y), or (x, y)")
    return data


def _bar(data: Iterable[Any], text: str, progress: bool | None) -> Iterator[tuple[Tensor, Any]]:
    """The batches, with a bar on the terminal that errors go to."""
    shown = sys.stderr.isatty() if progress is None else progress
    if shown:
        from tqdm import tqdm

        total = len(data) if isinstance(data, Sized) else None
        data = tqdm(data, total=total, desc=text, unit=" batches", file=sys.stderr, leave=False)
    for x, y in data:
        yield x if isinstance(x, Tensor) else Tensor(x), y

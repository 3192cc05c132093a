"""Schedules: learning rates that change from step to step; PyTorch's names, arguments and values."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from convkit._checks import choice, integer

if TYPE_CHECKING:
    from convkit.nn.optim import Optimizer


class LRScheduler(ABC):
    """The base of the schedules: a rate for each group, from the number of steps that were made.

    Every rule here is a formula of the step's number and of each group's first rate, so that a schedule
    has no other state than that.

    Attributes
    ----------
    base_lrs : list of float
        Each group's rate when the schedule was made.
    last_epoch : int
        Steps that were made.
    """

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer = optimizer
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
        self.base_lrs: list[float] = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch + 1
        self._set()

    def step(self) -> None:
        """Go to the next step's rates; to be called after ``optimiser.step()``."""
        self.last_epoch += 1
        self._set()

    def get_last_lr(self) -> list[float]:
        """The rates now."""
        return [group["lr"] for group in self.optimizer.param_groups]

    @abstractmethod
    def _set(self) -> None:
        """Give each group its rate after `last_epoch` steps."""

    def state_dict(self) -> dict[str, Any]:
        """The number of steps, and the first rates."""
        return {"last_epoch": self.last_epoch, "base_lrs": list(self.base_lrs)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from a state."""
        if len(state_dict["base_lrs"]) != len(self.base_lrs):
            raise ValueError(
                f"state_dict has {len(state_dict['base_lrs'])} rates; this schedule's has "
                f"{len(self.base_lrs)}"
            )
        self.base_lrs = [float(rate) for rate in state_dict["base_lrs"]]
        self.last_epoch = integer(state_dict["last_epoch"], "last_epoch", 0)
        self._set()


class _Formula(LRScheduler):
    """A schedule whose every group follows one formula of its first rate."""

    @abstractmethod
    def rate(self, base: float, step: int) -> float:
        """The rate at a step, of a group that began with `base`."""

    def _set(self) -> None:
        for group, base in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = self.rate(base, self.last_epoch)


class LambdaLR(_Formula):
    """The first rate times ``lr_lambda(step)``."""

    def __init__(self, optimizer: Optimizer, lr_lambda: Callable[[int], float], last_epoch: int = -1) -> None:
        self.lr_lambda = lr_lambda
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, step: int) -> float:
        """base · lr_lambda(step)."""
        return base * self.lr_lambda(step)


class StepLR(_Formula):
    """Times `gamma` every `step_size` steps.

    Examples
    --------
    >>> from convkit import nn
    >>> optimiser = nn.optim.SGD([nn.Parameter([1.0])], lr=1.0)
    >>> schedule = nn.schedule.StepLR(optimiser, step_size=2, gamma=0.5)
    >>> for _ in range(4):
    ...     optimiser.step()
    ...     schedule.step()
    >>> schedule.get_last_lr()
    [0.25]
    """

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.step_size, self.gamma = integer(step_size, "step_size", 1), gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, step: int) -> float:
        """base · gamma^⌊step / step_size⌋."""
        return base * self.gamma ** (step // self.step_size)


class MultiStepLR(_Formula):
    """Times `gamma` at each of the `milestones`."""

    def __init__(
        self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.milestones, self.gamma = sorted(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, step: int) -> float:
        """Base · gamma to the number of milestones that were passed."""
        return base * self.gamma ** bisect_right(self.milestones, step)


class ExponentialLR(_Formula):
    """Times `gamma` at every step."""

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, step: int) -> float:
        """base · gammaˢᵗᵉᵖ."""
        return base * self.gamma**step


class ConstantLR(_Formula):
    """Times `factor` for the first `total_iters` steps."""

    def __init__(
        self, optimizer: Optimizer, factor: float = 1 / 3, total_iters: int = 5, last_epoch: int = -1
    ) -> None:
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, step: int) -> float:
        """base · factor, then base."""
        return base * (self.factor if step < self.total_iters else 1.0)


class LinearLR(_Formula):
    """Warm-up: times a factor that goes from `start_factor` to `end_factor` in `total_iters` steps."""

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, step: int) -> float:
        """base · factor."""
        done = min(step, self.total_iters) / self.total_iters
        return base * (self.start_factor + (self.end_factor - self.start_factor) * done)


class CosineAnnealingLR(_Formula):
    """Half a cosine from the first rate to `eta_min` in `T_max` steps (Loshchilov and Hutter, 2017)."""

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        self.T_max, self.eta_min = integer(T_max, "T_max", 1), eta_min
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, step: int) -> float:
        """eta_min + (base - eta_min)·(1 + cos(π·step / T_max)) / 2."""
        return self.eta_min + (base - self.eta_min) * (1 + math.cos(math.pi * step / self.T_max)) / 2


class OneCycleLR(LRScheduler):
    """Up to `max_lr`, then down far below the start (Smith and Topin, 2018).

    Momentum, or Adam's first beta, goes the other way, where `cycle_momentum` is set.

    Parameters
    ----------
    optimizer : Optimizer
    max_lr : float or list of float
        One for each group.
    total_steps : int, optional
        Or `epochs` · `steps_per_epoch`.
    epochs, steps_per_epoch : int, optional
    pct_start : float
        The share of the steps that go up.
    anneal_strategy : {"cos", "linear"}
    cycle_momentum : bool
    base_momentum, max_momentum : float
    div_factor : float
        `max_lr` over the first rate.
    final_div_factor : float
        The first rate over the last.
    three_phase : bool
        Down to the first rate, as long as it went up, before it goes to the last.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | Sequence[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        cycle_momentum: bool = True,
        base_momentum: float = 0.85,
        max_momentum: float = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise ValueError("total_steps is not given; pass it, or epochs and steps_per_epoch")
            total_steps = integer(epochs, "epochs", 1) * integer(steps_per_epoch, "steps_per_epoch", 1)
        self.total_steps = integer(total_steps, "total_steps", 1)
        self.anneal_strategy = choice(anneal_strategy, "anneal_strategy", ("cos", "linear"))
        groups = optimizer.param_groups
        peaks = list(max_lr) if isinstance(max_lr, Sequence) else [float(max_lr)] * len(groups)
        if len(peaks) != len(groups):
            raise ValueError(f"max_lr has {len(peaks)} rates; the optimiser has {len(groups)} groups")
        for group, peak in zip(groups, peaks, strict=True):
            group["initial_lr"], group["max_lr"] = peak / div_factor, peak
            group["min_lr"] = group["initial_lr"] / final_div_factor
        if cycle_momentum and not all("momentum" in g or "betas" in g for g in groups):
            raise ValueError(f"{type(optimizer).__name__} has no momentum; pass cycle_momentum=False")
        self.momenta = (base_momentum, max_momentum) if cycle_momentum else None
        up = float(pct_start * self.total_steps) - 1
        rates, momenta = ("initial_lr", "max_lr", "min_lr"), (1, 0, 1)
        ends = [up, float(self.total_steps - 1)]
        if three_phase:
            rates, momenta = ("initial_lr", "max_lr", "initial_lr", "min_lr"), (1, 0, 1, 1)  # type: ignore[assignment]
            ends = [up, float(2 * pct_start * self.total_steps) - 2, float(self.total_steps - 1)]
        self.ends, self.rates, self.turns = ends, rates, momenta
        super().__init__(optimizer, last_epoch)

    def step(self) -> None:
        """Go to the next step's rates."""
        if self.last_epoch + 1 > self.total_steps:  # one step beyond the last is allowed, as in PyTorch
            raise ValueError(f"the schedule was made for {self.total_steps} steps, and all are made")
        super().step()

    def _set(self) -> None:
        phase, start = 0, 0.0
        while self.last_epoch > self.ends[phase] and phase < len(self.ends) - 1:
            start = self.ends[phase]
            phase += 1
        done = (self.last_epoch - start) / (self.ends[phase] - start)
        for group in self.optimizer.param_groups:
            group["lr"] = self._between(group[self.rates[phase]], group[self.rates[phase + 1]], done)
            if self.momenta is not None:
                ends = [self.momenta[self.turns[phase + i]] for i in (0, 1)]
                momentum = self._between(ends[0], ends[1], done)
                if "betas" in group:
                    group["betas"] = (momentum, *group["betas"][1:])
                else:
                    group["momentum"] = momentum

    def _between(self, start: float, end: float, done: float) -> float:
        if self.anneal_strategy == "linear":
            return (end - start) * done + start
        return end + (start - end) / 2 * (math.cos(math.pi * done) + 1)


class SequentialLR(LRScheduler):
    """One schedule after the other: each begins anew at its milestone, such as a warm-up before a cosine.

    Parameters
    ----------
    optimizer : Optimizer
    schedulers : list of LRScheduler
        Of this optimiser.
    milestones : list of int
        The steps at which the second, the third ... begin.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: Sequence[LRScheduler],
        milestones: Sequence[int],
        last_epoch: int = -1,
    ) -> None:
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(
                f"{len(milestones)} milestones for {len(schedulers)} schedules; expected one less"
            )
        self.schedulers, self.milestones = list(schedulers), list(milestones)
        super().__init__(optimizer, last_epoch)

    def _set(self) -> None:
        which = bisect_right(self.milestones, self.last_epoch)
        chosen = self.schedulers[which]
        chosen.last_epoch = self.last_epoch - (self.milestones[which - 1] if which else 0)
        chosen._set()

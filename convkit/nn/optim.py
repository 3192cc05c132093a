"""Optimisers: PyTorch's names, defaults and update rules."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np

from convkit._checks import Array, finite
from convkit.nn import schedule as lr_scheduler
from convkit.nn.parameter import Parameter
from convkit.nn.state import fitting
from convkit.ops.optim import adam

Group: TypeAlias = dict[str, Any]
State: TypeAlias = dict[str, Any]
Parameters: TypeAlias = Iterable[Parameter] | Iterable[Mapping[str, Any]]

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop", "lr_scheduler"]


class Optimizer(ABC):
    """The base of the optimisers: parameters in groups with their settings, and what is remembered of each.

    Attributes
    ----------
    param_groups : list of dict
        ``params`` and the settings, such as ``lr``, which may be changed at any time.
    state : dict
        By the parameter's place among all: arrays and numbers that the rule carries from step to step.
    """

    defaults: dict[str, Any]

    def __init__(self, params: Parameters, **defaults: Any) -> None:
        given: list[Any] = list(params)
        if not given:
            raise ValueError("params is empty; expected model.parameters()")
        groups = given if isinstance(given[0], Mapping) else [{"params": given}]
        self.defaults = defaults
        self.param_groups: list[Group] = []
        self.state: dict[int, State] = {}
        for group in groups:
            self.add_param_group(group)

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Add parameters with settings of their own; what `group` does not say is the optimiser's."""
        listed = group["params"]
        params = [listed] if isinstance(listed, Parameter) else list(listed)
        held = {id(p) for g in self.param_groups for p in g["params"]}
        for parameter in params:
            if not isinstance(parameter, Parameter):
                raise TypeError(f"params holds {type(parameter).__name__}; expected model.parameters()")
            if id(parameter) in held:
                raise ValueError(f"a parameter of shape {parameter.shape} is in two groups; expected one")
            held.add(id(parameter))
        settings = {name: _plain(value) for name, value in {**self.defaults, **group}.items()}
        settings["params"] = params
        self._check(settings)
        self.param_groups.append(settings)

    def _check(self, group: Group) -> None:
        for name in ("lr", "weight_decay", "eps", "momentum", "lr_decay", "alpha"):
            if name in group and finite(group[name], name) < 0:
                raise ValueError(f"{name} is {group[name]}; expected at least 0")
        for i, beta in enumerate(group.get("betas", ())):
            if not 0 <= beta < 1:
                raise ValueError(f"betas[{i}] is {beta}; expected at least 0 and below 1")

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad = None

    def step(self) -> None:
        """Change every parameter that has a gradient, in place."""
        index = 0
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    gradient = parameter.grad.data
                    if group.get("maximize"):
                        gradient = np.asarray(-gradient)
                    self.update(parameter.data, gradient, self.state.setdefault(index, {}), group)
                index += 1

    @abstractmethod
    def update(self, x: Array, gradient: Array, state: State, group: Group) -> None:
        """One step of one parameter."""

    def state_dict(self) -> dict[str, Any]:
        """Copies of the state, and the settings: parameters by their place."""
        packed, index = [], 0
        for group in self.param_groups:
            settings = {key: value for key, value in group.items() if key != "params"}
            packed.append({**settings, "params": list(range(index, index + len(group["params"])))})
            index += len(group["params"])
        state = {
            place: {
                key: value.copy() if isinstance(value, np.ndarray) else value for key, value in kept.items()
            }
            for place, kept in self.state.items()
        }
        return {"state": state, "param_groups": packed}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from a state; checked whole before anything is changed.

        Raises
        ------
        ValueError, TypeError
            Groups or shapes do not match this optimiser's.
        """
        groups, state = state_dict["param_groups"], state_dict["state"]
        sizes = [len(group["params"]) for group in self.param_groups]
        given = [len(group["params"]) for group in groups]
        if sizes != given:
            raise ValueError(f"state_dict has groups of {given} parameters; this optimiser's are {sizes}")
        params = [parameter for group in self.param_groups for parameter in group["params"]]
        loaded: dict[int, State] = {}
        for place, kept in state.items():
            if not 0 <= int(place) < len(params):
                raise ValueError(f"state_dict has a state of parameter {place}, of {len(params)}")
            loaded[int(place)] = {
                key: fitting(value, params[int(place)].data, f"state {place} {key}").copy()
                if isinstance(value, np.ndarray) and value.ndim
                else value
                for key, value in kept.items()
            }
        for own, new in zip(self.param_groups, groups, strict=True):
            own.update({key: value for key, value in new.items() if key != "params"})
        self.state = loaded

    def __repr__(self) -> str:
        settings = {k: v for k, v in self.param_groups[0].items() if k != "params"}
        count = sum(len(group["params"]) for group in self.param_groups)
        return (
            f"{type(self).__name__}({', '.join(f'{k}={v}' for k, v in settings.items())}; {count} parameters)"
        )


def _plain(setting: Any) -> Any:
    """A number of NumPy's as one of Python's, which does not widen the arrays that it meets."""
    if isinstance(setting, tuple):
        return tuple(map(_plain, setting))
    return setting.item() if isinstance(setting, np.generic) else setting


def _decayed(x: Array, gradient: Array, group: Group) -> Array:
    """The gradient with that of the weight decay; an array of `x`'s dtype, where `x` is a number, too."""
    decay = group["weight_decay"]
    return np.asarray(gradient + decay * x, x.dtype) if decay else gradient


class SGD(Optimizer):
    """Gradient descent, with momentum, Nesterov's momentum and weight decay (Sutskever et al., 2013).

    Parameters
    ----------
    params : iterable of Parameter, or of dict
    lr, momentum, dampening, weight_decay : float
    nesterov, maximize : bool

    Examples
    --------
    >>> from convkit import nn
    >>> x = nn.Parameter([1.0])
    >>> optimiser = nn.optim.SGD([x], lr=0.1)
    >>> (x * x).sum().backward()
    >>> optimiser.step()
    >>> float(x)
    0.800000011920929
    """

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError(
                f"nesterov with momentum={momentum}, dampening={dampening}; it needs a momentum alone"
            )
        super().__init__(
            params,
            lr=lr,
            momentum=momentum,
            dampening=dampening,
            weight_decay=weight_decay,
            nesterov=nesterov,
            maximize=maximize,
        )

    def update(self, x: Array, gradient: Array, state: State, group: Group) -> None:
        """v ← μ·v + (1 - dampening)·g;  x ← x - lr·v."""
        momentum = group["momentum"]
        gradient = _decayed(x, gradient, group)
        if momentum:
            velocity = state.get("momentum_buffer")
            if velocity is None:
                velocity = state["momentum_buffer"] = gradient.copy()
            else:
                velocity *= momentum
                velocity += gradient if group["dampening"] == 0 else (1 - group["dampening"]) * gradient
            gradient = gradient + momentum * velocity if group["nesterov"] else velocity
        x -= group["lr"] * gradient


class Adam(Optimizer):
    """Adam (Kingma and Ba, 2015), and AMSGrad (Reddi et al., 2018).

    Parameters
    ----------
    params : iterable of Parameter, or of dict
    lr : float
    betas : pair of float
        Decay of the mean of the gradients, and of that of their squares.
    eps, weight_decay : float
    amsgrad, maximize : bool
    """

    decoupled = False

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            betas=tuple(betas),
            eps=eps,
            weight_decay=weight_decay,
            amsgrad=amsgrad,
            maximize=maximize,
        )

    def update(self, x: Array, gradient: Array, state: State, group: Group) -> None:
        """x ← x - lr·m̂ / (√v̂ + ε), with means that are corrected for their start at 0."""
        if not state:
            state.update(step=0, exp_avg=np.zeros_like(x), exp_avg_sq=np.zeros_like(x))
            if group["amsgrad"]:
                state["max_exp_avg_sq"] = np.zeros_like(x)
        state["step"] += 1
        adam(
            x,
            gradient,
            state["exp_avg"],
            state["exp_avg_sq"],
            state["max_exp_avg_sq"] if group["amsgrad"] else None,
            state["step"],
            group["lr"],
            group["betas"],
            group["eps"],
            group["weight_decay"],
            self.decoupled,
        )


class AdamW(Adam):
    """Adam whose weight decay does not go through the means (Loshchilov and Hutter, 2019).

    Parameters
    ----------
    params, lr, betas, eps, amsgrad, maximize
        As of `Adam`.
    weight_decay : float
    """

    decoupled = True

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize)


class RMSprop(Optimizer):
    """RMSprop (Hinton, 2012), and its centred form (Graves, 2013).

    Parameters
    ----------
    params : iterable of Parameter, or of dict
    lr, alpha, eps, weight_decay, momentum : float
    centered, maximize : bool
    """

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            alpha=alpha,
            eps=eps,
            weight_decay=weight_decay,
            momentum=momentum,
            centered=centered,
            maximize=maximize,
        )

    def update(self, x: Array, gradient: Array, state: State, group: Group) -> None:
        """x ← x - lr·g / (√(mean of g²) + ε)."""
        alpha = group["alpha"]
        gradient = _decayed(x, gradient, group)
        if not state:
            state["square_avg"] = np.zeros_like(x)
            if group["centered"]:
                state["grad_avg"] = np.zeros_like(x)
            if group["momentum"]:
                state["momentum_buffer"] = np.zeros_like(x)
        square = state["square_avg"]
        square *= alpha
        square += (1 - alpha) * (gradient * gradient)
        if group["centered"]:
            mean = state["grad_avg"]
            mean += (1 - alpha) * (gradient - mean)
            size = np.asarray(np.sqrt(square - mean * mean))
        else:
            size = np.asarray(np.sqrt(square))
        size += group["eps"]
        np.divide(gradient, size, out=size)
        if group["momentum"]:
            state["momentum_buffer"] *= group["momentum"]
            state["momentum_buffer"] += size
            size = state["momentum_buffer"]
        x -= group["lr"] * size


class Adagrad(Optimizer):
    """Adagrad (Duchi et al., 2011).

    Parameters
    ----------
    params : iterable of Parameter, or of dict
    lr, lr_decay, weight_decay, initial_accumulator_value, eps : float
    maximize : bool
    """

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            lr_decay=lr_decay,
            weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value,
            eps=eps,
            maximize=maximize,
        )

    def update(self, x: Array, gradient: Array, state: State, group: Group) -> None:
        """x ← x - lr·g / (√(sum of g²) + ε)."""
        gradient = _decayed(x, gradient, group)
        if not state:
            state.update(step=0, sum=np.full_like(x, group["initial_accumulator_value"]))
        state["step"] += 1
        rate = group["lr"] / (1 + (state["step"] - 1) * group["lr_decay"])
        state["sum"] += gradient * gradient
        x -= rate * gradient / (np.sqrt(state["sum"]) + group["eps"])

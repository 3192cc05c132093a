"""Modules of modules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, overload

from convkit.nn import trace
from convkit.nn.activation import ReLU
from convkit.nn.module import Module, Pointwise
from convkit.nn.norm import BatchNorm2d
from convkit.nn.trace import Shape, shape_after

NORM, RELU = BatchNorm2d.forward, ReLU.forward
"""The library's own, which somebody may replace by another."""


class _Numbered(Module):
    """Modules under the names "0", "1", ..."""

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        for module in modules:
            self.append(module)

    def append(self, module: Module) -> _Numbered:
        """Add one more at the end."""
        if not isinstance(module, Module):
            raise TypeError(
                f"{type(self).__name__} got {module!r}; expected modules: pass an activation as nn.ReLU()"
            )
        setattr(self, str(len(self)), module)
        return self

    def __len__(self) -> int:
        return sum(1 for _ in self.named_children())

    def __iter__(self) -> Iterator[Module]:
        return self.children()

    def _slice(self, index: int | slice) -> Any:
        modules = list(self)
        return type(self)(*self._arguments(modules[index])) if isinstance(index, slice) else modules[index]

    def _arguments(self, modules: list[Module]) -> tuple[Any, ...]:
        return (modules,)

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> _Numbered: ...
    def __getitem__(self, index: int | slice) -> Any:
        return self._slice(index)


class Sequential(_Numbered):
    """Modules one after the other.

    Parameters
    ----------
    *modules : Module, or one mapping of str to Module

    Examples
    --------
    >>> import numpy as np
    >>> from convkit import nn
    >>> model = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Flatten())
    >>> model(np.zeros((2, 3, 32, 32), np.float32)).shape
    (2, 2048)
    """

    def __init__(self, *modules: Any) -> None:
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            for name, module in modules[0].items():
                setattr(self, name, module)
        else:
            super().__init__(modules)

    def _arguments(self, modules: list[Module]) -> tuple[Any, ...]:
        return tuple(modules)

    def forward(self, input: Any) -> Any:
        """Each module of what the one before gave; a batch norm and the ReLU after it are one pass."""
        modules, fused = list(self.children()), False
        for module, after in zip(modules, [*modules[1:], None], strict=True):
            if fused:
                trace.ran(module, input.shape, input.shape)
                fused = False
                continue
            fused = takes_relu(module, after)
            input = module(input, rectified=True) if fused else module(input)
        return input

    def _shape(self, shape: Shape) -> Shape:
        for module in self.children():
            shape = shape_after(module, shape)
        return shape


def takes_relu(module: Any, after: Any) -> bool:
    """Whether `module` is a batch norm that does the work of the ReLU `after` it: nobody looks between."""
    return (
        type(module) is BatchNorm2d
        and type(after) is ReLU
        and type(module).forward is NORM
        and type(after).forward is RELU
        and "forward" not in {**vars(module), **vars(after)}
        and not (module._hooks or after._hooks or after._pre_hooks)
    )


class ModuleList(_Numbered):
    """A list of modules; its owner calls them.

    Examples
    --------
    >>> from convkit import nn
    >>> len(nn.ModuleList([nn.Linear(2, 2) for _ in range(3)]))
    3
    """


class ModuleDict(Module):
    """Modules by name; its owner calls them."""

    def __init__(self, modules: Mapping[str, Module] | None = None) -> None:
        for name, module in (modules or {}).items():
            self[name] = module

    def __setitem__(self, name: str, module: Module) -> None:
        if hasattr(type(self), name):
            raise KeyError(f"{name!r} is a method of ModuleDict; take another name")
        setattr(self, name, module)

    def __getitem__(self, name: str) -> Module:
        return dict(self.named_children())[name]

    def __len__(self) -> int:
        return len(self.keys())

    def __contains__(self, name: object) -> bool:
        return name in self.keys()

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def keys(self) -> list[str]:
        """The names."""
        return [name for name, _ in self.named_children()]

    def values(self) -> list[Module]:
        """The modules."""
        return list(self.children())

    def items(self) -> list[tuple[str, Module]]:
        """Names and modules."""
        return list(self.named_children())


class Identity(Pointwise):
    """Gives what it gets; arguments are taken and forgotten."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def forward(self, input: Any) -> Any:
        """The input."""
        return input

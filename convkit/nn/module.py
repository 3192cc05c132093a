"""`Module`: layers and networks. Parameters, buffers and other modules are plain attributes of it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import numpy as np

from convkit._checks import FLOATS, Array
from convkit.nn import trace
from convkit.nn.autograd import no_grad
from convkit.nn.diagnosis import is_ours, no_tensor
from convkit.nn.parameter import Parameter
from convkit.nn.state import LoadResult, load_arrays
from convkit.nn.tensor import Tensor, as_array
from convkit.nn.trace import Shape
from convkit.shapes import Axis

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

Hook: TypeAlias = Callable[..., Any]


class Module:
    """The base of layers and networks.

    A subclass makes its layers and parameters attributes in ``__init__`` and computes in ``forward``. Called
    with tensors a module gives tensors, and records; called with arrays it gives arrays, and records nothing.

    Attributes
    ----------
    training : bool
        Set by `train` and `eval`: dropout and batch normalisation differ.

    Examples
    --------
    >>> import numpy as np
    >>> from convkit import nn
    >>> class Net(nn.Module):
    ...     def __init__(self):
    ...         self.conv, self.head = nn.Conv2d(1, 4, 3, padding=1), nn.Linear(4, 2)
    ...     def forward(self, x):
    ...         return self.head(nn.functional.relu(self.conv(x)).mean((2, 3)))
    >>> Net()(np.zeros((5, 1, 8, 8), np.float32)).shape
    (5, 2)
    """

    training = True
    _buffers: Mapping[str, bool] = {}
    _axes: tuple[int, ...] = ()
    """How many axes an input may have, where a layer takes no others."""
    # Layers whose sizes are arithmetic say them too: `_shape(shape)` is what `forward` gives for a shape, and
    # refused as `forward` refuses it; `_windows(shape)` the axes of the windows that outputs see in `eval`
    # mode, down and across, None where they have no one size. `trace.says` asks whether they hold.
    _hooks: tuple[Hook, ...] = ()
    _pre_hooks: tuple[Hook, ...] = ()

    forward: Callable[..., Any]

    # ---- calls --------------------------------------------------------------------------------------

    def __call__(self, *inputs: Any, **arguments: Any) -> Any:
        """Compute `forward`: tensors in, tensors out; arrays in, arrays out.

        Raises
        ------
        LayerError
            A layer refused its input: tells the shapes up to it, the likely cause and what mends it.
        """
        for value in (*inputs, *arguments.values()):
            if isinstance(value, Tensor):
                return self._traced(inputs, arguments)
        with no_grad():
            wrapped = [Tensor(as_array(value)) if _is_array(value) else value for value in inputs]
            return _plain(self._traced(wrapped, arguments))

    def _traced(self, inputs: Iterable[Any], arguments: dict[str, Any]) -> Any:
        """With this thread's list of the layers that ran, made by the outermost call."""
        if trace.running.get() is not None:
            return self._run(inputs, arguments)
        token = trace.running.set([])
        try:
            return self._run(inputs, arguments)
        finally:
            trace.running.reset(token)

    def _run(self, inputs: Iterable[Any], arguments: dict[str, Any]) -> Any:
        inputs = tuple(inputs)
        for hook in self._pre_hooks:
            changed = hook(self, inputs)
            if changed is not None:
                inputs = changed if isinstance(changed, tuple) else (changed,)
        try:
            output = self.forward(*inputs, **arguments)
        except trace.LayerError:
            raise
        except (ValueError, TypeError, AttributeError) as error:
            if not inputs:
                raise
            if any(self.children()):
                if type(error) is not ValueError or is_ours(self) or trace.is_own(error):
                    raise
                raise trace.explained_between(error, self, getattr(inputs[0], "shape", ())) from error
            strange = [value for value in inputs if not isinstance(value, Tensor)]
            if strange and is_ours(self) and (isinstance(error, AttributeError) or strange[0] is inputs[0]):
                raise TypeError(no_tensor(type(self).__name__, strange[0])) from error
            if isinstance(error, AttributeError) or not isinstance(inputs[0], Tensor):
                raise
            if isinstance(error, TypeError) and not self._computes_otherwise(inputs[0].dtype):
                raise
            if not is_ours(self) and isinstance(error, ValueError) and trace.is_own(error):
                raise
            raise trace.explained(error, self, inputs[0].shape, inputs) from error
        for hook in self._hooks:
            changed = hook(self, inputs, output)
            output = output if changed is None else changed
        if isinstance(output, Tensor) and inputs and isinstance(inputs[0], Tensor) and self._is_leaf():
            trace.ran(self, inputs[0]._data.shape, output._data.shape)
        return output

    def _is_leaf(self) -> bool:
        """Whether no module is an attribute of this one."""
        return not any([isinstance(value, Module) for value in vars(self).values()])  # noqa: C419 (quicker)

    def _computes_otherwise(self, dtype: np.dtype[Any]) -> bool:
        """Whether numbers of this dtype are none that the layer computes with."""
        return dtype not in FLOATS or any(p.dtype != dtype for p in self.parameters())

    # ---- what it is made of -------------------------------------------------------------------------

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules that are attributes of this one."""
        return ((name, value) for name, value in vars(self).items() if isinstance(value, Module))

    def children(self) -> Iterator[Module]:
        """`named_children` without the names."""
        return (child for _, child in self.named_children())

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This module and all within it, each once."""
        seen: set[int] = set()
        stack = [(prefix, self)]
        while stack:
            name, module = stack.pop()
            if id(module) in seen:
                continue
            seen.add(id(module))
            yield name, module
            dot = f"{name}." if name else ""
            stack += [(dot + key, child) for key, child in module.named_children()][::-1]

    def modules(self) -> Iterator[Module]:
        """`named_modules` without the names."""
        return (module for _, module in self.named_modules())

    def named_parameters(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Parameter]]:
        """Every parameter once, with its path."""
        seen: set[int] = set()
        for path, module in self.named_modules(prefix) if recurse else [(prefix, self)]:
            for name, value in vars(module).items():
                if isinstance(value, Parameter) and id(value) not in seen:
                    seen.add(id(value))
                    yield (f"{path}.{name}" if path else name), value

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """`named_parameters` without the names."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Array]]:
        """Arrays that are part of the state and not learnt, with their paths."""
        for path, module in self.named_modules(prefix) if recurse else [(prefix, self)]:
            for name in module._buffers:
                if getattr(module, name) is not None:
                    yield (f"{path}.{name}" if path else name), getattr(module, name)

    def buffers(self, recurse: bool = True) -> Iterator[Array]:
        """`named_buffers` without the names."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def register_buffer(self, name: str, array: Array | None, persistent: bool = True) -> None:
        """Make an array part of the state, and of `state_dict` where it is `persistent`."""
        self._buffers = {**self._buffers, name: persistent}
        setattr(self, name, array)

    def register_parameter(self, name: str, parameter: Parameter | None) -> None:
        """Make `parameter` an attribute."""
        setattr(self, name, parameter)

    def add_module(self, name: str, module: Module) -> None:
        """Make `module` an attribute."""
        setattr(self, name, module)

    def get_submodule(self, target: str) -> Module:
        """The module at a path such as "features.0"."""
        found: Any = self
        for name in target.split(".") if target else []:
            found = getattr(found, name, None)
            if not isinstance(found, Module):
                raise AttributeError(f"there is no module {target!r}; see named_modules()")
        return found  # type: ignore[no-any-return]

    # ---- modes --------------------------------------------------------------------------------------

    def train(self, mode: bool = True) -> Self:
        """Set `training` here and in all modules within."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """``train(False)``."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Set `requires_grad` of every parameter: False keeps a part of a network as it is."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters():
            parameter.grad = None

    def apply(self, function: Callable[[Module], object]) -> Self:
        """Call `function` with every module, those within first."""
        for module in list(self.modules())[::-1]:
            function(module)
        return self

    def to(self, dtype: DTypeLike) -> Self:
        """Convert parameters, and buffers of floats, to `dtype`."""
        for module in self.modules():
            for name, value in vars(module).items():
                if isinstance(value, Parameter):
                    value._data, value.grad = value.data.astype(dtype), None
                elif name in module._buffers and value is not None and value.dtype.kind == "f":
                    setattr(module, name, value.astype(dtype))
        return self

    def float(self) -> Self:
        """Convert to float32."""
        return self.to(np.float32)

    def double(self) -> Self:
        """Convert to float64."""
        return self.to(np.float64)

    def freeze(self) -> Module:
        """The fast form for inference: see `convkit.nn.freeze`."""
        from convkit.nn.frozen import freeze

        return freeze(self)

    # ---- hooks --------------------------------------------------------------------------------------

    def register_forward_pre_hook(self, hook: Hook) -> Callable[[], None]:
        """Call ``hook(module, inputs)`` before `forward`; a result takes the inputs' place.

        Returns
        -------
        callable
            Takes the hook off again.
        """
        self._pre_hooks = (*self._pre_hooks, hook)

        def remove() -> None:
            self._pre_hooks = tuple(h for h in self._pre_hooks if h is not hook)

        return remove

    def register_forward_hook(self, hook: Hook) -> Callable[[], None]:
        """Call ``hook(module, inputs, output)`` after `forward`; a result takes the output's place.

        Returns
        -------
        callable
            Takes the hook off again.
        """
        self._hooks = (*self._hooks, hook)

        def remove() -> None:
            self._hooks = tuple(h for h in self._hooks if h is not hook)

        return remove

    # ---- state --------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Array]:
        """Copies of all parameters and persistent buffers, by their paths: PyTorch's names and shapes."""
        return {name: array.copy() for name, array in self._state().items()}

    def _state(self) -> dict[str, Array]:
        """The arrays themselves."""
        found: dict[str, Array] = {}
        for path, module in self.named_modules():
            dot = f"{path}." if path else ""
            own = vars(module)
            found |= {dot + n: p.data for n, p in own.items() if isinstance(p, Parameter)}
            found |= {dot + n: own[n] for n, kept in module._buffers.items() if kept and own[n] is not None}
        return found

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> LoadResult:
        """Write arrays into the parameters and buffers of their names.

        Everything is checked first: where anything does not fit, nothing is changed.

        Parameters
        ----------
        state_dict : mapping of str to array_like
            As `state_dict` gives it, here or in PyTorch.
        strict : bool
            Refuse names that are missing or unknown. Shapes and dtypes have to fit in any case.

        Returns
        -------
        LoadResult
            ``missing_keys`` and ``unexpected_keys``.

        Raises
        ------
        KeyError
            Names do not match, and `strict`.
        ValueError, TypeError
            A shape, or a dtype that would be narrowed, does not match.
        """
        state_dict = self._by_first_names(state_dict)
        for path, module in self.named_modules():
            module._prepare(path, state_dict)
        return load_arrays(self._state(), state_dict, strict)

    def _by_first_names(self, state_dict: Mapping[str, Any]) -> Mapping[str, Any]:
        """What is listed under each path of a shared module, under the path that `named_modules` gives."""
        first = {id(module): path for path, module in self.named_modules()}
        others: dict[str, str] = {}
        stack: list[tuple[str, Module, tuple[Module, ...]]] = [("", self, ())]
        while stack:
            path, module, around = stack.pop()
            if path != first[id(module)]:
                others[path] = first[id(module)]
            dot, around = f"{path}." if path else "", (*around, module)
            stack += [
                (dot + name, child, around) for name, child in module.named_children() if child not in around
            ]
        if not others:
            return state_dict
        found = {name: value for name, value in state_dict.items() if name.rpartition(".")[0] not in others}
        for name, value in state_dict.items():
            path, _, own = name.rpartition(".")
            if path in others:
                found.setdefault(f"{others[path]}.{own}" if others[path] else own, value)
        return found

    def _prepare(self, path: str, state_dict: Mapping[str, Any]) -> None:
        """Called before loading: a lazy layer looks at the shapes that come."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        twin = type(self).__new__(type(self))
        memo[id(self)] = twin
        twin.__dict__.update({name: copy.deepcopy(value, memo) for name, value in vars(self).items()})
        return twin

    # ---- text ---------------------------------------------------------------------------------------

    def extra_repr(self) -> str:
        """The arguments, for `repr`."""
        return ""

    def __repr__(self) -> str:
        rows = [f"  ({name}): " + repr(child).replace("\n", "\n  ") for name, child in self.named_children()]
        body = "\n" + "\n".join(rows) + "\n" if rows else self.extra_repr()
        return f"{type(self).__name__}({body})"


class Pointwise(Module):
    """The base of layers that compute each number of the output from the one in its place."""

    def _shape(self, shape: Shape) -> Shape:
        return shape

    def _windows(self, shape: Shape) -> Sequence[Axis] | None:
        return [Axis("", n, 1, 1, 1) for n in shape[-2:]]


def _is_array(value: Any) -> bool:
    return value is not None and (
        isinstance(value, (np.ndarray, list, tuple, np.generic)) or hasattr(value, "__array__")
    )


def _plain(value: Any) -> Any:
    """Tensors in a result as arrays."""
    if isinstance(value, Tensor):
        return value.data
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(_plain, value))
    if isinstance(value, (list, tuple)):
        return type(value)(map(_plain, value))
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value

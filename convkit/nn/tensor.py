"""`Tensor`: an array that remembers what it was computed from."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from convkit import _checks
from convkit._checks import Array
from convkit.nn import autograd
from convkit.nn.autograd import Node, Saved
from convkit.nn.rules import arithmetic, arrangement, reduction
from convkit.nn.rules.result import Rule

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

Number: TypeAlias = float
Operand: TypeAlias = "Tensor | Array | float"
Dim: TypeAlias = int | Sequence[int] | None


class Tensor:
    """An array with a gradient.

    Operations on tensors are recorded wherever one of them has ``requires_grad=True``; `backward` of what
    came
    out puts the gradient into `grad` of those that it was computed from.

    Parameters
    ----------
    data : array_like or Tensor
        An array is taken as it is and not copied. Lists of floats become float32.
    requires_grad : bool
        Whether `backward` is to fill `grad`; of float32 and float64 only.
    dtype : dtype, optional
        What `data` is converted to.

    Attributes
    ----------
    data : ndarray
        Read-only where the tensor was computed and is part of a tape.
    grad : Tensor or None
        Summed over calls of `backward` until it is set to None, as `Module.zero_grad` does.
    requires_grad : bool

    Raises
    ------
    TypeError
        `data` is no array of numbers, or of integers with ``requires_grad=True``.

    Examples
    --------
    >>> from convkit import nn
    >>> x = nn.Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    >>> loss = (x * x).sum()
    >>> loss.backward()
    >>> x.grad
    Tensor([[2., 4.],
            [6., 8.]], dtype=float32)
    """

    __slots__ = ("__weakref__", "_data", "_foreign", "_grad", "_node", "requires_grad")

    __array_ufunc__ = None  # `array * tensor` is ours to compute
    __hash__ = object.__hash__

    def __init__(
        self, data: ArrayLike | Tensor, requires_grad: bool = False, *, dtype: DTypeLike | None = None
    ) -> None:
        self._data = as_array(data, dtype)
        if requires_grad and self._data.dtype not in _checks.FLOATS:
            raise TypeError(
                f"data has dtype {self._data.dtype}; gradients are float32 or float64: pass dtype=np.float32"
            )
        self.requires_grad = bool(requires_grad)
        self._grad: Tensor | None = None
        self._node: Node | None = None
        self._foreign = True

    # ---- the array ----------------------------------------------------------------------------------

    @property
    def data(self) -> Array:
        """The array itself."""
        return self._data

    @data.setter
    def data(self, value: ArrayLike | Tensor) -> None:
        array = as_array(value, self._data.dtype)
        if array.shape != self._data.shape:
            raise ValueError(f"data has shape {array.shape}; the tensor's is {self._data.shape}")
        self._data = array

    @property
    def grad(self) -> Tensor | None:
        """The gradient, in the tensor's shape; None until `backward`."""
        return self._grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            if not isinstance(value, Tensor):
                raise TypeError(f"grad is {type(value).__name__}; expected a Tensor: pass nn.Tensor(grad)")
            if value.shape != self.shape:
                raise ValueError(f"grad has shape {value.shape}; expected the tensor's, {self.shape}")
        self._grad = value

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the array."""
        shape: tuple[int, ...] = self._data.shape
        return shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the array."""
        return self._data.dtype

    @property
    def ndim(self) -> int:
        """Axes of the array."""
        return self._data.ndim

    @property
    def T(self) -> Tensor:
        """The axes reversed."""
        return self.permute(*range(self.ndim)[::-1])

    @property
    def is_leaf(self) -> bool:
        """Whether it was given, and not computed on a tape."""
        return self._node is None or self._node.accept is not None

    def size(self, dim: int | None = None) -> Any:
        """The shape, or one axis' length."""
        return self.shape if dim is None else self.shape[dim]

    def dim(self) -> int:
        """The number of axes."""
        return self.ndim

    def numel(self) -> int:
        """The number of elements."""
        return self._data.size

    def numpy(self) -> Array:
        """The array, where no gradient would be cut; else `detach` says that it is meant.

        Raises
        ------
        RuntimeError
            The tensor requires a gradient.
        """
        if self.requires_grad:
            raise RuntimeError(
                "this tensor requires a gradient, which NumPy would cut: pass tensor.detach().numpy()"
            )
        return self._data

    def item(self) -> Any:
        """The only element, as a number of Python's."""
        return self._data.item()

    def tolist(self) -> Any:
        """Nested lists of numbers of Python's."""
        return self._data.tolist()

    def detach(self) -> Tensor:
        """A tensor of the same array that is on no tape."""
        return _of(self._data)

    def clone(self) -> Tensor:
        """A copy, on the tape."""
        return self + 0 if self.requires_grad else Tensor(self._data.copy())

    def astype(self, dtype: DTypeLike) -> Tensor:
        """In another dtype."""
        return apply(arithmetic.astype, self, dtype=np.dtype(dtype))

    def float(self) -> Tensor:
        """In float32."""
        return self.astype(np.float32)

    def double(self) -> Tensor:
        """In float64."""
        return self.astype(np.float64)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Set `requires_grad` of a tensor that was given."""
        if not self.is_leaf:
            raise RuntimeError("this tensor was computed: pass tensor.detach() to cut it off its tape")
        if requires_grad and self.dtype not in _checks.FLOATS:
            raise TypeError(f"dtype is {self.dtype}; gradients are float32 or float64")
        self.requires_grad = requires_grad
        return self

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Array:
        array = self.numpy()
        return np.array(array, dtype, copy=copy)

    def __dlpack__(self, **arguments: Any) -> Any:
        array = self.numpy()
        return (array if array.flags.writeable else array.copy()).__dlpack__(**arguments)

    def __dlpack_device__(self) -> Any:
        return self._data.__dlpack_device__()

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if not self.is_leaf:
            raise RuntimeError("this tensor was computed; copy tensor.detach() instead")
        copy = type(self)(self._data.copy(), self.requires_grad)
        memo[id(self)] = copy
        return copy

    def __repr__(self) -> str:
        text = np.array2string(self._data, separator=", ", prefix=" " * 7, threshold=200)
        tail = ", requires_grad=True" if self.requires_grad else ""
        return f"Tensor({text}, dtype={self.dtype}{tail})"

    def __len__(self) -> int:
        return len(self._data)

    def __bool__(self) -> bool:
        return bool(self._data)

    def __float__(self) -> Number:
        return float(self._data.item())

    def __int__(self) -> int:
        return int(self._data.item())

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    # ---- the gradient -------------------------------------------------------------------------------

    def backward(self, gradient: ArrayLike | Tensor | None = None, retain_graph: bool = False) -> None:
        """Add the gradient to `grad` of every tensor that this one was computed from.

        Parameters
        ----------
        gradient : array_like or Tensor, optional
            Of this tensor, in its shape; 1 where it has a single element.
        retain_graph : bool
            Keep the tape for another call. Else its memory is freed, step by step.

        Raises
        ------
        RuntimeError
            Nothing was recorded; several elements and no `gradient`; the tape was freed by an earlier call;
            an
            array that was saved for the gradient was changed in place.
        ValueError
            `gradient` has another shape.
        """
        if not self.requires_grad:
            raise RuntimeError(
                "nothing here requires a gradient: make the input nn.Tensor(x, requires_grad=True), or "
                "call the "
                "model with a Tensor instead of an ndarray, outside of nn.no_grad()"
            )
        if gradient is None:
            if self.numel() != 1:
                raise RuntimeError(
                    f"backward() of shape {self.shape} needs a gradient of that shape; "
                    "reduce it to a number first: tensor.sum().backward()"
                )
            start = np.ones(self.shape, self.dtype)
        else:
            start = np.array(as_array(gradient, self.dtype), copy=True)
            if start.shape != self.shape:
                raise ValueError(f"gradient has shape {start.shape}; expected {self.shape}")
        autograd.backward(self._place(), start, retain_graph)

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> Callable[[], None]:
        """Call `hook` with the gradient when it arrives; what it returns, if anything, goes on instead.

        Returns
        -------
        callable
            Takes the hook off again.
        """
        node = self._place()

        def call(gradient: Array) -> Array | None:
            changed = hook(Tensor(gradient))
            return None if changed is None else as_array(changed, gradient.dtype)

        node.hooks.append(call)
        return lambda: node.hooks.remove(call)

    def _place(self) -> Node:
        """The node on the tape; a leaf's is made when it is first used."""
        if self._node is None:
            me = weakref.ref(self)  # a tape does not keep its leaves alive

            def accept(gradient: Array) -> None:
                if (tensor := me()) is not None:
                    tensor._accumulate(gradient)

            self._node = Node("leaf", accept=accept)
        return self._node

    def _accumulate(self, gradient: Array) -> None:
        total = gradient if self.grad is None else np.asarray(self.grad.data + gradient)
        total = np.asarray(total, self._data.dtype).view()
        total.flags.writeable = False  # it may lie in the memory of another's gradient
        self._grad = _of(total)

    # ---- arithmetic ---------------------------------------------------------------------------------

    def __add__(self, other: Operand) -> Tensor:
        return apply(arithmetic.add, self, other)

    def __radd__(self, other: Operand) -> Tensor:
        return apply(arithmetic.add, other, self)

    def __sub__(self, other: Operand) -> Tensor:
        return apply(arithmetic.subtract, self, other)

    def __rsub__(self, other: Operand) -> Tensor:
        return apply(arithmetic.subtract, other, self)

    def __mul__(self, other: Operand) -> Tensor:
        return apply(arithmetic.multiply, self, other)

    def __rmul__(self, other: Operand) -> Tensor:
        return apply(arithmetic.multiply, other, self)

    def __truediv__(self, other: Operand) -> Tensor:
        return apply(arithmetic.divide, self, other)

    def __rtruediv__(self, other: Operand) -> Tensor:
        return apply(arithmetic.divide, other, self)

    def __pow__(self, other: Operand) -> Tensor:
        return apply(arithmetic.power, self, other)

    def __rpow__(self, other: Operand) -> Tensor:
        return apply(arithmetic.power, other, self)

    def __matmul__(self, other: Tensor | Array) -> Tensor:
        return apply(arithmetic.matmul, self, other)

    def __rmatmul__(self, other: Tensor | Array) -> Tensor:
        return apply(arithmetic.matmul, other, self)

    def __neg__(self) -> Tensor:
        return apply(arithmetic.negative, self)

    def __abs__(self) -> Tensor:
        return apply(arithmetic.absolute, self)

    def exp(self) -> Tensor:
        """The exponential of each element."""
        return apply(arithmetic.exp, self)

    def log(self) -> Tensor:
        """The natural logarithm of each element."""
        return apply(arithmetic.log, self)

    def sqrt(self) -> Tensor:
        """The square root of each element."""
        return apply(arithmetic.sqrt, self)

    def abs(self) -> Tensor:
        """The magnitude of each element."""
        return abs(self)

    def tanh(self) -> Tensor:
        """The hyperbolic tangent of each element."""
        return apply(arithmetic.tanh, self)

    def pow(self, exponent: Operand) -> Tensor:
        """Each element to the power of `exponent`."""
        return self**exponent

    def clamp(self, min: Number | None = None, max: Number | None = None) -> Tensor:
        """Each element, at least `min` and at most `max`."""
        return apply(arithmetic.clip, self, low=min, high=max)

    # ---- comparisons: no gradient -------------------------------------------------------------------

    def __eq__(self, other: object) -> Tensor:  # type: ignore[override] # of each element
        return Tensor(np.equal(self._data, _raw(other)))

    def __ne__(self, other: object) -> Tensor:  # type: ignore[override]
        return Tensor(np.not_equal(self._data, _raw(other)))

    def __lt__(self, other: Any) -> Tensor:
        return Tensor(np.less(self._data, _raw(other)))

    def __le__(self, other: Any) -> Tensor:
        return Tensor(np.less_equal(self._data, _raw(other)))

    def __gt__(self, other: Any) -> Tensor:
        return Tensor(np.greater(self._data, _raw(other)))

    def __ge__(self, other: Any) -> Tensor:
        return Tensor(np.greater_equal(self._data, _raw(other)))

    def argmax(self, dim: int | None = None, keepdim: bool = False) -> Tensor:
        """Where the greatest element is, along `dim`."""
        return Tensor(np.asarray(np.argmax(self._data, dim, keepdims=keepdim)))

    def argmin(self, dim: int | None = None, keepdim: bool = False) -> Tensor:
        """Where the least element is, along `dim`."""
        return Tensor(np.asarray(np.argmin(self._data, dim, keepdims=keepdim)))

    # ---- reductions ---------------------------------------------------------------------------------

    def sum(self, dim: Dim = None, keepdim: bool = False) -> Tensor:
        """The sum along `dim`, of all axes where it is None."""
        return apply(reduction.total, self, axes=self._axes(dim), keepdims=keepdim)

    def mean(self, dim: Dim = None, keepdim: bool = False) -> Tensor:
        """The mean along `dim`."""
        return apply(reduction.mean, self, axes=self._axes(dim), keepdims=keepdim)

    def var(self, dim: Dim = None, *, correction: int = 1, keepdim: bool = False) -> Tensor:
        """The variance along `dim`, over n - `correction`."""
        axes = self._axes(dim)
        return apply(reduction.variance, self, axes=axes, correction=correction, keepdims=keepdim)

    def std(self, dim: Dim = None, *, correction: int = 1, keepdim: bool = False) -> Tensor:
        """The square root of `var`."""
        return self.var(dim, correction=correction, keepdim=keepdim).sqrt()

    def amax(self, dim: Dim = None, keepdim: bool = False) -> Tensor:
        """The greatest along `dim`; equal ones share the gradient."""
        return apply(reduction.extreme, self, axes=self._axes(dim), keepdims=keepdim, greatest=True)

    def amin(self, dim: Dim = None, keepdim: bool = False) -> Tensor:
        """The least along `dim`; equal ones share the gradient."""
        return apply(reduction.extreme, self, axes=self._axes(dim), keepdims=keepdim, greatest=False)

    def max(self, dim: Dim = None, keepdim: bool = False) -> Tensor:
        """`amax`; where the greatest is, `argmax` tells."""
        return self.amax(dim, keepdim)

    def min(self, dim: Dim = None, keepdim: bool = False) -> Tensor:
        """`amin`; where the least is, `argmin` tells."""
        return self.amin(dim, keepdim)

    def softmax(self, dim: int) -> Tensor:
        """exp(x) / Σ exp(x) along `dim`."""
        return apply(reduction.softmax, self, axis=dim)

    def log_softmax(self, dim: int) -> Tensor:
        """The logarithm of `softmax`, without its rounding."""
        return apply(reduction.log_softmax, self, axis=dim)

    def _axes(self, dim: Dim) -> tuple[int, ...]:
        if dim is None:
            return tuple(range(self.ndim))
        axes = tuple(dim) if isinstance(dim, Sequence) else (dim,)
        return tuple(
            axis % self.ndim if -self.ndim <= axis < self.ndim else _no_axis(axis, self) for axis in axes
        )

    # ---- shapes -------------------------------------------------------------------------------------

    def reshape(self, *shape: Any) -> Tensor:
        """The same elements in another shape, of which one length may be -1."""
        return apply(arrangement.reshape, self, shape=_lengths(shape))

    view = reshape

    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> Tensor:
        """The axes from `start_dim` to `end_dim` made one."""
        first, last = (axis % max(self.ndim, 1) for axis in (start_dim, end_dim))
        return self.reshape(*self.shape[:first], -1, *self.shape[last + 1 :])

    def permute(self, *dims: Any) -> Tensor:
        """The axes in another order."""
        return apply(arrangement.permute, self, axes=tuple(axis % self.ndim for axis in _lengths(dims)))

    def transpose(self, dim0: int, dim1: int) -> Tensor:
        """Two axes exchanged."""
        axes = list(range(self.ndim))
        axes[dim0], axes[dim1] = axes[dim1], axes[dim0]
        return self.permute(*axes)

    def squeeze(self, dim: int | None = None) -> Tensor:
        """Without axes of length 1, or without this one if it is."""
        if dim is None:
            return self.reshape(*(n for n in self.shape if n != 1))
        axis = dim % self.ndim
        return self if self.shape[axis] != 1 else self.reshape(*self.shape[:axis], *self.shape[axis + 1 :])

    def unsqueeze(self, dim: int) -> Tensor:
        """With an axis of length 1 more, at `dim`."""
        axis = dim % (self.ndim + 1)
        return self.reshape(*self.shape[:axis], 1, *self.shape[axis:])

    def expand(self, *shape: Any) -> Tensor:
        """Repeated along axes of length 1; -1 leaves an axis as it is."""
        lengths = _lengths(shape)
        before = (-1,) * (len(lengths) - self.ndim) + self.shape
        return apply(
            arrangement.expand,
            self,
            shape=tuple(o if n == -1 else n for n, o in zip(lengths, before, strict=True)),
        )

    def __getitem__(self, index: Any) -> Tensor:
        parts = tuple(_raw(part) for part in index) if isinstance(index, tuple) else _raw(index)
        return apply(arrangement.take, self, index=parts)


def as_array(value: Any, dtype: DTypeLike | None = None) -> Array:
    """`value` as an array: a tensor's own, an ndarray as it is, lists of floats as float32."""
    if isinstance(value, Tensor):
        array = value.data
    elif isinstance(value, np.ndarray):
        array = value
    elif value is None:
        raise TypeError("data is None; expected an array")
    else:
        array = np.asarray(value)
        if array.dtype == np.float64 and isinstance(value, (float, list, tuple)) and dtype is None:
            array = array.astype(np.float32)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"data has dtype {array.dtype}; expected real numbers")
    return array if dtype is None else array.astype(dtype, copy=False)


def _raw(value: Any) -> Any:
    return value.data if isinstance(value, Tensor) else value


def _lengths(given: tuple[Any, ...]) -> tuple[int, ...]:
    """The numbers of ``f(2, 3)`` and of ``f((2, 3))``."""
    return tuple(given[0]) if len(given) == 1 and isinstance(given[0], Sequence) else given


def _no_axis(axis: int, tensor: Tensor) -> int:
    raise ValueError(f"dim is {axis}; the tensor has shape {tensor.shape}, {tensor.ndim} axes")


def apply(rule: Rule, *inputs: Any, **arguments: Any) -> Tensor:
    """The result of a `rule` as a tensor, recorded where an input requires a gradient."""
    recording = autograd.is_grad_enabled()
    arrays: list[Any] = []
    needs: list[bool] = []
    parents: list[Node | None] = []
    foreign: set[int] = set()
    for value in inputs:
        need, array, given = False, value, True
        if isinstance(value, Tensor):
            need, array, given = recording and value.requires_grad, value._data, value._foreign
        arrays.append(array)
        needs.append(need)
        parents.append(value._place() if need else None)
        if given:
            foreign.add(id(array))
    output, backward, saved, view = rule(tuple(needs), *arrays, **arguments)
    tensor = _of(np.asarray(output))
    tensor.requires_grad = True in needs
    watch = autograd.watching.get()
    if watch is not None:
        watch(rule, inputs, tensor)
    if not tensor.requires_grad:
        return tensor
    output = tensor._data
    tensor._foreign = view and any(id(array) in foreign for array in arrays)
    if output.flags.writeable:
        tensor._data = output = output.view() if view else output
        output.flags.writeable = False
    name = rule.__name__
    marks = [Saved(array, name) for array in saved if id(array) in foreign]
    tensor._node = Node(name, parents, backward, marks)
    return tensor


def _of(array: Array) -> Tensor:
    """A tensor of an array that is known to be one of numbers, on no tape."""
    tensor = Tensor.__new__(Tensor)
    tensor._data, tensor.requires_grad = array, False
    tensor._grad, tensor._node, tensor._foreign = None, None, True
    return tensor

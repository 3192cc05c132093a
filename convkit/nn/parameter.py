"""`Parameter`: a tensor that a module learns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from convkit.nn.tensor import Tensor, as_array

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


class Parameter(Tensor):
    """A tensor that a module counts among its parameters when it becomes an attribute.

    Parameters
    ----------
    data : array_like or Tensor
        Copied: optimisers change a parameter's array in place.
    requires_grad : bool
        False keeps it as it is: no gradient, no step.

    Examples
    --------
    >>> from convkit import nn
    >>> nn.Parameter([1.0, 2.0]).requires_grad
    True
    """

    __slots__ = ()

    def __init__(self, data: ArrayLike | Tensor, requires_grad: bool = True) -> None:
        super().__init__(as_array(data).copy(), requires_grad)

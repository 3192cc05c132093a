"""The tape: what was computed from what, and the walk back along it. It knows arrays alone, no tensors.

A `Node` is one operation that was recorded: its parents, and a function that turns the gradient of its output
into those of its inputs. `backward` walks from a node to the leaves, each node once, after all that follow
it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeAlias

import numpy as np

from convkit._checks import Array
from convkit.ops.mark import fingerprint

Gradients: TypeAlias = Sequence[Array | None]
Backward: TypeAlias = Callable[[Array], Gradients]
"""The gradient of an output to those of the inputs, None where none is wanted."""

_recording: ContextVar[bool] = ContextVar("convkit_recording", default=True)
watching: ContextVar[Callable[[Any, Any, Any], None] | None] = ContextVar("convkit_watching", default=None)
"""Called with the rule, the inputs and the result of every operation, in this thread or task."""


def is_grad_enabled() -> bool:
    """Whether operations are recorded, in this thread or task."""
    return _recording.get()


@contextmanager
def no_grad() -> Iterator[None]:
    """Record nothing inside a ``with`` block, in this thread or task alone.

    Examples
    --------
    >>> from convkit import nn
    >>> x = nn.Tensor([1.0, 2.0], requires_grad=True)
    >>> with nn.no_grad():
    ...     (x * 2).requires_grad
    False
    """
    token = _recording.set(False)
    try:
        yield
    finally:
        _recording.reset(token)


@contextmanager
def enable_grad() -> Iterator[None]:
    """Record inside a ``with`` block, though it lies in one of `no_grad`."""
    token = _recording.set(True)
    try:
        yield
    finally:
        _recording.reset(token)


class Saved:
    """An array of the user's that a backward step will read, and what it held when it was saved.

    Results of operations are read-only, so that a change is refused where it is made; an array that came from
    outside is looked at again before it is used.
    """

    __slots__ = ("array", "mark", "name")

    def __init__(self, array: Array, name: str) -> None:
        self.array, self.name, self.mark = array, name, fingerprint(array)

    def check(self) -> None:
        """Refuse to go on if the array was changed in place."""
        if fingerprint(self.array) != self.mark:
            raise RuntimeError(
                f"an array of shape {self.array.shape} that {self.name} saved for its gradient was "
                f"changed in "
                "place before backward(): give nn.Tensor a copy of its own (nn.Tensor(array.copy())), or "
                "change "
                "it after backward()"
            )


class Node:
    """One operation on the tape, or a leaf, whose `accept` takes the gradient that arrives."""

    __slots__ = ("accept", "backward", "hooks", "name", "parents", "saved")

    def __init__(
        self,
        name: str,
        parents: Sequence[Node | None] = (),
        backward: Backward | None = None,
        saved: Sequence[Saved] = (),
        accept: Callable[[Array], None] | None = None,
    ) -> None:
        self.name, self.parents, self.backward, self.saved = name, tuple(parents), backward, tuple(saved)
        self.accept = accept
        self.hooks: list[Callable[[Array], Array | None]] = []

    def free(self) -> None:
        """Let go of everything that was kept for the gradient."""
        self.backward, self.parents, self.saved = None, (), ()


def backward(root: Node, gradient: Array, retain_graph: bool = False) -> None:
    """Carry `gradient` from `root` to all leaves; each node is freed as soon as it is done.

    Raises
    ------
    RuntimeError
        The tape was freed by an earlier walk, or an array that it needs was changed in place.
    """
    order = _following_first(root)
    waiting: dict[int, Array] = {id(root): gradient}
    own: set[int] = set()  # whose sum is an array of ours, that may be added to in place
    while order:
        node = order.pop()
        arrived = waiting.pop(id(node), None)
        if arrived is not None:
            for hook in node.hooks:
                changed = hook(arrived)
                arrived = arrived if changed is None else changed
            if node.accept is not None:
                node.accept(arrived)
            else:
                _step(node, arrived, waiting, own)
        del arrived
        if not retain_graph and node.accept is None:
            node.free()


def _step(node: Node, arrived: Array, waiting: dict[int, Array], own: set[int]) -> None:
    for saved in node.saved:
        saved.check()
    assert node.backward is not None  # `_following_first` has looked
    for parent, part in zip(node.parents, node.backward(arrived), strict=True):
        if parent is None or part is None:
            continue
        key = id(parent)
        if key not in waiting:
            waiting[key] = part
        elif key in own:
            np.add(waiting[key], part, out=waiting[key])
        else:
            waiting[key] = np.asarray(waiting[key] + part)
            own.add(key)


def _following_first(root: Node) -> list[Node]:
    """All nodes that `root` follows from, so that each comes before (left of) those that follow from it."""
    order: list[Node] = []
    seen = {id(root)}
    stack: list[tuple[Node, Iterator[Node | None]]] = [(root, iter(root.parents))]
    while stack:
        node, parents = stack[-1]
        for parent in parents:
            if parent is not None and id(parent) not in seen:
                seen.add(id(parent))
                stack.append((parent, iter(parent.parents)))
                break
        else:
            if node.accept is None and node.backward is None:
                raise RuntimeError(
                    f"the tape behind {node.name} was freed by an earlier backward(): compute the loss "
                    f"anew, or "
                    "pass backward(retain_graph=True) the first time"
                )
            order.append(node)
            stack.pop()
    return order

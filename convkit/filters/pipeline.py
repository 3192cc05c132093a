"""Chains of filters written as text: ``gaussian(sigma=1.4) | sobel``."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from numpy.typing import ArrayLike

from convkit import _checks
from convkit._checks import Array
from convkit.filters import registry
from convkit.filters.registry import Filter

EXAMPLE = "'gaussian(sigma=1.4) | sobel'"


class Stage(NamedTuple):
    """A filter and the arguments that the text gave it."""

    filter: Filter
    arguments: dict[str, Any]

    def __str__(self) -> str:
        listed = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        return f"{self.filter.name}({listed})" if listed else self.filter.name


@dataclass(frozen=True)
class Pipeline:
    """Filters applied in order; calling it filters an image, `str` gives the text back."""

    stages: tuple[Stage, ...]

    def __call__(self, image: ArrayLike) -> Array:
        """Apply the stages to an HW or HWC `image`."""
        result = _checks.image(image)
        for stage in self.stages:
            result = stage.filter.function(result, **stage.arguments)
        return result

    def __str__(self) -> str:
        return " | ".join(map(str, self.stages))


def parse(text: str) -> Pipeline:
    """The pipeline that `text` describes: names of filters with arguments, joined by ``|``.

    Arguments, positional or by name, are Python literals: numbers, strings, lists, tuples, booleans, None.
    Nothing in the text is evaluated.

    Raises
    ------
    ValueError
        The text is no pipeline, names an unknown filter, or an argument is unknown, missing or no literal.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> edges = ck.filters.parse("gaussian(sigma=1.4) | sobel('x')")
    >>> print(edges)
    gaussian(sigma=1.4) | sobel(direction='x')
    >>> edges(np.zeros((4, 4), np.uint8)).dtype
    dtype('float32')
    """
    if not isinstance(text, str):
        raise ValueError(f"a pipeline is text such as {EXAMPLE}; got {type(text).__name__}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # of text that is no chain, refused below
            tree = ast.parse(text.strip(), mode="eval").body
        return Pipeline(tuple(_stage(node) for node in _split(tree)))
    except SyntaxError as error:
        raise ValueError(f"cannot read the pipeline {text!r}: {error.msg}; expected e.g. {EXAMPLE}") from None
    except (RecursionError, MemoryError):
        raise ValueError(f"the pipeline is nested too deeply; expected e.g. {EXAMPLE}") from None


def _split(node: ast.expr) -> Iterator[ast.expr]:
    """The operands of a chain of ``|``, from left to right."""
    chain = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        chain.append(node.right)
        node = node.left
    yield node
    yield from reversed(chain)


def _stage(node: ast.expr) -> Stage:
    call = node if isinstance(node, ast.Call) else ast.Call(node, [], [])
    if not isinstance(call.func, ast.Name):
        raise ValueError(
            f"{ast.unparse(node)!r} is no filter; expected a name with arguments, e.g. {EXAMPLE}"
        )
    found = registry.get(call.func.id)
    args = [_literal(value, found) for value in call.args]
    kwargs: dict[str, Any] = {}
    for keyword in call.keywords:
        name = keyword.arg or "**"
        if name in ("out", "**"):
            raise ValueError(f"{found.name}: a pipeline takes no argument {name!r}")
        if name in kwargs:
            raise ValueError(f"{found.name}: the argument {name!r} is given twice")
        kwargs[name] = _literal(keyword.value, found)
    try:
        bound = found.signature.bind(None, *args, **kwargs)
    except TypeError as error:
        raise ValueError(f"{found.name}: {error}; expected {found.name}{_parameters(found)}") from None
    image = next(iter(found.signature.parameters))
    return Stage(found, {name: value for name, value in bound.arguments.items() if name != image})


def _literal(node: ast.expr, found: Filter) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        raise ValueError(
            f"{found.name}: {ast.unparse(node)!r} is no literal; expected a number, text in quotes, a list, "
            "a tuple, True, False or None"
        ) from None


def _parameters(found: Filter) -> str:
    """The parameters of a filter as its call would list them, without the image and `out`."""
    listed = [p for p in list(found.signature.parameters.values())[1:] if p.name != "out"]
    shown = [p.name if p.default is p.empty else f"{p.name}={p.default!r}" for p in listed]
    return f"({', '.join(shown)})"

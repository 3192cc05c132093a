"""Chains of filters as text: ``gaussian(sigma=1.4) | sobel``."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from convkit.filters import registry
from convkit.filters.registry import Filter

EXAMPLE = "'gaussian(sigma=1.4) | sobel'"

KEPT_FOR_CALLS = ("out", "num_threads", "channel_axis")
"""Arguments that a chain takes when it is called, and its filters do not."""


def read(text: str) -> list[tuple[Filter, dict[str, Any]]]:
    """The filters that `text` names, with their arguments; nothing in the text is evaluated."""
    if not isinstance(text, str):
        raise ValueError(f"a pipeline is text such as {EXAMPLE}; got {type(text).__name__}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # of text that is no chain, refused below
            tree = ast.parse(text.strip(), mode="eval").body
        return [_stage(node) for node in _split(tree)]
    except SyntaxError as error:
        raise ValueError(f"cannot read the pipeline {text!r}: {error.msg}; expected e.g. {EXAMPLE}") from None
    except (RecursionError, MemoryError):
        raise ValueError(f"the pipeline is nested too deeply; expected e.g. {EXAMPLE}") from None


def bound(found: Filter, *args: Any, **kwargs: Any) -> dict[str, Any]:
    """Arguments of `found`, without the image, by name; ValueError where they do not fit."""
    for name in KEPT_FOR_CALLS:
        if name in kwargs:
            raise ValueError(
                f"{found.name}: a filter of a pipeline takes no argument {name!r}: "
                "give it to the pipeline's call"
            )
    try:
        given = found.signature.bind(None, *args, **kwargs).arguments
    except TypeError as error:
        raise ValueError(f"{found.name}: {error}; expected {found.name}{_parameters(found)}") from None
    image = next(iter(found.signature.parameters))
    return {name: value for name, value in given.items() if name != image}


def shown(value: Any) -> str:
    """A value as the text that `read` takes it from: arrays as lists, dtypes as their names."""
    if isinstance(value, (np.ndarray, np.generic)):
        return repr(value.tolist())
    if isinstance(value, (type, np.dtype)):
        return repr(np.dtype(value).name)
    if isinstance(value, (list, tuple)):
        inside = ", ".join(map(shown, value))
        return f"[{inside}]" if isinstance(value, list) else f"({inside}{',' * (len(value) == 1)})"
    return repr(value)


def _split(node: ast.expr) -> Iterator[ast.expr]:
    """The operands of a chain of ``|``, from left to right."""
    chain = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        chain.append(node.right)
        node = node.left
    yield node
    yield from reversed(chain)


def _stage(node: ast.expr) -> tuple[Filter, dict[str, Any]]:
    call = node if isinstance(node, ast.Call) else ast.Call(node, [], [])
    if not isinstance(call.func, ast.Name):
        raise ValueError(
            f"{ast.unparse(node)!r} is no filter; expected a name with arguments, e.g. {EXAMPLE}"
        )
    found = registry.get(call.func.id)
    args = [_literal(value, found) for value in call.args]
    kwargs: dict[str, Any] = {}
    for keyword in call.keywords:
        if keyword.arg is None:
            raise ValueError(f"{found.name}: a pipeline takes no argument '**'")
        if keyword.arg in kwargs:
            raise ValueError(f"{found.name}: the argument {keyword.arg!r} is given twice")
        kwargs[keyword.arg] = _literal(keyword.value, found)
    return found, bound(found, *args, **kwargs)


def _literal(node: ast.expr, found: Filter) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        raise ValueError(
            f"{found.name}: {ast.unparse(node)!r} is no literal; expected a number, text in quotes, a list, "
            "a tuple, True, False or None"
        ) from None


def _parameters(found: Filter) -> str:
    """The parameters of a filter as its call would list them, without the image and what a chain takes."""
    listed = [p for p in list(found.signature.parameters.values())[1:] if p.name not in KEPT_FOR_CALLS]
    each = [p.name if p.default is p.empty else f"{p.name}={p.default!r}" for p in listed]
    return f"({', '.join(each)})"

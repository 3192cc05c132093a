"""The registry: one decorator tells the rest of convkit what there is to know about a filter.

The command line, pipelines, streams, the gallery, the benchmarks and the property tests all read it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias, TypeVar, cast

import numpy as np

from convkit._checks import FLOATS, Array, image_dtype
from convkit.filters.stacks import any_layout
from convkit.ops import window

Arguments: TypeAlias = Mapping[str, Any]
HaloRule: TypeAlias = Callable[[Arguments], "Halo"]
DtypeRule: TypeAlias = Callable[[np.dtype[Any], Arguments], np.dtype[Any]]
CountRule: TypeAlias = Callable[[Arguments], int]
Function = TypeVar("Function", bound=Callable[..., Array])


class Halo(NamedTuple):
    """How many rows and columns around a tile its result depends on."""

    top: int
    bottom: int
    left: int
    right: int

    @classmethod
    def of(cls, extent: tuple[int, int], anchor: tuple[int, int] | None = None) -> Halo:
        """The halo of a kernel of `extent` rows and columns with its `anchor` (its centre) on the pixel."""
        row, column = anchor or (extent[0] // 2, extent[1] // 2)
        return cls(row, extent[0] - 1 - row, column, extent[1] - 1 - column)


def _one(arguments: Arguments) -> int:
    return 1


@dataclass(frozen=True)
class Filter:
    """A registered filter.

    `halo` maps the complete arguments (by name, defaults included, without the image) to a `Halo`; None means
    that the filter needs the whole image. `output_dtype` maps the image's dtype and the same arguments to the
    dtype of the result. `margin` maps them to what ``border="valid"`` leaves off, where that is not the halo;
    `images` to how many images are made of one, of which several lie along an axis in front.
    `default_border` is None where the filter has no border; `joint_channels` tells that the channels of a
    pixel see each other, `one_plane` that all of them make an HW result, `refuses_pixels` that an image may
    be refused for its pixels.
    """

    name: str
    function: Callable[..., Array]
    halo: HaloRule | None
    output_dtype: DtypeRule
    margin: HaloRule | None
    images: CountRule
    default_border: str | None
    joint_channels: bool
    one_plane: bool
    refuses_pixels: bool
    signature: inspect.Signature
    summary: str

    def arguments(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """The arguments after the image, by name, defaults included; TypeError where they do not fit."""
        bound = self.signature.bind(None, *args, **kwargs)
        bound.apply_defaults()
        del bound.arguments[next(iter(self.signature.parameters))]
        return dict(bound.arguments)

    def left_off(self, arguments: Arguments) -> Halo:
        """How many rows and columns the result of the complete `arguments` is smaller by, on each side."""
        rule = self.margin or self.halo
        return rule(arguments) if rule and arguments.get("border") == "valid" else Halo(0, 0, 0, 0)

    def output_shape(self, shape: tuple[int, ...], arguments: Arguments) -> tuple[int, ...]:
        """The shape of the result of the complete `arguments` on an HW or HWC image of `shape`."""
        top, bottom, left, right = self.left_off(arguments)
        kept = window.output_shape(shape, (1 + top + bottom, 1 + left + right), "valid")
        if self.one_plane:
            kept = kept[:2]
        images = self.images(arguments)
        return kept if images == 1 else (images, *kept)


_filters: dict[str, Filter] = {}


def register(
    *,
    halo: HaloRule | None,
    output_dtype: DtypeRule,
    margin: HaloRule | None = None,
    images: CountRule = _one,
    joint_channels: bool = False,
    one_plane: bool = False,
    remember: bool = False,
    refuses_pixels: bool = False,
) -> Callable[[Function], Function]:
    """Register a function ``name(image, ..., out=None, num_threads=None)`` under its own name.

    The function knows HW and HWC images; what is registered, and returned, takes ``channel_axis``, stacks and
    an `out` that overlaps the image too (see `stacks`). Its kernels are remembered where it has a halo, or
    says ``remember``: they alone make its result, and are chosen without a look at the pixels.
    """

    def add(function: Function) -> Function:
        public = any_layout(function, joint_channels, remember or halo is not None, refuses_pixels)
        signature = inspect.signature(public)
        border = signature.parameters.get("border")
        name = function.__name__
        _filters[name] = Filter(
            name=name,
            function=public,
            halo=halo,
            output_dtype=output_dtype,
            margin=margin,
            images=images,
            default_border=None if border is None else border.default,
            joint_channels=joint_channels,
            one_plane=one_plane,
            refuses_pixels=refuses_pixels,
            signature=signature,
            summary=inspect.cleandoc(function.__doc__ or "").partition("\n")[0],
        )
        return cast("Function", public)

    return add


def get(name: str) -> Filter:
    """The filter called `name`; ValueError, with the names that are close, where there is none."""
    if name in _filters:
        return _filters[name]
    from difflib import get_close_matches  # on this path alone: it costs a millisecond to import

    close = get_close_matches(str(name), _filters)
    hint = f"did you mean {' or '.join(close)}?" if close else f"expected one of {', '.join(names())}"
    raise ValueError(f"there is no filter {name!r}; {hint}")


def of(function: Any) -> Filter:
    """The filter whose function `function` is; TypeError where it is none."""
    found = _filters.get(getattr(function, "__name__", ""))
    if found is None or found.function is not function:
        raise TypeError(
            f"{function!r} is no registered filter; expected one of convkit.filters, or a partial of it with "
            f"further arguments: {', '.join(names())}"
        )
    return found


def names() -> list[str]:
    """The names of all registered filters, sorted."""
    return sorted(_filters)


def keeps_dtype(image: np.dtype[Any], arguments: Arguments) -> np.dtype[Any]:
    """The rule of smoothing: the image's dtype, unless the arguments name another."""
    wanted = arguments.get("dtype")
    return image if wanted is None else image_dtype(wanted)


def derivative_dtype(image: np.dtype[Any], arguments: Arguments) -> np.dtype[Any]:
    """The rule of derivatives, which integers of the image's dtype cannot hold: float32 for integers."""
    wanted = arguments.get("dtype")
    if wanted is not None:
        return image_dtype(wanted)
    return image if image in FLOATS else np.dtype(np.float32)

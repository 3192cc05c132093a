"""Chains of filters: fused, so that what lies between two filters never leaves the cache."""

from __future__ import annotations

import functools
import itertools
import math
import time
from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from convkit import _checks, _dispatch, _options, _threads
from convkit._checks import Array
from convkit.filters import bands, registry, text
from convkit.filters.bands import Banded
from convkit.filters.chain_report import Profile, size_of, step_lines, summary
from convkit.filters.registry import Filter, Halo
from convkit.filters.stacks import any_layout, told

STEPS_A_PIXEL = 10
"""Multiply-adds that a filter is taken to make for each pixel, to tell small work from large."""

PLANS_KEPT = 16


class Stage(NamedTuple):
    """A filter and the arguments that it was given."""

    filter: Filter
    arguments: dict[str, Any]

    @property
    def whole(self) -> str:
        """Why it must see its whole input, "" where some rows at a time will do."""
        if self.filter.halo is None:
            return "needs the whole image"
        complete = self.filter.arguments(**self.arguments)
        halo = self.filter.halo(complete)
        wraps = complete.get("border") == "wrap" and halo.top + halo.bottom > 0
        return "its border wraps: the first rows need the last" if wraps else ""

    def __str__(self) -> str:
        listed = ", ".join(f"{name}={text.shown(value)}" for name, value in self.arguments.items())
        return f"{self.filter.name}({listed})" if listed else self.filter.name


class Part(NamedTuple):
    """Stages that run together; one alone runs as the filter does."""

    stages: tuple[Stage, ...]
    plan: Banded | None
    counts: tuple[int, ...]  # how many of the plan's steps each stage is
    why: str  # it is alone
    stop: int  # the stage after the last one

    def __str__(self) -> str:
        return " | ".join(map(str, self.stages))


class Pipeline:
    """Filters applied in order, band by band.

    The result has the bits of the filters called one after another, whatever the bands and the threads;
    between two filters lie a few rows and no image. A filter that needs its whole input, as hysteresis does,
    or whose border wraps, splits the chain.

    Parameters
    ----------
    stages : str, or sequence
        Text such as ``"gaussian(sigma=1.4) | sobel"``, whose arguments are Python literals (nothing in it is
        evaluated); or a sequence of registered filters, ``functools.partial`` of them with further arguments,
        texts, and pipelines. Arguments are copied.

    Raises
    ------
    ValueError
        No filters, a text that is no pipeline, an unknown filter, an argument that is unknown or missing, or
        ``direction="polar"`` before the last filter: no filter takes its two images.
    TypeError
        A stage that is no registered filter.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> from functools import partial
    >>> from convkit.filters import gaussian, sobel
    >>> edges = ck.Pipeline([partial(gaussian, sigma=1.4), partial(sobel, direction="x")])
    >>> print(edges)
    gaussian(sigma=1.4) | sobel(direction='x')
    >>> edges == ck.Pipeline("gaussian(sigma=1.4) | sobel('x')")
    True
    >>> edges.halo
    Halo(top=7, bottom=7, left=7, right=7)
    >>> edges(np.zeros((40, 40), np.uint8)).dtype
    dtype('float32')
    """

    def __init__(self, stages: str | Iterable[Any]) -> None:
        found = tuple(_stages(stages))
        if not found:
            raise ValueError(f"a pipeline has at least one filter, e.g. {text.EXAMPLE}")
        for stage in found[:-1]:
            _refuse_several(stage)
        self.stages = found
        self._plan = functools.lru_cache(PLANS_KEPT)(self._make_plan)
        joint = any(stage.filter.joint_channels for stage in found)
        refuses = any(stage.filter.refuses_pixels for stage in found)
        self._apply = any_layout(self._run, joint, refuses_pixels=refuses)

    def __call__(
        self,
        image: ArrayLike,
        *,
        out: Array | None = None,
        num_threads: int | None = None,
        channel_axis: Any = "auto",
    ) -> Array:
        """Filter `image`; the arguments are those that every filter takes.

        Parameters
        ----------
        image : array_like, HW or HWC
            Of a dtype that the first filter takes.
        out : ndarray, optional
            Where to write: the shape and dtype of the result, any strides.
        num_threads : int, optional
            Threads of this call; the bits of the result do not depend on it.
        channel_axis : int, optional
            As in the filters: for stacks, and images other than HW and HWC.

        Returns
        -------
        ndarray
            What the last filter gives.

        Raises
        ------
        ValueError, TypeError
            What the filters raise.
        """
        return self._apply(image, out=out, num_threads=num_threads, channel_axis=channel_axis)

    @property
    def halo(self) -> Halo | None:
        """Rows and columns around a tile that its result depends on; None: the whole image."""
        total = [0, 0, 0, 0]
        for filter, arguments in self.stages:
            if filter.halo is None:
                return None
            halo = filter.halo(filter.arguments(**arguments))
            total = [a + b for a, b in zip(total, halo, strict=True)]
        return Halo(*total)

    def explain(
        self,
        shape: tuple[int, ...] = (2160, 3840),
        dtype: DTypeLike = np.uint8,
        *,
        num_threads: int | None = None,
    ) -> str:
        """What would be done with images of `shape` and `dtype`: parts, bands, rows held, and why.

        Raises
        ------
        ValueError, TypeError
            What is no shape of an HW or HWC image, no dtype of one, or what the filters refuse.

        Examples
        --------
        >>> import convkit as ck
        >>> print(ck.Pipeline("box(3) | sobel").explain((480, 640), "uint8", num_threads=1))
        480x640 uint8
        box(size=3) | sobel: 1 band of 480 rows, 1 thread, 307 kB between the filters
          box     reads 1 row above and 1 below, gives 480x640 uint8
          sobel   reads 1 row above and 1 below, gives 480x640 float32
        """
        size = _checks.image_shape(shape, "shape")
        now = _checks.image_dtype(dtype)
        lines = [f"{size_of(size)} {now}"]
        at = 0
        while at < len(self.stages):
            part = self._part(at, size, now, num_threads)
            at = part.stop
            if part.plan is None:
                ((filter, arguments),) = part.stages
                complete = filter.arguments(**arguments)
                now = filter.output_dtype(now, complete)
                size = filter.output_shape(size, complete)
                lines.append(f"{part}: alone ({part.why}), gives {size_of(size)} {now}")
            else:
                size, now = part.plan.steps[-1].shape, part.plan.steps[-1].dtype
                lines += [f"{part}: {summary(part.plan)}", *step_lines(part.plan)]
        return "\n".join(lines)

    def profile(self, image: ArrayLike, *, num_threads: int | None = None) -> Profile:
        """Run once on an HW or HWC `image` and tell where the time went, beside the filters one by one.

        Examples
        --------
        >>> import convkit as ck, numpy as np
        >>> profile = ck.Pipeline("box(3) | sobel").profile(np.zeros((48, 64), np.uint8))
        >>> [name for name, seconds in profile.stages]
        ['box', 'sobel']
        """
        source = _checks.image(image)
        self(source, num_threads=num_threads)  # first touches, imports and plans are not what is asked
        spent: list[tuple[str, float]] = []
        start = time.perf_counter()
        now, at = source, 0
        while at < len(self.stages):
            part = self._part(at, now.shape, now.dtype, num_threads)
            at = part.stop
            if part.plan is None:
                began = time.perf_counter()
                now = _alone(part, now, None, num_threads)
                spent.append((part.stages[0].filter.name, time.perf_counter() - began))
            else:
                plan, seconds = part.plan.timed()
                now = plan.run(now)
                left = iter(seconds)
                for stage, count in zip(part.stages, part.counts, strict=True):
                    spent.append((stage.filter.name, sum(itertools.islice(left, count))))
        together = time.perf_counter() - start
        start = time.perf_counter()
        now = source
        for stage in self.stages:
            with told():
                now = stage.filter.function(now, **stage.arguments, num_threads=num_threads)
        return Profile(tuple(spent), together, time.perf_counter() - start)

    def _run(self, image: ArrayLike, *, out: Array | None = None, num_threads: int | None = None) -> Array:
        now, at = _checks.image(image), 0
        while at < len(self.stages):
            part = self._part(at, now.shape, now.dtype, num_threads)
            at = part.stop
            to = out if at == len(self.stages) else None
            now = part.plan.run(now, to) if part.plan else _alone(part, now, to, num_threads)
        return now

    def _part(
        self, start: int, shape: tuple[int, ...], dtype: np.dtype[Any], num_threads: int | None
    ) -> Part:
        """The stages from `start` on that run together on images of `shape` and `dtype`."""
        threads = _threads.threads_for(STEPS_A_PIXEL * math.prod(shape), num_threads)
        return self._plan(start, shape, dtype, threads, _options.current.get(), _dispatch.native())

    def _make_plan(
        self,
        start: int,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        threads: int,
        *_: Any,  # the scope's options and the build, which the kernels depend on
    ) -> Part:
        steps: list[bands.Step] = []
        counts: list[int] = []
        image_bytes = math.prod(shape) * dtype.itemsize
        why = ""
        stop = start
        for stage in self.stages[start:]:
            why = stage.whole
            with told():
                kernels = [] if why else bands.prepare(*stage, shape, dtype)
            if not kernels:
                break
            steps += kernels
            counts.append(len(kernels))
            shape, dtype = steps[-1].shape, steps[-1].dtype
            stop += 1
        if stop > start + 1:
            plan = Banded(steps, image_bytes, threads)
            return Part(self.stages[start:stop], plan, tuple(counts), "", stop)
        if stop > start:
            why = "nothing beside it to share bands with"
        why = why or "is more than kernels of rows"
        return Part(self.stages[start : start + 1], None, (), why, start + 1)

    def __str__(self) -> str:
        return " | ".join(map(str, self.stages))

    def __repr__(self) -> str:
        return f"Pipeline({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return str(self) == str(other) if isinstance(other, Pipeline) else NotImplemented

    def __hash__(self) -> int:
        return hash(str(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return Pipeline, ([functools.partial(s.filter.function, **s.arguments) for s in self.stages],)


def parse(chain: str) -> Pipeline:
    """The pipeline that a text describes: names of filters with arguments, joined by ``|``.

    Arguments, positional or by name, are Python literals: numbers, strings, lists, tuples, booleans, None.
    Nothing in the text is evaluated.

    Raises
    ------
    ValueError
        The text is no pipeline, names an unknown filter, or an argument is unknown, missing or no literal.

    Examples
    --------
    >>> import convkit as ck
    >>> print(ck.filters.parse("gaussian(sigma=1.4) | sobel('x')"))
    gaussian(sigma=1.4) | sobel(direction='x')
    """
    return Pipeline([Stage(*stage) for stage in text.read(chain)])


def _refuse_several(stage: Stage) -> None:
    """Refuse a filter before others that makes several images of one: they know no axis in front."""
    images = stage.filter.images(stage.filter.arguments(**stage.arguments))
    if images > 1:
        raise ValueError(
            f"{stage} makes {images} images of one, and the filter after it takes one: put it last, or pass "
            "another direction, as 'magnitude' or 'angle'"
        )


def _alone(part: Part, image: Array, out: Array | None, num_threads: int | None) -> Array:
    """A part of a single stage: the filter itself, on an image that was checked or rows of it."""
    ((filter, arguments),) = part.stages
    with told():
        return filter.function(image, **arguments, out=out, num_threads=num_threads)


def _stages(value: Any) -> Iterable[Stage]:
    if isinstance(value, (str, bytes)):
        yield from (Stage(*stage) for stage in text.read(value))  # type: ignore[arg-type] # which refuses bytes
        return
    if isinstance(value, Pipeline):
        yield from value.stages
        return
    if isinstance(value, (Stage, functools.partial)) or callable(value):
        yield _stage(value)
        return
    try:
        items = list(value)
    except TypeError:
        raise TypeError(
            f"a pipeline is made of text, or a list of filters; got {type(value).__name__}"
        ) from None
    for item in items:
        yield from _stages(item)


def _stage(value: Any) -> Stage:
    if isinstance(value, Stage):
        return value
    function: Callable[..., Any] = value
    keywords: dict[str, Any] = {}
    if isinstance(value, functools.partial):
        if value.args:
            raise ValueError(
                f"{value!r} gives {value.args[0]!r} in the image's place; name the arguments: "
                "partial(gaussian, sigma=1.4)"
            )
        function, keywords = value.func, value.keywords
    found = registry.of(function)
    return Stage(found, deepcopy(text.bound(found, **keywords)))

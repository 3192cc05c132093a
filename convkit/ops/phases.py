"""A transposed convolution as convolutions without stride, one for phases that see the same input pixels.

Along an axis, output pixel i·stride + a is number i of phase a. Kernel element r brings to it input pixel
i + (a + padding - r·dilation) / stride, where that is a whole number: a phase has every `step`-th kernel
element, and neighbouring elements belong to neighbouring phases. Phases that see the same pixels are output
channels of one convolution; its maps are woven into the output (`_native/weave.pyx`).
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from math import gcd, prod
from typing import NamedTuple

import numpy as np

from convkit import _dispatch
from convkit._checks import Array, Pair, empty
from convkit._threads import threads_for
from convkit.ops.epilogue import Epilogue
from convkit.ops.taps import Tap, TapConv, Taps, cross

MAPS_BYTES = 1 << 21
"""Of the maps that are summed before they are woven into the output: most of them stay in the cache."""

WEAVING = 16
"""Multiply-adds that take as long as weaving one pixel."""


class Run(NamedTuple):
    """Phases of an axis that see the same input pixels: kernel elements from `first` on lead to them."""

    first: int
    step: int
    """From one kernel element of a phase to its next."""
    taps: int
    least: int
    """Offset into the input of the last of a phase's kernel elements; those before it are `apart` each."""
    apart: int
    phases: tuple[int, ...]

    @property
    def last(self) -> int:
        """The first phase's last kernel element."""
        return self.first + (self.taps - 1) * self.step

    @property
    def in_order(self) -> list[Tap]:
        """Its taps by ascending offset, as `reduced` orders the weights."""
        return [Tap(i, self.least + i * self.apart) for i in range(self.taps)]

    def parts(self, most: int) -> list[Run]:
        """At most so many phases each."""
        starts = range(0, len(self.phases), most)
        return [self._replace(first=self.first + i, phases=self.phases[i : i + most]) for i in starts]


def find_runs(kernel: int, stride: int, padding: int, dilation: int, output: int) -> list[Run]:
    """The phases of one axis that have kernel elements, and output pixels."""
    common = gcd(stride, dilation)
    step, runs = min(stride // common, kernel), list[Run]()
    for first in range(step):
        phase = (first * dilation - padding) % stride
        taps = -(-(kernel - first) // step)
        least = (phase + padding - (first + (taps - 1) * step) * dilation) // stride
        run = Run(first, step, taps, least, dilation // common, (phase,))
        last = runs[-1] if runs else run
        if phase >= output:
            continue
        if runs and (last.taps, last.least, last.first + len(last.phases)) == (taps, least, first):
            runs[-1] = last._replace(phases=(*last.phases, phase))
        else:
            runs.append(run)
    return runs


class Part(NamedTuple):
    """The convolution of some of a stripe's columns."""

    columns: Run
    taps: Taps
    first: int
    """Of its maps among the stripe's, for each output channel."""
    maps: int


class Stripe(NamedTuple):
    """Output rows of some phases, and the convolutions that sum their pixels."""

    rows: Run | None
    """None where no kernel element leads to them: they have no parts then."""
    phase_rows: Array
    parts: list[Part]
    maps: int
    """For each output channel."""
    places: Array
    """Where the maps of each column phase are, as `weave` takes it."""


@lru_cache(maxsize=256)
def find_stripes(
    kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, output: Pair, most_maps: int
) -> list[Stripe]:
    """All rows of the output, in stripes of at most `most_maps` maps a channel where that is possible."""
    down, across = (find_runs(*axis) for axis in zip(kernel, stride, padding, dilation, output, strict=True))
    most_rows = max(1, most_maps // max(1, sum(len(run.phases) for run in across)))
    stripes = [make_stripe(part, across, stride, output) for run in down for part in run.parts(most_rows)]
    reached = {phase for run in down for phase in run.phases}
    rest = [phase for phase in range(min(stride[0], output[0])) if phase not in reached]
    if rest:
        nowhere = np.full((min(stride[1], output[1]), 3), -1, np.intp)
        stripes.append(Stripe(None, np.array(rest, np.intp), [], 0, nowhere))
    return stripes


def make_stripe(rows: Run, across: list[Run], stride: Pair, output: Pair) -> Stripe:
    """The stripe of a run of rows and all columns."""
    places = np.full((min(stride[1], output[1]), 3), -1, np.intp)
    parts, first = list[Part](), 0
    for columns in across:
        for i, phase in enumerate(columns.phases):
            places[phase] = first, len(columns.phases), i
        maps = len(rows.phases) * len(columns.phases)
        parts.append(Part(columns, cross(rows.in_order, columns.in_order), first, maps))
        first += maps
    return Stripe(rows, np.array(rows.phases, np.intp), parts, first, places)


def reduced(weight_gockk: Array, rows: Run, columns: Run) -> Array:
    """The weights of some phases, as `TapConv` takes them, taps by ascending offset: a view."""
    groups, outputs, channels = weight_gockk.shape[:3]
    group, output, channel, down, across = weight_gockk.strides
    phases, taps = (len(rows.phases), len(columns.phases)), (rows.taps, columns.taps)
    return np.lib.stride_tricks.as_strided(
        weight_gockk[:, :, :, rows.last :, columns.last :],
        (groups, outputs, *phases, channels, *taps),
        (group, output, down, across, channel, -rows.step * down, -columns.step * across),
    )


def write_phases(
    x: Array,
    weight_gockk: Array,
    bias: Array | None,
    y: Array,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    num_threads: int,
    epilogue: Epilogue,
) -> None:
    """Write every pixel of a transposed convolution."""
    _, outputs, height, width = y.shape
    kernel = weight_gockk.shape[3], weight_gockk.shape[4]
    bias = np.zeros(outputs, y.dtype) if bias is None else np.ascontiguousarray(bias)
    most_maps = MAPS_BYTES // (outputs * -(-width // stride[1]) * y.itemsize)
    for stripe in find_stripes(kernel, stride, padding, dilation, (height, width), most_maps):
        run_stripe(stripe, x, weight_gockk, bias, y, stride, num_threads, epilogue)


def run_stripe(
    stripe: Stripe,
    x: Array,
    weight_gockk: Array,
    bias: Array,
    y: Array,
    stride: Pair,
    num_threads: int,
    epilogue: Epilogue,
) -> None:
    """Write the stripe's rows of `y`: images or bands of rows at a time, whose maps stay in the cache."""
    images, outputs, height, width = y.shape
    rows, columns = -(-height // stride[0]), -(-width // stride[1])
    convolutions = [
        TapConv(
            reduced(weight_gockk, stripe.rows, part.columns),
            np.repeat(bias, part.maps),
            part.taps,
            num_threads=num_threads,
        )
        for part in stripe.parts
        if stripe.rows
    ]
    planes = outputs * max(1, stripe.maps)
    row_bytes = planes * columns * y.itemsize
    band = min(rows, max(1, MAPS_BYTES // row_bytes))
    batch = min(images, max(1, MAPS_BYTES // (row_bytes * rows)))
    scratch = empty((batch * planes * band * columns,), y.dtype)
    weave = _dispatch.native().family("weave", y.dtype).weave
    for image, row in product(range(0, images, batch), range(0, rows, band)):
        some = slice(image, image + batch)
        shape = min(batch, images - image), planes, min(band, rows - row), columns
        maps = scratch[: prod(shape)].reshape(shape)
        for part, convolution in zip(stripe.parts, convolutions, strict=True):
            first = outputs * part.first
            run_rows(convolution, x[some], row, maps[:, first : first + outputs * part.maps], num_threads)
        threads = threads_for(WEAVING * maps.size, num_threads)
        finish = epilogue.of(some)
        weave(maps, stripe.phase_rows, stripe.places, row, bias, y[some], *stride, threads, *finish)


def run_rows(convolution: TapConv, x: Array, row: int, y: Array, num_threads: int) -> None:
    """The convolution's output rows from `row` on, from the input rows that they see alone."""
    rows, height = convolution.taps.rows, x.shape[2]
    top = min(max(row + int(rows[0]), 0), height - 1)
    bottom = max(min(row + int(rows[-1]) + y.shape[2], height), top + 1)
    convolution.shifted(row - top).run(x[:, :, top:bottom], y, num_threads)

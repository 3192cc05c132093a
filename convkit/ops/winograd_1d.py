"""Winograd's convolution down the columns: fewer products than the sum as written, of few channels too."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from convkit import _dispatch
from convkit._checks import Array, empty
from convkit._threads import threads_for
from convkit.ops.costs import Work
from convkit.ops.prepared import Prepared
from convkit.ops.problem import Layer, Problem, whole
from convkit.ops.taps import BORDER_CODES, Taps, conv_taps, packing, reading, taps_of
from convkit.shapes import Axis

POINTS = (4, 6, 8)
"""At which polynomials are evaluated: F(m, r) takes m + r - 1 of them."""

MOST_SCRATCH = 6 << 20
"""Bytes that the transformed pixels of a unit of work may take."""

MOST_LANES = 16
"""Of any instruction set."""

V_BYTES = 1 << 18
"""Of the transformed pixels of a unit of work, as a rule."""

MOST_VECTORS = 9
"""Of its outputs, side by side."""

SUM = 3
"""What it takes to store and read a sum, in products."""


def refusal(problem: Problem) -> str | None:
    """Why `Winograd1dConv` cannot compute it; None where it can."""
    axis = problem.vertical
    if problem.itemsize != 4:
        return "float64 numbers; expected float32"
    if (size := least_scratch(problem)) > MOST_SCRATCH:
        return (
            f"{problem.channels} channels and a {axis.kernel}×{problem.horizontal.kernel} kernel, whose "
            f"transformed pixels would take {size >> 20} MB; expected at most {MOST_SCRATCH >> 20}"
        )
    if (
        2 <= kernel_taps(axis) <= 7
        and (axis.stride == 1 or axis.dilation == 1)
        and axis.dilation <= axis.output
    ):
        return None
    return (
        f"{axis.kernel} kernel rows, stride {axis.stride} and dilation {axis.dilation}; expected "
        "2 to 7 rows for each of the stride's, and without stride a dilation of at most the output's size"
    )


def planes(axis: Axis) -> tuple[int, int]:
    """Those that kernel columns read of a channel's rows, and how far they reach beyond a plane's outputs.

    Columns of one phase share a plane where both see a pixel of the narrowest strip, four outputs.
    """
    beside = reading(axis)
    apart = axis.dilation // math.gcd(axis.dilation, axis.stride)
    shared = apart < min(axis.output, 4)
    return (beside.phases, beside.reach) if shared else (beside.taps, 0)


def least_scratch(problem: Problem) -> int:
    """Bytes that the transformed pixels of a vector of outputs and its neighbours take, at most."""
    count, reach = planes(problem.horizontal)
    pixels = problem.channels * problem.vertical.stride * count * (3 * MOST_LANES + reach)
    return problem.itemsize * POINTS[-1] * pixels


def kernel_taps(axis: Axis) -> int:
    """The r of F(m, r): the kernel rows of the first phase."""
    return -(-axis.kernel // axis.stride)


def lines(axis: Axis, points: int) -> int:
    """Lines of tiles, m rows each, that an image's outputs make."""
    return axis.dilation * -(-axis.output // (axis.dilation * (points + 1 - kernel_taps(axis))))


def depth(problem: Problem) -> int:
    """Products that are summed at a point."""
    return problem.channels * problem.vertical.stride * reading(problem.horizontal).taps


@lru_cache(maxsize=64)
def best_points(vertical: Axis, products: int) -> int:
    """How many points take least time, of so many `products` at each, whose sum is stored and read again."""
    r = kernel_taps(vertical)
    times = {
        n: lines(vertical, n) * (n * (products + SUM) + (n + 1 - r) * n / 2) for n in POINTS if n + 1 - r >= 2
    }
    return min(times, key=times.__getitem__)


def work(problem: Problem, lanes: int) -> Work:
    """The steps of `Winograd1dConv`; `lanes`: the elements of a vector."""
    vertical, horizontal = problem.axes
    points, beside = best_points(vertical, depth(problem)), reading(horizontal)
    rows = problem.images * problem.groups * lines(vertical, points)
    outputs = whole(problem.outputs, 4)
    phases, reach = planes(horizontal)
    pixel = 4 * points * problem.channels * vertical.stride * phases
    most = max(1, min(MOST_VECTORS, V_BYTES // (lanes * pixel))) * lanes
    strips = -(-horizontal.output // most)
    abreast = max(1, min(lines(vertical, points), most // (horizontal.output + reach)))
    run = whole(abreast * (horizontal.output + reach) - reach, lanes)
    pixels = min(run / abreast, whole(horizontal.output, lanes))
    under = (points - kernel_taps(vertical)) * vertical.stride + vertical.kernel  # rows, of a line of tiles
    packed_rows = problem.channels * rows * strips * phases * under
    sums = rows * outputs * pixels * points
    of_three = kernel_taps(vertical) == 3  # rows: a loop of known length
    packed = packed_rows * (horizontal.output / strips + reach)
    return {
        "plan": 1,
        "weights": problem.groups * outputs * problem.channels * points * vertical.stride * beside.taps,
        "call": 1,
        "products": rows * outputs * pixels * points * depth(problem),
        "sums": sums * (not of_three),
        "sums of three": sums * of_three,
        "rows": packed_rows,
        **packing(packed, horizontal.stride),
        "outputs": problem.images * problem.groups * problem.outputs * problem.pixels,
        "moved": problem.moved,
    }


class Winograd1dConv(Prepared):
    """Weights transformed once; `run` convolves a batch, from any number of threads."""

    __slots__ = ()

    def __init__(
        self,
        weight_gockk: Array,
        bias: Array | None,
        axes: tuple[Axis, Axis],
        taps: Taps,
        border: str = "constant",
        cval: float = 0.0,
        points: int = 6,
        num_threads: int | None = None,
    ) -> None:
        groups, outputs, channels, rows = weight_gockk.shape[:4]
        dtype = weight_gockk.dtype
        kernels: Any = _dispatch.native().family("winograd_1d", dtype)
        vertical, horizontal = axes
        sizes = groups, outputs, channels, rows, len(taps.columns), vertical.stride, points
        weights = empty((kernels.weight_count(*sizes),), dtype)
        places = taps.places[1, : len(taps.columns)]  # those of the first row
        threads = threads_for(weights.size * 8, num_threads)
        kernels.transform_weights(weight_gockk, places, vertical.stride, points, weights, threads)
        native = kernels.Convolution(
            weights,
            np.zeros(groups * outputs, dtype) if bias is None else bias.copy(),
            points,
            vertical.kernel,
            vertical.before,
            taps.columns,
            vertical.stride,
            horizontal.stride,
            vertical.dilation,
            groups,
            BORDER_CODES[border],
            cval,
        )
        super().__init__(native, channels * vertical.kernel * len(taps.columns))


def workspace(problem: Problem, num_threads: int) -> int:
    """Bytes of scratch for each thread."""
    kernels = _dispatch.native().family("winograd_1d", f"f{problem.itemsize}")
    vertical, horizontal = problem.axes
    size: int = kernels.workspace_bytes(
        *problem.arrays(),
        best_points(vertical, depth(problem)),
        vertical.kernel,
        vertical.before,
        conv_taps(vertical, horizontal).columns,
        vertical.stride,
        horizontal.stride,
        vertical.dilation,
        problem.groups,
        num_threads,
    )
    return size


def prepare(problem: Problem, layer: Layer, num_threads: int | None) -> Winograd1dConv:
    """Weights transformed for a convolution."""
    weight_gockk, bias, border, cval = layer
    taps, _ = taps_of(problem, layer)
    points = best_points(problem.vertical, depth(problem))
    return Winograd1dConv(weight_gockk, bias, problem.axes, taps, border, cval, points, num_threads)

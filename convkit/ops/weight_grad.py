"""The gradient of a convolution by its weights: which kernels sum it."""

from __future__ import annotations

import numpy as np

from convkit import _checks, _dispatch
from convkit._checks import Array
from convkit._dispatch import ISAS
from convkit._options import current
from convkit._threads import threads_for
from convkit.ops.problem import Problem, whole
from convkit.ops.taps import BORDER_CODES, sees_outside
from convkit.shapes import Axis

MOST_DILATION = 16
"""Column phases that a line of Winograd's tiles may have."""

# Nanoseconds on one thread, on the instruction sets of `ISAS`, fitted to 50 layers: of a call; of each
# product, where lanes that stay empty count; of each channel, of input and output, of a pixel or of a tile of
# 4×4; of each weight that is written. On the last, whose direct kernels are AVX2's, they are guessed.
DIRECT = {
    "call": (4000, 7800, 7800),
    "products": (0.0915, 0.0316, 0.0316),
    "moved": (0.905, 0.335, 0.335),
    "weights": (0.138, 0.0178, 0.0178),
}
WINOGRAD = {
    "call": (4000, 3900, 3900),
    "products": (0.0977, 0.0364, 0.0137),
    "moved": (18.1, 10.6, 4.6),
    "weights": (1.13, 0.671, 0.336),
}


def write_weight_grad(
    x: Array,
    g: Array,
    y: Array,
    axes: tuple[Axis, Axis],
    groups: int,
    border: str,
    cval: float,
    num_threads: int | None,
) -> None:
    """Choose the kernels, by the sizes alone, and write the gradient by the weights."""
    threads = threads_for(g.size * y[0].size, num_threads)
    x, g = (a if a.strides[3] == a.itemsize else np.ascontiguousarray(a) for a in (x, g))
    to = y if y.flags.c_contiguous else _checks.empty(y.shape, y.dtype)
    stride, dilation, before = ([getattr(a, name) for a in axes] for name in ("stride", "dilation", "before"))
    native, code = _dispatch.native(), BORDER_CODES[border]
    problem = Problem(x.shape[0], groups, y.shape[0] // groups, y.shape[1], *axes, y.itemsize)
    kernels = native.family("grad", y.dtype)
    if takes_winograd(problem, kernels.VECTOR_LANES, native.isa):
        winograd = native.family("grad_winograd", y.dtype)
        winograd.weight_gradient(x, g, to, groups, dilation, before, code, cval, threads)
    elif 2 * problem.outputs <= kernels.VECTOR_LANES:  # they would leave vectors half empty
        few = native.family("grad_few", y.dtype)
        few.weight_gradient(x, g, to, groups, stride, dilation, before, code, cval, threads)
    else:
        padded = any(sees_outside(axis) for axis in axes)
        if not padded and is_pointwise(axes) and is_packed(x) and is_packed(g):  # one long row
            x, g = (a.reshape(*a.shape[:2], 1, -1) for a in (x, g))
        kernels.weight_gradient(x, g, to, groups, stride, dilation, before, padded, code, cval, threads)
    if to is not y:
        y[...] = to


def takes_winograd(problem: Problem, lanes: int, isa: str) -> bool:
    """Whether Winograd's algorithm may be taken, and is predicted to be a tenth faster."""
    if problem.itemsize == 8 or current.get().precision == "exact":
        return False
    if any(
        axis.kernel != 3 or axis.stride != 1 or axis.dilation > min(axis.output, MOST_DILATION)
        for axis in problem.axes
    ):
        return False
    groups, channels = problem.groups, whole(problem.channels, lanes)
    outputs, column = whole(problem.outputs, lanes), ISAS.index(isa)
    direct = predicted(DIRECT, column, groups, problem.images * problem.pixels, 9, problem.channels, outputs)
    winograd = predicted(WINOGRAD, column, groups, tiles(problem), 36, channels, outputs)
    return winograd < 0.9 * direct


def predicted(
    costs: dict[str, tuple[float, float, float]],
    column: int,
    groups: int,
    places: int,
    taps: int,
    channels: int,
    outputs: int,
) -> float:
    """Nanoseconds on one thread; `places` are pixels or tiles."""
    call, products, moved, weights = (step[column] for step in costs.values())
    place = products * taps * channels * outputs + moved * (channels + outputs)
    return call + groups * (places * place + weights * 9 * channels * outputs)


def tiles(problem: Problem) -> int:
    """Of all images, and of the convolutions without dilation that a dilated one is."""
    vertical, horizontal = (-(-axis.output // (4 * axis.dilation)) * axis.dilation for axis in problem.axes)
    return problem.images * vertical * horizontal


def is_pointwise(axes: tuple[Axis, Axis]) -> bool:
    """Whether every output pixel sees the input pixel at its own place alone."""
    return all(axis.kernel == axis.stride == 1 and axis.size == axis.output for axis in axes)


def is_packed(a: Array) -> bool:
    """Whether the rows of each map follow one another."""
    return bool(a.strides[2] == a.shape[3] * a.strides[3])

"""The partition of work for 2 to 64 threads: every output is computed once, and all threads are busy."""

import heapq
from itertools import chain, pairwise
from math import ceil, prod

import numpy as np
import pytest

from convkit import _dispatch, _threads
from convkit.ops import broadcast, depthwise, taps, winograd, winograd_1d
from convkit.ops.epilogue import Epilogue
from convkit.ops.problem import Layer, Problem
from convkit.shapes import Axis

DRAWS = 150
MOST_SUMMED = 50_000


# ---- random convolutions -------------------------------------------------------------------------------


def draw_axis(rng, name, kernels, strides=(1, 1, 2, 3), dilations=(1, 1, 2, 3)):
    while True:
        before, after = (int(n) for n in rng.integers(0, 4, 2))
        size, kernel = int(2 ** rng.uniform(0, 9)), int(rng.choice(kernels))
        axis = Axis(name, size, kernel, int(rng.choice(strides)), int(rng.choice(dilations)), before, after)
        if axis.room >= 0 and (kernel > 1 or before == after == 0):
            return axis


def draw(rng, fits, most=2_000_000, kernels=(1, 1, 2, 3, 3, 5, 7), **steps):
    """A convolution that `fits`, and a number of threads."""
    while True:
        groups = int(rng.choice([1, 1, 1, 2, 4, 32]))
        channels, outputs = (int(2 ** rng.uniform(0, 9)) for _ in range(2))
        if rng.random() < 0.2:  # depthwise, some of them multiplied
            groups, channels, outputs = channels, 1, int(rng.integers(1, 4))
        vertical, horizontal = (draw_axis(rng, name, kernels, **steps) for name in ("height", "width"))
        images, itemsize = int(rng.choice([1, 1, 2, 8])), int(rng.choice([4, 4, 8]))
        problem = Problem(images, groups, outputs, channels, vertical, horizontal, itemsize)
        if fits(problem) is None and prod(problem.output_shape) < most:
            return problem, int(rng.integers(2, 65))


def problems(seed, fits, **steps):
    rng = np.random.default_rng(seed)
    return [draw(rng, fits, **steps) for _ in range(DRAWS)]


def family(name, problem):
    return _dispatch.native().family(name, f"f{problem.itemsize}")


# ---- what is told of the units -------------------------------------------------------------------------


def gemm_units(problem, threads, form="kernels"):
    """Of the broadcasting form each a list: a unit may be a run of images."""
    found = taps.conv_taps(*problem.axes)
    strides = (axis.stride for axis in problem.axes)
    return family(form, problem).units(
        *problem.arrays(), found.rows, found.columns, *strides, problem.groups, threads
    )


def depthwise_units(problem, threads):
    geometry = depthwise.geometry(problem.axes)
    return family("depthwise", problem).units(*problem.arrays(), problem.groups, *geometry, threads)


def winograd_stages(problem, threads):
    vertical, horizontal = problem.axes
    return family("winograd", problem).units(
        winograd.tile_size(problem.images, vertical, horizontal),
        vertical.stride,
        problem.images,
        problem.groups,
        problem.outputs,
        problem.channels,
        *(axis.output for axis in problem.axes),
        *(axis.dilation for axis in problem.axes),
        threads,
    )


def lines_of_tiles(problem, threads):
    """Of the convolution down the columns: each with its unit's number."""
    vertical, horizontal = problem.axes
    return family("winograd_1d", problem).units(
        *problem.arrays(),
        winograd_1d.best_points(vertical, winograd_1d.depth(problem)),
        vertical.kernel,
        vertical.before,
        taps.conv_taps(vertical, horizontal).columns,
        vertical.stride,
        horizontal.stride,
        vertical.dilation,
        problem.groups,
        threads,
    )


def visits(problem, boxes):
    """How often each output is written; `boxes` are first elements, outputs, rows, columns and their step."""
    *_, height, width = problem.output_shape
    count = np.zeros(prod(problem.output_shape), np.uint8)
    for first, outputs, rows, columns, step in boxes:
        assert outputs > 0
        assert rows > 0
        assert columns > 0
        assert first >= 0
        last = first + (outputs - 1) * height * width + (rows - 1) * width + (columns - 1) * step
        assert last < count.size
        assert first % width + (columns - 1) * step < width or rows == 1  # a row may be a whole map
        box = np.lib.stride_tricks.as_strided(
            count[first:], (outputs, rows, columns), (height * width, width, step)
        )
        box += 1
    return count


def check_covered_once(problem, threads, boxes):
    count = visits(problem, boxes)
    assert count.min() == 1, f"{(count == 0).sum()} outputs are left out of {problem}, {threads} threads"
    assert count.max() == 1, f"{(count > 1).sum()} outputs are computed twice in {problem}, {threads} threads"


def boxes_of_units(units):
    return [(*unit, 1) for unit in units]


def boxes_of_stages(problem, stages):
    step = problem.horizontal.dilation
    return [
        (first, outputs, 1, columns, step)
        for stage in stages
        for _, runs in stage
        for first, outputs, columns in runs
    ]


# ---- coverage ------------------------------------------------------------------------------------------


def test_gemm_computes_every_output_once(isa):
    for problem, threads in problems(0, taps.refusal):
        check_covered_once(problem, threads, boxes_of_units(gemm_units(problem, threads)))


def test_broadcast_gemm_computes_every_output_once(isa):
    for problem, threads in problems(8, broadcast.refusal):
        boxes = chain.from_iterable(gemm_units(problem, threads, "broadcast"))
        check_covered_once(problem, threads, boxes_of_units(boxes))


def test_depthwise_computes_every_output_once(isa):
    for problem, threads in problems(1, depthwise.refusal):
        check_covered_once(problem, threads, boxes_of_units(depthwise_units(problem, threads)))


WINOGRAD = {"kernels": (3,), "strides": (1, 2)}


def test_winograd_computes_every_output_once(isa):
    for problem, threads in problems(2, winograd.refusal, **WINOGRAD):
        stages = winograd_stages(problem, threads)
        check_covered_once(problem, threads, boxes_of_stages(problem, stages))


def test_lines_of_tiles_compute_every_output_once(isa):
    for problem, threads in problems(10, winograd_1d.refusal):
        rows = [
            (first + row * problem.vertical.dilation * problem.horizontal.output, outputs, 1, columns, 1)
            for _, first, outputs, count, columns in lines_of_tiles(problem, threads)
            for row in range(count)
        ]
        check_covered_once(problem, threads, rows)


def test_nothing_is_added_twice_into_a_residual(isa, monkeypatch):
    """The same through the kernels themselves: what is computed twice would be added twice to `out`."""
    monkeypatch.setattr(_threads, "force_threads", True)
    rng = np.random.default_rng(7)
    for _ in range(40):
        module = [taps, broadcast, depthwise, winograd, winograd_1d][rng.integers(5)]
        steps = WINOGRAD if module is winograd else {}
        problem, threads = draw(rng, module.refusal, MOST_SUMMED, **steps)
        dtype = np.dtype(f"f{problem.itemsize}")
        kernel = problem.vertical.kernel, problem.horizontal.kernel
        x, weight, residual = (
            rng.integers(-3, 4, shape).astype(dtype)
            for shape in (
                problem.input_shape,
                (problem.groups, problem.outputs, problem.channels, *kernel),
                problem.output_shape,
            )
        )
        convolution = module.prepare(problem, Layer(weight, None, "constant", 0.0), 1)
        alone, together = residual.copy(), residual.copy()
        for y, count in ((alone, 1), (together, threads)):
            convolution.run(x, y, count, Epilogue(residual=y))
        assert together.tobytes() == alone.tobytes(), (module, problem, threads)


def test_threads_share_what_is_cut_into_fewer_shares(isa, monkeypatch):
    """More threads than shares, and more units than threads; again, what is computed twice is added twice."""
    monkeypatch.setattr(_threads, "force_threads", True)
    rng = np.random.default_rng(8)
    axes = [Axis(name, 5, 3, 1, 1, 1, 1) for name in ("height", "width")]
    problem = Problem(1, 300, 1, 1, *axes, 4)
    assert len(depthwise_units(problem, 200)) >= 200
    x, weight, residual = (
        rng.integers(-3, 4, shape).astype("f4")
        for shape in (problem.input_shape, (300, 1, 1, 3, 3), problem.output_shape)
    )
    convolution = depthwise.prepare(problem, Layer(weight, None, "constant", 0.0), 1)
    alone, together = residual.copy(), residual.copy()
    convolution.run(x, alone, 1, Epilogue(residual=alone))
    convolution.run(x, together, 200, Epilogue(residual=together))
    assert together.tobytes() == alone.tobytes()


# ---- balance -------------------------------------------------------------------------------------------
# Threads take the next unit when they are done with one, of their own share or of another's, so that the
# time is that of list scheduling. What cannot be divided bounds it from below. These grains are
#   GEMM: a row of outputs × a panel of output channels (of a map that is one row: a tile of it × a panel);
#   depthwise: a row of a group (where it has fewer than 4 output channels, a tile's 8 rows, or so many for
#   each row that a dilated kernel leaves out);
#   Winograd: a vector of tiles × a panel of output channels; down the columns, a line of tiles × a panel.
# Where there are ENOUGH grains for each thread, no layer may take more than WORST times as long as if all
# threads were busy all the time, and layers on average no more than MEAN. Where there is one for each thread,
# at most half of them may have nothing to do.

ENOUGH = 8
WORST = 2
MEAN = 1.15
LANES = {"baseline": 4, "avx2": 8, "avx512": 16}
PANEL = {"baseline": 4, "avx2": 4, "avx512": 8}
STRIP_ROWS = 8
MOST_TILE = 8  # vectors
TRANSFORM = 26  # of a channel, in products of one channel and output
RESTORE = 20  # of an output


def makespan(costs, threads):
    """The time until the last thread is done. Each takes the units of its own share, then those of others."""
    threads = max(1, min(threads, len(costs)))
    bounds = [len(costs) * t // threads for t in range(threads + 1)]
    shares = [costs[first:end][::-1] for first, end in pairwise(bounds)]
    idle = [(0.0, thread) for thread in range(threads)]
    done = 0.0
    while idle:
        time, thread = heapq.heappop(idle)
        share = next((s for s in shares[thread:] + shares[:thread] if s), None)
        if share is None:
            done = max(done, time)
        else:
            heapq.heappush(idle, (time + share.pop(), thread))
    return done


def check_balance(rows):
    """`rows` are a layer's grains and units a thread, its time over that without idle threads, and itself."""
    enough = [row for row in rows if row[0] >= ENOUGH]
    assert len(enough) > len(rows) // 5
    worst = max(enough, key=lambda row: row[2])
    assert worst[2] <= WORST, worst
    assert np.mean([slowness for _, _, slowness, _ in enough]) <= MEAN
    idle = min((row for row in rows if row[0] >= 1), key=lambda row: row[1])
    assert idle[1] >= 0.5, idle


def test_gemm_is_balanced(isa):
    def measure(problem, threads):
        units = gemm_units(problem, threads)
        vectors = LANES[isa] * 4 // problem.itemsize
        grains = problem.vertical.output
        if units[0][3] > problem.horizontal.output or grains == 1:  # one row: cut into tiles
            grains = ceil(problem.pixels / (MOST_TILE * vectors))
        grains *= problem.images * problem.groups * ceil(problem.outputs / PANEL[isa])
        costs = [ceil(outputs / PANEL[isa]) * rows * columns for _, outputs, rows, columns in units]
        slowness = makespan(costs, threads) * threads / sum(costs)
        return grains / threads, len(units) / threads, slowness, (problem, threads)

    check_balance([measure(*drawn) for drawn in problems(4, taps.refusal)])


def test_broadcast_gemm_is_balanced(isa):
    def measure(problem, threads):
        units = gemm_units(problem, threads, "broadcast")
        panel = 3 * LANES[isa] * 4 // problem.itemsize
        grains = problem.vertical.output * problem.images * problem.groups * ceil(problem.outputs / panel)
        costs = [
            sum(ceil(outputs / panel) * rows * columns for _, outputs, rows, columns in unit)
            for unit in units
        ]
        slowness = makespan(costs, threads) * threads / sum(costs)
        return grains / threads, len(units) / threads, slowness, (problem, threads)

    check_balance([measure(*drawn) for drawn in problems(9, broadcast.refusal)])


def test_depthwise_is_balanced(isa):
    def measure(problem, threads):
        axis, kernels = problem.vertical, family("depthwise", problem)
        tile = STRIP_ROWS * kernels.rows_apart(
            problem.outputs, problem.channels, axis.kernel, axis.stride, axis.dilation
        )

        def cost(rows):
            by_tiles = problem.outputs % 4
            return rows * (problem.outputs - by_tiles) + ceil(rows / tile) * tile * by_tiles

        units, maps = depthwise_units(problem, threads), problem.images * problem.groups
        grains = maps * ceil(problem.vertical.output / (1 if problem.outputs >= 4 else tile))
        slowness = makespan([cost(rows) for _, _, rows, _ in units], threads) * threads
        slowness /= maps * cost(problem.vertical.output)
        return grains / threads, len(units) / threads, slowness, (problem, threads)

    check_balance([measure(*drawn) for drawn in problems(5, depthwise.refusal)])


def test_winograd_is_balanced(isa):
    def measure(problem, threads):
        def outputs(runs):
            return runs[0][1] if runs else 0

        stages = winograd_stages(problem, threads)
        costs = [
            [
                vectors * (TRANSFORM * problem.channels + outputs(runs) * (RESTORE + problem.channels))
                for vectors, runs in stage
            ]
            for stage in stages
        ]
        total = sum(map(sum, costs))
        slowness = sum(makespan(stage, threads) for stage in costs) * threads / total
        alone, chunks = stages
        vectors = sum(vectors for vectors, _ in alone)
        vectors += sum(n * outputs(runs) for n, runs in chunks) / problem.outputs
        grains = vectors * ceil(problem.outputs / PANEL[isa])
        units = max(len(alone), len(chunks))
        return grains / threads, units / threads, slowness, (problem, threads)

    check_balance([measure(*drawn) for drawn in problems(6, winograd.refusal, **WINOGRAD)])


def test_lines_of_tiles_are_balanced(isa):
    def measure(problem, threads):
        costs = {}
        for unit, _, outputs, _, columns in lines_of_tiles(problem, threads):
            panels = ceil(outputs / PANEL[isa])
            costs[unit] = costs.get(unit, 0) + panels * ceil(columns / LANES[isa])
        maps = problem.images * problem.groups
        points = winograd_1d.best_points(problem.vertical, winograd_1d.depth(problem))
        grains = maps * winograd_1d.lines(problem.vertical, points) * ceil(problem.outputs / PANEL[isa])
        slowness = makespan([*costs.values()], threads) * threads / sum(costs.values())
        return grains / threads, len(costs) / threads, slowness, (problem, threads)

    check_balance([measure(*drawn) for drawn in problems(11, winograd_1d.refusal)])


# ---- these tests can fail ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (lambda units: units[:-1], "left out"),
        (lambda units: [*units, units[3]], "computed twice"),
        (
            lambda units: [(first, outputs, rows + 1, columns) for first, outputs, rows, columns in units],
            None,
        ),
        (lambda units: [(units[0][0] + 1, *units[0][1:]), *units[1:]], None),
    ],
)
def test_a_broken_partition_is_noticed(broken, message):
    axes = [Axis(name, 30, 3, 1, 1, 1, 1) for name in ("height", "width")]
    problem = Problem(2, 2, 40, 8, *axes, 4)
    for units in (gemm_units(problem, 7), depthwise_units(problem, 7)):
        check_covered_once(problem, 7, boxes_of_units(units))
        with pytest.raises(AssertionError, match=message):
            check_covered_once(problem, 7, boxes_of_units(broken(units)))


@pytest.mark.parametrize("parts", [1, 4, 9])
def test_a_partition_for_fewer_threads_is_noticed(parts):
    rows = [(10, parts / 8, makespan([1] * parts, 8) * 8 / parts, None) for _ in range(20)]
    with pytest.raises(AssertionError):
        check_balance(rows)

"""Linear stencils in floating point: sums over taps, combined, scaled, rounded and stored.

A dense kernel is one sum over its rows and columns (`sums.pxd`); a separable one is a sum down the rows and a
sum along the line that this gave; a gradient is two separable parts and a way to combine them.
"""
from cpython.buffer cimport PyBUF_RECORDS, PyBuffer_Release, PyObject_GetBuffer
from libc.string cimport memset

from convkit._native.border cimport border_index
from convkit._native.finish cimport Scaling, is_scaled, scale_line
from convkit._native.gradient cimport is_gradient, is_wide, length_rows
from convkit._native.image cimport Grid, grid_of, is_packed, place, store_line
from convkit._native.integers cimport store_line_rounded
from convkit._native.parts cimport (
    Part, close_images, free_parts, open_images, read_kernel, read_parts, sum_along, sum_down
)
from convkit._native.polar cimport polar_lines
from convkit._native.rounding cimport round_line
from convkit._native.simd cimport ROUNDS, STENCIL_ROWS, real
from convkit._native.sums cimport Target
from convkit._native.tiles cimport STREAM_BYTES, Frame, Tile, is_crowded, output_bytes, run_tiles

BORDERS = ("constant", "edge", "reflect", "symmetric", "wrap", "valid")  # in the order of border.pxd's codes
COMBINE = ("sum", "magnitude", "angle", "polar")

cdef enum:
    COMBINE_SUM = 0
    COMBINE_MAGNITUDE = 1
    COMBINE_ANGLE = 2
    COMBINE_POLAR = 3

cdef struct Plan:
    Part parts[2]
    int part_count
    int combine
    bint in_place  # the sums, or the lengths of the vectors that two of them are, are what is stored, and where
    bint rounds  # but for being rounded
    Grid angles  # the second output of COMBINE_POLAR
    bint half_up
    Scaling scaling
    bint scales  # second sums where they are made
    bint gradient  # its lengths, of 3×3 pixels of one channel
    real start  # of the first sum: `delta`, where nothing comes between


cdef void first_sum(
    const Plan* plan, const Frame* frame, const Tile* tile, int p, const Target* to
) noexcept nogil:
    cdef bint last = plan.parts[p].along.weights == NULL or plan.parts[p].plain
    sum_down(frame, tile, &plan.parts[p], plan.start if p == 0 and last else 0, to, p == 0)


cdef void second_sum(
    const Plan* plan, const Frame* frame, int p, const real* line, const Target* to, Py_ssize_t n
) noexcept nogil:
    sum_along(frame, &plan.parts[p], line, plan.start if p == 0 else 0, to, n)


cdef void store(
    const Frame* frame, const Grid* grid, const Tile* tile, Py_ssize_t y, bint half_up, real* line
) noexcept nogil:
    """Write a line, rounded and saturated where the output holds integers."""
    cdef Py_ssize_t n = tile.pixels * frame.channels
    if ROUNDS and not half_up and grid.itemsize <= 2 and is_packed(grid):
        store_line_rounded(place(grid, y, tile.x), grid.kind, line, n)
        return
    if grid.kind == c"B":
        round_line(line, n, 0, 255, half_up)
    elif grid.kind == c"H":
        round_line(line, n, 0, 65535, half_up)
    elif grid.kind == c"h":
        round_line(line, n, -32768, 32767, half_up)
    store_line(grid, y, tile.x, tile.pixels, line)


cdef void finish(const Plan* plan, const Frame* frame, const Tile* tile, int row, real* a, real* b) noexcept nogil:
    """Store output row `row` of the tile from its sums: of each part, where the parts are not added."""
    cdef Py_ssize_t n = tile.pixels * frame.channels, y = tile.y + row
    if plan.rounds:
        return
    if plan.combine != COMBINE_SUM:
        polar_lines(a, b, n, plan.combine != COMBINE_ANGLE, plan.combine != COMBINE_MAGNITUDE)
    if plan.combine != COMBINE_ANGLE:
        if not plan.scales:
            scale_line(a, n, &plan.scaling)
        store(frame, &frame.out, tile, y, plan.half_up, a)
    if plan.combine == COMBINE_ANGLE or plan.combine == COMBINE_POLAR:
        store(frame, &plan.angles, tile, y, plan.half_up, b)


cdef inline real* first_line(const Plan* plan, const Frame* frame, real* sums, int row) noexcept nogil:
    """The sums of the first part for output row `row`."""
    sums += row * frame.line_step
    return sums + plan.parts[0].along.column * frame.channels if plan.parts[0].plain else sums


cdef void run_rows(const void* described, const Frame* frame, Tile* tile) noexcept nogil:
    """The output rows that a tile has come to, with lines of scratch between the sums and behind them."""
    cdef const Plan* plan = <const Plan*>described
    cdef Py_ssize_t group = STENCIL_ROWS * frame.line_step, n = tile.pixels * frame.channels
    cdef real* sums = tile.lines + group
    cdef Target middle, to
    cdef int p, r
    if plan.gradient and is_wide(tile):
        length_rows(plan.parts, tile, <real*>place(&frame.out, tile.y, tile.x), frame.out.row_step, frame.stream)
        return
    memset(&middle, 0, sizeof(Target))
    middle.line, middle.step, middle.rows = tile.lines, frame.line_step, STENCIL_ROWS
    for p in range(plan.part_count):
        to = middle
        to.line, to.rows = sums + p * group, tile.count
        if plan.in_place and p == plan.part_count - 1:
            to.line, to.step, to.stream = <real*>place(&frame.out, tile.y, tile.x), frame.out.row_step, frame.stream
        if p == plan.part_count - 1 and plan.rounds:
            to.integers, to.kind = place(&frame.out, tile.y, tile.x), frame.out.kind
            to.integers_step = frame.out.row_step * frame.out.itemsize
        if plan.parts[p].along.weights == NULL or plan.parts[p].plain:
            first_sum(plan, frame, tile, p, &to)
            continue
        first_sum(plan, frame, tile, p, &middle)
        to.rows = 1
        for r in range(tile.count):
            if p and plan.combine == COMBINE_SUM:
                to.others = first_line(plan, frame, sums, r)
            elif p and plan.in_place:
                to.across = sums + r * frame.line_step
            if p == plan.part_count - 1 and plan.scales:
                to.scaling = &plan.scaling
            second_sum(plan, frame, p, tile.lines + r * frame.line_step, &to, n)
            to.line += to.step
            if to.integers != NULL:
                to.integers += to.integers_step
    if plan.in_place:
        return
    if plan.combine == COMBINE_SUM:
        sums += (plan.part_count - 1) * group
    for r in range(tile.count):
        finish(plan, frame, tile, r, sums + r * frame.line_step, sums + group + r * frame.line_step)


# ---- from Python ------------------------------------------------------------------------------------
cdef int read_plan(Plan* plan, Frame* frame, stencil) except -1:
    cdef Part* last
    plan.part_count = read_parts(plan.parts, frame, stencil)
    plan.combine = COMBINE.index(stencil.combine)
    plan.scaling.scale, plan.scaling.divisor, plan.scaling.delta = stencil.scale, stencil.divisor, stencil.delta
    plan.half_up = stencil.half_up
    last = &plan.parts[plan.part_count - 1]
    if plan.part_count == 1 or plan.combine != COMBINE_SUM or last.plain:
        plan.parts[0].plain = last.plain = False
    return 0


cdef void choose_stores(Plan* plan, Frame* frame) noexcept:
    """How the sums come into this output."""
    cdef bint two_sums = plan.parts[plan.part_count - 1].along.weights != NULL, added = plan.combine == COMBINE_SUM
    cdef bint real_out = frame.out.kind == c"f" or frame.out.kind == c"d", plain, same
    plan.start = 0
    if real_out and plan.scaling.scale == 1 and plan.scaling.divisor == 1 and added:
        plan.start, plan.scaling.delta = plan.scaling.delta, 0
    plan.scales = two_sums and added and is_scaled(&plan.scaling)
    plain = (plan.scales or not is_scaled(&plan.scaling)) and is_packed(&frame.out)
    same = plain and frame.out.kind == (c"f" if sizeof(real) == 4 else c"d")
    plan.in_place = same and (added or (plan.combine == COMBINE_MAGNITUDE and two_sums))
    plan.gradient = (
        plan.in_place and plan.combine == COMBINE_MAGNITUDE and frame.channels == 1 and is_gradient(plan.parts)
    )
    plan.rounds = ROUNDS and plain and added and not plan.half_up and frame.out.itemsize <= 2
    plan.rounds = plan.rounds and (two_sums or plan.part_count == 1)
    frame.stream = plan.in_place and output_bytes(frame) >= STREAM_BYTES
    frame.stream = frame.stream and (two_sums or frame.out.row_step * <Py_ssize_t>sizeof(real) % 64 == 0)
    frame.stream = frame.stream and not is_crowded(frame, &frame.out)
    frame.lines = plan.part_count if plan.in_place else 1 + plan.part_count


cdef class Kernel:
    """An `ops.stencil.Stencil` and a border, read once; `run` may be called from many threads."""

    cdef Plan plan
    cdef Frame frame

    def __cinit__(self, stencil not None, int border, double cval):
        read_kernel(&self.frame, stencil, border, cval)
        read_plan(&self.plan, &self.frame, stencil)

    def __dealloc__(self):
        free_parts(self.plan.parts)

    def run(self, image not None, out not None, Py_ssize_t first, int threads, angles=None):
        """Write the stencil of `image` into `out`: checked HW or HWC arrays of any strides (see `ops.rows`).

        The angles of a gradient are written into `angles`.
        """
        cdef Py_buffer views[3]
        cdef Plan plan = self.plan
        cdef Frame frame = self.frame
        memset(views, 0, sizeof(views))
        try:
            open_images(views, &frame, image, out, first)
            PyObject_GetBuffer(out if angles is None else angles, &views[2], PyBUF_RECORDS)
            plan.angles = grid_of(&views[2])
            choose_stores(&plan, &frame)
            run_tiles(&plan, &frame, run_rows, threads)
        finally:
            PyBuffer_Release(&views[2])
            close_images(views)


def border_rows(Py_ssize_t first, Py_ssize_t count, Py_ssize_t height, int border):
    """The image row behind each of `count` rows from `first` on; -1 for the constant border."""
    return [border_index(first + i, height, border) for i in range(count)]

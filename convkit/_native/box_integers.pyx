"""Means of integer images over rectangles, in sums of 32 bits.

Integers are exact, so that a row that leaves the rectangle is taken away again from the sums of columns. Along the
line, sums of a few pixels are made first, and added then.
"""
from libc.stdint cimport int32_t
from libc.string cimport memset

from convkit._native.pixel cimport KEY_BYTES, KL, key, pixel
from convkit._native.simd cimport prefetch_far, prefetch_write, real
from convkit._native.window cimport (
    Tile, Window, close_window, image_row, load_row, open_window, output_row, run_tiles, store_row,
    stores_directly, whole_line,
)

cdef extern from "means.h" nogil:
    ctypedef long long sums
    ctypedef struct mean:
        pass
    enum:
        SL
        SUM_VECTORS
    sums sums_load(const int32_t* p)
    void sums_store(int32_t* p, sums v)
    sums sums_set(int x)
    sums sums_of(const key* p)
    mean mean_of(int area, bint half_up)
    bint mean_is_near(int area, bint half_up)
    sums sums_divided(sums total, mean how, bint near)
    void means_store(key* p, const sums* v)

cdef struct Plan:
    mean division
    bint near
    Py_ssize_t block  # pixels of a line that are summed first
    Py_ssize_t count  # such sums, and pixels beside them
    Py_ssize_t rest


# ---- down the rows ----------------------------------------------------------------------------------
cdef void roll(const key* fresh, const key* gone, int32_t* line, Py_ssize_t n, const real* coming) noexcept nogil:
    """Add a row to the sums of columns, and take the one away that has left, while the next one is asked for."""
    cdef Py_ssize_t x = 0, at
    cdef int v
    while x < n:
        for v in range(SUM_VECTORS):
            at = x + v * SL
            sums_store(line + at, sums_load(line + at) + sums_of(fresh + at) - sums_of(gone + at))
        prefetch_far(<const real*>(<const key*>coming + x))
        x += KL


# ---- along the line ---------------------------------------------------------------------------------
cdef inline void sum_pixels(
    const int32_t* line, int32_t* blocks, Py_ssize_t n, Py_ssize_t block, Py_ssize_t step, const int known
) noexcept nogil:
    """Sums of `block` pixels, one for each element. `known`: their number, if the compiler is to know it, or 0."""
    cdef sums total[2]
    cdef Py_ssize_t x = 0, q
    cdef int v
    while x < n:
        for v in range(2):
            total[v] = sums_load(line + x + v * SL)
        for q in range(1, known if known else block):
            for v in range(2):
                total[v] = total[v] + sums_load(line + x + q * step + v * SL)
        for v in range(2):
            sums_store(blocks + x + v * SL, total[v])
        x += 2 * SL


cdef void sum_blocks(const int32_t* line, int32_t* blocks, Py_ssize_t n, Py_ssize_t block, Py_ssize_t step) noexcept nogil:
    if block == 3:
        sum_pixels(line, blocks, n, block, step, 3)
    elif block == 4:
        sum_pixels(line, blocks, n, block, step, 4)
    elif block == 5:
        sum_pixels(line, blocks, n, block, step, 5)
    else:
        sum_pixels(line, blocks, n, block, step, 0)


cdef inline void mean_blocks(
    const Plan* plan, const int32_t* blocks, const int32_t* line, Py_ssize_t channels, pixel* target, Py_ssize_t n,
    const real* next, const int known, const bint near
) noexcept nogil:
    """Exactly n means, at least a vector: the last vectors overlap. `line`: where the pixels beside the blocks begin.

    `known`: how many blocks there are and nothing beside them, if the compiler is to know it, or 0.
    """
    cdef mean division = plan.division
    cdef Py_ssize_t at = 0, x, i, step = plan.block * channels, count = known if known else plan.count
    cdef Py_ssize_t rest = 0 if known else plan.rest
    cdef sums total[4]
    cdef int v
    while at < n:
        x = min(at, n - KL)
        for v in range(SUM_VECTORS):
            total[v] = sums_load(blocks + x + v * SL)
        for i in range(1, count):
            for v in range(SUM_VECTORS):
                total[v] = total[v] + sums_load(blocks + x + i * step + v * SL)
        for i in range(rest):
            for v in range(SUM_VECTORS):
                total[v] = total[v] + sums_load(line + x + i * channels + v * SL)
        for v in range(SUM_VECTORS):
            total[v] = sums_divided(total[v], division, near)
        means_store(<key*>target + x, total)
        prefetch_write(<const real*>(<const key*>next + x))
        at += KL


cdef void mean_line(
    const Plan* plan, const int32_t* blocks, const int32_t* line, Py_ssize_t channels, pixel* target, Py_ssize_t n,
    const real* next
) noexcept nogil:
    if not plan.near:
        mean_blocks(plan, blocks, line, channels, target, n, next, 0, False)
    elif plan.rest == 0 and plan.count == 3:
        mean_blocks(plan, blocks, line, channels, target, n, next, 3, True)
    elif plan.rest == 0 and plan.count == 5:
        mean_blocks(plan, blocks, line, channels, target, n, next, 5, True)
    else:
        mean_blocks(plan, blocks, line, channels, target, n, next, 0, True)


# ---- tiles ------------------------------------------------------------------------------------------
cdef void mean_tile(const Window* w, const void* how, Tile tile, key* scratch) noexcept nogil:
    cdef const Plan* plan = <const Plan*>how
    cdef Py_ssize_t n = max(tile.pixels * w.channels, <Py_ssize_t>KL), wide = (tile.pixels + w.columns - 1) * w.channels
    cdef Py_ssize_t kept = w.rows + 1, t, y
    cdef key* blank = scratch + kept * w.line
    cdef pixel* target = <pixel*>(blank + w.line)
    cdef int32_t* line = <int32_t*>(blank + 2 * w.line)
    cdef int32_t* blocks = line + w.line
    cdef key* fresh
    cdef bint direct = stores_directly(w, tile)
    memset(line, 0, w.line * sizeof(int32_t))
    for t in range(tile.bottom - tile.top + w.rows - 1):
        fresh = scratch + t % kept * w.line
        load_row(w, tile, tile.top + t, fresh)
        roll(
            fresh, scratch + (t + 1) % kept * w.line if t >= w.rows else blank, line, wide,
            image_row(w, tile, tile.top + t + 1),
        )
        y = tile.top + t - w.rows + 1
        if y < tile.top:
            continue
        if plan.block > 1:
            sum_blocks(line, blocks, n + (plan.count - 1) * plan.block * w.channels, plan.block, w.channels)
        if direct:
            target = output_row(w, tile, y)
        mean_line(
            plan, blocks if plan.block > 1 else line, line + plan.count * plan.block * w.channels, w.channels, target, n,
            <const real*>output_row(w, tile, min(y + 1, tile.bottom - 1)),
        )
        if not direct:
            store_row(w, tile, y, target)


cdef void choose_block(Plan* plan, Py_ssize_t columns) noexcept:
    """The length of the first sums that makes the fewest steps."""
    cdef Py_ssize_t block, cost, best = columns
    plan.block, plan.count, plan.rest = 1, columns, 0
    for block in range(2, columns):
        cost = block + columns // block + columns % block + 1
        if cost < best:
            best = cost
            plan.block, plan.count, plan.rest = block, columns // block, columns % block


# ---- from Python ------------------------------------------------------------------------------------
def box(
    image not None, out not None, bint half_up, extent, anchor, int border, double outside, int threads
):
    """Write the means of `image` over rectangles into `out`: HW or HWC arrays of any strides, an area that 31 bits sum."""
    cdef Window w
    cdef Plan plan
    cdef Py_buffer views[2]
    cdef Py_ssize_t lines
    open_window(&w, views, image, out, extent, anchor, border, outside)
    try:
        plan.division = mean_of(<int>(w.rows * w.columns), half_up)
        plan.near = mean_is_near(<int>(w.rows * w.columns), half_up)
        choose_block(&plan, w.columns)
        lines = w.rows + 3 + 2 * (4 // KEY_BYTES)
        run_tiles(&w, mean_tile, &plan, lines, 0, threads, whole_line(&w, lines))
    finally:
        close_window(views)

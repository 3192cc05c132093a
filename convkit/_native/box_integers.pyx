"""Means of integer images over rectangles, in sums of 32 bits.

Integers are exact, so that what leaves the rectangle is taken away again: a row from the sums of columns, and one of
those from the sums along a line, a pixel further each.
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
        int less
    enum:
        SL
        SUM_VECTORS
    sums sums_load(const int32_t* p)
    void sums_store(int32_t* p, sums v)
    sums sums_of(const key* p)
    mean mean_of(int area)
    bint mean_is_near(int area)
    sums sums_last(sums v, int channels)
    sums sums_along(sums v, sums* before, int channels)
    sums sums_divided(sums total, mean how, bint near)
    void means_store(key* p, const sums* v)

cdef enum:
    DIRECTLY = 5  # pixels of a line

cdef struct Plan:
    mean division
    bint near
    Py_ssize_t columns


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
cdef inline sums sum_directly(const int32_t* line, Py_ssize_t columns, Py_ssize_t channels) noexcept nogil:
    cdef sums total = sums_load(line)
    cdef Py_ssize_t q
    for q in range(1, columns):
        total = total + sums_load(line + q * channels)
    return total


cdef inline sums change(const int32_t* line, Py_ssize_t columns, Py_ssize_t channels) noexcept nogil:
    """What the sums from `line` on have that those one pixel before it lack."""
    return sums_load(line + (columns - 1) * channels) - sums_load(line - channels)


cdef inline void sum_stepping(
    const int32_t* line, int32_t* totals, Py_ssize_t n, Py_ssize_t columns, Py_ssize_t channels
) noexcept nogil:
    """Pixel by pixel, a vector of channels at a time."""
    cdef Py_ssize_t first = 0, x
    cdef sums total
    while first < channels:
        total = sum_directly(line + first, columns, channels)
        sums_store(totals + first, total)
        x = first + channels
        while x < n:
            total = total + change(line + x, columns, channels)
            sums_store(totals + x, total)
            x += channels
        first += SL


cdef inline void mean_pixels(
    const Plan* plan, const int32_t* line, Py_ssize_t channels, pixel* target, Py_ssize_t n, const real* next,
    const int known, const bint near
) noexcept nogil:
    """Exactly n means, at least a vector: the last vectors overlap. `known`: of how many pixels, or 0 for the plan's."""
    cdef mean division = plan.division
    cdef Py_ssize_t at = 0, x, i, count = known if known else plan.columns
    cdef int less = 0 if near else division.less
    cdef sums total[4]
    cdef int v
    while at < n:
        x = min(at, n - KL)
        for v in range(SUM_VECTORS):
            total[v] = sums_load(line + x + v * SL) - less
        for i in range(1, count):
            for v in range(SUM_VECTORS):
                total[v] = total[v] + sums_load(line + x + i * channels + v * SL)
        for v in range(SUM_VECTORS):
            total[v] = sums_divided(total[v], division, near)
        means_store(<key*>target + x, total)
        prefetch_write(<const real*>(<const key*>next + x))
        at += KL


cdef inline void mean_vector(
    mean division, const int32_t* line, Py_ssize_t columns, pixel* target, sums* before, const int CHANNELS, const bint near
) noexcept nogil:
    """Of KL sums, each of which follows from that of the pixel before it: `before`, by channels, less `division.less`."""
    cdef sums total[4]
    cdef int v
    for v in range(SUM_VECTORS):
        total[v] = sums_along(change(line + v * SL, columns, CHANNELS), before, CHANNELS)
    for v in range(SUM_VECTORS):
        total[v] = sums_divided(total[v], division, near)
    means_store(<key*>target, total)


cdef inline void mean_running(
    const Plan* plan, const int32_t* line, pixel* target, Py_ssize_t n, const real* next, const int CHANNELS,
    const bint near
) noexcept nogil:
    """The same of many pixels. In front of the line are zeros, a vector of them."""
    cdef mean division = plan.division  # which nothing that is written could change
    cdef Py_ssize_t columns = plan.columns, x = 0
    cdef sums before = sums_last(sum_directly(line - SL, columns, CHANNELS), CHANNELS) - division.less
    while x <= n - KL:
        prefetch_write(<const real*>(<const key*>next + x))
        mean_vector(division, line + x, columns, target + x, &before, CHANNELS, near)
        x += KL
    if x < n:
        x = n - KL
        before = sums_last(sum_directly(line + x - SL, columns, CHANNELS), CHANNELS) - division.less
        mean_vector(division, line + x, columns, target + x, &before, CHANNELS, near)


cdef inline void mean_line(
    const Plan* plan, const int32_t* line, int32_t* totals, Py_ssize_t channels, pixel* target, Py_ssize_t n,
    const real* next, const bint near
) noexcept nogil:
    if plan.columns == 3:
        mean_pixels(plan, line, channels, target, n, next, 3, near)
    elif plan.columns == 5:
        mean_pixels(plan, line, channels, target, n, next, 5, near)
    elif plan.columns <= DIRECTLY:
        mean_pixels(plan, line, channels, target, n, next, 0, near)
    elif channels == 1:
        mean_running(plan, line, target, n, next, 1, near)
    elif channels == 2:
        mean_running(plan, line, target, n, next, 2, near)
    elif channels == 3:
        mean_running(plan, line, target, n, next, 3, near)
    elif channels == 4:
        mean_running(plan, line, target, n, next, 4, near)
    else:
        sum_stepping(line, totals, n, plan.columns, channels)
        mean_pixels(plan, totals, channels, target, n, next, 1, near)


# ---- tiles ------------------------------------------------------------------------------------------
cdef void mean_tile(const Window* w, const void* how, Tile tile, key* scratch) noexcept nogil:
    cdef const Plan* plan = <const Plan*>how
    cdef Py_ssize_t n = max(tile.pixels * w.channels, <Py_ssize_t>KL), wide = (tile.pixels + w.columns - 1) * w.channels
    cdef Py_ssize_t kept = w.rows + 1, t, y
    cdef pixel* target = <pixel*>(scratch + kept * w.line)
    cdef key* blank = scratch + (kept + 1) * w.line
    cdef int32_t* line = <int32_t*>(blank + w.line)
    cdef int32_t* totals = line + w.line
    cdef key* fresh
    cdef const real* next
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
        next = <const real*>output_row(w, tile, min(y + 1, tile.bottom - 1))
        if direct:
            target = output_row(w, tile, y)
        if plan.near:
            mean_line(plan, line, totals, w.channels, target, n, next, True)
        else:
            mean_line(plan, line, totals, w.channels, target, n, next, False)
        if not direct:
            store_row(w, tile, y, target)


# ---- from Python ------------------------------------------------------------------------------------
def box(image not None, out not None, extent, anchor, int border, double outside, int threads):
    """Write the means of `image` over rectangles into `out`: HW or HWC arrays of any strides, an area that 31 bits sum."""
    cdef Window w
    cdef Plan plan
    cdef Py_buffer views[2]
    cdef Py_ssize_t lines
    open_window(&w, views, image, out, extent, anchor, border, outside)
    try:
        plan.division = mean_of(<int>(w.rows * w.columns))
        plan.near = mean_is_near(<int>(w.rows * w.columns))
        plan.columns = w.columns
        lines = w.rows + 3 + 2 * (4 // KEY_BYTES)
        run_tiles(&w, mean_tile, &plan, lines, 0, threads, whole_line(&w, lines))
    finally:
        close_window(views)

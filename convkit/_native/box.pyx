"""Means over rectangles, in steps that hardly grow with the rectangle.

Down the rows, sums of 1, 2, 4, 8, ... rows are each made of two of the sums before, and those that the height is made
of are added. Along the line, sums of about √width pixels are made first, and added then. Nothing is ever taken away
again: each output is summed in one order, wherever a tile starts, and a NaN or Inf stays in its receptive field.
"""
from cython.parallel cimport prange, threadid
from libc.math cimport sqrt
from libc.string cimport memset

from convkit._native.border cimport border_index
from convkit._native.finish cimport scale_line
from convkit._native.image cimport is_packed, place, store_line
from convkit._native.parts cimport close_images, open_images, read_kernel
from convkit._native.rounding cimport round_line
from convkit._native.simd cimport (
    VL, stored, prefetch_far, real, scratch_alloc, scratch_free, vec, vec_load, vec_load_pixels, vec_set,
    vec_store
)
from convkit._native.tiles cimport Frame, cut, load_bordered, make_tall

cdef enum:
    LEVELS = 16  # a sum of 2¹⁵ rows is the largest
    BLOCK = 4  # vectors that go down together
    DIRECT = 6  # so many pixels of a line are summed one by one

cdef struct Plan:
    Frame frame
    int top  # the largest sum has 2^top rows
    Py_ssize_t lag[LEVELS]  # how many rows ago the sum was made that an output needs, or -1
    Py_ssize_t kept[LEVELS]  # rows of each level
    Py_ssize_t ring[LEVELS]  # the elements in front of them
    Py_ssize_t ring_elements
    Py_ssize_t block  # pixels of a line that are summed first
    Py_ssize_t area
    bint half_up
    bint in_place  # the output is of the sums' own type

cdef struct Rows:
    const stored* fresh
    const stored* last
    const stored* lone  # the row that an odd height adds
    real* made[LEVELS]
    const real* back[LEVELS]
    const real* wanted[LEVELS]
    const char* ahead  # a row of the image that will be read soon, or NULL
    int levels  # so many are made
    bint ready  # an output is complete


# ---- down the rows ----------------------------------------------------------------------------------
cdef inline void roll_block(const Plan* plan, const Rows* rows, Py_ssize_t x, real* line, const int width) noexcept nogil:
    cdef vec sums[BLOCK]
    cdef int v, level
    for v in range(width):
        sums[v] = vec_load_pixels(rows.fresh + x + v * VL)
    if rows.levels:
        for v in range(width):
            sums[v] = sums[v] + vec_load_pixels(rows.last + x + v * VL)
            vec_store(rows.made[1] + x + v * VL, sums[v])
    for level in range(2, rows.levels + 1):
        for v in range(width):
            sums[v] = sums[v] + vec_load(rows.back[level - 1] + x + v * VL)
            vec_store(rows.made[level] + x + v * VL, sums[v])
    if not rows.ready:
        return
    for v in range(width):
        sums[v] = vec_set(0)
    for level in range(plan.top, 0, -1):
        if rows.wanted[level] != NULL:
            for v in range(width):
                sums[v] = sums[v] + vec_load(rows.wanted[level] + x + v * VL)
    if rows.lone != NULL:
        for v in range(width):
            sums[v] = sums[v] + vec_load_pixels(rows.lone + x + v * VL)
    for v in range(width):
        vec_store(line + x + v * VL, sums[v])


cdef void roll(
    const Plan* plan, Py_ssize_t t, const char* ahead, stored* pixels, real* ring, real* line, Py_ssize_t n
) noexcept nogil:
    """Take in row `t` of a tile, and sum the rows that end with it into `line`."""
    cdef Py_ssize_t step = plan.frame.line_step, x = 0, byte, kept
    cdef real* sums
    cdef Rows rows
    cdef int level = 1
    rows.fresh = pixels + t % plan.kept[0] * step
    rows.last = pixels + (t + plan.kept[0] - 1) % plan.kept[0] * step
    rows.lone = rows.fresh if plan.lag[0] == 0 else NULL
    rows.ready = t >= plan.frame.rows - 1
    rows.ahead = ahead
    rows.levels = 0
    while level <= plan.top and t >= (1 << level) - 1:
        rows.levels = level
        kept, sums = plan.kept[level], ring + plan.ring[level]
        rows.made[level] = sums + t % kept * step
        rows.back[level] = sums + (t + kept - (1 << level)) % kept * step
        rows.wanted[level] = sums + (t + kept - plan.lag[level]) % kept * step if plan.lag[level] >= 0 else NULL
        level += 1
    while x + BLOCK * VL <= n:
        byte = 0
        while rows.ahead != NULL and byte < BLOCK * VL * plan.frame.image.itemsize:
            prefetch_far(rows.ahead + x * plan.frame.image.itemsize + byte)
            byte += 64
        roll_block(plan, &rows, x, line, BLOCK)
        x += BLOCK * VL
    while x < n:
        roll_block(plan, &rows, x, line, 1)
        x += VL


# ---- along the line ---------------------------------------------------------------------------------
cdef inline void slide_block(
    const real* a, Py_ssize_t count, Py_ssize_t step, const real* b, Py_ssize_t rest, Py_ssize_t channels, real factor,
    real* to, const int width,
) noexcept nogil:
    cdef vec sums[BLOCK]
    cdef Py_ssize_t _
    cdef int v
    for v in range(width):
        sums[v] = vec_load(a + v * VL)
    for _ in range(1, count):
        a += step
        for v in range(width):
            sums[v] = sums[v] + vec_load(a + v * VL)
    for _ in range(rest):
        for v in range(width):
            sums[v] = sums[v] + vec_load(b + v * VL)
        b += channels
    for v in range(width):
        vec_store(to + v * VL, sums[v] * vec_set(factor))


cdef void slide(
    const real* a, Py_ssize_t count, Py_ssize_t step, const real* b, Py_ssize_t rest, Py_ssize_t channels, real factor,
    real* to, Py_ssize_t n,
) noexcept nogil:
    """to[i] = factor · the sum of `count` elements of `a`, `step` apart, and of `rest` pixels of `b`.

    n elements, or a vector where they are fewer: the last vectors overlap.
    """
    cdef Py_ssize_t x = 0, at
    while x < n:
        if n >= BLOCK * VL:
            at = min(x, n - BLOCK * VL)
            slide_block(a + at, count, step, b + at, rest, channels, factor, to + at, BLOCK)
            x += BLOCK * VL
        else:
            at = min(x, max(n - VL, 0))
            slide_block(a + at, count, step, b + at, rest, channels, factor, to + at, 1)
            x += VL


cdef void sum_line(
    const Plan* plan, const real* line, real* blocks, real factor, real* to, Py_ssize_t n
) noexcept nogil:
    cdef Py_ssize_t channels = plan.frame.channels, count = plan.frame.columns // plan.block
    cdef Py_ssize_t rest = plan.frame.columns - count * plan.block, step = plan.block * channels
    if plan.block == 1:
        slide(line, count, step, line, 0, channels, factor, to, n)
        return
    slide(line, plan.block, channels, line, 0, channels, 1, blocks, n + (count - 1) * step)
    slide(blocks, count, step, line + count * step, rest, channels, factor, to, n)


# ---- the mean ---------------------------------------------------------------------------------------
cdef void divide(const Plan* plan, real* line, Py_ssize_t n) noexcept nogil:
    cdef char kind = plan.frame.out.kind
    if kind == c"f" or kind == c"d":
        scale_line(line, n, <real>1 / <real>plan.area, 1, 0)
        return
    scale_line(line, n, 1, <real>plan.area, 0)
    if kind == c"B":
        round_line(line, n, 0, 255, plan.half_up)
    elif kind == c"H":
        round_line(line, n, 0, 65535, plan.half_up)
    else:
        round_line(line, n, -32768, 32767, plan.half_up)


# ---- tiles ------------------------------------------------------------------------------------------
cdef void run_tile(const Plan* plan, Py_ssize_t index, char* scratch) noexcept nogil:
    cdef const Frame* frame = &plan.frame
    cdef Py_ssize_t top = index // frame.strips * frame.band, left = index % frame.strips * frame.strip
    cdef Py_ssize_t height = min(frame.band, frame.out_height - top), pixels = min(frame.strip, frame.out_width - left)
    cdef Py_ssize_t n = pixels * frame.channels, wide = pixels + frame.columns - 1, t, y
    cdef const char* ahead
    cdef real* line = <real*>scratch
    cdef real* blocks = line + frame.line_step
    cdef real* sums = blocks + frame.line_step
    cdef real* ring = sums + frame.line_step
    cdef real* target
    cdef stored* rows = <stored*>(ring + plan.ring_elements)
    for t in range(height + frame.rows - 1):
        load_bordered(frame, top + frame.first_row + t, left + frame.first_column, wide,
                      rows + t % plan.kept[0] * frame.line_step)
        y = border_index(top + frame.first_row + t + 2, frame.height, frame.border)
        ahead = place(&frame.image, y, max(left + frame.first_column, 0)) if y >= 0 and is_packed(&frame.image) else NULL
        roll(plan, t, ahead, rows, ring, line, wide * frame.channels)
        if t < frame.rows - 1:
            continue
        if plan.in_place and n >= VL:
            target = <real*>place(&frame.out, top + t - frame.rows + 1, left)
            sum_line(plan, line, blocks, 1 / <real>plan.area, target, n)
            continue
        sum_line(plan, line, blocks, 1, sums, n)
        divide(plan, sums, n)
        store_line(&frame.out, top + t - frame.rows + 1, left, pixels, sums)


cdef void size_levels(Plan* plan) noexcept:
    """Which sums the height is made of, and how long each is kept."""
    cdef Py_ssize_t height = plan.frame.rows, below
    cdef int level
    plan.top = 0
    while height >> plan.top > 1:
        plan.top += 1
    plan.kept[0] = 2
    for level in range(plan.top + 1):
        below = height & ((1 << level) - 1)
        plan.lag[level] = below if height >> level & 1 else -1
        if level:
            plan.kept[level] = 1 + (below if level == plan.top else 1 << level)


cdef int execute(Plan* plan, int threads) except -1:
    cdef Frame* frame = &plan.frame
    cdef Py_ssize_t tiles, i, bytes_each
    cdef char* scratch
    cdef int level
    size_levels(plan)
    frame.lines, frame.window = 1, frame.columns  # strips are as wide as the ring allows: memory is faster along rows
    cut(frame, threads)
    make_tall(frame, threads)
    for level in range(1, plan.top + 1):
        plan.ring[level] = plan.ring_elements
        plan.ring_elements += plan.kept[level] * frame.line_step
    tiles = (frame.out_height + frame.band - 1) // frame.band * frame.strips
    threads = <int>min(threads, tiles)
    bytes_each = (plan.ring_elements + 3 * frame.line_step) * <Py_ssize_t>sizeof(real)
    bytes_each += 2 * frame.line_step * <Py_ssize_t>sizeof(stored)
    bytes_each = (bytes_each + 63) // 64 * 64
    scratch = <char*>scratch_alloc(threads * bytes_each)
    if scratch == NULL:
        raise MemoryError(f"no {threads * bytes_each} bytes for a box of {frame.rows}x{frame.columns}")
    with nogil:
        if threads == 1:
            for i in range(tiles):
                run_tile(plan, i, scratch)
        else:
            for i in prange(tiles, num_threads=threads, schedule="dynamic"):
                run_tile(plan, i, scratch + threadid() * bytes_each)
    scratch_free(scratch)
    return 0


# ---- from Python ------------------------------------------------------------------------------------
cdef class Kernel:
    """An `ops.box.Box` and a border, read once; `run` may be called from many threads."""

    cdef Plan plan

    def __cinit__(self, box not None, int border, double cval):
        read_kernel(&self.plan.frame, box, border, cval)

    def run(self, image not None, out not None, Py_ssize_t first, int threads):
        """Write the means of `image` into `out`: checked HW or HWC arrays of any strides (see `ops.rows`)."""
        cdef Py_buffer views[2]
        cdef Plan plan = self.plan
        memset(views, 0, sizeof(views))
        try:
            open_images(views, &plan.frame, image, out, first)
            plan.area = plan.frame.rows * plan.frame.columns
            plan.half_up = plan.frame.image.kind == c"B"
            plan.in_place = (
                plan.frame.out.kind == (c"f" if sizeof(real) == 4 else c"d")
                and is_packed(&plan.frame.out)
            )
            plan.block = 1 if plan.frame.columns <= DIRECT else <Py_ssize_t>(sqrt(<double>plan.frame.columns) + 0.5)
            execute(&plan, threads)
        finally:
            close_images(views)

"""Means of uint8 images over rectangles, in integers of 16 bits down the rows and of 32 along the line.

Integers are exact, so that a row that leaves the rectangle is taken away again. Along the line, sums of a few pixels
are made first, less 2¹⁵ to be signed, and pairs of them are added in 32 bits.
"""
from cython.parallel cimport prange, threadid
from libc.stdint cimport uint8_t
from libc.string cimport memset

from convkit._native.image cimport store_line
from convkit._native.parts cimport close_images, open_images, read_kernel
from convkit._native.simd cimport (
    VL, stored, real, scratch_alloc, scratch_free, vec, vec_load, vec_load_pixels, vec_set, vec_store,
    vec_store_pixels, vec_wide, wide_add_products, wide_pair, wide_scaled, wide_set
)
from convkit._native.tiles cimport Frame, cut, load_bordered, make_tall

cdef enum:
    BLOCK = 4  # vectors that go down together
    TERM = 3  # what a term of the last sum costs beside a term of the first

cdef struct Plan:
    Frame frame
    Py_ssize_t block  # pixels of a line that are summed first
    Py_ssize_t count  # such sums, and pixels beside them
    Py_ssize_t rest


# ---- down the rows ----------------------------------------------------------------------------------
cdef inline void roll_block(const stored* fresh, const stored* gone, real* line, const int width) noexcept nogil:
    cdef vec total
    cdef int v
    for v in range(width):
        total = vec_load(line + v * VL) + vec_load_pixels(fresh + v * VL)
        if gone != NULL:
            total = total - vec_load_pixels(gone + v * VL)
        vec_store(line + v * VL, total)


cdef void roll(const stored* fresh, const stored* gone, real* line, Py_ssize_t n) noexcept nogil:
    """Add a row to the sums of columns, and take the one away that has left."""
    cdef Py_ssize_t x = 0
    while x + BLOCK * VL <= n:
        roll_block(fresh + x, NULL if gone == NULL else gone + x, line + x, BLOCK)
        x += BLOCK * VL
    while x < n:
        roll_block(fresh + x, NULL if gone == NULL else gone + x, line + x, 1)
        x += VL


# ---- along the line ---------------------------------------------------------------------------------
cdef void sum_blocks(const Plan* plan, const real* line, real* blocks, Py_ssize_t n) noexcept nogil:
    """Sums of `plan.block` pixels, less 2¹⁵."""
    cdef Py_ssize_t x = 0, q
    cdef vec total
    while x < n:
        total = vec_set(<real>-32768)
        for q in range(plan.block):
            total = total + vec_load(line + x + q * plan.frame.channels)
        vec_store(blocks + x, total)
        x += VL


cdef inline vec mean_vector(
    const Plan* plan, const real* line, const real* blocks, float factor, float offset
) noexcept nogil:
    cdef Py_ssize_t step = plan.block * plan.frame.channels, i, _
    cdef vec_wide low = wide_set(<int>plan.count << 15), high = low, both = wide_pair(1, 1), one = wide_pair(1, 0)
    for i in range(0, plan.count - 1, 2):
        wide_add_products(&low, &high, vec_load(blocks + i * step), vec_load(blocks + (i + 1) * step), both)
    if plan.count % 2:
        wide_add_products(&low, &high, vec_load(blocks + (plan.count - 1) * step), vec_load(line), one)
    line += plan.count * step
    for _ in range(0, plan.rest - 1, 2):
        wide_add_products(&low, &high, vec_load(line), vec_load(line + plan.frame.channels), both)
        line += 2 * plan.frame.channels
    if plan.rest % 2:
        wide_add_products(&low, &high, vec_load(line), vec_load(line), one)
    return wide_scaled(low, high, factor, offset)


cdef void mean_line(const Plan* plan, const real* line, const real* blocks, stored* to, Py_ssize_t n) noexcept nogil:
    cdef float factor = 1 / <float>(plan.frame.rows * plan.frame.columns)
    cdef float offset = factor / 4  # a quarter more than a tie is not taken for less by any rounding
    cdef Py_ssize_t x = 0
    while x < n:
        vec_store_pixels(to + x, mean_vector(plan, line + x, blocks + x, factor, offset),
                         mean_vector(plan, line + x + VL, blocks + x + VL, factor, offset))
        x += 2 * VL


# ---- tiles ------------------------------------------------------------------------------------------
cdef void run_tile(const Plan* plan, Py_ssize_t index, char* scratch) noexcept nogil:
    cdef const Frame* frame = &plan.frame
    cdef Py_ssize_t top = index // frame.strips * frame.band, left = index % frame.strips * frame.strip
    cdef Py_ssize_t height = min(frame.band, frame.out_height - top), pixels = min(frame.strip, frame.out_width - left)
    cdef Py_ssize_t wide = pixels + frame.columns - 1, n = wide * frame.channels, kept = frame.rows + 1, t
    cdef real* line = <real*>scratch
    cdef real* blocks = line + frame.line_step
    cdef stored* means = <stored*>(blocks + frame.line_step)
    cdef stored* rows = means + frame.line_step
    cdef stored* fresh
    memset(line, 0, frame.line_step * sizeof(real))
    for t in range(height + frame.rows - 1):
        fresh = rows + t % kept * frame.line_step
        load_bordered(frame, top + frame.first_row + t, left + frame.first_column, wide, fresh)
        roll(fresh, rows + (t + 1) % kept * frame.line_step if t >= frame.rows else NULL, line, n)
        if t >= frame.rows - 1:
            sum_blocks(plan, line, blocks, n - (plan.block - 1) * frame.channels)
            mean_line(plan, line, blocks, means, pixels * frame.channels)
            store_line(&frame.out, top + t - frame.rows + 1, left, pixels, <const uint8_t*>means)


cdef void choose_block(Plan* plan) noexcept:
    """The length of the first sums that makes the fewest steps, and keeps them below 2¹⁶."""
    cdef Py_ssize_t columns = plan.frame.columns, most = min(65535 // (255 * plan.frame.rows), columns), block
    cdef Py_ssize_t cost, best = TERM * columns + 2
    for block in range(1, most + 1):
        cost = block + TERM * (columns // block + columns % block)
        if cost < best:
            best = cost
            plan.block, plan.count, plan.rest = block, columns // block, columns % block


cdef int execute(Plan* plan, int threads) except -1:
    cdef Frame* frame = &plan.frame
    cdef Py_ssize_t tiles, i, bytes_each
    cdef char* scratch
    frame.lines, frame.window = 1, frame.columns
    choose_block(plan)
    cut(frame, threads)
    make_tall(frame, threads)
    tiles = (frame.out_height + frame.band - 1) // frame.band * frame.strips
    threads = <int>min(threads, tiles)
    bytes_each = 2 * frame.line_step * <Py_ssize_t>sizeof(real) + (frame.rows + 2) * frame.line_step
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
    """An `ops.box.Box` of at most 128 rows and a border, read once; `run` may be called from many threads."""

    cdef Plan plan

    def __cinit__(self, box not None, int border, double cval):
        read_kernel(&self.plan.frame, box, border, cval)

    def run(self, image not None, out not None, Py_ssize_t first, int threads):
        """Write the means of the uint8 `image` into `out`: checked HW or HWC arrays of any strides (see `ops.rows`)."""
        cdef Py_buffer views[2]
        cdef Plan plan = self.plan
        memset(views, 0, sizeof(views))
        try:
            open_images(views, &plan.frame, image, out, first)
            execute(&plan, threads)
        finally:
            close_images(views)

"""Means over rectangles, in steps that hardly grow with the rectangle.

Down the rows, sums of 1, 2, 4, 8, ... rows are each made of two of the sums before, and those that the height is made
of are added. Along the line, sums of about √width pixels are made first, and added then. Nothing is ever taken away
again: each output is summed in one order, wherever a tile starts, and a NaN or Inf stays in its receptive field. Images
of the sums' own type are read where they lie, and what the border adds on either side is copied from the sums of columns.
"""
from cython.parallel cimport prange, threadid
from libc.math cimport sqrt
from libc.string cimport memset

from convkit._native.border cimport BORDER_CONSTANT, border_index
from convkit._native.finish cimport Scaling, scale_line
from convkit._native.image cimport is_packed, place, store_line
from convkit._native.parts cimport close_images, open_images, read_kernel
from convkit._native.rounding cimport round_line
from convkit._native.simd cimport (
    VL, stored, prefetch_far, real, scratch_alloc, scratch_free, stream_fence, vec, vec_load, vec_load_pixels, vec_set,
    vec_store, vec_stream
)
from convkit._native.sums cimport until_cache_line
from convkit._native.tiles cimport STREAM_BYTES, Frame, cut, fill, load_bordered, make_tall, output_bytes

cdef enum:
    LEVELS = 16  # a sum of 2¹⁵ rows is the largest
    BLOCK = 4  # vectors that go down together
    DIRECT = 6  # so many pixels of a line are summed one by one
    CHUNK = 1024  # elements of a line, that are summed while they stay near

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
    bint stream  # and written around the caches

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


cdef inline Py_ssize_t earlier(Py_ssize_t slot, Py_ssize_t lag, Py_ssize_t kept) noexcept nogil:
    """The slot of `lag` rows ago in a ring of so many."""
    return slot - lag if slot >= lag else slot - lag + kept


cdef void roll(
    const Plan* plan, Py_ssize_t t, Py_ssize_t* slot, Rows* rows, real* ring, real* line, Py_ssize_t n
) noexcept nogil:
    """Take in row `t` of a tile, and sum the rows that end with it into `line`: n elements, at least a vector.

    `slot`: of each level, where in its ring the last sum was made. Made twice, where vectors overlap, it is the same.
    """
    cdef Py_ssize_t step = plan.frame.line_step, x = 0, byte, kept
    cdef real* sums
    cdef int level = 1
    rows.lone = rows.fresh if plan.lag[0] == 0 else NULL
    rows.ready = t >= plan.frame.rows - 1
    rows.levels = 0
    while level <= plan.top and t >= (1 << level) - 1:
        rows.levels = level
        kept, sums = plan.kept[level], ring + plan.ring[level]
        slot[level] = slot[level] + 1 if slot[level] + 1 < kept else 0
        rows.made[level] = sums + slot[level] * step
        rows.back[level] = sums
        if level < plan.top:
            rows.back[level] = sums + earlier(slot[level], 1 << level, kept) * step
        rows.wanted[level] = sums + earlier(slot[level], plan.lag[level], kept) * step if plan.lag[level] >= 0 else NULL
        level += 1
    while x + BLOCK * VL <= n:
        byte = 0
        while rows.ahead != NULL and byte < BLOCK * VL * plan.frame.image.itemsize:
            prefetch_far(rows.ahead + x * plan.frame.image.itemsize + byte)
            byte += 64
        roll_block(plan, rows, x, line, BLOCK)
        x += BLOCK * VL
    while x < n:
        roll_block(plan, rows, min(x, n - VL), line, 1)
        x += VL


# ---- along the line ---------------------------------------------------------------------------------
cdef inline void slide_block(
    const real* a, Py_ssize_t count, Py_ssize_t step, const real* b, Py_ssize_t rest, Py_ssize_t channels, real factor,
    real* to, const int width, const bint stream,
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
        if stream:
            vec_stream(to + v * VL, sums[v] * vec_set(factor))
        else:
            vec_store(to + v * VL, sums[v] * vec_set(factor))


cdef void slide(
    const real* a, Py_ssize_t count, Py_ssize_t step, const real* b, Py_ssize_t rest, Py_ssize_t channels, real factor,
    real* to, Py_ssize_t n, bint stream,
) noexcept nogil:
    """to[i] = factor · the sum of `count` elements of `a`, `step` apart, and of `rest` pixels of `b`.

    n elements, or a vector where they are fewer: the last vectors overlap. `stream`: around the caches, where blocks
    are aligned.
    """
    cdef Py_ssize_t x = 0, at, head = until_cache_line(to) if stream else 0
    while x < n:
        if stream and head <= x <= n - BLOCK * VL:
            slide_block(a + x, count, step, b + x, rest, channels, factor, to + x, BLOCK, True)
            x += BLOCK * VL
        elif not stream and n >= BLOCK * VL:
            at = min(x, n - BLOCK * VL)
            slide_block(a + at, count, step, b + at, rest, channels, factor, to + at, BLOCK, False)
            x += BLOCK * VL
        else:
            at = min(x, max(n - VL, 0))
            slide_block(a + at, count, step, b + at, rest, channels, factor, to + at, 1, False)
            x = head if x < head < x + VL else x + VL


cdef void sum_line(
    const Plan* plan, const real* line, real* blocks, real factor, real* to, Py_ssize_t n
) noexcept nogil:
    cdef Py_ssize_t channels = plan.frame.channels, count = plan.frame.columns // plan.block
    cdef Py_ssize_t rest = plan.frame.columns - count * plan.block, step = plan.block * channels, x = 0, some
    if plan.block == 1:
        slide(line, count, step, line, 0, channels, factor, to, n, plan.stream)
        return
    while x < n:  # the first sums stay near
        some = min(n - x, CHUNK + (until_cache_line(to + x) if plan.stream else 0))  # the next begin with a line
        if n - x - some < VL:
            some = n - x
        slide(line + x, plan.block, channels, line, 0, channels, 1, blocks, some + (count - 1) * step, False)
        slide(blocks, count, step, line + x + count * step, rest, channels, factor, to + x, some, plan.stream)
        x += some


# ---- the mean ---------------------------------------------------------------------------------------
cdef void divide(const Plan* plan, real* line, Py_ssize_t n) noexcept nogil:
    cdef char kind = plan.frame.out.kind
    cdef Scaling by
    by.scale, by.divisor, by.delta = 1, <real>plan.area, 0
    if kind == c"f" or kind == c"d":
        by.scale, by.divisor = <real>1 / <real>plan.area, 1
        scale_line(line, n, &by)
        return
    scale_line(line, n, &by)
    if kind == c"B":
        round_line(line, n, 0, 255, plan.half_up)
    elif kind == c"H":
        round_line(line, n, 0, 65535, plan.half_up)
    else:
        round_line(line, n, -32768, 32767, plan.half_up)


# ---- tiles ------------------------------------------------------------------------------------------
cdef struct Ends:  # of a tile's lines
    Py_ssize_t left, right  # so many elements lie outside the image
    const Py_ssize_t* source  # from which each of them is copied; a constant border has none
    real constant  # is their sum instead


cdef real sum_constants(const Plan* plan) noexcept nogil:
    """The sum of a column of the constant border, in the order of all sums."""
    cdef real sums[LEVELS]
    cdef real total = 0
    cdef int level
    sums[0] = plan.frame.cval
    for level in range(1, plan.top + 1):
        sums[level] = sums[level - 1] + sums[level - 1]
    for level in range(plan.top, -1, -1):
        if plan.lag[level] >= 0:
            total = total + sums[level]
    return total


cdef bint find_ends(const Plan* plan, Py_ssize_t column, Py_ssize_t wide, Py_ssize_t* source, Ends* ends) noexcept nogil:
    """Whether `wide` pixels from `column` on are read where they lie: what the border adds is to be found in them."""
    cdef const Frame* frame = &plan.frame
    cdef Py_ssize_t channels = frame.channels, left = min(max(-column, 0), wide), i, c, x
    cdef Py_ssize_t right = min(max(column + wide - frame.width, 0), wide)
    ends.left, ends.right, ends.source = left * channels, right * channels, NULL
    if not (is_packed(&frame.image) and frame.image.itemsize == sizeof(stored)):
        return False
    if (wide - left - right) * channels < VL:
        return False
    if frame.border == BORDER_CONSTANT:
        ends.constant = sum_constants(plan)
        return True
    for i in range(left + right):
        x = border_index(column + (i if i < left else i + wide - left - right), frame.width, frame.border) - column
        if not left <= x < wide - right:
            return False
        for c in range(channels):
            source[i * channels + c] = x * channels + c
    ends.source = source
    return True


cdef inline void copy_ends(const Ends* ends, real* line, Py_ssize_t wide) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(ends.left):
        line[i] = ends.constant if ends.source == NULL else line[ends.source[i]]
    for i in range(ends.right):
        line[wide - ends.right + i] = ends.constant if ends.source == NULL else line[ends.source[ends.left + i]]


cdef const stored* find_row(const Frame* frame, Py_ssize_t row, Py_ssize_t column, const stored* outside) noexcept nogil:
    """A row of the image from `column` on, or of the border."""
    cdef Py_ssize_t y = border_index(row, frame.height, frame.border)
    return outside if y < 0 else <const stored*>place(&frame.image, y, column)


cdef void run_tile(const Plan* plan, Py_ssize_t index, char* scratch) noexcept nogil:
    cdef const Frame* frame = &plan.frame
    cdef Py_ssize_t top = index // frame.strips * frame.band, left = index % frame.strips * frame.strip
    cdef Py_ssize_t height = min(frame.band, frame.out_height - top), pixels = min(frame.strip, frame.out_width - left)
    cdef Py_ssize_t n = pixels * frame.channels, wide = pixels + frame.columns - 1, inside, t, y
    cdef Py_ssize_t slot[LEVELS]
    cdef real* line = <real*>scratch
    cdef real* blocks = line + frame.line_step
    cdef real* sums = blocks + frame.line_step
    cdef real* ring = sums + frame.line_step
    cdef stored* own = <stored*>(ring + plan.ring_elements)  # two rows
    cdef Py_ssize_t* source = <Py_ssize_t*>(own + 2 * frame.line_step)
    cdef Rows rows
    cdef Ends ends
    cdef bint direct = find_ends(plan, left + frame.first_column, wide, source, &ends)
    if direct:
        inside = wide * frame.channels - ends.left - ends.right
        fill(own, frame.cval, frame.line_step)
    else:
        ends.left = ends.right = 0
        inside = max(wide * frame.channels, <Py_ssize_t>VL)
    memset(slot, 0, sizeof(slot))
    rows.fresh = own
    for t in range(height + frame.rows - 1):
        rows.last = rows.fresh
        y = top + frame.first_row + t
        if direct:
            rows.fresh = find_row(frame, y, max(left + frame.first_column, 0), own)
        else:
            rows.fresh = own + t % 2 * frame.line_step
            load_bordered(frame, y, left + frame.first_column, wide, own + t % 2 * frame.line_step)
        y = border_index(y + 2, frame.height, frame.border)
        rows.ahead = NULL
        if y >= 0 and is_packed(&frame.image):
            rows.ahead = place(&frame.image, y, max(left + frame.first_column, 0))
        roll(plan, t, slot, &rows, ring, line + ends.left, inside)
        y = top + t - frame.rows + 1
        if y < top:
            continue
        copy_ends(&ends, line, wide * frame.channels)
        if plan.in_place and n >= VL:
            sum_line(plan, line, blocks, 1 / <real>plan.area, <real*>place(&frame.out, y, left), n)
            continue
        sum_line(plan, line, blocks, 1, sums, n)
        divide(plan, sums, n)
        store_line(&frame.out, y, left, pixels, sums)
    if plan.stream:
        stream_fence()


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
    bytes_each += 2 * frame.columns * frame.channels * <Py_ssize_t>sizeof(Py_ssize_t)  # what the ends are copied from
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
            plan.stream = plan.in_place and output_bytes(&plan.frame) >= STREAM_BYTES
            plan.block = 1 if plan.frame.columns <= DIRECT else <Py_ssize_t>(sqrt(<double>plan.frame.columns) + 0.5)
            execute(&plan, threads)
        finally:
            close_images(views)

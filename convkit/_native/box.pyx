"""Means over rectangles, in steps that hardly grow with the rectangle.

Down the rows, sums of 4, 16, 64, ... rows are made of four of the sums before (`fours.pxd`), and those that the height
is made of are added; along the line, sums of about √width pixels are made first, and added then. Nothing is ever taken
away again: each output is summed in one order, wherever a tile starts, and a NaN or Inf stays in its receptive field.
Images of the sums' own type are read where they lie, and what the border adds on either side is copied from the sums of
columns.
"""
from libc.math cimport sqrt
from libc.string cimport memset

from convkit._native.arith cimport ceil_div
from convkit._native.border cimport BORDER_CONSTANT, border_index
from convkit._native.finish cimport Scaling, scale_line
from convkit._native.fours cimport BLOCK, EARLIER, ROWS, Group, Height, clear, part_height, roll, sum_constants
from convkit._native.image cimport is_packed, place, store_line
from convkit._native.parts cimport close_images, open_images, read_kernel
from convkit._native.rounding cimport round_line
from convkit._native.shares cimport run_units
from convkit._native.simd cimport (
    VL, stored, real, scratch_alloc, scratch_free, stream_fence, vec, vec_load, vec_set, vec_store,
    vec_stream
)
from convkit._native.sums cimport until_cache_line
from convkit._native.tiles cimport STREAM_BYTES, Frame, cut, fill, load_bordered, make_tall, output_bytes

cdef enum:
    OWN = 8  # rows that are not read where they lie: ROWS, and those before that fours are made of
    DIRECT = 6  # so many pixels of a line are summed one by one
    CHUNK = 1024  # elements of a line, that are summed while they stay near

cdef struct Plan:
    Frame frame
    Height height
    Py_ssize_t block  # pixels of a line that are summed first
    Py_ssize_t divisor
    bint half_up
    bint in_place  # the output is of the sums' own type
    bint stream  # and written around the caches


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
    by.scale, by.divisor, by.delta = 1, <real>plan.divisor, 0
    if kind == c"f" or kind == c"d":
        by.scale, by.divisor = <real>1 / <real>plan.divisor, 1
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
        ends.constant = sum_constants(&plan.height, frame.cval)
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


cdef void finish_line(
    const Plan* plan, const real* line, real* blocks, real* sums, Py_ssize_t y, Py_ssize_t x, Py_ssize_t pixels
) noexcept nogil:
    cdef const Frame* frame = &plan.frame
    cdef Py_ssize_t n = pixels * frame.channels
    if plan.in_place and n >= VL:
        sum_line(plan, line, blocks, 1 / <real>plan.divisor, <real*>place(&frame.out, y, x), n)
        return
    sum_line(plan, line, blocks, 1, sums, n)
    divide(plan, sums, n)
    store_line(&frame.out, y, x, pixels, sums)


cdef const stored* find_row(const Frame* frame, Py_ssize_t row, Py_ssize_t column, const stored* outside) noexcept nogil:
    """A row of the image from `column` on, or of the border."""
    cdef Py_ssize_t y = border_index(row, frame.height, frame.border)
    return outside if y < 0 else <const stored*>place(&frame.image, y, column)


cdef void find_rows(
    const Plan* plan, Py_ssize_t first, Py_ssize_t last, Py_ssize_t y, Py_ssize_t x, Py_ssize_t wide, bint direct,
    stored* own, Group* group,
) noexcept nogil:
    """The rows that end with `y`, ..., of those from `first` to `last`: beyond them no output needs any."""
    cdef const Frame* frame = &plan.frame
    cdef Py_ssize_t row
    cdef int i
    for i in range(ROWS):
        row = border_index(y + i + ROWS, frame.height, frame.border)
        group.ahead[i] = NULL
        if row >= 0 and y + i + ROWS <= last and is_packed(&frame.image):
            group.ahead[i] = place(&frame.image, row, max(x, 0))
    for i in range(ROWS + EARLIER):
        row = max(min(y + i - EARLIER, last), first)
        if direct:
            group.rows[i] = <const real*>find_row(frame, row, max(x, 0), own)
        else:
            group.rows[i] = <const real*>own + (row & OWN - 1) * frame.line_step
            if i >= EARLIER:
                load_bordered(frame, row, x, wide, own + (row & OWN - 1) * frame.line_step)


cdef void run_tile(const void* work, Py_ssize_t index, char* scratch) noexcept nogil:
    cdef const Plan* plan = <const Plan*>work
    cdef const Frame* frame = &plan.frame
    cdef Py_ssize_t top = index // frame.strips * frame.band, left = index % frame.strips * frame.strip
    cdef Py_ssize_t height = min(frame.band, frame.out_height - top), pixels = min(frame.strip, frame.out_width - left)
    cdef Py_ssize_t wide = pixels + frame.columns - 1, column = left + frame.first_column, inside
    cdef Py_ssize_t first = top + frame.first_row, last = first + height + frame.rows - 2
    cdef Py_ssize_t y = -ceil_div(frame.rows - 1, ROWS) * ROWS, i  # from which on outputs are whole groups
    cdef real* lines = <real*>scratch
    cdef real* blocks = lines + ROWS * frame.line_step
    cdef real* sums = blocks + frame.line_step
    cdef real* ring = sums + frame.line_step
    cdef stored* own = <stored*>(ring + plan.height.elements)
    cdef Py_ssize_t* source = <Py_ssize_t*>(own + OWN * frame.line_step)
    cdef const real** terms = <const real**>(source + 2 * frame.columns * frame.channels)
    cdef Group group
    cdef Ends ends
    cdef bint direct = find_ends(plan, column, wide, source, &ends)
    if direct:
        inside = wide * frame.channels - ends.left - ends.right
        fill(own, frame.cval, frame.line_step)
    else:
        ends.left = ends.right = 0
        inside = max(wide * frame.channels, <Py_ssize_t>VL)
    clear(&plan.height, &group, ring)
    group.lines, group.itemsize = lines + ends.left, frame.image.itemsize
    while y < height:
        find_rows(plan, first, last, first + y + frame.rows - 1, column, wide, direct, own, &group)
        group.ready = y >= 0
        roll(&plan.height, &group, ring, terms, inside)
        for i in range(min(height - y, <Py_ssize_t>ROWS) if group.ready else 0):
            copy_ends(&ends, lines + i * frame.line_step, wide * frame.channels)
            finish_line(plan, lines + i * frame.line_step, blocks, sums, top + y + i, left, pixels)
        y += ROWS
    if plan.stream:
        stream_fence()


cdef int execute(Plan* plan, int threads) except -1:
    cdef Frame* frame = &plan.frame
    cdef Py_ssize_t tiles, bytes_each
    cdef char* scratch
    frame.lines, frame.window = 1, frame.columns  # strips are as wide as the ring allows: memory is faster along rows
    cut(frame, threads)
    make_tall(frame, threads)
    part_height(&plan.height, frame.rows, frame.line_step)
    tiles = (frame.out_height + frame.band - 1) // frame.band * frame.strips
    threads = <int>min(threads, tiles)
    bytes_each = (plan.height.elements + (ROWS + 2) * frame.line_step) * <Py_ssize_t>sizeof(real)
    bytes_each += OWN * frame.line_step * <Py_ssize_t>sizeof(stored)
    bytes_each += 2 * frame.columns * frame.channels * <Py_ssize_t>sizeof(Py_ssize_t)  # what the ends are copied from
    bytes_each += ROWS * plan.height.terms * <Py_ssize_t>sizeof(void*)
    bytes_each = (bytes_each + 63) // 64 * 64
    scratch = <char*>scratch_alloc(threads * bytes_each)
    if scratch == NULL:
        raise MemoryError(f"no {threads * bytes_each} bytes for a box of {frame.rows}x{frame.columns}")
    with nogil:
        run_units(run_tile, plan, tiles, threads, scratch, bytes_each)
    scratch_free(scratch)
    return 0


# ---- from Python ------------------------------------------------------------------------------------
cdef class Kernel:
    """An `ops.box.Box` and a border, read once; `run` may be called from many threads."""

    cdef Plan plan

    def __cinit__(self, box not None, int border, double cval):
        read_kernel(&self.plan.frame, box, border, cval)
        self.plan.divisor = box.divisor

    def run(self, image not None, out not None, Py_ssize_t first, int threads):
        """Write the means of `image` into `out`: checked HW or HWC arrays of any strides (see `ops.rows`)."""
        cdef Py_buffer views[2]
        cdef Plan plan = self.plan
        memset(views, 0, sizeof(views))
        try:
            open_images(views, &plan.frame, image, out, first)
            plan.half_up = plan.frame.out.kind == c"B"
            plan.in_place = (
                plan.frame.out.kind == (c"f" if sizeof(real) == 4 else c"d")
                and is_packed(&plan.frame.out)
            )
            plan.stream = plan.in_place and output_bytes(&plan.frame) >= STREAM_BYTES
            plan.block = 1 if plan.frame.columns <= DIRECT else <Py_ssize_t>(sqrt(<double>plan.frame.columns) + 0.5)
            execute(&plan, threads)
        finally:
            close_images(views)

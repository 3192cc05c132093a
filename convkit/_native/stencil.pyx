"""Linear stencils over images of any strides: rows in, one row out, bands in parallel.

Everything is a sum over taps: `sum_taps` adds weighted, shifted rows of a row table into one line. A dense
kernel is one such sum over its K rows; a separable one is a vertical sum and a horizontal sum of the line
that this gave; a gradient is two separable parts and a way to combine them.

A tile (a band of rows, a strip of columns) keeps its K rows in a ring: each image row is converted to `real`
once, with the columns that its border adds on either side. So the sums never ask where the image ends, and
each pixel is summed in one order wherever a band, a strip or a vector happens to start.
"""
from cpython.buffer cimport PyBUF_RECORDS, PyBUF_RECORDS_RO, PyBuffer_Release, PyObject_GetBuffer
from cython.parallel cimport prange, threadid
from libc.math cimport atan2, sqrt
from libc.stdint cimport int16_t, int32_t, uint8_t, uint16_t
from libc.string cimport memset

from convkit._native.border cimport BORDER_VALID, border_index
from convkit._native.simd cimport VL, real, scratch_alloc, scratch_free, vec, vec_load, vec_set, vec_store

BORDERS = ("constant", "edge", "reflect", "symmetric", "wrap", "valid")  # in the order of border.pxd's codes
COMBINE = ("sum", "magnitude", "angle")

cdef enum:
    TILE = 4  # vectors summed together: enough independent additions to hide their latency
    CACHE_BYTES = 512 * 1024  # the ring of a tile stays well inside the second-level cache
    COMBINE_SUM = 0
    COMBINE_MAGNITUDE = 1
    COMBINE_ANGLE = 2

ctypedef fused element:
    uint8_t
    uint16_t
    int16_t
    float
    double

cdef struct Grid:  # an image in memory; steps count elements
    void* data
    char kind
    Py_ssize_t row_step
    Py_ssize_t pixel_step
    Py_ssize_t channel_step

cdef struct Tap:
    Py_ssize_t row  # in the row table
    Py_ssize_t offset  # along the row, in elements
    real weight

cdef struct Part:
    Tap* rows
    Py_ssize_t row_count
    Tap* line  # NULL: no second, horizontal sum
    Py_ssize_t line_count

cdef struct Plan:
    Grid image
    Grid out
    Py_ssize_t height, width, channels
    Py_ssize_t out_height, out_width
    Py_ssize_t rows, columns  # extent of the kernel
    Py_ssize_t first_row, first_column  # of the kernel's first tap, relative to the output pixel
    Py_ssize_t band, strip, strips
    Py_ssize_t line_step  # elements from one line of scratch to the next
    Part parts[2]
    int part_count
    int combine
    int border
    bint half_up
    real cval, scale, divisor, delta


# ---- the sum ----------------------------------------------------------------------------------------
cdef inline void sum_tile(
    const real** rows, const Tap* taps, Py_ssize_t count, Py_ssize_t at, real* line, const int tile
) noexcept nogil:
    cdef vec sums[TILE]
    cdef vec weight
    cdef const real* source
    cdef Py_ssize_t t
    cdef int v
    for v in range(tile):
        sums[v] = vec_set(0)
    for t in range(count):
        source = rows[taps[t].row] + taps[t].offset + at
        weight = vec_set(taps[t].weight)
        for v in range(tile):
            sums[v] = sums[v] + weight * vec_load(source + v * VL)
    for v in range(tile):
        vec_store(line + at + v * VL, sums[v])


cdef void sum_taps(
    const real** rows, const Tap* taps, Py_ssize_t count, real* line, Py_ssize_t n
) noexcept nogil:
    """line[i] = Σ weight · rows[row][i + offset] for i below `n` rounded up to whole vectors."""
    cdef Py_ssize_t at = 0
    while at + TILE * VL <= n:
        sum_tile(rows, taps, count, at, line, TILE)
        at += TILE * VL
    while at < n:
        sum_tile(rows, taps, count, at, line, 1)
        at += VL


# ---- rows of an image as lines of `real`, and back --------------------------------------------------
cdef inline void load_elements(
    const element* source, const Grid* grid, Py_ssize_t pixels, Py_ssize_t channels, real* line
) noexcept nogil:
    cdef Py_ssize_t i, c
    if grid.channel_step == 1 and grid.pixel_step == channels:
        for i in range(pixels * channels):
            line[i] = <real>source[i]
        return
    for i in range(pixels):
        for c in range(channels):
            line[i * channels + c] = <real>source[i * grid.pixel_step + c * grid.channel_step]


cdef void load_line(
    const Grid* grid, Py_ssize_t y, Py_ssize_t x, Py_ssize_t pixels, Py_ssize_t channels, real* line
) noexcept nogil:
    cdef Py_ssize_t start = y * grid.row_step + x * grid.pixel_step
    if grid.kind == c"B":
        load_elements(<const uint8_t*>grid.data + start, grid, pixels, channels, line)
    elif grid.kind == c"H":
        load_elements(<const uint16_t*>grid.data + start, grid, pixels, channels, line)
    elif grid.kind == c"h":
        load_elements(<const int16_t*>grid.data + start, grid, pixels, channels, line)
    elif grid.kind == c"f":
        load_elements(<const float*>grid.data + start, grid, pixels, channels, line)
    else:
        load_elements(<const double*>grid.data + start, grid, pixels, channels, line)


cdef inline void fill(real* line, real value, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        line[i] = value


cdef void load_bordered(
    const Plan* plan, Py_ssize_t row, Py_ssize_t column, Py_ssize_t pixels, real* line
) noexcept nogil:
    """`pixels` pixels of row `row` from `column` on, either of which may lie outside the image."""
    cdef Py_ssize_t channels = plan.channels, y, x, i, at
    cdef Py_ssize_t left = min(max(-column, 0), pixels)
    cdef Py_ssize_t right = min(max(column + pixels - plan.width, 0), pixels)
    y = border_index(row, plan.height, plan.border)
    if y < 0:
        fill(line, plan.cval, pixels * channels)
        return
    if left + right < pixels:
        load_line(&plan.image, y, column + left, pixels - left - right, channels, line + left * channels)
    for i in range(left + right):
        at = i if i < left else i + pixels - left - right
        x = border_index(column + at, plan.width, plan.border)
        if x < 0:
            fill(line + at * channels, plan.cval, channels)
        else:
            load_line(&plan.image, y, x, 1, channels, line + at * channels)


cdef inline void store_elements(
    element* target, const Grid* grid, Py_ssize_t pixels, Py_ssize_t channels, const real* line
) noexcept nogil:
    cdef Py_ssize_t i, c
    cdef int32_t value
    if grid.channel_step == 1 and grid.pixel_step == channels:
        for i in range(pixels * channels):
            if element is float or element is double:
                target[i] = <element>line[i]
            else:
                target[i] = <element><int32_t>line[i]
        return
    for i in range(pixels):
        for c in range(channels):
            if element is float or element is double:
                target[i * grid.pixel_step + c * grid.channel_step] = <element>line[i * channels + c]
            else:
                value = <int32_t>line[i * channels + c]
                target[i * grid.pixel_step + c * grid.channel_step] = <element>value


cdef void store_line(
    const Plan* plan, Py_ssize_t y, Py_ssize_t x, Py_ssize_t pixels, real* line
) noexcept nogil:
    """Write a line, rounded and saturated where the output holds integers."""
    cdef const Grid* grid = &plan.out
    cdef Py_ssize_t start = y * grid.row_step + x * grid.pixel_step
    cdef Py_ssize_t channels = plan.channels, n = pixels * channels
    if grid.kind == c"B":
        round_line(line, n, 0, 255, plan.half_up)
        store_elements(<uint8_t*>grid.data + start, grid, pixels, channels, line)
    elif grid.kind == c"H":
        round_line(line, n, 0, 65535, plan.half_up)
        store_elements(<uint16_t*>grid.data + start, grid, pixels, channels, line)
    elif grid.kind == c"h":
        round_line(line, n, -32768, 32767, plan.half_up)
        store_elements(<int16_t*>grid.data + start, grid, pixels, channels, line)
    elif grid.kind == c"f":
        store_elements(<float*>grid.data + start, grid, pixels, channels, line)
    else:
        store_elements(<double*>grid.data + start, grid, pixels, channels, line)


# ---- what is done to a line once it is summed -------------------------------------------------------
cdef void round_line(real* line, Py_ssize_t n, real low, real high, bint half_up) noexcept nogil:
    """To the nearest integer of low..high, halves to even or up; NaN to 0."""
    # Adding 1.5 · 2^(digits - 1) leaves no bits for a fraction: the sum rounds half to even, as all sums do.
    cdef real magic = 12582912.0 if sizeof(real) == 4 else 6755399441055744.0
    cdef real value, whole
    cdef Py_ssize_t i
    for i in range(n):
        value = line[i]
        value = value if value == value else 0
        value = low if value < low else value
        value = high if value > high else value
        if half_up:  # floor(value + 1/2), which is the rounded sum or one less
            value = value + <real>0.5
            whole = (value + magic) - magic
            line[i] = whole - 1 if whole > value else whole
        else:
            line[i] = (value + magic) - magic


cdef void combine_lines(real* a, const real* b, Py_ssize_t n, int combine) noexcept nogil:
    """Combine two parts into `a`: their sum, or the length or the angle of the vector (a, b)."""
    cdef Py_ssize_t i
    if combine == COMBINE_ANGLE:
        for i in range(n):
            a[i] = <real>atan2(b[i], a[i])
        return
    i = 0
    while i < n:
        if combine == COMBINE_SUM:
            vec_store(a + i, vec_load(a + i) + vec_load(b + i))
        else:
            vec_store(a + i, vec_load(a + i) * vec_load(a + i) + vec_load(b + i) * vec_load(b + i))
        i += VL
    if combine == COMBINE_MAGNITUDE:
        for i in range(n):
            a[i] = <real>sqrt(a[i])


cdef void scale_line(const Plan* plan, real* line, Py_ssize_t n) noexcept nogil:
    """line · scale / divisor + delta; a quotient of integers is exact at a tie, a product by 1/d is not."""
    cdef Py_ssize_t i = 0
    cdef vec scaled
    if plan.scale == 1 and plan.divisor == 1 and plan.delta == 0:
        return
    if plan.divisor == 1:
        while i < n:
            vec_store(line + i, vec_load(line + i) * vec_set(plan.scale) + vec_set(plan.delta))
            i += VL
        return
    while i < n:
        scaled = vec_load(line + i) * vec_set(plan.scale) / vec_set(plan.divisor)
        vec_store(line + i, scaled + vec_set(plan.delta))
        i += VL


# ---- tiles ------------------------------------------------------------------------------------------
cdef void run_row(const Plan* plan, const real** rows, real* lines, Py_ssize_t pixels) noexcept nogil:
    """The output line of the row table `rows`, left at `lines`."""
    cdef Py_ssize_t n = pixels * plan.channels
    cdef Py_ssize_t wide = n + (plan.columns - 1) * plan.channels
    cdef const real* middle = lines + 2 * plan.line_step
    cdef const Part* part
    cdef int p
    for p in range(plan.part_count):
        part = &plan.parts[p]
        if part.line == NULL:
            sum_taps(rows, part.rows, part.row_count, lines + p * plan.line_step, n)
        else:
            sum_taps(rows, part.rows, part.row_count, <real*>middle, wide)
            sum_taps(&middle, part.line, part.line_count, lines + p * plan.line_step, n)
    if plan.part_count == 2:
        combine_lines(lines, lines + plan.line_step, n, plan.combine)
    if plan.combine != COMBINE_ANGLE:
        scale_line(plan, lines, n)


cdef void run_tile(const Plan* plan, Py_ssize_t index, char* scratch) noexcept nogil:
    """One band of one strip, with a ring of rows, a table of them and three lines in `scratch`."""
    cdef Py_ssize_t top = (index // plan.strips) * plan.band
    cdef Py_ssize_t bottom = min(top + plan.band, plan.out_height)
    cdef Py_ssize_t left = (index % plan.strips) * plan.strip
    cdef Py_ssize_t pixels = min(plan.strip, plan.out_width - left)
    cdef real* lines = <real*>scratch
    cdef real* ring = lines + 3 * plan.line_step
    cdef const real** rows = <const real**>(ring + plan.rows * plan.line_step)
    cdef Py_ssize_t y, k
    for y in range(top, bottom):
        for k in range(plan.rows):
            rows[k] = ring + (y - top + k) % plan.rows * plan.line_step
        for k in range(0 if y == top else plan.rows - 1, plan.rows):
            load_bordered(
                plan,
                y + plan.first_row + k,
                left + plan.first_column,
                pixels + plan.columns - 1,
                <real*>rows[k],
            )
        run_row(plan, rows, lines, pixels)
        store_line(plan, y, left, pixels, lines)


cdef void cut(Plan* plan, int threads) noexcept:
    """Choose bands (enough for every thread, tall beside the kernel) and strips (rings stay in cache)."""
    cdef Py_ssize_t pixel_bytes = plan.rows * plan.channels * <Py_ssize_t>sizeof(real)
    cdef Py_ssize_t margin = plan.columns - 1
    plan.band = min(max(plan.out_height // (4 * threads), 16, plan.rows), max(64, 4 * plan.rows))
    plan.strip = max(CACHE_BYTES // pixel_bytes - margin, plan.columns, 1)
    plan.strip = min(plan.strip, plan.out_width)
    plan.strips = (plan.out_width + plan.strip - 1) // plan.strip
    # Whole vectors are read from the last tap on: one vector more than the pixels, to a cache line.
    plan.line_step = ((plan.strip + margin) * plan.channels + VL + 15) // 16 * 16


cdef int execute(Plan* plan, int threads) except -1:
    cdef Py_ssize_t tiles, i, table, bytes_each
    cdef char* scratch
    cut(plan, threads)
    tiles = (plan.out_height + plan.band - 1) // plan.band * plan.strips
    threads = <int>min(threads, tiles)
    table = (plan.rows * <Py_ssize_t>sizeof(void*) + 63) // 64 * 64
    bytes_each = (plan.rows + 3) * plan.line_step * <Py_ssize_t>sizeof(real) + table
    scratch = <char*>scratch_alloc(threads * bytes_each)
    if scratch == NULL:
        raise MemoryError(f"no {threads * bytes_each} bytes for a kernel of {plan.rows}x{plan.columns}")
    memset(scratch, 0, threads * bytes_each)
    for i in prange(tiles, nogil=True, num_threads=threads, schedule="dynamic"):
        run_tile(plan, i, scratch + threadid() * bytes_each)
    scratch_free(scratch)
    return 0


# ---- from Python ------------------------------------------------------------------------------------
cdef Grid grid_of(const Py_buffer* view) noexcept:
    cdef Grid grid
    grid.data = view.buf
    grid.kind = view.format[0]
    grid.row_step = view.strides[0] // view.itemsize
    grid.pixel_step = view.strides[1] // view.itemsize
    grid.channel_step = 1 if view.shape[2] == 1 else view.strides[2] // view.itemsize
    return grid


cdef Tap* taps_of(const double[:, ::1] table, Py_ssize_t channels, Py_ssize_t* count) except? NULL:
    """Rows of (row, column, weight) as taps; the caller frees them."""
    cdef Py_ssize_t i
    cdef Tap* taps = <Tap*>scratch_alloc(table.shape[0] * sizeof(Tap))
    if taps == NULL:
        raise MemoryError("no memory for the kernel's taps")
    for i in range(table.shape[0]):
        taps[i].row = <Py_ssize_t>table[i, 0]
        taps[i].offset = <Py_ssize_t>table[i, 1] * channels
        taps[i].weight = <real>table[i, 2]
    count[0] = table.shape[0]
    return taps


cdef int read_plan(
    Plan* plan, const Py_buffer* image, const Py_buffer* out, stencil, int border, double cval
) except -1:
    cdef Part* part
    plan.image, plan.out = grid_of(image), grid_of(out)
    plan.height, plan.width, plan.channels = image.shape[0], image.shape[1], image.shape[2]
    plan.out_height, plan.out_width = out.shape[0], out.shape[1]
    plan.rows, plan.columns = stencil.extent
    plan.border, plan.cval = border, cval
    if border != BORDER_VALID:
        plan.first_row, plan.first_column = -stencil.anchor[0], -stencil.anchor[1]
    plan.combine = COMBINE.index(stencil.combine)
    plan.scale, plan.divisor, plan.delta = stencil.scale, stencil.divisor, stencil.delta
    plan.half_up = stencil.half_up
    for rows, line in stencil.parts:
        part = &plan.parts[plan.part_count]
        plan.part_count += 1
        part.rows = taps_of(rows, plan.channels, &part.row_count)
        if line is not None:
            part.line = taps_of(line, plan.channels, &part.line_count)
    return 0


def run(image not None, out not None, stencil not None, int border, double cval, int threads):
    """Write `stencil` of `image` into `out`: two checked HWC arrays of any strides (see `ops.stencil`)."""
    cdef Py_buffer source, target
    cdef Plan plan
    cdef int p
    memset(&plan, 0, sizeof(Plan))
    PyObject_GetBuffer(image, &source, PyBUF_RECORDS_RO)
    try:
        PyObject_GetBuffer(out, &target, PyBUF_RECORDS)
        try:
            read_plan(&plan, &source, &target, stencil, border, cval)
            execute(&plan, threads)
        finally:
            for p in range(2):
                scratch_free(plan.parts[p].rows)
                scratch_free(plan.parts[p].line)
            PyBuffer_Release(&target)
    finally:
        PyBuffer_Release(&source)


def border_rows(Py_ssize_t first, Py_ssize_t count, Py_ssize_t height, int border):
    """The image row behind each of `count` rows from `first` on; -1 for the constant border."""
    return [border_index(first + i, height, border) for i in range(count)]

"""Winograd's convolution in one dimension: F(m, r) down the columns, for kernels of any width and few channels.

A kernel row is a tap of a column. With a vertical stride s the kernel's rows, and the input's, are taken apart into s
convolutions without, whose products at a point are added: N·s products, or a few less, make m outputs of s·r taps.

A unit of work is an image × group × some lines of tiles (m output rows each) × a strip of their columns × a chunk of
weight panels. The input rows under a line of tiles are packed as the core convolution does it (`planes.pxd`), channel by
channel, and transformed down the columns into scratch, [point][channel][phase of rows][phase of columns][pixel]; there
outputs are numbered along lines of `pitch` elements, and kernel columns are offsets. At each point, weight panels pass
over all of a unit's pixels (`gemm.pxd`). When a panel's sums are there at all points, they are transformed back into
rows of the output.

Every output is one chain of sums at each point, in one order: neither units nor threads change a bit. A dilation of d
takes every d-th row; it has no vertical stride.
"""
from cython.parallel cimport prange
from libc.string cimport memset

from convkit._native.arith cimport ceil_div, odd_lines
from convkit._native.conv cimport Conv, finish_run, read_arrays
from convkit._native.conv_offsets cimport Tables, find_phases
from convkit._native.conv_partition cimport begins_plane, find_reach
from convkit._native.epilogue cimport make_epilogue
from convkit._native.gemm cimport Tile, multiply
from convkit._native.planes cimport pack_planes
from convkit._native.shares cimport run_prepared
from convkit._native.simd cimport (GEMM_MR, GEMM_NV, LINE, SUMS_BYTES, VL, prefetch_far, real, scratch_alloc, scratch_free,
                                   vec, vec_load, vec_set, vec_store)
from convkit._native.winograd_1d_lines cimport (MOST_PAIRS, MOST_POINTS, Scheme, add_pairs, forward, inverse,
                                                make_scheme)
from convkit._native.winograd_1d_weights cimport phases_at_infinity, sees_infinity, transform_panel
from convkit._native.winograd_partition cimport even_split

cdef enum:
    MOST_VECTORS = 9            # of a unit's pixels: the sums of a panel stay near
    FEW_UNITS = 8               # for each thread


cdef struct Work:
    Conv conv                   # sizes, strides, the horizontal taps, and planes of the rows under one line of tiles
    Scheme scheme
    Py_ssize_t kernel_rows, stride, dilation, top
    Py_ssize_t panels
    Py_ssize_t lines            # of tiles, of an image
    Py_ssize_t depth            # products at a point
    Py_ssize_t* offset          # of each, in the transformed pixels of a point
    Py_ssize_t depth_at_infinity
    Py_ssize_t* offset_at_infinity
    Py_ssize_t v_plane, v_channel, v_point
    Py_ssize_t sums_row, sums_point
    Py_ssize_t band_lines


cdef struct Unit:
    const real* x
    real* y
    const real* weights
    const real* bias
    Py_ssize_t line, lines, column, columns
    Py_ssize_t runs, vectors    # over its pixels: one, or one along each line
    Py_ssize_t first_panel, end_panel
    real* planes
    real* v
    real* sums
    real* rows                  # of the output, where they are not stored at once
    real* none                  # zeros, which the first sums are added to


# ---- weights -------------------------------------------------------------------------------------------

def weight_count(Py_ssize_t groups, Py_ssize_t outputs, Py_ssize_t channels, Py_ssize_t kernel_rows,
                 Py_ssize_t kernel_columns, Py_ssize_t stride, int points):
    """Elements of the weights that `transform_weights` makes."""
    cdef Py_ssize_t phases = (points - 1) * stride + phases_at_infinity(kernel_rows, stride)
    return groups * ceil_div(outputs, GEMM_MR) * GEMM_MR * channels * kernel_columns * phases


def transform_weights(const real[:, :, :, :, :] weight_gockk not None, const Py_ssize_t[::1] columns not None,
                      Py_ssize_t stride, int points, real[::1] packed not None, int num_threads):
    """Fill `packed`, of `weight_count` elements, with what a `Convolution` multiplies by: `columns` of the kernels."""
    cdef Py_ssize_t units = weight_gockk.shape[0] * ceil_div(weight_gockk.shape[1], GEMM_MR), u
    cdef Py_ssize_t panel = packed.shape[0] // units
    cdef real* to = &packed[0]
    with nogil:
        if num_threads == 1:
            for u in range(units):
                transform_panel(weight_gockk, columns, stride, points, u, to + u * panel)
        else:
            for u in prange(units, num_threads=num_threads, schedule="static"):
                transform_panel(weight_gockk, columns, stride, points, u, to + u * panel)


# ---- input ---------------------------------------------------------------------------------------------

cdef inline void transform_columns(const int PAIRS, const bint AT_INFINITY, const Scheme* scheme, const real* x,
                                   Py_ssize_t x_row, real* v, Py_ssize_t v_point, Py_ssize_t n) noexcept nogil:
    # n columns of 2·PAIRS + 2 rows, or one less, to as many points.
    cdef vec d[MOST_POINTS]
    cdef vec t[MOST_POINTS]
    cdef Py_ssize_t j = 0
    cdef int i
    while j < n:
        for i in range(2 * PAIRS + 1 + AT_INFINITY):
            d[i] = vec_load(x + i * x_row + j)
        forward(PAIRS, AT_INFINITY, scheme, d, t)
        for i in range(2 * PAIRS + 1 + AT_INFINITY):
            vec_store(v + i * v_point + j, t[i])
        j += VL


cdef void transform_phase(const Work* work, bint at_infinity, const real* x, Py_ssize_t x_row, real* v) noexcept nogil:
    cdef const Scheme* scheme = &work.scheme
    cdef Py_ssize_t n = work.conv.planes.pitch
    if scheme.pairs == 3 and at_infinity:
        transform_columns(3, True, scheme, x, x_row, v, work.v_point, n)
    elif scheme.pairs == 3:
        transform_columns(3, False, scheme, x, x_row, v, work.v_point, n)
    elif scheme.pairs == 2 and at_infinity:
        transform_columns(2, True, scheme, x, x_row, v, work.v_point, n)
    elif scheme.pairs == 2:
        transform_columns(2, False, scheme, x, x_row, v, work.v_point, n)
    elif at_infinity:
        transform_columns(1, True, scheme, x, x_row, v, work.v_point, n)
    else:
        transform_columns(1, False, scheme, x, x_row, v, work.v_point, n)


cdef inline Py_ssize_t first_row(const Work* work, Py_ssize_t line) noexcept nogil:
    # The first output row of a line of tiles.
    return line // work.dilation * work.scheme.m * work.dilation + line % work.dilation


cdef inline Py_ssize_t rows_of_line(const Work* work, Py_ssize_t line) noexcept nogil:
    # Of the output, that a line of tiles has.
    cdef Py_ssize_t rows = ceil_div(work.conv.rows - first_row(work, line), work.dilation)
    return max(<Py_ssize_t>0, min(<Py_ssize_t>work.scheme.m, rows))


cdef void transform_line(const Work* work, const Unit* unit, const real* x, Py_ssize_t line, real* v) noexcept nogil:
    # One channel under a line of tiles. Rows that no output sees are zeros.
    cdef Conv conv = work.conv
    cdef Py_ssize_t phase, plane, slots = conv.planes.slots, rows = rows_of_line(work, unit.line + line)
    conv.planes.slots = (rows - 1) * work.stride + work.kernel_rows if rows > 0 else 0
    pack_planes(&conv.planes, x, 1, first_row(work, unit.line + line) * work.stride, unit.column, unit.planes)
    for plane in range(conv.planes.phases):
        memset(unit.planes + plane * conv.planes.plane + conv.planes.slots * conv.planes.pitch, 0,
               (slots - conv.planes.slots) * conv.planes.pitch * sizeof(real))
    for phase in range(work.stride):
        for plane in range(conv.planes.phases):
            transform_phase(work, sees_infinity(work.kernel_rows, work.stride, phase),
                            unit.planes + plane * conv.planes.plane + phase * conv.planes.pitch,
                            work.stride * conv.planes.pitch,
                            v + (phase * conv.planes.phases + plane) * work.v_plane + line * conv.planes.pitch)


cdef void transform(const Work* work, const Unit* unit) noexcept nogil:
    cdef Py_ssize_t c, line
    for c in range(work.conv.channels):
        for line in range(unit.lines):
            transform_line(work, unit, unit.x + c * work.conv.planes.x_channel, line, unit.v + c * work.v_channel)


# ---- products ------------------------------------------------------------------------------------------

cdef void multiply_wide(const Tile* tile) noexcept nogil:
    multiply(GEMM_MR, GEMM_NV, 0, tile)


cdef void multiply_two(const Tile* tile) noexcept nogil:
    multiply(GEMM_MR, 2, 0, tile)


cdef void multiply_one(const Tile* tile) noexcept nogil:
    multiply(GEMM_MR, 1, 0, tile)


cdef inline void advance(Tile* tile, Py_ssize_t count, Py_ssize_t vectors) noexcept nogil:
    tile.count, tile.pixels_step, tile.y_step = count, vectors * VL, vectors * VL


cdef inline void step_over(Tile* tile) noexcept nogil:
    tile.pixels += tile.count * tile.pixels_step
    tile.y += tile.count * tile.y_step


cdef void multiply_run(Py_ssize_t vectors, Tile tile) noexcept nogil:
    # A panel along a unit's pixels. One vector alone would keep too few sums in flight: the last four make two pairs.
    cdef Py_ssize_t wide = vectors // GEMM_NV, rest = vectors % GEMM_NV
    if GEMM_NV == 3 and rest == 1 and wide > 0:
        wide, rest = wide - 1, 4
    advance(&tile, wide, GEMM_NV)
    multiply_wide(&tile)
    step_over(&tile)
    if GEMM_NV == 3 and rest > 1:
        advance(&tile, rest // 2, 2)
        multiply_two(&tile)
    elif rest:
        advance(&tile, 1, 1)
        multiply_one(&tile)


cdef inline void ask_for_output(const Work* work, const Unit* unit, Py_ssize_t output) noexcept nogil:
    # The lines of an output channel, which come from memory while others are multiplied: into the second cache, which
    # waits for more of them at a time than the first. Inline, as gcc leaves out calls that do nothing else.
    cdef Py_ssize_t line, _, j
    cdef real* y
    for line in range(unit.lines):
        y = unit.y + output * work.conv.y_channel + first_row(work, unit.line + line) * work.conv.y_row
        for _ in range(rows_of_line(work, unit.line + line)):
            j = 0
            while j < unit.columns:
                prefetch_far(y + j)
                j += LINE
            y += work.conv.y_row * work.dilation


cdef void multiply_panel(const Work* work, const Unit* unit, Py_ssize_t panel) noexcept nogil:
    # Its sums at all points.
    cdef const real* weights = unit.weights + panel * panel_elements(work)
    cdef Py_ssize_t output = panel * GEMM_MR, end, outputs = min(work.conv.outputs - output, <Py_ssize_t>GEMM_MR)
    cdef Py_ssize_t _
    cdef Tile tile
    cdef int point
    tile.addend, tile.addend_row, tile.addend_vector, tile.addend_step = unit.none, 0, 0, 0
    tile.weights_step = tile.later_step = 0
    tile.from_memory = tile.to_memory = False
    tile.y_row = work.sums_row
    for point in range(work.scheme.points):
        tile.depth, tile.offset = work.depth, work.offset
        if point == work.scheme.points - 1:
            tile.depth, tile.offset = work.depth_at_infinity, work.offset_at_infinity
        tile.weights = weights
        tile.pixels = unit.v + point * work.v_point
        tile.y = unit.sums + point * work.sums_point
        tile.later, tile.later_offset = tile.pixels, tile.offset
        end = panel * GEMM_MR + (point + 1) * outputs // work.scheme.points
        if work.conv.y_column == 1:
            while output < end:
                ask_for_output(work, unit, output)
                output += 1
        for _ in range(unit.runs):
            multiply_run(unit.vectors, tile)
            tile.pixels += work.conv.planes.pitch
            tile.y += work.conv.planes.pitch
        weights += tile.depth * GEMM_MR


# ---- output --------------------------------------------------------------------------------------------

cdef inline void store_row(const int PAIRS, const Work* work, int m, int i, const vec* parts, const real* sums, vec bias,
                           real* y) noexcept nogil:
    # A vector of output row i of m.
    cdef vec out = inverse(PAIRS, &work.scheme, i, parts) + bias
    if i == 0:
        out = out + vec_load(sums)
    if i == m - 1:
        out = out + vec_load(sums + (2 * PAIRS + 1) * work.sums_point)
    vec_store(y, out)


cdef inline void restore_columns(const int PAIRS, const Work* work, int m, const real* sums, vec bias, Py_ssize_t rows,
                                 real* y, Py_ssize_t y_row, Py_ssize_t n) noexcept nogil:
    # n columns of sums, at least a vector of them, to so many rows of the output. The last vectors overlap.
    cdef vec even[MOST_PAIRS]
    cdef vec odd[MOST_PAIRS]
    cdef Py_ssize_t j = 0
    cdef int i
    while j < n:
        j = min(j, n - VL)
        add_pairs(PAIRS, sums + j, work.sums_point, even, odd)
        for i in range(0, rows, 2):
            store_row(PAIRS, work, m, i, even, sums + j, bias, y + i * y_row + j)
            if i + 1 < rows:
                store_row(PAIRS, work, m, i + 1, odd, sums + j, bias, y + (i + 1) * y_row + j)
        j += VL


cdef void restore_rows(const Work* work, const real* sums, vec bias, Py_ssize_t rows, real* y, Py_ssize_t y_row,
                       Py_ssize_t n) noexcept nogil:
    # Whole tiles of kernels of three rows, the usual ones, are loops whose length the compiler knows.
    cdef int m = work.scheme.m
    cdef bint of_three = rows == m == work.scheme.points - 2
    if work.scheme.pairs == 3 and of_three:
        restore_columns(3, work, 6, sums, bias, 6, y, y_row, n)
    elif work.scheme.pairs == 3:
        restore_columns(3, work, m, sums, bias, rows, y, y_row, n)
    elif work.scheme.pairs == 2 and of_three:
        restore_columns(2, work, 4, sums, bias, 4, y, y_row, n)
    elif work.scheme.pairs == 2:
        restore_columns(2, work, m, sums, bias, rows, y, y_row, n)
    else:
        restore_columns(1, work, m, sums, bias, rows, y, y_row, n)


cdef inline Py_ssize_t rows_row(const Work* work) noexcept nogil:
    # Elements of a row that is not stored at once: whole vectors.
    return ceil_div(work.conv.strip_columns, VL) * VL


cdef void restore_panel(const Work* work, const Unit* unit, Py_ssize_t panel) noexcept nogil:
    cdef const Conv* conv = &work.conv
    cdef Py_ssize_t first = panel * GEMM_MR, o, line, row, rows, y_row = conv.y_row * work.dilation
    cdef const real* sums
    cdef real* y
    cdef vec bias
    for o in range(min(<Py_ssize_t>GEMM_MR, conv.outputs - first)):
        bias = vec_set(unit.bias[first + o])
        for line in range(unit.lines):
            rows = rows_of_line(work, unit.line + line)
            sums = unit.sums + o * work.sums_row + line * conv.planes.pitch
            y = unit.y + (first + o) * conv.y_channel + first_row(work, unit.line + line) * conv.y_row
            if conv.epilogue.plain and conv.y_column == 1 and unit.columns >= VL:
                restore_rows(work, sums, bias, rows, y, y_row, unit.columns)
            else:
                restore_rows(work, sums, bias, rows, unit.rows, rows_row(work), ceil_div(unit.columns, VL) * VL)
                for row in range(rows):
                    finish_run(conv, y + row * y_row, unit.rows + row * rows_row(work), unit.columns)


# ---- the units of work ---------------------------------------------------------------------------------

cdef inline Py_ssize_t run_vectors(const Conv* conv, Py_ssize_t lines, Py_ssize_t columns) noexcept nogil:
    # Of one run over all lines and what lies between them.
    return ceil_div((lines - 1) * conv.planes.pitch + columns, VL)


cdef inline bint by_lines(const Conv* conv, Py_ssize_t lines, Py_ssize_t columns) noexcept nogil:
    # Whether a run along each line has fewer.
    return lines * ceil_div(columns, VL) < run_vectors(conv, lines, columns)


cdef inline Py_ssize_t vectors_of(const Conv* conv, Py_ssize_t lines) noexcept nogil:
    # Of a unit's products.
    return min(run_vectors(conv, lines, conv.strip_columns), lines * ceil_div(conv.strip_columns, VL))


cdef void locate(const Work* work, Py_ssize_t index, real* scratch, Unit* unit) noexcept nogil:
    cdef const Conv* conv = &work.conv
    cdef Py_ssize_t chunk = index % conv.chunks, group, image
    index //= conv.chunks
    unit.column = index % conv.strips * conv.strip_columns
    index //= conv.strips
    unit.line = index % conv.bands * work.band_lines
    index //= conv.bands
    group, image = index % conv.groups, index // conv.groups
    unit.lines = min(work.band_lines, work.lines - unit.line)
    unit.columns = min(conv.strip_columns, conv.columns - unit.column)
    unit.runs = unit.lines if by_lines(conv, unit.lines, unit.columns) else 1
    unit.vectors = ceil_div(unit.columns, VL) if unit.runs > 1 else run_vectors(conv, unit.lines, unit.columns)
    unit.first_panel = work.panels * chunk // conv.chunks
    unit.end_panel = work.panels * (chunk + 1) // conv.chunks
    unit.x = conv.x + image * conv.x_image + group * conv.channels * conv.planes.x_channel
    unit.y = conv.y + image * conv.y_image + group * conv.outputs * conv.y_channel + unit.column * conv.y_column
    unit.weights = conv.weights + group * work.panels * panel_elements(work)
    unit.bias = conv.bias + group * conv.outputs
    unit.planes = scratch
    unit.v = unit.planes + planes_elements(work)
    unit.sums = unit.v + work.scheme.points * work.v_point + VL
    unit.rows = unit.sums + work.scheme.points * work.sums_point
    unit.none = unit.rows + work.scheme.m * rows_row(work)


cdef void clear(const void* given, char* own) noexcept nogil:
    # Tiles multiply what lies behind the last line too. It is never stored, but it must be numbers: the processor is
    # slow on the tiny ones that other people's pointers look like.
    cdef const Work* work = <const Work*>given
    cdef real* scratch = <real*>own
    cdef Unit unit
    locate(work, 0, scratch, &unit)
    memset(scratch, 0, (unit.sums - scratch) * sizeof(real))
    memset(unit.none, 0, VL * sizeof(real))


cdef void run_unit(const void* given, Py_ssize_t index, char* scratch) noexcept nogil:
    cdef const Work* work = <const Work*>given
    cdef Unit unit
    cdef Py_ssize_t panel
    locate(work, index, <real*>scratch, &unit)
    transform(work, &unit)
    for panel in range(unit.first_panel, unit.end_panel):
        multiply_panel(work, &unit, panel)
        restore_panel(work, &unit, panel)


cdef inline Py_ssize_t panel_elements(const Work* work) noexcept nogil:
    return ((work.scheme.points - 1) * work.depth + work.depth_at_infinity) * GEMM_MR


cdef inline Py_ssize_t planes_elements(const Work* work) noexcept nogil:
    return work.conv.planes.phases * work.conv.planes.plane + VL


cdef Py_ssize_t scratch_elements(const Work* work) noexcept nogil:
    cdef Unit unit
    locate(work, 0, <real*>0, &unit)
    return ceil_div(unit.none + VL - <real*>0, LINE) * LINE


cdef Py_ssize_t chunks_of(const Work* work, Py_ssize_t units, Py_ssize_t threads) noexcept nogil:
    # Of few units each shares its panels among the threads.
    return even_split(units, work.panels, threads) if units < FEW_UNITS * threads else 1


cdef Py_ssize_t even_lines(const Work* work, Py_ssize_t maps, Py_ssize_t most, Py_ssize_t threads) noexcept nogil:
    # Short lines of tiles that lie side by side in a unit: so many that all units take the least time. What a unit takes
    # beside its products is about a vector.
    cdef Py_ssize_t lines = 1, best = 1, units, chunks
    cdef double time, least = 0
    while lines <= work.lines and (lines == 1 or vectors_of(&work.conv, lines) <= most):
        units = maps * ceil_div(work.lines, lines)
        chunks = chunks_of(work, units, threads)
        time = ceil_div(units * chunks, threads) * (<double>vectors_of(&work.conv, lines) / chunks + 1)
        if lines == 1 or time < least:
            best, least = lines, time
        lines += 1
    return best


cdef void partition(Work* work, Py_ssize_t images, Py_ssize_t threads) noexcept nogil:
    # As many pixels as the caches hold transformed.
    cdef Conv* conv = &work.conv
    cdef Py_ssize_t most = MOST_VECTORS, vector, units, planes = 0, i
    conv.strip_columns = min(conv.columns, <Py_ssize_t>VL)      # the narrowest: its taps share the fewest planes
    for i in range(conv.tap_columns):
        planes += begins_plane(conv, i)
    vector = work.scheme.points * conv.channels * work.stride * planes * VL * <Py_ssize_t>sizeof(real)
    most = max(<Py_ssize_t>1, min(most, (SUMS_BYTES - find_reach(conv) * vector // VL) // vector))
    conv.strip_columns = conv.columns
    conv.strips = ceil_div(ceil_div(conv.columns, VL), most)
    conv.strip_columns = min(conv.columns, ceil_div(ceil_div(conv.columns, VL), conv.strips) * VL)
    conv.strips = ceil_div(conv.columns, conv.strip_columns)
    conv.planes.pitch = conv.strip_columns + find_reach(conv)
    work.band_lines = even_lines(work, images * conv.groups * conv.strips, most, threads) if conv.strips == 1 else 1
    conv.bands = ceil_div(work.lines, work.band_lines)
    units = images * conv.groups * conv.bands * conv.strips
    conv.chunks = chunks_of(work, units, threads)


cdef Py_ssize_t lay_out(Work* work, Py_ssize_t* table) noexcept nogil:
    # The planes, their tables and the offsets; the elements of all tables.
    cdef Conv* conv = &work.conv
    cdef Tables tables
    cdef Py_ssize_t c, phase, j, k = 0, at_infinity = 0, place
    cdef Py_ssize_t slots = (work.scheme.m - 1) * work.stride + work.kernel_rows
    cdef Py_ssize_t phases = phases_at_infinity(work.kernel_rows, work.stride)
    work.depth = conv.channels * work.stride * conv.tap_columns
    work.depth_at_infinity = conv.channels * phases * conv.tap_columns
    if table == NULL:
        return slots + 3 * conv.tap_columns + work.depth + work.depth_at_infinity
    tables.slot_row = table
    tables.phase_column = tables.slot_row + slots
    tables.phase = tables.phase_column + conv.tap_columns
    tables.shift = tables.phase + conv.tap_columns
    work.offset = tables.shift + conv.tap_columns
    work.offset_at_infinity = work.offset + work.depth
    find_phases(conv, &tables)
    for j in range(slots):
        tables.slot_row[j] = j * work.dilation - work.top
    conv.planes.slots, conv.planes.slot_row = slots, tables.slot_row
    conv.planes.plane = slots * conv.planes.pitch + VL
    conv.planes.channel = conv.planes.phases * conv.planes.plane
    # Whole vectors are written at a line's end: the next line's are written later, and the last one's lie in its plane.
    work.v_plane = odd_lines((work.band_lines - 1) * conv.planes.pitch + ceil_div(conv.planes.pitch, VL) * VL, sizeof(real))
    work.v_channel = work.stride * conv.planes.phases * work.v_plane
    work.v_point = odd_lines(conv.channels * work.v_channel, sizeof(real))
    work.sums_row = odd_lines(run_vectors(conv, work.band_lines, conv.strip_columns) * VL + VL, sizeof(real))
    work.sums_point = GEMM_MR * work.sums_row
    for c in range(conv.channels):
        for phase in range(work.stride):
            for j in range(conv.tap_columns):
                place = c * work.v_channel + (phase * conv.planes.phases + tables.phase[j]) * work.v_plane + tables.shift[j]
                work.offset[k] = place
                k += 1
                if sees_infinity(work.kernel_rows, work.stride, phase):
                    work.offset_at_infinity[at_infinity] = place
                    at_infinity += 1
    return 0


cdef Py_ssize_t set_up(Work* work, const real[:, :, :, :] x_bchw, real[:, :, :, :] y_bchw, int points,
                       Py_ssize_t kernel_rows, Py_ssize_t top, const Py_ssize_t[::1] tap_columns, Py_ssize_t stride_h,
                       Py_ssize_t stride_w, Py_ssize_t dilation, Py_ssize_t groups, int border,
                       int num_threads) noexcept:
    # Describes the convolution and cuts it; gives the number of units.
    cdef Conv* conv = &work.conv
    memset(work, 0, sizeof(Work))
    read_arrays(conv, x_bchw, y_bchw, groups)
    conv.tap_columns, conv.tap_column = tap_columns.shape[0], &tap_columns[0]
    conv.planes.border, conv.planes.stride_h = border, 1
    conv.planes.stride_w = stride_w if conv.columns > 1 else 1      # the stride of one column may be any number
    conv.planes.phases = min(conv.planes.stride_w, conv.tap_columns)
    work.kernel_rows, work.stride, work.dilation, work.top = kernel_rows, stride_h, dilation, top
    work.scheme = make_scheme(points, points + 1 - <int>ceil_div(kernel_rows, stride_h))
    work.lines = dilation * ceil_div(ceil_div(conv.rows, dilation), work.scheme.m)
    work.panels = ceil_div(conv.outputs, GEMM_MR)
    partition(work, x_bchw.shape[0], num_threads)
    return x_bchw.shape[0] * groups * conv.bands * conv.strips * conv.chunks


cdef Py_ssize_t* make_tables(Work* work) except NULL:
    cdef Py_ssize_t* table = <Py_ssize_t*>scratch_alloc(lay_out(work, NULL) * sizeof(Py_ssize_t))
    if table == NULL:
        raise MemoryError("no memory for the tables of a convolution")
    lay_out(work, table)
    return table


cdef class Convolution:
    """A convolution with F(m, r) down the columns, whose weights are transformed: r = ⌈kernel_rows / stride_h⌉,
    m = points + 1 - r, and `points` is 4, 6 or 8.

    `weights` comes from `transform_weights` with the same `points` and stride; `bias` holds one value for each output
    channel. `top` is the padding, of which the bottom's follows from the output's shape; `tap_columns` are offsets into
    the input, in ascending order. `dilation`, of rows, is 1 where `stride_h` is not.
    """
    cdef const real[::1] weights, bias
    cdef const Py_ssize_t[::1] tap_columns
    cdef int points, border
    cdef Py_ssize_t kernel_rows, top, stride_h, stride_w, dilation, groups
    cdef real cval

    def __init__(self, const real[::1] weights not None, const real[::1] bias not None, int points, Py_ssize_t kernel_rows,
                 Py_ssize_t top, const Py_ssize_t[::1] tap_columns not None, Py_ssize_t stride_h, Py_ssize_t stride_w,
                 Py_ssize_t dilation, Py_ssize_t groups, int border, real cval):
        self.weights, self.bias, self.tap_columns, self.points = weights, bias, tap_columns, points
        self.kernel_rows, self.top, self.stride_h, self.stride_w = kernel_rows, top, stride_h, stride_w
        self.dilation, self.groups, self.border, self.cval = dilation, groups, border, cval

    def run(self, const real[:, :, :, :] x_bchw not None, real[:, :, :, :] y_bchw not None, int num_threads,
            int activation=0, real slope=0, const real[:, :, :, :] residual=None):
        """Convolve `x_bchw` into `y_bchw`, both of any strides; `residual` has `y_bchw`'s, or is it."""
        cdef Work work
        cdef Py_ssize_t units = set_up(&work, x_bchw, y_bchw, self.points, self.kernel_rows, self.top, self.tap_columns,
                                       self.stride_h, self.stride_w, self.dilation, self.groups, self.border, num_threads)
        cdef Py_ssize_t* table = make_tables(&work)
        cdef Py_ssize_t thread_scratch = scratch_elements(&work)
        cdef real* scratch
        num_threads = <int>min(<Py_ssize_t>num_threads, units)
        work.conv.weights, work.conv.bias, work.conv.planes.cval = &self.weights[0], &self.bias[0], self.cval
        work.conv.epilogue = make_epilogue(activation, slope, residual, work.conv.y, work.conv.y_column)
        scratch = <real*>scratch_alloc(num_threads * thread_scratch * sizeof(real))
        if scratch == NULL:
            scratch_free(table)
            raise MemoryError("no memory for the scratch of a convolution")
        with nogil:
            run_prepared(clear, run_unit, &work, units, num_threads, <char*>scratch, thread_scratch * sizeof(real))
            scratch_free(table)
            scratch_free(scratch)


def workspace_bytes(const real[:, :, :, :] x_bchw not None, real[:, :, :, :] y_bchw not None, int points,
                    Py_ssize_t kernel_rows, Py_ssize_t top, const Py_ssize_t[::1] tap_columns not None,
                    Py_ssize_t stride_h, Py_ssize_t stride_w, Py_ssize_t dilation, Py_ssize_t groups, int num_threads):
    """Scratch of each thread of a `Convolution`, which looks at the arrays' sizes alone."""
    cdef Work work
    set_up(&work, x_bchw, y_bchw, points, kernel_rows, top, tap_columns, stride_h, stride_w, dilation, groups, 0,
           num_threads)
    scratch_free(make_tables(&work))
    return scratch_elements(&work) * <Py_ssize_t>sizeof(real)


def units(const real[:, :, :, :] x_bchw not None, real[:, :, :, :] y_bchw not None, int points, Py_ssize_t kernel_rows,
          Py_ssize_t top, const Py_ssize_t[::1] tap_columns not None, Py_ssize_t stride_h, Py_ssize_t stride_w,
          Py_ssize_t dilation, Py_ssize_t groups, int num_threads):
    """The units of work of a `Convolution`, line of tiles by line: of each its unit's number and what it writes, the first
    element of `y_bchw`, the output channels, the rows, `dilation` apart, and the columns."""
    cdef Work work
    cdef Unit unit
    cdef Py_ssize_t line, first, u
    cdef Py_ssize_t count = set_up(&work, x_bchw, y_bchw, points, kernel_rows, top, tap_columns, stride_h, stride_w,
                                   dilation, groups, 0, num_threads)
    scratch_free(make_tables(&work))
    found = []
    for u in range(count):
        locate(&work, u, <real*>0, &unit)
        first = unit.first_panel * GEMM_MR
        for line in range(unit.line, unit.line + unit.lines):
            found.append((u, unit.y - work.conv.y + first * work.conv.y_channel + first_row(&work, line) * work.conv.y_row,
                          min(unit.end_panel * GEMM_MR, work.conv.outputs) - first, rows_of_line(&work, line),
                          unit.columns))
    return found

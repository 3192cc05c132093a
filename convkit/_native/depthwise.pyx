"""Convolution with few channels a group: depthwise and grouped layers, without a GEMM.

A unit of work is an image × group × band of output rows. It goes over the output in strips: it copies the input
rows of a strip, with their borders, into its thread's scratch (it fits the L1 cache), and then sums each output
from there, ROWS rows by one vector at a time in registers. A vector that was loaded once feeds every row of the
tile that lies under the kernel: of ROWS + CHUNK - 1 loads come ROWS · CHUNK products, for CHUNK kernel rows.

A strip's rows are PITCH apart, so that their addresses are constants. With a horizontal stride s its columns are
split into s planes, column c in plane c % s: what a tap brings to neighbouring outputs lies side by side.

One output sums its bias, then chunk by chunk of kernel rows, channel by channel, the taps column by column, in
one chain of multiply-adds, wherever its strip, tile or vector starts.
"""
from cython.parallel cimport prange, threadid
from libc.string cimport memset

from convkit._native.arith cimport ceil_div, elements
from convkit._native.border cimport BORDER_CONSTANT, border_index
from convkit._native.simd cimport (STRIP_CHUNK, STRIP_ROWS, STRIP_ROWS_PAIR, VL, real, scratch_alloc, scratch_free,
                                   vec, vec_even, vec_load, vec_load_part, vec_odd, vec_pin, vec_set, vec_store,
                                   vec_store_part)

cdef enum:
    PITCH = 144             # elements: 9 cache lines of floats, odd, so that rows fall into different sets
    STRIP_BYTES = 16384     # of the L1 cache


cdef struct Conv:
    Py_ssize_t groups, channels, outputs                # channels and outputs of one group
    Py_ssize_t height, width, rows, columns             # of the input; of the output
    Py_ssize_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, before_h, before_w
    const real* x
    Py_ssize_t x_image, x_channel, x_row, x_column      # strides in elements
    real* y
    Py_ssize_t y_image, y_channel, y_row, y_column
    int border
    real cval
    const real* weights                                 # [group][pair of outputs][tap][kernel row][output]
    const real* bias                                    # [group][output]
    int chunk                                           # kernel rows of a tap
    Py_ssize_t chunk_taps, taps                         # taps of whole chunks come first, then those of one row
    Py_ssize_t band_rows, bands
    Py_ssize_t strip_rows, strip_columns, strips        # output pixels of a strip; strips beside each other
    Py_ssize_t reach                                    # columns of a plane beyond its outputs
    Py_ssize_t plane, channel                           # elements of a strip's plane, and of its channel
    const Py_ssize_t* tap_offset                        # in the strip
    const Py_ssize_t* source                            # input column of each strip column, -1 for the constant
    const Py_ssize_t* inside                            # per strip: columns [from, to) of all planes lie inside


cdef struct Tile:
    const Conv* conv
    const real* strip           # the first tile's first pixel
    const real* weights         # the first output's
    const real* bias
    real* y                     # the first pixel of the first output; its columns lie side by side
    Py_ssize_t y_channel, y_row
    Py_ssize_t rows, columns    # to write: of the tile's rows, the first ones


cdef struct Run:                # the columns of a strip, in each of its planes
    const Py_ssize_t* source    # input column of each, -1 for the constant
    Py_ssize_t first, last      # those in [first, last) lie inside the input, side by side
    Py_ssize_t left, right      # those outside [left, right) lie outside it; between them, a pair may lie half inside
    Py_ssize_t columns


# ---- sums ----------------------------------------------------------------------------------------------

cdef inline void add_taps(const int OUTPUTS, const int CHUNK, const int STRIDE, const int ROWS, Py_ssize_t taps,
                          const Py_ssize_t* offset, Py_ssize_t row_step, const real* strip, const real* weights,
                          vec* acc) noexcept nogil:
    # Each tap is CHUNK kernel rows of a kernel column of a channel. Output rows lie STRIDE · row_step apart.
    cdef vec w[14]
    cdef vec x
    cdef const real* source
    cdef Py_ssize_t t
    cdef int i, k, m, row
    for t in range(taps):
        source = strip + offset[t]
        for k in range(OUTPUTS * CHUNK):
            w[k] = vec_set(weights[k])
        for row in range((ROWS - 1) * STRIDE + CHUNK):
            x = vec_pin(vec_load(source + row * row_step))
            for i in range(ROWS):
                k = row - i * STRIDE
                if k >= 0 and k < CHUNK:
                    for m in range(OUTPUTS):
                        acc[m * ROWS + i] = acc[m * ROWS + i] + w[k * OUTPUTS + m] * x
        weights += OUTPUTS * CHUNK


cdef inline void sum_tiles(const int OUTPUTS, const int CHUNK, const int STRIDE, const int ROWS,
                           const Tile* tile) noexcept nogil:
    # ROWS output rows of OUTPUTS channels, a vector of columns at a time.
    cdef vec acc[16]
    cdef const Conv* conv = tile.conv
    cdef const real* strip = tile.strip
    cdef real* y = tile.y
    cdef Py_ssize_t left = tile.columns, n
    cdef int i, m
    while left > 0:
        for m in range(OUTPUTS):
            for i in range(ROWS):
                acc[m * ROWS + i] = vec_set(tile.bias[m])
        if CHUNK > 1:
            add_taps(OUTPUTS, CHUNK, STRIDE, ROWS, conv.chunk_taps, conv.tap_offset, PITCH, strip, tile.weights, acc)
        if CHUNK == 1 or conv.taps > conv.chunk_taps:   # row by row: any stride and dilation
            add_taps(OUTPUTS, 1, 1, ROWS, conv.taps - conv.chunk_taps, conv.tap_offset + conv.chunk_taps,
                     conv.stride_h * PITCH, strip, tile.weights + conv.chunk_taps * OUTPUTS * CHUNK, acc)
        n = min(left, <Py_ssize_t>VL)
        for m in range(OUTPUTS):
            for i in range(ROWS):
                vec_store_part(y + m * tile.y_channel + i * tile.y_row, acc[m * ROWS + i], n if i < tile.rows else 0)
        strip += VL
        y += VL
        left -= VL


# One function for each shape of a tile.

cdef void single_1(const Tile* tile) noexcept nogil:
    if tile.rows == 1:
        sum_tiles(1, 1, 1, 1, tile)
    else:
        sum_tiles(1, 1, 1, STRIP_ROWS, tile)


cdef void single_3(const Tile* tile) noexcept nogil:
    if tile.rows == 1:
        sum_tiles(1, 3, 1, 1, tile)
    elif tile.conv.stride_h == 1:
        sum_tiles(1, 3, 1, STRIP_ROWS, tile)
    else:
        sum_tiles(1, 3, 2, STRIP_ROWS, tile)


cdef void single_5(const Tile* tile) noexcept nogil:
    if tile.rows == 1:
        sum_tiles(1, 5, 1, 1, tile)
    elif tile.conv.stride_h == 1:
        sum_tiles(1, 5, 1, STRIP_ROWS, tile)
    else:
        sum_tiles(1, 5, 2, STRIP_ROWS, tile)


cdef void single_7(const Tile* tile) noexcept nogil:
    if tile.rows == 1:
        sum_tiles(1, 7, 1, 1, tile)
    elif tile.conv.stride_h == 1:
        sum_tiles(1, 7, 1, STRIP_ROWS, tile)
    else:
        sum_tiles(1, 7, 2, STRIP_ROWS, tile)


cdef void pair_1(const Tile* tile) noexcept nogil:
    if tile.rows == 1:
        sum_tiles(2, 1, 1, 1, tile)
    else:
        sum_tiles(2, 1, 1, STRIP_ROWS_PAIR, tile)


cdef void pair_3(const Tile* tile) noexcept nogil:
    if tile.rows == 1:
        sum_tiles(2, 3, 1, 1, tile)
    elif tile.conv.stride_h == 1:
        sum_tiles(2, 3, 1, STRIP_ROWS_PAIR, tile)
    else:
        sum_tiles(2, 3, 2, STRIP_ROWS_PAIR, tile)


cdef inline void sum_rows(int outputs, const Tile* tile) noexcept nogil:
    if outputs == 2:
        if tile.conv.chunk == 3:
            pair_3(tile)
        else:
            pair_1(tile)
    elif tile.conv.chunk == 7:
        single_7(tile)
    elif tile.conv.chunk == 5:
        single_5(tile)
    elif tile.conv.chunk == 3:
        single_3(tile)
    else:
        single_1(tile)


cpdef int kernel_chunk(Py_ssize_t outputs, Py_ssize_t kernel_h, Py_ssize_t stride_h, Py_ssize_t dilation_h) noexcept:
    """Kernel rows that are summed together; what a chunk leaves over is summed row by row."""
    if dilation_h > 1 or stride_h > 2 or kernel_h < 3:
        return 1
    if outputs > 1 or STRIP_CHUNK < 7:
        return 3
    return 7 if kernel_h % 7 == 0 else 5 if kernel_h % 5 == 0 else 3


# ---- strips --------------------------------------------------------------------------------------------

cdef inline void copy_run(real* to, const real* x, Py_ssize_t n) noexcept nogil:
    # In whole vectors: zeros follow.
    cdef Py_ssize_t i = 0
    while i + VL <= n:
        vec_store(to + i, vec_load(x + i))
        i += VL
    vec_store(to + i, vec_load_part(x + i, n - i))


cdef inline void split_run(real* even, real* odd, const real* x, Py_ssize_t n) noexcept nogil:
    # n pairs.
    cdef Py_ssize_t i = 0, left
    cdef vec a, b
    while i + VL <= n:
        a = vec_load(x + 2 * i)
        b = vec_load(x + 2 * i + VL)
        vec_store(even + i, vec_even(a, b))
        vec_store(odd + i, vec_odd(a, b))
        i += VL
    left = 2 * (n - i)
    a = vec_load_part(x + 2 * i, min(left, <Py_ssize_t>VL))
    b = vec_load_part(x + 2 * i + VL, left - VL) if left > VL else vec_set(0)
    vec_store(even + i, vec_even(a, b))
    vec_store(odd + i, vec_odd(a, b))


cdef inline void fill(real* to, vec value, Py_ssize_t n) noexcept nogil:
    # Rounded up to whole vectors.
    cdef Py_ssize_t i = 0
    while i < n:
        vec_store(to + i, value)
        i += VL


cdef inline void gather(const Conv* conv, real* to, const real* x, const Run* run, Py_ssize_t first,
                        Py_ssize_t last) noexcept nogil:
    # Columns [first, last) of every plane, one by one: borders, and whatever has no faster way.
    cdef Py_ssize_t i, p, at
    for p in range(conv.stride_w):
        for i in range(first, last):
            at = run.source[i * conv.stride_w + p]
            to[p * conv.plane + i] = conv.cval if at < 0 else x[at * conv.x_column]


cdef inline void pack_rows(const int STRIDE, const bint FILL, const Conv* conv, const Run* run, const real* x,
                           Py_ssize_t row, Py_ssize_t rows, real* to) noexcept nogil:
    # Input rows from `row` on. Whole vectors are written from left to right: what one leaves behind its end, the
    # next one mends. STRIDE is 1 or 2, or 0 for anything, column by column; FILL: cval can fill the borders.
    cdef Py_ssize_t i, at, p, first = run.first, last = run.last, n = run.columns, plane = conv.plane
    cdef const real* source
    cdef vec cval = vec_set(conv.cval)
    for i in range(row, row + rows):
        at = i if 0 <= i < conv.height else border_index(i, conv.height, conv.border)
        source = x + at * conv.x_row
        if at < 0:
            for p in range(conv.stride_w):
                fill(to + p * plane, cval, n)
        elif STRIDE == 0:
            gather(conv, to, source, run, 0, n)
        else:
            if FILL:
                for p in range(STRIDE):
                    vec_store(to + p * plane, cval)
            if STRIDE == 1:
                copy_run(to + first, source + run.source[first], last - first)
            else:
                split_run(to + first, to + plane + first, source + run.source[2 * first], last - first)
            if FILL:
                for p in range(STRIDE):
                    fill(to + last + p * plane, cval, n - last)
            gather(conv, to, source, run, run.left if FILL else 0, first)
            gather(conv, to, source, run, last, run.right if FILL else n)
        to += PITCH


cdef void pack_strip(const Conv* conv, const real* x, Py_ssize_t row, Py_ssize_t rows, Py_ssize_t strip,
                     Py_ssize_t n, real* to) noexcept nogil:
    # The input rows that `rows` output rows read, of every channel.
    cdef Py_ssize_t _
    cdef Run run
    run.source = conv.source + strip * (conv.strip_columns + conv.reach) * conv.stride_w
    run.columns = n
    run.first, run.last = min(conv.inside[2 * strip], n), min(conv.inside[2 * strip + 1], n)
    run.left, run.right = run.first, run.last
    if conv.stride_w == 2 and 0 < run.first < run.last and run.source[2 * run.first - 1] >= 0:
        run.left -= 1
    if conv.stride_w == 2 and run.first < run.last < n and run.source[2 * run.last] >= 0:
        run.right += 1
    row = row * conv.stride_h - conv.before_h
    rows = (rows - 1) * conv.stride_h + (conv.kernel_h - 1) * conv.dilation_h + 1
    for _ in range(conv.channels):
        if run.first >= run.last:
            pack_rows(0, False, conv, &run, x, row, rows, to)
        elif conv.border != BORDER_CONSTANT or run.first > VL:
            if conv.stride_w == 1:
                pack_rows(1, False, conv, &run, x, row, rows, to)
            else:
                pack_rows(2, False, conv, &run, x, row, rows, to)
        elif conv.stride_w == 1:
            pack_rows(1, True, conv, &run, x, row, rows, to)
        else:
            pack_rows(2, True, conv, &run, x, row, rows, to)
        to += conv.channel
        x += conv.x_channel


# ---- the units of work ---------------------------------------------------------------------------------

cdef void copy_out(const Conv* conv, const real* sums, int outputs, Py_ssize_t rows, Py_ssize_t columns,
                   real* y) noexcept nogil:
    # Into an output whose columns do not lie side by side.
    cdef Py_ssize_t m, i, j
    for m in range(outputs):
        for i in range(rows):
            for j in range(columns):
                y[m * conv.y_channel + i * conv.y_row + j * conv.y_column] = sums[(m * STRIP_ROWS + i) * PITCH + j]


cdef void sum_outputs(const Conv* conv, int outputs, Tile* tile, const real* strip, real* y, Py_ssize_t rows,
                      real* apart) noexcept nogil:
    # The strip's sums of one output channel, or two.
    cdef Py_ssize_t row = 0, height = STRIP_ROWS_PAIR if outputs == 2 else STRIP_ROWS
    while row < rows:
        tile.rows = min(rows - row, height)
        if 2 * tile.rows < height:      # too few for a whole tile
            tile.rows = 1
        tile.strip = strip + row * conv.stride_h * PITCH
        if conv.y_column == 1:
            tile.y, tile.y_channel, tile.y_row = y + row * conv.y_row, conv.y_channel, conv.y_row
            sum_rows(outputs, tile)
        else:
            tile.y, tile.y_channel, tile.y_row = apart, STRIP_ROWS * PITCH, PITCH
            sum_rows(outputs, tile)
            copy_out(conv, apart, outputs, tile.rows, tile.columns, y + row * conv.y_row)
        row += tile.rows


cdef void sum_strip(const Conv* conv, Py_ssize_t group, const real* strip, real* y, Py_ssize_t rows,
                    Py_ssize_t columns, real* apart) noexcept nogil:
    cdef Py_ssize_t output = 0, kernel = conv.channels * conv.kernel_h * conv.kernel_w
    cdef int outputs
    cdef Tile tile
    tile.conv, tile.columns = conv, columns
    while output < conv.outputs:
        outputs = 2 if output + 1 < conv.outputs else 1
        tile.weights = conv.weights + (group * conv.outputs + output) * kernel
        tile.bias = conv.bias + group * conv.outputs + output
        sum_outputs(conv, outputs, &tile, strip, y + output * conv.y_channel, rows, apart)
        output += outputs


cdef void run_unit(const Conv* conv, Py_ssize_t index, real* scratch) noexcept nogil:
    cdef Py_ssize_t band = index % conv.bands
    cdef Py_ssize_t group = index // conv.bands % conv.groups
    cdef Py_ssize_t image = index // (conv.bands * conv.groups)
    cdef const real* x = conv.x + image * conv.x_image + group * conv.channels * conv.x_channel
    cdef real* y = conv.y + image * conv.y_image + group * conv.outputs * conv.y_channel
    cdef Py_ssize_t row = band * conv.band_rows, end = min(row + conv.band_rows, conv.rows)
    cdef Py_ssize_t strip, column, rows, columns
    while row < end:
        rows = min(conv.strip_rows, end - row)
        for strip in range(conv.strips):
            column = strip * conv.strip_columns
            columns = min(conv.strip_columns, conv.columns - column)
            pack_strip(conv, x, row, rows, strip, columns + conv.reach, scratch)
            sum_strip(conv, group, scratch, y + row * conv.y_row + column * conv.y_column, rows, columns,
                      scratch + conv.channels * conv.channel)
        row += rows


cdef void clear(real* scratch, Py_ssize_t n) noexcept nogil:
    # Tiles multiply what lies behind a strip's rows and columns too: it is never stored, but it must be numbers, as
    # the processor is slow on the tiny ones that other people's pointers look like.
    memset(scratch, 0, n * sizeof(real))


cdef void partition(Conv* conv, Py_ssize_t images, Py_ssize_t threads) noexcept nogil:
    # Strips of whole tiles that fill the L1 cache: as wide as it allows, then as tall. Bands of whole tiles, as many
    # as the threads want.
    cdef Py_ssize_t extent = (conv.kernel_h - 1) * conv.dilation_h + 1
    cdef Py_ssize_t tiles = ceil_div(conv.rows, STRIP_ROWS), vectors = ceil_div(conv.columns, VL), bands, most, fit
    cdef Py_ssize_t column_bytes = conv.channels * conv.stride_w * <Py_ssize_t>sizeof(real)
    conv.reach = ((conv.kernel_w - 1) * conv.dilation_w) // conv.stride_w
    most = (PITCH - conv.reach) // VL
    fit = STRIP_BYTES // (column_bytes * ((STRIP_ROWS - 1) * conv.stride_h + extent)) - conv.reach
    most = max(min(most, fit // VL), <Py_ssize_t>1)
    conv.strip_columns = ceil_div(vectors, ceil_div(vectors, most)) * VL
    conv.strips = ceil_div(conv.columns, conv.strip_columns)
    fit = STRIP_BYTES // (column_bytes * (conv.strip_columns + conv.reach)) - extent
    bands = ceil_div(4 * threads, images * conv.groups) if threads > 1 else 1
    conv.band_rows = ceil_div(tiles, min(bands, tiles)) * STRIP_ROWS
    conv.strip_rows = max(min(fit // (conv.stride_h * STRIP_ROWS) * STRIP_ROWS, conv.band_rows), <Py_ssize_t>STRIP_ROWS)
    conv.bands = ceil_div(conv.rows, conv.band_rows)
    conv.plane = ((conv.strip_rows - 1) * conv.stride_h + extent) * PITCH + VL
    conv.channel = conv.stride_w * conv.plane


cdef void fill_tables(const Conv* conv, Py_ssize_t* tap_offset, Py_ssize_t* inside, Py_ssize_t* source) noexcept nogil:
    cdef Py_ssize_t row = 0, c, t, i, strip, column, first, n = conv.strip_columns + conv.reach
    while row < conv.kernel_h:
        for c in range(conv.channels):
            for t in range(conv.kernel_w):
                column = t * conv.dilation_w
                tap_offset[0] = (c * conv.channel + column % conv.stride_w * conv.plane + column // conv.stride_w
                                 + row * conv.dilation_h * PITCH)
                tap_offset += 1
        row += conv.chunk if row + conv.chunk <= conv.kernel_h else 1
    for strip in range(conv.strips):
        first = strip * conv.strip_columns * conv.stride_w - conv.before_w
        for i in range(n * conv.stride_w):
            source[i] = border_index(first + i, conv.width, conv.border)
        source += n * conv.stride_w
        inside[2 * strip] = inside[2 * strip + 1] = 0
        if conv.x_column == 1 and conv.stride_w <= 2:
            i = ceil_div(-first, conv.stride_w) if first < 0 else 0
            column = conv.width - first
            inside[2 * strip] = min(i, n)
            inside[2 * strip + 1] = max(min(column // conv.stride_w if column > 0 else 0, n), inside[2 * strip])


cdef Py_ssize_t set_up(Conv* conv, const real[:, :, :, :] x_bchw, real[:, :, :, :] y_bchw, Py_ssize_t groups,
                       (Py_ssize_t, Py_ssize_t) kernel, (Py_ssize_t, Py_ssize_t) stride,
                       (Py_ssize_t, Py_ssize_t) dilation, (Py_ssize_t, Py_ssize_t) before, int num_threads):
    # Describes the convolution and cuts it; gives the number of units.
    memset(conv, 0, sizeof(Conv))
    conv.groups = groups
    conv.channels, conv.outputs = x_bchw.shape[1] // groups, y_bchw.shape[1] // groups
    conv.height, conv.width = x_bchw.shape[2], x_bchw.shape[3]
    conv.rows, conv.columns = y_bchw.shape[2], y_bchw.shape[3]
    conv.kernel_h, conv.kernel_w = kernel
    conv.stride_h, conv.stride_w = stride
    conv.dilation_h, conv.dilation_w = dilation
    conv.before_h, conv.before_w = before
    conv.x, conv.y = &x_bchw[0, 0, 0, 0], &y_bchw[0, 0, 0, 0]
    conv.x_image, conv.x_channel = elements(x_bchw.strides[0]), elements(x_bchw.strides[1])
    conv.x_row, conv.x_column = elements(x_bchw.strides[2]), elements(x_bchw.strides[3])
    conv.y_image, conv.y_channel = elements(y_bchw.strides[0]), elements(y_bchw.strides[1])
    conv.y_row, conv.y_column = elements(y_bchw.strides[2]), elements(y_bchw.strides[3])
    conv.chunk = kernel_chunk(conv.outputs, conv.kernel_h, conv.stride_h, conv.dilation_h)
    conv.chunk_taps = 0 if conv.chunk == 1 else conv.kernel_h // conv.chunk * conv.channels * conv.kernel_w
    conv.taps = conv.chunk_taps + (conv.kernel_h if conv.chunk == 1 else conv.kernel_h % conv.chunk) \
        * conv.channels * conv.kernel_w
    partition(conv, x_bchw.shape[0], num_threads)
    return x_bchw.shape[0] * groups * conv.bands


cdef Py_ssize_t scratch_elements(const Conv* conv) noexcept nogil:
    # Of one thread.
    return conv.channels * conv.channel + 2 * STRIP_ROWS * PITCH


def depthwise(const real[:, :, :, :] x_bchw not None, const real[::1] weights not None,
              const real[::1] bias not None, real[:, :, :, :] y_bchw not None, Py_ssize_t groups,
              (Py_ssize_t, Py_ssize_t) kernel, (Py_ssize_t, Py_ssize_t) stride,
              (Py_ssize_t, Py_ssize_t) dilation, (Py_ssize_t, Py_ssize_t) before, int border, real cval,
              int num_threads):
    """Convolve `x_bchw` into `y_bchw`, both of any strides.

    `weights` are packed for `kernel_chunk`, `bias` is [group][output]; `kernel`, `stride`, `dilation` and the
    padding `before` are (vertical, horizontal).
    """
    cdef Conv conv
    cdef Py_ssize_t units = set_up(&conv, x_bchw, y_bchw, groups, kernel, stride, dilation, before, num_threads)
    cdef Py_ssize_t u, chunk, thread_scratch = scratch_elements(&conv)
    cdef Py_ssize_t* tables
    cdef real* scratch
    num_threads = <int>min(<Py_ssize_t>num_threads, units)
    chunk = max(units // (8 * num_threads), <Py_ssize_t>1)
    conv.weights, conv.bias = &weights[0], &bias[0]
    conv.border, conv.cval = border, cval
    tables = <Py_ssize_t*>scratch_alloc(
        (conv.taps + conv.strips * (2 + (conv.strip_columns + conv.reach) * conv.stride_w)) * sizeof(Py_ssize_t))
    scratch = <real*>scratch_alloc(num_threads * thread_scratch * sizeof(real))
    if tables == NULL or scratch == NULL:
        scratch_free(tables)
        scratch_free(scratch)
        raise MemoryError("no memory for the scratch of a convolution")
    conv.tap_offset, conv.inside = tables, tables + conv.taps
    conv.source = tables + conv.taps + 2 * conv.strips
    fill_tables(&conv, tables, tables + conv.taps, tables + conv.taps + 2 * conv.strips)
    with nogil:
        clear(scratch, num_threads * thread_scratch)
        if num_threads == 1:    # no team: also what a forked child must do
            for u in range(units):
                run_unit(&conv, u, scratch)
        else:
            for u in prange(units, num_threads=num_threads, schedule="dynamic", chunksize=chunk):
                run_unit(&conv, u, scratch + threadid() * thread_scratch)
    scratch_free(tables)
    scratch_free(scratch)


def workspace_bytes(const real[:, :, :, :] x_bchw not None, real[:, :, :, :] y_bchw not None, Py_ssize_t groups,
                    (Py_ssize_t, Py_ssize_t) kernel, (Py_ssize_t, Py_ssize_t) stride,
                    (Py_ssize_t, Py_ssize_t) dilation, (Py_ssize_t, Py_ssize_t) before, int num_threads):
    """Scratch of each thread of `depthwise`, which looks at the arrays' sizes alone."""
    cdef Conv conv
    set_up(&conv, x_bchw, y_bchw, groups, kernel, stride, dilation, before, num_threads)
    return scratch_elements(&conv) * <Py_ssize_t>sizeof(real)

"""The core convolution: an implicit GEMM over taps.

An output pixel (row, column) of a group sums, over taps t and channels c, weight[o, c, t] times
x[c, row*stride_h + tap_row[t], column*stride_w + tap_column[t]]. Convolution gives each kernel element a tap;
transposed convolution is one such sum per phase of its stride, into an output with steps of its stride.

Work is cut into units: image × group × band of pixel tiles × chunk of weight panels. A unit packs the pixels of
its band, one block of K at a time, into its thread's scratch, and multiplies each tile with every panel. What an
output adds up, and in which order, depends on the blocks of K alone, never on the units or the threads.
"""
from cython.parallel cimport prange, threadid
from libc.string cimport memcpy, memset

from convkit._native.arith cimport ceil_div, elements
from convkit._native.border cimport border_index
from convkit._native.epilogue cimport Epilogue, adds_in_place, finish_rows, make_epilogue
from convkit._native.gemm cimport Tile, multiply
from convkit._native.simd cimport (GEMM_DEPTH, GEMM_MR, GEMM_NV, VL, real, copy_part, scratch_alloc, scratch_free, vec_load,
                                   vec_load_even, vec_store)

cdef enum:

    # A unit: tiles of a band (their weights are read once from L2), and output channels (their sums fit L2; those
    # that are finished together fit L1).
    BAND_TILES = 8
    CHUNK_ROWS = 512
    FINISH_ROWS = 64

VECTOR_LANES = VL
TILE_PIXELS = GEMM_NV * VL


cdef struct Conv:
    Py_ssize_t groups, channels, outputs, taps          # channels and outputs of one group
    Py_ssize_t height, width, rows, columns             # of the input; of the output
    Py_ssize_t stride_h, stride_w
    const real* x
    Py_ssize_t x_image, x_channel, x_row, x_column      # strides in elements
    real* y
    Py_ssize_t y_image, y_channel, y_row, y_column
    const Py_ssize_t* tap_row
    const Py_ssize_t* tap_column
    Py_ssize_t* inside_from                             # columns [from, to) of a tap need no border
    Py_ssize_t* inside_to
    int border
    real cval
    const real* weights                                 # [group][block of K][panel][k][panel_rows]
    const real* bias                                    # one vector for each row of each panel
    int panel_rows
    Py_ssize_t panels
    Py_ssize_t block_taps, block_channels
    Py_ssize_t band_tiles, bands, chunk_panels, chunks
    bint dense                                          # an output plane is one run of memory
    Epilogue epilogue


# ---- blocks of K: taps × channels, at most GEMM_DEPTH of them ------------------------------------------
# A block's pixel tile stays in the L1 cache while all panels pass over it; partial sums keep rounding errors short.

cdef inline Py_ssize_t even_parts(Py_ssize_t n, Py_ssize_t most) noexcept nogil:
    # The size of the fewest parts of about the same size, at most `most`, that n is cut into.
    return ceil_div(n, ceil_div(n, most))


cdef inline Py_ssize_t channel_block(Py_ssize_t row_taps, Py_ssize_t channels) noexcept nogil:
    # Taps of one kernel row read the same pixels a column apart: a block takes whole rows where it can.
    return even_parts(channels, max(<Py_ssize_t>1, GEMM_DEPTH // row_taps))


cdef inline Py_ssize_t tap_block(Py_ssize_t taps, Py_ssize_t row_taps, Py_ssize_t channels) noexcept nogil:
    cdef Py_ssize_t most = GEMM_DEPTH // channel_block(row_taps, channels)
    if most < row_taps:
        return most
    return row_taps * even_parts(taps // row_taps, most // row_taps)


cpdef int panel_rows(Py_ssize_t outputs) noexcept:
    """Output channels that one weight panel holds, for `outputs` channels a group."""
    cdef int rows = GEMM_MR
    while rows > 1 and rows // 2 >= outputs:
        rows //= 2
    return rows


def pack_weights(const real[:, :, :, :, :] weight_gockk not None, const Py_ssize_t[:, ::1] kernel_index not None,
                 Py_ssize_t row_taps, Py_ssize_t rows, real[::1] packed not None):
    """Fill `packed` with panels of `rows` output channels.

    `kernel_index[:, t]` is tap t's place in the kernel, `row_taps` the taps of each of its rows.
    """
    cdef Py_ssize_t outputs = weight_gockk.shape[1], channels = weight_gockk.shape[2], taps = kernel_index.shape[1]
    cdef Py_ssize_t block_t = tap_block(taps, row_taps, channels)
    cdef Py_ssize_t block_c = channel_block(row_taps, channels)
    cdef Py_ssize_t g, t0, c0, first
    cdef Py_ssize_t depth
    cdef real* to = &packed[0]
    with nogil:
        for g in range(weight_gockk.shape[0]):
            t0 = 0
            while t0 < taps:
                c0 = 0
                while c0 < channels:
                    depth = (min(t0 + block_t, taps) - t0) * (min(c0 + block_c, channels) - c0)
                    first = 0
                    while first < outputs:
                        pack_panel(weight_gockk, kernel_index, g, first, min(first + rows, outputs), t0,
                                   min(t0 + block_t, taps), c0, min(c0 + block_c, channels), rows, to)
                        to += depth * rows
                        first += rows
                    c0 += block_c
                t0 += block_t


cdef void pack_panel(const real[:, :, :, :, :] weight_gockk, const Py_ssize_t[:, ::1] kernel_index, Py_ssize_t g,
                     Py_ssize_t o0, Py_ssize_t o1, Py_ssize_t t0, Py_ssize_t t1, Py_ssize_t c0, Py_ssize_t c1,
                     Py_ssize_t rows, real* to) noexcept nogil:
    # [tap][channel][output]; read in the weight's own order, and 0 for the outputs that fill up the panel.
    cdef Py_ssize_t o, c, t
    cdef const real* kernel
    cdef Py_ssize_t down = elements(weight_gockk.strides[3]), right = elements(weight_gockk.strides[4])
    if o1 - o0 < rows:
        memset(to, 0, (t1 - t0) * (c1 - c0) * rows * sizeof(real))
    for o in range(o0, o1):
        for c in range(c0, c1):
            kernel = &weight_gockk[g, o, c, 0, 0]
            for t in range(t0, t1):
                to[((t - t0) * (c1 - c0) + c - c0) * rows + o - o0] = \
                    kernel[kernel_index[0, t] * down + kernel_index[1, t] * right]


# ---- packing pixels ------------------------------------------------------------------------------------

cdef void copy_rows(real* to, Py_ssize_t to_row, const real* x, Py_ssize_t x_row, Py_ssize_t rows, Py_ssize_t n,
                    Py_ssize_t step) noexcept nogil:
    # rows × n elements of x, `step` apart.
    cdef Py_ssize_t _, i, whole = n - n % VL
    for _ in range(rows):
        i = 0
        if step == 1:
            while i < whole:
                vec_store(to + i, vec_load(x + i))
                i += VL
            copy_part(to + i, x + i, n - whole)
        else:
            if step == 2:
                while i + VL < n:       # strictly: it reads one element past the last that it needs
                    vec_store(to + i, vec_load_even(x + 2 * i))
                    i += VL
            while i < n:
                to[i] = x[i * step]
                i += 1
        to += to_row
        x += x_row


cdef inline void fill(real* to, real value, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        to[i] = value


cdef inline void border_rows(const Conv* conv, real* to, Py_ssize_t to_row, const real* row, Py_ssize_t channels,
                             Py_ssize_t column, Py_ssize_t n) noexcept nogil:
    # n pixels of each channel, the first at input column `column`, each of them left or right of the input.
    cdef Py_ssize_t i, c, inside
    for i in range(n):
        inside = border_index(column + i * conv.stride_w, conv.width, conv.border)
        for c in range(channels):
            to[c * to_row + i] = conv.cval if inside < 0 else row[c * conv.x_channel + inside * conv.x_column]


cdef void pack_run(const Conv* conv, const real* x, Py_ssize_t tap, Py_ssize_t channels, Py_ssize_t y,
                   Py_ssize_t column, Py_ssize_t n, real* to, Py_ssize_t to_row) noexcept nogil:
    # The pixels that `tap` brings to n outputs of row y, from `column` on: one row of the panel per channel.
    cdef Py_ssize_t row = y * conv.stride_h + conv.tap_row[tap]
    cdef Py_ssize_t inside = min(max(conv.inside_from[tap] - column, <Py_ssize_t>0), n)
    cdef Py_ssize_t outside = max(min(conv.inside_to[tap] - column, n), inside)
    cdef Py_ssize_t first = column * conv.stride_w + conv.tap_column[tap]
    cdef Py_ssize_t c
    if row < 0 or row >= conv.height:
        row = border_index(row, conv.height, conv.border)
    if row < 0:
        for c in range(channels):
            fill(to + c * to_row, conv.cval, n)
        return
    x += row * conv.x_row
    border_rows(conv, to, to_row, x, channels, first, inside)
    border_rows(conv, to + outside, to_row, x, channels, first + outside * conv.stride_w, n - outside)
    copy_rows(to + inside, to_row, x + (first + inside * conv.stride_w) * conv.x_column, conv.x_channel, channels,
              outside - inside, conv.stride_w * conv.x_column)


cdef void pack_tile(const Conv* conv, const real* x, Py_ssize_t t0, Py_ssize_t t1, Py_ssize_t channels,
                    Py_ssize_t pixel, Py_ssize_t pixels, Py_ssize_t lanes, real* panel) noexcept nogil:
    # [tap][channel][lane]: the tile's pixels lie one after another in the output, over the ends of its rows.
    cdef Py_ssize_t t, k, lane, y, column, n
    for t in range(t0, t1):
        lane = 0
        y = pixel // conv.columns
        column = pixel % conv.columns
        while lane < pixels:
            n = min(conv.columns - column, pixels - lane)
            pack_run(conv, x, t, channels, y, column, n, panel + lane, lanes)
            lane += n
            column = 0
            y += 1
        if pixels < lanes:
            for k in range(channels):
                fill(panel + k * lanes + pixels, 0, lanes - pixels)
        panel += channels * lanes


# ---- multiplying: one function per height of a panel; tiles that the machine does not use are compiled away -

cdef void multiply_8(int vectors, const Tile* tile) noexcept nogil:
    if GEMM_NV >= 3 and vectors == 3:
        multiply(8, 3, tile)
    elif vectors == 2:
        multiply(8, 2, tile)
    else:
        multiply(8, 1, tile)


cdef void multiply_4(int vectors, const Tile* tile) noexcept nogil:
    if GEMM_NV >= 3 and vectors == 3:
        multiply(4, 3, tile)
    elif vectors == 2:
        multiply(4, 2, tile)
    else:
        multiply(4, 1, tile)


cdef void multiply_2(int vectors, const Tile* tile) noexcept nogil:
    if GEMM_NV >= 3 and vectors == 3:
        multiply(2, 3, tile)
    elif vectors == 2:
        multiply(2, 2, tile)
    else:
        multiply(2, 1, tile)


cdef void multiply_1(int vectors, const Tile* tile) noexcept nogil:
    if GEMM_NV >= 3 and vectors == 3:
        multiply(1, 3, tile)
    elif vectors == 2:
        multiply(1, 2, tile)
    else:
        multiply(1, 1, tile)


cdef inline void multiply_panels(int rows, int vectors, const Tile* tile) noexcept nogil:
    if GEMM_MR >= 8 and rows == 8:
        multiply_8(vectors, tile)
    elif rows == 4:
        multiply_4(vectors, tile)
    elif rows == 2:
        multiply_2(vectors, tile)
    else:
        multiply_1(vectors, tile)


cdef void store_rows(const Conv* conv, real* tile, Py_ssize_t lanes, Py_ssize_t rows, real* y, Py_ssize_t pixel,
                     Py_ssize_t pixels) noexcept nogil:
    # Finished, from scratch into an output of any strides, without the lanes past the last pixel.
    cdef Py_ssize_t _, lane, row, column, n, i
    cdef real* to
    for _ in range(rows):
        lane = 0
        row = pixel // conv.columns
        column = pixel % conv.columns
        while lane < pixels:
            n = min(conv.columns - column, pixels - lane)
            to = y + row * conv.y_row + column * conv.y_column
            if not conv.epilogue.plain:
                finish_rows(&conv.epilogue, tile + lane, 0, to, 0, 1, n)
            if conv.y_column == 1:
                memcpy(to, tile + lane, n * sizeof(real))
            else:
                for i in range(n):
                    to[i * conv.y_column] = tile[lane + i]
            lane += n
            column = 0
            row += 1
        tile += lanes
        y += conv.y_channel


# ---- the units of work ---------------------------------------------------------------------------------

cdef struct Unit:
    const real* x               # the group's first channel
    real* y                     # the chunk's first output channel
    const real* weights         # the group's
    const real* bias            # the chunk's
    Py_ssize_t first_panel, panels, outputs
    Py_ssize_t pixel, end_pixel
    real* pixels                # scratch: one packed tile, one block of K deep
    real* sums                  # scratch: outputs that cannot be written in place, [tile][row][lane]


cdef void locate(const Conv* conv, Py_ssize_t index, real* scratch, Unit* unit) noexcept nogil:
    cdef Py_ssize_t chunk = index % conv.chunks
    cdef Py_ssize_t band = index // conv.chunks % conv.bands
    cdef Py_ssize_t group = index // (conv.chunks * conv.bands) % conv.groups
    cdef Py_ssize_t image = index // (conv.chunks * conv.bands * conv.groups)
    cdef Py_ssize_t group_rows = conv.panels * conv.panel_rows
    unit.first_panel = chunk * conv.chunk_panels
    unit.panels = min(conv.chunk_panels, conv.panels - unit.first_panel)
    unit.outputs = min(unit.panels * conv.panel_rows, conv.outputs - unit.first_panel * conv.panel_rows)
    unit.x = conv.x + image * conv.x_image + group * conv.channels * conv.x_channel
    unit.y = conv.y + image * conv.y_image \
        + (group * conv.outputs + unit.first_panel * conv.panel_rows) * conv.y_channel
    unit.weights = conv.weights + group * group_rows * conv.taps * conv.channels
    unit.bias = conv.bias + (group * group_rows + unit.first_panel * conv.panel_rows) * VL
    unit.pixel = band * conv.band_tiles * GEMM_NV * VL
    unit.end_pixel = min(unit.pixel + conv.band_tiles * GEMM_NV * VL, conv.rows * conv.columns)
    unit.pixels = scratch
    unit.sums = scratch + GEMM_DEPTH * GEMM_NV * VL


cdef inline Py_ssize_t in_place(const Conv* conv, const Unit* unit, Py_ssize_t pixels) noexcept nogil:
    # Panels of a tile that are written straight to the output: all of them whole, of a tile of whole vectors.
    if not conv.dense or pixels % VL or adds_in_place(&conv.epilogue):
        return 0
    return unit.outputs // conv.panel_rows


cdef void multiply_and_finish(const Conv* conv, int vectors, Tile tile, Py_ssize_t pixels) noexcept nogil:
    # In place, a few panels at a time: their sums are still in the L1 cache when they are finished.
    cdef Py_ssize_t left = tile.panels, rows
    while left > 0:
        tile.panels = min(left, <Py_ssize_t>FINISH_ROWS // conv.panel_rows)
        rows = tile.panels * conv.panel_rows
        multiply_panels(conv.panel_rows, vectors, &tile)
        finish_rows(&conv.epilogue, tile.y, tile.y_row, tile.y, tile.y_row, rows, pixels)
        left -= tile.panels
        tile.weights += tile.panels * tile.weights_panel
        tile.addend += rows * tile.addend_row
        tile.y += rows * tile.y_row


cdef void multiply_tile(const Conv* conv, const Unit* unit, const real* weights, Py_ssize_t depth,
                        bint first, bint last, Py_ssize_t pixel, real* sums) noexcept nogil:
    cdef Py_ssize_t pixels = min(<Py_ssize_t>(GEMM_NV * VL), unit.end_pixel - pixel)
    cdef int vectors = <int>ceil_div(pixels, VL)
    cdef Py_ssize_t whole = in_place(conv, unit, pixels), done = whole * conv.panel_rows
    cdef Tile tile
    tile.depth = depth
    tile.weights_panel = depth * conv.panel_rows
    tile.pixels = unit.pixels
    tile.addend_row = VL
    tile.addend_vector = 0
    tile.panels = whole
    tile.weights = weights
    tile.y = unit.y + pixel
    tile.y_row = conv.y_channel
    tile.addend = unit.bias
    if not first:
        tile.addend = tile.y
        tile.addend_row = tile.y_row
        tile.addend_vector = VL
    if last and not conv.epilogue.plain:
        multiply_and_finish(conv, vectors, tile, pixels)
    else:
        multiply_panels(conv.panel_rows, vectors, &tile)
    tile.panels = unit.panels - whole
    tile.weights = weights + whole * tile.weights_panel
    tile.y = sums
    tile.y_row = vectors * VL
    tile.addend = unit.bias + done * VL
    if not first:
        tile.addend = tile.y
        tile.addend_row = tile.y_row
    multiply_panels(conv.panel_rows, vectors, &tile)


cdef void multiply_block(const Conv* conv, const Unit* unit, Py_ssize_t t0, Py_ssize_t t1, Py_ssize_t c0,
                         Py_ssize_t c1) noexcept nogil:
    # Adds one block of K to every output of the unit.
    cdef Py_ssize_t depth = (t1 - t0) * (c1 - c0), pixel = unit.pixel, pixels, lanes
    cdef Py_ssize_t before = t0 * conv.channels + c0 * (t1 - t0)
    cdef const real* weights = unit.weights + (before * conv.panels + depth * unit.first_panel) * conv.panel_rows
    cdef real* sums = unit.sums
    while pixel < unit.end_pixel:
        pixels = min(<Py_ssize_t>(GEMM_NV * VL), unit.end_pixel - pixel)
        lanes = ceil_div(pixels, VL) * VL
        pack_tile(conv, unit.x + c0 * conv.x_channel, t0, t1, c1 - c0, pixel, pixels, lanes, unit.pixels)
        multiply_tile(conv, unit, weights, depth, before == 0, before + depth == conv.taps * conv.channels, pixel, sums)
        sums += conv.chunk_panels * conv.panel_rows * GEMM_NV * VL
        pixel += pixels


cdef void run_unit(const Conv* conv, Py_ssize_t index, real* scratch) noexcept nogil:
    cdef Unit unit
    cdef Py_ssize_t t0, c0, pixel, pixels, lanes, done
    cdef real* sums
    locate(conv, index, scratch, &unit)
    t0 = 0
    while t0 < conv.taps:
        c0 = 0
        while c0 < conv.channels:
            multiply_block(conv, &unit, t0, min(t0 + conv.block_taps, conv.taps), c0,
                           min(c0 + conv.block_channels, conv.channels))
            c0 += conv.block_channels
        t0 += conv.block_taps
    pixel = unit.pixel
    sums = unit.sums
    while pixel < unit.end_pixel:
        pixels = min(<Py_ssize_t>(GEMM_NV * VL), unit.end_pixel - pixel)
        lanes = ceil_div(pixels, VL) * VL
        done = in_place(conv, &unit, pixels) * conv.panel_rows
        store_rows(conv, sums, lanes, unit.outputs - done, unit.y + done * conv.y_channel, pixel, pixels)
        sums += conv.chunk_panels * conv.panel_rows * GEMM_NV * VL
        pixel += pixels


cdef void partition(Conv* conv, Py_ssize_t images, Py_ssize_t threads) noexcept nogil:
    # Bands of several tiles keep a block of weights in the L2 cache; they shrink, and then the panels are split
    # as well (each part packs the pixels again), until every thread has work.
    cdef Py_ssize_t tiles = ceil_div(conv.rows * conv.columns, GEMM_NV * VL), others = images * conv.groups
    cdef Py_ssize_t wanted = 4 * threads if threads > 1 else 1
    conv.band_tiles = min(tiles, <Py_ssize_t>BAND_TILES)
    conv.chunk_panels = min(conv.panels, ceil_div(CHUNK_ROWS, conv.panel_rows))
    while conv.band_tiles > 1 and others * ceil_div(tiles, conv.band_tiles) < wanted:
        conv.band_tiles = ceil_div(conv.band_tiles, 2)
    conv.bands = ceil_div(tiles, conv.band_tiles)
    while conv.chunk_panels > 4 and others * conv.bands * ceil_div(conv.panels, conv.chunk_panels) < wanted:
        conv.chunk_panels = ceil_div(conv.chunk_panels, 2)
    conv.chunks = ceil_div(conv.panels, conv.chunk_panels)


cdef inline bint is_pointwise(const Conv* conv) noexcept nogil:
    # One tap, every output pixel from the input pixel at its own place, and both planes without gaps.
    return (conv.taps == 1 and conv.tap_row[0] == 0 and conv.tap_column[0] == 0
            and conv.stride_h == 1 and conv.stride_w == 1
            and conv.rows == conv.height and conv.columns == conv.width
            and conv.x_row == conv.width * conv.x_column and conv.y_row == conv.columns * conv.y_column)


cdef inline void find_inside(Conv* conv) noexcept nogil:
    cdef Py_ssize_t t, column
    for t in range(conv.taps):
        column = conv.tap_column[t]
        conv.inside_from[t] = ceil_div(-column, conv.stride_w) if column < 0 else 0
        conv.inside_to[t] = (conv.width - 1 - column) // conv.stride_w + 1 if column < conv.width else 0


def conv_taps(const real[:, :, :, :] x_bchw not None, const real[::1] weights not None,
              const real[::1] bias not None, real[:, :, :, :] y_bchw not None,
              const Py_ssize_t[:, ::1] taps not None, Py_ssize_t row_taps, Py_ssize_t stride_h,
              Py_ssize_t stride_w, Py_ssize_t groups, int border, real cval, int num_threads,
              int activation=0, real slope=0, const real[:, :, :, :] residual=None):
    """Convolve `x_bchw` into `y_bchw`, both of any strides.

    `weights` comes from `pack_weights`; `bias` holds a vector of VECTOR_LANES equal values for every row of every
    panel; `taps[0]` and `taps[1]` are the taps' vertical and horizontal offsets into the input,
    in rows of `row_taps`; `residual` has `y_bchw`'s strides, or is it.
    """
    cdef Conv conv
    cdef Py_ssize_t images = x_bchw.shape[0], units, u, thread_scratch
    cdef Py_ssize_t* inside
    cdef real* scratch
    conv.groups = groups
    conv.channels = x_bchw.shape[1] // groups
    conv.outputs = y_bchw.shape[1] // groups
    conv.taps = taps.shape[1]
    conv.height, conv.width = x_bchw.shape[2], x_bchw.shape[3]
    conv.rows, conv.columns = y_bchw.shape[2], y_bchw.shape[3]
    conv.stride_h, conv.stride_w = stride_h, stride_w
    conv.x, conv.y = &x_bchw[0, 0, 0, 0], &y_bchw[0, 0, 0, 0]
    conv.x_image, conv.x_channel = elements(x_bchw.strides[0]), elements(x_bchw.strides[1])
    conv.x_row, conv.x_column = elements(x_bchw.strides[2]), elements(x_bchw.strides[3])
    conv.y_image, conv.y_channel = elements(y_bchw.strides[0]), elements(y_bchw.strides[1])
    conv.y_row, conv.y_column = elements(y_bchw.strides[2]), elements(y_bchw.strides[3])
    conv.tap_row, conv.tap_column = &taps[0, 0], &taps[1, 0]
    conv.border, conv.cval = border, cval
    conv.weights, conv.bias = &weights[0], &bias[0]
    conv.panel_rows = panel_rows(conv.outputs)
    conv.panels = ceil_div(conv.outputs, conv.panel_rows)
    conv.block_taps = tap_block(conv.taps, row_taps, conv.channels)
    conv.block_channels = channel_block(row_taps, conv.channels)
    if is_pointwise(&conv):     # rows of a plane follow one another: one long row has no ends to pack around
        conv.width = conv.columns = conv.height * conv.width
        conv.height = conv.rows = 1
    conv.dense = conv.y_column == 1 and (conv.rows == 1 or conv.y_row == conv.columns)
    conv.epilogue = make_epilogue(activation, slope, residual, conv.y, conv.y_column)
    partition(&conv, images, num_threads)
    units = images * groups * conv.bands * conv.chunks
    num_threads = <int>min(<Py_ssize_t>num_threads, units)
    thread_scratch = (GEMM_DEPTH + conv.band_tiles * conv.chunk_panels * conv.panel_rows) * GEMM_NV * VL
    inside = <Py_ssize_t*>scratch_alloc(2 * conv.taps * sizeof(Py_ssize_t))
    scratch = <real*>scratch_alloc(num_threads * thread_scratch * sizeof(real))
    if inside == NULL or scratch == NULL:
        scratch_free(inside)
        scratch_free(scratch)
        raise MemoryError("no memory for the scratch of a convolution")
    conv.inside_from, conv.inside_to = inside, inside + conv.taps
    with nogil:
        find_inside(&conv)
        if num_threads == 1:    # no team: also what a forked child must do
            for u in range(units):
                run_unit(&conv, u, scratch)
        else:
            for u in prange(units, num_threads=num_threads, schedule="dynamic"):
                run_unit(&conv, u, scratch + threadid() * thread_scratch)
        scratch_free(inside)
        scratch_free(scratch)

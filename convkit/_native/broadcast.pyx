"""The implicit GEMM with output channels in the vectors: a pixel is broadcast and multiplied with a vector of weights.

Pixels need not lie side by side, nor fill vectors: any stride reads the input's rows as they are, or one copy of them
with their borders, and a map of few pixels costs no more than its pixels. Taps that see nothing but zeros are left out
(`broadcast_runs.pxd`). In return the sums, [pixel][output], must be transposed.

Work is cut into units: band of output rows, or run of images × group × chunk of weight panels. A unit goes over K in
blocks of channels, and over a block panel by panel: a panel's weights stay in the L1 cache while all pixels of the band
pass.

What an output adds up, and in which order, depends on the blocks of K alone, never on the units or the threads.
"""
from libc.string cimport memset

from convkit._native.arith cimport ceil_div, elements, even_parts
from convkit._native.border cimport BORDER_CONSTANT
from convkit._native.broadcast_conv cimport Conv, Run, band_slots, most_pixels, panel_count, panel_start
from convkit._native.broadcast_runs cimport find_reading, find_rows, longest
from convkit._native.broadcast_sums cimport Tile, sum_tiles
from convkit._native.epilogue cimport finish_rows, make_epilogue
from convkit._native.planes cimport pack_planes
from convkit._native.shares cimport run_units
from convkit._native.simd cimport (GEMM_MR, GEMM_NV, GEMM_WIDE, LINE, PLANES_BYTES, SUMS_BYTES, VL, real, scratch_alloc,
                                   scratch_free, vec, vec_load, vec_store, vec_store_part, vec_transpose)

VECTOR_LANES = VL

cdef enum:
    WEIGHT_BYTES = 18 * 1024    # of a panel's block of K, about: they stay in the L1 cache,
    MANY_WEIGHT_BYTES = 36 * 1024   # or in part, of so MANY_TAPS that few channels would be in a block, and few products
    MANY_TAPS = 16                  # in a loop over one
    MOST_DEPTH = 192            # products of a block of K
    DIRECT_CHANNELS = 96        # of a block that is read where it lies, each channel in a page of its own
    WEIGHTS_COST = 8            # of reading a panel's weights for one product, in products of a pixel with them


cdef struct Unit:
    const real* x
    real* y
    const real* weights
    const real* bias
    Py_ssize_t images, row, rows
    Py_ssize_t panel, panels, first, vectors    # the first vector of outputs, and their number
    real* planes
    real* sums                  # [pixel][output]


# ---- weights -------------------------------------------------------------------------------------------

cdef inline Py_ssize_t channel_block(Py_ssize_t taps, Py_ssize_t channels, Py_ssize_t vectors) noexcept nogil:
    # Of K. A tap alone may read the input where it lies.
    cdef Py_ssize_t widest = min(vectors, <Py_ssize_t>GEMM_NV) if vectors != 4 else 2
    cdef Py_ssize_t bytes = MANY_WEIGHT_BYTES if taps >= MANY_TAPS else WEIGHT_BYTES
    cdef Py_ssize_t depth = min(<Py_ssize_t>MOST_DEPTH, bytes // (widest * VL * <Py_ssize_t>sizeof(real)))
    return even_parts(channels, max(<Py_ssize_t>1, depth // taps) if taps > 1 else <Py_ssize_t>DIRECT_CHANNELS)


def pack_weights(const real[:, :, :, :, :] weight_gockk not None, const Py_ssize_t[:, ::1] kernel_index not None,
                 real[::1] packed not None):
    """Fill `packed`, which has room for whole vectors of outputs; `kernel_index[:, t]` is tap t's place in the kernel."""
    cdef Py_ssize_t outputs = weight_gockk.shape[1], channels = weight_gockk.shape[2], taps = kernel_index.shape[1]
    cdef Py_ssize_t vectors = ceil_div(outputs, VL), block = channel_block(taps, channels, vectors)
    cdef Py_ssize_t g, b, c, p, o, end, t
    cdef real* to = &packed[0]
    with nogil:
        for g in range(weight_gockk.shape[0]):
            for b in range(ceil_div(channels, block)):
                for p in range(panel_count(vectors)):
                    end = panel_start(vectors, p + 1) * VL
                    for c in range(b * block, min(b * block + block, channels)):
                        for t in range(taps):
                            for o in range(panel_start(vectors, p) * VL, end):
                                to[0] = weight_gockk[g, o, c, kernel_index[0, t], kernel_index[1, t]] if o < outputs else 0
                                to += 1


# ---- sums ----------------------------------------------------------------------------------------------

cdef void sum_3(int pixels, const Tile* tile) noexcept nogil:
    if GEMM_NV < 3:
        return
    if pixels == 8 and GEMM_MR >= 8:
        sum_tiles(8, 3, tile)
    elif pixels == 7 and GEMM_MR >= 7:
        sum_tiles(7, 3, tile)
    elif pixels == 6 and GEMM_MR >= 6:
        sum_tiles(6, 3, tile)
    elif pixels == 5 and GEMM_MR >= 5:
        sum_tiles(5, 3, tile)
    elif pixels == 4:
        sum_tiles(4, 3, tile)
    elif pixels == 3:
        sum_tiles(3, 3, tile)
    elif pixels == 2:
        sum_tiles(2, 3, tile)
    else:
        sum_tiles(1, 3, tile)


cdef void sum_2(int pixels, const Tile* tile) noexcept nogil:
    if pixels == 8 and GEMM_WIDE(2) >= 8:
        sum_tiles(8, 2, tile)
    elif pixels == 7 and GEMM_WIDE(2) >= 7:
        sum_tiles(7, 2, tile)
    elif pixels == 6 and GEMM_WIDE(2) >= 6:
        sum_tiles(6, 2, tile)
    elif pixels == 5 and GEMM_WIDE(2) >= 5:
        sum_tiles(5, 2, tile)
    elif pixels == 4:
        sum_tiles(4, 2, tile)
    elif pixels == 3:
        sum_tiles(3, 2, tile)
    elif pixels == 2:
        sum_tiles(2, 2, tile)
    else:
        sum_tiles(1, 2, tile)


cdef void sum_1(int pixels, const Tile* tile) noexcept nogil:
    if pixels == 14:
        sum_tiles(14, 1, tile)
    elif pixels == 13:
        sum_tiles(13, 1, tile)
    elif pixels == 12:
        sum_tiles(12, 1, tile)
    elif pixels == 11:
        sum_tiles(11, 1, tile)
    elif pixels == 10:
        sum_tiles(10, 1, tile)
    elif pixels == 9:
        sum_tiles(9, 1, tile)
    elif pixels == 8:
        sum_tiles(8, 1, tile)
    elif pixels == 7:
        sum_tiles(7, 1, tile)
    elif pixels == 6:
        sum_tiles(6, 1, tile)
    elif pixels == 5:
        sum_tiles(5, 1, tile)
    elif pixels == 4:
        sum_tiles(4, 1, tile)
    elif pixels == 3:
        sum_tiles(3, 1, tile)
    elif pixels == 2:
        sum_tiles(2, 1, tile)
    else:
        sum_tiles(1, 1, tile)


cdef void sum_tiles_of(int pixels, Py_ssize_t vectors, Tile* tile) noexcept nogil:
    # `count` tiles, and then the place after them.
    if vectors == 3:
        sum_3(pixels, tile)
    elif vectors == 2:
        sum_2(pixels, tile)
    else:
        sum_1(pixels, tile)
    tile.x += tile.count * pixels * tile.step
    tile.later += tile.count * tile.later_tile
    tile.sums += tile.count * pixels * tile.sums_row
    tile.addend += tile.count * pixels * tile.addend_row


cdef void sum_pixels(Py_ssize_t pixels, Py_ssize_t vectors, Tile* tile) noexcept nogil:
    # In tiles of about one size: a small one has too few sums in flight.
    cdef Py_ssize_t tiles = ceil_div(pixels, most_pixels(vectors))
    cdef Py_ssize_t size = pixels // tiles, larger = pixels % tiles
    if larger:
        tile.count = larger
        sum_tiles_of(<int>size + 1, vectors, tile)
    tile.count = tiles - larger
    sum_tiles_of(<int>size, vectors, tile)


# ---- the units of work ---------------------------------------------------------------------------------

cdef void locate(const Conv* conv, Py_ssize_t index, real* scratch, Unit* unit) noexcept nogil:
    # Those that read the same weights follow each other.
    cdef Py_ssize_t image = index % conv.runs * conv.run_images, group, chunk, first
    index //= conv.runs
    unit.row = index % conv.bands * conv.band_rows
    index //= conv.bands
    chunk, group = index % conv.chunks, index // conv.chunks
    unit.images = min(conv.run_images, conv.images - image)
    unit.rows = min(conv.band_rows, conv.rows - unit.row)
    unit.panel = chunk * conv.chunk_panels
    unit.panels = min(conv.chunk_panels, conv.panels - unit.panel)
    unit.first = panel_start(conv.vectors, unit.panel)
    unit.vectors = panel_start(conv.vectors, unit.panel + unit.panels) - unit.first
    first = unit.first * VL
    unit.x = conv.x + image * conv.x_image + group * conv.channels * conv.planes.x_channel
    unit.y = conv.y + image * conv.y_image + (group * conv.outputs + first) * conv.y_channel + unit.row * conv.y_row
    unit.weights = conv.weights + group * conv.vectors * VL * conv.taps * conv.channels
    unit.bias = conv.bias + group * conv.vectors * VL
    unit.sums = scratch
    unit.planes = scratch + sums_elements(conv)


cdef inline Py_ssize_t sums_elements(const Conv* conv) noexcept nogil:
    return conv.run_images * conv.band_rows * conv.columns * conv.chunk_panels * GEMM_NV * VL


cdef void sum_box(const Conv* conv, const Unit* unit, const Run* rows, const Run* columns, Py_ssize_t vectors,
                  bint last, const real* y, Tile tile) noexcept nogil:
    # All outputs that see the same taps, of a panel: tiles go along an axis, images, rows or columns.
    cdef Py_ssize_t[3] sizes, steps, places, y_steps
    cdef Py_ssize_t i, j, place, other
    cdef int along
    cdef const real* x = tile.x
    cdef const real* addend = tile.addend
    cdef real* sums = tile.sums
    sizes[0], sizes[1], sizes[2] = unit.images, rows.end - rows.begin, columns.end - columns.begin
    steps[0], steps[1], steps[2] = conv.image_step, conv.row_step, conv.column_step
    places[0], places[1], places[2] = unit.rows * conv.columns, conv.columns, 1
    y_steps[0], y_steps[1], y_steps[2] = conv.y_image, conv.y_row, conv.y_column
    along = longest(sizes[0], sizes[1], sizes[2])
    i, j = (1 if along == 0 else 0), (1 if along == 2 else 2)
    tile.step = steps[along]
    tile.sums_row *= places[along]
    tile.addend_row *= places[along]
    tile.later_tile = GEMM_MR * y_steps[along] if last else 0
    for other in range(sizes[i] * sizes[j]):
        place = other // sizes[j] * places[i] + other % sizes[j] * places[j]
        tile.x = x + other // sizes[j] * steps[i] + other % sizes[j] * steps[j]
        tile.sums = sums + place * unit.vectors * VL
        tile.addend = addend + (place * unit.vectors * VL if tile.addend_row else 0)
        if last:
            tile.later = y + other // sizes[j] * y_steps[i] + other % sizes[j] * y_steps[j]
        sum_pixels(sizes[along], vectors, &tile)


cdef void sum_panel(const Conv* conv, const Unit* unit, const real* x, const real* weights, Py_ssize_t channels,
                    Py_ssize_t begin, Py_ssize_t vectors, bint first, bint last) noexcept nogil:
    # Adds one block of K to the outputs of a panel, whose first vector is `begin`.
    cdef Py_ssize_t row = unit.row, end = unit.row + unit.rows, r, tap, place
    cdef const real* y
    cdef const Run* columns
    cdef Run rows
    cdef Tile tile
    tile.x_channel, tile.weights_channel = conv.planes.channel, conv.taps * vectors * VL
    tile.later_step = conv.y_channel if last else vectors * VL      # stored after all panels; read for the next one
    while row < end:
        rows = find_rows(conv, row, end)
        for r in range(conv.column_runs):
            columns = &conv.run[r]
            tap = rows.first_tap * conv.tap_columns + columns.first_tap
            tile.line_taps = conv.tap_columns
            tile.channels, tile.lines = channels, rows.end_tap - rows.first_tap
            tile.taps = columns.end_tap - columns.first_tap
            if tile.taps == conv.tap_columns:   # one run of weights
                tile.lines, tile.taps = 1, tile.lines * tile.taps
                if tile.taps == conv.taps:
                    tile.channels, tile.taps = 1, channels * conv.taps
            tile.offset, tile.weights = conv.offset + tap, weights + tap * vectors * VL
            tile.later = tile.weights + channels * conv.taps * vectors * VL
            tile.x = x + (row - unit.row) * conv.row_step + columns.begin * conv.column_step
            place = (row - unit.row) * conv.columns + columns.begin
            tile.sums_row = unit.vectors * VL
            tile.sums = unit.sums + place * tile.sums_row + (begin - unit.first) * VL
            tile.addend = unit.bias + begin * VL if first else tile.sums
            tile.addend_row = 0 if first else tile.sums_row
            y = unit.y + (row - unit.row) * conv.y_row + columns.begin * conv.y_column
            sum_box(conv, unit, &rows, columns, vectors, last, y + (begin - unit.first) * VL * conv.y_channel, tile)
        row = rows.end


cdef void sum_block(const Conv* conv, const Unit* unit, Py_ssize_t c0, Py_ssize_t channels) noexcept nogil:
    # Adds one block of K to every output of the unit.
    cdef Py_ssize_t p, image, begin, vectors
    cdef const real* block = unit.weights + c0 * conv.taps * conv.vectors * VL
    cdef const real* x = unit.x + c0 * conv.planes.x_channel
    if conv.direct:
        x += unit.row * conv.planes.stride_h * conv.planes.x_row
    else:
        for image in range(unit.images):
            pack_planes(&conv.planes, x + image * conv.x_image, channels, unit.row, 0,
                        unit.planes + image * conv.image_step)
        x = unit.planes
    for p in range(unit.panel, unit.panel + unit.panels):
        begin = panel_start(conv.vectors, p)
        vectors = panel_start(conv.vectors, p + 1) - begin
        sum_panel(conv, unit, x, block + begin * VL * channels * conv.taps, channels, begin, vectors, c0 == 0,
                  c0 + channels == conv.channels)


cdef void store_square(const Conv* conv, const real* sums, Py_ssize_t sums_row, Py_ssize_t pixels, Py_ssize_t outputs,
                       real* y) noexcept nogil:
    # At most VL pixels of a row, and outputs.
    cdef vec square[16]
    cdef real lines[256]
    cdef Py_ssize_t i, o
    for i in range(VL):
        square[i] = vec_load(sums + min(i, pixels - 1) * sums_row)
    vec_transpose(square)
    if conv.epilogue.plain and conv.y_column == 1:
        for o in range(outputs):
            if pixels == VL:
                vec_store(y + o * conv.y_channel, square[o])
            else:
                vec_store_part(y + o * conv.y_channel, square[o], pixels)
        return
    for o in range(VL):
        vec_store(lines + o * VL, square[o])
    if not conv.epilogue.plain:
        finish_rows(&conv.epilogue, lines, VL, y, conv.y_channel, outputs, pixels)
    for o in range(outputs):
        for i in range(pixels):
            y[o * conv.y_channel + i * conv.y_column] = lines[o * VL + i]


cdef void store_sums(const Conv* conv, const Unit* unit) noexcept nogil:
    # Transposed, channel after channel of a vector: whole rows of the output are written, as one where no gap is between.
    cdef Py_ssize_t v, line, pixel, outputs, rows = unit.rows, pixels = conv.columns, sums_row = unit.vectors * VL
    cdef real* y
    if conv.y_row == conv.columns * conv.y_column:
        rows, pixels = 1, unit.rows * conv.columns
    for v in range(unit.vectors):
        outputs = min(<Py_ssize_t>VL, conv.outputs - (unit.first + v) * VL)
        for line in range(unit.images * rows):
            y = unit.y + line // rows * conv.y_image + line % rows * conv.y_row + v * VL * conv.y_channel
            pixel = 0
            while pixel < pixels:
                store_square(conv, unit.sums + (line * pixels + pixel) * sums_row + v * VL, sums_row,
                             min(<Py_ssize_t>VL, pixels - pixel), outputs, y + pixel * conv.y_column)
                pixel += VL


cdef void run_unit(const void* work, Py_ssize_t index, char* scratch) noexcept nogil:
    cdef const Conv* conv = <const Conv*>work
    cdef Unit unit
    cdef Py_ssize_t c = 0
    locate(conv, index, <real*>scratch, &unit)
    while c < conv.channels:
        sum_block(conv, &unit, c, min(conv.block_channels, conv.channels - c))
        c += conv.block_channels
    store_sums(conv, &unit)


# ---- cutting the work ----------------------------------------------------------------------------------

cdef inline bint fits(const Conv* conv, Py_ssize_t chunk) noexcept nogil:
    # A unit's sums and planes, in the caches.
    cdef Py_ssize_t sums = conv.run_images * conv.band_rows * conv.columns * min(chunk * GEMM_NV, conv.vectors) * VL
    cdef Py_ssize_t planes = conv.run_images * band_slots(conv, conv.band_rows) * conv.planes.pitch * conv.block_channels
    return sums * <Py_ssize_t>sizeof(real) <= SUMS_BYTES and planes * <Py_ssize_t>sizeof(real) <= PLANES_BYTES


cdef inline bint halve(Conv* conv) noexcept nogil:
    # A shorter run of images, or part of one; False where it is a row.
    if conv.run_images > 1:
        conv.run_images = ceil_div(conv.run_images, 2)
    elif conv.band_rows > 1:
        conv.band_rows = ceil_div(conv.band_rows, 2)
    else:
        return False
    return True


cdef inline double unit_cost(const Conv* conv, Py_ssize_t chunk) noexcept nogil:
    # Of a channel in the largest unit, in products of a pixel with a panel's weights.
    cdef Py_ssize_t pixels = conv.run_images * conv.band_rows * conv.columns
    cdef double copied = conv.run_images * band_slots(conv, conv.band_rows) * conv.planes.pitch / 6.0
    return conv.taps * <double>chunk * (pixels + WEIGHTS_COST) + (0 if conv.direct else copied)


cdef void partition(Conv* conv, Py_ssize_t threads) noexcept nogil:
    # Runs of images, or bands, that the caches hold; smaller ones, and chunks of panels, until every thread is as busy
    # as the others.
    cdef Py_ssize_t chunk = conv.panels, units, best_images = 0, best_rows = 0, best_chunk = 0
    cdef double cost, best = -1
    while chunk > 0:
        conv.run_images, conv.band_rows = conv.images, conv.rows
        while not fits(conv, chunk) and halve(conv):
            pass
        while True:
            units = ceil_div(conv.images, conv.run_images) * ceil_div(conv.rows, conv.band_rows)
            units *= conv.groups * ceil_div(conv.panels, chunk)
            cost = ceil_div(units, threads) * unit_cost(conv, chunk)
            if best < 0 or cost < 0.98 * best:
                best, best_images, best_rows, best_chunk = cost, conv.run_images, conv.band_rows, chunk
            if units >= 4 * threads or not halve(conv):
                break
        chunk //= 2
    conv.run_images, conv.band_rows, conv.chunk_panels = best_images, best_rows, best_chunk
    conv.runs, conv.bands = ceil_div(conv.images, conv.run_images), ceil_div(conv.rows, conv.band_rows)
    conv.chunks = ceil_div(conv.panels, conv.chunk_panels)


cdef Py_ssize_t set_up(Conv* conv, const real[:, :, :, :] x_bchw, real[:, :, :, :] y_bchw, const Py_ssize_t[::1] tap_rows,
                       const Py_ssize_t[::1] tap_columns, Py_ssize_t stride_h, Py_ssize_t stride_w, Py_ssize_t groups,
                       int border, real cval, int num_threads) except -1:
    # Describes the convolution and cuts it; gives the number of units.
    memset(conv, 0, sizeof(Conv))
    conv.groups, conv.images = groups, x_bchw.shape[0]
    conv.channels, conv.outputs = x_bchw.shape[1] // groups, y_bchw.shape[1] // groups
    conv.vectors = ceil_div(conv.outputs, VL)
    conv.panels = panel_count(conv.vectors)
    conv.rows, conv.columns = y_bchw.shape[2], y_bchw.shape[3]
    conv.tap_rows, conv.tap_columns = tap_rows.shape[0], tap_columns.shape[0]
    conv.taps = conv.tap_rows * conv.tap_columns
    conv.tap_row, conv.tap_column = &tap_rows[0], &tap_columns[0]
    conv.x, conv.y = &x_bchw[0, 0, 0, 0], &y_bchw[0, 0, 0, 0]
    conv.x_image = elements(x_bchw.strides[0])
    conv.y_image, conv.y_channel = elements(y_bchw.strides[0]), elements(y_bchw.strides[1])
    conv.y_row, conv.y_column = elements(y_bchw.strides[2]), elements(y_bchw.strides[3])
    conv.block_channels = channel_block(conv.taps, conv.channels, conv.vectors)
    conv.planes.border, conv.planes.cval = border, cval
    conv.planes.height, conv.planes.width = x_bchw.shape[2], x_bchw.shape[3]
    conv.planes.x_channel = elements(x_bchw.strides[1])
    conv.planes.x_row, conv.planes.x_column = elements(x_bchw.strides[2]), elements(x_bchw.strides[3])
    conv.planes.stride_h, conv.planes.stride_w, conv.planes.phases = stride_h, 1, 1
    conv.stride_w = stride_w
    conv.planes.pitch = (conv.columns - 1) * stride_w + tap_columns[conv.tap_columns - 1] - tap_columns[0] + 1
    conv.skip = border == BORDER_CONSTANT and cval == 0
    find_reading(conv)
    partition(conv, num_threads)
    return conv.runs * groups * conv.bands * conv.chunks


cdef Py_ssize_t* make_tables(Conv* conv) except NULL:
    # The taps' offsets, the planes' rows and their first column.
    cdef Py_ssize_t c, i, j, k = 0, depth = conv.block_channels * conv.taps
    cdef Py_ssize_t* table
    conv.planes.slots = band_slots(conv, conv.band_rows)
    table = <Py_ssize_t*>scratch_alloc((depth + conv.planes.slots + 1) * sizeof(Py_ssize_t))
    if table == NULL:
        raise MemoryError("no memory for the tables of a convolution")
    conv.offset = table
    for i in range(conv.planes.slots):
        table[depth + i] = conv.tap_row[0] + i
    conv.planes.slot_row = table + depth
    table[depth + conv.planes.slots] = conv.tap_column[0]
    conv.planes.phase_column = table + depth + conv.planes.slots
    conv.planes.plane = conv.planes.slots * conv.planes.pitch + VL
    conv.planes.channel = (ceil_div(conv.planes.plane, LINE) | 1) * LINE    # odd: channels fall into different sets
    conv.image_step = conv.block_channels * conv.planes.channel
    conv.row_step, conv.column_step = conv.planes.stride_h * conv.planes.pitch, conv.stride_w
    if conv.direct:
        conv.planes.channel, conv.image_step = conv.planes.x_channel, conv.x_image
        conv.row_step = conv.planes.stride_h * conv.planes.x_row
        conv.column_step = conv.stride_w * conv.planes.x_column
    for c in range(conv.block_channels):
        for i in range(conv.tap_rows):
            for j in range(conv.tap_columns):
                conv.offset[k] = c * conv.planes.channel
                if conv.direct:
                    conv.offset[k] += conv.tap_row[i] * conv.planes.x_row + conv.tap_column[j] * conv.planes.x_column
                else:
                    conv.offset[k] += (conv.tap_row[i] - conv.tap_row[0]) * conv.planes.pitch
                    conv.offset[k] += conv.tap_column[j] - conv.tap_column[0]
                k += 1
    return table


cdef Py_ssize_t scratch_elements(const Conv* conv) noexcept nogil:
    # Of one thread.
    return sums_elements(conv) + (0 if conv.direct else conv.run_images * conv.image_step + VL)


cdef class Convolution:
    """A convolution whose weights are packed: their buffers are acquired once, which takes as long as a small call.

    `weights` comes from `pack_weights`; `bias` holds whole vectors of VECTOR_LANES numbers for each group's outputs.
    There is a tap for each of `tap_rows` with each of `tap_columns`: offsets into the input, in ascending order.
    """
    cdef const real[::1] weights, bias
    cdef const Py_ssize_t[::1] tap_rows, tap_columns
    cdef Py_ssize_t stride_h, stride_w, groups
    cdef int border
    cdef real cval

    def __init__(self, const real[::1] weights not None, const real[::1] bias not None,
                 const Py_ssize_t[::1] tap_rows not None, const Py_ssize_t[::1] tap_columns not None,
                 Py_ssize_t stride_h, Py_ssize_t stride_w, Py_ssize_t groups, int border, real cval):
        self.weights, self.bias, self.tap_rows, self.tap_columns = weights, bias, tap_rows, tap_columns
        self.stride_h, self.stride_w, self.groups, self.border, self.cval = stride_h, stride_w, groups, border, cval

    def run(self, const real[:, :, :, :] x_bchw not None, real[:, :, :, :] y_bchw not None, int num_threads,
            int activation=0, real slope=0, const real[:, :, :, :] residual=None):
        """Convolve `x_bchw` into `y_bchw`, both of any strides; `residual` has `y_bchw`'s, or is it."""
        cdef Conv conv
        cdef Py_ssize_t units = set_up(&conv, x_bchw, y_bchw, self.tap_rows, self.tap_columns, self.stride_h,
                                       self.stride_w, self.groups, self.border, self.cval, num_threads)
        cdef Py_ssize_t* table = make_tables(&conv)
        cdef Py_ssize_t thread_scratch = ceil_div(scratch_elements(&conv), LINE) * LINE
        cdef real* scratch
        conv.epilogue = make_epilogue(activation, slope, residual, conv.y, conv.y_column)
        conv.weights, conv.bias = &self.weights[0], &self.bias[0]
        num_threads = <int>min(<Py_ssize_t>num_threads, units)
        scratch = <real*>scratch_alloc(num_threads * thread_scratch * sizeof(real))
        if scratch == NULL:
            scratch_free(table)
            raise MemoryError("no memory for the scratch of a convolution")
        with nogil:
            run_units(run_unit, &conv, units, num_threads, <char*>scratch, thread_scratch * sizeof(real))
            scratch_free(table)
            scratch_free(scratch)


def workspace_bytes(const real[:, :, :, :] x_bchw not None, real[:, :, :, :] y_bchw not None,
                    const Py_ssize_t[::1] tap_rows not None, const Py_ssize_t[::1] tap_columns not None,
                    Py_ssize_t stride_h, Py_ssize_t stride_w, Py_ssize_t groups, int num_threads):
    """Scratch of each thread of a `Convolution`, which looks at the arrays' sizes alone."""
    cdef Conv conv
    set_up(&conv, x_bchw, y_bchw, tap_rows, tap_columns, stride_h, stride_w, groups, BORDER_CONSTANT, 0, num_threads)
    scratch_free(make_tables(&conv))
    return scratch_elements(&conv) * <Py_ssize_t>sizeof(real)


def reading(const real[:, :, :, :] x_bchw not None, real[:, :, :, :] y_bchw not None,
            const Py_ssize_t[::1] tap_rows not None, const Py_ssize_t[::1] tap_columns not None, Py_ssize_t stride_h,
            Py_ssize_t stride_w, Py_ssize_t groups):
    """Whether pixels are read where they lie, how many panels pass, and of all of them a tap row's products of a channel.

    They are products of a pixel with a vector, of all images and as many as could be made in the same time.
    """
    cdef Conv conv
    set_up(&conv, x_bchw, y_bchw, tap_rows, tap_columns, stride_h, stride_w, groups, BORDER_CONSTANT, 0, 1)
    return bool(conv.direct), conv.panels, conv.column_cost * <double>conv.vectors / min(conv.vectors, GEMM_NV)


def units(const real[:, :, :, :] x_bchw not None, real[:, :, :, :] y_bchw not None,
          const Py_ssize_t[::1] tap_rows not None, const Py_ssize_t[::1] tap_columns not None, Py_ssize_t stride_h,
          Py_ssize_t stride_w, Py_ssize_t groups, int num_threads):
    """The units of work of a `Convolution`, as boxes: the first element of `y_bchw`, and its channels, rows and columns."""
    cdef Conv conv
    cdef Unit unit
    cdef Py_ssize_t u, image, count = set_up(&conv, x_bchw, y_bchw, tap_rows, tap_columns, stride_h, stride_w, groups,
                                             BORDER_CONSTANT, 0, num_threads)
    found = []
    for u in range(count):
        locate(&conv, u, <real*>0, &unit)
        outputs = min(unit.vectors * VL, conv.outputs - unit.first * VL)
        found.append([(unit.y - conv.y + image * conv.y_image, outputs, unit.rows, conv.columns)
                      for image in range(unit.images)])
    return found

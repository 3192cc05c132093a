"""The core convolution: an implicit GEMM over taps.

An output pixel (row, column) of a group sums, over channels c and taps t, weight[o, c, t] times
x[c, row*stride_h + tap_row[t], column*stride_w + tap_column[t]]. Convolution gives each kernel element a tap;
transposed convolution is one such sum per phase of its stride, into an output with steps of its stride.

Work is cut into units: image × group × band of output rows × strip of their columns × chunk of weight panels. A unit
goes over K in blocks of channels. It packs the block's input into planes (`planes.pxd`), where its outputs are
numbered along rows of `pitch` elements and a tap is an offset, and multiplies tiles of such outputs with every panel;
the sums of the few numbers that lie between the strip's rows are left behind. Where the strip is narrow and the panels
are many, those would cost more than copying the pixels of each tap once more, without gaps (`narrow`). Of few products
each panel goes along some output rows instead, and stores them in place (`by_lines`): long runs of memory.

What an output adds up, and in which order, depends on the blocks of K alone, never on the units or the threads.
"""
from cython.parallel cimport prange
from libc.string cimport memset

from convkit._native.arith cimport ceil_div
from convkit._native.border cimport BORDER_CONSTANT, BORDER_REFLECT
from convkit._native.conv cimport (MEMORY_BYTES, OUTPUT_BYTES, Conv, channel_block, finish_run, planes_elements,
                                   read_arrays, stays_near, tile_elements, widest)
from convkit._native.conv_offsets cimport Tables, fill_tables, lay_out_tables
from convkit._native.conv_partition cimport partition
from convkit._native.conv_weights cimport Weights, find_weights, pack_panel
from convkit._native.epilogue cimport finish_rows, make_epilogue
from convkit._native.gemm cimport Tile, multiply
from convkit._native.planes cimport pack_planes
from convkit._native.shares cimport run_prepared
from convkit._native.simd cimport (GEMM_MR, GEMM_NV, GEMM_WIDE, VL, cpu_second_cache, prefetch_far, real, scratch_alloc,
                                   scratch_free, vec_load, vec_load_part, vec_store, vec_store_part)

cdef enum:
    SOME_CHANNELS = 8           # whose weights are packed one after another: whole cache lines
    ROOMY_BYTES = 2 << 20       # of a second cache
    FINISH_ROWS = 64            # output channels of a tile that are finished together: they stay in the L1 cache

VECTOR_LANES = VL

cdef bint roomy = cpu_second_cache() >= ROOMY_BYTES     # asked once: it takes microseconds under a hypervisor


# ---- weights ------------------------------------------------------------------------------------------

def pack_weights(const real[:, :, :, :, :, :, :] weight_goppckk not None,
                 const Py_ssize_t[:, ::1] kernel_index not None, const Py_ssize_t[::1] tap_rows not None,
                 Py_ssize_t stride_h, real[::1] packed not None, int num_threads):
    """Fill `packed` with panels of output channels.

    There is one for each of the second to fourth axis; `kernel_index[:, t]` is tap t's place in the last two, and
    `tap_rows` and `stride_h` are those of the `Convolution`.
    """
    cdef Weights weights
    cdef Py_ssize_t u, units = weight_goppckk.shape[0]
    weights.first, weights.packed = &weight_goppckk[0, 0, 0, 0, 0, 0, 0], &packed[0]
    weights.outputs = weight_goppckk.shape[1] * weight_goppckk.shape[2] * weight_goppckk.shape[3]
    weights.channels, weights.taps = weight_goppckk.shape[4], kernel_index.shape[1]
    weights.block_channels = channel_block(weights.taps, weights.channels, weights.outputs, stays_near(
        weights.taps, weights.channels, weights.outputs, tap_rows, stride_h))
    weights.panels = ceil_div(weights.outputs, GEMM_MR)
    weights.row = <Py_ssize_t*>scratch_alloc((weights.outputs + weights.taps) * sizeof(Py_ssize_t))
    if weights.row == NULL:
        raise MemoryError("no memory for the tables of a convolution's weights")
    weights.tap = weights.row + weights.outputs
    with nogil:
        find_weights(&weights, weight_goppckk, kernel_index)
        weights.part_channels = weights.block_channels if weights.by_panels else SOME_CHANNELS
        weights.parts = ceil_div(weights.channels, weights.part_channels)
        units *= weights.parts * (weights.panels if weights.by_panels else 1)
        if num_threads == 1:
            for u in range(units):
                pack_unit(&weights, u)
        else:
            for u in prange(units, num_threads=num_threads, schedule="static"):
                pack_unit(&weights, u)
        scratch_free(weights.row)


cdef void pack_unit(const Weights* weights, Py_ssize_t index) noexcept nogil:
    # A panel of a block of K, or all panels of some channels: neighbours read on where the last one ended.
    cdef Py_ssize_t c = index % weights.parts * weights.part_channels, other = index // weights.parts
    cdef Py_ssize_t channels = min(weights.part_channels, weights.channels - c), panel, first = 0, end = weights.panels
    if weights.by_panels:
        first = other % weights.panels
        end = first + 1
        other //= weights.panels
    for panel in range(first, end):
        pack_panel(weights, other, panel, c, channels)


# ---- multiplying: one function per height of a panel; tiles that the machine does not use are compiled away -
# A panel of few rows takes wider tiles: sums enough to hide the latency of additions.

cdef void multiply_8(int vectors, const Tile* tile) noexcept nogil:
    if vectors == GEMM_NV:
        multiply(8, GEMM_NV, 0, tile)
    elif GEMM_MR == 8 and GEMM_NV > 2 and vectors == 2:
        multiply(8, 2, 0, tile)
    else:
        multiply(8, 1, 0, tile)


cdef void multiply_7(int vectors, const Tile* tile) noexcept nogil:
    if vectors == GEMM_NV:
        multiply(7, GEMM_NV, 0, tile)
    else:
        multiply(7, 1, 0, tile)


cdef void multiply_6(int vectors, const Tile* tile) noexcept nogil:
    if vectors == GEMM_NV:
        multiply(6, GEMM_NV, 0, tile)
    else:
        multiply(6, 1, 0, tile)


cdef void multiply_5(int vectors, const Tile* tile) noexcept nogil:
    if vectors == GEMM_NV:
        multiply(5, GEMM_NV, 0, tile)
    else:
        multiply(5, 1, 0, tile)


cdef void multiply_4(int vectors, const Tile* tile) noexcept nogil:
    if GEMM_WIDE(4) > GEMM_NV and vectors == GEMM_WIDE(4):
        multiply(4, GEMM_WIDE(4), 0, tile)
    elif vectors == GEMM_NV:
        multiply(4, GEMM_NV, 0, tile)
    elif GEMM_MR == 4 and GEMM_NV > 2 and vectors == 2:
        multiply(4, 2, 0, tile)
    else:
        multiply(4, 1, 0, tile)


cdef void multiply_3(int vectors, const Tile* tile) noexcept nogil:
    if GEMM_WIDE(3) > GEMM_NV and vectors == GEMM_WIDE(3):
        multiply(3, GEMM_WIDE(3), 0, tile)
    elif vectors == GEMM_NV:
        multiply(3, GEMM_NV, 0, tile)
    else:
        multiply(3, 1, 0, tile)


cdef void multiply_2(int vectors, const Tile* tile) noexcept nogil:
    if GEMM_WIDE(2) > GEMM_NV and vectors == GEMM_WIDE(2):
        multiply(2, GEMM_WIDE(2), 0, tile)
    elif vectors == GEMM_NV:
        multiply(2, GEMM_NV, 0, tile)
    else:
        multiply(2, 1, 0, tile)


cdef void multiply_1(int vectors, const Tile* tile) noexcept nogil:
    if GEMM_WIDE(1) > GEMM_NV and vectors == GEMM_WIDE(1):
        multiply(1, GEMM_WIDE(1), 0, tile)
    elif vectors == GEMM_NV:
        multiply(1, GEMM_NV, 0, tile)
    else:
        multiply(1, 1, 0, tile)


cdef void multiply_far(const Tile* tile) noexcept nogil:
    # A panel that nobody follows asks for the whole of a tile.
    if GEMM_MR > 4 and tile.count == 1:
        multiply(GEMM_MR, GEMM_NV, GEMM_NV, tile)
    else:
        multiply(GEMM_MR, GEMM_NV, 1, tile)


cdef void multiply_few_far(Py_ssize_t rows, const Tile* tile) noexcept nogil:
    # The same where there is no panel but one of few rows.
    if rows == 7:
        multiply(7, GEMM_NV, GEMM_NV, tile)
    elif rows == 6:
        multiply(6, GEMM_NV, GEMM_NV, tile)
    elif rows == 5:
        multiply(5, GEMM_NV, GEMM_NV, tile)
    elif rows == 4:
        multiply(4, GEMM_WIDE(4), GEMM_WIDE(4), tile)
    elif rows == 3:
        multiply(3, GEMM_WIDE(3), GEMM_WIDE(3), tile)
    elif rows == 2:
        multiply(2, GEMM_WIDE(2), GEMM_WIDE(2), tile)
    else:
        multiply(1, GEMM_WIDE(1), GEMM_WIDE(1), tile)


cdef inline void multiply_panels(Py_ssize_t rows, int vectors, const Tile* tile) noexcept nogil:
    if rows == GEMM_MR:
        if GEMM_MR == 8:
            multiply_8(vectors, tile)
        else:
            multiply_4(vectors, tile)
    elif GEMM_MR > 7 and rows == 7:
        multiply_7(vectors, tile)
    elif GEMM_MR > 6 and rows == 6:
        multiply_6(vectors, tile)
    elif GEMM_MR > 5 and rows == 5:
        multiply_5(vectors, tile)
    elif GEMM_MR > 4 and rows == 4:
        multiply_4(vectors, tile)
    elif rows == 3:
        multiply_3(vectors, tile)
    elif rows == 2:
        multiply_2(vectors, tile)
    else:
        multiply_1(vectors, tile)


cdef void multiply_vectors(Py_ssize_t rows, Py_ssize_t vectors, Tile* tile) noexcept nogil:
    # Any number of vectors, in tiles that there are functions for.
    cdef Py_ssize_t step
    cdef Tile part = tile[0]
    while vectors > 0:
        step = widest(rows)
        if step > vectors:
            step = GEMM_NV if vectors >= GEMM_NV else vectors if rows == GEMM_MR else 1
        multiply_panels(rows, <int>step, &part)
        part.pixels += step * VL
        part.y += step * VL
        part.addend += step * part.addend_vector
        vectors -= step


# ---- the units of work ---------------------------------------------------------------------------------

cdef struct Unit:
    const real* x               # the group's first channel
    real* y                     # the chunk's first output channel, at the unit's first pixel
    const real* weights         # the group's
    const real* bias            # the chunk's
    Py_ssize_t first_panel, outputs
    Py_ssize_t row, column, rows, columns
    Py_ssize_t pitch, pixels    # outputs are numbered along rows of `pitch`
    const real* block     # of the block of K: the planes, or the input itself
    real* planes                # scratch
    real* tile                  # scratch: the tile without gaps
    real* sums                  # scratch, [output][pixel]: of all tiles, or of the last where the others are in place


cdef void locate(const Conv* conv, Py_ssize_t index, real* scratch, Unit* unit) noexcept nogil:
    cdef Py_ssize_t chunk = index % conv.chunks, first
    index //= conv.chunks
    unit.column = index % conv.strips * conv.strip_columns
    index //= conv.strips
    unit.row = index % conv.bands * conv.band_rows
    index //= conv.bands
    cdef Py_ssize_t group = index % conv.groups, image = index // conv.groups
    unit.rows = min(conv.band_rows, conv.rows - unit.row)
    unit.columns = min(conv.strip_columns, conv.columns - unit.column)
    unit.pitch = unit.columns if conv.narrow else conv.planes.pitch
    unit.pixels = (unit.rows - 1) * unit.pitch + unit.columns
    unit.first_panel = chunk * conv.chunk_panels
    first = unit.first_panel * GEMM_MR
    unit.outputs = min(conv.chunk_panels * GEMM_MR, conv.outputs - first)
    unit.x = conv.x + image * conv.x_image + group * conv.channels * conv.planes.x_channel
    unit.y = conv.y + image * conv.y_image + (group * conv.outputs + first) * conv.y_channel \
        + unit.row * conv.y_row + unit.column * conv.y_column
    unit.weights = conv.weights + group * conv.outputs * conv.tap_rows * conv.tap_columns * conv.channels
    unit.bias = conv.bias + (group * conv.outputs + first) * VL
    unit.planes = scratch
    unit.tile = unit.planes + planes_elements(conv)
    unit.sums = unit.tile + tile_elements(conv)


cdef void pack_tile(const Conv* conv, const Unit* unit, Py_ssize_t depth, Py_ssize_t pixel,
                    Py_ssize_t pixels) noexcept nogil:
    # [k][pixel], run by run. Whole vectors are written where they fit: what they leave behind the end of a run is
    # written next. Nothing behind the input's end is read.
    cdef Py_ssize_t k, i, n, lane = 0, row = pixel // unit.columns, column = pixel % unit.columns
    cdef Py_ssize_t lanes = conv.tile_vectors * VL
    cdef const real* source
    cdef real* to
    while lane < pixels:
        n = min(unit.columns - column, pixels - lane)
        source = unit.block + row * conv.planes.pitch + column
        to = unit.tile + lane
        for k in range(depth):
            i = 0
            while i < n:
                if conv.direct:     # from memory, and the channels are too many for the processor to foresee it
                    prefetch_far(source + conv.offset[k] + i + 2 * lanes)
                if conv.direct and n - i < VL:
                    vec_store(to + i, vec_load_part(source + conv.offset[k] + i, n - i))
                elif lane + i + VL <= lanes:
                    vec_store(to + i, vec_load(source + conv.offset[k] + i))
                else:
                    vec_store_part(to + i, vec_load(source + conv.offset[k] + i), n - i)
                i += VL
            to += lanes
        lane += n
        column = 0
        row += 1


cdef void multiply_outputs(Py_ssize_t outputs, Py_ssize_t vectors, bint far, Tile tile) noexcept nogil:
    # Whole panels, and the last one's rest.
    cdef Py_ssize_t rest = outputs % GEMM_MR
    tile.count = outputs // GEMM_MR
    tile.weights_step = tile.depth * GEMM_MR
    tile.pixels_step, tile.y_step, tile.addend_step = 0, GEMM_MR * tile.y_row, GEMM_MR * tile.addend_row
    if far and vectors == GEMM_NV:
        multiply_far(&tile)
    elif tile.count:
        multiply_vectors(GEMM_MR, vectors, &tile)
    if GEMM_MR > 4 and far and tile.count == 0 and vectors == widest(rest):
        tile.count = 1
        multiply_few_far(rest, &tile)
    elif rest:
        tile.weights += tile.count * tile.weights_step
        tile.y += tile.count * tile.y_step
        tile.later += tile.count * tile.later_step
        tile.addend += tile.count * tile.addend_step
        tile.count = 1
        multiply_vectors(rest, vectors, &tile)


cdef void multiply_and_finish(const Conv* conv, Py_ssize_t outputs, Py_ssize_t pixels, bint far, Tile tile) noexcept nogil:
    # In place, a few panels at a time: their sums are still in the L1 cache when they are finished.
    cdef Py_ssize_t rows
    while outputs > 0:
        rows = min(outputs, <Py_ssize_t>FINISH_ROWS)
        multiply_outputs(rows, ceil_div(pixels, VL), far, tile)
        finish_rows(&conv.epilogue, tile.y, tile.y_row, tile.y, tile.y_row, rows, pixels)
        tile.weights += rows * tile.depth
        tile.addend += rows * tile.addend_row
        tile.y += rows * tile.y_row
        tile.later += rows // GEMM_MR * tile.later_step
        outputs -= rows


cdef inline void ask_for_output(const Conv* conv, const Unit* unit, bint in_place, bint last, Py_ssize_t pixel,
                                Tile* tile) noexcept nogil:
    # A panel multiplies while the lines of the output that are stored next come from memory, or the second cache: those
    # of the next panel, or, where sums are stored after all tiles, its own.
    if in_place:
        tile.later = tile.y + GEMM_MR * conv.y_channel
    elif last and conv.y_column == 1:
        tile.later = unit.y + pixel // unit.pitch * conv.y_row + pixel % unit.pitch
    else:                       # nothing: what is read now anyway
        tile.later, tile.later_offset, tile.later_step = tile.pixels, tile.offset, 0
        return
    tile.later_offset, tile.later_step = conv.later_offset, GEMM_MR * conv.y_channel


cdef void multiply_tile(const Conv* conv, const Unit* unit, const real* weights, Py_ssize_t depth, bint first, bint last,
                        Py_ssize_t pixel, Py_ssize_t pixels) noexcept nogil:
    cdef bint in_place = conv.in_place and pixels % VL == 0
    cdef bint packed = conv.narrow or conv.gathered or (conv.direct and pixels % VL)
    cdef Tile tile
    if packed:
        pack_tile(conv, unit, depth, pixel, pixels)
    tile.pixels = unit.tile if packed else unit.block + pixel
    tile.offset = conv.narrow_offset if packed else conv.offset
    tile.from_memory, tile.to_memory = conv.from_memory, False
    tile.depth = depth
    tile.weights = weights
    tile.y = unit.y + pixel if in_place else unit.sums if conv.in_place else unit.sums + pixel
    tile.y_row = conv.y_channel if in_place else conv.sums_row
    ask_for_output(conv, unit, in_place, last, pixel, &tile)
    tile.addend = unit.bias if first else tile.y
    tile.addend_row = VL if first else tile.y_row
    tile.addend_vector = 0 if first else VL
    if last and in_place and not conv.epilogue.plain:
        multiply_and_finish(conv, unit.outputs, pixels, conv.direct, tile)
    else:
        multiply_outputs(unit.outputs, ceil_div(pixels, VL), conv.direct and not packed, tile)


cdef inline void multiply_run(Py_ssize_t rows, Py_ssize_t wide, Py_ssize_t columns, Tile tile) noexcept nogil:
    # One panel along a row of at least a tile's pixels, `wide` vectors. The last tile overlaps the one before it: both
    # sums are the same. It is not of one vector, which would keep too few sums in flight: the last two have two each.
    cdef Py_ssize_t vectors = ceil_div(columns % (wide * VL), VL)
    cdef const real* pixels = tile.pixels
    cdef real* y = tile.y
    cdef bint halved = vectors == 1 and wide == 3
    tile.count = columns // (wide * VL) - halved
    tile.weights_step = tile.addend_step = 0
    tile.pixels_step = tile.y_step = tile.later_step = wide * VL
    multiply_panels(rows, <int>wide, &tile)
    tile.pixels += tile.count * tile.pixels_step
    tile.y += tile.count * tile.y_step
    tile.count = 1
    if halved:
        vectors = 2
        multiply_vectors(rows, 2, &tile)
    tile.pixels, tile.y = pixels + columns - vectors * VL, y + columns - vectors * VL
    multiply_vectors(rows, vectors, &tile)


cdef inline bint in_lines(const Conv* conv, const Unit* unit) noexcept nogil:
    # The last strip of a long row may be too short.
    return conv.by_lines and (unit.pixels if conv.in_place else unit.columns) >= 2 * conv.tile_vectors * VL


cdef void multiply_lines(const Conv* conv, const Unit* unit, Py_ssize_t depth, Py_ssize_t pixel, Py_ssize_t lines,
                         Py_ssize_t columns, real* y) noexcept nogil:
    # All outputs of some lines. Their pixels stay near, and each panel stores runs of memory, which the processor
    # foresees: the longer they are, the faster it is.
    cdef Py_ssize_t output = 0, rows, line
    cdef Tile tile
    tile.depth, tile.offset, tile.later_offset = depth, conv.offset, conv.later_offset
    tile.from_memory, tile.to_memory = False, conv.to_memory
    tile.y_row, tile.addend_row, tile.addend_vector = conv.y_channel, VL, 0
    while output < unit.outputs:
        rows = min(unit.outputs - output, <Py_ssize_t>GEMM_MR)
        tile.weights = unit.weights + (unit.first_panel * GEMM_MR + output) * depth
        tile.addend = unit.bias + output * VL
        for line in range(lines):
            tile.pixels = unit.block + pixel + line * conv.planes.pitch
            tile.y = y + output * conv.y_channel + line * conv.y_row
            tile.later = tile.y + GEMM_NV * VL
            multiply_run(rows, conv.tile_vectors, columns, tile)
            if not conv.epilogue.plain:
                finish_rows(&conv.epilogue, tile.y, conv.y_channel, tile.y, conv.y_channel, rows, columns)
        output += rows


cdef void multiply_by_lines(const Conv* conv, const Unit* unit, Py_ssize_t depth) noexcept nogil:
    # As many together as stay near. Where nothing lies between them, pieces of one long line.
    cdef Py_ssize_t row = 0, pixel = 0, count
    if conv.in_place:
        while pixel < unit.pixels:
            count = unit.pixels - pixel if unit.pixels - pixel < 2 * conv.piece else conv.piece
            multiply_lines(conv, unit, depth, pixel, 1, count, unit.y + pixel)
            pixel += count
        return
    while row < unit.rows:
        count = min(conv.lines, unit.rows - row)
        multiply_lines(conv, unit, depth, row * conv.planes.pitch, count, unit.columns, unit.y + row * conv.y_row)
        row += count


cdef inline Py_ssize_t vectors_of_tile(const Conv* conv, Py_ssize_t pixels) noexcept nogil:
    # Of the next tile, of so many pixels that are left. One vector alone would keep too few sums in flight: the last two
    # tiles have two each.
    return 2 if conv.tile_vectors == 3 and ceil_div(pixels, VL) == 4 else conv.tile_vectors


cdef inline Py_ssize_t last_tile(const Conv* conv, Py_ssize_t pixels) noexcept nogil:
    # The pixels of the last tile.
    cdef Py_ssize_t last = pixels % (conv.tile_vectors * VL)
    return last + VL if conv.tile_vectors == 3 and 0 < last <= VL < pixels else last


cdef void multiply_block(const Conv* conv, Unit* unit, Py_ssize_t c0, Py_ssize_t channels) noexcept nogil:
    # Adds one block of K to every output of the unit.
    cdef Py_ssize_t taps = conv.tap_rows * conv.tap_columns, depth = channels * taps, pixel = 0, pixels
    cdef const real* weights = unit.weights + c0 * taps * conv.outputs + unit.first_panel * GEMM_MR * depth
    cdef const real* x = unit.x + c0 * conv.planes.x_channel
    if conv.direct:
        unit.block = x + unit.column
    else:
        unit.block = unit.planes
        pack_planes(&conv.planes, x, channels, unit.row, unit.column, unit.planes)
    if in_lines(conv, unit):
        multiply_by_lines(conv, unit, depth)
        return
    while pixel < unit.pixels:
        pixels = min(vectors_of_tile(conv, unit.pixels - pixel) * VL, unit.pixels - pixel)
        multiply_tile(conv, unit, weights, depth, c0 == 0, c0 + channels == conv.channels, pixel, pixels)
        pixel += pixels


cdef void store_sums(const Conv* conv, const Unit* unit) noexcept nogil:
    # Finished, into an output of any strides, without what lies between the rows.
    cdef Py_ssize_t _, row
    cdef real* y = unit.y
    cdef real* sums = unit.sums
    cdef Py_ssize_t last = last_tile(conv, unit.pixels)
    for _ in range(unit.outputs):
        if not conv.in_place:
            for row in range(unit.rows):
                finish_run(conv, y + row * conv.y_row, sums + row * unit.pitch, unit.columns)
        elif last % VL:
            finish_run(conv, y + unit.pixels - last, sums, last)
        y += conv.y_channel
        sums += conv.sums_row


cdef void run_unit(const void* work, Py_ssize_t index, char* scratch) noexcept nogil:
    cdef const Conv* conv = <const Conv*>work
    cdef Unit unit
    cdef Py_ssize_t c = 0
    locate(conv, index, <real*>scratch, &unit)
    while c < conv.channels:
        multiply_block(conv, &unit, c, min(conv.block_channels, conv.channels - c))
        c += conv.block_channels
    if not in_lines(conv, &unit):
        store_sums(conv, &unit)


# ---- the whole ----------------------------------------------------------------------------------------

cdef inline bint is_pointwise(const Conv* conv) noexcept nogil:
    # One tap, every output pixel from the input pixel at its own place, and both planes without gaps.
    return (conv.tap_rows * conv.tap_columns == 1 and conv.tap_row[0] == 0 and conv.tap_column[0] == 0
            and conv.planes.stride_h == 1 and conv.planes.stride_w == 1
            and conv.rows == conv.planes.height and conv.columns == conv.planes.width
            and conv.planes.x_row == conv.planes.width * conv.planes.x_column
            and conv.y_row == conv.columns * conv.y_column)


cdef void clear(const void* work, char* own) noexcept nogil:
    # Tiles multiply what lies behind the last row too. It is never stored, but it must be numbers: the processor is
    # slow on the tiny ones that other people's pointers look like.
    cdef const Conv* conv = <const Conv*>work
    cdef real* scratch = <real*>own
    cdef Py_ssize_t _, phase, used = conv.planes.slots * conv.planes.pitch, gap
    for _ in range(0 if conv.direct else conv.block_channels):
        for phase in range(conv.planes.phases):
            gap = conv.planes.channel - phase * conv.planes.plane if phase + 1 == conv.planes.phases else conv.planes.plane
            memset(scratch + phase * conv.planes.plane + used, 0, (gap - used) * sizeof(real))
        scratch += conv.planes.channel
    gap = 0 if conv.direct else conv.tile_vectors * VL + VL
    memset(scratch, 0, (gap + tile_elements(conv)) * sizeof(real))


cdef Py_ssize_t set_up(Conv* conv, const real[:, :, :, :] x_bchw, real[:, :, :, :] y_bchw, const Py_ssize_t[::1] tap_rows,
                       const Py_ssize_t[::1] tap_columns, Py_ssize_t stride_h, Py_ssize_t stride_w, Py_ssize_t groups,
                       int border, int num_threads, int activation, real slope, const real[:, :, :, :] residual):
    # Describes the convolution and cuts it; gives the number of units.
    cdef Py_ssize_t images = x_bchw.shape[0]
    memset(conv, 0, sizeof(Conv))
    read_arrays(conv, x_bchw, y_bchw, groups)
    conv.tap_rows, conv.tap_columns = tap_rows.shape[0], tap_columns.shape[0]
    conv.tap_row, conv.tap_column = &tap_rows[0], &tap_columns[0]
    conv.from_memory = x_bchw.shape[0] * x_bchw.shape[1] * x_bchw.shape[2] * x_bchw.shape[3] > \
        MEMORY_BYTES // <Py_ssize_t>sizeof(real)
    conv.to_memory = y_bchw.shape[0] * y_bchw.shape[1] * y_bchw.shape[2] * y_bchw.shape[3] > \
        OUTPUT_BYTES // <Py_ssize_t>sizeof(real)
    conv.roomy = roomy
    conv.near = stays_near(conv.tap_rows * conv.tap_columns, conv.channels, conv.outputs, tap_rows, stride_h)
    conv.block_channels = channel_block(conv.tap_rows * conv.tap_columns, conv.channels, conv.outputs, conv.near)
    conv.planes.border = border
    conv.planes.foreseen = roomy and GEMM_MR > 4 and not conv.near      # as measured: small bands gain by asking
    conv.planes.stride_h = stride_h if conv.rows > 1 else 1     # the stride of one row may be any number
    conv.planes.stride_w = stride_w if conv.columns > 1 else 1
    conv.planes.phases = min(conv.planes.stride_w, conv.tap_columns)
    if is_pointwise(conv):      # rows of a plane follow one another: one long row has no ends to pack around
        conv.planes.width = conv.columns = conv.planes.height * conv.planes.width
        conv.planes.height = conv.rows = 1
        conv.direct = conv.planes.x_column == 1
    conv.epilogue = make_epilogue(activation, slope, residual, conv.y, conv.y_column)
    partition(conv, images, num_threads)
    return images * groups * conv.bands * conv.strips * conv.chunks


cdef Py_ssize_t* make_tables(Conv* conv) except NULL:
    cdef Tables tables
    cdef Py_ssize_t* table = <Py_ssize_t*>scratch_alloc(lay_out_tables(conv, <Py_ssize_t*>0, &tables) * sizeof(Py_ssize_t))
    if table == NULL:
        raise MemoryError("no memory for the tables of a convolution")
    lay_out_tables(conv, table, &tables)
    fill_tables(conv, &tables)
    return table


cdef Py_ssize_t scratch_elements(const Conv* conv) noexcept nogil:
    # Of one thread, in cache lines of its own.
    cdef Py_ssize_t line = 64 // <Py_ssize_t>sizeof(real)
    cdef Py_ssize_t sums = conv.sums_row * min(conv.chunk_panels * GEMM_MR, conv.outputs)
    return ceil_div(planes_elements(conv) + tile_elements(conv) + sums, line) * line


cdef class Convolution:
    """A convolution whose weights are packed: their buffers are acquired once, which takes as long as a small call.

    `weights` comes from `pack_weights`; `bias` holds a vector of VECTOR_LANES equal values for every output channel.
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
                                       self.stride_w, self.groups, self.border, num_threads, activation, slope, residual)
        cdef Py_ssize_t* table
        cdef Py_ssize_t thread_scratch
        cdef real* scratch
        conv.weights, conv.bias, conv.planes.cval = &self.weights[0], &self.bias[0], self.cval
        table = make_tables(&conv)
        thread_scratch = scratch_elements(&conv)
        num_threads = <int>min(<Py_ssize_t>num_threads, units)
        scratch = <real*>scratch_alloc(num_threads * thread_scratch * sizeof(real))
        if scratch == NULL:
            scratch_free(table)
            raise MemoryError("no memory for the scratch of a convolution")
        with nogil:
            run_prepared(clear, run_unit, &conv, units, num_threads, <char*>scratch, thread_scratch * sizeof(real))
            scratch_free(table)
            scratch_free(scratch)


def workspace_bytes(const real[:, :, :, :] x_bchw not None, real[:, :, :, :] y_bchw not None,
                    const Py_ssize_t[::1] tap_rows not None, const Py_ssize_t[::1] tap_columns not None,
                    Py_ssize_t stride_h, Py_ssize_t stride_w, Py_ssize_t groups, int num_threads):
    """Scratch of each thread of a `Convolution`, which looks at the arrays' sizes alone."""
    cdef Conv conv
    set_up(&conv, x_bchw, y_bchw, tap_rows, tap_columns, stride_h, stride_w, groups, BORDER_REFLECT, num_threads, 0, 0,
           None)
    scratch_free(make_tables(&conv))
    return scratch_elements(&conv) * <Py_ssize_t>sizeof(real)


def units(const real[:, :, :, :] x_bchw not None, real[:, :, :, :] y_bchw not None,
          const Py_ssize_t[::1] tap_rows not None, const Py_ssize_t[::1] tap_columns not None, Py_ssize_t stride_h,
          Py_ssize_t stride_w, Py_ssize_t groups, int num_threads):
    """The units of work of a `Convolution`: of each its first element of `y_bchw`, and its channels, rows and columns.

    A map without gaps may be one row.
    """
    cdef Conv conv
    cdef Unit unit
    cdef Py_ssize_t u, count = set_up(&conv, x_bchw, y_bchw, tap_rows, tap_columns, stride_h, stride_w, groups,
                                      BORDER_CONSTANT, num_threads, 0, 0, None)
    found = []
    for u in range(count):
        locate(&conv, u, <real*>0, &unit)
        found.append((unit.y - conv.y, unit.outputs, unit.rows, unit.columns))
    return found

"""The core convolution: an implicit GEMM over taps.

An output pixel (row, column) of a group sums, over channels c and taps t, weight[o, c, t] times
x[c, row*stride_h + tap_row[t], column*stride_w + tap_column[t]]. Convolution gives each kernel element a tap;
transposed convolution is one such sum per phase of its stride, into an output with steps of its stride.

Work is cut into units: image × group × band of output rows × strip of their columns × chunk of weight panels. A unit
goes over K in blocks of channels. It packs the block's input into planes (`planes.pxd`), where its outputs are
numbered along rows of `pitch` elements and a tap is an offset, and multiplies tiles of such outputs with every panel;
the sums of the few numbers that lie between the strip's rows are left behind. Where the strip is narrow and the panels
are many, those would cost more than copying the pixels of each tap once more, without gaps (`narrow`). Of few products
each panel goes along an output row instead, and stores it in place (`by_lines`).

What an output adds up, and in which order, depends on the blocks of K alone, never on the units or the threads.
"""
from cython.parallel cimport prange, threadid
from libc.string cimport memset

from convkit._native.arith cimport ceil_div, elements, even_parts
from convkit._native.border cimport BORDER_CONSTANT, BORDER_REFLECT
from convkit._native.copies cimport copy_run
from convkit._native.epilogue cimport Epilogue, adds_in_place, finish_rows, make_epilogue
from convkit._native.gemm cimport Tile, multiply
from convkit._native.planes cimport Planes, Span, find_span, pack_planes
from convkit._native.simd cimport (GEMM_DEPTH, GEMM_MR, GEMM_NV, GEMM_WIDE, PLANES_BYTES, SUMS_BYTES, VL, panel_load,
                                   panel_store, prefetch_far, real, scratch_alloc, scratch_free, vec, vec_interleave,
                                   vec_load, vec_load_part, vec_store, vec_store_part)

cdef enum:
    CHUNK_ROWS = 512            # output channels of a unit, at most
    BAND_TILES = 8              # of a unit, at least: their weights are read once from L2
    MOST_COLUMNS = 512          # of a strip
    DIRECT_CHANNELS = 96
    GATHERED_ROWS = 128         # more output channels than these repay a packed tile
    CROWDED_ROWS = 32           # ... of channels that a multiple of so many bytes lies between: they share 8 sets of
    CROWDED_BYTES = 512         # the L1 cache, and a tile that is not packed does not stay there
    SOME_CHANNELS = 8           # whose weights are packed one after another: whole cache lines
    LINE_BYTES = 20 * 1024      # of the pixels that a row of the output sees: they stay in the L1 cache
    WEIGHTS_COST = 2            # of reading a weight of each row of a panel from memory, in multiplications of a vector
    FINISH_ROWS = 64            # output channels of a tile that are finished together: they stay in the L1 cache

VECTOR_LANES = VL


cdef struct Conv:
    Py_ssize_t groups, channels, outputs                # channels and outputs of one group
    Py_ssize_t rows, columns                            # of the output
    Py_ssize_t tap_rows, tap_columns                    # a tap for each pair of them
    const Py_ssize_t* tap_row
    const Py_ssize_t* tap_column
    Planes planes
    const real* x
    Py_ssize_t x_image
    real* y
    Py_ssize_t y_image, y_channel, y_row, y_column
    const real* weights                                 # [group][block of K][panel][k][row of the panel]
    const real* bias                                    # one vector for each output channel
    Py_ssize_t block_channels                           # of a block of K
    Py_ssize_t* offset                                  # in the planes, of each k of a block
    Py_ssize_t tile_vectors                             # of the largest tile
    bint direct                                         # no planes: the taps' pixels lie so in the input itself
    bint narrow                                         # tiles are packed once more, without gaps
    bint gathered                                       # direct, but a tile is packed before many panels pass over it
    Py_ssize_t* later_offset                            # in the output, of a panel's and tile's lines, one for each k
    Py_ssize_t* narrow_offset                           # in the packed tile, of each k of a block
    bint in_place                                       # tiles of whole vectors are summed in the output itself
    bint by_lines                                       # all are, one panel going along an output row
    Py_ssize_t sums_row                                 # elements of an output channel's sums
    Py_ssize_t band_rows, bands, strip_columns, strips, chunk_panels, chunks
    Epilogue epilogue


# ---- blocks of K: all taps of some channels, about GEMM_DEPTH products ---------------------------------
# A tile's pixels of a block stay in the L1 cache while all panels pass over them; partial sums keep rounding errors
# small. A 1×1 kernel may read the input where it lies, each channel in a page of its own: as many as the first
# translation buffer holds.

cdef inline Py_ssize_t channel_block(Py_ssize_t taps, Py_ssize_t channels) noexcept nogil:
    return even_parts(channels, max(<Py_ssize_t>1, GEMM_DEPTH // taps) if taps > 1 else <Py_ssize_t>DIRECT_CHANNELS)


cdef struct Weights:            # as they are given, and how they are packed
    const real* first
    Py_ssize_t outputs, channels, taps                      # of a group
    Py_ssize_t group, channel                               # strides in elements
    Py_ssize_t* row                                         # offset of each output channel
    Py_ssize_t* tap                                         # offset of each tap
    bint in_lines                                           # channels and taps lie side by side
    bint side_by_side                                       # output channels do
    bint by_panels                                          # output channels are further apart than channels
    Py_ssize_t panels, block_channels
    Py_ssize_t part_channels, parts                         # of a unit of work; of all channels
    real* packed


cdef void find_weights(Weights* weights, const real[:, :, :, :, :, :, :] weight_goppckk,
                       const Py_ssize_t[:, ::1] kernel_index) noexcept nogil:
    # Fills the tables of offsets.
    cdef Py_ssize_t i, phase_columns = weight_goppckk.shape[3], phases = weight_goppckk.shape[2] * phase_columns
    for i in range(weights.outputs):
        weights.row[i] = i // phases * elements(weight_goppckk.strides[1]) \
            + i % phases // phase_columns * elements(weight_goppckk.strides[2]) \
            + i % phase_columns * elements(weight_goppckk.strides[3])
    for i in range(weights.taps):
        weights.tap[i] = kernel_index[0, i] * elements(weight_goppckk.strides[5]) \
            + kernel_index[1, i] * elements(weight_goppckk.strides[6])
    weights.group, weights.channel = elements(weight_goppckk.strides[0]), elements(weight_goppckk.strides[4])
    weights.in_lines = weights.channels == 1 or weights.channel == weights.taps
    for i in range(weights.taps):
        weights.in_lines = weights.in_lines and weights.tap[i] == i
    weights.side_by_side = True
    for i in range(weights.outputs):
        weights.side_by_side = weights.side_by_side and weights.row[i] == i
    weights.by_panels = weights.in_lines or elements(weight_goppckk.strides[1]) >= weights.channel


def pack_weights(const real[:, :, :, :, :, :, :] weight_goppckk not None,
                 const Py_ssize_t[:, ::1] kernel_index not None, real[::1] packed not None, int num_threads):
    """Fill `packed` with panels of output channels.

    There is one for each of the second to fourth axis; `kernel_index[:, t]` is tap t's place in the last two.
    """
    cdef Weights weights
    cdef Py_ssize_t u, units = weight_goppckk.shape[0]
    weights.first, weights.packed = &weight_goppckk[0, 0, 0, 0, 0, 0, 0], &packed[0]
    weights.outputs = weight_goppckk.shape[1] * weight_goppckk.shape[2] * weight_goppckk.shape[3]
    weights.channels, weights.taps = weight_goppckk.shape[4], kernel_index.shape[1]
    weights.block_channels = channel_block(weights.taps, weights.channels)
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
    cdef Py_ssize_t c = index % weights.parts * weights.part_channels, other = index // weights.parts, panel
    cdef Py_ssize_t channels = min(weights.part_channels, weights.channels - c)
    if weights.by_panels:
        pack_panel(weights, other // weights.panels, other % weights.panels, c, channels)
    else:
        for panel in range(weights.panels):
            pack_panel(weights, other, panel, c, channels)


cdef void pack_panel(const Weights* weights, Py_ssize_t group, Py_ssize_t panel, Py_ssize_t c,
                     Py_ssize_t channels) noexcept nogil:
    # [channel][tap][output], in as many blocks of K as the channels lie in.
    cdef Py_ssize_t first = panel * GEMM_MR, rows = min(<Py_ssize_t>GEMM_MR, weights.outputs - first), end = c + channels
    cdef Py_ssize_t inside, depth
    cdef const Py_ssize_t* row = weights.row + first
    cdef const real* source
    cdef real* to
    while c < end:
        inside = c % weights.block_channels
        depth = min(weights.block_channels, weights.channels - (c - inside))
        channels = min(depth - inside, end - c)
        source = weights.first + group * weights.group + c * weights.channel
        to = weights.packed + weights.taps * (
            (group * weights.channels + c - inside) * weights.outputs + first * depth + inside * rows)
        if rows == GEMM_MR and weights.in_lines:
            pack_lines(source, row, channels * weights.taps, to)
        elif rows == GEMM_MR and weights.side_by_side:
            pack_side_by_side(weights, source + first, channels, to)
        elif rows == GEMM_MR:
            pack_singly(weights, source, row, GEMM_MR, channels, to)
        else:
            pack_singly(weights, source, row, rows, channels, to)
        c += channels


cdef inline void pack_lines(const real* source, const Py_ssize_t* row, Py_ssize_t n, real* to) noexcept nogil:
    cdef vec v[GEMM_MR]
    cdef real rest[GEMM_MR * VL]
    cdef Py_ssize_t k = 0
    cdef int i
    while k < n:
        for i in range(GEMM_MR):
            v[i] = vec_load(source + row[i] + k) if k + VL <= n else vec_load_part(source + row[i] + k, n - k)
        vec_interleave(v, GEMM_MR)
        for i in range(GEMM_MR):
            vec_store((to if k + VL <= n else rest) + i * VL, v[i])
        if k + VL > n:
            copy_run(to, rest, (n - k) * GEMM_MR)
        to += GEMM_MR * VL
        k += VL


cdef inline void pack_side_by_side(const Weights* weights, const real* source, Py_ssize_t channels,
                                   real* to) noexcept nogil:
    cdef Py_ssize_t _, t
    for _ in range(channels):
        for t in range(weights.taps):
            panel_store(to, panel_load(source + weights.tap[t]))
            to += GEMM_MR
        source += weights.channel


cdef inline void pack_singly(const Weights* weights, const real* source, const Py_ssize_t* row, Py_ssize_t rows,
                             Py_ssize_t channels, real* to) noexcept nogil:
    cdef Py_ssize_t _, t, i
    for _ in range(channels):
        for t in range(weights.taps):
            for i in range(rows):
                to[i] = source[row[i] + weights.tap[t]]
            to += rows
        source += weights.channel


# ---- multiplying: one function per height of a panel; tiles that the machine does not use are compiled away -
# A panel of few rows takes wider tiles: sums enough to hide the latency of additions.

cdef void multiply_8(int vectors, const Tile* tile) noexcept nogil:
    if vectors == GEMM_NV:
        multiply(8, GEMM_NV, False, tile)
    elif GEMM_MR == 8 and GEMM_NV > 2 and vectors == 2:
        multiply(8, 2, False, tile)
    else:
        multiply(8, 1, False, tile)


cdef void multiply_7(int vectors, const Tile* tile) noexcept nogil:
    if vectors == GEMM_NV:
        multiply(7, GEMM_NV, False, tile)
    else:
        multiply(7, 1, False, tile)


cdef void multiply_6(int vectors, const Tile* tile) noexcept nogil:
    if vectors == GEMM_NV:
        multiply(6, GEMM_NV, False, tile)
    else:
        multiply(6, 1, False, tile)


cdef void multiply_5(int vectors, const Tile* tile) noexcept nogil:
    if vectors == GEMM_NV:
        multiply(5, GEMM_NV, False, tile)
    else:
        multiply(5, 1, False, tile)


cdef void multiply_4(int vectors, const Tile* tile) noexcept nogil:
    if GEMM_WIDE(4) > GEMM_NV and vectors == GEMM_WIDE(4):
        multiply(4, GEMM_WIDE(4), False, tile)
    elif vectors == GEMM_NV:
        multiply(4, GEMM_NV, False, tile)
    elif GEMM_MR == 4 and GEMM_NV > 2 and vectors == 2:
        multiply(4, 2, False, tile)
    else:
        multiply(4, 1, False, tile)


cdef void multiply_3(int vectors, const Tile* tile) noexcept nogil:
    if GEMM_WIDE(3) > GEMM_NV and vectors == GEMM_WIDE(3):
        multiply(3, GEMM_WIDE(3), False, tile)
    elif vectors == GEMM_NV:
        multiply(3, GEMM_NV, False, tile)
    else:
        multiply(3, 1, False, tile)


cdef void multiply_2(int vectors, const Tile* tile) noexcept nogil:
    if GEMM_WIDE(2) > GEMM_NV and vectors == GEMM_WIDE(2):
        multiply(2, GEMM_WIDE(2), False, tile)
    elif vectors == GEMM_NV:
        multiply(2, GEMM_NV, False, tile)
    else:
        multiply(2, 1, False, tile)


cdef void multiply_1(int vectors, const Tile* tile) noexcept nogil:
    if GEMM_WIDE(1) > GEMM_NV and vectors == GEMM_WIDE(1):
        multiply(1, GEMM_WIDE(1), False, tile)
    elif vectors == GEMM_NV:
        multiply(1, GEMM_NV, False, tile)
    else:
        multiply(1, 1, False, tile)


cdef void multiply_far(const Tile* tile) noexcept nogil:
    multiply(GEMM_MR, GEMM_NV, True, tile)


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


cdef inline Py_ssize_t widest(Py_ssize_t rows) noexcept nogil:
    # Vectors of the tile for panels of so many rows.
    return GEMM_WIDE(rows) if rows <= GEMM_MR // 2 else GEMM_NV


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


cdef inline Py_ssize_t planes_elements(const Conv* conv) noexcept nogil:
    # The last tile may lie beyond the last row's end.
    return 0 if conv.direct else conv.block_channels * conv.planes.channel + conv.tile_vectors * VL + VL


cdef inline Py_ssize_t tile_elements(const Conv* conv) noexcept nogil:
    if not (conv.narrow or conv.direct):
        return 0
    return conv.block_channels * conv.tap_rows * conv.tap_columns * conv.tile_vectors * VL + VL


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
    if rest:
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


cdef inline void ask_for_output(const Conv* conv, const Unit* unit, bint next_tile, bint this_tile, Py_ssize_t pixel,
                                Py_ssize_t pixels, Tile* tile) noexcept nogil:
    # The tile multiplies while the lines of the output that are stored next come from memory: those of the next tile,
    # or, where sums are stored after all tiles, its own.
    if next_tile:
        tile.later = tile.y + pixels
    elif this_tile and conv.y_column == 1:
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
    tile.depth = depth
    tile.weights = weights
    tile.y = unit.y + pixel if in_place else unit.sums if conv.in_place else unit.sums + pixel
    tile.y_row = conv.y_channel if in_place else conv.sums_row
    ask_for_output(conv, unit, in_place and first, not in_place and last, pixel, pixels, &tile)
    tile.addend = unit.bias if first else tile.y
    tile.addend_row = VL if first else tile.y_row
    tile.addend_vector = 0 if first else VL
    if last and in_place and not conv.epilogue.plain:
        multiply_and_finish(conv, unit.outputs, pixels, conv.direct, tile)
    else:
        multiply_outputs(unit.outputs, ceil_div(pixels, VL), conv.direct and not packed, tile)


cdef inline void multiply_run(Py_ssize_t rows, Py_ssize_t columns, Tile tile) noexcept nogil:
    # One panel along a row of at least a tile's pixels. The last tile overlaps the one before it: both sums are the same.
    # It is not of one vector, which would keep too few sums in flight: the last two have two each.
    cdef Py_ssize_t vectors = ceil_div(columns % (GEMM_NV * VL), VL)
    cdef const real* pixels = tile.pixels
    cdef real* y = tile.y
    cdef bint halved = vectors == 1 and GEMM_NV > 2
    tile.count = columns // (GEMM_NV * VL) - halved
    tile.weights_step = tile.addend_step = 0
    tile.pixels_step = tile.y_step = tile.later_step = GEMM_NV * VL
    multiply_panels(rows, GEMM_NV, &tile)
    tile.pixels += tile.count * tile.pixels_step
    tile.y += tile.count * tile.y_step
    tile.count = 1
    if halved:
        vectors = 2
        multiply_vectors(rows, 2, &tile)
    tile.pixels, tile.y = pixels + columns - vectors * VL, y + columns - vectors * VL
    multiply_vectors(rows, vectors, &tile)


cdef void multiply_line(const Conv* conv, const Unit* unit, Py_ssize_t depth, Py_ssize_t row) noexcept nogil:
    # All outputs of one row. Its pixels stay in the L1 cache, and each panel stores a few rows of the output from end to
    # end, as the processor foresees.
    cdef Py_ssize_t output = 0, rows
    cdef Tile tile
    tile.depth, tile.offset, tile.later_offset = depth, conv.offset, conv.later_offset
    tile.y_row, tile.addend_row, tile.addend_vector = conv.y_channel, VL, 0
    while output < unit.outputs:
        rows = min(unit.outputs - output, <Py_ssize_t>GEMM_MR)
        tile.weights = unit.weights + (unit.first_panel * GEMM_MR + output) * depth
        tile.pixels = unit.block + row * conv.planes.pitch
        tile.addend = unit.bias + output * VL
        tile.y = unit.y + output * conv.y_channel + row * conv.y_row
        tile.later = tile.y + GEMM_NV * VL
        multiply_run(rows, unit.columns, tile)
        if not conv.epilogue.plain:
            finish_rows(&conv.epilogue, tile.y, conv.y_channel, tile.y, conv.y_channel, rows, unit.columns)
        output += rows


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
    cdef Py_ssize_t taps = conv.tap_rows * conv.tap_columns, depth = channels * taps, pixel = 0, pixels, row
    cdef const real* weights = unit.weights + c0 * taps * conv.outputs + unit.first_panel * GEMM_MR * depth
    cdef const real* x = unit.x + c0 * conv.planes.x_channel
    if conv.direct:
        unit.block = x + unit.column
    else:
        unit.block = unit.planes
        pack_planes(&conv.planes, x, channels, unit.row, unit.column, unit.planes)
    if conv.by_lines:
        for row in range(unit.rows):
            multiply_line(conv, unit, depth, row)
        return
    while pixel < unit.pixels:
        pixels = min(vectors_of_tile(conv, unit.pixels - pixel) * VL, unit.pixels - pixel)
        multiply_tile(conv, unit, weights, depth, c0 == 0, c0 + channels == conv.channels, pixel, pixels)
        pixel += pixels


cdef inline void finish_run(const Conv* conv, real* y, real* sums, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    if not conv.epilogue.plain:
        finish_rows(&conv.epilogue, sums, 0, y, 0, 1, n)
    if conv.y_column == 1:
        copy_run(y, sums, n)
    else:
        for i in range(n):
            y[i * conv.y_column] = sums[i]


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


cdef void run_unit(const Conv* conv, Py_ssize_t index, real* scratch) noexcept nogil:
    cdef Unit unit
    cdef Py_ssize_t c = 0
    locate(conv, index, scratch, &unit)
    while c < conv.channels:
        multiply_block(conv, &unit, c, min(conv.block_channels, conv.channels - c))
        c += conv.block_channels
    if not conv.by_lines:
        store_sums(conv, &unit)


# ---- cutting the work ----------------------------------------------------------------------------------

cdef inline bint follows(const Conv* conv, Py_ssize_t last, Py_ssize_t tap) noexcept nogil:
    # Whether two tap columns share a plane: they see columns of the same phase, and some of the same for one output or
    # another.
    cdef Py_ssize_t apart = conv.tap_column[tap] - conv.tap_column[last]
    return apart % conv.planes.stride_w == 0 and apart // conv.planes.stride_w < conv.strip_columns


cdef Py_ssize_t find_reach(const Conv* conv) noexcept nogil:
    # Elements of a plane's row beyond its outputs.
    cdef Py_ssize_t i, j, last, reach = 0
    for i in range(conv.tap_columns):
        last = i
        for j in range(i + 1, conv.tap_columns):
            if follows(conv, last, j):
                last = j
        reach = max(reach, (conv.tap_column[last] - conv.tap_column[i]) // conv.planes.stride_w)
    return reach


cdef bint begins_plane(const Conv* conv, Py_ssize_t tap) noexcept nogil:
    # Whether a tap column shares no plane with an earlier one.
    cdef Py_ssize_t i
    for i in range(tap - 1, -1, -1):
        if (conv.tap_column[tap] - conv.tap_column[i]) % conv.planes.stride_w == 0:
            return not follows(conv, i, tap)
    return True


cdef Py_ssize_t find_shared(const Conv* conv) noexcept nogil:
    # Constants that the rows of every plane both begin and end with: one row's end may be the next one's beginning.
    cdef Py_ssize_t i, shared = conv.planes.pitch - conv.columns
    cdef Span span
    if conv.planes.border != BORDER_CONSTANT or conv.strips > 1:
        return 0
    for i in range(conv.tap_columns):
        if begins_plane(conv, i):
            span = find_span(&conv.planes, conv.tap_column[i])
            shared = min(shared, min(span.begin, conv.planes.pitch - span.end))
    return shared


cdef void cut(Conv* conv, Py_ssize_t parts, Py_ssize_t chunk_panels) noexcept nogil:
    # Bands of whole rows; the parts of a single row are strips of whole tiles.
    cdef Py_ssize_t tile = conv.tile_vectors * VL
    if conv.rows > 1:
        conv.band_rows = ceil_div(conv.rows, parts)
    else:
        conv.strip_columns = min(conv.columns, ceil_div(ceil_div(conv.columns, parts), tile) * tile)
    conv.bands, conv.strips = ceil_div(conv.rows, conv.band_rows), ceil_div(conv.columns, conv.strip_columns)
    conv.chunk_panels = chunk_panels
    conv.chunks = ceil_div(ceil_div(conv.outputs, GEMM_MR), chunk_panels)


cdef double unit_cost(const Conv* conv, Py_ssize_t reach) noexcept nogil:
    # Of the largest unit, in multiplications of a vector by a panel's channel and tap: packing a vector is about one.
    cdef Py_ssize_t pitch = conv.strip_columns + reach, taps = conv.tap_rows * conv.tap_columns
    cdef Py_ssize_t slots = conv.band_rows + (conv.tap_row[conv.tap_rows - 1] - conv.tap_row[0]) // conv.planes.stride_h
    cdef Py_ssize_t gapless = ceil_div(conv.band_rows * conv.strip_columns, VL)
    cdef Py_ssize_t gaps = ceil_div((conv.band_rows - 1) * pitch + conv.strip_columns, VL)
    cdef double multiplied = taps * min(gaps * conv.chunk_panels, gapless * (conv.chunk_panels + 2))
    multiplied += taps * conv.chunk_panels * <double>WEIGHTS_COST
    return multiplied if conv.direct else multiplied + <double>slots * pitch / VL * conv.planes.phases


cdef inline bint repays_packing(const Conv* conv) noexcept nogil:
    # Where tiles may be read from the input itself.
    cdef bint crowded = conv.planes.x_channel * <Py_ssize_t>sizeof(real) % CROWDED_BYTES == 0
    return conv.chunk_panels > (CROWDED_ROWS if crowded else GATHERED_ROWS) // GEMM_MR


cdef void partition(Conv* conv, Py_ssize_t images, Py_ssize_t threads) noexcept nogil:
    # The parts that are done first, by all threads, among those that the caches hold: several tiles of a band share
    # weights from the L2 cache, sums and planes stay in it. Of about equal ones the smallest: threads differ in speed.
    cdef Py_ssize_t panels = ceil_div(conv.outputs, GEMM_MR), most_panels, pixels, fewest, most, parts, chunk, units
    cdef Py_ssize_t tile, slab, reach, best_parts, best_chunk
    cdef double cost, best = -1
    conv.tile_vectors = widest(conv.outputs) if conv.outputs < GEMM_MR else GEMM_NV
    tile = conv.tile_vectors * VL
    most_panels = min(panels, <Py_ssize_t>(CHUNK_ROWS // GEMM_MR))
    pixels = SUMS_BYTES // (most_panels * GEMM_MR)
    if not conv.direct:
        slab = conv.block_channels * min(conv.planes.stride_h, conv.tap_rows) * conv.planes.phases
        pixels = min(pixels, PLANES_BYTES // slab)
    pixels = max(pixels // <Py_ssize_t>sizeof(real) // tile, <Py_ssize_t>BAND_TILES) * tile
    conv.band_rows, conv.strip_columns = 1, conv.columns
    if conv.columns > max(pixels, <Py_ssize_t>MOST_COLUMNS):
        conv.strip_columns = ceil_div(even_parts(conv.columns, max(pixels, <Py_ssize_t>MOST_COLUMNS)), tile) * tile
    reach = find_reach(conv)
    fewest = ceil_div(conv.rows, max(<Py_ssize_t>1, pixels // (conv.strip_columns + reach)))
    if conv.rows == 1:
        fewest = ceil_div(conv.columns, conv.strip_columns)
    most = max(fewest, conv.rows if conv.rows > 1 else conv.columns)
    best_parts, best_chunk = fewest, most_panels
    for parts in range(fewest, min(fewest + 2 * threads + 8, most + 1)):
        chunk = most_panels
        while chunk > 0:
            cut(conv, parts, chunk)
            units = images * conv.groups * conv.bands * conv.strips * conv.chunks
            cost = ceil_div(units, threads) * unit_cost(conv, reach)
            if best < 0 or cost < 0.98 * best or (cost < best and threads > 1):
                best, best_parts, best_chunk = cost, parts, chunk
            if units >= 4 * threads:
                break
            chunk //= 2
    cut(conv, best_parts, best_chunk)
    reach = find_reach(conv)
    conv.planes.pitch = conv.strip_columns + reach
    conv.planes.shared = find_shared(conv)
    conv.planes.pitch -= conv.planes.shared
    reach -= conv.planes.shared
    conv.narrow = reach * conv.chunk_panels > 2 * conv.strip_columns
    conv.gathered = conv.direct and repays_packing(conv)
    # One run of memory in the output for all pixels of a unit?
    conv.in_place = not adds_in_place(&conv.epilogue) and conv.y_column == 1 and (conv.narrow or reach == 0) and (
        conv.band_rows == 1 or (conv.strips == 1 and conv.y_row == conv.columns))
    slab = conv.channels * conv.tap_rows * conv.planes.phases * conv.planes.pitch
    conv.by_lines = (not (conv.direct or conv.narrow or adds_in_place(&conv.epilogue)) and conv.y_column == 1
                     and conv.strips == 1 and conv.columns >= 2 * tile and conv.outputs >= GEMM_MR
                     and conv.block_channels == conv.channels and slab * <Py_ssize_t>sizeof(real) <= LINE_BYTES)
    pixels = tile if conv.in_place or conv.by_lines else (conv.band_rows - 1) * conv.planes.pitch + conv.strip_columns
    conv.sums_row = (ceil_div(pixels, VL) | 1) * VL


cdef inline bint is_pointwise(const Conv* conv) noexcept nogil:
    # One tap, every output pixel from the input pixel at its own place, and both planes without gaps.
    return (conv.tap_rows * conv.tap_columns == 1 and conv.tap_row[0] == 0 and conv.tap_column[0] == 0
            and conv.planes.stride_h == 1 and conv.planes.stride_w == 1
            and conv.rows == conv.planes.height and conv.columns == conv.planes.width
            and conv.planes.x_row == conv.planes.width * conv.planes.x_column
            and conv.y_row == conv.columns * conv.y_column)


# ---- tables: where the planes come from, and where the taps lie in them --------------------------------

cdef struct Tables:
    Py_ssize_t* slot_row
    Py_ssize_t* slot            # of each tap row: where its slab begins
    Py_ssize_t* phase_column
    Py_ssize_t* phase           # of each tap column: its plane, and its place behind the plane's first element
    Py_ssize_t* shift
    Py_ssize_t* offset
    Py_ssize_t* narrow_offset
    Py_ssize_t* later_offset


cdef Py_ssize_t lay_out_tables(const Conv* conv, Py_ssize_t* at, Tables* tables) noexcept nogil:
    # The elements of all tables.
    cdef Py_ssize_t depth = conv.block_channels * conv.tap_rows * conv.tap_columns
    tables.slot_row = at
    tables.slot = tables.slot_row + conv.tap_rows * conv.band_rows
    tables.phase_column = tables.slot + conv.tap_rows
    tables.phase = tables.phase_column + conv.tap_columns
    tables.shift = tables.phase + conv.tap_columns
    tables.offset = tables.shift + conv.tap_columns
    tables.narrow_offset = tables.offset + depth
    tables.later_offset = tables.narrow_offset + depth
    return tables.later_offset + depth - at


cdef void find_slots(Conv* conv, Tables* tables) noexcept nogil:
    # A slab for each tap row, from top to bottom; it begins inside the last one's where they share rows.
    cdef Py_ssize_t i, j, last, row, slots = 0, stride = conv.planes.stride_h
    for i in range(conv.tap_rows):
        tables.slot[i] = -1
    for i in range(conv.tap_rows):
        if tables.slot[i] >= 0:
            continue
        tables.slot[i] = slots
        last = i
        for j in range(i + 1, conv.tap_rows):
            if (conv.tap_row[j] - conv.tap_row[i]) % stride == 0:
                tables.slot[j] = tables.slot[last] + min((conv.tap_row[j] - conv.tap_row[last]) // stride, conv.band_rows)
                last = j
        slots = tables.slot[last] + conv.band_rows
    for i in range(conv.tap_rows):
        for row in range(conv.band_rows):
            tables.slot_row[tables.slot[i] + row] = conv.tap_row[i] + row * stride
    conv.planes.slots = slots
    conv.planes.slot_row = tables.slot_row


cdef void size_planes(Conv* conv) noexcept nogil:
    cdef Py_ssize_t lines = 64 // <Py_ssize_t>sizeof(real)
    conv.planes.plane = conv.planes.slots * conv.planes.pitch + ceil_div(conv.planes.shared, VL) * VL + VL
    # An odd number of cache lines: the channels of a pixel fall into different sets.
    conv.planes.channel = (ceil_div(conv.planes.phases * conv.planes.plane, lines) | 1) * lines


cdef void find_phases(Conv* conv, Tables* tables) noexcept nogil:
    cdef Py_ssize_t i, j, last, phases = 0
    for i in range(conv.tap_columns):
        tables.phase[i] = -1
    for i in range(conv.tap_columns):
        if tables.phase[i] >= 0:
            continue
        last = i
        for j in range(i, conv.tap_columns):
            if follows(conv, last, j):
                tables.phase[j] = phases
                tables.shift[j] = (conv.tap_column[j] - conv.tap_column[i]) // conv.planes.stride_w
                last = j
        tables.phase_column[phases] = conv.tap_column[i]
        phases += 1
    conv.planes.phases = phases
    conv.planes.phase_column = tables.phase_column


cdef void fill_tables(Conv* conv, Tables* tables) noexcept nogil:
    cdef Py_ssize_t c, i, j, k = 0
    find_phases(conv, tables)
    find_slots(conv, tables)
    if conv.direct:
        conv.planes.channel = conv.planes.x_channel
    else:
        size_planes(conv)
    for c in range(conv.block_channels):
        for i in range(conv.tap_rows):
            for j in range(conv.tap_columns):
                tables.offset[k] = (c * conv.planes.channel + tables.phase[j] * conv.planes.plane
                                    + tables.slot[i] * conv.planes.pitch + tables.shift[j])
                tables.narrow_offset[k] = k * conv.tile_vectors * VL
                k += 1
    for i in range(k):          # evenly
        j = i * GEMM_MR * conv.tile_vectors // k
        tables.later_offset[i] = j // conv.tile_vectors * conv.y_channel + j % conv.tile_vectors * VL
    conv.later_offset = tables.later_offset
    conv.offset, conv.narrow_offset = tables.offset, tables.narrow_offset


cdef void clear(const Conv* conv, real* scratch) noexcept nogil:
    # Tiles multiply what lies behind the last row too. It is never stored, but it must be numbers: the processor is
    # slow on the tiny ones that other people's pointers look like.
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
    conv.groups = groups
    conv.channels = x_bchw.shape[1] // groups
    conv.outputs = y_bchw.shape[1] // groups
    conv.rows, conv.columns = y_bchw.shape[2], y_bchw.shape[3]
    conv.tap_rows, conv.tap_columns = tap_rows.shape[0], tap_columns.shape[0]
    conv.tap_row, conv.tap_column = &tap_rows[0], &tap_columns[0]
    conv.x, conv.y = &x_bchw[0, 0, 0, 0], &y_bchw[0, 0, 0, 0]
    conv.x_image = elements(x_bchw.strides[0])
    conv.y_image, conv.y_channel = elements(y_bchw.strides[0]), elements(y_bchw.strides[1])
    conv.y_row, conv.y_column = elements(y_bchw.strides[2]), elements(y_bchw.strides[3])
    conv.block_channels = channel_block(conv.tap_rows * conv.tap_columns, conv.channels)
    conv.planes.height, conv.planes.width = x_bchw.shape[2], x_bchw.shape[3]
    conv.planes.x_channel = elements(x_bchw.strides[1])
    conv.planes.x_row, conv.planes.x_column = elements(x_bchw.strides[2]), elements(x_bchw.strides[3])
    conv.planes.border = border
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


def conv_taps(const real[:, :, :, :] x_bchw not None, const real[::1] weights not None,
              const real[::1] bias not None, real[:, :, :, :] y_bchw not None,
              const Py_ssize_t[::1] tap_rows not None, const Py_ssize_t[::1] tap_columns not None, Py_ssize_t stride_h,
              Py_ssize_t stride_w, Py_ssize_t groups, int border, real cval, int num_threads,
              int activation=0, real slope=0, const real[:, :, :, :] residual=None):
    """Convolve `x_bchw` into `y_bchw`, both of any strides.

    `weights` comes from `pack_weights`; `bias` holds a vector of VECTOR_LANES equal values for every output channel.
    There is a tap for each of `tap_rows` with each of `tap_columns`: offsets into the input, in ascending order.
    `residual` has `y_bchw`'s strides, or is it.
    """
    cdef Conv conv
    cdef Py_ssize_t units = set_up(&conv, x_bchw, y_bchw, tap_rows, tap_columns, stride_h, stride_w, groups, border,
                                   num_threads, activation, slope, residual)
    cdef Py_ssize_t* table = make_tables(&conv)
    cdef Py_ssize_t u, thread_scratch = scratch_elements(&conv)
    cdef real* scratch
    num_threads = <int>min(<Py_ssize_t>num_threads, units)
    conv.weights, conv.bias = &weights[0], &bias[0]
    conv.planes.cval = cval
    scratch = <real*>scratch_alloc(num_threads * thread_scratch * sizeof(real))
    if scratch == NULL:
        scratch_free(table)
        raise MemoryError("no memory for the scratch of a convolution")
    with nogil:
        for u in range(num_threads):
            clear(&conv, scratch + u * thread_scratch)
        if num_threads == 1:    # no team: also what a forked child must do
            for u in range(units):
                run_unit(&conv, u, scratch)
        else:
            for u in prange(units, num_threads=num_threads, schedule="dynamic"):
                run_unit(&conv, u, scratch + threadid() * thread_scratch)
        scratch_free(table)
        scratch_free(scratch)


def workspace_bytes(const real[:, :, :, :] x_bchw not None, real[:, :, :, :] y_bchw not None,
                    const Py_ssize_t[::1] tap_rows not None, const Py_ssize_t[::1] tap_columns not None,
                    Py_ssize_t stride_h, Py_ssize_t stride_w, Py_ssize_t groups, int num_threads):
    """Scratch of each thread of `conv_taps`, which looks at the arrays' sizes alone."""
    cdef Conv conv
    set_up(&conv, x_bchw, y_bchw, tap_rows, tap_columns, stride_h, stride_w, groups, BORDER_REFLECT, num_threads, 0, 0,
           None)
    scratch_free(make_tables(&conv))
    return scratch_elements(&conv) * <Py_ssize_t>sizeof(real)


def units(const real[:, :, :, :] x_bchw not None, real[:, :, :, :] y_bchw not None,
          const Py_ssize_t[::1] tap_rows not None, const Py_ssize_t[::1] tap_columns not None, Py_ssize_t stride_h,
          Py_ssize_t stride_w, Py_ssize_t groups, int num_threads):
    """The units of work of `conv_taps`: of each its first element of `y_bchw`, and its channels, rows and columns.

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

"""Winograd's convolution: 3×3 kernels, stride 1, in 36/16 (F(4×4)) or 16/4 (F(2×2)) products an output instead of 9.

Outputs are cut into tiles of m×m. The tiles of all images are numbered in one line, and VL of them, one in each lane,
pass through every step together; no lane ever meets another, so that a tile's bits do not depend on its neighbours.

A unit of work is a group × a block of tiles × a chunk of output channels. It transforms the block's input tiles into
its thread's scratch, [n·n][channel][tile]; multiplies, for each of the n·n positions, weight panels [output][channel]
with them; and transforms the products back into output tiles. Borders, strides, dilation and the ends of rows are
resolved once for each block (`locate`), into lists of copies that hold for every channel.

A dilation of d is d·d convolutions without, of every d-th row and column: just more images.
"""
from cython.parallel cimport prange, threadid
from libc.string cimport memcpy, memset

from convkit._native.arith cimport ceil_div, elements
from convkit._native.border cimport border_index
from convkit._native.epilogue cimport Epilogue, add_residual, adds_in_place, finish_rows, make_epilogue
from convkit._native.gemm cimport Tile, multiply, multiply_few
from convkit._native.simd cimport (GEMM_DEPTH, GEMM_MR, GEMM_NV, VL, copy_part, prefetch_write, real, scratch_alloc,
                                   scratch_free, vec_load, vec_store)
from convkit._native.winograd_tile cimport transform_input, transform_kernels, transform_output

cdef enum:
    MOST_LANES = 16             # of any build
    POSITIONS = 36              # n·n of F(4×4)
    OUTPUTS = 32                # output channels of one pass: their products stay in the L2 cache
    MOST_PARTS = 2              # of a block: whole vectors of tiles, and a few tiles more
    MOST_VECTORS = 4            # of a block
    SOME_CHANNELS = 16          # whose weights are transformed before they are stored: whole cache lines at a time
    INPUT_BYTES = 7 << 20       # of a block's transformed input, at most


cdef struct Conv:
    int m, n, positions                                 # F(m×m, 3×3); n = m + 2; n·n
    Py_ssize_t groups, channels, outputs, panels        # of one group
    Py_ssize_t height, width, rows, columns             # of the input; of the output
    Py_ssize_t top, left, dilation_h, dilation_w
    const real* x
    Py_ssize_t x_image, x_channel, x_row, x_column      # strides in elements
    real* y
    Py_ssize_t y_image, y_channel, y_row, y_column
    int border
    real cval
    const real* weights                                 # [group][pass][position][block of K][panel][k][GEMM_MR]
    const real* bias
    Py_ssize_t tiles_down, tiles_across, tiles          # of a phase of an image; of all images
    Py_ssize_t block_vectors, blocks                    # vectors are dealt to blocks, the last takes the few
    Py_ssize_t vectors, few
    Py_ssize_t slab                                     # channels transformed at a time
    Py_ssize_t chunk_passes, chunks
    Epilogue epilogue


cdef struct Copy:               # elements of a row of an image, and where they are in scratch
    Py_ssize_t image, line, count


cdef struct Lanes:              # one vector of tiles: where it comes from and goes to, for every channel
    bint whole_x, whole_y       # one run of tiles inside the image: no copies
    Py_ssize_t x, y             # its first pixel
    Py_ssize_t x_copies, x_pixels, x_constants, y_copies
    Copy x_copy[MOST_LANES * 6]
    Copy x_pixel[MOST_LANES * POSITIONS]    # of one element each: at borders, and behind a run
    Copy x_constant[MOST_LANES * POSITIONS]
    Copy y_copy[MOST_LANES * 4]
    real ends[MOST_LANES]       # 1 for a tile that is the last of its run


cdef struct Part:               # tiles of a block that are multiplied together
    Py_ssize_t vectors, few     # `few` tiles of one vector, or all of all
    Lanes* lanes
    real* v                     # [position][channel][tile]
    real* products              # [position][output][tile]
    Py_ssize_t v_position, products_position


cdef struct Unit:
    Py_ssize_t first_tile, vectors, few, first_pass, passes
    const real* x
    real* y
    const real* weights
    const real* bias
    Part part[MOST_PARTS]
    int parts
    real* lines                 # two channels' gathered rows
    real* scratch


# ---- weights -------------------------------------------------------------------------------------------

def weight_count(Py_ssize_t groups, Py_ssize_t outputs, Py_ssize_t channels, int m):
    """Elements of the weights that `transform_weights` makes."""
    return groups * ceil_div(outputs, GEMM_MR) * GEMM_MR * channels * (m + 2) * (m + 2)


cdef inline void transform_channels(const int m, const real[:, :, :, :, :] weight_gockk, Py_ssize_t g, Py_ssize_t first,
                                    Py_ssize_t c0, Py_ssize_t channels, real* to) noexcept nogil:
    # Kernels of one panel and a few channels, to [position][channel][GEMM_MR].
    cdef Py_ssize_t rows = min(<Py_ssize_t>GEMM_MR, weight_gockk.shape[1] - first), c, o
    cdef double kernel[9 * 8]
    cdef double line[18 * 8]
    cdef int i, j
    memset(kernel, 0, sizeof(kernel))
    for c in range(channels):
        for o in range(rows):
            for i in range(3):
                for j in range(3):
                    kernel[(3 * i + j) * GEMM_MR + o] = weight_gockk[g, first + o, c0 + c, i, j]
        transform_kernels(m, kernel, line, to + c * GEMM_MR, SOME_CHANNELS * GEMM_MR)


cdef void transform_panel(const int m, const real[:, :, :, :, :] weight_gockk, Py_ssize_t g, Py_ssize_t first,
                          Py_ssize_t panels, Py_ssize_t panel, real* to) noexcept nogil:
    # Of one pass, whose weights begin at `to`: panel number `panel`, output channels from `first` on.
    cdef Py_ssize_t channels = weight_gockk.shape[2], step = panels * channels * GEMM_MR, c = 0, k, depth, count
    cdef int position
    cdef real some[POSITIONS * SOME_CHANNELS * 8]
    while c < channels:
        k = c - c % GEMM_DEPTH
        depth = min(<Py_ssize_t>GEMM_DEPTH, channels - k)
        count = min(<Py_ssize_t>SOME_CHANNELS, k + depth - c)
        transform_channels(m, weight_gockk, g, first, c, count, some)
        for position in range((m + 2) * (m + 2)):
            memcpy(to + position * step + (k * panels + panel * depth + c - k) * GEMM_MR,
                   some + position * SOME_CHANNELS * GEMM_MR, count * GEMM_MR * sizeof(real))
        c += count


cdef void transform_group(const real[:, :, :, :, :] weight_gockk, Py_ssize_t g, Py_ssize_t panel, int m,
                          real* packed) noexcept nogil:
    cdef Py_ssize_t all_panels = ceil_div(weight_gockk.shape[1], GEMM_MR)
    cdef Py_ssize_t pass_panels = OUTPUTS // GEMM_MR, first = panel - panel % pass_panels
    cdef Py_ssize_t panels = min(pass_panels, all_panels - first)
    cdef real* to = packed + (g * all_panels + first) * GEMM_MR * weight_gockk.shape[2] * (m + 2) * (m + 2)
    if m == 4:
        transform_panel(4, weight_gockk, g, panel * GEMM_MR, panels, panel - first, to)
    else:
        transform_panel(2, weight_gockk, g, panel * GEMM_MR, panels, panel - first, to)


def transform_weights(const real[:, :, :, :, :] weight_gockk not None, int m, real[::1] packed not None,
                      int num_threads):
    """Fill `packed`, of `weight_count` elements, with what `conv3x3` multiplies by."""
    cdef Py_ssize_t panels = ceil_div(weight_gockk.shape[1], GEMM_MR), units = weight_gockk.shape[0] * panels, u
    cdef real* to = &packed[0]
    with nogil:
        if num_threads == 1:
            for u in range(units):
                transform_group(weight_gockk, u // panels, u % panels, m, to)
        else:
            for u in prange(units, num_threads=num_threads, schedule="static"):
                transform_group(weight_gockk, u // panels, u % panels, m, to)


# ---- where tiles come from and go to -------------------------------------------------------------------

cdef struct Run:                # tiles side by side in a row of tiles
    Py_ssize_t tiles
    Py_ssize_t row, column      # of its first output
    Py_ssize_t x, y             # its image's


cdef void locate_run(const Conv* conv, Py_ssize_t tile, Py_ssize_t most, Run* run) noexcept nogil:
    cdef Py_ssize_t across = tile % conv.tiles_across
    cdef Py_ssize_t line = tile // conv.tiles_across
    cdef Py_ssize_t down = line % conv.tiles_down
    cdef Py_ssize_t phase_w = line // conv.tiles_down % conv.dilation_w
    cdef Py_ssize_t phase_h = line // (conv.tiles_down * conv.dilation_w) % conv.dilation_h
    cdef Py_ssize_t image = line // (conv.tiles_down * conv.dilation_w * conv.dilation_h)
    run.tiles = min(most, conv.tiles_across - across)
    run.row = conv.m * down * conv.dilation_h + phase_h
    run.column = conv.m * across * conv.dilation_w + phase_w
    run.x = image * conv.x_image
    run.y = image * conv.y_image


cdef inline void add(Copy* copies, Py_ssize_t* copies_count, Py_ssize_t image, Py_ssize_t line,
                     Py_ssize_t count) noexcept nogil:
    copies += copies_count[0]
    copies.image, copies.line, copies.count = image, line, count
    copies_count[0] += 1


cdef void locate_input(const Conv* conv, const Run* run, Py_ssize_t lane, Lanes* lanes) noexcept nogil:
    # What lies behind the padding, under outputs that the image does not have, stays 0 in the lines.
    cdef Py_ssize_t line = conv.m * VL, width = conv.m * run.tiles, first = run.column - conv.left
    cdef Py_ssize_t used = min(width + 2, ceil_div(conv.columns - run.column, conv.dilation_w) + 2)
    cdef Py_ssize_t begin = min(ceil_div(max(-first, <Py_ssize_t>0), conv.dilation_w), width)
    cdef Py_ssize_t end = max(begin, min(width, ceil_div(max(conv.width - first, <Py_ssize_t>0), conv.dilation_w)))
    cdef Py_ssize_t a, j, row, column, to
    for a in range(conv.n):
        if run.row + a * conv.dilation_h >= conv.rows + 2 * conv.dilation_h:
            break
        row = border_index(run.row - conv.top + a * conv.dilation_h, conv.height, conv.border)
        if row >= 0 and begin < end:
            add(lanes.x_copy, &lanes.x_copies, run.x + row * conv.x_row + (first + begin * conv.dilation_w) * conv.x_column,
                a * line + conv.m * lane + begin, end - begin)
        for j in range(used):
            if row >= 0 and begin <= j < end:
                continue
            column = border_index(first + j * conv.dilation_w, conv.width, conv.border)
            to = a * line + conv.m * lane + j
            if j >= width:      # behind the last tile
                to = (conv.n * conv.m + 2 * a + j - width) * VL + lane + run.tiles - 1
            if row >= 0 and column >= 0:
                add(lanes.x_pixel, &lanes.x_pixels, run.x + row * conv.x_row + column * conv.x_column, to, 1)
            elif conv.cval != 0:
                add(lanes.x_constant, &lanes.x_constants, -1, to, 1)


cdef void locate_output(const Conv* conv, const Run* run, Py_ssize_t lane, Lanes* lanes) noexcept nogil:
    cdef Py_ssize_t width = min(conv.m * run.tiles, ceil_div(conv.columns - run.column, conv.dilation_w))
    cdef Py_ssize_t i, row
    for i in range(conv.m):
        row = run.row + i * conv.dilation_h
        if row < conv.rows and width > 0:
            add(lanes.y_copy, &lanes.y_copies, run.y + row * conv.y_row + run.column * conv.y_column,
                i * conv.m * VL + conv.m * lane, width)


cdef void locate(const Conv* conv, Py_ssize_t tile, Py_ssize_t tiles, Lanes* lanes) noexcept nogil:
    # `tiles` tiles, at most VL, from number `tile` on.
    cdef Run run
    cdef Py_ssize_t lane = 0, row, column
    memset(lanes.ends, 0, sizeof(lanes.ends))
    lanes.x_copies = lanes.x_pixels = lanes.x_constants = lanes.y_copies = 0
    lanes.whole_x = lanes.whole_y = False
    locate_run(conv, tile, tiles, &run)
    row, column = run.row - conv.top, run.column - conv.left
    if run.tiles == VL and conv.dilation_w == 1:
        lanes.whole_x = (conv.x_column == 1 and row >= 0 and row + (conv.n - 1) * conv.dilation_h < conv.height
                         and column >= 0 and column + conv.m * VL + 2 <= conv.width)
        lanes.whole_y = (conv.y_column == 1 and run.row + (conv.m - 1) * conv.dilation_h < conv.rows
                         and run.column + conv.m * VL <= conv.columns and not adds_in_place(&conv.epilogue))
        lanes.x = run.x + row * conv.x_row + column
        lanes.y = run.y + run.row * conv.y_row + run.column
    while lane < tiles:
        locate_run(conv, tile + lane, tiles - lane, &run)
        if not lanes.whole_x:
            locate_input(conv, &run, lane, lanes)
        if not lanes.whole_y:
            locate_output(conv, &run, lane, lanes)
        lane += run.tiles
        lanes.ends[lane - 1] = 1


# ---- input ---------------------------------------------------------------------------------------------

cdef inline Py_ssize_t line_elements(const Conv* conv) noexcept nogil:
    # n lines of VL tiles, and the two pixels behind each tile that ends a run.
    return (conv.n * conv.m + 2 * conv.n) * VL


cdef inline void copy_run(real* to, const real* source, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i = 0
    while i + VL <= n:
        vec_store(to + i, vec_load(source + i))
        i += VL
    copy_part(to + i, source + i, n - i)


cdef inline void gather(const Lanes* lanes, const real* x, Py_ssize_t step, real* lines) noexcept nogil:
    cdef Py_ssize_t i, j
    cdef const Copy* copy
    for i in range(lanes.x_copies):
        copy = lanes.x_copy + i
        if step == 1:
            copy_run(lines + copy.line, x + copy.image, copy.count)
        else:
            for j in range(copy.count):
                lines[copy.line + j] = x[copy.image + j * step]
    for i in range(lanes.x_pixels):
        lines[lanes.x_pixel[i].line] = x[lanes.x_pixel[i].image]


cdef void transform_lanes(const Conv* conv, const Lanes* lanes, const real* x, const real* lines, real* scratch,
                          real* v, Py_ssize_t v_position) noexcept nogil:
    # One channel of a vector of tiles, from the image itself or from gathered lines.
    cdef const real* behind = lines + conv.n * conv.m * VL
    cdef Py_ssize_t x_row = conv.x_row * conv.dilation_h
    if conv.m == 4:
        if lanes.whole_x:
            transform_input(4, True, x + lanes.x, x_row, behind, lanes.ends, scratch, v, v_position)
        else:
            transform_input(4, False, lines, 4 * VL, behind, lanes.ends, scratch, v, v_position)
    elif lanes.whole_x:
        transform_input(2, True, x + lanes.x, x_row, behind, lanes.ends, scratch, v, v_position)
    else:
        transform_input(2, False, lines, 2 * VL, behind, lanes.ends, scratch, v, v_position)


cdef void transform_part(const Conv* conv, const Unit* unit, const Part* part, Py_ssize_t c0, Py_ssize_t c1) noexcept nogil:
    # Channels c0..c1 of a part's tiles. Rows of two channels are gathered before the first is transformed: a load that
    # spans several stores waits for them.
    cdef Py_ssize_t c, i, vector, size = line_elements(conv)
    cdef const Lanes* lanes
    cdef const real* x
    cdef real* lines
    memset(unit.lines, 0, 2 * part.vectors * size * sizeof(real))
    for vector in range(part.vectors):
        lanes = part.lanes + vector
        for i in range(lanes.x_constants):
            lines = unit.lines + 2 * vector * size + lanes.x_constant[i].line
            lines[0] = lines[size] = conv.cval
    c = c0
    while c < c1:
        for vector in range(part.vectors):
            lanes = part.lanes + vector
            lines = unit.lines + 2 * vector * size
            x = unit.x + c * conv.x_channel
            for i in range(min(<Py_ssize_t>2, c1 - c)):
                gather(lanes, x + i * conv.x_channel, conv.x_column * conv.dilation_w, lines + i * size)
            for i in range(min(<Py_ssize_t>2, c1 - c)):
                transform_lanes(conv, lanes, x + i * conv.x_channel, lines + i * size, unit.scratch,
                                part.v + (c - c0 + i) * part.vectors * VL + vector * VL, part.v_position)
        c += 2


# ---- products ------------------------------------------------------------------------------------------

cdef void multiply_one_tile(Tile* tile) noexcept nogil:
    multiply_few(8, 1, tile)
    multiply_few(2, 1, tile)
    multiply_few(1, 1, tile)


cdef void multiply_few_tiles(Tile* tile) noexcept nogil:
    multiply_few(2, VL // 4, tile)
    multiply_few(1, VL // 4, tile)


cdef void multiply_3_vectors(const Tile* tile) noexcept nogil:
    multiply(GEMM_MR, 3, tile)


cdef void multiply_2_vectors(const Tile* tile) noexcept nogil:
    multiply(GEMM_MR, 2, tile)


cdef void multiply_1_vector(const Tile* tile) noexcept nogil:
    multiply(GEMM_MR, 1, tile)


cdef void multiply_part(const Conv* conv, const Part* part, int position, const real* weights, Py_ssize_t panels,
                        Py_ssize_t c0, Py_ssize_t c1, real* zeros) noexcept nogil:
    # Channels c0..c1 of one position, whose weights begin with channel 0's; blocks of K as `transform_panel` laid them.
    cdef Py_ssize_t lanes = part.vectors * VL, k = c0
    cdef Tile tile
    while k < c1:
        tile.depth = min(<Py_ssize_t>GEMM_DEPTH, c1 - k)
        tile.panels = panels
        tile.weights = weights + k * panels * GEMM_MR
        tile.weights_panel = tile.depth * GEMM_MR
        tile.pixels = part.v + position * part.v_position + (k - c0) * lanes
        tile.y = part.products + position * part.products_position
        tile.y_row = lanes
        tile.addend = tile.y if k > 0 else zeros
        tile.addend_row = lanes if k > 0 else 0
        tile.addend_vector = VL if k > 0 else 0
        if part.few == 1:
            multiply_one_tile(&tile)
        elif part.few > 1:
            multiply_few_tiles(&tile)
        elif part.vectors == 3:
            multiply_3_vectors(&tile)
        elif part.vectors == 2:
            multiply_2_vectors(&tile)
        else:
            multiply_1_vector(&tile)
        k += GEMM_DEPTH


# ---- output --------------------------------------------------------------------------------------------

cdef void finish(const Conv* conv, const Lanes* lanes, real* lines, real* y) noexcept nogil:
    # One output channel of a vector of tiles: in its place, or before it is scattered.
    cdef Py_ssize_t i, y_row = conv.y_row * conv.dilation_h
    if lanes.whole_y:
        finish_rows(&conv.epilogue, y + lanes.y, y_row, y + lanes.y, y_row, conv.m, conv.m * VL)
        return
    if conv.epilogue.residual != NULL:
        for i in range(lanes.y_copies):
            add_residual(&conv.epilogue, lines + lanes.y_copy[i].line, y + lanes.y_copy[i].image, lanes.y_copy[i].count)
    conv.epilogue.finish(&conv.epilogue, lines, 0, 1, conv.m * conv.m * VL)


cdef inline void scatter(const Lanes* lanes, const real* lines, real* y, Py_ssize_t step) noexcept nogil:
    cdef Py_ssize_t i, j
    cdef const Copy* copy
    for i in range(lanes.y_copies):
        copy = lanes.y_copy + i
        if step == 1:
            copy_run(y + copy.image, lines + copy.line, copy.count)
        else:
            for j in range(copy.count):
                y[copy.image + j * step] = lines[copy.line + j]


cdef void restore_lanes(const Conv* conv, const Lanes* lanes, const real* products, Py_ssize_t step, real bias,
                        real* scratch, real* line, real* y) noexcept nogil:
    # One output channel of a vector of tiles: to its place, or to `line` where `scatter` follows.
    cdef Py_ssize_t line_step = conv.m * VL
    if lanes.whole_y:
        line = y + lanes.y
        line_step = conv.y_row * conv.dilation_h
    if conv.m == 4:
        transform_output(4, products, step, bias, scratch, line, line_step)
    else:
        transform_output(2, products, step, bias, scratch, line, line_step)


cdef inline void prefetch_output(const Conv* conv, const Lanes* lanes, const real* y) noexcept nogil:
    # Lines that are about to be written come from memory otherwise: one output channel is far from the next.
    cdef Py_ssize_t i, j
    if lanes.whole_y:
        for i in range(conv.m):
            for j in range(conv.m):
                prefetch_write(y + lanes.y + i * conv.y_row * conv.dilation_h + j * VL)


cdef void restore_part(const Conv* conv, const Unit* unit, const Part* part, Py_ssize_t first,
                       Py_ssize_t outputs) noexcept nogil:
    cdef Py_ssize_t o, vector, size = conv.m * conv.m * VL
    cdef const real* products
    cdef real* y
    for o in range(outputs):
        y = unit.y + (first + o) * conv.y_channel
        for vector in range(part.vectors):
            if o + 1 < outputs:
                prefetch_output(conv, part.lanes + vector, y + conv.y_channel)
            products = part.products + (o * part.vectors + vector) * VL
            restore_lanes(conv, part.lanes + vector, products, part.products_position, unit.bias[first + o],
                          unit.scratch, unit.lines + vector * size, y)
        for vector in range(part.vectors):
            if not conv.epilogue.plain:
                finish(conv, part.lanes + vector, unit.lines + vector * size, y)
            scatter(part.lanes + vector, unit.lines + vector * size, y, conv.y_column * conv.dilation_w)


# ---- the units of work ---------------------------------------------------------------------------------

cdef void locate_unit(const Conv* conv, Py_ssize_t index, real* scratch, Unit* unit) noexcept nogil:
    cdef Py_ssize_t chunk = index % conv.chunks
    cdef Py_ssize_t block = index // conv.chunks % conv.blocks
    cdef Py_ssize_t group = index // (conv.chunks * conv.blocks)
    cdef Py_ssize_t vector = conv.vectors * block // conv.blocks
    unit.first_tile = vector * VL
    unit.vectors = conv.vectors * (block + 1) // conv.blocks - vector
    unit.few = conv.few if block == conv.blocks - 1 else 0
    unit.first_pass = chunk * conv.chunk_passes
    unit.passes = min(conv.chunk_passes, ceil_div(conv.outputs, OUTPUTS) - unit.first_pass)
    unit.x = conv.x + group * conv.channels * conv.x_channel
    unit.y = conv.y + group * conv.outputs * conv.y_channel
    unit.weights = conv.weights + group * conv.panels * GEMM_MR * conv.channels * conv.positions
    unit.bias = conv.bias + group * conv.outputs


cdef Py_ssize_t lay_out(const Conv* conv, Unit* unit, real* scratch) noexcept nogil:
    # Gives each part of a unit its place in the scratch, of which so many elements are used. The odd vector between
    # positions keeps their stores in different sets of the L1 cache.
    cdef real* begin = scratch
    cdef Part* part
    cdef int i
    unit.parts = 0
    for i in range(MOST_PARTS):
        part = &unit.part[unit.parts]
        part.vectors = unit.vectors if i == 0 else (unit.few > 0)
        part.few = 0 if i == 0 else unit.few
        if part.vectors == 0:
            continue
        part.lanes = <Lanes*>scratch
        scratch += ceil_div(part.vectors * sizeof(Lanes), VL * sizeof(real)) * VL
        part.v_position = conv.slab * part.vectors * VL + VL
        part.products_position = OUTPUTS * part.vectors * VL + VL
        part.v = scratch
        scratch += conv.positions * part.v_position
        part.products = scratch
        scratch += conv.positions * part.products_position
        unit.parts += 1
    unit.lines = scratch
    scratch += 2 * MOST_VECTORS * line_elements(conv)
    unit.scratch = scratch
    scratch += POSITIONS * VL
    return scratch - begin


cdef void locate_tiles(const Conv* conv, Unit* unit) noexcept nogil:
    cdef Py_ssize_t tile = unit.first_tile, vector, tiles
    cdef int i
    for i in range(unit.parts):
        for vector in range(unit.part[i].vectors):
            tiles = unit.part[i].few if unit.part[i].few else min(<Py_ssize_t>VL, conv.tiles - tile)
            locate(conv, tile, tiles, unit.part[i].lanes + vector)
            tile += tiles


cdef void run_unit(const Conv* conv, Py_ssize_t index, real* scratch) noexcept nogil:
    cdef Unit unit
    cdef Py_ssize_t number, c, c1, first, outputs, panels
    cdef const real* weights
    cdef int position, i
    locate_unit(conv, index, scratch, &unit)
    lay_out(conv, &unit, scratch + VL)      # the first vector is zero
    locate_tiles(conv, &unit)
    for number in range(unit.first_pass, unit.first_pass + unit.passes):
        first = number * OUTPUTS
        outputs = min(<Py_ssize_t>OUTPUTS, conv.outputs - first)
        panels = ceil_div(outputs, GEMM_MR)
        c = 0
        while c < conv.channels:
            c1 = min(c + conv.slab, conv.channels)
            if number == unit.first_pass or conv.slab < conv.channels:
                for i in range(unit.parts):
                    transform_part(conv, &unit, &unit.part[i], c, c1)
            weights = unit.weights + first * conv.channels * conv.positions
            for position in range(conv.positions):
                for i in range(unit.parts):
                    multiply_part(conv, &unit.part[i], position, weights, panels, c, c1, scratch)
                weights += panels * GEMM_MR * conv.channels
            c = c1
        for i in range(unit.parts):
            restore_part(conv, &unit, &unit.part[i], first, outputs)


cdef void partition(Conv* conv, Py_ssize_t images, Py_ssize_t threads) noexcept nogil:
    # Blocks of as many vectors as registers hold sums for, if their transformed input leaves room in the caches; then
    # the output channels are split (each chunk transforms the input again), then the blocks, until all threads work.
    cdef Py_ssize_t passes = ceil_div(conv.outputs, OUTPUTS), most, extra
    cdef Py_ssize_t vector_bytes = conv.positions * conv.channels * VL * <Py_ssize_t>sizeof(real)
    conv.tiles_down = ceil_div(ceil_div(conv.rows, conv.dilation_h), conv.m)
    conv.tiles_across = ceil_div(ceil_div(conv.columns, conv.dilation_w), conv.m)
    conv.tiles = images * conv.dilation_h * conv.dilation_w * conv.tiles_down * conv.tiles_across
    conv.vectors = ceil_div(conv.tiles, VL)
    conv.few = conv.tiles % VL
    if conv.few > VL // 4 or conv.vectors == 1:
        conv.few = 0
    elif conv.few:
        conv.vectors -= 1
    extra = conv.few > 0
    most = min(<Py_ssize_t>GEMM_NV, max(<Py_ssize_t>1, INPUT_BYTES // vector_bytes - extra))
    conv.slab = conv.channels
    if (1 + extra) * vector_bytes > INPUT_BYTES:
        conv.slab = INPUT_BYTES // ((1 + extra) * vector_bytes // conv.channels) // GEMM_DEPTH * GEMM_DEPTH
    conv.blocks = ceil_div(conv.vectors, most)
    conv.chunk_passes = passes
    while conv.chunk_passes > 1 and conv.groups * conv.blocks * ceil_div(passes, conv.chunk_passes) < threads:
        conv.chunk_passes -= 1
    conv.chunks = ceil_div(passes, conv.chunk_passes)
    while conv.blocks < conv.vectors and conv.groups * conv.blocks * conv.chunks < threads:
        conv.blocks += 1
    conv.block_vectors = ceil_div(conv.vectors, conv.blocks)


cdef Py_ssize_t scratch_elements(const Conv* conv) noexcept nogil:
    # Of one thread.
    cdef Unit unit
    unit.vectors = conv.block_vectors
    unit.few = conv.few
    return VL + lay_out(conv, &unit, <real*>0)


def workspace_bytes(int m, Py_ssize_t images, Py_ssize_t groups, Py_ssize_t outputs, Py_ssize_t channels, Py_ssize_t rows,
                    Py_ssize_t columns, Py_ssize_t dilation_h, Py_ssize_t dilation_w, int num_threads):
    """Scratch of each thread of `conv3x3`, for `outputs` and `channels` of a group and an output of rows × columns."""
    cdef Conv conv
    conv.m, conv.n, conv.positions = m, m + 2, (m + 2) * (m + 2)
    conv.groups, conv.outputs, conv.channels = groups, outputs, channels
    conv.rows, conv.columns, conv.dilation_h, conv.dilation_w = rows, columns, dilation_h, dilation_w
    partition(&conv, images, num_threads)
    return scratch_elements(&conv) * <Py_ssize_t>sizeof(real)


def conv3x3(const real[:, :, :, :] x_bchw not None, const real[::1] weights not None,
            const real[::1] bias not None, real[:, :, :, :] y_bchw not None, int m, Py_ssize_t top, Py_ssize_t left,
            Py_ssize_t dilation_h, Py_ssize_t dilation_w, Py_ssize_t groups, int border, real cval, int num_threads,
            int activation=0, real slope=0, const real[:, :, :, :] residual=None):
    """Convolve `x_bchw` into `y_bchw`, both of any strides, with F(m×m, 3×3); m is 2 or 4.

    `weights` comes from `transform_weights` with the same `m`; `bias` holds one value for each output channel; `top` and
    `left` are the padding, of which the bottom's and right's follow from the output's shape. `residual` has `y_bchw`'s
    strides, or is it.
    """
    cdef Conv conv
    cdef Py_ssize_t units, u, thread_scratch
    cdef real* scratch
    conv.m, conv.n, conv.positions = m, m + 2, (m + 2) * (m + 2)
    conv.groups = groups
    conv.channels = x_bchw.shape[1] // groups
    conv.outputs = y_bchw.shape[1] // groups
    conv.panels = ceil_div(conv.outputs, GEMM_MR)
    conv.height, conv.width = x_bchw.shape[2], x_bchw.shape[3]
    conv.rows, conv.columns = y_bchw.shape[2], y_bchw.shape[3]
    conv.top, conv.left, conv.dilation_h, conv.dilation_w = top, left, dilation_h, dilation_w
    conv.x, conv.y = &x_bchw[0, 0, 0, 0], &y_bchw[0, 0, 0, 0]
    conv.x_image, conv.x_channel = elements(x_bchw.strides[0]), elements(x_bchw.strides[1])
    conv.x_row, conv.x_column = elements(x_bchw.strides[2]), elements(x_bchw.strides[3])
    conv.y_image, conv.y_channel = elements(y_bchw.strides[0]), elements(y_bchw.strides[1])
    conv.y_row, conv.y_column = elements(y_bchw.strides[2]), elements(y_bchw.strides[3])
    conv.border, conv.cval = border, cval
    conv.weights, conv.bias = &weights[0], &bias[0]
    conv.epilogue = make_epilogue(activation, slope, residual, conv.y, conv.y_column * dilation_w)
    partition(&conv, x_bchw.shape[0], num_threads)
    units = groups * conv.blocks * conv.chunks
    thread_scratch = scratch_elements(&conv)
    scratch = <real*>scratch_alloc(num_threads * thread_scratch * sizeof(real))
    if scratch == NULL:
        raise MemoryError("no memory for the scratch of a convolution")
    with nogil:
        for u in range(num_threads):
            memset(scratch + u * thread_scratch, 0, VL * sizeof(real))
        if num_threads == 1:    # no team: also what a forked child must do
            for u in range(units):
                run_unit(&conv, u, scratch)
        else:
            for u in prange(units, num_threads=num_threads, schedule="dynamic"):
                run_unit(&conv, u, scratch + threadid() * thread_scratch)
        scratch_free(scratch)

"""Winograd's convolution: 3×3 kernels in 36/16 (F(4×4)) or 16/4 (F(2×2)) products an output instead of 9, or, with
stride 2, in 81/16.

Outputs are cut into tiles of m×m. The tiles of all images are numbered in one line, and VL of them, one in each lane,
pass through every step together; no lane ever meets another, so that a tile's bits do not depend on its neighbours.
Where a few tiles are left that would leave most lanes empty, the lanes are their channels instead.

A unit of work is a group × a block of tiles. It transforms the block's input tiles into scratch, [n·n][channel][tile];
multiplies, for each of the n·n positions, weight panels [output][channel] with them; and transforms the products (with
stride 2, sums of those of up to four positions) back into output tiles. Units that are left when each thread has as
many as the next are shared by all: each multiplies a chunk of the output channels, and transforms the input for
itself, which takes no longer than reading what another core has just written. Borders, strides, dilation and the ends
of rows are resolved once for each unit (`locate`), into loads or copies that hold for every channel.

A dilation of d is d·d convolutions without, of every d-th row and column: just more images. It has no stride.
"""
from cython.parallel cimport prange
from libc.string cimport memset

from convkit._native.arith cimport ceil_div, elements
from convkit._native.copies cimport copy_run
from convkit._native.epilogue cimport add_residual, make_epilogue
from convkit._native.shares cimport run_units
from convkit._native.simd cimport (GEMM_MR, GEMM_NV, LINE, VL, prefetch, prefetch_far, real, scratch_alloc, scratch_free,
                                   vec, vec_load_part, vec_set)
from convkit._native.winograd_conv cimport GATHERED, PIECED, SPREAD, WHOLE, Conv, Copy, Lanes, Part, Step
from convkit._native.winograd_partition cimport partition, set_scheme
from convkit._native.winograd_places cimport locate, locate_output
from convkit._native.winograd_products cimport Products, multiply_few, multiply_panels
from convkit._native.winograd_tile cimport Rows, transform_input, transform_output
from convkit._native.winograd_weights cimport transform_kernels, transform_panel

cdef enum:
    MOST_PARTS = 2              # of a block: whole vectors of tiles, and a few tiles more
    MOST_VECTORS = 4            # of a block


cdef struct Unit:
    Py_ssize_t first_tile, vectors, few
    const real* x
    real* y
    const real* weights
    const real* bias
    Part part[MOST_PARTS]
    int parts
    real* lines                 # two channels' gathered rows; one output channel's
    real* scratch
    real* pixels                # of few tiles, one in a register


# ---- weights -------------------------------------------------------------------------------------------

def weight_count(Py_ssize_t groups, Py_ssize_t outputs, Py_ssize_t channels, int m):
    """Elements of the weights that `transform_weights` makes."""
    return groups * ceil_div(outputs, GEMM_MR) * GEMM_MR * channels * (m + 2) * (m + 2)


cdef void transform_some(int m, int stride, const real* g, Py_ssize_t channels, real* u) noexcept nogil:
    if stride == 2:
        transform_kernels(4, 2, g, channels, u)
    elif m == 4:
        transform_kernels(4, 1, g, channels, u)
    else:
        transform_kernels(2, 1, g, channels, u)


def transform_weights(const real[:, :, :, :, :] weight_gockk not None, int m, int stride, real[::1] packed not None,
                      int num_threads):
    """Fill `packed`, of `weight_count` elements, with what a `Convolution` multiplies by."""
    cdef Py_ssize_t units = weight_gockk.shape[0] * ceil_div(weight_gockk.shape[1], GEMM_MR), u
    cdef real* to = &packed[0]
    with nogil:
        if num_threads == 1:
            for u in range(units):
                transform_panel(weight_gockk, m, stride, u, to, transform_some)
        else:
            for u in prange(units, num_threads=num_threads, schedule="static"):
                transform_panel(weight_gockk, m, stride, u, to, transform_some)


# ---- input ---------------------------------------------------------------------------------------------

cdef inline Py_ssize_t line_elements(const Conv* conv) noexcept nogil:
    # n lines of VL tiles, and the pixels behind each tile that ends a run.
    return conv.n * (conv.span + conv.overlap) * VL


cdef inline void gather(const Lanes* lanes, const real* x, Py_ssize_t step, Py_ssize_t ahead, real* lines) noexcept nogil:
    # What lies `ahead`, in a channel that is gathered later, is asked for: the processor does not foresee it.
    cdef Py_ssize_t i, j
    cdef const Copy* copy
    for i in range(lanes.x_copies):
        copy = lanes.x_copy + i
        if step == 1:
            j = 0
            while j < copy.count:
                prefetch(x + ahead + copy.image + j)
                j += LINE
            copy_run(lines + copy.line, x + copy.image, copy.count)
        else:
            for j in range(copy.count):
                lines[copy.line + j] = x[copy.image + j * step]
    for i in range(lanes.x_pixels):
        lines[lanes.x_pixel[i].line] = x[lanes.x_pixel[i].image]


cdef inline void ask_for_pieces(const Conv* conv, const Lanes* lanes, const real* x) noexcept nogil:
    # The same of what is read in pieces.
    cdef int i
    for i in range(conv.n * conv.m * conv.stride):
        prefetch(x + lanes.piece[i].first)


cdef inline void transform_rows(const int m, const int stride, const Rows* rows, real* scratch, real* v,
                                Py_ssize_t v_position) noexcept nogil:
    if rows.kind == WHOLE:
        transform_input(m, stride, WHOLE, rows, scratch, v, v_position)
    elif rows.kind == PIECED:
        transform_input(m, stride, PIECED, rows, scratch, v, v_position)
    elif rows.kind == GATHERED:
        transform_input(m, stride, GATHERED, rows, scratch, v, v_position)
    else:
        transform_input(m, stride, SPREAD, rows, scratch, v, v_position)


cdef void transform_lanes(const Conv* conv, const Rows* rows, real* scratch, real* v, Py_ssize_t v_position) noexcept nogil:
    # One vector: a channel of VL tiles, or VL channels of a tile.
    if conv.stride == 2:
        transform_rows(4, 2, rows, scratch, v, v_position)
    elif conv.m == 4:
        transform_rows(4, 1, rows, scratch, v, v_position)
    else:
        transform_rows(2, 1, rows, scratch, v, v_position)


cdef void clear_lines(const Conv* conv, const Unit* unit, const Part* part) noexcept nogil:
    # Of two channels, and what is the same in all channels.
    cdef Py_ssize_t vector, i, size = line_elements(conv)
    cdef const Lanes* lanes
    cdef real* lines
    memset(unit.lines, 0, 2 * part.vectors * size * sizeof(real))
    for vector in range(part.vectors):
        lanes = part.lanes + vector
        for i in range(lanes.x_constants):
            lines = unit.lines + 2 * vector * size + lanes.x_constant[i].line
            lines[0] = lines[size] = conv.cval


cdef Rows rows_of(const Conv* conv, const Lanes* lanes, const real* x, const real* lines) noexcept nogil:
    # A channel's, in the image itself or in its gathered lines.
    cdef Rows rows
    rows.kind, rows.lanes = lanes.kind, lanes
    rows.line, rows.step = x, 0
    if lanes.kind == WHOLE:
        rows.line, rows.step = x + lanes.x, conv.x_row * conv.dilation_h
    elif lanes.kind == GATHERED:
        rows.line, rows.step = lines, conv.span * VL
    rows.behind = lines + conv.n * conv.span * VL
    return rows


cdef void transform_vectors(const Conv* conv, const Unit* unit, const Part* part, Py_ssize_t first, Py_ssize_t c0,
                            Py_ssize_t c1) noexcept nogil:
    # Channels c0..c1 of a part's tiles, to scratch that begins with channel `first`. Rows of two channels are gathered
    # before the first is transformed: a load that spans several stores waits for them.
    cdef Py_ssize_t c = c0, i, vector, size = line_elements(conv)
    cdef const Lanes* lanes
    cdef const real* x
    cdef real* lines
    cdef Rows rows
    clear_lines(conv, unit, part)
    while c < c1:
        for vector in range(part.vectors):
            lanes = part.lanes + vector
            lines = unit.lines + 2 * vector * size
            x = unit.x + c * conv.x_channel
            for i in range(min(<Py_ssize_t>2, c1 - c)):
                if lanes.kind == GATHERED:
                    gather(lanes, x + i * conv.x_channel, conv.x_column * conv.dilation_w, 2 * conv.x_channel,
                           lines + i * size)
                elif lanes.kind == PIECED:
                    ask_for_pieces(conv, lanes, x + (i + 2) * conv.x_channel)
            for i in range(min(<Py_ssize_t>2, c1 - c)):
                rows = rows_of(conv, lanes, x + i * conv.x_channel, lines + i * size)
                transform_lanes(conv, &rows, unit.scratch, part.v + ((c - first + i) * part.vectors + vector) * VL,
                                part.v_position)
        c += 2


cdef void spread(const Conv* conv, const real* lines, const Lanes* lanes, Py_ssize_t tile, real* pixels) noexcept nogil:
    # A tile's pixels, from a channel's lines to that channel's lane.
    cdef const real* line = lines + conv.span * tile
    cdef const real* behind = lines + conv.n * conv.span * VL + tile
    cdef int _, b
    for _ in range(conv.n):
        for b in range(conv.span):
            pixels[b * VL] = line[b]
        for b in range(conv.overlap):
            pixels[(conv.span + b) * VL] = behind[b * VL] if lanes.ends[tile] else line[conv.span + b]
        line += conv.span * VL
        behind += conv.overlap * VL
        pixels += conv.n * VL


cdef void transform_few(const Conv* conv, const Unit* unit, const Part* part, Py_ssize_t first, Py_ssize_t c0,
                        Py_ssize_t c1) noexcept nogil:
    # The same of few tiles: the lanes are channels.
    cdef Py_ssize_t c = c0, i, tile, positions = conv.positions * VL
    cdef Rows rows
    clear_lines(conv, unit, part)
    memset(unit.pixels, 0, part.tiles * positions * sizeof(real))
    rows.kind, rows.step, rows.behind, rows.lanes = SPREAD, conv.n * VL, NULL, part.lanes
    while c < c1:
        for i in range(min(<Py_ssize_t>VL, c1 - c)):
            gather(part.lanes, unit.x + (c + i) * conv.x_channel, conv.x_column * conv.dilation_w, conv.x_channel,
                   unit.lines)
            for tile in range(part.few):
                spread(conv, unit.lines, part.lanes, tile, unit.pixels + tile * positions + i)
        for tile in range(part.tiles):
            rows.line = unit.pixels + tile * positions
            transform_lanes(conv, &rows, unit.scratch, part.v + tile * part.v_tile + c - first, part.v_position)
        c += VL


cdef void transform(const Conv* conv, const Unit* unit, Py_ssize_t first, Py_ssize_t c0, Py_ssize_t c1) noexcept nogil:
    cdef int i
    for i in range(unit.parts):
        if unit.part[i].few:
            transform_few(conv, unit, &unit.part[i], first, c0, c1)
        else:
            transform_vectors(conv, unit, &unit.part[i], first, c0, c1)


# ---- products ------------------------------------------------------------------------------------------

cdef inline void multiply_vectors(const bint first, Py_ssize_t vectors, Py_ssize_t few, Products* at) noexcept nogil:
    if few == 1:
        multiply_few(8, 1, first, at)
        multiply_few(2, 1, first, at)
        multiply_few(1, 1, first, at)
    elif few > 1:
        multiply_few(2, VL // 4, first, at)
        multiply_few(1, VL // 4, first, at)
    elif GEMM_NV > 2 and vectors == 3:
        multiply_panels(1, 3, first, at)
    elif vectors == 2:
        multiply_panels(1, 2, first, at)
    else:
        multiply_panels(2, 1, first, at)
        multiply_panels(1, 1, first, at)


cdef void multiply_first(Py_ssize_t vectors, Py_ssize_t few, Products* at) noexcept nogil:
    multiply_vectors(True, vectors, few, at)


cdef void multiply_next(Py_ssize_t vectors, Py_ssize_t few, Products* at) noexcept nogil:
    multiply_vectors(False, vectors, few, at)


cdef void multiply(const Conv* conv, const Unit* unit, Py_ssize_t first, Py_ssize_t panels, Py_ssize_t c0,
                   Py_ssize_t c1) noexcept nogil:
    # Channels c0..c1, for `panels` panels of output channels from number `first` on.
    cdef Py_ssize_t k, depth
    cdef const real* weights
    cdef const Part* part
    cdef const Step* step
    cdef Products at
    cdef int i, number
    for number in range(conv.positions):
        step = conv.step + number
        k = c0
        while k < c1:
            depth = min(conv.depth, c1 - k)
            weights = unit.weights + ((step.matrix * conv.channels + k) * conv.panels + first * depth) * GEMM_MR
            for i in range(unit.parts):
                part = &unit.part[i]
                at.panels, at.depth, at.weights = panels, depth, weights
                at.next_weights = weights + conv.panels * depth * GEMM_MR
                at.pixels = part.v + step.position * part.v_position + (k - c0) * (1 if part.few else part.vectors * VL)
                at.pixels_tile, at.y_tile = part.v_tile, part.products_tile
                at.y = part.products + step.sum * part.products_sum
                if step.first and k == 0:
                    multiply_first(part.vectors, part.few, &at)
                else:
                    multiply_next(part.vectors, part.few, &at)
            k += depth


# ---- output --------------------------------------------------------------------------------------------

cdef inline void finish(const Conv* conv, const Part* part, real* lines, const real* y) noexcept nogil:
    # Whole: what lies beside the output is not worth telling apart.
    cdef Py_ssize_t i
    if conv.epilogue.residual != NULL:
        for i in range(part.y_copies):
            add_residual(&conv.epilogue, lines + part.y_copy[i].line, y + part.y_copy[i].image, part.y_copy[i].count)
    conv.epilogue.finish(&conv.epilogue, lines, 0, 1, conv.m * conv.m * part.vectors * VL)


cdef inline void scatter(const Conv* conv, const Part* part, const real* lines, real* y) noexcept nogil:
    cdef Py_ssize_t step = conv.y_column * conv.dilation_w, i, j
    cdef const Copy* copy
    for i in range(part.y_copies):
        copy = part.y_copy + i
        if step == 1:
            copy_run(y + copy.image, lines + copy.line, copy.count)
        else:
            for j in range(copy.count):
                y[copy.image + j * step] = lines[copy.line + j]


cdef inline void prefetch_output(const Conv* conv, const Part* part, real* y) noexcept nogil:
    # Lines that are soon written come from memory otherwise: one output channel is far from the next. Into the second
    # cache, which waits for more of them at a time than the first.
    cdef Py_ssize_t i
    cdef real* to
    cdef real* end
    for i in range(part.y_copies):
        to = y + part.y_copy[i].image
        end = to + part.y_copy[i].count
        while to < end:
            prefetch_far(to)
            to += LINE


cdef void restore_lanes(const Conv* conv, bint joined, const real* products, Py_ssize_t step, vec bias, real* scratch,
                        real* line, Py_ssize_t line_step) noexcept nogil:
    # One vector: an output channel of VL tiles, or VL output channels of a tile.
    if conv.stride == 2:
        transform_output(4, 2, joined, products, step, bias, scratch, line, line_step)
    elif conv.m == 4:
        transform_output(4, 1, joined, products, step, bias, scratch, line, line_step)
    else:
        transform_output(2, 1, joined, products, step, bias, scratch, line, line_step)


cdef void finish_output(const Conv* conv, const Part* part, real* lines, real* y) noexcept nogil:
    if not conv.epilogue.plain:
        finish(conv, part, lines, y)
    scatter(conv, part, lines, y)


cdef void restore_vectors(const Conv* conv, const Unit* unit, const Part* part, Py_ssize_t first,
                          Py_ssize_t outputs) noexcept nogil:
    # Output channels from number `first` on: each is restored to lines, which are finished while the next one is.
    cdef Py_ssize_t o, vector, line = part.vectors * conv.m * VL
    cdef real* y = unit.y + first * conv.y_channel
    cdef real* lines[2]
    lines[0], lines[1] = unit.lines, unit.lines + conv.m * line
    for o in range(outputs + 1):
        if o < outputs:
            if conv.y_column * conv.dilation_w == 1:
                prefetch_output(conv, part, y + o * conv.y_channel)
            for vector in range(part.vectors):
                restore_lanes(conv, True, part.products + (o * part.vectors + vector) * VL, part.products_sum,
                              vec_set(unit.bias[first + o]), unit.scratch, lines[o % 2] + vector * conv.m * VL, line)
        if o > 0:
            finish_output(conv, part, lines[(o - 1) % 2], y + (o - 1) * conv.y_channel)


cdef void restore_few(const Conv* conv, const Unit* unit, const Part* part, Py_ssize_t first,
                      Py_ssize_t outputs) noexcept nogil:
    # The same of few tiles: the lanes are output channels.
    cdef Py_ssize_t o = 0, count, i, tile, a, b
    cdef real* y = unit.y + first * conv.y_channel
    cdef const real* pixels
    while o < outputs:
        count = min(<Py_ssize_t>VL, outputs - o)
        for tile in range(part.few):
            restore_lanes(conv, False, part.products + tile * part.products_tile + o, part.products_sum,
                          vec_load_part(unit.bias + first + o, count), unit.scratch,
                          unit.pixels + tile * conv.m * conv.m * VL, conv.m * VL)
        for i in range(count):
            pixels = unit.pixels + i
            for tile in range(part.few):
                for a in range(conv.m):
                    for b in range(conv.m):
                        unit.lines[(a * VL + tile) * conv.m + b] = pixels[0]
                        pixels += VL
            finish_output(conv, part, unit.lines, y + (o + i) * conv.y_channel)
        o += VL


cdef void restore(const Conv* conv, const Unit* unit, Py_ssize_t first, Py_ssize_t outputs) noexcept nogil:
    cdef int i
    for i in range(unit.parts):
        if unit.part[i].few:
            restore_few(conv, unit, &unit.part[i], first, outputs)
        else:
            restore_vectors(conv, unit, &unit.part[i], first, outputs)


# ---- the units of work ---------------------------------------------------------------------------------

cdef void number_parts(Unit* unit) noexcept nogil:
    cdef Part* part
    cdef int i
    unit.parts = 0
    for i in range(MOST_PARTS):
        part = &unit.part[unit.parts]
        part.vectors = unit.vectors if i == 0 else (unit.few > 0)
        part.few = 0 if i == 0 else unit.few
        part.tiles = 1 if part.few == 1 else VL // 4
        unit.parts += part.vectors > 0


cdef Py_ssize_t lay_out(const Conv* conv, Unit* unit, real* scratch) noexcept nogil:
    # Gives each part of a unit its place; the number of elements. The odd vector between positions keeps their stores
    # in different sets of the L1 cache.
    cdef real* begin = scratch
    cdef Part* part
    cdef int i
    number_parts(unit)
    for i in range(unit.parts):
        part = &unit.part[i]
        part.v_tile = ceil_div(conv.slab, VL) * VL
        part.v_position = (part.tiles * part.v_tile if part.few else conv.slab * part.vectors * VL) + VL
        part.v = scratch
        scratch += conv.positions * part.v_position
        part.lanes = <Lanes*>scratch
        scratch += ceil_div(part.vectors * sizeof(Lanes), VL * sizeof(real)) * VL
        part.y_copy = <Copy*>scratch
        scratch += ceil_div(part.vectors * VL * conv.m * sizeof(Copy), VL * sizeof(real)) * VL
        part.products_tile = ceil_div(conv.pass_panels * GEMM_MR, VL) * VL
        part.products_sum = (part.tiles * part.products_tile if part.few else
                             conv.pass_panels * GEMM_MR * part.vectors * VL) + VL
        part.products = scratch
        scratch += conv.sums * part.products_sum
    unit.lines = scratch
    scratch += 2 * MOST_VECTORS * line_elements(conv)
    unit.scratch = scratch
    scratch += conv.positions * VL
    unit.pixels = scratch
    scratch += VL // 4 * conv.positions * VL
    return scratch - begin


cdef Py_ssize_t scratch_elements(const Conv* conv) noexcept nogil:
    # Of the largest unit.
    cdef Unit unit
    unit.vectors = conv.block_vectors
    unit.few = conv.few
    return ceil_div(lay_out(conv, &unit, <real*>0), LINE) * LINE


cdef void locate_unit(const Conv* conv, Py_ssize_t index, real* scratch, Unit* unit) noexcept nogil:
    cdef Py_ssize_t block = index % conv.blocks, group = index // conv.blocks
    cdef Py_ssize_t tile = ceil_div(conv.vectors * block, conv.blocks), vector, tiles  # those that are shared are smaller
    cdef Part* part
    cdef int i
    unit.vectors = ceil_div(conv.vectors * (block + 1), conv.blocks) - tile
    unit.few = conv.few if block == conv.blocks - 1 else 0
    unit.x = conv.x + group * conv.channels * conv.x_channel
    unit.y = conv.y + group * conv.outputs * conv.y_channel
    unit.weights = conv.weights + group * conv.panels * GEMM_MR * conv.channels * conv.matrices
    unit.bias = conv.bias + group * conv.outputs
    lay_out(conv, unit, scratch)
    tile *= VL
    for i in range(unit.parts):
        part = &unit.part[i]
        tiles = part.few if part.few else min(part.vectors * VL, conv.tiles - tile)
        locate_output(conv, tile, tiles, part)
        for vector in range(part.vectors):
            locate(conv, tile + vector * VL, min(<Py_ssize_t>VL, tiles - vector * VL), part.few > 0,
                   part.lanes + vector)
        tile += tiles


cdef void run_panels(const Conv* conv, const Unit* unit, Py_ssize_t panel, Py_ssize_t end) noexcept nogil:
    # Output channels of the panels from number `panel` to `end`.
    cdef Py_ssize_t panels, c, c1
    cdef bint transformed = False
    while panel < end:
        panels = min(conv.pass_panels, end - panel)
        c = 0
        while c < conv.channels:
            c1 = min(c + conv.slab, conv.channels)
            if not transformed:
                transform(conv, unit, c, c, c1)
            multiply(conv, unit, panel, panels, c, c1)
            c = c1
        transformed = conv.slab == conv.channels
        restore(conv, unit, panel * GEMM_MR, min(panels * GEMM_MR, conv.outputs - panel * GEMM_MR))
        panel += panels


cdef void run_alone(const void* work, Py_ssize_t index, char* scratch) noexcept nogil:
    cdef const Conv* conv = <const Conv*>work
    cdef Unit unit
    locate_unit(conv, index, <real*>scratch, &unit)
    run_panels(conv, &unit, 0, conv.panels)


cdef void run_shared(const void* work, Py_ssize_t index, char* scratch) noexcept nogil:
    # One chunk of a shared unit's panels.
    cdef const Conv* conv = <const Conv*>work
    cdef Py_ssize_t number = index // conv.chunks, chunk = index % conv.chunks
    cdef Unit unit
    locate_unit(conv, conv.alone + number, <real*>scratch, &unit)
    run_panels(conv, &unit, conv.panels * chunk // conv.chunks, conv.panels * (chunk + 1) // conv.chunks)


cdef void set_up(Conv* conv, int m, int stride, Py_ssize_t images, int num_threads) noexcept nogil:
    # What follows from the sizes.
    set_scheme(conv, m, stride)
    partition(conv, images, num_threads)


def workspace_bytes(int m, int stride, Py_ssize_t images, Py_ssize_t groups, Py_ssize_t outputs, Py_ssize_t channels,
                    Py_ssize_t rows, Py_ssize_t columns, Py_ssize_t dilation_h, Py_ssize_t dilation_w, int num_threads):
    """Scratch of each thread of a `Convolution`: `outputs` and `channels` of a group, an output of rows × columns."""
    cdef Conv conv
    conv.groups, conv.outputs, conv.channels = groups, outputs, channels
    conv.rows, conv.columns, conv.dilation_h, conv.dilation_w = rows, columns, dilation_h, dilation_w
    set_up(&conv, m, stride, images, num_threads)
    return scratch_elements(&conv) * <Py_ssize_t>sizeof(real)


cdef class Convolution:
    """A convolution by F(m×m, 3×3) whose weights are transformed; m is 2 or 4, and 4 with stride 2.

    `weights` comes from `transform_weights` with the same `m` and `stride`; `bias` holds one value for each output channel;
    `top` and `left` are the padding, of which the bottom's and right's follow from the output's shape.
    """
    cdef const real[::1] weights, bias
    cdef int m, stride, border
    cdef Py_ssize_t top, left, dilation_h, dilation_w, groups
    cdef real cval

    def __init__(self, const real[::1] weights not None, const real[::1] bias not None, int m, int stride, Py_ssize_t top,
                 Py_ssize_t left, Py_ssize_t dilation_h, Py_ssize_t dilation_w, Py_ssize_t groups, int border, real cval):
        self.weights, self.bias, self.m, self.stride, self.top, self.left = weights, bias, m, stride, top, left
        self.dilation_h, self.dilation_w, self.groups = dilation_h, dilation_w, groups
        self.border, self.cval = border, cval

    def run(self, const real[:, :, :, :] x_bchw not None, real[:, :, :, :] y_bchw not None, int num_threads,
            int activation=0, real slope=0, const real[:, :, :, :] residual=None):
        """Convolve `x_bchw` into `y_bchw`, both of any strides; `residual` has `y_bchw`'s, or is it."""
        cdef Conv conv
        cdef Py_ssize_t thread_bytes
        cdef char* scratch
        conv.groups = self.groups
        conv.channels, conv.outputs = x_bchw.shape[1] // self.groups, y_bchw.shape[1] // self.groups
        conv.height, conv.width = x_bchw.shape[2], x_bchw.shape[3]
        conv.rows, conv.columns = y_bchw.shape[2], y_bchw.shape[3]
        conv.top, conv.left, conv.dilation_h, conv.dilation_w = self.top, self.left, self.dilation_h, self.dilation_w
        conv.x, conv.y = &x_bchw[0, 0, 0, 0], &y_bchw[0, 0, 0, 0]
        conv.x_image, conv.x_channel = elements(x_bchw.strides[0]), elements(x_bchw.strides[1])
        conv.x_row, conv.x_column = elements(x_bchw.strides[2]), elements(x_bchw.strides[3])
        conv.y_image, conv.y_channel = elements(y_bchw.strides[0]), elements(y_bchw.strides[1])
        conv.y_row, conv.y_column = elements(y_bchw.strides[2]), elements(y_bchw.strides[3])
        conv.border, conv.cval = self.border, self.cval
        conv.weights, conv.bias = &self.weights[0], &self.bias[0]
        conv.epilogue = make_epilogue(activation, slope, residual, conv.y, conv.y_column * conv.dilation_w)
        set_up(&conv, self.m, self.stride, x_bchw.shape[0], num_threads)
        num_threads = <int>min(<Py_ssize_t>num_threads, max(conv.alone, conv.shared * conv.chunks))
        thread_bytes = scratch_elements(&conv) * sizeof(real)
        scratch = <char*>scratch_alloc(num_threads * thread_bytes)
        if scratch == NULL:
            raise MemoryError("no memory for the scratch of a convolution")
        with nogil:
            run_units(run_alone, &conv, conv.alone, num_threads, scratch, thread_bytes)
            run_units(run_shared, &conv, conv.shared * conv.chunks, num_threads, scratch, thread_bytes)
            scratch_free(scratch)


cdef list written(const Conv* conv, const Unit* unit, Py_ssize_t panel, Py_ssize_t end):
    # The runs of the output that these panels of a unit write.
    cdef Py_ssize_t i, j, first = panel * GEMM_MR, outputs = min(end * GEMM_MR, conv.outputs) - first
    cdef const Copy* copy
    found = []
    for i in range(unit.parts):
        for j in range(unit.part[i].y_copies):
            copy = unit.part[i].y_copy + j
            found.append((unit.y - conv.y + first * conv.y_channel + copy.image, outputs, copy.count))
    return found


def units(int m, int stride, Py_ssize_t images, Py_ssize_t groups, Py_ssize_t outputs, Py_ssize_t channels, Py_ssize_t rows,
          Py_ssize_t columns, Py_ssize_t dilation_h, Py_ssize_t dilation_w, int num_threads):
    """The units of work of a `Convolution` into an output without gaps: those of one thread, the chunks of shared ones.

    Of each its vectors of tiles and the runs that it writes: the first element, the output channels, and the elements,
    `dilation_w` apart.
    """
    cdef Conv conv
    cdef real* scratch
    cdef Unit unit
    cdef Py_ssize_t u, i, vectors
    memset(&conv, 0, sizeof(Conv))
    conv.groups, conv.outputs, conv.channels = groups, outputs, channels
    conv.rows, conv.columns, conv.dilation_h, conv.dilation_w = rows, columns, dilation_h, dilation_w
    conv.y_image, conv.y_channel = groups * outputs * rows * columns, rows * columns
    conv.y_row, conv.y_column = columns, 1
    set_up(&conv, m, stride, images, num_threads)
    scratch = <real*>scratch_alloc(scratch_elements(&conv) * sizeof(real))
    if scratch == NULL:
        raise MemoryError("no memory for the tables of a convolution")
    alone, chunks = [], []
    for u in range(conv.alone + conv.shared):
        locate_unit(&conv, u, scratch, &unit)
        vectors = unit.vectors + (unit.few > 0)
        if u < conv.alone:
            alone.append((vectors, written(&conv, &unit, 0, conv.panels)))
            continue
        for i in range(conv.chunks):
            chunks.append((vectors, written(&conv, &unit, conv.panels * i // conv.chunks,
                                            conv.panels * (i + 1) // conv.chunks)))
    scratch_free(scratch)
    return alone, chunks

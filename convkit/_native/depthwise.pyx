"""Convolution with few channels a group: depthwise, grouped and first layers, without a GEMM.

A unit of work is an image × group × band of output rows. It goes over the output in strips: it copies the input
rows of a strip, with their borders, into its thread's scratch, and then sums the outputs from there, a tile of
them at a time in registers, every tap by shifted loads:

* one output or two: ROWS rows by one vector. A vector that was loaded once feeds every row of the tile that lies
  under the kernel: of ROWS + CHUNK - 1 loads come ROWS · CHUNK products, for CHUNK kernel rows. Under a dilated kernel
  the tile's rows lie so far apart that one's kernel rows lie on another's.
* 4 outputs or 8: some vectors anywhere in the strip. A loaded vector feeds every output.

A depthwise 3×3 kernel of stride 2 reads the input where it lies, and sums its taps row by row (`by_twos`); so does one
of stride 1, of 2 to 5 or 7 rows, on machines that load some lanes of a register as fast as all (`depthwise_rows`). Under
another border than constants or zeros, between columns that lie apart, or where a residual is added in place, they are
like the others, and give the same bits.

A strip's rows are PITCH apart, so that their addresses are constants. With a horizontal stride s its columns are
split into s planes, column c in plane c % s: what a tap brings to neighbouring outputs lies side by side.

One output sums its bias, then (chunk by chunk of) kernel rows, channel by channel, the taps column by column (of a 3×3
kernel of stride 2 row by row), in one chain of multiply-adds, wherever its strip, tile or vector starts.

Depthwise layers wait for memory. While the tiles of a strip are summed they ask for the input of the next strip, and
for the output lines of the next tiles.
"""
from libc.string cimport memset

from convkit._native.arith cimport ceil_div, elements
from convkit._native.border cimport BORDER_CONSTANT, border_index
from convkit._native.by_twos cimport Map, sum_by_twos
from convkit._native.depthwise_conv cimport APART, PITCH, Conv
from convkit._native.depthwise_rows cimport Map as RowsMap, sum_rows
from convkit._native.depthwise_strip cimport pack_strip
from convkit._native.depthwise_sums cimport Ahead, Panel, Tile, Vectors, ask, sum_panel, sum_tiles
from convkit._native.epilogue cimport Epilogue, adds_in_place, finish_rows, make_epilogue
from convkit._native.shares cimport run_prepared
from convkit._native.simd cimport (HALVES, MASKS, STRIP_CHUNK, STRIP_ROWS, STRIP_ROWS_PAIR, STRIP_VECTORS_4,
                                   STRIP_VECTORS_8, VL, lanes_between, real, scratch_alloc, scratch_free, vec_lanes,
                                   vec_set, vec_store)

cdef enum:
    STRIP_BYTES = 16384     # of the L1 cache, where all of a strip is read again and again
    WIDE_STRIP_BYTES = 65536    # of the L2 cache, where many outputs read one tile's part of it
    START = 1000                # products of vectors in the time that a unit of work takes to begin
    LONG_ROW = 64               # of an output
    OUTPUT_BYTES = 1 << 20      # of all outputs, from which on the second cache does not keep them
    MOST_APART = 4              # rows of a tile, of so few channels: those between them lie in the same strip
    FEW_CHANNELS = 4


cdef struct Strip:              # of one unit's outputs
    const real* input           # packed
    real* y
    Py_ssize_t rows, columns
    Ahead ahead
    real* apart                 # scratch, for an output whose columns do not lie side by side


# ---- sums: one function for each shape of a tile; those that the machine does not use are compiled away -

cdef void panels_8(const Panel* tile) noexcept nogil:
    if STRIP_VECTORS_8:
        sum_panel(8, STRIP_VECTORS_8, tile)


cdef void panels_4(const Panel* tile) noexcept nogil:
    sum_panel(4, STRIP_VECTORS_4, tile)


cdef inline void sum_strides(const int OUTPUTS, const int CHUNK, const int ROWS, const Tile* tile) noexcept nogil:
    if tile.conv.step == 1:
        sum_tiles(OUTPUTS, CHUNK, 1, ROWS, tile)
    elif tile.conv.step == 2:
        sum_tiles(OUTPUTS, CHUNK, 2, ROWS, tile)
    else:
        sum_tiles(OUTPUTS, CHUNK, 3, ROWS, tile)


cdef inline void sum_single(const int CHUNK, const Tile* tile) noexcept nogil:
    # The last rows may be half a tile.
    if tile.rows <= STRIP_ROWS // 2:
        sum_strides(1, CHUNK, STRIP_ROWS // 2, tile)
    else:
        sum_strides(1, CHUNK, STRIP_ROWS, tile)


cdef void single_1(const Tile* tile) noexcept nogil:
    sum_tiles(1, 1, 1, STRIP_ROWS, tile)


cdef void single_2(const Tile* tile) noexcept nogil:
    sum_single(2, tile)


cdef void single_3(const Tile* tile) noexcept nogil:
    sum_single(3, tile)


cdef void single_4(const Tile* tile) noexcept nogil:
    if STRIP_CHUNK >= 4:
        sum_single(4, tile)


cdef void single_5(const Tile* tile) noexcept nogil:
    if STRIP_CHUNK >= 5:
        sum_single(5, tile)


cdef void single_7(const Tile* tile) noexcept nogil:
    if STRIP_CHUNK >= 7:
        sum_single(7, tile)


cdef void pair_1(const Tile* tile) noexcept nogil:
    sum_tiles(2, 1, 1, STRIP_ROWS_PAIR, tile)


cdef void pair_2(const Tile* tile) noexcept nogil:
    sum_strides(2, 2, STRIP_ROWS_PAIR, tile)


cdef void pair_3(const Tile* tile) noexcept nogil:
    sum_strides(2, 3, STRIP_ROWS_PAIR, tile)


PART_LANES = VL // 2 if HALVES else VL     # of the least part of a register that is summed for one output

ctypedef void (*TileSums)(const Tile*) noexcept nogil


cdef TileSums tile_sums(int outputs, int chunk) noexcept nogil:
    if outputs == 2:
        return pair_3 if chunk == 3 else pair_2 if chunk == 2 else pair_1
    if chunk >= 5:
        return single_7 if chunk == 7 else single_5
    return single_4 if chunk == 4 else single_3 if chunk == 3 else single_2 if chunk == 2 else single_1


cpdef int block_outputs(Py_ssize_t outputs) noexcept nogil:
    """How many of the next `outputs` outputs of a group are summed together."""
    if STRIP_VECTORS_8 and outputs >= 8:
        return 8
    return 4 if outputs >= 4 else 2 if outputs >= 2 else 1


cdef inline Py_ssize_t common_divisor(Py_ssize_t a, Py_ssize_t b) noexcept nogil:
    while b:
        a, b = b, a % b
    return a


cpdef int kernel_chunk(Py_ssize_t outputs, Py_ssize_t channels, Py_ssize_t kernel_h, Py_ssize_t stride_h,
                       Py_ssize_t dilation_h) noexcept:
    """Kernel rows that are summed together where one or two of `outputs` outputs are: the others are left over."""
    cdef Py_ssize_t shared = common_divisor(stride_h, dilation_h)
    cdef int chunk
    if outputs == channels == 1 and kernel_h == 3 and stride_h == 2 and dilation_h == 1:
        return 1                # the order of `by_twos`, in which the others of its kind are summed too
    if stride_h // shared > 3 or dilation_h // shared > (MOST_APART if channels <= FEW_CHANNELS else 1):
        return 1
    for chunk in (7, 5, 4, 3, 2):
        if chunk <= STRIP_CHUNK and (chunk <= 3 or outputs % 4 == 1) and kernel_h % chunk == 0:
            return chunk
    return 3 if kernel_h > 3 else 1


cpdef Py_ssize_t rows_apart(Py_ssize_t outputs, Py_ssize_t channels, Py_ssize_t kernel_h, Py_ssize_t stride_h,
                            Py_ssize_t dilation_h) noexcept:
    """From a row of such a tile to the next: one's kernel rows lie on the other's."""
    if outputs % 4 == 0 or kernel_chunk(outputs, channels, kernel_h, stride_h, dilation_h) == 1:
        return 1
    return dilation_h // common_divisor(stride_h, dilation_h)


# ---- tiles of a strip ----------------------------------------------------------------------------------

cdef void finish(const Conv* conv, real* sums, Py_ssize_t channel, Py_ssize_t row, Py_ssize_t outputs, Py_ssize_t rows,
                 Py_ssize_t columns, const real* y, Py_ssize_t y_row) noexcept nogil:
    # Sums that belong at `y`.
    cdef Py_ssize_t m
    if conv.epilogue.plain:
        return
    for m in range(outputs):
        finish_rows(&conv.epilogue, sums + m * channel, row, y + m * conv.y_channel, y_row, rows, columns)


cdef void copy_out(const Conv* conv, real* sums, Py_ssize_t channel, int outputs, Py_ssize_t rows,
                   Py_ssize_t columns, real* y, Py_ssize_t y_row) noexcept nogil:
    # Sums from scratch, where outputs are `channel` apart, and rows PITCH: finished.
    cdef Py_ssize_t m, i, j
    finish(conv, sums, channel, PITCH, outputs, rows, columns, y, y_row)
    for m in range(outputs):
        for i in range(rows):
            for j in range(columns):
                y[m * conv.y_channel + i * y_row + j * conv.y_column] = sums[m * channel + i * PITCH + j]


cdef void sum_outputs(const Conv* conv, int outputs, Tile* tile, const Strip* strip, real* y) noexcept nogil:
    # The sums of one output channel, or two, from `y` on.
    cdef Py_ssize_t top = 0, phase, row, height = STRIP_ROWS_PAIR if outputs == 2 else STRIP_ROWS
    cdef real* place
    tile.columns = strip.columns
    while top < strip.rows:
        for phase in range(min(conv.rows_apart, strip.rows - top)):
            row = top + phase
            place = y + row * conv.y_row
            tile.rows = min(ceil_div(strip.rows - row, conv.rows_apart), height)
            tile.strip = strip.input + row * conv.stride_h * PITCH
            tile.next = y + (top + (conv.rows_apart + phase) * height) * conv.y_row
            tile.y, tile.y_channel, tile.y_row = place, conv.y_channel, conv.rows_apart * conv.y_row
            if not conv.in_place:
                tile.y, tile.y_channel, tile.y_row = strip.apart, STRIP_ROWS * PITCH, PITCH
                tile.next = tile.y
            tile_sums(outputs, conv.chunk)(tile)
            if not conv.in_place:
                copy_out(conv, tile.y, tile.y_channel, outputs, tile.rows, tile.columns, place,
                         conv.rows_apart * conv.y_row)
        top += height * conv.rows_apart


cdef inline void run_panels(int outputs, const Panel* tile) noexcept nogil:
    if outputs == 8:
        panels_8(tile)
    else:
        panels_4(tile)


cdef void locate_vectors(const Conv* conv, const Strip* strip, int vectors, real* y, Vectors* found) noexcept nogil:
    # The next vectors of the strip, row by row; past its end none is written.
    cdef int j
    for j in range(vectors):
        found.strip[j], found.lanes[j], found.y[j] = strip.input, 0, y
        if found.row < strip.rows:
            found.strip[j] = strip.input + found.row * conv.stride_h * PITCH + found.column
            found.lanes[j] = min(strip.columns - found.column, <Py_ssize_t>VL)
            found.y[j] = y + found.row * conv.y_row + found.column * conv.y_column
            found.column += VL
            if found.column >= strip.columns:
                found.column = 0
                found.row += 1


cdef void sum_apart(const Conv* conv, int outputs, Py_ssize_t panels, Panel* tile, real* scratch) noexcept nogil:
    # Into an output that the sums cannot be written to yet, or whose columns do not lie side by side.
    cdef Py_ssize_t p
    cdef int j, vectors = STRIP_VECTORS_8 if outputs == 8 else STRIP_VECTORS_4
    cdef real* y[6]
    for j in range(vectors):
        y[j], tile.at.y[j] = tile.at.y[j], scratch + j * VL
    tile.panels, tile.y_channel = 1, PITCH
    for p in range(panels):
        run_panels(outputs, tile)
        for j in range(vectors):
            copy_out(conv, tile.at.y[j], PITCH, outputs, 1, tile.at.lanes[j],
                     y[j] + p * outputs * conv.y_channel, conv.y_row)
        tile.weights += outputs * conv.products
        tile.bias += outputs


cdef void sum_vectors(const Conv* conv, int outputs, Py_ssize_t panels, Panel* tile, const Strip* strip, real* y,
                      Ahead* ahead) noexcept nogil:
    # The sums of `panels` times 4 or 8 output channels, from `y` on: every panel of a tile while its input is near.
    cdef int vectors = STRIP_VECTORS_8 if outputs == 8 else STRIP_VECTORS_4
    cdef const real* weights = tile.weights
    cdef const real* bias = tile.bias
    cdef Vectors next
    next.row = next.column = 0
    locate_vectors(conv, strip, vectors, y, &next)
    while next.lanes[0] > 0:
        if ahead != NULL:
            ask(conv, ahead, vectors)
        tile.at = next
        locate_vectors(conv, strip, vectors, y, &next)
        tile.later = next.y
        tile.weights, tile.bias = weights, bias
        if conv.in_place:
            tile.panels, tile.y_channel = panels, conv.y_channel
            run_panels(outputs, tile)
        else:
            sum_apart(conv, outputs, panels, tile, strip.apart)


cdef void sum_strip(const Conv* conv, Py_ssize_t group, Strip* strip) noexcept nogil:
    cdef Py_ssize_t output = 0, first, panels
    cdef Ahead* ahead = &strip.ahead
    cdef int outputs
    cdef Tile tile
    cdef Panel panel
    tile.conv = panel.conv = conv
    while output < conv.outputs:
        outputs = block_outputs(conv.outputs - output)
        first = group * conv.outputs + output
        if outputs >= 4:
            panels = (conv.outputs - output) // outputs
            panel.weights, panel.bias = conv.weights + first * conv.products, conv.bias + first
            sum_vectors(conv, outputs, panels, &panel, strip, strip.y + output * conv.y_channel, ahead)
            output += panels * outputs
        else:
            tile.weights, tile.bias = conv.weights + first * conv.products, conv.bias + first
            tile.ahead = ahead
            sum_outputs(conv, outputs, &tile, strip, strip.y + output * conv.y_channel)
            output += outputs
        ahead = NULL
    if conv.in_place:
        finish(conv, strip.y, conv.y_channel, conv.y_row, conv.outputs, strip.rows, strip.columns, strip.y,
               conv.y_row)


# ---- the units of work ---------------------------------------------------------------------------------

cdef struct Unit:
    Py_ssize_t group, row, end  # output rows
    const real* x               # the group's first channel
    real* y


cdef inline Unit locate(const Conv* conv, Py_ssize_t index) noexcept nogil:
    cdef Py_ssize_t image = index // (conv.bands * conv.groups)
    cdef Unit unit
    unit.group = index // conv.bands % conv.groups
    unit.row = index % conv.bands * conv.band_rows
    unit.end = min(unit.row + conv.band_rows, conv.rows)
    unit.x = conv.x + image * conv.x_image + unit.group * conv.channels * conv.x_channel
    unit.y = conv.y + image * conv.y_image + unit.group * conv.outputs * conv.y_channel
    return unit


cdef void run_by_twos(const Conv* conv, const Unit* unit, real* outside) noexcept nogil:
    cdef Py_ssize_t i
    cdef Map map
    map.x, map.height, map.width, map.x_row = unit.x, conv.height, conv.width, conv.x_row
    map.before_h, map.before_w = conv.before_h, conv.before_w
    map.y, map.columns, map.y_row = unit.y, conv.columns, conv.y_row
    map.weights, map.bias = conv.weights + unit.group * conv.products, conv.bias[unit.group]
    map.cval, map.outside = conv.cval, outside
    for i in range(conv.width):
        outside[i] = conv.cval
    sum_by_twos(&map, unit.row, unit.end, &conv.epilogue)


cdef void rows_7(const RowsMap* map, Py_ssize_t row, Py_ssize_t end, const Epilogue* epilogue) noexcept nogil:
    sum_rows(7, map, row, end, epilogue)


cdef void rows_5(const RowsMap* map, Py_ssize_t row, Py_ssize_t end, const Epilogue* epilogue) noexcept nogil:
    sum_rows(5, map, row, end, epilogue)


cdef void rows_4(const RowsMap* map, Py_ssize_t row, Py_ssize_t end, const Epilogue* epilogue) noexcept nogil:
    sum_rows(4, map, row, end, epilogue)


cdef void rows_3(const RowsMap* map, Py_ssize_t row, Py_ssize_t end, const Epilogue* epilogue) noexcept nogil:
    sum_rows(3, map, row, end, epilogue)


cdef void rows_2(const RowsMap* map, Py_ssize_t row, Py_ssize_t end, const Epilogue* epilogue) noexcept nogil:
    sum_rows(2, map, row, end, epilogue)


ctypedef void (*RowSums)(const RowsMap*, Py_ssize_t, Py_ssize_t, const Epilogue*) noexcept nogil


cdef inline RowSums row_sums(int chunk) noexcept nogil:
    if chunk >= 5:
        return rows_7 if chunk == 7 else rows_5
    return rows_4 if chunk == 4 else rows_3 if chunk == 3 else rows_2


cdef void run_apart(const Conv* conv, const Unit* unit, const RowsMap* whole) noexcept nogil:
    # A tile's rows are a map of their own, of every `dilation_h`th row: its first row here is row 0 there, and the tiles
    # between these rows come next.
    cdef RowsMap map = whole[0]
    cdef Py_ssize_t apart = conv.dilation_h, top = unit.row, block = apart * STRIP_ROWS, phase, row, first
    map.x_row, map.y_row = apart * conv.x_row, apart * conv.y_row
    while top < unit.end:
        for phase in range(min(apart, unit.end - top)):
            row = top + phase
            first = row - conv.before_h
            map.before_h = ceil_div(max(-first, <Py_ssize_t>0), apart)
            first += map.before_h * apart
            map.x, map.height = whole.x + first * conv.x_row, ceil_div(max(conv.height - first, <Py_ssize_t>0), apart)
            map.y, map.later = whole.y + row * conv.y_row, phase * (STRIP_ROWS - 1) * conv.y_row
            if top + block < unit.end:
                map.next = whole.x + (top + block - conv.before_h + (conv.kernel_h - 1) * apart
                                      + phase * STRIP_ROWS) * conv.x_row
            row_sums(conv.chunk)(&map, 0, min(ceil_div(unit.end - row, apart), <Py_ssize_t>STRIP_ROWS), &conv.epilogue)
        top += block


cdef void run_by_rows(const Conv* conv, const Unit* unit, const real* next, real* zeros) noexcept nogil:
    cdef RowsMap map
    map.x, map.height, map.width, map.x_row = unit.x, conv.height, conv.width, conv.x_row
    map.before_h, map.before_w = conv.before_h, conv.before_w
    map.kernel_w, map.dilation_w = conv.kernel_w, conv.dilation_w
    map.y, map.columns, map.y_row = unit.y, conv.columns, conv.y_row
    map.weights, map.bias = conv.weights + unit.group * conv.products, conv.bias[unit.group]
    map.lanes, map.zeros, map.from_memory = conv.lanes, zeros, conv.from_memory
    map.next, map.later = next, 0
    memset(zeros, 0, (conv.width + conv.before_w + conv.kernel_w) * sizeof(real))
    if conv.dilation_h > 1:
        run_apart(conv, unit, &map)
    else:
        row_sums(conv.chunk)(&map, unit.row, unit.end, &conv.epilogue)


cdef void run_unit(const void* work, Py_ssize_t index, char* own) noexcept nogil:
    cdef const Conv* conv = <const Conv*>work
    cdef real* scratch = <real*>own
    cdef Unit unit = locate(conv, index), next = locate(conv, index + 1)
    cdef Py_ssize_t row = unit.row
    cdef Py_ssize_t at, column
    cdef Strip strip
    strip.apart, strip.input = scratch, scratch + APART
    if conv.by_twos:
        run_by_twos(conv, &unit, strip.apart)
        return
    if MASKS and conv.by_rows:
        run_by_rows(conv, &unit, next.x + next.row * conv.x_row, strip.apart)
        return
    while row < unit.end:
        strip.rows = min(conv.strip_rows, unit.end - row)
        strip.ahead.at = unit.x + (row + strip.rows) * conv.stride_h * conv.x_row
        if row + strip.rows == unit.end:
            strip.ahead.at = next.x + next.row * conv.stride_h * conv.x_row
        strip.ahead.due = strip.ahead.at
        strip.ahead.step = VL * conv.stride_h * conv.stride_w
        for at in range(conv.strips):
            column = at * conv.strip_columns
            strip.columns = min(conv.strip_columns, conv.columns - column)
            strip.y = unit.y + row * conv.y_row + column * conv.y_column
            pack_strip(conv, unit.x, row, strip.rows, at, strip.columns, strip.input)
            sum_strip(conv, unit.group, &strip)
        row += strip.rows


cdef void clear(const void* work, char* own) noexcept nogil:
    # Tiles multiply what lies behind a strip's rows and columns too: it is never stored, but it must be numbers, as
    # the processor is slow on the tiny ones that other people's pointers look like.
    cdef const Conv* conv = <const Conv*>work
    cdef real* scratch = <real*>own + APART
    cdef Py_ssize_t row, i
    if conv.by_twos or (MASKS and conv.by_rows):    # no strips
        return
    if conv.columns % VL == 0 and (conv.outputs % 4 == 0
                                   or (conv.rows == whole_tiles(conv, conv.rows)
                                       and conv.band_rows == whole_tiles(conv, conv.band_rows))):
        return
    for row in range(conv.channels * conv.channel // PITCH):
        for i in range(conv.vectors):
            vec_store(scratch + row * PITCH + i * VL, vec_set(0))


cdef inline Py_ssize_t tile_rows(const Conv* conv) noexcept nogil:
    # That tiles of one output share among them.
    return STRIP_ROWS * conv.rows_apart


cdef inline Py_ssize_t whole_tiles(const Conv* conv, Py_ssize_t rows) noexcept nogil:
    return ceil_div(rows, tile_rows(conv)) * tile_rows(conv)


cdef double unit_cost(const Conv* conv, Py_ssize_t rows) noexcept nogil:
    # Of a band of so many rows, in products of vectors: packing one is about two, and beginning a unit `START`.
    cdef Py_ssize_t vectors = ceil_div(conv.columns, VL), single = conv.outputs % 4
    cdef Py_ssize_t tile = STRIP_VECTORS_8 if block_outputs(conv.outputs) == 8 else STRIP_VECTORS_4
    cdef Py_ssize_t half_tile = STRIP_ROWS // 2 * conv.rows_apart
    cdef Py_ssize_t summed = (conv.outputs - single) * ceil_div(rows * vectors, tile) * tile \
        + single * ceil_div(rows, half_tile) * half_tile * vectors
    cdef Py_ssize_t packed_rows = rows * conv.stride_h + conv.kernel_h * conv.dilation_h
    return START + <double>conv.products * summed + 2 * conv.channels * conv.planes * vectors * packed_rows


cdef Py_ssize_t find_band(const Conv* conv, Py_ssize_t others, Py_ssize_t threads) noexcept nogil:
    # Rows of a band: those that `threads` are done with first, of `others` images and groups that have them all. Of
    # about equal ones the smallest, as threads differ in speed. Outputs that are not summed by fours are in tiles of rows.
    cdef Py_ssize_t grain = 1 if conv.outputs >= 4 else tile_rows(conv)
    cdef Py_ssize_t grains = ceil_div(conv.rows, grain), parts, rows, best = grains * grain
    cdef double cost, least = -1
    if threads == 1 or others >= 4 * threads:
        return best
    for parts in range(1, min(grains, 8 * threads) + 1):
        rows = ceil_div(grains, parts) * grain
        cost = unit_cost(conv, rows) * ceil_div(others * ceil_div(conv.rows, rows), threads)
        if least < 0 or cost < 1.02 * least:
            least, best = cost if least < 0 or cost < least else least, rows
    return best


cdef void partition(Conv* conv, Py_ssize_t images, Py_ssize_t threads) noexcept nogil:
    # Strips of whole tiles that fill the cache: as wide as it allows, then as tall. Bands as many as the threads want.
    cdef Py_ssize_t extent = (conv.kernel_h - 1) * conv.dilation_h + 1
    cdef Py_ssize_t vectors = ceil_div(conv.columns, VL), most, fit, t
    cdef Py_ssize_t column_bytes, strip_bytes = WIDE_STRIP_BYTES if conv.outputs >= 4 else STRIP_BYTES
    conv.planes = 1
    for t in range(min(conv.kernel_w, conv.stride_w)):
        conv.planes = max(conv.planes, t * conv.dilation_w % conv.stride_w + 1)
    column_bytes = conv.channels * conv.planes * <Py_ssize_t>sizeof(real)
    conv.reach = ((conv.kernel_w - 1) * conv.dilation_w) // conv.stride_w
    most = (PITCH - conv.reach) // VL
    fit = strip_bytes // (column_bytes * ((tile_rows(conv) - 1) * conv.stride_h + extent)) - conv.reach
    most = max(min(most, fit // VL), <Py_ssize_t>1)
    conv.strip_columns = ceil_div(vectors, ceil_div(vectors, most)) * VL
    conv.strips = ceil_div(conv.columns, conv.strip_columns)
    conv.vectors = ceil_div(conv.strip_columns + conv.reach, VL)
    fit = (strip_bytes // (column_bytes * (conv.strip_columns + conv.reach)) - extent) // conv.stride_h
    conv.band_rows = find_band(conv, images * conv.groups, threads)
    conv.strip_rows = min(max(fit // tile_rows(conv), <Py_ssize_t>1) * tile_rows(conv), whole_tiles(conv, conv.band_rows))
    conv.bands = ceil_div(conv.rows, conv.band_rows)
    conv.units = images * conv.groups * conv.bands
    conv.plane = ((conv.strip_rows - 1) * conv.stride_h + extent) * PITCH
    conv.channel = conv.planes * conv.plane


cdef Py_ssize_t* find_taps(const Conv* conv, int chunk, Py_ssize_t* tap_offset) noexcept nogil:
    # Where each tap of `chunk` kernel rows lies in the strip, and those of one; the end of the table.
    cdef Py_ssize_t row = 0, c, t, plane, column
    while row < conv.kernel_h:
        for c in range(conv.channels):
            plane = column = 0
            for t in range(conv.kernel_w):
                tap_offset[t] = c * conv.channel + plane * conv.plane + column + row * conv.dilation_h * PITCH
                plane += conv.dilation_w
                while plane >= conv.stride_w:
                    plane -= conv.stride_w
                    column += 1
            tap_offset += conv.kernel_w
        row += chunk if row + chunk <= conv.kernel_h else 1
    return tap_offset


cdef void find_columns(const Conv* conv, Py_ssize_t* source, vec_lanes* lanes) noexcept nogil:
    # Which columns of the strips lie inside the input, and where the others are read from.
    cdef Py_ssize_t strip, i, first, n = conv.vectors * conv.stride_w
    for strip in range(conv.strips):
        first = strip * conv.strip_columns * conv.stride_w - conv.before_w
        for i in range(n):
            lanes[strip * n + i] = lanes_between(-(first + i * VL), conv.width - (first + i * VL))
        if conv.border != BORDER_CONSTANT or conv.x_column != 1 or conv.stride_w > 3:
            for i in range(n * VL):
                source[strip * n * VL + i] = border_index(first + i, conv.width, conv.border)


cdef void find_lanes(const Conv* conv, vec_lanes* lanes) noexcept nogil:
    # What each column of the kernel sees of the input, of each vector of a row of outputs.
    cdef Py_ssize_t i, t, first
    for i in range(ceil_div(conv.columns, VL)):
        for t in range(conv.kernel_w):
            first = i * VL + t * conv.dilation_w - conv.before_w
            lanes[i * conv.kernel_w + t] = lanes_between(-first, conv.width - first)


cdef void set_up(Conv* conv, const real[:, :, :, :] x_bchw, real[:, :, :, :] y_bchw, Py_ssize_t groups,
                 (Py_ssize_t, Py_ssize_t) kernel, (Py_ssize_t, Py_ssize_t) stride,
                 (Py_ssize_t, Py_ssize_t) dilation, (Py_ssize_t, Py_ssize_t) before, int border, int num_threads,
                 int activation, real slope, const real[:, :, :, :] residual):
    # Describes the convolution and cuts it.
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
    conv.products = conv.channels * conv.kernel_h * conv.kernel_w
    conv.chunk = kernel_chunk(conv.outputs, conv.channels, conv.kernel_h, conv.stride_h, conv.dilation_h)
    conv.rows_apart = rows_apart(conv.outputs, conv.channels, conv.kernel_h, conv.stride_h, conv.dilation_h)
    conv.step = <int>(conv.stride_h * conv.rows_apart // conv.dilation_h)
    conv.chunk_taps = 0 if conv.chunk == 1 else conv.products // conv.kernel_h * (conv.kernel_h // conv.chunk)
    conv.taps = conv.chunk_taps + conv.products // conv.kernel_h * (conv.kernel_h if conv.chunk == 1
                                                                    else conv.kernel_h % conv.chunk)
    conv.epilogue = make_epilogue(activation, slope, residual, conv.y, conv.y_column)
    conv.in_place = conv.y_column == 1 and not adds_in_place(&conv.epilogue)
    conv.from_memory = (conv.columns >= LONG_ROW
                        and y_bchw.shape[0] * y_bchw.shape[1] * conv.rows * conv.columns * sizeof(real) > OUTPUT_BYTES)
    conv.by_twos = (conv.in_place and conv.outputs == conv.channels == 1 and border == BORDER_CONSTANT
                    and kernel == (3, 3) and stride == (2, 2) and dilation == (1, 1)
                    and conv.x_column == 1 and conv.width <= APART and conv.columns >= VL)
    conv.by_rows = (MASKS and conv.in_place and conv.outputs == conv.channels == 1 and border == BORDER_CONSTANT
                    and conv.kernel_h == conv.chunk > 1 and stride == (1, 1)
                    and conv.x_column == 1 and conv.width + conv.before_w + conv.kernel_w <= APART)
    partition(conv, x_bchw.shape[0], num_threads)


cdef Py_ssize_t scratch_elements(const Conv* conv) noexcept nogil:
    # Of one thread.
    return APART + conv.channels * conv.channel


cdef class Convolution:
    """A convolution whose weights are packed: their buffers are acquired once, which takes as long as a small call.

    `weights` are packed for `kernel_chunk`, `bias` is [group][output]; `kernel`, `stride`, `dilation` and the
    padding `before` are (vertical, horizontal).
    """
    cdef const real[::1] weights, bias
    cdef Py_ssize_t groups
    cdef (Py_ssize_t, Py_ssize_t) kernel, stride, dilation, before
    cdef int border
    cdef real cval

    def __init__(self, const real[::1] weights not None, const real[::1] bias not None, Py_ssize_t groups,
                 (Py_ssize_t, Py_ssize_t) kernel, (Py_ssize_t, Py_ssize_t) stride, (Py_ssize_t, Py_ssize_t) dilation,
                 (Py_ssize_t, Py_ssize_t) before, int border, real cval):
        self.weights, self.bias, self.groups, self.kernel, self.stride = weights, bias, groups, kernel, stride
        self.dilation, self.before, self.border, self.cval = dilation, before, border, cval

    def run(self, const real[:, :, :, :] x_bchw not None, real[:, :, :, :] y_bchw not None, int num_threads,
            int activation=0, real slope=0, const real[:, :, :, :] residual=None):
        """Convolve `x_bchw` into `y_bchw`, both of any strides; `residual` has `y_bchw`'s, or is it."""
        cdef Conv conv
        set_up(&conv, x_bchw, y_bchw, self.groups, self.kernel, self.stride, self.dilation, self.before, self.border,
               num_threads, activation, slope, residual)
        conv.by_rows = conv.by_rows and self.cval == 0
        cdef Py_ssize_t columns = max(conv.strips * conv.vectors * conv.stride_w,
                                      ceil_div(conv.columns, VL) * conv.kernel_w)
        cdef Py_ssize_t thread_scratch = scratch_elements(&conv)
        cdef Py_ssize_t* tables
        cdef real* scratch
        num_threads = <int>min(<Py_ssize_t>num_threads, conv.units)
        conv.weights, conv.bias = &self.weights[0], &self.bias[0]
        conv.border, conv.cval = self.border, self.cval
        tables = <Py_ssize_t*>scratch_alloc((conv.taps + conv.products + columns * VL) * sizeof(Py_ssize_t)
                                            + columns * sizeof(vec_lanes))
        scratch = <real*>scratch_alloc(num_threads * thread_scratch * sizeof(real))
        if tables == NULL or scratch == NULL:
            scratch_free(tables)
            scratch_free(scratch)
            raise MemoryError("no memory for the scratch of a convolution")
        conv.tap_offset, conv.row_tap_offset = tables, tables + conv.taps
        conv.source = tables + conv.taps + conv.products
        conv.lanes = <const vec_lanes*>(conv.source + columns * VL)
        if conv.outputs % 4:
            find_taps(&conv, conv.chunk, tables)
        if conv.outputs >= 4:
            find_taps(&conv, 1, tables + conv.taps)
        if conv.by_rows:
            find_lanes(&conv, <vec_lanes*>conv.lanes)
        else:
            find_columns(&conv, tables + conv.taps + conv.products, <vec_lanes*>conv.lanes)
        with nogil:
            run_prepared(clear, run_unit, &conv, conv.units, num_threads, <char*>scratch, thread_scratch * sizeof(real))
        scratch_free(tables)
        scratch_free(scratch)


def workspace_bytes(const real[:, :, :, :] x_bchw not None, real[:, :, :, :] y_bchw not None, Py_ssize_t groups,
                    (Py_ssize_t, Py_ssize_t) kernel, (Py_ssize_t, Py_ssize_t) stride,
                    (Py_ssize_t, Py_ssize_t) dilation, (Py_ssize_t, Py_ssize_t) before, int num_threads):
    """Scratch of each thread of a `Convolution`, which looks at the arrays' sizes alone."""
    cdef Conv conv
    set_up(&conv, x_bchw, y_bchw, groups, kernel, stride, dilation, before, BORDER_CONSTANT, num_threads, 0, 0, None)
    return scratch_elements(&conv) * <Py_ssize_t>sizeof(real)


def packed(const real[:, :, :, :] x_bchw not None, real[:, :, :, :] y_bchw not None, Py_ssize_t groups,
           (Py_ssize_t, Py_ssize_t) kernel, (Py_ssize_t, Py_ssize_t) stride,
           (Py_ssize_t, Py_ssize_t) dilation, (Py_ssize_t, Py_ssize_t) before):
    """Rows and columns of an input channel that one thread copies to strips; what strips share counts for each."""
    cdef Conv conv
    cdef Py_ssize_t below
    set_up(&conv, x_bchw, y_bchw, groups, kernel, stride, dilation, before, BORDER_CONSTANT, 1, 0, 0, None)
    if conv.by_twos or conv.by_rows:
        return 0, 0
    below = ceil_div(conv.rows, conv.strip_rows)
    return (conv.rows * conv.stride_h + below * (conv.kernel_h - 1) * conv.dilation_h,
            conv.strips * conv.vectors * VL * conv.stride_w)


def units(const real[:, :, :, :] x_bchw not None, real[:, :, :, :] y_bchw not None, Py_ssize_t groups,
          (Py_ssize_t, Py_ssize_t) kernel, (Py_ssize_t, Py_ssize_t) stride,
          (Py_ssize_t, Py_ssize_t) dilation, (Py_ssize_t, Py_ssize_t) before, int num_threads):
    """The units of work of `depthwise`: of each its first element of `y_bchw`, and its channels, rows and columns."""
    cdef Conv conv
    cdef Unit unit
    cdef Py_ssize_t u
    set_up(&conv, x_bchw, y_bchw, groups, kernel, stride, dilation, before, BORDER_CONSTANT, num_threads, 0, 0, None)
    found = []
    for u in range(conv.units):
        unit = locate(&conv, u)
        found.append((unit.y + unit.row * conv.y_row - conv.y, conv.outputs, unit.end - unit.row, conv.columns))
    return found

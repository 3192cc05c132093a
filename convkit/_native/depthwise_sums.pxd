# The sums of a tile, in registers: ROWS rows of one output or two by one vector, or 4 outputs or 8 by some vectors
# anywhere in the strip.
from convkit._native.arith cimport ceil_div
from convkit._native.depthwise_conv cimport PITCH, Conv
from convkit._native.simd cimport (HALVES, LINE, VL, half_load, half_pin, half_set, half_store, half_store_part, half_vec,
                                   prefetch, prefetch_far, prefetch_write, real, vec, vec_load, vec_pin, vec_set,
                                   vec_store, vec_store_part)

ctypedef fused register:
    vec
    half_vec


cdef struct Ahead:              # the input of the next strip, asked for line by line while this one's tiles are summed
    const real* at              # the next line, of the first channel
    const real* due             # what should be asked for by now
    Py_ssize_t step             # elements for each vector of outputs


cdef struct Tile:               # one output or two
    const Conv* conv
    const real* strip           # the first tile's first pixel
    const real* weights         # the first output's
    const real* bias
    real* y                     # the first pixel of the first output; its columns lie side by side
    Py_ssize_t y_channel, y_row
    real* next                  # what the next tiles store, as many rows as this one has
    Py_ssize_t rows, columns    # to write: of the tile's rows, the first ones
    Ahead* ahead                # NULL: another output has asked for it


cdef struct Vectors:            # of a tile
    const real* strip[6]
    real* y[6]                  # their places in the first output,
    Py_ssize_t lanes[6]         # and how many of their sums to write
    Py_ssize_t row, column      # behind the last


cdef struct Panel:              # 4 outputs or 8, one panel of them after another
    const Conv* conv
    Vectors at
    real** later                # the places of the next tile's vectors
    const real* weights
    const real* bias
    Py_ssize_t panels, y_channel


cdef inline register filled(real x, register* _) noexcept nogil:
    if register is vec:
        return vec_set(x)
    else:
        return half_set(x)


cdef inline register loaded(const real* p, register* _) noexcept nogil:
    if register is vec:
        return vec_pin(vec_load(p))
    else:
        return half_pin(half_load(p))


cdef inline void store(real* p, register v) noexcept nogil:
    if register is vec:
        vec_store(p, v)
    else:
        half_store(p, v)


cdef inline void store_part(real* p, register v, Py_ssize_t n) noexcept nogil:
    if register is vec:
        vec_store_part(p, v, n)
    else:
        half_store_part(p, v, n)


cdef inline void add_taps(const int OUTPUTS, const int CHUNK, const int STRIDE, const int ROWS, Py_ssize_t taps,
                          const Py_ssize_t* offset, Py_ssize_t row_step, const real* strip, const real* weights,
                          register* acc) noexcept nogil:
    # Each tap is CHUNK kernel rows, row_step apart, of a kernel column of a channel. Output rows lie STRIDE · row_step
    # apart.
    cdef register w[14]
    cdef register x
    cdef const real* source
    cdef Py_ssize_t t
    cdef int i, k, m, row
    for t in range(taps):
        source = strip + offset[t]
        for k in range(OUTPUTS * CHUNK):
            w[k] = filled(weights[k], acc)
        for row in range((ROWS - 1) * STRIDE + CHUNK):
            x = loaded(source + row * row_step, acc)
            for i in range(ROWS - 1, -1, -1):
                k = row - i * STRIDE
                if k >= 0 and k < CHUNK:
                    for m in range(OUTPUTS):
                        acc[m * ROWS + i] = acc[m * ROWS + i] + w[k * OUTPUTS + m] * x
        weights += OUTPUTS * CHUNK


cdef inline void ask(const Conv* conv, Ahead* ahead, Py_ssize_t vectors) noexcept nogil:
    # Line by line: rows are short, and no processor foresees the next one.
    cdef Py_ssize_t c
    cdef const real* line
    cdef const real* due
    ahead.due += vectors * ahead.step
    for c in range(conv.channels):
        line, due = ahead.at + c * conv.x_channel, ahead.due + c * conv.x_channel
        while line < due:
            prefetch(line)
            line += LINE
    ahead.at = line - (conv.channels - 1) * conv.x_channel


cdef inline void ask_for_output(const int OUTPUTS, const int ROWS, bint from_memory, const real* next,
                                Py_ssize_t y_channel) noexcept nogil:
    # As many lines as a tile has rows, of those that the next tiles store. What comes from memory waits in the second
    # cache, which asks for more lines at a time than the first.
    cdef int i, m
    for m in range(OUTPUTS):
        for i in range(ROWS * VL // LINE):
            if from_memory:
                prefetch_far(next + m * y_channel + i * LINE)
            else:
                prefetch_write(next + m * y_channel + i * LINE)


cdef inline void store_sums(const int OUTPUTS, const int ROWS, real* y, Py_ssize_t y_channel, Py_ssize_t y_row,
                            Py_ssize_t rows, Py_ssize_t columns, const register* acc) noexcept nogil:
    # The first `rows` and `columns` of a tile.
    cdef int i, m
    if columns == <Py_ssize_t>(sizeof(register) // sizeof(real)) and rows == ROWS:
        for m in range(OUTPUTS):
            for i in range(ROWS):
                store(y + m * y_channel + i * y_row, acc[m * ROWS + i])
    else:
        for m in range(OUTPUTS):
            for i in range(ROWS):
                if i < rows:
                    store_part(y + m * y_channel + i * y_row, acc[m * ROWS + i], columns)


cdef inline void sum_tile(const int OUTPUTS, const int CHUNK, const int STRIDE, const int ROWS, const Tile* tile,
                          const real* strip, real* y, Py_ssize_t columns, register* acc) noexcept nogil:
    # ROWS output rows of OUTPUTS channels, `columns` columns of each: at most a register.
    cdef const Conv* conv = tile.conv
    cdef int i, m
    for m in range(OUTPUTS):
        for i in range(ROWS):
            acc[m * ROWS + i] = filled(tile.bias[m], acc)
    if CHUNK > 1:
        add_taps(OUTPUTS, CHUNK, STRIDE, ROWS, conv.chunk_taps, conv.tap_offset, conv.dilation_h * PITCH, strip,
                 tile.weights, acc)
    if CHUNK == 1 or conv.taps > conv.chunk_taps:   # row by row: any stride and dilation
        add_taps(OUTPUTS, 1, 1, ROWS, conv.taps - conv.chunk_taps, conv.tap_offset + conv.chunk_taps,
                 conv.rows_apart * conv.stride_h * PITCH, strip, tile.weights + conv.chunk_taps * OUTPUTS * CHUNK, acc)
    store_sums(OUTPUTS, ROWS, y, tile.y_channel, tile.y_row, tile.rows, columns, acc)


cdef inline void sum_tiles(const int OUTPUTS, const int CHUNK, const int STRIDE, const int ROWS,
                           const Tile* tile) noexcept nogil:
    # A register of columns at a time; the last ones may fill half of one.
    cdef vec acc[16]
    cdef half_vec half[8]
    cdef const real* strip = tile.strip
    cdef real* y = tile.y
    cdef real* next = tile.next
    cdef Py_ssize_t left = tile.columns
    while left > 0:
        if tile.ahead != NULL:
            ask(tile.conv, tile.ahead, ROWS)
        ask_for_output(OUTPUTS, ROWS, tile.conv.from_memory, next, tile.y_channel)
        next += ROWS * VL
        if HALVES and OUTPUTS == 1 and left <= VL // 2:
            sum_tile(OUTPUTS, CHUNK, STRIDE, ROWS, tile, strip, y, left, half)
        else:
            sum_tile(OUTPUTS, CHUNK, STRIDE, ROWS, tile, strip, y, min(left, <Py_ssize_t>VL), acc)
        strip += VL
        y += VL
        left -= VL


cdef inline void sum_panel(const int OUTPUTS, const int VECTORS, const Panel* tile) noexcept nogil:
    # What is read again after a store stands in variables of its own: C takes it that a vector may lie anywhere.
    cdef vec acc[24]
    cdef vec x[6]
    cdef vec w
    cdef const real* strip[6]
    cdef real* y[6]
    cdef real* later[6]
    cdef Py_ssize_t lanes[6]
    cdef const real* weights = tile.weights
    cdef const real* bias = tile.bias
    cdef const Py_ssize_t* offset = tile.conv.row_tap_offset
    cdef Py_ssize_t _, t, line, row, first = 0, products = tile.conv.products, y_channel = tile.y_channel
    cdef Py_ssize_t asked = ceil_div(OUTPUTS * VECTORS, products)
    cdef bint whole = True
    cdef int j, m
    for j in range(VECTORS):
        strip[j], y[j], lanes[j], later[j] = tile.at.strip[j], tile.at.y[j], tile.at.lanes[j], tile.later[j]
        whole = whole and lanes[j] == VL
    for _ in range(tile.panels):
        for m in range(OUTPUTS):
            for j in range(VECTORS):
                acc[m * VECTORS + j] = vec_set(bias[m])
        line = 0
        row = first
        for t in range(products):       # the lines of the next tile, one by one: there are few that can be waited for
            for _ in range(asked):
                prefetch_far(later[line] + row)
                line += 1
                if line == VECTORS:
                    line = 0
                    row += y_channel
            for j in range(VECTORS):
                x[j] = vec_load(strip[j] + offset[t])
            for m in range(OUTPUTS):
                w = vec_set(weights[m])
                for j in range(VECTORS):
                    acc[m * VECTORS + j] = acc[m * VECTORS + j] + w * x[j]
            weights += OUTPUTS
        for m in range(OUTPUTS):
            for j in range(VECTORS):
                if whole:
                    vec_store(y[j], acc[m * VECTORS + j])
                else:
                    vec_store_part(y[j], acc[m * VECTORS + j], lanes[j])
                y[j] += y_channel
        bias += OUTPUTS
        first += OUTPUTS * y_channel

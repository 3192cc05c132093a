# A depthwise kernel of stride 1 between zeros, summed from the input where it lies: loads with masks leave out what lies
# beside a row, and rows above and below the map are one row of zeros. Nothing is copied first. Under a dilated kernel a
# map is every so many rows of one.
from convkit._native.depthwise_sums cimport ask_for_output, filled, register, store_sums
from convkit._native.epilogue cimport Epilogue, finish_rows
from convkit._native.simd cimport (HALVES, LINE, STRIP_ROWS, VL, half_load_lanes, half_pin, half_vec, prefetch, real, vec,
                                   vec_lanes, vec_load_lanes, vec_pin, vec_set)

cdef enum:
    MOST_LINES = STRIP_ROWS + 6     # input rows under a tile of outputs


cdef struct Map:                # of one channel
    const real* x
    Py_ssize_t height, width, x_row
    Py_ssize_t before_h, before_w
    real* y
    Py_ssize_t columns, y_row
    const real* weights         # [kernel column][kernel row]
    Py_ssize_t kernel_w, dilation_w
    real bias
    const vec_lanes* lanes      # [vector][kernel column]: those inside
    const real* zeros           # a row of them
    const real* next            # what is read after the map
    Py_ssize_t later            # from the output rows under a tile to those that are asked for
    bint from_memory


cdef inline register loaded(const real* p, vec_lanes lanes, register* _) noexcept nogil:
    if register is vec:
        return vec_pin(vec_load_lanes(p, lanes, vec_set(0)))
    else:
        return half_pin(half_load_lanes(p, lanes))


cdef inline void sum_tile(const int KERNEL_H, const int ROWS, const Map* map, const real** lines, Py_ssize_t column,
                          Py_ssize_t rows, Py_ssize_t columns, real* y, register* acc) noexcept nogil:
    # ROWS rows of a register of outputs, of which so many rows and columns are stored.
    cdef register w[7]
    cdef register x
    cdef const real* weights = map.weights
    cdef const vec_lanes* inside = map.lanes + column // VL * map.kernel_w
    cdef Py_ssize_t place = column, end = column + map.kernel_w * map.dilation_w
    cdef int i, k, line
    for i in range(ROWS):
        acc[i] = filled(map.bias, acc)
    while place < end:
        for k in range(KERNEL_H):
            w[k] = filled(weights[k], acc)
        for line in range(ROWS - 1 + KERNEL_H):
            x = loaded(lines[line] + place, inside[0], acc)
            for i in range(ROWS - 1, -1, -1):
                k = line - i
                if k >= 0 and k < KERNEL_H:
                    acc[i] = acc[i] + w[k] * x
        weights += KERNEL_H
        inside += 1
        place += map.dilation_w
    store_sums(1, ROWS, y, 0, map.y_row, rows, columns, acc)


cdef inline void find_lines(const Map* map, Py_ssize_t row, int count, const real** lines) noexcept nogil:
    # From the first tap of a row's first output on.
    cdef Py_ssize_t at = row - map.before_h
    cdef int n
    for n in range(count):
        lines[n] = map.zeros
        if 0 <= at + n < map.height:
            lines[n] = map.x + (at + n) * map.x_row - map.before_w


cdef inline void sum_lines(const int KERNEL_H, const int ROWS, const Map* map, Py_ssize_t row,
                           Py_ssize_t end) noexcept nogil:
    # Output rows [row, end), at most ROWS.
    cdef const real* lines[MOST_LINES]
    cdef vec acc[8]
    cdef half_vec half[8]
    cdef Py_ssize_t column = 0
    cdef real* y = map.y + row * map.y_row
    cdef const real* ahead = map.next
    cdef int i
    if row + ROWS < end:
        ahead = map.x + (row + ROWS - map.before_h + KERNEL_H - 1) * map.x_row
    find_lines(map, row, ROWS - 1 + KERNEL_H, lines)
    while column < map.columns:
        for i in range(ROWS * VL // LINE):
            prefetch(ahead + column * ROWS + i * LINE)
        ask_for_output(1, ROWS, map.from_memory, y + ROWS * map.y_row + map.later + column * ROWS, 0)
        if HALVES and map.columns - column <= VL // 2:
            sum_tile(KERNEL_H, ROWS, map, lines, column, min(end - row, <Py_ssize_t>ROWS), map.columns - column, y + column,
                     half)
        else:
            sum_tile(KERNEL_H, ROWS, map, lines, column, min(end - row, <Py_ssize_t>ROWS),
                     min(map.columns - column, <Py_ssize_t>VL), y + column, acc)
        column += VL


cdef inline void sum_rows(const int KERNEL_H, const Map* map, Py_ssize_t row, Py_ssize_t end,
                          const Epilogue* epilogue) noexcept nogil:
    # Output rows [row, end); the last ones may be half a tile.
    cdef real* y
    while row < end:
        if end - row <= STRIP_ROWS // 2:
            sum_lines(KERNEL_H, STRIP_ROWS // 2, map, row, end)
        else:
            sum_lines(KERNEL_H, STRIP_ROWS, map, row, end)
        if not epilogue.plain:
            y = map.y + row * map.y_row
            finish_rows(epilogue, y, map.y_row, y, map.y_row, min(end - row, <Py_ssize_t>STRIP_ROWS), map.columns)
        row += STRIP_ROWS

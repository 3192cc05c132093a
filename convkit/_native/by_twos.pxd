# A depthwise 3×3 kernel of stride 2, summed from the input where it lies.
#
# Of a tile's input rows, what each of the three taps brings to a vector of outputs is picked out of neighbours in
# registers: nothing is copied first. Numbers are picked in the order that costs least, the same for all taps, and only
# the sums are put into theirs.
from convkit._native.arith cimport ceil_div
from convkit._native.epilogue cimport Epilogue, finish_rows
from convkit._native.simd cimport (LINE, VL, lanes_between, prefetch, prefetch_write, real, vec, vec_even_mixed, vec_lanes,
                                   vec_load, vec_load_lanes, vec_odd_mixed, vec_set, vec_store, vec_unmixed)

cdef enum:
    ROWS = 4                    # output rows of a tile
    LINES = 2 * ROWS + 1        # input rows under it


cdef struct Map:                # of one channel
    const real* x
    Py_ssize_t height, width, x_row
    Py_ssize_t before_h, before_w
    real* y
    Py_ssize_t columns, y_row
    const real* weights         # [kernel row][kernel column]
    real bias
    real cval
    const real* outside         # a row of constants


cdef struct Tile:
    const real* lines[LINES]
    real* y                     # its first output
    Py_ssize_t rows             # to store


cdef inline void sum_tile(const int EDGES, const Map* map, const Tile* tile, Py_ssize_t column) noexcept nogil:
    # `column`: of the first tap of the first output, in the input. EDGES: 0, nothing is outside; 1, the first column
    # may be; 2, anything, and rows may be left over.
    cdef vec cval = vec_set(map.cval)
    cdef vec left, middle, right, a, b, last, sum = cval
    cdef vec w[9]
    cdef vec_lanes inside[4]
    cdef const real* line
    cdef real* y = tile.y
    cdef Py_ssize_t at
    cdef int i, n
    for i in range(9):
        w[i] = vec_set(map.weights[i])
    if EDGES:
        for i in range(4):
            at = column + i % 2 * VL + i // 2
            inside[i] = lanes_between(-at, map.width - at)
    for n in range(LINES):
        line = tile.lines[n] + column
        a = vec_load_lanes(line, inside[0], cval) if EDGES else vec_load(line)
        b = vec_load_lanes(line + VL, inside[1], cval) if EDGES == 2 else vec_load(line + VL)
        left = vec_even_mixed(a, b)
        a = vec_load_lanes(line + 1, inside[2], cval) if EDGES == 2 else vec_load(line + 1)
        b = vec_load_lanes(line + 1 + VL, inside[3], cval) if EDGES == 2 else vec_load(line + 1 + VL)
        middle, right = vec_even_mixed(a, b), vec_odd_mixed(a, b)
        if n >= 2 and n % 2 == 0:
            last = sum + w[6] * left
            last = last + w[7] * middle
            last = vec_unmixed(last + w[8] * right)
            if EDGES < 2 or n // 2 <= tile.rows:
                vec_store(y, last)
            y += map.y_row
        if n % 2 == 0:
            sum = vec_set(map.bias)
        sum = sum + w[n % 2 * 3] * left
        sum = sum + w[n % 2 * 3 + 1] * middle
        sum = sum + w[n % 2 * 3 + 2] * right


cdef inline void find_lines(const Map* map, Py_ssize_t row, const real** lines) noexcept nogil:
    cdef Py_ssize_t at = 2 * row - map.before_h
    cdef int n
    for n in range(LINES):
        lines[n] = map.outside
        if 0 <= at + n < map.height:
            lines[n] = map.x + (at + n) * map.x_row


cdef inline void ask(const Map* map, const Tile* tile, Py_ssize_t row, Py_ssize_t column) noexcept nogil:
    # The lines of the next tile of these columns.
    cdef const real* ahead = map.x + (2 * (row + ROWS) - map.before_h + 1) * map.x_row + column * 2 * ROWS
    cdef int i
    for i in range(2 * ROWS):
        prefetch(ahead + i * 2 * VL)
    for i in range(ROWS * VL // LINE):
        prefetch_write(tile.y + ROWS * map.y_row + i * LINE)


cdef inline void sum_by_twos(const Map* map, Py_ssize_t row, Py_ssize_t end, const Epilogue* epilogue) noexcept nogil:
    # Output rows [row, end), of at least a vector.
    cdef Py_ssize_t i, at, column
    cdef real* y
    cdef Tile tile
    while row < end:
        y = map.y + row * map.y_row
        tile.rows = min(end - row, <Py_ssize_t>ROWS)
        find_lines(map, row, tile.lines)
        i = 0
        while i < map.columns:
            at = min(i, map.columns - VL)   # the last tile overlaps the one before it: both sums are the same
            column = 2 * at - map.before_w
            tile.y = y + at
            ask(map, &tile, row, at)
            if tile.rows < ROWS or column < -1 or column + 1 + 2 * VL > map.width:
                sum_tile(2, map, &tile, column)
            elif column < 0:
                sum_tile(1, map, &tile, column)
            else:
                sum_tile(0, map, &tile, column)
            i += VL
        if not epilogue.plain:
            finish_rows(epilogue, y, map.y_row, y, map.y_row, tile.rows, map.columns)
        row += ROWS

# Where the convolution that broadcasts pixels leaves out taps that see nothing but zeros: runs of output rows and of
# columns that see the same taps make boxes, which are summed along their longest axis. And whether pixels are packed.
from convkit._native.arith cimport ceil_div
from convkit._native.broadcast_conv cimport Conv, Run, band_slots, most_pixels
from convkit._native.simd cimport GEMM_MR, GEMM_NV, real

cdef enum:
    IN_FLIGHT = 8               # sums that are under way at once
    DIRECT_PANELS = 2           # of outputs for which several taps' pixels are read where they lie, not copied
    NEAR_BYTES = 4 << 20        # of an input that is not packed: packing asks memory for what comes next
    ROW_COST = 56               # of packing a row, in half cycles of a register's sums; of three of its pixels, 2
    MOST_APART = 15             # tap columns of which some are left out


cdef inline Run find_run(const Py_ssize_t* taps, Py_ssize_t count, Py_ssize_t stride, Py_ssize_t size, bint skip,
                         Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    # The outputs from `begin` on that see the same taps, of those before `end`.
    cdef Run run
    cdef Py_ssize_t place = begin * stride
    run.begin, run.end, run.first_tap, run.end_tap = begin, end, 0, count
    if not skip:
        return run
    while run.first_tap < count and place + taps[run.first_tap] < 0:
        run.first_tap += 1
    while run.end_tap > run.first_tap and place + taps[run.end_tap - 1] >= size:
        run.end_tap -= 1
    run.end = begin + 1
    place += stride
    while (run.end < end and (run.first_tap == 0 or place + taps[run.first_tap - 1] < 0)
           and (run.end_tap == run.first_tap or place + taps[run.end_tap - 1] < size)):
        run.end += 1
        place += stride
    return run


cdef inline Run find_rows(const Conv* conv, Py_ssize_t begin, Py_ssize_t end) noexcept nogil:
    return find_run(conv.tap_row, conv.tap_rows, conv.planes.stride_h, conv.planes.height, conv.skip, begin, end)


cdef inline int longest(Py_ssize_t images, Py_ssize_t rows, Py_ssize_t columns) noexcept nogil:
    # The axis of a box along which its tiles go.
    if columns >= GEMM_MR or columns >= max(images, rows):
        return 2
    return 1 if rows >= images else 0


cdef inline Py_ssize_t line_cost(Py_ssize_t pixels, Py_ssize_t vectors) noexcept nogil:
    # Of a product of each, in half cycles: fewer sums than `IN_FLIGHT` wait for each other.
    cdef Py_ssize_t tiles = ceil_div(pixels, most_pixels(vectors)), size = pixels // tiles, larger = pixels % tiles
    return (larger * max((size + 1) * vectors, <Py_ssize_t>IN_FLIGHT)
            + (tiles - larger) * max(size * vectors, <Py_ssize_t>IN_FLIGHT))


cdef inline Py_ssize_t box_cost(const Conv* conv, Py_ssize_t rows, Py_ssize_t columns) noexcept nogil:
    cdef int along = longest(conv.images, rows, columns)
    cdef Py_ssize_t pixels = conv.images if along == 0 else rows if along == 1 else columns
    return conv.images * rows * columns // pixels * line_cost(pixels, min(conv.vectors, <Py_ssize_t>GEMM_NV))


cdef inline void weigh(const Conv* conv, Py_ssize_t tall, Run* run) noexcept nogil:
    # Most rows see the same taps, `tall` of them; of the others each sees its own.
    run.cost = box_cost(conv, tall, run.end - run.begin)
    if tall < conv.rows:
        run.cost += (conv.rows - tall) * box_cost(conv, 1, run.end - run.begin)
    run.cost *= run.end_tap - run.first_tap


cdef inline Run joined(const Conv* conv, Py_ssize_t tall, const Run* left, const Run* right) noexcept nogil:
    cdef Run run
    run.begin, run.end, run.gain = left.begin, right.end, 0
    run.first_tap, run.end_tap = min(left.first_tap, right.first_tap), max(left.end_tap, right.end_tap)
    weigh(conv, tall, &run)
    return run


cdef inline void join_columns(Conv* conv, Py_ssize_t tall) noexcept nogil:
    # Where multiplying zeros costs less than small tiles and short loops, which take an eighth more than they count.
    cdef Py_ssize_t i, best, changed = 0, changes = conv.column_runs, apart = 0
    cdef Run both
    while conv.column_runs > 1:
        for i in range(max(changed, 0), min(changed + changes, conv.column_runs - 1)):
            both = joined(conv, tall, &conv.run[i], &conv.run[i + 1])
            conv.run[i].gain = (conv.run[i].cost + conv.run[i + 1].cost) * 9 // 8 - both.cost
        best = 0
        for i in range(1, conv.column_runs - 1):
            if conv.run[i].gain > conv.run[best].gain:
                best = i
        if conv.run[best].gain < 0:
            break
        conv.run[best] = joined(conv, tall, &conv.run[best], &conv.run[best + 1])
        conv.column_runs -= 1
        for i in range(best + 1, conv.column_runs):
            conv.run[i] = conv.run[i + 1]
        changed, changes = best - 1, 2
    both = joined(conv, tall, &conv.run[0], &conv.run[conv.column_runs - 1])
    for i in range(conv.column_runs):
        apart += conv.run[i].cost
    if 8 * both.cost <= 9 * apart:
        conv.run[0], conv.column_runs = both, 1


cdef inline void find_columns(Conv* conv, Py_ssize_t tall, bint join) noexcept nogil:
    # Runs of columns, joined or not, and their cost.
    cdef Py_ssize_t column = 0, i
    conv.column_runs = conv.column_cost = 0
    while column < conv.columns:
        conv.run[conv.column_runs] = find_run(conv.tap_column, conv.tap_columns, conv.stride_w, conv.planes.width,
                                              conv.skip and conv.tap_columns <= MOST_APART, column, conv.columns)
        weigh(conv, tall, &conv.run[conv.column_runs])
        column = conv.run[conv.column_runs].end
        conv.column_runs += 1
    if join:
        join_columns(conv, tall)
    for i in range(conv.column_runs):
        conv.column_cost += conv.run[i].cost


cdef inline bint lies_inside(const Conv* conv) noexcept nogil:
    # Whether every pixel that a tap sees is in the input.
    return (conv.tap_row[0] >= 0 and conv.tap_column[0] >= 0
            and (conv.rows - 1) * conv.planes.stride_h + conv.tap_row[conv.tap_rows - 1] < conv.planes.height
            and (conv.columns - 1) * conv.stride_w + conv.tap_column[conv.tap_columns - 1] < conv.planes.width)


cdef inline bint is_near(const Conv* conv) noexcept nogil:
    # Whether several panels' taps may read the input itself.
    cdef Py_ssize_t pixels = conv.images * conv.groups * conv.channels * conv.planes.height * conv.planes.width
    return conv.taps == 1 or (conv.panels <= DIRECT_PANELS and pixels * <Py_ssize_t>sizeof(real) <= NEAR_BYTES)


cdef inline void find_reading(Conv* conv) noexcept nogil:
    # Whether pixels are packed, and which taps are left out for which columns: planes have zeros around the input. All
    # of it follows from the sizes of the convolution, not from how it is cut.
    cdef Py_ssize_t row = 0, tall = 0, apart, packed
    cdef Run rows
    while row < conv.rows:
        rows = find_rows(conv, row, conv.rows)
        tall, row = max(tall, rows.end - row), rows.end
    conv.direct = is_near(conv) and (lies_inside(conv) or (conv.skip and conv.tap_columns <= MOST_APART))
    if conv.direct:
        find_columns(conv, tall, False)
        if conv.taps == 1:
            return
    apart = conv.column_cost * conv.panels * conv.tap_rows
    find_columns(conv, tall, True)
    packed = conv.column_cost * conv.panels * conv.tap_rows
    packed += conv.images * band_slots(conv, conv.rows) * (ROW_COST + 2 * conv.planes.pitch // 3)
    conv.direct = conv.direct and apart <= packed
    if conv.direct:
        find_columns(conv, tall, False)

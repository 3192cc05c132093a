"""Medians: of 3×3 and 5×5 windows by sorting networks, of any by a search for their bits.

The windows of 3×3 are found ROWS output rows at a time, whose windows share rows: each row of three pixels is sorted
once, in registers, and what two neighbours leave open is told once for both windows that hold them. Those of 5×5
are found two at a time: their columns share all but one of their pixels, which are sorted once, and the last is put
in its place in each, into lines; the network along the row needs to look only at what the order of columns leaves
open.

Elsewhere a vector of medians is found from the highest bit of their keys down: a bit is set where no more than half
of the window lies below the number that this makes. It takes a comparison for each pixel and bit.
"""
from convkit._native.border cimport border_index
from convkit._native.networks cimport (
    Row, Rows, insert_in_4, join_rows, median_of_rows, median_of_sorted_5, sort_4, sort_row,
)
from convkit._native.pixel cimport (
    KEY_BITS, KEY_BYTES, KEY_LOWEST, KL, PIXEL_IS_KEY, key, key_place, keys, keys_count_less, keys_load,
    keys_read, keys_set, keys_store, keys_where_at_most, keys_with_bit, pixel, pixels_store, pixels_stream,
)
from convkit._native.simd cimport VECTOR_BYTES, prefetch_far, prefetch_write, real, stream_fence
from convkit._native.window cimport (
    LINE_BYTES, Tile, Window, close_window, fill, image_row, is_away, is_packed, line_fits, load_row, open_window,
    output_row, run_tiles, store_row, stores_directly, streams, whole_line,
)

cdef enum:
    LINE = 3200 // KEY_BYTES  # known when this is compiled, so that all lines are read by way of one register


# ---- 3×3 --------------------------------------------------------------------------------------------
cdef enum:
    ROWS = 4  # of the output at a time
    WHOLE = 1 << 16  # elements of a row, from which on it is cut
    LEFT = 0  # a row in three parts: what the border changes at its ends, and between them the image itself
    INNER = 1
    RIGHT = 2

cdef struct Parts:
    Py_ssize_t begin[3]
    Py_ssize_t count[3]  # elements of the output
    Py_ssize_t left, right  # pixels of the border
    bint direct
    const key* rows[3][ROWS + 2]  # an element lies there at its place in the tile's line


cdef inline Parts cut_line(const Window* w, Tile tile) noexcept nogil:
    """Into parts; where rows cannot be read as they lie, all of a line is one."""
    cdef Py_ssize_t column = tile.left + w.first_column, n = tile.pixels * w.channels
    cdef Parts parts
    parts.left, parts.right = max(-column, 0), max(column + tile.pixels + w.columns - 1 - w.width, 0)
    parts.begin[LEFT], parts.begin[INNER], parts.begin[RIGHT] = 0, parts.left * w.channels, n - KL
    parts.count[LEFT], parts.count[RIGHT] = KL if parts.left else 0, KL if parts.right else 0
    parts.count[INNER] = n - (parts.left + parts.right) * w.channels
    parts.direct = (
        PIXEL_IS_KEY and is_packed(&w.image, w.channels) and stores_directly(w, tile) and parts.count[INNER] >= 2 * KL
        and 2 * w.channels <= KL
    )
    if not parts.direct:
        parts.count[LEFT] = parts.count[RIGHT] = parts.begin[INNER] = 0
        parts.count[INNER] = max(n, <Py_ssize_t>KL)
    return parts


cdef inline Py_ssize_t lines_of_3(const Window* w) noexcept:
    """Rows that are read as they lie are read whole, and others that stay near: memory is faster along them."""
    cdef Py_ssize_t whole = (w.out_width + w.columns - 1) * w.channels + 2 * KL
    if PIXEL_IS_KEY and is_packed(&w.image, w.channels):
        return min(max(whole, LINE), WHOLE)
    return max(whole_line(w, ROWS + 2), <Py_ssize_t>LINE)


cdef inline void load_end(
    const Window* w, const key* row, const key* inside, key* to, Py_ssize_t column, Py_ssize_t pixels, key* border
) noexcept nogil:
    """Two vectors of `row`, from `inside` on, and `pixels` of its border, from `column` on."""
    cdef Py_ssize_t i, c, x
    keys_store(to, keys_load(inside))
    keys_store(to + KL, keys_load(inside + KL))
    for i in range(pixels):
        x = border_index(column + i, w.width, w.border)
        for c in range(w.channels):
            border[i * w.channels + c] = w.outside if x < 0 else row[x * w.channels + c]


cdef inline void find_row(
    const Window* w, Tile tile, Parts* parts, Py_ssize_t row, const int k, key* line, const key* outside
) noexcept nogil:
    """Where the parts of a row of the windows lie; `line` is scratch for its ends."""
    cdef Py_ssize_t y = border_index(row + w.first_row, w.height, w.border), c = w.channels
    cdef const key* image
    cdef key* after = line + 5 * KL + (w.columns - 1 - parts.right) * c  # behind the last two vectors inside
    if y < 0:
        parts.rows[LEFT][k] = parts.rows[INNER][k] = parts.rows[RIGHT][k] = outside
        return
    image = <const key*>(w.image.data + y * w.image.row_step)
    parts.rows[LEFT][k] = line
    parts.rows[INNER][k] = image + (tile.left + w.first_column) * c
    parts.rows[RIGHT][k] = line + 4 * KL - parts.begin[RIGHT]
    if parts.left:
        load_end(w, image, image, line + parts.left * c, -parts.left, parts.left, line)
    if parts.right:
        load_end(w, image, image + w.width * c - 2 * KL, after - 2 * KL, w.width, parts.right, after)


cdef inline void median_3_rows(
    const key** rows, Py_ssize_t begin, Py_ssize_t n, Py_ssize_t channels, pixel** targets, const real** near, bint away,
    const bint stream
) noexcept nogil:
    """n medians from `begin` on, at least a vector, of the ROWS output rows that two more give.

    Vectors are stored where they are aligned, around the caches if told so; the first and the last may overlap those
    beside them.
    """
    cdef Py_ssize_t at = -(<Py_ssize_t>(targets[0] + begin) % VECTOR_BYTES // KEY_BYTES) if n > KL else 0, x
    cdef Row row[4]
    cdef Rows shared
    cdef keys found[2]
    cdef int y, half
    while at < n:
        x = begin + max(min(at, n - KL), 0)
        sort_row(&row[0], rows[0] + x, channels)
        sort_row(&row[1], rows[1] + x, channels)
        for y in range(0, ROWS, 2):
            sort_row(&row[2], rows[y + 2] + x, channels)
            join_rows(&shared, &row[1], &row[2])
            found[0] = median_of_rows(&shared, &row[0])
            sort_row(&row[3], rows[y + 3] + x, channels)
            found[1] = median_of_rows(&shared, &row[3])
            for half in range(2):
                if stream and x == begin + at:
                    pixels_stream(targets[y + half] + x, found[half])
                else:
                    pixels_store(targets[y + half] + x, found[half])
            row[0], row[1] = row[2], row[3]
        if away and x % (LINE_BYTES // KEY_BYTES) < KL:
            for y in range(ROWS):  # no hardware bridges the distance to the next
                prefetch_far(<const real*>(<const key*>near[y] + x))
        at += KL


cdef void median_3_tile(const Window* w, const void* how, Tile tile, key* scratch) noexcept nogil:
    cdef Parts parts = cut_line(w, tile)
    cdef key* outside = scratch + (ROWS + 2) * w.line
    cdef pixel* lines = <pixel*>(outside + w.line)
    cdef pixel* targets[ROWS]
    cdef const real* near[ROWS]
    cdef Py_ssize_t y = tile.top, k
    cdef bint direct = stores_directly(w, tile), away = is_away(w)
    cdef bint around = direct and streams(w) and w.out.row_step * KEY_BYTES % VECTOR_BYTES == 0
    cdef key* line
    cdef int part
    fill(outside, w.outside, w.line)
    while y < tile.bottom:
        for k in range(ROWS + 2):
            if k < 2 and y > tile.top:
                for part in range(3):
                    parts.rows[part][k] = parts.rows[part][k + ROWS]
                continue
            line = scratch + (y + k) % (ROWS + 2) * w.line
            if parts.direct:
                find_row(w, tile, &parts, y + k, k, line, outside)
            else:
                load_row(w, tile, y + k, line)
                parts.rows[INNER][k] = line
        for k in range(ROWS):
            targets[k] = output_row(w, tile, y + k) if direct and y + k < tile.bottom else lines + k * w.line
            near[k] = image_row(w, tile, y + ROWS + 2 + k)
        for part in range(3):
            if parts.count[part]:
                if not PIXEL_IS_KEY and around and y + ROWS <= tile.bottom:
                    median_3_rows(
                        parts.rows[part], parts.begin[part], parts.count[part], w.channels, targets, near, away, True
                    )
                else:
                    median_3_rows(
                        parts.rows[part], parts.begin[part], parts.count[part], w.channels, targets, near, away, False
                    )
        for k in range(0 if direct else min(<Py_ssize_t>ROWS, tile.bottom - y)):
            store_row(w, tile, y + k, targets[k])
        y += ROWS
    stream_fence()


# ---- 5×5 --------------------------------------------------------------------------------------------
cdef inline void find_near(const Window* w, Tile tile, Py_ssize_t y, const real** near) noexcept nogil:
    """The two rows that come next, and the output's: to be prefetched."""
    cdef int half
    for half in range(2):
        near[half] = image_row(w, tile, y + w.rows + 1 + half)
        near[2 + half] = <const real*>output_row(w, tile, min(y + 2 + half, tile.bottom - 1))


cdef inline void sort_columns(
    const key** rows, key* lines, Py_ssize_t n, const real** near
) noexcept nogil:
    """Of rows 0 to 5, five lines for the windows of the first five, and as many for those of the last."""
    cdef keys w[5]
    cdef keys shared[4]
    cdef Py_ssize_t at = 0
    cdef int k, half
    while at < n:
        for k in range(4):
            shared[k] = keys_read(rows[k + 1] + at)
        sort_4(shared)
        for half in range(2):
            w[0] = keys_read(rows[5 * half] + at)
            for k in range(4):
                w[k + 1] = shared[k]
            insert_in_4(w)
            for k in range(5):
                keys_store(lines + (5 * half + k) * LINE + at, w[k])
        for half in range(2):
            prefetch_far(<const real*>(<const key*>near[half] + at))
        at += KL


cdef inline void median_5_row(
    const key* lines, Py_ssize_t channels, pixel* target, Py_ssize_t n, const real* next
) noexcept nogil:
    """Exactly n medians, at least a vector: the last vectors overlap."""
    cdef const key* columns[5]
    cdef Py_ssize_t at = 0, x
    cdef int column
    while at < n:
        x = min(at, n - KL)
        for column in range(5):
            columns[column] = key_place(lines + x + column * channels)
        pixels_store(target + x, median_of_sorted_5(columns, LINE))
        prefetch_write(<const real*>(<const key*>next + x))
        at += KL


cdef void median_5_tile(const Window* w, const void* how, Tile tile, key* scratch) noexcept nogil:
    cdef Py_ssize_t n = tile.pixels * w.channels, y, k, half
    cdef key* lines = scratch + 6 * LINE
    cdef pixel* target = <pixel*>(lines + 10 * LINE)
    cdef const key* rows[6]
    cdef const real* near[4]
    for y in range(tile.top, tile.bottom, 2):
        for k in range(6):
            rows[k] = scratch + (y + k) % 6 * LINE
        for k in range(0 if y == tile.top else 4, 6):
            load_row(w, tile, y + k, <key*>rows[k])
        find_near(w, tile, y, near)
        sort_columns(rows, lines, n + 4 * w.channels, near)
        for half in range(min(2, tile.bottom - y)):
            if stores_directly(w, tile):
                target = output_row(w, tile, y + half)
            median_5_row(lines + 5 * half * LINE, w.channels, target, max(n, <Py_ssize_t>KL), near[2 + half])
            if not stores_directly(w, tile):
                store_row(w, tile, y + half, target)


# ---- any window -------------------------------------------------------------------------------------
cdef enum:
    TOGETHER = 4  # vectors: a count's loop costs less than what it counts


cdef inline void select(
    const key** rows, Py_ssize_t at, const Window* w, pixel* target, int vectors
) noexcept nogil:
    """The medians of the windows that begin at rows[0][at ...], for a constant number of vectors."""
    cdef keys found[TOGETHER]
    cdef keys tried[TOGETHER]
    cdef keys below[TOGETHER]
    cdef const key* near
    cdef Py_ssize_t y, x
    cdef int bit, v
    for v in range(vectors):
        found[v] = keys_set(KEY_LOWEST)
    for bit in range(KEY_BITS - 1, -1, -1):
        for v in range(vectors):
            tried[v] = keys_with_bit(found[v], bit)
            below[v] = keys_set(0)
        for y in range(w.rows):
            for x in range(w.columns):
                near = rows[y] + at + x * w.channels
                for v in range(vectors):
                    below[v] = keys_count_less(below[v], keys_load(near + v * KL), tried[v])
        for v in range(vectors):
            found[v] = keys_where_at_most(below[v], w.rows * w.columns // 2, tried[v], found[v])
    for v in range(vectors):
        pixels_store(target + v * KL, found[v])


cdef void select_tile(const Window* w, const void* how, Tile tile, key* scratch) noexcept nogil:
    cdef Py_ssize_t n = max(tile.pixels * w.channels, <Py_ssize_t>KL), y, k, at
    cdef pixel* line = <pixel*>(scratch + w.rows * w.line)
    cdef pixel* target = line
    cdef const key** rows = <const key**>(line + w.line)
    for y in range(tile.top, tile.bottom):
        for k in range(w.rows):
            rows[k] = scratch + (y + k) % w.rows * w.line
        for k in range(0 if y == tile.top else w.rows - 1, w.rows):
            load_row(w, tile, y + k, <key*>rows[k])
        if stores_directly(w, tile):
            target = output_row(w, tile, y)
        at = 0
        while at + TOGETHER * KL <= n:
            select(rows, at, w, target + at, TOGETHER)
            at += TOGETHER * KL
        while at < n:
            k = min(at, n - KL)
            select(rows, k, w, target + k, 1)
            at += KL
        if not stores_directly(w, tile):
            store_row(w, tile, y, target)


# ---- from Python ------------------------------------------------------------------------------------
def median_network(image not None, out not None, extent, anchor, int border, double outside, int threads):
    """Write the median of each 3×3 or 5×5 window of `image` into `out`: HW or HWC arrays of any strides."""
    cdef Window w
    cdef Py_buffer views[2]
    open_window(&w, views, image, out, extent, anchor, border, outside)
    try:
        if line_fits(&w, LINE):
            if w.rows == 3:
                run_tiles(&w, median_3_tile, NULL, 2 * ROWS + 3, 0, threads, lines_of_3(&w))
            else:
                run_tiles(&w, median_5_tile, NULL, 17, 0, threads, LINE)
        else:  # of very many channels
            run_tiles(&w, select_tile, NULL, w.rows + 1, w.rows * sizeof(void*), threads)
    finally:
        close_window(views)


def median(image not None, out not None, extent, anchor, int border, double outside, int threads):
    """The same for windows of any odd number of pixels, up to 65535."""
    cdef Window w
    cdef Py_buffer views[2]
    open_window(&w, views, image, out, extent, anchor, border, outside)
    try:
        run_tiles(&w, select_tile, NULL, w.rows + 1, w.rows * sizeof(void*), threads)
    finally:
        close_window(views)

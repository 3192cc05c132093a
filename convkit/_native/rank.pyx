"""Medians: of 3×3 and 5×5 windows by sorting networks, of any by a search for their bits.

The columns of two output rows share all but one of their pixels: the shared ones are sorted once, and the last is
put in its place in each. So every column is sorted before the network along the row begins, which needs to look
only at what the order of columns leaves open.

Elsewhere a vector of medians is found from the highest bit of their keys down: a bit is set where no more than half
of the window lies below the number that this makes. It takes a comparison for each pixel and bit.
"""
from convkit._native.networks cimport insert, median_of_sorted_3, median_of_sorted_5, order, sort_4
from convkit._native.pixel cimport (
    KEY_BITS, KEY_BYTES, KEY_LOWEST, KL, key, keys, keys_count_less, keys_load, keys_set, keys_store, keys_where_at_most,
    keys_with_bit, pixel, pixels_store,
)
from convkit._native.simd cimport prefetch_far, prefetch_write, real
from convkit._native.window cimport (
    Tile, Window, close_window, image_row, line_fits, load_row, open_window, output_row, run_tiles, store_row,
    stores_directly,
)

cdef enum:
    LINE = 3200 // KEY_BYTES  # known when this is compiled, so that all lines are read by way of one register


cdef inline void sort_columns(
    const key** rows, key* lines, Py_ssize_t line, Py_ssize_t n, const real** near, const int size
) noexcept nogil:
    """Of rows 0..size, `size` lines for the windows of the first `size`, and as many for those of the last."""
    cdef keys w[5]
    cdef keys shared[4]
    cdef Py_ssize_t at = 0
    cdef int k, half
    while at < n:
        for k in range(size - 1):
            shared[k] = keys_load(rows[k + 1] + at)
        if size == 3:
            order(shared, 0, 1)
        else:
            sort_4(shared)
        for half in range(2):
            w[0] = keys_load(rows[half * size] + at)
            for k in range(size - 1):
                w[k + 1] = shared[k]
            insert(w, size)
            for k in range(size):
                keys_store(lines + (half * size + k) * line + at, w[k])
        for half in range(2):
            prefetch_far(<const real*>(<const key*>near[half] + at))
        at += KL


cdef inline keys median_of_columns(
    const key* lines, Py_ssize_t line, Py_ssize_t channels, const int size
) noexcept nogil:
    cdef keys w[25]
    cdef int k, column
    for k in range(size):
        for column in range(size):
            w[k * size + column] = keys_load(lines + k * line + column * channels)
    return median_of_sorted_3(w) if size == 3 else median_of_sorted_5(w)


cdef inline void median_row(
    const key* lines, Py_ssize_t line, Py_ssize_t channels, pixel* target, Py_ssize_t n, const real* next, const int size
) noexcept nogil:
    """Exactly n medians, at least a vector: the last vectors overlap."""
    cdef Py_ssize_t at = 0, k
    while at < n:
        k = min(at, n - KL)
        pixels_store(target + k, median_of_columns(lines + k, line, channels, size))
        prefetch_write(<const real*>(<const key*>next + k))
        at += KL


cdef inline void network_tile(const Window* w, Tile tile, key* scratch, const int size) noexcept nogil:
    cdef Py_ssize_t n = tile.pixels * w.channels, wide = n + (size - 1) * w.channels, y, k, half
    cdef key* ring = scratch
    cdef key* lines = ring + (size + 1) * LINE
    cdef pixel* target = <pixel*>(lines + 2 * size * LINE)
    cdef const key* rows[6]
    cdef const real* near[4]  # the rows that come next, and the output's
    for y in range(tile.top, tile.bottom, 2):
        for k in range(size + 1):
            rows[k] = ring + (y + k) % (size + 1) * LINE
        for k in range(0 if y == tile.top else size - 1, size + 1):
            load_row(w, tile, y + k, <key*>rows[k])
        for half in range(2):
            near[half] = image_row(w, tile, y + size + 1 + half)
            near[2 + half] = <const real*>output_row(w, tile, min(y + 2 + half, tile.bottom - 1))
        sort_columns(rows, lines, LINE, wide, near, size)
        for half in range(min(2, tile.bottom - y)):
            if stores_directly(w, tile):
                target = output_row(w, tile, y + half)
            median_row(lines + half * size * LINE, LINE, w.channels, target, max(n, <Py_ssize_t>KL), near[2 + half], size)
            if not stores_directly(w, tile):
                store_row(w, tile, y + half, target)


cdef void median_3_tile(const Window* w, const void* how, Tile tile, key* scratch) noexcept nogil:
    network_tile(w, tile, scratch, 3)


cdef void median_5_tile(const Window* w, const void* how, Tile tile, key* scratch) noexcept nogil:
    network_tile(w, tile, scratch, 5)


# ---- any window -------------------------------------------------------------------------------------
cdef inline keys select(
    const key** rows, Py_ssize_t at, Py_ssize_t height, Py_ssize_t width, Py_ssize_t channels
) noexcept nogil:
    """The medians of the windows that begin at rows[0][at ...]."""
    cdef keys found = keys_set(KEY_LOWEST), tried, below
    cdef Py_ssize_t y, x
    cdef int bit
    for bit in range(KEY_BITS - 1, -1, -1):
        tried = keys_with_bit(found, bit)
        below = keys_set(0)
        for y in range(height):
            for x in range(width):
                below = keys_count_less(below, keys_load(rows[y] + at + x * channels), tried)
        found = keys_where_at_most(below, height * width // 2, tried, found)
    return found


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
        while at < n:
            k = min(at, n - KL)
            pixels_store(target + k, select(rows, k, w.rows, w.columns, w.channels))
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
            run_tiles(&w, median_3_tile if w.rows == 3 else median_5_tile, NULL, 3 * w.rows + 2, 0, threads, LINE)
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

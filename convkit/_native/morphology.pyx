"""The least or greatest pixel of a window: a rectangle of any size in constant time, or any footprint.

A rectangle is the minimum of a row, then of columns. Along a row, minima of 1, 4, 16, ... pixels are made from each
other in place, and the last step overlaps to the width that is wanted. Down the columns runs the algorithm of van Herk,
Gil and Werman: rows are taken in blocks of the window's height, and each window is the end of one block and the
beginning of the next. A ring of that many lines holds the last block, each line replaced by the minimum of itself
and all below, and one line the minimum of the rows since: three comparisons for any height.

A footprint is a list of runs of columns; a run is two overlapping minima of 1, 2, 4, ... pixels, which are made
once for each image row.
"""
from convkit._native.pixel cimport (
    KEY_BYTES, KL, key, keys, keys_load, keys_max, keys_min, keys_store, pixel, pixels_store, pixels_stream,
)
from convkit._native.simd cimport VECTOR_BYTES, prefetch, prefetch_write, real, scratch_alloc, scratch_free, stream_fence
from convkit._native.window cimport (
    Tile, Window, close_window, image_row, load_row, open_window, output_row, run_tiles, store_row, stores_directly,
    streams, whole_line,
)

cdef enum:
    STEP = 4  # pixels of a step are combined; the last step may take one more

cdef struct Tap:
    Py_ssize_t row, level, column

cdef struct Footprint:
    Tap* taps
    Py_ssize_t count
    Py_ssize_t levels


cdef inline keys pick(keys a, keys b, const bint greatest) noexcept nogil:
    return keys_max(a, b) if greatest else keys_min(a, b)


# ---- along a row ------------------------------------------------------------------------------------
cdef inline keys pick_shifted(
    const key* line, Py_ssize_t step, Py_ssize_t last, const int count, const bint greatest
) noexcept nogil:
    """Of `count` vectors, `step` apart but for the last."""
    cdef keys found = pick(keys_load(line), keys_load(line + last), greatest)
    cdef int i
    for i in range(1, count - 1):
        found = pick(found, keys_load(line + i * step), greatest)
    return found


cdef inline void pass_line(
    const key* line, key* target, Py_ssize_t n, Py_ssize_t step, Py_ssize_t last, const int count, const bint greatest
) noexcept nogil:
    cdef Py_ssize_t at = 0
    while at < n:
        keys_store(target + at, pick_shifted(line + at, step, last, count, greatest))
        at += KL


cdef inline void pick_row(
    key* line, key* target, Py_ssize_t n, Py_ssize_t columns, Py_ssize_t channels, const bint greatest
) noexcept nogil:
    """target[i] = the least of `columns` pixels from line[i] on, n of them; uses up the line."""
    cdef Py_ssize_t reach = 1, wide = (columns - 1) * channels + n, step = channels, last, count
    while reach * (STEP + 1) < columns:
        wide -= (STEP - 1) * step
        pass_line(line, line, wide, step, (STEP - 1) * step, STEP, greatest)
        reach, step = reach * STEP, step * STEP
    count, last = (columns + reach - 1) // reach, (columns - reach) * channels
    if count <= 2:
        pass_line(line, target, n, step, last, 2, greatest)
    elif count == 3:
        pass_line(line, target, n, step, last, 3, greatest)
    elif count == 4:
        pass_line(line, target, n, step, last, 4, greatest)
    else:
        pass_line(line, target, n, step, last, 5, greatest)


cdef void pick_least(key* line, key* target, Py_ssize_t n, Py_ssize_t columns, Py_ssize_t channels) noexcept nogil:
    pick_row(line, target, n, columns, channels, False)


cdef void pick_greatest(key* line, key* target, Py_ssize_t n, Py_ssize_t columns, Py_ssize_t channels) noexcept nogil:
    pick_row(line, target, n, columns, channels, True)


cdef inline void load_picked(
    const Window* w, Tile tile, Py_ssize_t row, key* line, key* target, const bint greatest
) noexcept nogil:
    """Load a row of the windows, and pick along it; `line` is scratch."""
    load_row(w, tile, row, target if w.columns == 1 else line)
    if w.columns == 1:
        return
    if greatest:
        pick_greatest(line, target, tile.pixels * w.channels, w.columns, w.channels)
    else:
        pick_least(line, target, tile.pixels * w.channels, w.columns, w.channels)


# ---- down the columns -------------------------------------------------------------------------------
cdef inline void advance(
    const key* before, const key* row, const key* below, key* since, pixel* target, Py_ssize_t n,
    const real* coming, const real* leaving, const bint stream, const bint greatest
) noexcept nogil:
    """since = the least of `before` and `row`; target = the least of that and `below`, around the caches if told so.

    Exactly n pixels, at least a vector. Vectors are stored where they are aligned; the first and the last may overlap
    those beside them, and picking twice changes nothing.
    """
    # Meanwhile the next row of the image and the output's come into the cache: no hardware bridges their distance.
    cdef Py_ssize_t at = -(<Py_ssize_t>target % VECTOR_BYTES // KEY_BYTES) if n > KL else 0, x
    cdef keys found
    while at < n:
        x = max(min(at, n - KL), 0)
        found = pick(keys_load(before + x), keys_load(row + x), greatest)
        keys_store(since + x, found)
        found = pick(found, keys_load(below + x), greatest)
        prefetch(<const real*>(<const key*>coming + x))
        if stream and x == at:
            pixels_stream(target + x, found)
        else:
            pixels_store(target + x, found)
            prefetch_write(<const real*>(<const key*>leaving + x))
        at += KL


cdef inline void end_block(key* ring, Py_ssize_t rows, Py_ssize_t line, Py_ssize_t n, const bint greatest) noexcept nogil:
    """Each line of the ring becomes the least of itself and those below it."""
    cdef Py_ssize_t at = 0, k
    cdef keys found
    while at < n:
        found = keys_load(ring + (rows - 1) * line + at)
        for k in range(rows - 2, 0, -1):
            found = pick(found, keys_load(ring + k * line + at), greatest)
            keys_store(ring + k * line + at, found)
        at += KL


cdef inline void rectangle_tile(const Window* w, Tile tile, key* scratch, const bint greatest) noexcept nogil:
    cdef key* ring = scratch
    cdef key* since = ring + w.rows * w.line
    cdef key* line = since + w.line
    cdef pixel* spare = <pixel*>(line + w.line)
    cdef pixel* target
    cdef key* row
    cdef const key* before
    cdef const key* below
    cdef const real* coming
    cdef const real* leaving
    cdef Py_ssize_t n = max(tile.pixels * w.channels, <Py_ssize_t>KL), i, slot, y
    cdef bint direct = stores_directly(w, tile)
    for i in range(tile.bottom - tile.top + w.rows - 1):
        slot = i % w.rows
        row = ring + slot * w.line
        load_picked(w, tile, tile.top + i, line, row, greatest)
        coming = image_row(w, tile, tile.top + i + 1)
        y = tile.top + i - w.rows + 1
        leaving = <const real*>output_row(w, tile, min(max(y + 1, tile.top), tile.bottom - 1))
        target = output_row(w, tile, y) if direct and y >= tile.top else spare
        # In the first block, what lies below is not known yet, and the target not used. At a block's end the window
        # is the whole block; its first line is not read again.
        before, below = row if slot == 0 else since, row if slot == w.rows - 1 else ring + (slot + 1) * w.line
        if streams(w) and target != spare:
            advance(before, row, below, since, target, n, coming, leaving, True, greatest)
        else:
            advance(before, row, below, since, target, n, coming, leaving, False, greatest)
        if slot == w.rows - 1:
            end_block(ring, w.rows, w.line, n, greatest)
        if not direct and y >= tile.top:
            store_row(w, tile, y, target)
    stream_fence()


cdef void least_of_rectangle(const Window* w, const void* how, Tile tile, key* scratch) noexcept nogil:
    rectangle_tile(w, tile, scratch, False)


cdef void greatest_of_rectangle(const Window* w, const void* how, Tile tile, key* scratch) noexcept nogil:
    rectangle_tile(w, tile, scratch, True)


# ---- any footprint ----------------------------------------------------------------------------------
cdef inline void double_up(
    key* lines, Py_ssize_t levels, Py_ssize_t line, Py_ssize_t channels, Py_ssize_t n, const real* coming,
    const bint greatest
) noexcept nogil:
    """Line k is the least of 2ᵏ pixels of line 0."""
    cdef Py_ssize_t level, step, at
    for level in range(1, levels):
        step = channels << (level - 1)
        at = 0
        while at < n:
            keys_store(lines + line + at, pick_shifted(lines + at, step, step, 2, greatest))
            if level == 1:
                prefetch(<const real*>(<const key*>coming + at))
            at += KL
        lines += line


cdef inline void pick_tapped(
    const key** taps, Py_ssize_t count, Py_ssize_t at, pixel* target, const int vectors, const bint greatest
) noexcept nogil:
    cdef keys found[4]
    cdef Py_ssize_t t
    cdef int v
    for v in range(vectors):
        found[v] = keys_load(taps[0] + at + v * KL)
    for t in range(1, count):
        for v in range(vectors):
            found[v] = pick(found[v], keys_load(taps[t] + at + v * KL), greatest)
    for v in range(vectors):
        pixels_store(target + at + v * KL, found[v])


cdef inline void pick_taps(
    const key** taps, Py_ssize_t count, pixel* target, Py_ssize_t n, const bint greatest
) noexcept nogil:
    """Exactly n pixels, at least a vector."""
    cdef Py_ssize_t at = 0
    while at <= n - 4 * KL:
        pick_tapped(taps, count, at, target, 4, greatest)
        at += 4 * KL
    while at < n:
        pick_tapped(taps, count, min(at, n - KL), target, 1, greatest)
        at += KL


cdef inline void footprint_tile(
    const Window* w, const Footprint* footprint, Tile tile, key* scratch, const bint greatest
) noexcept nogil:
    cdef Py_ssize_t n = tile.pixels * w.channels, wide = n + (w.columns - 1) * w.channels
    cdef Py_ssize_t each = footprint.levels * w.line, i, t, y
    cdef pixel* line = <pixel*>(scratch + w.rows * each)
    cdef const key** taps = <const key**>(line + w.line)
    cdef const Tap* tap
    cdef bint direct = stores_directly(w, tile)
    for i in range(tile.bottom - tile.top + w.rows - 1):
        load_row(w, tile, tile.top + i, scratch + i % w.rows * each)
        double_up(
            scratch + i % w.rows * each, footprint.levels, w.line, w.channels, wide,
            image_row(w, tile, tile.top + i + 1), greatest,
        )
        y = i - w.rows + 1
        if y < 0:
            continue
        for t in range(footprint.count):
            tap = &footprint.taps[t]
            taps[t] = scratch + (y + tap.row) % w.rows * each + tap.level * w.line + tap.column * w.channels
        if direct:
            line = output_row(w, tile, tile.top + y)
        pick_taps(taps, footprint.count, line, n if direct else max(n, <Py_ssize_t>KL), greatest)
        if not direct:
            store_row(w, tile, tile.top + y, line)


cdef void least_of_footprint(const Window* w, const void* how, Tile tile, key* scratch) noexcept nogil:
    footprint_tile(w, <const Footprint*>how, tile, scratch, False)


cdef void greatest_of_footprint(const Window* w, const void* how, Tile tile, key* scratch) noexcept nogil:
    footprint_tile(w, <const Footprint*>how, tile, scratch, True)


# ---- from Python ------------------------------------------------------------------------------------
def rectangle(image not None, out not None, bint greatest, extent, anchor, int border, double outside, int threads):
    """Write the least or greatest pixel of each window of `image` into `out`: HW or HWC arrays of any strides."""
    cdef Window w
    cdef Py_buffer views[2]
    open_window(&w, views, image, out, extent, anchor, border, outside)
    try:
        run_tiles(
            &w, greatest_of_rectangle if greatest else least_of_rectangle, NULL, w.rows + 3, 0, threads,
            whole_line(&w, w.rows + 3),
        )
    finally:
        close_window(views)


def footprint(
    image not None, out not None, bint greatest, taps, int levels, extent, anchor, int border, double outside,
    int threads
):
    """The same for the union of `taps`: (row, level, column) are 2 to the power of level pixels of a row."""
    cdef Window w
    cdef Py_buffer views[2]
    cdef Footprint how
    cdef Py_ssize_t i
    how.count, how.levels = len(taps), levels
    how.taps = <Tap*>scratch_alloc(how.count * sizeof(Tap))
    if how.taps == NULL:
        raise MemoryError("no memory for the footprint's taps")
    try:
        for i, (row, level, column) in enumerate(taps):
            how.taps[i].row, how.taps[i].level, how.taps[i].column = row, level, column
        open_window(&w, views, image, out, extent, anchor, border, outside)
        try:
            run_tiles(
                &w, greatest_of_footprint if greatest else least_of_footprint, &how, w.rows * levels + 1,
                how.count * sizeof(void*), threads, whole_line(&w, w.rows * levels + 1)
            )
        finally:
            close_window(views)
    finally:
        scratch_free(how.taps)

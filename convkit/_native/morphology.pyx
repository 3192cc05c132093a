"""The least or greatest pixel of a window: a rectangle of any size in constant time, or any footprint.

A rectangle is the minimum of rows and of columns: along a row as `along.pxd` says, down the columns as `few_rows.pxd`
does where there are few. Higher windows take the algorithm of van Herk, Gil and Werman: rows are taken in blocks of the
window's height, and each window is the end of one block and the beginning of the next. A ring of that many lines holds
the last block, each line replaced by the minimum of itself and all below, and one line the minimum of the rows since:
three comparisons for any height. Footprints are in `footprints.pxd`.
"""
from convkit._native.along cimport Along, pick_row, plan_along
from convkit._native.few_rows cimport ROWS, few_tile
from convkit._native.footprints cimport Footprint, Tap, footprint_tile
from convkit._native.pixel cimport (
    KEY_BYTES, KL, PIXEL_IS_KEY, key, keys, keys_load, keys_pick, keys_store, keys_stream, pixel, pixel_of, pixels_read,
    pixels_store, pixels_stream,
)
from convkit._native.simd cimport (
    VECTOR_BYTES, prefetch, prefetch_write, real, scratch_alloc, scratch_free, stream_fence
)
from convkit._native.window cimport (
    NEAR_BYTES, Tile, TileFunction, Window, close_window, image_row, is_packed, load_row, open_images, output_row,
    read_window, run_tiles, store_row, stores_directly, streams, whole_line,
)

cdef enum:
    FEW = 9  # rows of a window, up to which comparing a few at a time takes less time than blocks of its height
    MANY = 48  # the same where all rows are near


# ---- a rectangle: along its rows ----------------------------------------------------------------------
cdef void pick_least(const Along* along, key* line, key* target, Py_ssize_t n) noexcept nogil:
    pick_row(along, line, target, n, False)


cdef void pick_greatest(const Along* along, key* line, key* target, Py_ssize_t n) noexcept nogil:
    pick_row(along, line, target, n, True)


cdef inline void load_picked(
    const Window* w, Tile tile, const Along* along, Py_ssize_t row, key* line, key* target, const bint greatest
) noexcept nogil:
    """Load a row of the windows, and pick along it; `line` is scratch."""
    load_row(w, tile, row, target if w.columns == 1 else line)
    if w.columns == 1:
        return
    if greatest:
        pick_greatest(along, line, target, tile.pixels * w.channels)
    else:
        pick_least(along, line, target, tile.pixels * w.channels)


# ---- a rectangle: in blocks of its height -------------------------------------------------------------
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
        found = keys_pick(keys_load(before + x), keys_load(row + x), greatest)
        keys_store(since + x, found)
        found = keys_pick(found, keys_load(below + x), greatest)
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
            found = keys_pick(found, keys_load(ring + k * line + at), greatest)
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
    cdef Along along = plan_along(w.columns, w.channels)
    for i in range(tile.bottom - tile.top + w.rows - 1):
        slot = i % w.rows
        row = ring + slot * w.line
        load_picked(w, tile, &along, tile.top + i, line, row, greatest)
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


# ---- a single pixel ---------------------------------------------------------------------------------
cdef inline void copy_pixels(const pixel* source, pixel* target, Py_ssize_t n, const bint stream) noexcept nogil:
    """Exactly n, at least a vector; stored where they are aligned, the first and the last may overlap those beside."""
    cdef Py_ssize_t at = KL - <Py_ssize_t>target % VECTOR_BYTES // KEY_BYTES, v, x
    keys_store(<key*>target, pixels_read(source))
    while at <= n - 4 * KL:
        for v in range(4):
            if stream:
                keys_stream(<key*>(target + at) + v * KL, pixels_read(source + at + v * KL))
            else:
                keys_store(<key*>(target + at) + v * KL, pixels_read(source + at + v * KL))
        at += 4 * KL
    while at < n:
        x = min(at, n - KL)
        keys_store(<key*>(target + x), pixels_read(source + x))
        at += KL


cdef void copy_tile(const Window* w, const void* how, Tile tile, key* scratch) noexcept nogil:
    """Windows of one pixel: a copy, in which all NaNs are one."""
    cdef Py_ssize_t n = tile.pixels * w.channels, rows = tile.bottom - tile.top, y, i
    cdef pixel* target = <pixel*>(scratch + w.line)
    cdef bint in_place = is_packed(&w.image, w.channels) and stores_directly(w, tile)
    if in_place and w.image.row_step == w.out.row_step == n:  # rows that touch are a single one
        n, rows = n * rows, 1
    for y in range(tile.top, tile.top + rows):
        if in_place and streams(w):
            copy_pixels(<const pixel*>image_row(w, tile, y), output_row(w, tile, y), n, True)
        elif in_place:
            copy_pixels(<const pixel*>image_row(w, tile, y), output_row(w, tile, y), n, False)
        else:
            load_row(w, tile, y, scratch)
            for i in range(n):
                target[i] = pixel_of(scratch[i])
            store_row(w, tile, y, target)
    stream_fence()


# ---- any tile ----------------------------------------------------------------------------------------
cdef void least_of_rectangle(const Window* w, const void* how, Tile tile, key* scratch) noexcept nogil:
    rectangle_tile(w, tile, scratch, False)


cdef void greatest_of_rectangle(const Window* w, const void* how, Tile tile, key* scratch) noexcept nogil:
    rectangle_tile(w, tile, scratch, True)


cdef void least_of_few(const Window* w, const void* how, Tile tile, key* scratch) noexcept nogil:
    few_tile(w, tile, scratch, False)


cdef void greatest_of_few(const Window* w, const void* how, Tile tile, key* scratch) noexcept nogil:
    few_tile(w, tile, scratch, True)


cdef void least_of_footprint(const Window* w, const void* how, Tile tile, key* scratch) noexcept nogil:
    footprint_tile(w, <const Footprint*>how, tile, scratch, False)


cdef void greatest_of_footprint(const Window* w, const void* how, Tile tile, key* scratch) noexcept nogil:
    footprint_tile(w, <const Footprint*>how, tile, scratch, True)


# ---- from Python ------------------------------------------------------------------------------------
cdef inline bint is_low(const Window* w) noexcept:
    """Whether windows are of few rows: beside blocks of their height, or as all that they see stays near."""
    cdef Py_ssize_t seen = (w.rows + ROWS - 1) * (w.out_width + w.columns - 1) * w.channels * KEY_BYTES
    return w.rows <= FEW or (PIXEL_IS_KEY and w.rows <= MANY and seen <= 2 * NEAR_BYTES)


cdef int pick_rectangles(Window* w, bint greatest, int threads) except -1:
    cdef Py_ssize_t lines = w.rows + 3, tables = 0
    cdef TileFunction function = greatest_of_rectangle if greatest else least_of_rectangle
    if w.rows == w.columns == 1:
        function = copy_tile
    elif is_low(w):
        function = greatest_of_few if greatest else least_of_few
        lines = w.rows - 1 + 2 * ROWS + 2
        tables = (w.rows + 2 * ROWS + 4 * w.columns * w.channels) * <Py_ssize_t>sizeof(void*)
    # Most lines may lie farther: along whole rows memory is faster by more.
    return run_tiles(w, function, NULL, lines, tables, threads, whole_line(w, max(ROWS + 2, lines // 8)))


cdef int pick_footprints(Window* w, const Footprint* how, bint greatest, int threads) except -1:
    cdef Py_ssize_t lines = w.rows * how.levels + 2
    cdef Py_ssize_t tables = (4 * w.rows + 3 * how.count + 2 * w.columns * w.channels) * <Py_ssize_t>sizeof(void*)
    return run_tiles(
        w, greatest_of_footprint if greatest else least_of_footprint, how, lines,
        tables, threads, whole_line(w, lines),
    )


cdef class Kernel:
    """The least or greatest pixel of a window, read once; `run` may be called from many threads.

    Of the whole window, or of the union of `taps`: (row, level, column) are 2 to the power of level pixels of a row.
    """

    cdef Window window
    cdef Footprint footprint
    cdef bint greatest

    def __cinit__(self, bint greatest, taps not None, int levels, extent, anchor, int border, double outside):
        cdef Py_ssize_t i
        self.greatest = greatest
        read_window(&self.window, extent, anchor, border, outside)
        self.footprint.count, self.footprint.levels = len(taps), levels
        if not taps:
            return
        self.footprint.taps = <Tap*>scratch_alloc(self.footprint.count * sizeof(Tap))
        if self.footprint.taps == NULL:
            raise MemoryError("no memory for the footprint's taps")
        for i, (row, level, column) in enumerate(taps):
            self.footprint.taps[i].row, self.footprint.taps[i].level, self.footprint.taps[i].column = row, level, column

    def __dealloc__(self):
        scratch_free(self.footprint.taps)

    def run(self, image not None, out not None, Py_ssize_t first, int threads):
        """Write what is found in `image` into `out`: checked HW or HWC arrays of any strides (see `ops.rows`)."""
        cdef Py_buffer views[2]
        cdef Window w = self.window
        open_images(&w, views, image, out)
        try:
            w.first_row += first
            if self.footprint.count:
                pick_footprints(&w, &self.footprint, self.greatest, threads)
            else:
                pick_rectangles(&w, self.greatest, threads)
        finally:
            close_window(views)

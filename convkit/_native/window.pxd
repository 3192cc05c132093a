# The rectangle that each output pixel of a non-linear filter sees, and the lines of keys that it is read from.
#
# A tile (a band of rows, a strip of columns) reads each image row once, in order, into a line of keys with the
# columns that its border adds on either side. So the filters never ask where the image ends, what its strides are,
# or how its floats compare, and the bits of the output cannot depend on how it was cut.
from cpython.buffer cimport PyBUF_RECORDS, PyBUF_RECORDS_RO, PyBuffer_Release, PyObject_GetBuffer
from libc.string cimport memcpy, memset

from convkit._native.arith cimport ceil_div, odd_lines
from convkit._native.border cimport BORDER_VALID, border_index
from convkit._native.pixel cimport KL, PIXEL_IS_KEY, key, key_of, pixel
from convkit._native.shares cimport run_units
from convkit._native.simd cimport real, scratch_alloc, scratch_free

cdef enum:
    NEAR_BYTES = 40 * 1024  # what stays in the first-level cache
    FAR_BYTES = 512 * 1024  # what stays well inside the second-level cache
    AWAY_BYTES = 6 * 1024 * 1024  # of an output, from which on it and the image lie in memory
    STREAM_BYTES = 24 * 1024 * 1024  # outputs from which on no cache keeps them until they are read
    LINE_BYTES = 64  # of a cache
    LEAST_STRIP = 2048  # bytes of a line, below which strips for the first-level cache cost more than they save

cdef struct Grid:  # an image in memory; steps count elements
    pixel* data
    Py_ssize_t row_step
    Py_ssize_t pixel_step
    Py_ssize_t channel_step

cdef struct Window:
    Grid image
    Grid out
    Py_ssize_t height, width, channels
    Py_ssize_t out_height, out_width
    Py_ssize_t rows, columns  # extent
    Py_ssize_t first_row, first_column  # relative to the output pixel
    int border
    key outside  # of the constant border
    Py_ssize_t band, strip, strips
    Py_ssize_t line  # keys from one line of scratch to the next

cdef struct Tile:
    Py_ssize_t top, bottom, left, pixels

ctypedef void (*TileFunction)(const Window* w, const void* how, Tile tile, key* scratch) noexcept nogil

cdef struct Tiles:  # all of a window's
    const Window* window
    TileFunction function
    const void* how


cdef inline bint is_packed(const Grid* grid, Py_ssize_t channels) noexcept nogil:
    return grid.channel_step == 1 and grid.pixel_step == channels


# ---- rows of an image as lines of keys, and back ----------------------------------------------------
cdef inline void load_keys(
    const Grid* grid, Py_ssize_t y, Py_ssize_t x, Py_ssize_t pixels, Py_ssize_t channels, key* line
) noexcept nogil:
    cdef const pixel* source = grid.data + y * grid.row_step + x * grid.pixel_step
    cdef Py_ssize_t i, c
    if is_packed(grid, channels):
        if PIXEL_IS_KEY:
            memcpy(line, source, pixels * channels * sizeof(key))
            return
        for i in range(pixels * channels):
            line[i] = key_of(source[i])
        return
    for i in range(pixels):
        for c in range(channels):
            line[i * channels + c] = key_of(source[i * grid.pixel_step + c * grid.channel_step])


cdef inline void fill(key* line, key value, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        line[i] = value


cdef inline void load_row(const Window* w, Tile tile, Py_ssize_t row, key* line) noexcept nogil:
    """Row `row` of the windows of a tile, counted from the first output row's first; it may lie outside."""
    cdef Py_ssize_t column = tile.left + w.first_column, pixels = tile.pixels + w.columns - 1
    cdef Py_ssize_t left = min(max(-column, 0), pixels)
    cdef Py_ssize_t right = min(max(column + pixels - w.width, 0), pixels)
    cdef Py_ssize_t y = border_index(row + w.first_row, w.height, w.border), x, i, at, c
    if y < 0:
        fill(line, w.outside, pixels * w.channels)
        return
    if left + right < pixels:
        load_keys(&w.image, y, column + left, pixels - left - right, w.channels, line + left * w.channels)
    for i in range(left + right):
        at = i if i < left else i + pixels - left - right
        x = border_index(column + at, w.width, w.border)
        if x < 0:
            fill(line + at * w.channels, w.outside, w.channels)
        elif left <= x - column < pixels - right:  # it is in the line
            for c in range(w.channels):
                line[at * w.channels + c] = line[(x - column) * w.channels + c]
        else:
            load_keys(&w.image, y, x, 1, w.channels, line + at * w.channels)


cdef inline const real* image_row(const Window* w, Tile tile, Py_ssize_t row) noexcept nogil:
    """About where `load_row` will read, to be prefetched; outside the image, somewhere in it."""
    cdef Py_ssize_t y = min(max(row + w.first_row, 0), w.height - 1), x = max(tile.left + w.first_column, 0)
    return <const real*>(w.image.data + y * w.image.row_step + x * w.image.pixel_step)


cdef inline const key* find_row(const Window* w, Tile tile, Py_ssize_t row, const key* outside) noexcept nogil:
    """Where row `row` of the windows begins in a packed image, or `outside`, if it lies there."""
    cdef Py_ssize_t y = border_index(row + w.first_row, w.height, w.border)
    if y < 0:
        return outside
    return <const key*>(w.image.data + y * w.image.row_step) + (tile.left + w.first_column) * w.channels


cdef inline bint stores_directly(const Window* w, Tile tile) noexcept nogil:
    """Whether whole vectors may be stored into the output's rows."""
    return is_packed(&w.out, w.channels) and tile.pixels * w.channels >= KL


cdef inline bint streams(const Window* w) noexcept nogil:
    """Whether the output is best written around the caches."""
    return w.out_height * w.out.row_step * <Py_ssize_t>sizeof(pixel) >= STREAM_BYTES


cdef inline bint is_away(const Window* w) noexcept nogil:
    """Whether lines are best asked for before they are used: where a cache holds them, it takes a tenth of the time."""
    return w.out_height * w.out_width * w.channels * <Py_ssize_t>sizeof(pixel) >= AWAY_BYTES


cdef inline pixel* output_row(const Window* w, Tile tile, Py_ssize_t y) noexcept nogil:
    return w.out.data + y * w.out.row_step + tile.left * w.out.pixel_step


cdef inline void store_row(const Window* w, Tile tile, Py_ssize_t y, const pixel* line) noexcept nogil:
    cdef pixel* target = output_row(w, tile, y)
    cdef Py_ssize_t i, c
    if is_packed(&w.out, w.channels):
        memcpy(target, line, tile.pixels * w.channels * sizeof(pixel))
        return
    for i in range(tile.pixels):
        for c in range(w.channels):
            target[i * w.out.pixel_step + c * w.out.channel_step] = line[i * w.channels + c]


# ---- tiles ------------------------------------------------------------------------------------------
cdef inline bint line_fits(const Window* w, Py_ssize_t line) noexcept nogil:
    """Whether lines of `line` keys hold strips that are worth their margins."""
    return (line - 2 * KL) // w.channels - (w.columns - 1) >= 16


cdef inline void cut(Window* w, Py_ssize_t lines, Py_ssize_t line, int threads) noexcept:
    """Choose bands (tall, as each reads its window's rows anew) and strips (`lines` of them stay in the cache).

    A `line` that is not 0 is the length of the lines, unless it holds fewer than 16 pixels beside the margin.
    """
    cdef Py_ssize_t margin = w.columns - 1, pixel_bytes = w.channels * <Py_ssize_t>sizeof(key)
    cdef Py_ssize_t most = NEAR_BYTES // lines
    if most < LEAST_STRIP + 4 * margin * pixel_bytes:
        most = FAR_BYTES // lines
    most = max(most // pixel_bytes - margin, w.columns, 64)
    if line and line_fits(w, line):
        most = (line - 2 * KL) // w.channels - margin
    else:
        line = 0
    w.band = w.out_height if threads == 1 else max(ceil_div(w.out_height, 4 * threads), min(w.rows, w.out_height))
    w.strips = ceil_div(w.out_width, most)
    w.strip = ceil_div(w.out_width, w.strips)
    # Whole vectors, up to four, are read from the window's last column on.
    w.line = line or odd_lines((w.strip + margin) * w.channels + 4 * KL, sizeof(key))


cdef inline Py_ssize_t whole_line(const Window* w, Py_ssize_t lines) noexcept:
    """For `run_tiles`: lines of whole rows, along which memory is faster, where `lines` of them stay near; or 0."""
    cdef Py_ssize_t line = odd_lines((w.out_width + w.columns - 1) * w.channels + 4 * KL, sizeof(key))
    return line if line * lines * <Py_ssize_t>sizeof(key) <= FAR_BYTES else 0


cdef inline void run_tile(const void* work, Py_ssize_t index, char* scratch) noexcept nogil:
    cdef const Tiles* tiles = <const Tiles*>work
    cdef const Window* w = tiles.window
    cdef Tile tile
    tile.top = index // w.strips * w.band
    tile.bottom = min(tile.top + w.band, w.out_height)
    tile.left = index % w.strips * w.strip
    tile.pixels = min(w.strip, w.out_width - tile.left)
    tiles.function(w, tiles.how, tile, <key*>scratch)


cdef inline int run_tiles(
    Window* w, TileFunction function, const void* how, Py_ssize_t lines, Py_ssize_t extra_bytes, int threads,
    Py_ssize_t line=0,
) except -1:
    """Call `function` on every tile, each thread with `lines` lines and `extra_bytes` bytes of scratch."""
    cdef Tiles all
    cdef Py_ssize_t tiles, bytes_each
    cdef char* scratch
    cut(w, lines, line, threads)
    all.window, all.function, all.how = w, function, how
    tiles = ceil_div(w.out_height, w.band) * w.strips
    threads = <int>min(threads, tiles)
    bytes_each = ceil_div(lines * w.line * <Py_ssize_t>sizeof(key) + extra_bytes, 64) * 64
    scratch = <char*>scratch_alloc(threads * bytes_each)
    if scratch == NULL:
        raise MemoryError(f"no {threads * bytes_each} bytes for windows of {w.rows}x{w.columns}")
    memset(scratch, 0, threads * bytes_each)
    with nogil:
        run_units(run_tile, &all, tiles, threads, scratch, bytes_each)
    scratch_free(scratch)
    return 0


# ---- from Python ------------------------------------------------------------------------------------
cdef inline void read_grid(Grid* grid, const Py_buffer* view) noexcept:
    grid.data = <pixel*>view.buf
    grid.row_step = view.strides[0] // view.itemsize
    grid.pixel_step = view.strides[1] // view.itemsize
    grid.channel_step = 1 if view.ndim == 2 or view.shape[2] == 1 else view.strides[2] // view.itemsize


cdef inline int read_window(Window* w, extent, anchor, int border, double outside) except -1:
    """What does not depend on the images; "valid" windows lie on the first pixel that they see."""
    memset(w, 0, sizeof(Window))
    w.rows, w.columns = extent
    w.border, w.outside = border, key_of(<pixel>outside)
    if border != BORDER_VALID:
        w.first_row, w.first_column = -<Py_ssize_t>anchor[0], -<Py_ssize_t>anchor[1]
    return 0


cdef inline int open_images(Window* w, Py_buffer* views, image, out) except -1:
    """`close_window` gives the two buffers back."""
    PyObject_GetBuffer(image, &views[0], PyBUF_RECORDS_RO)
    try:
        PyObject_GetBuffer(out, &views[1], PyBUF_RECORDS)
    except BaseException:
        PyBuffer_Release(&views[0])
        raise
    read_grid(&w.image, &views[0])
    read_grid(&w.out, &views[1])
    w.height, w.width = views[0].shape[0], views[0].shape[1]
    w.channels = views[0].shape[2] if views[0].ndim == 3 else 1
    w.out_height, w.out_width = views[1].shape[0], views[1].shape[1]
    return 0


cdef inline int open_window(
    Window* w, Py_buffer* views, image, out, extent, anchor, int border, double outside
) except -1:
    """Read the arguments of an entry point."""
    read_window(w, extent, anchor, border, outside)
    return open_images(w, views, image, out)


cdef inline void close_window(Py_buffer* views) noexcept:
    PyBuffer_Release(&views[1])
    PyBuffer_Release(&views[0])

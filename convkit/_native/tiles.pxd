# An image in tiles: bands of rows, for the threads, and strips of columns, for the caches.
#
# A tile goes down its strip, STENCIL_ROWS output rows at a time. Where the image holds `stored` numbers side by side, its
# rows are read where they lie, and only what the border adds at either end is copied; else the last rows that the
# kernel covers are kept in a ring, as pixels, with what the border adds. So sums never ask where the image ends,
# and each output is summed in one order wherever a band, a strip or a vector happens to start.
from convkit._native.arith cimport odd_lines
from convkit._native.border cimport BORDER_VALID, border_index
from convkit._native.image cimport Grid, is_packed, load_line, place
from convkit._native.shares cimport run_units
from convkit._native.simd cimport (
    STENCIL_ROWS, STENCIL_VECTORS, VL, stored, prefetch_far, real, scratch_alloc, scratch_free, stream_fence
)

cdef enum:
    LINES_BYTES = 96 * 1024  # the lines between two sums: they stay near
    RING_BYTES = 512 * 1024  # the rows that a kernel covers: they stay in the second
    AWAY_BYTES = 1024 * 1024  # images from which on a second cache does not hold them
    WAY_BYTES = 4096  # lines so far apart share a set of the first cache
    LINE_BYTES = 64
    STREAM_BYTES = 24 * 1024 * 1024  # outputs from which on no cache keeps them until they are read

cdef struct Frame:
    Grid image
    Grid out
    Py_ssize_t height, width, channels
    Py_ssize_t out_height, out_width
    Py_ssize_t rows, columns  # extent of the kernel
    Py_ssize_t first_row, first_column  # of the kernel's first tap, relative to the output pixel
    Py_ssize_t window  # columns that the first sum covers: the kernel's, or 1 where a second sum follows
    int lines  # of scratch, for each of STENCIL_ROWS rows
    int border
    stored cval
    Py_ssize_t band, strip, strips
    Py_ssize_t line_step  # elements from one line of scratch to the next
    Py_ssize_t ring_step, edge_step
    bint direct  # rows are read where they lie
    bint away  # the image lies beyond the second cache, or did so: its rows are asked for
    bint stream  # sums are written around the caches, where they lie in lines of them

cdef struct Tile:
    bint direct
    Py_ssize_t y, x, pixels  # of the output
    int count  # rows
    Py_ssize_t before, inner, after  # pixels of the first sum: at the left end, read in the image or the ring, ...
    const stored** rows  # for each of the three what its kernel covers
    const stored** rows_before
    const stored** rows_after
    const stored** ahead  # or NULL
    Py_ssize_t* ends  # where in a row its ends are copied from
    real* lines

ctypedef void (*RowsFunction)(const void* plan, const Frame* frame, Tile* tile) noexcept nogil

cdef struct Tiles:  # all of a frame
    const void* plan
    const Frame* frame
    RowsFunction run_rows


# ---- borders ----------------------------------------------------------------------------------------
cdef inline void load_bordered(
    const Frame* frame, Py_ssize_t row, Py_ssize_t column, Py_ssize_t pixels, stored* line
) noexcept nogil:
    """`pixels` pixels of row `row` from `column` on, either of which may lie outside the image.

    First those inside, in one run; then the others one by one, most of them copies of the first. `load_line` is large,
    and is called in one place.
    """
    cdef Py_ssize_t channels = frame.channels, y, x, i, c, at, run
    cdef Py_ssize_t left = min(max(-column, 0), pixels)
    cdef Py_ssize_t right = min(max(column + pixels - frame.width, 0), pixels)
    cdef Py_ssize_t inside = max(pixels - left - right, 0)
    y = border_index(row, frame.height, frame.border)
    if y < 0:
        fill(line, frame.cval, pixels * channels)
        return
    for i in range(-1 if inside else 0, left + right):
        at, x, run = left, column + left, inside
        if i >= 0:
            at, run = i if i < left else i + pixels - left - right, 1
            x = border_index(column + at, frame.width, frame.border)
        if x < 0:
            fill(line + at * channels, frame.cval, channels)
        elif i >= 0 and inside and 0 <= x - column < pixels:
            for c in range(channels):
                line[at * channels + c] = line[(x - column) * channels + c]
        else:
            load_line(&frame.image, y, x, run, line + at * channels)


cdef inline void fill(stored* line, stored value, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        line[i] = value


# ---- a tile -----------------------------------------------------------------------------------------
cdef inline Py_ssize_t end_pixels(const Frame* frame, const Tile* tile, int end) noexcept nogil:
    """Pixels of a row that are copied for its left or right end."""
    cdef Py_ssize_t pixels = tile.after if end else tile.before
    return pixels + frame.window - 1 if pixels else 0


cdef inline void find_ends(const Frame* frame, const Tile* tile) noexcept nogil:
    """From which elements of a row its ends are copied: the same of all rows of a tile; -1: from none."""
    cdef Py_ssize_t column = tile.x + frame.first_column, i, c, x
    cdef int end
    for end in range(2):
        for i in range(end_pixels(frame, tile, end)):
            x = border_index(column + i, frame.width, frame.border)
            for c in range(frame.channels):
                tile.ends[end * frame.edge_step + i * frame.channels + c] = -1 if x < 0 else x * frame.channels + c
        column += tile.before + tile.inner


cdef inline void load_ends(const Frame* frame, const Tile* tile, Py_ssize_t row, stored* line) noexcept nogil:
    """The two ends of a row that is read directly."""
    cdef Py_ssize_t y = border_index(row, frame.height, frame.border), i
    cdef const Py_ssize_t* at = tile.ends
    cdef const stored* source
    cdef int end
    if y < 0:
        fill(line, frame.cval, 2 * frame.edge_step)
        return
    source = <const stored*>place(&frame.image, y, 0)
    for end in range(2):
        for i in range(end_pixels(frame, tile, end) * frame.channels):
            line[i] = frame.cval if at[i] < 0 else source[at[i]]
        at += frame.edge_step
        line += frame.edge_step


cdef inline void load_ring_row(const Frame* frame, const Tile* tile, Py_ssize_t row, stored* line) noexcept nogil:
    """All of a row, or its two ends where the image is read directly."""
    if tile.direct:
        load_ends(frame, tile, row, line)
    else:
        load_bordered(frame, row, tile.x + frame.first_column, tile.inner + frame.window - 1, line)


cdef inline void prefetch_row(const Frame* frame, const Tile* tile, Py_ssize_t row) noexcept nogil:
    """Ask for what the ring will hold of a row."""
    cdef Py_ssize_t y = border_index(row, frame.height, frame.border), x = max(tile.x + frame.first_column, 0), at = 0
    cdef const char* line
    if y < 0 or not is_packed(&frame.image):
        return
    line = place(&frame.image, y, x)
    while at < tile.inner * frame.channels * frame.image.itemsize:
        prefetch_far(line + at)
        at += 64


cdef inline const stored* find_row(
    const Frame* frame, const Tile* tile, Py_ssize_t row, const stored* outside
) noexcept nogil:
    """A row of the image, or of the border, at the first column that is read in the image itself."""
    cdef Py_ssize_t y = border_index(row, frame.height, frame.border)
    if y < 0:
        return outside
    return <const stored*>place(&frame.image, y, tile.x + frame.first_column + tile.before)


cdef inline void run_tile(const void* work, Py_ssize_t index, char* scratch) noexcept nogil:
    cdef const Tiles* tiles = <const Tiles*>work
    cdef const Frame* frame = tiles.frame
    cdef Py_ssize_t top = index // frame.strips * frame.band
    cdef Py_ssize_t bottom = min(top + frame.band, frame.out_height)
    cdef Py_ssize_t reach = frame.rows + STENCIL_ROWS - 1, y = top, k, row, ready, wide, beyond
    cdef Tile tile
    cdef stored* outside
    cdef stored* ring
    tile.rows = <const stored**>scratch
    tile.rows_before = tile.rows + reach + STENCIL_ROWS
    tile.rows_after = tile.rows_before + reach
    tile.ends = <Py_ssize_t*>(scratch + table_bytes(frame))
    tile.lines = <real*>(tile.ends + 2 * frame.edge_step)
    outside = <stored*>(tile.lines + frame.lines * STENCIL_ROWS * frame.line_step)
    ring = outside + frame.ring_step
    tile.x = index % frame.strips * frame.strip
    tile.pixels = min(frame.strip, frame.out_width - tile.x)
    wide = tile.pixels + frame.columns - frame.window
    beyond = tile.x + frame.first_column + wide + frame.window - 1 - frame.width
    tile.before = min(max(-(tile.x + frame.first_column), 0), wide)
    tile.after = min(max(beyond, 0), wide - tile.before)
    tile.direct = frame.direct and (wide - tile.before - tile.after) * frame.channels >= 4 * VL
    if tile.direct:
        fill(outside, frame.cval, frame.line_step)
    else:
        tile.before = tile.after = 0
    tile.ahead = tile.rows + reach if tile.direct and frame.away else NULL
    tile.inner = wide - tile.before - tile.after
    if tile.direct:
        find_ends(frame, &tile)
    ready = top + frame.first_row
    while y < bottom:
        tile.y, tile.count = y, <int>min(bottom - y, <Py_ssize_t>STENCIL_ROWS)
        while ready < y + frame.first_row + frame.rows + tile.count - 1:
            load_ring_row(frame, &tile, ready, ring + (ready - top - frame.first_row) % reach * frame.ring_step)
            if frame.away and not tile.direct:
                prefetch_row(frame, &tile, ready + 2)
            ready += 1
        for k in range(reach):
            row = min(y + frame.first_row + k, ready - 1)
            tile.rows_before[k] = ring + (row - top - frame.first_row) % reach * frame.ring_step
            tile.rows_after[k] = tile.rows_before[k] + frame.edge_step
            tile.rows[k] = find_row(frame, &tile, row, outside) if tile.direct else tile.rows_before[k]
        if tile.direct:
            for k in range(STENCIL_ROWS):
                row = min(ready + k, bottom + frame.first_row + frame.rows - 2)
                tile.rows[reach + k] = find_row(frame, &tile, row, outside)
        tiles.run_rows(tiles.plan, frame, &tile)
        y += STENCIL_ROWS
    if frame.stream:
        stream_fence()


# ---- all tiles --------------------------------------------------------------------------------------
cdef inline Py_ssize_t table_bytes(const Frame* frame) noexcept nogil:
    cdef Py_ssize_t entries = 3 * (frame.rows + STENCIL_ROWS - 1) + STENCIL_ROWS
    return (entries * <Py_ssize_t>sizeof(void*) + 63) // 64 * 64


cdef inline Py_ssize_t output_bytes(const Frame* frame) noexcept nogil:
    return frame.out_height * frame.out.row_step * frame.out.itemsize


cdef inline bint is_crowded(const Frame* frame, const Grid* grid) noexcept nogil:
    """Whether the rows that a tile of a dense kernel needs drive one another out of the first cache: they begin at one
    place of its ways."""
    cdef Py_ssize_t apart = grid.row_step * grid.itemsize % WAY_BYTES
    return frame.window > 1 and (apart < LINE_BYTES or apart > WAY_BYTES - LINE_BYTES)


cdef inline void cut(Frame* frame, int threads) noexcept:
    """Choose bands (enough for every thread, tall beside the kernel) and strips (lines stay in cache)."""
    cdef Py_ssize_t reach = frame.rows + STENCIL_ROWS - 1, margin = frame.columns - 1, least
    cdef Py_ssize_t tile = 8 * VL
    cdef Py_ssize_t lines_bytes = frame.lines * STENCIL_ROWS * frame.channels * <Py_ssize_t>sizeof(real)
    cdef Py_ssize_t ring_bytes = reach * frame.channels * <Py_ssize_t>sizeof(stored)
    frame.band = min(max(frame.out_height // (4 * threads), 16, frame.rows), max(64, 4 * frame.rows))
    frame.band = (frame.band + STENCIL_ROWS - 1) // STENCIL_ROWS * STENCIL_ROWS
    least = max(8 * frame.columns, tile)
    frame.strip = max(min(LINES_BYTES // lines_bytes, RING_BYTES // ring_bytes - margin), least)
    frame.strips = (frame.out_width + frame.strip - 1) // frame.strip
    frame.strip = (frame.out_width + frame.strips - 1) // frame.strips  # of one width
    frame.strip = min((frame.strip + tile - 1) // tile * tile, frame.out_width)
    frame.strips = (frame.out_width + frame.strip - 1) // frame.strip
    frame.direct = is_packed(&frame.image) and frame.image.itemsize == sizeof(stored)
    frame.direct = frame.direct and not is_crowded(frame, &frame.image)
    # Whole vectors are read from the last tap on: a few more than the pixels, to a cache line.
    frame.line_step = odd_lines((frame.strip + margin) * frame.channels + 4 * VL, sizeof(real))
    frame.edge_step = (2 * frame.columns * frame.channels + VL + 63) // 64 * 64
    frame.ring_step = odd_lines(max(2 * frame.edge_step, frame.line_step), sizeof(stored))


cdef inline void make_tall(Frame* frame, int threads) noexcept:
    """Bands as tall as threads allow: what goes down a strip reads all of its kernel's rows before the first output."""
    cdef Py_ssize_t bands = 1 if threads == 1 else 2 * threads
    frame.band = max((frame.out_height + bands - 1) // bands, min(frame.rows, frame.out_height))


cdef inline int run_tiles(const void* plan, Frame* frame, RowsFunction run_rows, int threads) except -1:
    """Call `run_rows` for all rows of all tiles."""
    cdef Tiles all
    cdef Py_ssize_t tiles, bytes_each
    cdef char* scratch
    cut(frame, threads)
    all.plan, all.frame, all.run_rows = plan, frame, run_rows
    tiles = (frame.out_height + frame.band - 1) // frame.band * frame.strips
    threads = <int>min(threads, tiles)
    bytes_each = table_bytes(frame) + frame.lines * STENCIL_ROWS * frame.line_step * <Py_ssize_t>sizeof(real)
    bytes_each += frame.ring_step * <Py_ssize_t>sizeof(stored) + 2 * frame.edge_step * <Py_ssize_t>sizeof(Py_ssize_t)
    bytes_each += (frame.rows + STENCIL_ROWS - 1) * frame.ring_step * <Py_ssize_t>sizeof(stored)
    bytes_each = (bytes_each + 63) // 64 * 64
    scratch = <char*>scratch_alloc(threads * bytes_each)
    if scratch == NULL:
        raise MemoryError(f"no {threads * bytes_each} bytes for a kernel of {frame.rows}x{frame.columns}")
    with nogil:
        run_units(run_tile, &all, tiles, threads, scratch, bytes_each)
    scratch_free(scratch)
    return 0

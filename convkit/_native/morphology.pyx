"""The least or greatest pixel of a window: a rectangle of any size in constant time, or any footprint.

A rectangle is the minimum of rows and of columns. Along a row, minima of 1, 4, 16, ... pixels are made from each
other in place, and the last step overlaps to the width that is wanted.

Down the columns, windows of a few rows are compared ROWS at a time, which share the rows that all of them see; the
rows are read where they lie in the image, and what the border adds on either side is copied from what was found.
Higher windows take the algorithm of van Herk, Gil and Werman: rows are taken in blocks of the window's height, and
each window is the end of one block and the beginning of the next. A ring of that many lines holds the last block,
each line replaced by the minimum of itself and all below, and one line the minimum of the rows since: three
comparisons for any height.

A footprint is a list of runs of columns; a run is two overlapping minima of 1, 2, 4, ... pixels, which are made
once for each image row. One of few elements is a list of these (`elements.pxd`).
"""
from libc.string cimport memcpy

from convkit._native.arith cimport ceil_div
from convkit._native.border cimport BORDER_CONSTANT, border_index
from convkit._native.elements cimport Sides, copy_keys, find_sides, load_sides, pick_known, pick_taps
from convkit._native.pixel cimport (
    KEY_BYTES, KL, PIXEL_IS_KEY, key, keys, keys_load, keys_pick, keys_store, keys_stream, pixel, pixel_of, pixels_load,
    pixels_read, pixels_store, pixels_stream,
)
from convkit._native.simd cimport (
    VECTOR_BYTES, prefetch, prefetch_far, prefetch_write, real, scratch_alloc, scratch_free, stream_fence,
)
from convkit._native.window cimport (
    LINE_BYTES, NEAR_BYTES, Tile, TileFunction, Window, close_window, fill, find_row, image_row, is_away, is_packed,
    load_row, open_images, output_row, read_window, run_tiles, store_row, stores_directly, streams, whole_line,
)

cdef enum:
    STEP = 4  # pixels are combined in a pass
    MOST = 6 - (KEY_BYTES == 1)  # in the last; of bytes, six take longer than two passes
    ROWS = 4  # of windows that are compared at a time
    FEW = 9  # rows of a window, up to which that takes less time than blocks of its height
    MANY = 48  # the same where all rows are near
    RAW_ROWS = 5  # up to which floats are made keys wherever they are read, instead of once
    CHUNK_BYTES = 2048  # of a few rows, that stay in the first cache

cdef struct Tap:
    Py_ssize_t row, level, column

cdef struct Footprint:
    Tap* taps
    Py_ssize_t count
    Py_ssize_t levels


# ---- along a row ------------------------------------------------------------------------------------
cdef struct Along:  # how many passes find the least of `columns` pixels
    Py_ssize_t channels
    Py_ssize_t margin  # elements that a line has more than its result
    Py_ssize_t reach  # pixels, each the least of so many, that the last pass compares
    Py_ssize_t count, step, last  # so many of them, `step` apart but for the last


cdef inline Along plan_along(Py_ssize_t columns, Py_ssize_t channels) noexcept nogil:
    cdef Along along
    along.channels, along.margin, along.reach = channels, (columns - 1) * channels, 1
    while along.reach * MOST < columns:
        along.reach *= STEP
    along.count = ceil_div(columns, along.reach)
    along.step, along.last = along.reach * channels, (columns - along.reach) * channels
    return along


cdef inline keys pick_shifted(
    const key* line, Py_ssize_t step, Py_ssize_t last, const int count, const bint greatest
) noexcept nogil:
    """Of `count` vectors, `step` apart but for the last."""
    cdef keys found = keys_pick(keys_load(line), keys_load(line + last), greatest)
    cdef int i
    for i in range(1, count - 1):
        found = keys_pick(found, keys_load(line + i * step), greatest)
    return found


cdef inline void pass_line(
    const key* line, key* target, Py_ssize_t n, Py_ssize_t step, Py_ssize_t last, const int count, const bint greatest
) noexcept nogil:
    cdef Py_ssize_t at = 0
    while at < n:
        keys_store(target + at, pick_shifted(line + at, step, last, count, greatest))
        at += KL


cdef inline void widen(const Along* along, const key* line, key* wider, Py_ssize_t n, const bint greatest) noexcept nogil:
    """All passes but the last, of which there is at least one, to `wider`, which may be the line."""
    cdef Py_ssize_t reach = 1, wide = along.margin + n, step = along.channels
    while reach < along.reach:
        wide -= (STEP - 1) * step
        pass_line(line, wider, wide, step, (STEP - 1) * step, STEP, greatest)
        reach, step, line = reach * STEP, step * STEP, wider


cdef inline void pick_row(const Along* along, key* line, key* target, Py_ssize_t n, const bint greatest) noexcept nogil:
    """target[i] = the least of the pixels from line[i] on, n of them; uses up the line."""
    widen(along, line, line, n, greatest)
    if along.count <= 2:
        pass_line(line, target, n, along.step, along.last, 2, greatest)
    elif along.count == 3:
        pass_line(line, target, n, along.step, along.last, 3, greatest)
    elif along.count == 4:
        pass_line(line, target, n, along.step, along.last, 4, greatest)
    elif along.count == 5 or MOST == 5:
        pass_line(line, target, n, along.step, along.last, 5, greatest)
    else:
        pass_line(line, target, n, along.step, along.last, MOST, greatest)


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


cdef void least_of_rectangle(const Window* w, const void* how, Tile tile, key* scratch) noexcept nogil:
    rectangle_tile(w, tile, scratch, False)


cdef void greatest_of_rectangle(const Window* w, const void* how, Tile tile, key* scratch) noexcept nogil:
    rectangle_tile(w, tile, scratch, True)


# ---- a few rows at a time ---------------------------------------------------------------------------
cdef struct Few:  # of a tile, whose lines begin with the first column that its windows see
    const key** rows  # that ROWS windows see
    key* ring  # lines of them where they do not lie in the image side by side; else the first is outside the image
    key* found  # ROWS lines
    key* wider  # and a line for the passes along them
    pixel* spare  # and one for what cannot be stored directly
    Py_ssize_t ready  # the first row that was not loaded into the ring
    Py_ssize_t begin, end  # elements of the lines that lie in the image
    Py_ssize_t* ends  # to and from which places the `left` and then the `right` others are copied
    Py_ssize_t left, right
    Py_ssize_t near  # up to here from the left, all copies of the left end are made
    Along along
    bint in_place, direct, away


# ---- a few rows at a time: down the columns -----------------------------------------------------------
cdef inline keys load_as(const key* p, const bint raw) noexcept nogil:
    """Keys, or pixels of the image."""
    return pixels_load(<const pixel*>p) if raw else keys_load(p)


cdef inline void pick_down(
    const key** rows, Py_ssize_t count, key* line, Py_ssize_t step, Py_ssize_t x, Py_ssize_t end, const int known,
    const bint raw, const bint greatest, bint away
) noexcept nogil:
    """ROWS lines, `step` apart: each the least of `count` rows, of the first from rows[0] on.

    From x up to `end`, which is at least a vector: the last vector may overlap that before. `known`: the number of rows
    if it is below ROWS, or 0. Where the image is `away`, the ROWS behind are asked for.
    """
    cdef const key** lower = rows + count
    cdef keys above[ROWS]  # of the rows that all windows see, and of those above, one more at a time
    cdef keys below
    cdef Py_ssize_t i
    cdef int r
    while True:
        if away and x % (LINE_BYTES // KEY_BYTES) < KL:
            for r in range(ROWS):
                prefetch_far(lower[ROWS - 1 + r] + x)
        x = min(x, end - KL)
        if known == 1:
            for r in range(ROWS):
                keys_store(line + r * step + x, load_as(rows[r] + x, raw))
        elif known == 2:
            below = load_as(rows[0] + x, raw)
            for r in range(ROWS):
                above[0], below = below, load_as(rows[r + 1] + x, raw)
                keys_store(line + r * step + x, keys_pick(above[0], below, greatest))
        elif known == 3:
            above[0], above[1] = load_as(rows[0] + x, raw), load_as(rows[1] + x, raw)
            for r in range(0, ROWS, 2):
                above[2], above[3] = load_as(rows[r + 2] + x, raw), load_as(rows[r + 3] + x, raw)
                below = keys_pick(above[1], above[2], greatest)
                keys_store(line + r * step + x, keys_pick(above[0], below, greatest))
                keys_store(line + (r + 1) * step + x, keys_pick(below, above[3], greatest))
                above[0], above[1] = above[2], above[3]
        else:
            above[ROWS - 1] = load_as(rows[ROWS - 1] + x, raw)
            for i in range(ROWS, count):
                above[ROWS - 1] = keys_pick(above[ROWS - 1], load_as(rows[i] + x, raw), greatest)
            for r in range(ROWS - 2, -1, -1):
                above[r] = keys_pick(above[r + 1], load_as(rows[r] + x, raw), greatest)
            keys_store(line + x, above[0])
            below = load_as(lower[0] + x, raw)
            for r in range(1, ROWS):
                if r > 1:
                    below = keys_pick(below, load_as(lower[r - 1] + x, raw), greatest)
                keys_store(line + r * step + x, keys_pick(above[r], below, greatest))
        if x == end - KL:
            return
        x += KL


cdef inline void pick_few(
    const Window* w, const Few* few, Py_ssize_t x, Py_ssize_t end, const bint raw, const bint greatest
) noexcept nogil:
    if w.rows == 1:
        pick_down(few.rows, w.rows, few.found, w.line, x, end, 1, raw, greatest, few.away)
    elif w.rows == 2:
        pick_down(few.rows, w.rows, few.found, w.line, x, end, 2, raw, greatest, few.away)
    elif w.rows == 3:
        pick_down(few.rows, w.rows, few.found, w.line, x, end, 3, raw, greatest, few.away)
    else:
        pick_down(few.rows, w.rows, few.found, w.line, x, end, 0, raw, greatest, few.away)


# ---- a few rows at a time: along the lines ------------------------------------------------------------
cdef inline void pass_out(
    const key* line, pixel* target, Py_ssize_t x, Py_ssize_t end, Py_ssize_t step, Py_ssize_t last, const int count,
    const bint greatest, const bint away, bint stream, const pixel* leaving
) noexcept nogil:
    """The last pass, from x up to `end` of the output, at least a vector apart.

    Where that is `away`: around the caches if told so, or the output row `leaving` is asked for.
    Vectors are stored where they are aligned; the first and the last may overlap those beside them.
    """
    cdef Py_ssize_t aligned = x + (VECTOR_BYTES - <Py_ssize_t>(target + x) % VECTOR_BYTES) // KEY_BYTES
    cdef keys found
    while True:
        found = pick_shifted(line + x, step, last, count, greatest)
        if away and stream and <Py_ssize_t>(target + x) % VECTOR_BYTES == 0:
            pixels_stream(target + x, found)
        else:
            pixels_store(target + x, found)
            if away:
                prefetch_write(<const real*>(<const key*>leaving + x))
        if x == end - KL:
            return
        x = min(aligned, end - KL)
        aligned += KL


cdef inline Py_ssize_t cut(const pixel* target, Py_ssize_t x, Py_ssize_t end) noexcept nogil:
    """x, or the place before where a cache line begins, but for the first and the last."""
    if x == 0 or x == end:
        return x
    return x - <Py_ssize_t>(target + x) % LINE_BYTES // KEY_BYTES


cdef inline void pick_along(
    const Window* w, Tile tile, const Few* few, Py_ssize_t y, Py_ssize_t first, Py_ssize_t end, const int count,
    const bint greatest
) noexcept nogil:
    """About from `first` up to `end` of the output's rows from y on."""
    cdef Py_ssize_t n = max(tile.pixels * w.channels, <Py_ssize_t>KL), r, x, to
    cdef const key* line
    cdef pixel* target
    for r in range(min(<Py_ssize_t>ROWS, tile.bottom - y)):
        line = few.found + r * w.line
        target = output_row(w, tile, y + r) if few.direct else few.spare
        x, to = cut(target, first, n), cut(target, end, n)
        if few.along.reach > 1:
            widen(&few.along, line + x, few.wider + x, to - x, greatest)
            line = few.wider
        if few.away:
            pass_out(
                line, target, x, to, few.along.step, few.along.last, count, greatest, True, few.direct and streams(w),
                output_row(w, tile, min(y + r + ROWS, tile.bottom - 1)),
            )
        else:
            pass_out(line, target, x, to, few.along.step, few.along.last, count, greatest, False, False, NULL)
        if not few.direct:
            store_row(w, tile, y + r, target)


cdef inline void pick_out(
    const Window* w, Tile tile, const Few* few, Py_ssize_t y, Py_ssize_t first, Py_ssize_t end, const bint greatest
) noexcept nogil:
    if few.along.count <= 2:
        pick_along(w, tile, few, y, first, end, 2, greatest)
    elif few.along.count == 3:
        pick_along(w, tile, few, y, first, end, 3, greatest)
    elif few.along.count == 4:
        pick_along(w, tile, few, y, first, end, 4, greatest)
    elif few.along.count == 5 or MOST == 5:
        pick_along(w, tile, few, y, first, end, 5, greatest)
    else:
        pick_along(w, tile, few, y, first, end, MOST, greatest)


# ---- a few rows at a time: a tile ---------------------------------------------------------------------
cdef inline bint find_ends(const Window* w, Tile tile, Few* few) noexcept nogil:
    """Whether all that the border adds is to be found in the line, and a vector of the image."""
    cdef Py_ssize_t column = tile.left + w.first_column, pixels = tile.pixels + w.columns - 1, i, c, at, x
    cdef Py_ssize_t left = min(max(-column, 0), pixels), right = min(max(column + pixels - w.width, 0), pixels)
    few.begin, few.end = left * w.channels, (pixels - right) * w.channels
    few.left, few.right, few.near = few.begin, right * w.channels, 0
    for i in range(left + right if w.border != BORDER_CONSTANT else 0):
        at = i if i < left else i + pixels - left - right
        x = border_index(column + at, w.width, w.border) - column
        if not left <= x < pixels - right:
            return False
        for c in range(w.channels):
            few.ends[2 * (i * w.channels + c)] = at * w.channels + c
            few.ends[2 * (i * w.channels + c) + 1] = x * w.channels + c
        if i < left:
            few.near = max(few.near, (x + 1) * w.channels)
    return few.end - few.begin >= KL


cdef inline void copy_ends(const Window* w, const Few* few, Py_ssize_t first, Py_ssize_t end) noexcept nogil:
    cdef key* line = few.found
    cdef Py_ssize_t i
    cdef int _
    for _ in range(ROWS):
        for i in range(2 * first, 2 * end, 2):
            line[few.ends[i]] = line[few.ends[i + 1]]
        line += w.line


cdef inline void find_rows(const Window* w, Tile tile, Few* few, Py_ssize_t y) noexcept nogil:
    """The rows that ROWS windows see from output row y on."""
    cdef Py_ssize_t reach = w.rows + ROWS - 1, last = tile.bottom + w.rows - 2, i
    cdef Py_ssize_t slot = 0 if few.in_place else (y - tile.top) % reach
    for i in range(ROWS):  # no hardware bridges the distance to the next
        few.rows[reach + i] = <const key*>image_row(w, tile, y + reach + i)
    while not few.in_place and few.ready <= min(y + reach - 1, last):
        load_row(w, tile, few.ready, few.ring + (few.ready - tile.top) % reach * w.line)
        few.ready += 1
    for i in range(reach):
        if few.in_place:
            few.rows[i] = find_row(w, tile, min(y + i, last), few.ring)
        else:
            few.rows[i] = few.ring + slot * w.line
            slot = slot + 1 if slot + 1 < reach else 0


cdef inline void pick_block(
    const Window* w, Tile tile, const Few* few, Py_ssize_t y, const bint greatest
) noexcept nogil:
    """ROWS output rows from y on, or those that are left, CHUNK_BYTES of each at a time, which stay near."""
    cdef Py_ssize_t n = max(tile.pixels * w.channels, <Py_ssize_t>KL), x = few.begin, done = 0, end, to
    while done < n:
        end = x + CHUNK_BYTES // KEY_BYTES
        if done == 0:  # a cache line of the output at least, and the left end
            end = max(end, few.near, few.along.margin + KL + LINE_BYTES // KEY_BYTES)
        if end + KL > few.end or not few.direct:  # the spare line is stored whole
            end = few.end
        if few.in_place and not PIXEL_IS_KEY:
            pick_few(w, few, x, end, True, greatest)
        else:
            pick_few(w, few, x, end, False, greatest)
        to = n if end == few.end else end - few.along.margin
        copy_ends(w, few, 0 if done == 0 else few.left, few.left if to < n else few.left + few.right)
        pick_out(w, tile, few, y, done, to, greatest)
        x, done = end, to


cdef inline void few_tile(const Window* w, Tile tile, key* scratch, const bint greatest) noexcept nogil:
    cdef Few few
    cdef Py_ssize_t reach = w.rows + ROWS - 1, y = tile.top, i
    few.along = plan_along(w.columns, w.channels)
    few.ring = scratch
    few.found = few.ring + reach * w.line
    few.wider = few.found + ROWS * w.line
    few.spare = <pixel*>(few.wider + w.line)
    few.rows = <const key**>(few.spare + w.line)
    few.ends = <Py_ssize_t*>(few.rows + reach + ROWS)
    few.ready = tile.top
    few.direct = stores_directly(w, tile)
    few.away = is_away(w)
    few.in_place = (
        (PIXEL_IS_KEY or w.rows <= RAW_ROWS) and is_packed(&w.image, w.channels) and find_ends(w, tile, &few)
    )
    if few.in_place:
        for i in range(w.line):
            (<pixel*>few.ring)[i] = pixel_of(w.outside)
        for i in range(ROWS):
            fill(few.found + i * w.line, w.outside, w.line)
        if w.border == BORDER_CONSTANT:  # as they are now, they stay
            few.left = few.right = 0
    else:
        few.begin = few.left = few.right = few.near = 0
        few.end = max((tile.pixels + w.columns - 1) * w.channels, <Py_ssize_t>KL)
    while y < tile.bottom:
        find_rows(w, tile, &few, y)
        pick_block(w, tile, &few, y, greatest)
        y += ROWS
    stream_fence()


cdef void least_of_few(const Window* w, const void* how, Tile tile, key* scratch) noexcept nogil:
    few_tile(w, tile, scratch, False)


cdef void greatest_of_few(const Window* w, const void* how, Tile tile, key* scratch) noexcept nogil:
    few_tile(w, tile, scratch, True)


# ---- a single pixel ---------------------------------------------------------------------------------
cdef inline void copy_pixels(const pixel* source, pixel* target, Py_ssize_t n, const bint stream) noexcept nogil:
    """Exactly n, at least a vector; stored where they are aligned, the first and the last may overlap those beside."""
    cdef Py_ssize_t at = KL - <Py_ssize_t>target % VECTOR_BYTES // KEY_BYTES, v, x
    if PIXEL_IS_KEY:
        memcpy(target, source, n * sizeof(pixel))
        return
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


# ---- any footprint ----------------------------------------------------------------------------------
cdef inline void double_up(
    key* lines, Py_ssize_t levels, Py_ssize_t line, Py_ssize_t channels, Py_ssize_t n, const bint greatest
) noexcept nogil:
    """Line k is the least of 2ᵏ pixels of line 0."""
    cdef Py_ssize_t level, step, at
    for level in range(1, levels):
        step = channels << (level - 1)
        at = 0
        while at < n:
            keys_store(lines + line + at, pick_shifted(lines + at, step, step, 2, greatest))
            at += KL
        lines += line


cdef struct Lines:  # of the rows that a window sees; all are told of twice, so that any window's follow one another
    key* scratch
    Py_ssize_t each  # keys of it for a row
    key* outside  # a row there
    pixel* spare  # for outputs that cannot be stored directly
    const key** rows
    const key** sides
    const key** taps  # into the rows, and into the sides, under the first output
    const key** side_taps
    Py_ssize_t* shifts  # of the taps, from where a row begins
    bint in_place, direct


cdef inline void lay_lines(
    const Window* w, const Footprint* footprint, Tile tile, key* scratch, Lines* lines, Sides* sides
) noexcept nogil:
    cdef Py_ssize_t count = footprint.count, i
    lines.scratch, lines.each = scratch, footprint.levels * w.line
    lines.outside = scratch + w.rows * lines.each
    lines.spare = <pixel*>(lines.outside + w.line)
    lines.rows = <const key**>(lines.spare + w.line)
    lines.sides = lines.rows + 2 * w.rows
    lines.taps = lines.sides + 2 * w.rows
    lines.side_taps = lines.taps + count
    lines.shifts = <Py_ssize_t*>(lines.side_taps + count)
    sides.places = lines.shifts + count
    for i in range(count):
        lines.shifts[i] = footprint.taps[i].level * w.line + footprint.taps[i].column * w.channels
    lines.direct = is_packed(&w.out, w.channels) and tile.pixels * w.channels >= 4 * KL
    lines.in_place = footprint.levels == 1 and is_packed(&w.image, w.channels) and find_sides(w, tile, sides)
    if not lines.in_place:
        sides.left = sides.right = sides.reach = 0
        return
    for i in range(w.line):
        (<pixel*>lines.outside)[i] = pixel_of(w.outside)
    for i in range(w.rows):  # what a constant border adds stays
        copy_keys(lines.outside, scratch + i * lines.each, w.line)


cdef inline void read_row(
    const Window* w, const Footprint* footprint, Tile tile, Py_ssize_t row, Py_ssize_t slot, const Lines* lines,
    const Sides* sides, const bint greatest
) noexcept nogil:
    cdef key* line = lines.scratch + slot * lines.each
    cdef const key* place = line
    if lines.in_place:
        place = find_row(w, tile, row, lines.outside)
        if sides.reach:
            load_sides(sides, place, line)
    else:
        load_row(w, tile, row, line)
        double_up(
            line, footprint.levels, w.line, w.channels, (tile.pixels + w.columns - 1) * w.channels, greatest
        )
    lines.rows[slot], lines.sides[slot] = place, line
    lines.rows[slot + w.rows], lines.sides[slot + w.rows] = place, line


cdef inline void point_taps(
    const Footprint* footprint, const Lines* lines, Py_ssize_t slot, bint has_sides
) noexcept nogil:
    """`slot`: of the window's first row."""
    cdef Py_ssize_t t
    for t in range(footprint.count):
        lines.taps[t] = lines.rows[slot + footprint.taps[t].row] + lines.shifts[t]
    for t in range(footprint.count if has_sides else 0):
        lines.side_taps[t] = lines.sides[slot + footprint.taps[t].row] + lines.shifts[t]


cdef inline void footprint_tile(
    const Window* w, const Footprint* footprint, Tile tile, key* scratch, const bint greatest
) noexcept nogil:
    cdef Py_ssize_t n = max(tile.pixels * w.channels, <Py_ssize_t>(4 * KL)), count = footprint.count, slot = 0, i, y
    cdef Lines lines
    cdef Sides sides
    cdef pixel* target
    cdef const real* coming
    cdef bint away = is_away(w), stream
    lay_lines(w, footprint, tile, scratch, &lines, &sides)
    stream = lines.direct and streams(w)
    for i in range(tile.bottom - tile.top + w.rows - 1):
        coming = image_row(w, tile, tile.top + i + 1)
        read_row(w, footprint, tile, tile.top + i, slot, &lines, &sides, greatest)
        slot = slot + 1 if slot + 1 < w.rows else 0
        y = tile.top + i - w.rows + 1
        if y < tile.top:
            continue
        point_taps(footprint, &lines, slot, sides.reach > 0)
        target = output_row(w, tile, y) if lines.direct else lines.spare
        if not lines.in_place:
            pick_taps(lines.taps, NULL, 0, count, target, &sides, n, coming, away, stream, False, greatest)
        elif PIXEL_IS_KEY:
            pick_known(lines.taps, lines.side_taps, count, target, &sides, n, coming, away, stream, False, greatest)
        else:
            pick_known(lines.taps, lines.side_taps, count, target, &sides, n, coming, away, stream, True, greatest)
        if not lines.direct:
            store_row(w, tile, y, target)
    stream_fence()


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

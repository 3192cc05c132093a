# The least or greatest pixels of rectangles of few rows: ROWS windows at a time share the rows that all of them see.
#
# The rows are read where they lie in the image, and what the border adds on either side is copied from what was found.
from convkit._native.along cimport MOST, Along, pick_shifted, plan_along, widen
from convkit._native.border cimport BORDER_CONSTANT, border_index
from convkit._native.pixel cimport (
    KEY_BYTES, KL, PIXEL_IS_KEY, key, keys, keys_load, keys_pick, keys_store, pixel, pixel_of, pixels_load, pixels_store,
    pixels_stream,
)
from convkit._native.simd cimport VECTOR_BYTES, prefetch_far, prefetch_write, real, stream_fence
from convkit._native.window cimport (
    LINE_BYTES, Tile, Window, fill, find_row, image_row, is_away, is_packed, load_row, output_row, store_row,
    stores_directly, streams,
)

cdef enum:
    ROWS = 4  # of windows that are compared at a time
    RAW_ROWS = 5  # up to which floats are made keys wherever they are read, instead of once
    CHUNK_BYTES = 2048  # of a few rows, that stay in the first cache


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


# ---- down the columns -------------------------------------------------------------------------------
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


# ---- along the lines --------------------------------------------------------------------------------
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


# ---- a tile -----------------------------------------------------------------------------------------
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

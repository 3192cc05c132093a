# The path of footprints of few elements: the pixels under all of them are compared where they lie, a tap for each.
#
# Rows are read in the image itself, floats as they are, where no NaN and no sign of a zero makes their order doubtful.
# Only what windows see beside the image needs a line of its own, for either side: the vectors of outputs there are
# picked from it, all others from the rows.
from convkit._native.arith cimport ceil_div
from convkit._native.border cimport BORDER_CONSTANT, border_index
from convkit._native.pixel cimport (
    KEY_BYTES, KL, floats_doubt, floats_note, floats_pick, key, keys, keys_any_below, keys_load, keys_pick, keys_read,
    keys_set, keys_store, keys_stream, keys_to_pixels, pixel, pixels_pick, pixels_store,
)
from convkit._native.simd cimport VECTOR_BYTES, prefetch, real
from convkit._native.window cimport Tile, Window


# ---- the sides of the image -------------------------------------------------------------------------
cdef struct Sides:  # of rows that are read where they lie: what their windows see beside the image, in a line for each
    Py_ssize_t left, right  # elements that the border adds to a row, and outputs that see them
    Py_ssize_t reach  # whole vectors of outputs that hold these, at either side
    Py_ssize_t part  # elements that such outputs see: a line has those of the left side, and then of the right one
    Py_ssize_t between  # from a place of the right side in its line to that in the row
    Py_ssize_t* places  # in the line and in the row, of the `count` elements that the border repeats
    Py_ssize_t count


cdef inline bint find_sides(const Window* w, Tile tile, Sides* sides) noexcept nogil:
    """Whether a row has whole vectors at its sides, and two between them."""
    cdef Py_ssize_t column = tile.left + w.first_column, pixels = tile.pixels + w.columns - 1, i, c, at
    cdef Py_ssize_t n = tile.pixels * w.channels
    cdef Py_ssize_t left = min(max(-column, 0), pixels), right = min(max(column + pixels - w.width, 0), pixels)
    sides.left, sides.right, sides.count = left * w.channels, right * w.channels, 0
    sides.reach = ceil_div(max(sides.left, sides.right), KL) * KL
    sides.part = sides.reach + (w.columns - 1) * w.channels
    sides.between = pixels * w.channels - 2 * sides.part
    if 2 * sides.part > w.line or n < 2 * sides.reach or n < sides.left + sides.right + 4 * KL:
        return False
    for i in range(left + right if w.border != BORDER_CONSTANT else 0):
        at = i if i < left else i + pixels - left - right
        for c in range(w.channels):
            sides.places[2 * sides.count] = at * w.channels + c - (0 if i < left else sides.between)
            sides.places[2 * sides.count + 1] = (
                (border_index(column + at, w.width, w.border) - column) * w.channels + c
            )
            sides.count += 1
    return True


cdef inline void copy_keys(const key* source, key* target, Py_ssize_t n) noexcept nogil:
    """Exactly n, at least a vector."""
    cdef Py_ssize_t at = 0
    while at < n - KL:
        keys_store(target + at, keys_load(source + at))
        at += KL
    keys_store(target + n - KL, keys_load(source + n - KL))


cdef inline void load_sides(const Sides* sides, const key* row, key* line) noexcept nogil:
    cdef Py_ssize_t i
    copy_keys(row + sides.left, line + sides.left, sides.part - sides.left)
    copy_keys(row + sides.part + sides.between, line + sides.part, sides.part - sides.right)
    for i in range(0, 2 * sides.count, 2):
        line[sides.places[i]] = row[sides.places[i + 1]]


# ---- a row of outputs ------------------------------------------------------------------------------
cdef struct Nine:  # taps: in an array gcc would keep them in memory, which takes floats a fifth longer
    const key* a
    const key* b
    const key* c
    const key* d
    const key* e
    const key* f
    const key* g
    const key* h
    const key* i


cdef inline void pick_next(keys* found, keys* noted, const key* tap, const bint raw, const bint greatest) noexcept nogil:
    cdef keys x = keys_read(tap) if raw else keys_load(tap)
    if raw:
        found[0], noted[0] = floats_pick(found[0], x, greatest), floats_note(noted[0], x, greatest)
    else:
        found[0] = keys_pick(found[0], x, greatest)


cdef inline keys pick_nine(
    const Nine* taps, const int count, Py_ssize_t x, keys* doubt, const bint raw, const bint greatest
) noexcept nogil:
    """A vector of pixels under at most nine taps; `raw`: of floats, not of keys."""
    cdef keys found = keys_load(taps.a + x), noted = found
    if count > 1:
        pick_next(&found, &noted, taps.b + x, raw, greatest)
    if count > 2:
        pick_next(&found, &noted, taps.c + x, raw, greatest)
    if count > 3:
        pick_next(&found, &noted, taps.d + x, raw, greatest)
    if count > 4:
        pick_next(&found, &noted, taps.e + x, raw, greatest)
    if count > 5:
        pick_next(&found, &noted, taps.f + x, raw, greatest)
    if count > 6:
        pick_next(&found, &noted, taps.g + x, raw, greatest)
    if count > 7:
        pick_next(&found, &noted, taps.h + x, raw, greatest)
    if count > 8:
        pick_next(&found, &noted, taps.i + x, raw, greatest)
    if raw:
        doubt[0] |= floats_doubt(found, noted, greatest)
        return found
    return keys_to_pixels(found)


cdef inline void pick_one(
    const key** taps, Py_ssize_t count, Py_ssize_t x, pixel* target, const bint raw, const bint greatest
) noexcept nogil:
    cdef keys found = keys_load(taps[0] + x), noted = found
    cdef Py_ssize_t t
    for t in range(1, count):
        pick_next(&found, &noted, taps[t] + x, raw, greatest)
    if not raw:
        pixels_store(target, found)
    elif keys_any_below(floats_doubt(found, noted, greatest)):
        pixels_pick(taps, count, x, target, greatest)
    else:
        keys_store(<key*>target, found)


cdef inline void pick_four(
    const key** taps, const Nine* few, const int known, Py_ssize_t count, Py_ssize_t x, pixel* target, bint stream,
    const bint raw, const bint greatest
) noexcept nogil:
    """Four vectors. `known`: the number of taps if it is at most nine, or 0."""
    cdef keys doubt = keys_set(0), a, b, c, d, noted_a, noted_b, noted_c, noted_d
    cdef Py_ssize_t t
    if known:
        a = pick_nine(few, known, x, &doubt, raw, greatest)
        b = pick_nine(few, known, x + KL, &doubt, raw, greatest)
        c = pick_nine(few, known, x + 2 * KL, &doubt, raw, greatest)
        d = pick_nine(few, known, x + 3 * KL, &doubt, raw, greatest)
    else:
        a, b = keys_load(taps[0] + x), keys_load(taps[0] + x + KL)
        c, d = keys_load(taps[0] + x + 2 * KL), keys_load(taps[0] + x + 3 * KL)
        noted_a, noted_b, noted_c, noted_d = a, b, c, d
        for t in range(1, count):
            pick_next(&a, &noted_a, taps[t] + x, raw, greatest)
            pick_next(&b, &noted_b, taps[t] + x + KL, raw, greatest)
            pick_next(&c, &noted_c, taps[t] + x + 2 * KL, raw, greatest)
            pick_next(&d, &noted_d, taps[t] + x + 3 * KL, raw, greatest)
        if raw:
            doubt = (
                floats_doubt(a, noted_a, greatest) | floats_doubt(b, noted_b, greatest)
                | floats_doubt(c, noted_c, greatest) | floats_doubt(d, noted_d, greatest)
            )
        else:
            a, b, c, d = keys_to_pixels(a), keys_to_pixels(b), keys_to_pixels(c), keys_to_pixels(d)
    if raw and keys_any_below(doubt):
        for t in range(4):
            pixels_pick(taps, count, x + t * KL, target + t * KL, greatest)
    elif stream:
        keys_stream(<key*>target, a)
        keys_stream(<key*>target + KL, b)
        keys_stream(<key*>target + 2 * KL, c)
        keys_stream(<key*>target + 3 * KL, d)
    else:
        keys_store(<key*>target, a)
        keys_store(<key*>target + KL, b)
        keys_store(<key*>target + 2 * KL, c)
        keys_store(<key*>target + 3 * KL, d)


cdef inline void pick_taps(
    const key** taps, const key** side_taps, const int known, Py_ssize_t count, pixel* target, const Sides* sides,
    Py_ssize_t n, const real* coming, bint away, bint stream, const bint raw, const bint greatest
) noexcept nogil:
    """A row of n pixels, at least four vectors beside what the border adds; they are stored where they are aligned."""
    cdef Py_ssize_t x, end = n - sides.right, most = n - sides.reach, aligned
    cdef Nine few
    few.a, few.b, few.c = taps[0], taps[min(1, count - 1)], taps[min(2, count - 1)]
    few.d, few.e, few.f = taps[min(3, count - 1)], taps[min(4, count - 1)], taps[min(5, count - 1)]
    few.g, few.h, few.i = taps[min(6, count - 1)], taps[min(7, count - 1)], taps[min(8, count - 1)]
    aligned = sides.reach - <Py_ssize_t>(target + sides.reach) % VECTOR_BYTES // KEY_BYTES
    x = min(max(aligned, sides.left), end - 4 * KL)
    while True:
        pick_four(taps, &few, known, count, x, target + x, stream and x == aligned, raw, greatest)
        if away:
            prefetch(<const real*>(<const key*>coming + x))
            prefetch(<const real*>(<const key*>coming + x + 2 * KL))
        aligned += 4 * KL
        if aligned + 2 * KL >= most:
            break
        x = min(aligned, end - 4 * KL)
    while aligned < most:  # four would take longer than one or two
        x = min(aligned, end - KL)
        pick_one(taps, count, x, target + x, raw, greatest)
        aligned += KL
    x = 0
    while x < sides.reach:  # now: what was just stored in parts is not to be read at once
        pick_one(side_taps, count, x, target + x, raw, greatest)
        pick_one(side_taps, count, sides.part + x, target + most + x, raw, greatest)
        x += KL


cdef inline void pick_known(
    const key** taps, const key** side_taps, Py_ssize_t count, pixel* target, const Sides* sides, Py_ssize_t n,
    const real* coming, bint away, bint stream, const bint raw, const bint greatest
) noexcept nogil:
    if count == 2:
        pick_taps(taps, side_taps, 2, 2, target, sides, n, coming, away, stream, raw, greatest)
    elif count == 3:
        pick_taps(taps, side_taps, 3, 3, target, sides, n, coming, away, stream, raw, greatest)
    elif count == 4:
        pick_taps(taps, side_taps, 4, 4, target, sides, n, coming, away, stream, raw, greatest)
    elif count == 5:
        pick_taps(taps, side_taps, 5, 5, target, sides, n, coming, away, stream, raw, greatest)
    elif count == 6:
        pick_taps(taps, side_taps, 6, 6, target, sides, n, coming, away, stream, raw, greatest)
    elif count == 7:
        pick_taps(taps, side_taps, 7, 7, target, sides, n, coming, away, stream, raw, greatest)
    elif count == 8:
        pick_taps(taps, side_taps, 8, 8, target, sides, n, coming, away, stream, raw, greatest)
    elif count == 9:
        pick_taps(taps, side_taps, 9, 9, target, sides, n, coming, away, stream, raw, greatest)
    else:
        pick_taps(taps, side_taps, 0, count, target, sides, n, coming, away, stream, raw, greatest)

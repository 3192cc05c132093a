# The least or greatest pixels under any footprint: a list of runs of columns, or of its elements.
#
# A run is two overlapping minima of 1, 2, 4, ... pixels, which are made once for each image row. Few elements are
# compared where they lie (`elements.pxd`).
from convkit._native.along cimport pick_shifted
from convkit._native.elements cimport Sides, copy_keys, find_sides, load_sides, pick_known, pick_taps
from convkit._native.pixel cimport KL, PIXEL_IS_KEY, key, keys_store, pixel, pixel_of
from convkit._native.simd cimport real, stream_fence
from convkit._native.window cimport (
    Tile, Window, find_row, image_row, is_away, is_packed, load_row, output_row, store_row, streams
)

cdef struct Tap:
    Py_ssize_t row, level, column

cdef struct Footprint:
    Tap* taps
    Py_ssize_t count
    Py_ssize_t levels


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

# The least or greatest pixels of windows along a row.
#
# Minima of 1, 4, 16, ... pixels are made from each other in place, and the last step overlaps to the width that is
# wanted.
from convkit._native.arith cimport ceil_div
from convkit._native.pixel cimport KEY_BYTES, KL, key, keys, keys_load, keys_pick, keys_store

cdef enum:
    STEP = 4  # pixels are combined in a pass
    MOST = 6 - (KEY_BYTES == 1)  # in the last; of bytes, six take longer than two passes


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

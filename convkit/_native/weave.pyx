"""Maps of the phases of an output's stride, woven into the output.

Output pixel (i·stride_h + a, j·stride_w + b) is pixel (i, j) of the map of phase (a, b). Maps of one output row's phases
lie in scratch, where convolutions without stride have summed them; here each line of the output is put together from
`stride_w` of their rows, finished, and written once.
"""
from cython.parallel cimport prange

from convkit._native.arith cimport ceil_div, elements
from convkit._native.copies cimport copy_run
from convkit._native.epilogue cimport Epilogue, finish_rows, make_epilogue
from convkit._native.simd cimport (VL, real, scratch_alloc, scratch_free, vec, vec_load, vec_load_part, vec_set, vec_store,
                                   vec_store_part, vec_zip_high, vec_zip_low)


cdef enum:
    UNIT_ROWS = 16              # of a map


cdef struct Cloth:
    const real* maps
    Py_ssize_t image, plane, row                        # steps between images, maps and rows of `maps`
    Py_ssize_t outputs, rows, first_row                 # channels; rows of a map, and the first one's place
    Py_ssize_t down, across                             # phases that are woven
    const Py_ssize_t* phase_row                         # of each of `down`
    const Py_ssize_t* place                             # of each of `across`: see `weave`
    bint whole                                          # every column's phase has maps
    const real* bias
    real* y
    Py_ssize_t y_image, y_channel, y_row, y_column
    Py_ssize_t height, width, stride_h, stride_w
    Epilogue epilogue


cdef struct Thread:             # scratch
    const real** source         # the maps of each of `across`, from the unit's first row on; NULL: none
    real* line
    real* spare                 # lines of half the length, and of half of that, and so on


cdef void fill(real* to, real value, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i = 0
    while i + VL <= n:
        vec_store(to + i, vec_set(value))
        i += VL
    vec_store_part(to + i, vec_set(value), n - i)


cdef inline void zip_rows(real* to, const real* even, const real* odd, Py_ssize_t n) noexcept nogil:
    # n elements by turns from the two.
    cdef Py_ssize_t i = 0, left
    cdef vec a, b
    while i + 2 * VL <= n:
        a, b = vec_load(even + i // 2), vec_load(odd + i // 2)
        vec_store(to + i, vec_zip_low(a, b))
        vec_store(to + i + VL, vec_zip_high(a, b))
        i += 2 * VL
    left = n - i
    if left > 0:
        a, b = vec_load_part(even + i // 2, (left + 1) // 2), vec_load_part(odd + i // 2, left // 2)
        vec_store_part(to + i, vec_zip_low(a, b), min(left, <Py_ssize_t>VL))
        if left > VL:
            vec_store_part(to + i + VL, vec_zip_high(a, b), left - VL)


cdef inline void spread(real* to, Py_ssize_t step, const real* source, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        to[i * step] = source[i]


cdef const real* zip_phases(const Cloth* cloth, const real** source, Py_ssize_t offset, Py_ssize_t step, Py_ssize_t n,
                            real* to, real* spare) noexcept nogil:
    # A line of n pixels from every `step`-th of the phases from the first source on: it lies in a map, or is put
    # together in `to`.
    cdef Py_ssize_t phases = cloth.stride_w // step, half = ceil_div(n, 2 * VL) * VL, b
    cdef const real* even
    cdef const real* odd
    if phases == 1:
        return source[0] + offset
    if phases % 2:
        for b in range(min(phases, n)):
            spread(to + b, phases, source[b * step] + offset, ceil_div(n - b, phases))
        return to
    even = zip_phases(cloth, source, offset, 2 * step, ceil_div(n, 2), spare, spare + 2 * half)
    odd = zip_phases(cloth, source + step, offset, 2 * step, n // 2, spare + half, spare + 2 * half)
    zip_rows(to, even, odd, n)
    return to


cdef void weave_line(const Cloth* cloth, Py_ssize_t channel, Py_ssize_t offset, const Thread* thread,
                     real* to) noexcept nogil:
    cdef Py_ssize_t b
    cdef const real* found
    if cloth.whole and cloth.stride_w == 2:
        zip_rows(to, thread.source[0] + offset, thread.source[1] + offset, cloth.width)
    elif cloth.whole:
        found = zip_phases(cloth, thread.source, offset, 1, cloth.width, to, thread.spare)
        if found != to:
            copy_run(to, found, cloth.width)
    else:
        fill(to, cloth.bias[channel], cloth.width)
        for b in range(cloth.across):
            if thread.source[b] != NULL:
                spread(to + b, cloth.stride_w, thread.source[b] + offset, ceil_div(cloth.width - b, cloth.stride_w))


cdef void weave_unit(const Cloth* cloth, Py_ssize_t index, const Thread* thread) noexcept nogil:
    # The output's lines of some rows of the maps of a channel and row phase.
    cdef Py_ssize_t chunks = ceil_div(cloth.rows, UNIT_ROWS), first = index % chunks * UNIT_ROWS, channel, down, image
    cdef Py_ssize_t b, map_row, row
    cdef const Py_ssize_t* place
    cdef real* y
    index //= chunks
    down = index % cloth.down
    index //= cloth.down
    channel, image = index % cloth.outputs, index // cloth.outputs
    for b in range(cloth.across):
        place = cloth.place + 3 * b
        thread.source[b] = NULL
        if place[0] >= 0:
            thread.source[b] = cloth.maps + image * cloth.image + first * cloth.row + cloth.plane * (
                place[0] * cloth.outputs + (channel * cloth.down + down) * place[1] + place[2])
    for map_row in range(first, min(first + UNIT_ROWS, cloth.rows)):
        row = (cloth.first_row + map_row) * cloth.stride_h + cloth.phase_row[down]
        if row >= cloth.height:
            return
        y = cloth.y + image * cloth.y_image + channel * cloth.y_channel + row * cloth.y_row
        if cloth.epilogue.plain and cloth.y_column == 1:
            weave_line(cloth, channel, (map_row - first) * cloth.row, thread, y)
            continue
        weave_line(cloth, channel, (map_row - first) * cloth.row, thread, thread.line)
        finish_rows(&cloth.epilogue, thread.line, 0, y, 0, 1, cloth.width)
        if cloth.y_column == 1:
            copy_run(y, thread.line, cloth.width)
        else:
            spread(y, cloth.y_column, thread.line, cloth.width)


cdef Py_ssize_t lay_out(const Cloth* cloth, char* scratch, Thread* thread) noexcept nogil:
    # The bytes of a thread's scratch.
    cdef Py_ssize_t line = (ceil_div(cloth.width, VL) + 1) * VL
    thread.line = <real*>scratch
    thread.spare = thread.line + line
    thread.source = <const real**>(thread.spare + 2 * line + 2 * VL * 64)
    return ceil_div(<char*>(thread.source + cloth.across) - scratch, 64) * 64


cdef void weave_units(const Cloth* cloth, Py_ssize_t first, Py_ssize_t end, char* scratch) noexcept nogil:
    cdef Thread thread
    cdef Py_ssize_t u
    lay_out(cloth, scratch, &thread)
    for u in range(first, end):
        weave_unit(cloth, u, &thread)


def weave(const real[:, :, :, :] maps not None, const Py_ssize_t[::1] phase_rows not None,
          const Py_ssize_t[:, ::1] places not None, Py_ssize_t first_row, const real[::1] bias not None,
          real[:, :, :, :] y_bchw not None, Py_ssize_t stride_h, Py_ssize_t stride_w, int num_threads,
          int activation=0, real slope=0, const real[:, :, :, :] residual=None):
    """Write the output rows of some phases, given in ascending order, from their `maps`.

    Row 0 of the maps is number `first_row` of each phase. For each column phase, `places` tells the maps before its
    run's, for each output channel; the run's column phases; and its place among them. The first number is -1 where the
    phase has no map: its pixels are the `bias`. `residual` has `y_bchw`'s strides, or is it.
    """
    cdef Cloth cloth
    cdef Thread thread
    cdef Py_ssize_t t, units, size
    cdef char* scratch
    cloth.maps, cloth.bias, cloth.y = &maps[0, 0, 0, 0], &bias[0], &y_bchw[0, 0, 0, 0]
    cloth.image, cloth.plane, cloth.row = (elements(maps.strides[0]), elements(maps.strides[1]), maps.shape[3])
    cloth.outputs, cloth.rows, cloth.first_row = y_bchw.shape[1], maps.shape[2], first_row
    cloth.down, cloth.across = phase_rows.shape[0], places.shape[0]
    cloth.phase_row, cloth.place = &phase_rows[0], &places[0, 0]
    cloth.whole = cloth.across == stride_w
    for t in range(cloth.across):
        if places[t, 0] < 0:
            cloth.whole = False
    cloth.y_image, cloth.y_channel = elements(y_bchw.strides[0]), elements(y_bchw.strides[1])
    cloth.y_row, cloth.y_column = elements(y_bchw.strides[2]), elements(y_bchw.strides[3])
    cloth.height, cloth.width, cloth.stride_h, cloth.stride_w = y_bchw.shape[2], y_bchw.shape[3], stride_h, stride_w
    cloth.epilogue = make_epilogue(activation, slope, residual, cloth.y, cloth.y_column)
    units = maps.shape[0] * cloth.outputs * cloth.down * ceil_div(cloth.rows, UNIT_ROWS)
    num_threads = <int>min(<Py_ssize_t>num_threads, units)
    size = lay_out(&cloth, NULL, &thread)
    scratch = <char*>scratch_alloc(num_threads * size)
    if scratch == NULL:
        raise MemoryError("no memory for the lines of a transposed convolution")
    with nogil:
        if num_threads == 1:    # no team: also what a forked child must do
            weave_units(&cloth, 0, units, scratch)
        else:
            for t in prange(num_threads, num_threads=num_threads, schedule="static"):
                weave_units(&cloth, units * t // num_threads, units * (t + 1) // num_threads, scratch + t * size)
        scratch_free(scratch)

"""Maps of the phases of an output's stride, woven into the output.

Output pixel (i·stride_h + a, j·stride_w + b) is pixel (i, j) of the map of phase (a, b). Maps of one output row's phases
lie in scratch, where convolutions without stride have summed them; here each line of the output is put together from
`stride_w` of their rows, finished, and written once.
"""
from cython.parallel cimport prange, threadid

from convkit._native.arith cimport ceil_div, elements
from convkit._native.copies cimport copy_run
from convkit._native.epilogue cimport Epilogue, finish_rows, make_epilogue
from convkit._native.simd cimport (VL, real, scratch_alloc, scratch_free, vec_load, vec_load_part, vec_set, vec_store,
                                   vec_store_part, vec_zip_high, vec_zip_low)


cdef struct Cloth:
    const real* maps
    Py_ssize_t image, plane, row                        # steps between images, maps and rows of `maps`
    Py_ssize_t outputs, rows, first_row                 # channels; rows of a map, and the first one's place
    Py_ssize_t down, across                             # phases that are woven
    const Py_ssize_t* phase_row                         # of each of `down`
    const Py_ssize_t* place                             # of each of `across`: see `weave`
    bint whole                                          # every column's phase has maps
    Py_ssize_t line                                     # elements of scratch for a line
    const real* bias
    real* y
    Py_ssize_t y_image, y_channel, y_row, y_column
    Py_ssize_t height, width, stride_h, stride_w
    Epilogue epilogue


cdef void fill(real* to, real value, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i = 0
    while i + VL <= n:
        vec_store(to + i, vec_set(value))
        i += VL
    vec_store_part(to + i, vec_set(value), n - i)


cdef void zip_rows(real* to, const real* even, const real* odd, Py_ssize_t n) noexcept nogil:
    # n elements by turns from the two.
    cdef Py_ssize_t i = 0, left
    while i + 2 * VL <= n:
        vec_store(to + i, vec_zip_low(vec_load(even + i // 2), vec_load(odd + i // 2)))
        vec_store(to + i + VL, vec_zip_high(vec_load(even + i // 2), vec_load(odd + i // 2)))
        i += 2 * VL
    left = n - i
    if left > 0:
        even, odd = even + i // 2, odd + i // 2
        vec_store_part(to + i, vec_zip_low(vec_load_part(even, (left + 1) // 2), vec_load_part(odd, left // 2)),
                       min(left, <Py_ssize_t>VL))
    if left > VL:
        vec_store_part(to + i + VL, vec_zip_high(vec_load_part(even, (left + 1) // 2), vec_load_part(odd, left // 2)),
                       left - VL)


cdef void spread(real* to, Py_ssize_t step, const real* source, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        to[i * step] = source[i]


cdef inline const real* find_map(const Cloth* cloth, Py_ssize_t channel, Py_ssize_t down, Py_ssize_t across) noexcept nogil:
    # NULL where the phase has none.
    cdef const Py_ssize_t* place = cloth.place + 3 * across
    if place[0] < 0:
        return NULL
    return cloth.maps + (place[0] * cloth.outputs + (channel * cloth.down + down) * place[1] + place[2]) * cloth.plane


cdef const real* zip_phases(const Cloth* cloth, Py_ssize_t channel, Py_ssize_t down, Py_ssize_t offset, Py_ssize_t across,
                            Py_ssize_t step, Py_ssize_t n, real* to, real* spare) noexcept nogil:
    # A line of every `step`-th pixel from column `across` on, n of them: it lies in a map, or is put together in `to`.
    cdef Py_ssize_t phases = cloth.stride_w // step, half = ceil_div(n, 2 * VL) * VL
    cdef const real* even
    cdef const real* odd
    if phases == 1:
        return find_map(cloth, channel, down, across) + offset
    if phases % 2:
        while across < cloth.across:
            spread(to + across // step, phases, find_map(cloth, channel, down, across) + offset,
                   ceil_div(n - across // step, phases))
            across += step
        return to
    even = zip_phases(cloth, channel, down, offset, across, 2 * step, ceil_div(n, 2), spare, spare + 2 * half)
    odd = zip_phases(cloth, channel, down, offset, across + step, 2 * step, n // 2, spare + half, spare + 2 * half)
    zip_rows(to, even, odd, n)
    return to


cdef void weave_line(const Cloth* cloth, Py_ssize_t channel, Py_ssize_t down, Py_ssize_t offset, real* to,
                     real* spare) noexcept nogil:
    # `offset`: of the row in a map of the image.
    cdef Py_ssize_t b
    cdef const real* source
    if cloth.whole:
        source = zip_phases(cloth, channel, down, offset, 0, 1, cloth.width, to, spare)
        if source != to:
            copy_run(to, source, cloth.width)
        return
    fill(to, cloth.bias[channel], cloth.width)
    for b in range(cloth.across):
        source = find_map(cloth, channel, down, b)
        if source != NULL:
            spread(to + b, cloth.stride_w, source + offset, ceil_div(cloth.width - b, cloth.stride_w))


cdef void weave_row(const Cloth* cloth, Py_ssize_t index, real* line) noexcept nogil:
    # The output's line of one row of the maps of a phase and channel.
    cdef Py_ssize_t map_row = index % cloth.rows, down = index // cloth.rows % cloth.down
    index //= cloth.rows * cloth.down
    cdef Py_ssize_t channel = index % cloth.outputs, image = index // cloth.outputs
    cdef Py_ssize_t row = (cloth.first_row + map_row) * cloth.stride_h + cloth.phase_row[down]
    cdef Py_ssize_t offset = image * cloth.image + map_row * cloth.row
    cdef real* y = cloth.y + image * cloth.y_image + channel * cloth.y_channel + row * cloth.y_row
    cdef real* spare = line + cloth.line
    if row >= cloth.height:
        return
    if cloth.epilogue.plain and cloth.y_column == 1:
        weave_line(cloth, channel, down, offset, y, spare)
        return
    weave_line(cloth, channel, down, offset, line, spare)
    finish_rows(&cloth.epilogue, line, 0, y, 0, 1, cloth.width)
    if cloth.y_column == 1:
        copy_run(y, line, cloth.width)
    else:
        spread(y, cloth.y_column, line, cloth.width)


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
    cdef Py_ssize_t b, u, units, thread_scratch
    cdef real* lines
    cloth.maps, cloth.bias, cloth.y = &maps[0, 0, 0, 0], &bias[0], &y_bchw[0, 0, 0, 0]
    cloth.image, cloth.plane, cloth.row = (elements(maps.strides[0]), elements(maps.strides[1]), maps.shape[3])
    cloth.outputs, cloth.rows, cloth.first_row = y_bchw.shape[1], maps.shape[2], first_row
    cloth.down, cloth.across = phase_rows.shape[0], places.shape[0]
    cloth.phase_row, cloth.place = &phase_rows[0], &places[0, 0]
    cloth.whole = cloth.across == stride_w
    for b in range(cloth.across):
        if places[b, 0] < 0:
            cloth.whole = False
    cloth.y_image, cloth.y_channel = elements(y_bchw.strides[0]), elements(y_bchw.strides[1])
    cloth.y_row, cloth.y_column = elements(y_bchw.strides[2]), elements(y_bchw.strides[3])
    cloth.height, cloth.width, cloth.stride_h, cloth.stride_w = y_bchw.shape[2], y_bchw.shape[3], stride_h, stride_w
    cloth.epilogue = make_epilogue(activation, slope, residual, cloth.y, cloth.y_column)
    units = maps.shape[0] * cloth.outputs * cloth.down * cloth.rows
    num_threads = <int>min(<Py_ssize_t>num_threads, units)
    cloth.line = ceil_div(cloth.width, VL) * VL
    thread_scratch = 3 * cloth.line + 2 * VL * 64       # lines of half the length, and of half of that, and so on
    lines = <real*>scratch_alloc(num_threads * thread_scratch * sizeof(real))
    if lines == NULL:
        raise MemoryError("no memory for the lines of a transposed convolution")
    with nogil:
        if num_threads == 1:    # no team: also what a forked child must do
            for u in range(units):
                weave_row(&cloth, u, lines)
        else:
            for u in prange(units, num_threads=num_threads, schedule="static"):
                weave_row(&cloth, u, lines + threadid() * thread_scratch)
        scratch_free(lines)

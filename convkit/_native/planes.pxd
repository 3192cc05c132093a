# Input pixels laid out so that a convolution's taps read them by plain shifts.
#
# Under a band of output rows and a strip of its columns lie a few input rows. They are copied once, with their
# borders: what the taps of one kernel row read is a SLAB of rows, one for each output row, and slabs that share rows
# overlap. A horizontal stride splits the columns into phases, each a plane of its own, so that what a tap brings to
# neighbouring outputs lies side by side; taps so far apart that they share no pixel have planes of their own. Rows of
# all planes are `pitch` apart: an output pixel has one place in the band, and a tap one offset from it.
from convkit._native.arith cimport ceil_div
from convkit._native.border cimport BORDER_CONSTANT, border_index
from convkit._native.simd cimport (LINE, VL, prefetch_far, real, vec, vec_even, vec_load, vec_load_even, vec_load_part,
                                   vec_load_third, vec_odd, vec_set, vec_store)


cdef struct Planes:
    Py_ssize_t height, width                            # of the input
    Py_ssize_t x_channel, x_row, x_column               # its strides in elements
    int border
    real cval
    Py_ssize_t stride_h, stride_w
    Py_ssize_t slots                                    # rows of a plane
    const Py_ssize_t* slot_row                          # the input row of each, under output row 0
    Py_ssize_t phases                                   # planes
    const Py_ssize_t* phase_column                      # the input column of each one's first element, under output 0
    Py_ssize_t pitch, plane, channel                    # elements of a row, of a plane, of a channel
    Py_ssize_t shared                                   # constants at a row's end that the next row begins with


cdef struct Span:                                       # a row of a plane: elements [begin, end) lie inside the input
    Py_ssize_t first                                    # input column of element 0
    Py_ssize_t begin, end


cdef inline Span find_span(const Planes* planes, Py_ssize_t first) noexcept nogil:
    cdef Span span
    span.first = first
    span.begin = min(ceil_div(max(-first, <Py_ssize_t>0), planes.stride_w), planes.pitch)
    span.end = min(ceil_div(max(planes.width - first, <Py_ssize_t>0), planes.stride_w), planes.pitch)
    span.end = max(span.end, span.begin)
    return span


cdef inline void pack_constant(real* to, vec value, Py_ssize_t n) noexcept nogil:
    # Whole vectors, as everywhere here: what they leave behind the end is written next, or lies between two planes.
    cdef Py_ssize_t i = 0
    while i < n:
        vec_store(to + i, value)
        i += VL


cdef inline void pack_border(const Planes* planes, const real* row, Py_ssize_t first, Py_ssize_t n,
                             real* to) noexcept nogil:
    # n elements of a row, from input column `first` on, wherever they lie.
    cdef Py_ssize_t i, inside
    for i in range(n):
        inside = border_index(first + i * planes.stride_w, planes.width, planes.border)
        to[i] = planes.cval if inside < 0 else row[inside * planes.x_column]


cdef inline void pack_ends(const Planes* planes, const real* row, const Span* span, Py_ssize_t begin, Py_ssize_t end,
                           real* to) noexcept nogil:
    # What lies before `begin` and from `end` on; constants before the input are there already.
    cdef Py_ssize_t i
    if planes.border == BORDER_CONSTANT:
        for i in range(span.begin, begin):
            to[i] = row[(span.first + i * planes.stride_w) * planes.x_column]
        for i in range(end, span.end):
            to[i] = row[(span.first + i * planes.stride_w) * planes.x_column]
        pack_constant(to + span.end, vec_set(planes.cval), planes.pitch - span.end)
    else:
        pack_border(planes, row, span.first, begin, to)
        pack_border(planes, row, span.first + end * planes.stride_w, planes.pitch - end, to + end)


cdef inline void pack_inside(const real* x, Py_ssize_t step, Py_ssize_t n, real* to) noexcept nogil:
    # n elements `step` apart.
    cdef Py_ssize_t i = 0
    if step == 1:
        while i + VL <= n:
            vec_store(to + i, vec_load(x + i))
            i += VL
        if i < n:
            vec_store(to + i, vec_load_part(x + i, n - i))
    else:
        if step == 2:               # strictly: it reads one element past the last that it needs
            while i + VL < n:
                vec_store(to + i, vec_load_even(x + 2 * i))
                i += VL
        elif step == 3:             # two elements past it
            while i + VL < n:
                vec_store(to + i, vec_load_third(x + 3 * i))
                i += VL
        while i < n:
            to[i] = x[i * step]
            i += 1


cdef inline void pack_pairs(const real* x, Py_ssize_t n, real* even, real* odd) noexcept nogil:
    # n pairs of neighbours, taken apart.
    cdef Py_ssize_t i = 0, left
    cdef vec a, b
    while i + VL <= n:
        a = vec_load(x + 2 * i)
        b = vec_load(x + 2 * i + VL)
        vec_store(even + i, vec_even(a, b))
        vec_store(odd + i, vec_odd(a, b))
        i += VL
    if i < n:
        left = 2 * (n - i)
        a = vec_load_part(x + 2 * i, min(left, <Py_ssize_t>VL))
        b = vec_load_part(x + 2 * i + VL, left - VL) if left > VL else vec_set(0)
        vec_store(even + i, vec_even(a, b))
        vec_store(odd + i, vec_odd(a, b))


cdef inline void pack_row(const Planes* planes, const real* row, const Span* span, real* to) noexcept nogil:
    pack_constant(to, vec_set(planes.cval), span.begin)
    if span.begin < span.end:
        pack_inside(row + (span.first + span.begin * planes.stride_w) * planes.x_column,
                    planes.stride_w * planes.x_column, span.end - span.begin, to + span.begin)
    pack_ends(planes, row, span, span.begin, span.end, to)


cdef inline void pack_row_of_pairs(const Planes* planes, const real* row, const Span* even, const Span* odd,
                                   real* to) noexcept nogil:
    cdef Py_ssize_t begin = max(even.begin, odd.begin), end = max(begin, min(even.end, odd.end))
    pack_constant(to, vec_set(planes.cval), even.begin)
    pack_constant(to + planes.plane, vec_set(planes.cval), odd.begin)
    if begin < end:
        pack_pairs(row + even.first + 2 * begin, end - begin, to + begin, to + planes.plane + begin)
    pack_ends(planes, row, even, begin, end, to)
    pack_ends(planes, row, odd, begin, end, to + planes.plane)


cdef inline const real* find_row(const Planes* planes, const real* x, Py_ssize_t row) noexcept nogil:
    # NULL where the border is constant.
    row = border_index(row, planes.height, planes.border)
    return x + row * planes.x_row if row >= 0 else <const real*>0


cdef inline void ask_for(const Planes* planes, const real* row) noexcept nogil:
    # The next channel's row, which lies too far for the processor to foresee it.
    cdef Py_ssize_t i = 0
    while i < planes.width:
        prefetch_far(row + planes.x_channel + i)
        i += LINE


cdef inline void pack_plane(const Planes* planes, const real* x, Py_ssize_t row, const Span* span, real* to) noexcept nogil:
    cdef Py_ssize_t slot
    cdef const real* source
    for slot in range(planes.slots):
        source = find_row(planes, x, row + planes.slot_row[slot])
        if source == <const real*>0:
            pack_constant(to, vec_set(planes.cval), planes.pitch)
        else:
            ask_for(planes, source)
            pack_row(planes, source, span, to)
        to += planes.pitch
    pack_constant(to, vec_set(planes.cval), planes.shared)


cdef inline void pack_pair_of_planes(const Planes* planes, const real* x, Py_ssize_t row, const Span* even,
                                     const Span* odd, real* to) noexcept nogil:
    cdef Py_ssize_t slot
    cdef const real* source
    for slot in range(planes.slots):
        source = find_row(planes, x, row + planes.slot_row[slot])
        if source == <const real*>0:
            pack_constant(to, vec_set(planes.cval), planes.pitch)
            pack_constant(to + planes.plane, vec_set(planes.cval), planes.pitch)
        else:
            ask_for(planes, source)
            pack_row_of_pairs(planes, source, even, odd, to)
        to += planes.pitch
    pack_constant(to, vec_set(planes.cval), planes.shared)
    pack_constant(to + planes.plane, vec_set(planes.cval), planes.shared)


cdef inline void pack_planes(const Planes* planes, const real* x, Py_ssize_t channels, Py_ssize_t row,
                             Py_ssize_t column, real* to) noexcept nogil:
    # The planes of `channels` channels under the band and strip whose first output is (row, column).
    cdef Py_ssize_t _, phase
    cdef Span span, odd
    cdef bint pairs = planes.phases == 2 and planes.stride_w == 2 and planes.x_column == 1 and \
        planes.phase_column[1] == planes.phase_column[0] + 1
    row *= planes.stride_h
    column *= planes.stride_w
    for phase in range(1 if pairs else planes.phases):
        span = find_span(planes, column + planes.phase_column[phase])
        if pairs:
            odd = find_span(planes, span.first + 1)
        for _ in range(channels):
            if pairs:
                pack_pair_of_planes(planes, x + _ * planes.x_channel, row, &span, &odd, to + _ * planes.channel)
            else:
                pack_plane(planes, x + _ * planes.x_channel, row, &span, to + _ * planes.channel + phase * planes.plane)

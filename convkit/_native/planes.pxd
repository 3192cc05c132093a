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
                                   vec_load_third, vec_odd, vec_set, vec_store, vec_third_0,
                                   vec_third_1, vec_third_2)


cdef enum:
    TOGETHER = 8        # planes of a channel that are packed at once, from each row


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


cdef inline vec load_some(const real* x, Py_ssize_t n) noexcept nogil:
    # As many of n elements as a vector has.
    return vec_load_part(x, min(max(n, <Py_ssize_t>0), <Py_ssize_t>VL))


cdef inline void pack_inside(const real* x, Py_ssize_t step, Py_ssize_t n, real* to) noexcept nogil:
    # n elements `step` apart, at least one.
    cdef Py_ssize_t i = 0, rest
    if step == 1:
        while i + VL <= n:
            vec_store(to + i, vec_load(x + i))
            i += VL
        if i < n:
            vec_store(to + i, vec_load_part(x + i, n - i))
    elif step == 2:                 # strictly: whole vectors read one element past the last that they need
        while i + VL < n:
            vec_store(to + i, vec_load_even(x + 2 * i))
            i += VL
        rest = 2 * (n - i) - 1
        vec_store(to + i, vec_even(load_some(x + 2 * i, rest), load_some(x + 2 * i + VL, rest - VL)))
    elif step == 3:                 # two elements past it
        while i + VL < n:
            vec_store(to + i, vec_load_third(x + 3 * i))
            i += VL
        rest = 3 * (n - i) - 2
        x += 3 * i
        vec_store(to + i, vec_third_0(load_some(x, rest), load_some(x + VL, rest - VL),
                                      load_some(x + 2 * VL, rest - 2 * VL)))
    else:
        for i in range(n):
            to[i] = x[i * step]


cdef inline void store_apart(const int STRIDE, const vec* v, real* to, Py_ssize_t plane) noexcept nogil:
    if STRIDE == 2:
        vec_store(to, vec_even(v[0], v[1]))
        vec_store(to + plane, vec_odd(v[0], v[1]))
    else:
        vec_store(to, vec_third_0(v[0], v[1], v[2]))
        vec_store(to + plane, vec_third_1(v[0], v[1], v[2]))
        vec_store(to + 2 * plane, vec_third_2(v[0], v[1], v[2]))


cdef inline void pack_apart(const int STRIDE, const real* x, Py_ssize_t n, real* to, Py_ssize_t plane) noexcept nogil:
    # n times STRIDE neighbours, 2 or 3, taken apart: the first of each go to `to`, the others to the next planes. The
    # last vectors overlap those before them, and bring the same.
    cdef Py_ssize_t i = 0, elements = STRIDE * n
    cdef vec v[3]
    cdef int k
    if n < VL:
        for k in range(STRIDE):
            v[k] = load_some(x + k * VL, elements - k * VL)
        store_apart(STRIDE, v, to, plane)
        return
    while i < n:
        i = min(i, n - VL)
        for k in range(STRIDE):
            v[k] = vec_load(x + STRIDE * i + k * VL)
        store_apart(STRIDE, v, to + i, plane)
        i += VL


cdef inline void pack_row(const Planes* planes, const real* row, const Span* span, real* to) noexcept nogil:
    pack_constant(to, vec_set(planes.cval), span.begin)
    if span.begin < span.end:
        pack_inside(row + (span.first + span.begin * planes.stride_w) * planes.x_column,
                    planes.stride_w * planes.x_column, span.end - span.begin, to + span.begin)
    pack_ends(planes, row, span, span.begin, span.end, to)


cdef inline void pack_row_apart(const int STRIDE, const Planes* planes, const real* row, const Span* spans,
                                Py_ssize_t begin, Py_ssize_t end, real* to) noexcept nogil:
    # Of STRIDE planes, whose elements are neighbours in the row; those of all of them lie inside from `begin` to `end`.
    cdef int k
    if begin == 0 and end == planes.pitch:      # as without padding
        pack_apart(STRIDE, row + spans[0].first, end, to, planes.plane)
        return
    for k in range(STRIDE):
        pack_constant(to + k * planes.plane, vec_set(planes.cval), spans[k].begin)
    if begin < end:
        pack_apart(STRIDE, row + spans[0].first + STRIDE * begin, end - begin, to + begin, planes.plane)
    for k in range(STRIDE):
        pack_ends(planes, row, &spans[k], begin, end, to + k * planes.plane)


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


cdef inline void pack_channel(const int STRIDE, const Planes* planes, const real* x, Py_ssize_t row, const Span* spans,
                              Py_ssize_t count, real* to) noexcept nogil:
    # The rows of `count` planes of one channel, each row of the input while it is near; STRIDE: those planes, whose
    # elements are neighbours in it, or 0.
    cdef Py_ssize_t slot, phase, begin = 0, end = planes.pitch
    cdef const real* source
    for phase in range(STRIDE):
        begin, end = max(begin, spans[phase].begin), min(end, spans[phase].end)
    end = max(begin, end)
    for slot in range(planes.slots):
        source = find_row(planes, x, row + planes.slot_row[slot])
        if source == <const real*>0:
            for phase in range(count):
                pack_constant(to + phase * planes.plane, vec_set(planes.cval), planes.pitch)
        else:
            ask_for(planes, source)
            if STRIDE:
                pack_row_apart(STRIDE, planes, source, spans, begin, end, to)
            else:
                for phase in range(count):
                    pack_row(planes, source, &spans[phase], to + phase * planes.plane)
        to += planes.pitch
    for phase in range(count):
        pack_constant(to + phase * planes.plane, vec_set(planes.cval), planes.shared)


cdef inline bint are_neighbours(const Planes* planes) noexcept nogil:
    # Whether all planes can be taken apart in one pass.
    cdef Py_ssize_t phase
    if planes.x_column != 1 or planes.phases != planes.stride_w or not 2 <= planes.phases <= 3:
        return False
    for phase in range(1, planes.phases):
        if planes.phase_column[phase] != planes.phase_column[0] + phase:
            return False
    return True


cdef inline void take_apart(const Planes* planes, const real* padded, real* to) noexcept nogil:
    # The planes of one channel, from all of its rows and borders one after another.
    cdef Py_ssize_t phase, n = planes.slots * planes.pitch + planes.shared
    if are_neighbours(planes) and planes.phases == 2:
        pack_apart(2, padded, n, to, planes.plane)
    elif are_neighbours(planes):
        pack_apart(3, padded, n, to, planes.plane)
    else:
        for phase in range(planes.phases):
            pack_inside(padded + planes.phase_column[phase] - planes.phase_column[0], planes.stride_w, n,
                        to + phase * planes.plane)


cdef inline void pack_planes(const Planes* planes, const real* x, Py_ssize_t channels, Py_ssize_t row,
                             Py_ssize_t column, real* to) noexcept nogil:
    # The planes of `channels` channels under the band and strip whose first output is (row, column).
    cdef Py_ssize_t _, phase, first = 0, count
    cdef Span spans[TOGETHER]
    cdef bint neighbours = are_neighbours(planes)
    row *= planes.stride_h
    column *= planes.stride_w
    while first < planes.phases:
        count = min(planes.phases - first, <Py_ssize_t>TOGETHER)
        for phase in range(count):
            spans[phase] = find_span(planes, column + planes.phase_column[first + phase])
        for _ in range(channels):
            if neighbours and count == 2:
                pack_channel(2, planes, x + _ * planes.x_channel, row, spans, 2, to + _ * planes.channel)
            elif neighbours:
                pack_channel(3, planes, x + _ * planes.x_channel, row, spans, 3, to + _ * planes.channel)
            else:
                pack_channel(0, planes, x + _ * planes.x_channel, row, spans, count,
                             to + _ * planes.channel + first * planes.plane)
        first += count

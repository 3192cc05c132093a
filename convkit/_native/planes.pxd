# Input pixels laid out so that a convolution's taps read them by plain shifts.
#
# Under a band of output rows and a strip of its columns lie a few input rows. They are copied once, with their
# borders: what the taps of one kernel row read is a SLAB of rows, one for each output row, and slabs that share rows
# overlap. A horizontal stride splits the columns into phases, each a plane of its own, so that what a tap brings to
# neighbouring outputs lies side by side; taps so far apart that they share no pixel have planes of their own. Rows of
# all planes are `pitch` apart: an output pixel has one place in the band, and a tap one offset from it.
from convkit._native.arith cimport ceil_div
from convkit._native.border cimport BORDER_CONSTANT, border_index
from convkit._native.rows cimport fill, pack_vectors
from convkit._native.simd cimport LINE, prefetch_far, real, vec_set


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
    bint foreseen                                       # by the processor: from one channel to the next
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


cdef inline void pack_singly(const Planes* planes, const real* row, const Span* span, real* to) noexcept nogil:
    cdef Py_ssize_t i
    fill(to, vec_set(planes.cval), span.begin)
    for i in range(span.begin, span.end):
        to[i] = row[(span.first + i * planes.stride_w) * planes.x_column]
    fill(to + span.end, vec_set(planes.cval), planes.pitch - span.end)


cdef inline void pack_border(const Planes* planes, const real* row, const Span* span, Py_ssize_t begin, Py_ssize_t end,
                             real* to) noexcept nogil:
    # Elements of a row that lie outside the input.
    cdef Py_ssize_t i
    for i in range(begin, end):
        to[i] = row[border_index(span.first + i * planes.stride_w, planes.width, planes.border) * planes.x_column]


cdef inline void pack_row(const int STEP, const int PLANES, const Planes* planes, const real* row, const Span* spans,
                          Py_ssize_t count, real* to) noexcept nogil:
    # Of `count` planes: one by one, or together where PLANES is more than one; STEP 0: element by element.
    cdef Py_ssize_t phase
    for phase in range(1 if PLANES > 1 else count):
        if STEP:
            pack_vectors(STEP, PLANES, row, spans[phase].first, planes.pitch, planes.width, vec_set(planes.cval),
                         to + phase * planes.plane, planes.plane)
        else:
            pack_singly(planes, row, &spans[phase], to + phase * planes.plane)
    if planes.border != BORDER_CONSTANT:
        for phase in range(count):
            pack_border(planes, row, &spans[phase], 0, spans[phase].begin, to + phase * planes.plane)
            pack_border(planes, row, &spans[phase], spans[phase].end, planes.pitch, to + phase * planes.plane)


cdef inline const real* find_row(const Planes* planes, const real* x, Py_ssize_t row) noexcept nogil:
    # NULL where the border is constant.
    row = border_index(row, planes.height, planes.border)
    return x + row * planes.x_row if row >= 0 else <const real*>0


cdef inline void ask_for(const Planes* planes, const real* row) noexcept nogil:
    # The next channel's row.
    cdef Py_ssize_t i = 0
    while i < planes.width:
        prefetch_far(row + planes.x_channel + i)
        i += LINE


cdef inline void pack_channel(const int STEP, const int PLANES, const Planes* planes, const real* x, Py_ssize_t row,
                              const Span* spans, Py_ssize_t count, real* to) noexcept nogil:
    # The rows of `count` planes of one channel, each row of the input while it is near.
    cdef Py_ssize_t slot, phase
    cdef const real* source
    for slot in range(planes.slots):
        source = find_row(planes, x, row + planes.slot_row[slot])
        if source == <const real*>0:
            for phase in range(count):
                fill(to + phase * planes.plane, vec_set(planes.cval), planes.pitch)
        else:
            if not planes.foreseen:
                ask_for(planes, source)
            pack_row(STEP, PLANES, planes, source, spans, count, to)
        to += planes.pitch
    for phase in range(count):
        fill(to + phase * planes.plane, vec_set(planes.cval), planes.shared)


cdef inline bint are_neighbours(const Planes* planes) noexcept nogil:
    # Whether all planes can be taken from a row together.
    cdef Py_ssize_t phase
    for phase in range(1, planes.phases):
        if planes.phase_column[phase] != planes.phase_column[0] + phase:
            return False
    return planes.phases == planes.stride_w


cdef inline void pack_planes(const Planes* planes, const real* x, Py_ssize_t channels, Py_ssize_t row,
                             Py_ssize_t column, real* to) noexcept nogil:
    # The planes of `channels` channels under the band and strip whose first output is (row, column).
    cdef Py_ssize_t _, phase, first = 0, count, step = planes.stride_w
    cdef Span spans[TOGETHER]
    cdef bint neighbours = are_neighbours(planes)
    cdef real* at
    row *= planes.stride_h
    column *= planes.stride_w
    while first < planes.phases:
        count = min(planes.phases - first, <Py_ssize_t>TOGETHER)
        for phase in range(count):
            spans[phase] = find_span(planes, column + planes.phase_column[first + phase])
        at = to + first * planes.plane
        for _ in range(channels):
            if planes.x_column != 1 or step > 3:
                pack_channel(0, 1, planes, x + _ * planes.x_channel, row, spans, count, at)
            elif step == 1:
                pack_channel(1, 1, planes, x + _ * planes.x_channel, row, spans, count, at)
            elif step == 2 and neighbours:
                pack_channel(2, 2, planes, x + _ * planes.x_channel, row, spans, count, at)
            elif step == 2:
                pack_channel(2, 1, planes, x + _ * planes.x_channel, row, spans, count, at)
            elif neighbours:
                pack_channel(3, 3, planes, x + _ * planes.x_channel, row, spans, count, at)
            else:
                pack_channel(3, 1, planes, x + _ * planes.x_channel, row, spans, count, at)
            at += planes.channel
        first += count

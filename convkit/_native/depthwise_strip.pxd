# The input of a strip, with its borders, copied to rows that lie PITCH apart. With a horizontal stride its columns are
# split into planes: what a tap brings to neighbouring outputs lies side by side.
from convkit._native.arith cimport ceil_div
from convkit._native.border cimport BORDER_CONSTANT, border_index
from convkit._native.depthwise_conv cimport PITCH, Conv
from convkit._native.simd cimport (LINE, VL, prefetch, real, vec, vec_even, vec_lanes, vec_load_lanes, vec_odd, vec_set,
                                   vec_store, vec_third_0, vec_third_1, vec_third_2)


cdef enum:
    MANY_CHANNELS = 8           # whose rows the processor does not foresee, nor do tiles that ask for all of them


cdef struct Run:                # the columns of a strip
    const vec_lanes* lanes      # of its vectors: those that lie inside
    const Py_ssize_t* source    # input column of each
    Py_ssize_t first            # input column of the first, which may lie outside
    Py_ssize_t columns, vectors         # of each plane
    Py_ssize_t inside, outside  # those of [inside, outside) lie inside, in every plane


cdef inline void fill(const Conv* conv, Py_ssize_t vectors, real* to, real value) noexcept nogil:
    # One row of every plane.
    cdef Py_ssize_t p, i
    for p in range(conv.planes):
        for i in range(vectors):
            vec_store(to + p * conv.plane + i * VL, vec_set(value))


cdef inline void gather(const Conv* conv, const Run* run, const real* x, Py_ssize_t first, Py_ssize_t last,
                        real* to) noexcept nogil:
    # Columns [first, last) of every plane, one by one: borders, and whatever has no faster way.
    cdef Py_ssize_t i, p, at
    for p in range(conv.planes):
        for i in range(first, last):
            at = run.source[i * conv.stride_w + p]
            to[p * conv.plane + i] = conv.cval if at < 0 else x[at * conv.x_column]


cdef inline void copy_column(const int STRIDE, Py_ssize_t planes, Py_ssize_t plane, const vec_lanes* inside, vec cval,
                             const real* x, Py_ssize_t x_row, Py_ssize_t next, Py_ssize_t rows, real* to) noexcept nogil:
    # A vector of every plane, of each row: what lies inside, and cval elsewhere.
    cdef vec v[3]
    cdef vec_lanes lanes[3]
    cdef Py_ssize_t _
    cdef int k
    for k in range(STRIDE):
        lanes[k] = inside[k]
    for _ in range(rows):
        if next:
            for k in range(STRIDE):
                if k * VL % LINE == 0:
                    prefetch(x + next + k * VL)
        for k in range(STRIDE):
            v[k] = vec_load_lanes(x + k * VL, lanes[k], cval)
        if STRIDE == 1:
            vec_store(to, v[0])
        elif STRIDE == 2:
            vec_store(to, vec_even(v[0], v[1]))
            if planes > 1:
                vec_store(to + plane, vec_odd(v[0], v[1]))
        else:
            vec_store(to, vec_third_0(v[0], v[1], v[2]))
            if planes > 1:
                vec_store(to + plane, vec_third_1(v[0], v[1], v[2]))
            if planes > 2:
                vec_store(to + 2 * plane, vec_third_2(v[0], v[1], v[2]))
        x += x_row
        to += PITCH


cdef inline void copy_rows(const int STRIDE, const Conv* conv, const Run* run, const real* x, Py_ssize_t next,
                           Py_ssize_t rows, real* to) noexcept nogil:
    cdef Py_ssize_t i
    cdef vec cval = vec_set(conv.cval)
    for i in range(run.vectors):
        copy_column(STRIDE, conv.planes, conv.plane, run.lanes + i * STRIDE, cval, x + run.first + i * STRIDE * VL,
                    conv.x_row, next, rows, to + i * VL)
    if conv.border != BORDER_CONSTANT:
        for i in range(rows):
            gather(conv, run, x + i * conv.x_row, 0, run.inside, to + i * PITCH)
            gather(conv, run, x + i * conv.x_row, run.outside, run.columns, to + i * PITCH)


cdef inline void pack_rows(const Conv* conv, const Run* run, const real* x, Py_ssize_t next, Py_ssize_t rows,
                           real* to) noexcept nogil:
    # Rows that lie in the input, one below the other; those of the next channel are `next` elements on, or nowhere: 0.
    cdef Py_ssize_t i
    if conv.x_column != 1 or conv.stride_w > 3:
        for i in range(rows):
            gather(conv, run, x + i * conv.x_row, 0, run.columns, to + i * PITCH)
    elif conv.stride_w == 1:
        copy_rows(1, conv, run, x, next, rows, to)
    elif conv.stride_w == 2:
        copy_rows(2, conv, run, x, next, rows, to)
    else:
        copy_rows(3, conv, run, x, next, rows, to)


cdef inline void pack_strip(const Conv* conv, const real* x, Py_ssize_t row, Py_ssize_t rows, Py_ssize_t strip,
                            Py_ssize_t columns, real* to) noexcept nogil:
    # The input that rows × columns outputs read, of every channel.
    cdef Py_ssize_t _, i, n, at, next, first = row * conv.stride_h - conv.before_h
    cdef Py_ssize_t end = first + (rows - 1) * conv.stride_h + (conv.kernel_h - 1) * conv.dilation_h + 1
    cdef Run run
    run.columns = columns + conv.reach
    run.vectors = ceil_div(run.columns, VL)
    run.first = strip * conv.strip_columns * conv.stride_w - conv.before_w
    run.lanes = conv.lanes + strip * conv.vectors * conv.stride_w
    run.source = conv.source + strip * conv.vectors * conv.stride_w * VL
    run.inside = min(max(ceil_div(-run.first, conv.stride_w), <Py_ssize_t>0), run.columns)
    run.outside = max(min((conv.width - run.first) // conv.stride_w, run.columns), run.inside)
    for _ in range(conv.channels):
        i, next = first, 0
        if conv.channels >= MANY_CHANNELS and _ + 1 < conv.channels:
            next = conv.x_channel
        while i < end:
            at, n = i, min(end, conv.height) - i
            if i < 0 or i >= conv.height:
                at, n = border_index(i, conv.height, conv.border), 1
            if at < 0:
                fill(conv, run.vectors, to + (i - first) * PITCH, conv.cval)
            else:
                pack_rows(conv, &run, x + at * conv.x_row, next, n, to + (i - first) * PITCH)
            i += n
        to += conv.channel
        x += conv.x_channel

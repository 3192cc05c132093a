# The transforms of F(m×m, 3×3) for m = 2 and 4, and of m = 4 with stride 2: VL tiles at a time, one in each lane.
#
# An output tile y of m×m pixels comes from an input tile d of n×n pixels, n = m + 2 without stride, and a kernel g:
#
#     y = Aᵀ [ (G g Gᵀ) ⊙ (Bᵀ d B) ] A          ⊙ element by element, summed over channels
#
# (Lavin & Gray, "Fast algorithms for convolutional neural networks", 2016; Winograd, "Arithmetic complexity of
# computations", 1980.) The polynomials are evaluated at 0, ±√½, ±√2 and ∞ (m = 4) and 0, ±1 and ∞ (m = 2). Points
# that are each other's reciprocals keep all numbers of one size: in float32 the error is a quarter of that of the
# usual 0, ±1, ±2, ∞.
#
# With stride 2, a row of outputs is the sum of two convolutions without: of the even pixels with the kernel's first and
# last element, F(4, 2) at ±√½, ±√2 and ∞, and of the odd ones with the element between. The latter is evaluated at the
# finite points only, where it is added to the products of the former: 5·5 sums of the 9·9 transformed pixels' products
# restore 4·4 outputs. The transform of weights has the odd convolution's where that without stride has the point 0.
from convkit._native.simd cimport (VL, real, vec, vec_choose, vec_even, vec_in_lanes, vec_load, vec_load_even,
                                   vec_load_lanes, vec_odd, vec_set, vec_set_lanes, vec_shift_last, vec_shift_last_but_one,
                                   vec_store, vec_zip_high, vec_zip_low)
from convkit._native.winograd_conv cimport GATHERED, MOST_LANES, PIECED, SPREAD, Behind, Kind, Lanes, Piece

cdef extern from *:
    """
    #define ROOT_HALF ((real)0.70710678118654752440084436210)
    #define ROOT_TWO ((real)1.41421356237309504880168872421)
    """
    const real ROOT_HALF, ROOT_TWO


# ---- one line: m, stride and phase are constants once inlined ------------------------------------------
# With stride 2, phase 0 is of the even pixels and phase 1 of the odd ones, which are one less.

cdef inline int points(int m, int stride) noexcept nogil:
    # Products of a line of sums.
    return m + 3 - stride


cdef inline int samples(int m, int stride) noexcept nogil:
    # Pixels of a line: those of m outputs, and those that the next tile begins with.
    return m * stride + 3 - stride


cdef inline void forward(const int m, const int stride, const int phase, const vec* d, vec* t) noexcept nogil:
    # t = Bᵀ d
    cdef vec even_half, odd_half, even_two, odd_two
    if stride == 2:
        even_half = <real>2 * d[0] - d[2]
        even_two = d[2] - <real>0.5 * d[0]
        odd_half = <real>2 * d[1] - d[3]
        odd_two = d[3] - <real>0.5 * d[1]
        t[0] = even_half + ROOT_TWO * odd_half
        t[1] = even_half - ROOT_TWO * odd_half
        t[2] = even_two + ROOT_HALF * odd_two
        t[3] = even_two - ROOT_HALF * odd_two
        if phase == 0:
            t[4] = (d[0] + d[4]) - <real>2.5 * d[2]
    elif m == 4:
        t[0] = (d[0] + d[4]) - <real>2.5 * d[2]
        even_half = d[4] - <real>2 * d[2]
        even_two = d[4] - <real>0.5 * d[2]
        t[5] = (d[1] + d[5]) - <real>2.5 * d[3]
        odd_half = d[3] - <real>2 * d[1]
        odd_two = d[3] - <real>0.5 * d[1]
        t[1] = even_half + ROOT_HALF * odd_half
        t[2] = even_half - ROOT_HALF * odd_half
        t[3] = even_two + ROOT_TWO * odd_two
        t[4] = even_two - ROOT_TWO * odd_two
    else:
        t[0] = d[0] - d[2]
        t[1] = d[1] + d[2]
        t[2] = d[2] - d[1]
        t[3] = d[1] - d[3]


cdef inline void inverse(const int m, const int stride, const vec* d, vec* y) noexcept nogil:
    # y = Aᵀ d; with stride 2, d[0] is not there.
    cdef vec sum_half, sum_two, odd_half, odd_two
    if m == 4:
        sum_half = d[1] + d[2]
        sum_two = d[3] + d[4]
        odd_half = ROOT_HALF * (d[1] - d[2])
        odd_two = ROOT_TWO * (d[3] - d[4])
        y[0] = sum_half + sum_two if stride == 2 else d[0] + sum_half + sum_two
        y[1] = odd_half + odd_two
        y[2] = <real>0.5 * sum_half + <real>2 * sum_two
        y[3] = d[5] + <real>0.5 * odd_half + <real>2 * odd_two
    else:
        y[0] = d[0] + d[1] + d[2]
        y[1] = d[1] - d[2] - d[3]


# ---- lines of tiles in memory --------------------------------------------------------------------------
# Lane t of register j holds pixel j of tile t: pixel m·t + j of the line, or of its phase.

cdef inline vec load_piece(const real* channel, const Piece* piece) noexcept nogil:
    cdef vec x = vec_load_lanes(channel + piece.first, piece.first_lanes, vec_set(0))
    if piece.second_lanes:
        x = vec_load_lanes(channel + piece.second, piece.second_lanes, x)
    return x


cdef inline void load_pixels(const int m, const int stride, const int phase, const Kind kind, const real* line,
                             const Piece* piece, vec* x) noexcept nogil:
    # The m·VL pixels of a line, or of its phase.
    cdef int i
    for i in range(m):
        if stride == 1:
            x[i] = load_piece(line, piece + i) if kind == PIECED else vec_load(line + i * VL)
        elif kind == PIECED and phase == 0:
            x[i] = vec_even(load_piece(line, piece + 2 * i), load_piece(line, piece + 2 * i + 1))
        elif kind == PIECED:
            x[i] = vec_odd(load_piece(line, piece + 2 * i), load_piece(line, piece + 2 * i + 1))
        elif phase == 0:
            x[i] = vec_load_even(line + 2 * i * VL)
        else:
            x[i] = vec_odd(vec_load(line + 2 * i * VL), vec_load(line + (2 * i + 1) * VL))


cdef inline void split(const int m, const vec* x, vec* d) noexcept nogil:
    # d[0..m-1] of VL tiles, from m·VL pixels.
    if m == 4:
        d[0] = vec_even(vec_even(x[0], x[1]), vec_even(x[2], x[3]))
        d[1] = vec_even(vec_odd(x[0], x[1]), vec_odd(x[2], x[3]))
        d[2] = vec_odd(vec_even(x[0], x[1]), vec_even(x[2], x[3]))
        d[3] = vec_odd(vec_odd(x[0], x[1]), vec_odd(x[2], x[3]))
    else:
        d[0] = vec_even(x[0], x[1])
        d[1] = vec_odd(x[0], x[1])


cdef inline void join(const int m, const vec* y, real* line) noexcept nogil:
    # The opposite of `split`.
    cdef vec a, b, c, e
    if m == 4:
        a = vec_zip_low(y[0], y[2])
        b = vec_zip_low(y[1], y[3])
        c = vec_zip_high(y[0], y[2])
        e = vec_zip_high(y[1], y[3])
        vec_store(line, vec_zip_low(a, b))
        vec_store(line + VL, vec_zip_high(a, b))
        vec_store(line + 2 * VL, vec_zip_low(c, e))
        vec_store(line + 3 * VL, vec_zip_high(c, e))
    else:
        vec_store(line, vec_zip_low(y[0], y[1]))
        vec_store(line + VL, vec_zip_high(y[0], y[1]))


# ---- VL tiles ------------------------------------------------------------------------------------------

cdef struct Rows:               # of pixels of tiles
    Kind kind
    const real* line            # PIECED: the channel
    Py_ssize_t step             # from row to row; PIECED: 0
    const real* behind          # GATHERED: pixels behind runs, in the lanes of their last tiles
    const Lanes* lanes


cdef inline vec load_behind(const real* channel, const Lanes* lanes, const Behind* behind, vec next) noexcept nogil:
    cdef int i
    next = vec_in_lanes(next, lanes.inner)
    for i in range(lanes.runs):
        next = vec_set_lanes(next, behind[i].lane, channel + behind[i].place)
    return next


cdef inline void load_row(const int m, const int stride, const int phase, const Kind kind, const Rows* rows, int row,
                          vec* d) noexcept nogil:
    # A tile's last pixels, two or with stride 2 one, are the next tile's first.
    cdef const real* line = rows.line + row * rows.step
    cdef int b, overlap = 3 - stride
    cdef vec x[4]
    cdef vec tail
    if kind == SPREAD:
        for b in range(points(m, stride) - phase):
            d[b] = vec_load(line + (stride * b + phase) * VL)
        return
    load_pixels(m, stride, phase, kind, line, rows.lanes.piece + row * m * stride, x)
    split(m, x, d)
    if phase == 1:
        return
    if kind == PIECED:
        for b in range(overlap):
            d[m + b] = load_behind(line, rows.lanes, rows.lanes.behind + (row * overlap + b) * MOST_LANES,
                                   vec_shift_last(d[b], d[b]))
        return
    if kind == GATHERED:
        for b in range(overlap):
            d[m + b] = vec_choose(vec_load(rows.lanes.ends), vec_load(rows.behind + (row * overlap + b) * VL),
                                  vec_shift_last(d[b], d[b]))
        return
    tail = vec_load(line + (m * stride - 1) * VL + overlap)
    if stride == 1:
        d[m] = vec_shift_last_but_one(d[0], tail)
        d[m + 1] = vec_shift_last(d[1], tail)
    else:
        d[m] = vec_shift_last(d[0], tail)


cdef inline void transform_row(const int m, const int stride, const int phase, const Kind kind, const Rows* rows, int row,
                               real* scratch) noexcept nogil:
    cdef vec d[6]
    cdef vec t[6]
    cdef int b, count = points(m, stride), n = samples(m, stride)
    load_row(m, stride, phase, kind, rows, row, d)
    forward(m, stride, phase, d, t)
    for b in range(count - phase):
        vec_store(scratch + ((count * phase + b) * n + row) * VL, t[b])


cdef inline void transform_column(const int m, const int stride, const int phase, const real* column, real* v,
                                  Py_ssize_t v_row) noexcept nogil:
    cdef vec d[6]
    cdef vec t[6]
    cdef int a, count = points(m, stride)
    for a in range(count - phase):
        d[a] = vec_load(column + (stride * a + phase) * VL)
    forward(m, stride, phase, d, t)
    for a in range(count - phase):
        vec_store(v + (count * phase + a) * v_row, t[a])


cdef inline void transform_input(const int m, const int stride, const Kind kind, const Rows* rows, real* scratch, real* v,
                                 Py_ssize_t v_step) noexcept nogil:
    # Bᵀ d B of VL tiles; n·n registers go to v, `v_step` apart.
    cdef int i, n = samples(m, stride)
    for i in range(n):
        transform_row(m, stride, 0, kind, rows, i, scratch)
        if stride == 2:
            transform_row(m, stride, 1, kind, rows, i, scratch)
    for i in range(n):
        transform_column(m, stride, 0, scratch + i * n * VL, v + i * v_step, n * v_step)
        if stride == 2:
            transform_column(m, stride, 1, scratch + i * n * VL, v + i * v_step, n * v_step)


cdef inline void transform_output(const int m, const int stride, bint joined, const real* products, Py_ssize_t step,
                                  vec bias, real* scratch, real* line, Py_ssize_t line_step) noexcept nogil:
    # Aᵀ (products) A + bias of VL tiles, whose registers are `step` apart, to m lines of m·VL pixels: `joined` to rows
    # of the output, or in a register for each.
    cdef vec d[6]
    cdef vec y[4]
    cdef int a, b, n = points(m, stride), first = stride - 1
    for b in range(n):
        for a in range(n):
            d[first + a] = vec_load(products + (a * n + b) * step)
        inverse(m, stride, d, y)
        for a in range(m):
            vec_store(scratch + (a * n + b) * VL, y[a])
    for a in range(m):
        for b in range(n):
            d[first + b] = vec_load(scratch + (a * n + b) * VL)
        inverse(m, stride, d, y)
        for b in range(m):
            y[b] = y[b] + bias
        if joined:
            join(m, y, line)
        else:
            for b in range(m):
                vec_store(line + b * VL, y[b])
        line += line_step

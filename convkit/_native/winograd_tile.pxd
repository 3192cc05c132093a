# The transforms of F(m×m, 3×3) for m = 2 and 4: VL tiles at a time, one in each lane.
#
# An output tile y of m×m pixels comes from an input tile d of n×n pixels, n = m + 2, and a kernel g:
#
#     y = Aᵀ [ (G g Gᵀ) ⊙ (Bᵀ d B) ] A          ⊙ element by element, summed over channels
#
# (Lavin & Gray, "Fast algorithms for convolutional neural networks", 2016; Winograd, "Arithmetic complexity of
# computations", 1980.) The polynomials are evaluated at 0, ±√½, ±√2 and ∞ (m = 4) and 0, ±1 and ∞ (m = 2). Points
# that are each other's reciprocals keep all numbers of one size: in float32 the error is a quarter of that of the
# usual 0, ±1, ±2, ∞.
from convkit._native.simd cimport (VL, in_order, real, vec, vec_choose, vec_even, vec_load, vec_odd, vec_set,
                                   vec_shift_last, vec_shift_last_but_one, vec_store, vec_zip_high, vec_zip_low)

cdef extern from *:
    """
    #define ROOT_HALF ((real)0.70710678118654752440084436210)
    #define ROOT_TWO ((real)1.41421356237309504880168872421)
    """
    const real ROOT_HALF, ROOT_TWO


# ---- one line: m is a constant once inlined ------------------------------------------------------------

cdef inline void forward(const int m, const vec* d, vec* t) noexcept nogil:
    # t = Bᵀ d
    cdef vec even_half, odd_half, even_two, odd_two
    if m == 4:
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


cdef inline void inverse(const int m, const vec* d, vec* y) noexcept nogil:
    # y = Aᵀ d
    cdef vec sum_half, sum_two, odd_half, odd_two
    if m == 4:
        sum_half = d[1] + d[2]
        sum_two = d[3] + d[4]
        odd_half = ROOT_HALF * (d[1] - d[2])
        odd_two = ROOT_TWO * (d[3] - d[4])
        y[0] = d[0] + sum_half + sum_two
        y[1] = odd_half + odd_two
        y[2] = <real>0.5 * sum_half + <real>2 * sum_two
        y[3] = d[5] + <real>0.5 * odd_half + <real>2 * odd_two
    else:
        y[0] = d[0] + d[1] + d[2]
        y[1] = d[1] - d[2] - d[3]


# ---- lines of tiles in memory --------------------------------------------------------------------------
# Lane t of register j holds pixel j of tile t: pixel m·t + j of the line.

cdef inline void split(const int m, const real* line, vec* d) noexcept nogil:
    # d[0..m-1] of VL tiles, from m·VL pixels.
    cdef vec a, b, c, e
    if m == 4:
        a = vec_load(line)
        b = vec_load(line + VL)
        c = vec_load(line + 2 * VL)
        e = vec_load(line + 3 * VL)
        d[0] = vec_even(vec_even(a, b), vec_even(c, e))
        d[1] = vec_even(vec_odd(a, b), vec_odd(c, e))
        d[2] = vec_odd(vec_even(a, b), vec_even(c, e))
        d[3] = vec_odd(vec_odd(a, b), vec_odd(c, e))
    else:
        a = vec_load(line)
        b = vec_load(line + VL)
        d[0] = vec_even(a, b)
        d[1] = vec_odd(a, b)


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

cdef inline void transform_input(const int m, const bint whole, const real* line, Py_ssize_t line_step,
                                 const real* behind, const real* ends, real* scratch, real* v,
                                 Py_ssize_t v_step) noexcept nogil:
    # Bᵀ d B of VL tiles whose rows are `line_step` apart; n·n registers go to v, `v_step` apart.
    #
    # A tile's last two pixels of a row are the next tile's first two. Where the tiles are `whole` (one run of
    # pixels) the last tile's lie behind it; else `behind` has them, for the lanes that `ends` marks, after m·VL
    # pixels of each row.
    cdef vec d[6]
    cdef vec t[6]
    cdef vec tail
    cdef int a, b
    for a in range(m + 2):
        split(m, line, d)
        if whole:
            tail = vec_load(line + (m - 1) * VL + 2)
            d[m] = vec_shift_last_but_one(d[0], tail)
            d[m + 1] = vec_shift_last(d[1], tail)
        else:
            d[m] = vec_choose(vec_load(ends), vec_load(behind), vec_shift_last(d[0], d[0]))
            d[m + 1] = vec_choose(vec_load(ends), vec_load(behind + VL), vec_shift_last(d[1], d[1]))
            behind += 2 * VL
        forward(m, d, t)
        for b in range(m + 2):
            vec_store(scratch + (b * (m + 2) + a) * VL, t[b])
        in_order()
        line += line_step
    for b in range(m + 2):
        for a in range(m + 2):
            d[a] = vec_load(scratch + (b * (m + 2) + a) * VL)
        forward(m, d, t)
        for a in range(m + 2):
            vec_store(v + (a * (m + 2) + b) * v_step, t[a])
        in_order()


cdef inline void transform_output(const int m, const real* products, Py_ssize_t step, real bias, real* scratch,
                                  real* line, Py_ssize_t line_step) noexcept nogil:
    # Aᵀ (products) A + bias of VL tiles, n·n registers `step` apart, to m lines of m·VL pixels.
    cdef vec d[6]
    cdef vec y[4]
    cdef int a, b
    for b in range(m + 2):
        for a in range(m + 2):
            d[a] = vec_load(products + (a * (m + 2) + b) * step)
        inverse(m, d, y)
        for a in range(m):
            vec_store(scratch + (a * (m + 2) + b) * VL, y[a])
    for a in range(m):
        for b in range(m + 2):
            d[b] = vec_load(scratch + (a * (m + 2) + b) * VL)
        inverse(m, d, y)
        for b in range(m):
            y[b] = y[b] + vec_set(bias)
        join(m, y, line)
        line += line_step

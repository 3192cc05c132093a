# Elements of an input's row as vectors: neighbours, or every second or third of them, wherever they lie.
from convkit._native.simd cimport (VL, lanes_between, real, vec, vec_even, vec_load, vec_load_lanes, vec_odd, vec_store,
                                   vec_third_0, vec_third_1, vec_third_2)


cdef inline void load_neighbours(const int STEP, const real* row, Py_ssize_t first, Py_ssize_t width, vec outside,
                                 vec* v) noexcept nogil:
    # STEP vectors, from column `first` on. What lies outside the row is not read.
    cdef int i
    if 0 <= first <= width - STEP * VL:
        for i in range(STEP):
            v[i] = vec_load(row + first + i * VL)
    else:
        for i in range(STEP):
            v[i] = vec_load_lanes(row + first + i * VL, lanes_between(-first - i * VL, width - first - i * VL), outside)


cdef inline vec every(const int STEP, const int FIRST, const vec* v) noexcept nogil:
    # Of STEP vectors in one line, at most 3, the FIRST element, and every STEP-th one after it.
    if STEP == 1:
        return v[0]
    if STEP == 2:
        return vec_even(v[0], v[1]) if FIRST == 0 else vec_odd(v[0], v[1])
    if FIRST == 0:
        return vec_third_0(v[0], v[1], v[2])
    return vec_third_1(v[0], v[1], v[2]) if FIRST == 1 else vec_third_2(v[0], v[1], v[2])


cdef inline void fill(real* to, vec value, Py_ssize_t n) noexcept nogil:
    # Whole vectors: what they leave behind the end is written next, or belongs to nobody.
    cdef Py_ssize_t i = 0
    while i < n:
        vec_store(to + i, value)
        i += VL


cdef inline void pack_vectors(const int STEP, const int PLANES, const real* row, Py_ssize_t first, Py_ssize_t n,
                              Py_ssize_t width, vec outside, real* to, Py_ssize_t plane) noexcept nogil:
    # n elements of a row, STEP apart from column `first` on; the next ones of PLANES go to planes behind them.
    cdef vec v[3]
    cdef Py_ssize_t i = 0
    while i < n:
        load_neighbours(STEP, row, first + STEP * i, width, outside, v)
        vec_store(to + i, every(STEP, 0, v))
        if PLANES > 1:
            vec_store(to + i + plane, every(STEP, 1, v))
        if PLANES > 2:
            vec_store(to + i + 2 * plane, every(STEP, 2, v))
        i += VL

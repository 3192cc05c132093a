# What is done to a line of sums: another is added, it is scaled and rounded.
from convkit._native.simd cimport VL, real, vec_load, vec_set, vec_store


cdef inline void add_lines(real* a, const real* b, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i = 0
    while i < n:
        vec_store(a + i, vec_load(a + i) + vec_load(b + i))
        i += VL


cdef inline void scale_line(real* line, Py_ssize_t n, real scale, real divisor, real delta) noexcept nogil:
    """line · scale / divisor + delta; a quotient of integers is exact at a tie, a product by 1/d is not."""
    cdef Py_ssize_t i = 0
    if scale == 1 and divisor == 1 and delta == 0:
        return
    if divisor == 1:
        while i < n:
            vec_store(line + i, vec_load(line + i) * vec_set(scale) + vec_set(delta))
            i += VL
        return
    while i < n:
        vec_store(line + i, vec_load(line + i) * vec_set(scale) / vec_set(divisor) + vec_set(delta))
        i += VL


cdef inline void round_line(real* line, Py_ssize_t n, real low, real high, bint half_up) noexcept nogil:
    """To the nearest integer of low..high, halves to even or up; NaN to 0."""
    # Adding 1.5 · 2^(digits - 1) leaves no bits for a fraction: the sum rounds half to even, as all sums do.
    cdef real magic = 12582912.0 if sizeof(real) == 4 else 6755399441055744.0
    cdef real value, whole
    cdef Py_ssize_t i
    for i in range(n):
        value = line[i]
        value = value if value == value else 0
        value = low if value < low else value
        value = high if value > high else value
        if half_up:  # floor(value + 1/2), which is the rounded sum or one less
            value = value + <real>0.5
            whole = (value + magic) - magic
            line[i] = whole - 1 if whole > value else whole
        else:
            line[i] = (value + magic) - magic

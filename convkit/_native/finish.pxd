# What is done to a line of sums: another is added, it is scaled.
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

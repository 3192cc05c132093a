# What is done to a line of sums: another is added, it is scaled.
from convkit._native.simd cimport VL, real, vec, vec_load, vec_set, vec_store


cdef inline void add_lines(real* a, const real* b, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i = 0
    while i < n:
        vec_store(a + i, vec_load(a + i) + vec_load(b + i))
        i += VL


cdef struct Scaling:
    real scale, divisor, delta


cdef inline vec scaled(vec v, const Scaling* by) noexcept nogil:
    """v · scale / divisor + delta; a quotient of integers is exact at a tie, a product by 1/d is not."""
    if by.divisor == 1:
        return v * vec_set(by.scale) + vec_set(by.delta)
    return v * vec_set(by.scale) / vec_set(by.divisor) + vec_set(by.delta)


cdef inline bint is_scaled(const Scaling* by) noexcept nogil:
    return by.scale != 1 or by.divisor != 1 or by.delta != 0


cdef inline void scale_line(real* line, Py_ssize_t n, const Scaling* by) noexcept nogil:
    cdef Scaling known = by[0]  # which nothing that is written could change
    cdef Py_ssize_t i = 0
    while i < n and is_scaled(&known):
        vec_store(line + i, scaled(vec_load(line + i), &known))
        i += VL

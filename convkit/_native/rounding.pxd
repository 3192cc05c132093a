# Numbers rounded in floating point, before they become an image's integers.
from convkit._native.simd cimport (
    VL, real, vec, vec_if_less, vec_load, vec_max, vec_min, vec_minus_abs, vec_set, vec_store
)


cdef inline void round_line(real* line, Py_ssize_t n, real low, real high, bint half_up) noexcept nogil:
    """To the nearest integer of low..high, halves to even or up; NaN to 0."""
    # Adding 1.5 · 2^(digits - 1) leaves no bits for a fraction: the sum rounds half to even, as all sums do.
    cdef vec magic = vec_set(12582912.0 if sizeof(real) == 4 else 6755399441055744.0)
    cdef vec least = vec_set(low), most = vec_set(high), value, whole
    cdef Py_ssize_t i = 0
    while i < n:
        value = vec_load(line + i)
        if low < 0:
            value = vec_if_less(vec_minus_abs(value), vec_set(1), value, vec_set(0))  # NaN is less than nothing
        value = vec_max(vec_min(most, value), least)  # NaN passes the first, and not the second
        if half_up:  # floor(value + 1/2), which is the rounded sum or one less
            value = value + vec_set(<real>0.5)
            whole = (value + magic) - magic
            value = vec_if_less(value, whole, whole - vec_set(1), whole)
        else:
            value = (value + magic) - magic
        vec_store(line + i, value)
        i += VL

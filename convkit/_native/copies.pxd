# Runs of elements from one place to another.
from convkit._native.simd cimport VL, copy_part, real, vec_load, vec_store


cdef inline void copy_run(real* to, const real* source, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i = 0
    while i + VL <= n:
        vec_store(to + i, vec_load(source + i))
        i += VL
    copy_part(to + i, source + i, n - i)

# Runs of elements from one place to another.
from convkit._native.simd cimport LINE, VL, copy_part, line_offset, real, vec_load, vec_store, vec_stream


cdef inline void copy_run(real* to, const real* source, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i = 0
    while i + VL <= n:
        vec_store(to + i, vec_load(source + i))
        i += VL
    copy_part(to + i, source + i, n - i)


cdef inline void stream_run(real* to, const real* source, Py_ssize_t n) noexcept nogil:
    # Past the caches: whole cache lines, but at the ends. `stream_end` must follow.
    cdef Py_ssize_t i = min(n, line_offset(to)), end
    copy_run(to, source, i)
    end = i + (n - i) // LINE * LINE
    while i < end:
        vec_stream(to + i, vec_load(source + i))
        i += VL
    copy_run(to + i, source + i, n - i)

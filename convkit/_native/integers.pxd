# Numbers that become an image's integers as they are stored.
from convkit._native.simd cimport VL, real, vec, vec_load, vec_store_bytes, vec_store_words

cdef enum:
    ROUNDED_AT_ONCE = 4 * VL


cdef inline void store_rounded(char* to, char kind, const vec* v) noexcept nogil:
    """ROUNDED_AT_ONCE numbers as integers, halves to even, where machines have instructions for it (ROUNDS)."""
    if kind == c"B":
        vec_store_bytes(<unsigned char*>to, v)
    elif kind == c"h":
        vec_store_words(<unsigned short*>to, v, True)
        vec_store_words(<unsigned short*>to + 2 * VL, v + 2, True)
    else:
        vec_store_words(<unsigned short*>to, v, False)
        vec_store_words(<unsigned short*>to + 2 * VL, v + 2, False)


cdef inline void store_line_rounded(
    char* to, char kind, Py_ssize_t itemsize, const real* line, Py_ssize_t n
) noexcept nogil:
    """The same of a line of at least so many numbers: the last ones twice, where they fill no group."""
    cdef vec v[4]
    cdef Py_ssize_t i = 0, k
    while i < n:
        i = min(i, n - ROUNDED_AT_ONCE)
        for k in range(4):
            v[k] = vec_load(line + i + k * VL)
        store_rounded(to + i * itemsize, kind, v)
        i += ROUNDED_AT_ONCE

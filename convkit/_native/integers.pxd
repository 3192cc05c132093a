# Numbers that become an image's integers as they are stored.
from libc.string cimport memcpy, memset

from convkit._native.simd cimport VL, real, vec, vec_load, vec_store_bytes, vec_store_words

cdef enum:
    ROUNDED_AT_ONCE = 4 * VL


cdef inline Py_ssize_t size_of(char kind) noexcept nogil:
    return 1 if kind == c"B" else 2


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


cdef inline void store_group(char* to, char kind, const real* line) noexcept nogil:
    cdef vec v[4]
    cdef int k
    for k in range(4):
        v[k] = vec_load(line + k * VL)
    store_rounded(to, kind, v)


cdef inline void store_line_rounded(char* to, char kind, const real* line, Py_ssize_t n) noexcept nogil:
    """The same of a line: the last ones twice, where they fill no group."""
    cdef real few[ROUNDED_AT_ONCE]
    cdef char integers[2 * ROUNDED_AT_ONCE]
    cdef Py_ssize_t i = 0
    if n < ROUNDED_AT_ONCE:
        memset(few, 0, sizeof(few))
        memcpy(few, line, n * sizeof(real))
        store_group(integers, kind, few)
        memcpy(to, integers, n * size_of(kind))
        return
    while i < n:
        i = min(i, n - ROUNDED_AT_ONCE)
        store_group(to + i * size_of(kind), kind, line + i)
        i += ROUNDED_AT_ONCE

# Small arithmetic that every kernel family needs.
from convkit._native.simd cimport real


cdef inline Py_ssize_t ceil_div(Py_ssize_t a, Py_ssize_t b) noexcept nogil:
    # Not (a + b - 1) // b: the sum may leave 64 bits. C rounds towards 0, and the remainder has the sign of a.
    return a // b + (a % b > 0)


cdef inline Py_ssize_t even_parts(Py_ssize_t n, Py_ssize_t most) noexcept nogil:
    # The size of the fewest parts of about the same size, at most `most`, that n is cut into.
    return ceil_div(n, ceil_div(n, most))


cdef inline Py_ssize_t elements(Py_ssize_t stride) noexcept nogil:
    return stride // <Py_ssize_t>sizeof(real)


cdef inline Py_ssize_t odd_lines(Py_ssize_t elements, Py_ssize_t size) noexcept nogil:
    """At least so many elements of `size` bytes: an odd number of cache lines, of which many lie in many places of the
    first cache."""
    return (ceil_div(elements * size, 64) | 1) * 64 // size

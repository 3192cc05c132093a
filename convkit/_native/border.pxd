# Where a filter reads outside the image: numpy.pad's names, one inline function.
#
#     mode        left of the row | the row | right of it
#     constant            k k k k | a b c d | k k k k        (k = cval; the index is -1)
#     edge                a a a a | a b c d | d d d d        (PyTorch's "replicate")
#     reflect             c d c b | a b c d | c b a b        (OpenCV's REFLECT_101, PyTorch's "reflect")
#     symmetric           d c b a | a b c d | d c b a        (SciPy's "reflect")
#     wrap                a b c d | a b c d | a b c d        (PyTorch's "circular")
#     valid         not read: the output is smaller by the kernel's extent less one

cdef enum:
    BORDER_CONSTANT
    BORDER_EDGE
    BORDER_REFLECT
    BORDER_SYMMETRIC
    BORDER_WRAP
    BORDER_VALID


cdef inline Py_ssize_t border_index(Py_ssize_t i, Py_ssize_t n, int mode) noexcept nogil:
    """The index in 0..n-1 that position `i`, however far outside, is read from; -1 for the constant."""
    cdef Py_ssize_t period, near
    if 0 <= i < n:
        return i
    if mode == BORDER_CONSTANT or mode == BORDER_VALID:
        return -1
    if mode == BORDER_EDGE or n == 1:
        return 0 if i < 0 else n - 1
    if mode == BORDER_REFLECT:  # most are near: they need no division, which takes longer than all else
        near = -i if i < 0 else 2 * n - 2 - i
        if 0 <= near < n:
            return near
    period = n if mode == BORDER_WRAP else 2 * n if mode == BORDER_SYMMETRIC else 2 * n - 2
    i %= period
    if i < 0:
        i += period  # C's remainder takes the sign of the dividend
    if i < n:
        return i
    return period - i - (1 if mode == BORDER_SYMMETRIC else 0)

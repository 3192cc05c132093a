"""What tells one call from another, in less time than a small image takes."""
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.string cimport memset

from numpy import dtype, generic, ndarray, object_

cdef frozenset PLAIN = frozenset({int, str, bool, type(None), type})  # those that are equal, and stay so, do the same

cdef enum:
    MOST_BYTES = 64 * 1024  # of an array: to keep and compare more would take longer than to ask again


cdef object content(value):
    """What such a value holds now; TypeError where that cannot be known, or is much."""
    kind = type(value)
    if kind is float:
        return value or str(value)  # the signs of zeros are equal
    if kind is tuple or kind is list:
        return key_of(value)
    if kind is ndarray and not value.dtype.hasobject and value.nbytes <= MOST_BYTES:
        return value.tobytes(), value.dtype, value.shape
    if isinstance(value, dtype):
        return value
    if isinstance(value, generic) and kind is not object_:
        return value.tobytes()
    raise TypeError(f"{kind.__name__} may change, or is large")


def key_of(values):
    """What tells such arguments from all others: their types, and what they hold."""
    cdef list key = []
    for value in values:
        kind = type(value)
        key.append(kind)
        key.append(value if kind in PLAIN else content(value))
    return tuple(key)


def key_of_call(image, tuple args not None, dict kwargs not None):
    """The same of a filter's arguments and of an image's dtype and shape.

    None where the image would have to be looked at, or an argument may change.
    """
    cdef tuple names = ()
    if type(image) is not ndarray:
        return None
    flags = image.flags
    if not (flags.c_contiguous and flags.aligned):
        return None
    if kwargs:
        names = tuple(kwargs)
        args += tuple(kwargs.values())
    try:
        return image.dtype, image.shape, names, key_of(args)
    except TypeError:
        return None


def fits(out, tuple shape not None, kind, image):
    """Whether `out` is a contiguous array of that shape and dtype, apart from `image`, also contiguous."""
    if type(out) is not ndarray or out.dtype is not kind or not out.flags.carray:
        return False
    return out.shape == shape and are_apart(image, out)


cdef bint are_apart(image, out) except -1:
    cdef Py_buffer views[2]
    cdef const char* first
    cdef const char* second
    memset(views, 0, sizeof(views))
    try:
        PyObject_GetBuffer(image, &views[0], PyBUF_SIMPLE)
        PyObject_GetBuffer(out, &views[1], PyBUF_SIMPLE)
        first, second = <const char*>views[0].buf, <const char*>views[1].buf
        return first + views[0].len <= second or second + views[1].len <= first
    finally:
        PyBuffer_Release(&views[1])
        PyBuffer_Release(&views[0])

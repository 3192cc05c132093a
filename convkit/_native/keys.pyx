"""What tells one call from another, and repeats it, in less time than a small image takes."""
from cpython.buffer cimport PyBUF_CONTIG, PyBUF_CONTIG_RO, PyBUF_FORMAT, PyBuffer_Release, PyObject_GetBuffer
from cpython.contextvars cimport get_value
from libc.string cimport memcmp, memset

from numpy import dtype, generic, ndarray, object_

cdef object NONE = type(None)

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


cdef inline bint is_plain(kind) noexcept:
    """Whether values of this type that are equal, and stay so, do the same."""
    return kind is int or kind is str or kind is NONE or kind is bool or kind is type


cdef inline bint is_constant(value) noexcept:
    kind = type(value)
    return kind is float or is_plain(kind)


cdef inline int add(list key, value) except -1:
    """Lengthen `key` by a value: its type, and what it holds."""
    kind = type(value)
    key.append(kind)
    key.append(value if is_plain(kind) else content(value))
    return 0


def key_of(values):
    """What tells such arguments from all others: their types, and what they hold."""
    cdef list key = []
    for value in values:
        add(key, value)
    return tuple(key)


# ---- arrays -----------------------------------------------------------------------------------------
cdef enum:
    MOST_AXES = 4  # of several images with channels

cdef struct Look:  # what kernels see of an array beside its memory; its bytes tell it from others
    Py_ssize_t shape[MOST_AXES]
    int axes
    int format


cdef bint look_at(array, int flags, Py_buffer* view, Look* look) except -1:
    """Whether `array` is contiguous, aligned, of the machine's own numbers, and what `flags` ask for.

    Else `view` need not be given back. The flags of an array would tell as much in twice the time.
    """
    cdef int i
    if type(array) is not ndarray:
        return False
    try:
        PyObject_GetBuffer(array, view, flags | PyBUF_FORMAT)
    except (BufferError, ValueError):
        return False
    # What is not aligned, or has its bytes swapped, has a second character that says so.
    if view.ndim <= MOST_AXES and view.format[0] and not view.format[1]:
        memset(look, 0, sizeof(Look))
        for i in range(view.ndim):
            look.shape[i] = view.shape[i]
        look.axes, look.format = view.ndim, view.format[0]
        return True
    PyBuffer_Release(view)
    return False


cdef bint are_same(const Look* a, const Look* b) noexcept:
    return memcmp(a, b, sizeof(Look)) == 0


# ---- calls ------------------------------------------------------------------------------------------
def key_of_call(image, tuple args not None, dict kwargs not None):
    """What tells a filter's arguments, and an image's dtype and shape, from all others.

    None where the image would have to be looked at, or an argument may change.
    """
    cdef Py_buffer view
    cdef Look look
    cdef list key = []
    if not look_at(image, PyBUF_CONTIG_RO, &view, &look):
        return None
    PyBuffer_Release(&view)
    key.append((<const char*>&look)[:sizeof(Look)])
    try:
        for value in args:
            add(key, value)
        for name, value in kwargs.items():
            key.append(name)  # where a type would follow from `args`
            add(key, value)
    except TypeError:
        return None
    return tuple(key)


cdef class Kept:
    """The `steps` that a call came to, of the machine code `native`, one after another."""

    cdef readonly object native, shape, dtype
    cdef readonly list steps
    cdef list before
    cdef object run, threads, notes
    cdef Look image, result
    cdef bint alone
    cdef tuple args  # None where they may change
    cdef dict kwargs

    def __init__(self, image, tuple args not None, dict kwargs not None, native, list steps not None, notes not None):
        """`notes`: the context variable that holds None where nobody asks which kernels run."""
        cdef Py_buffer view
        last = steps[len(steps) - 1]
        if look_at(image, PyBUF_CONTIG_RO, &view, &self.image):
            PyBuffer_Release(&view)
            if all([is_constant(value) for value in (*args, *kwargs.values())]):
                self.args, self.kwargs = args, kwargs
        self.native, self.steps, self.notes = native, steps, notes
        self.before, self.run, self.threads = steps[:len(steps) - 1], last.kernel.run, last.threads
        self.shape, self.dtype, self.alone = last.shape, last.dtype, last.num_threads == 1
        self.result.axes, self.result.format = len(last.shape), ord(last.dtype.char)
        for i, length in enumerate(last.shape[:MOST_AXES]):
            self.result.shape[i] = length

    def is_asked(self, image, tuple args not None, dict kwargs not None):
        """Whether such an image and the same objects are the call's: what most loops ask, told without a key."""
        cdef Py_buffer view
        cdef Look look
        cdef Py_ssize_t i
        if self.args is None or len(args) != len(self.args) or len(kwargs) != len(self.kwargs):
            return False
        for i in range(len(args)):
            if args[i] is not self.args[i]:
                return False
        for name, value in kwargs.items():
            if self.kwargs.get(name, self) is not value:
                return False
        if not look_at(image, PyBUF_CONTIG_RO, &view, &look):
            return False
        PyBuffer_Release(&view)
        return are_same(&look, &self.image)

    def fill(self, image, out):
        """Whether `out` was filled from `image`, which the call's key was made of; not where it does not fit."""
        if get_value(self.notes) is not None or not self.fits(image, out):
            return False
        for step in self.before:
            image = step.made_of(image)
        self.run(image, out, 0, 1 if self.alone else self.threads())
        return True

    cdef bint fits(self, image, out) except -1:
        """Whether `out` is as the result was, and apart from `image`."""
        cdef Py_buffer source, target
        cdef Look look
        cdef const char* first
        cdef const char* second
        cdef bint apart = False
        if not look_at(out, PyBUF_CONTIG, &target, &look):
            return False
        if are_same(&look, &self.result) and look_at(image, PyBUF_CONTIG_RO, &source, &look):
            first, second = <const char*>source.buf, <const char*>target.buf
            apart = first + source.len <= second or second + target.len <= first
            PyBuffer_Release(&source)
        PyBuffer_Release(&target)
        return apart

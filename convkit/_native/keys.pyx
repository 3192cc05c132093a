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

cdef struct Place:
    const char* first
    const char* end


cdef bint look_at(array, int flags, Look* look, Place* place) except -1:
    """Whether `array` is contiguous, aligned, of the machine's own numbers, and what `flags` ask for.

    The flags of an array would tell as much in twice the time.
    """
    cdef Py_buffer view
    cdef int i
    cdef bint is_plainly_typed
    if type(array) is not ndarray:
        return False
    try:
        PyObject_GetBuffer(array, &view, flags | PyBUF_FORMAT)
    except (BufferError, ValueError):
        return False
    # What is not aligned, or has its bytes swapped, has a second character that says so.
    is_plainly_typed = view.ndim <= MOST_AXES and view.format[0] and not view.format[1]
    if is_plainly_typed:
        memset(look, 0, sizeof(Look))
        for i in range(view.ndim):
            look.shape[i] = view.shape[i]
        look.axes, look.format = view.ndim, view.format[0]
        place.first = <const char*>view.buf
        place.end = place.first + view.len
    PyBuffer_Release(&view)
    return is_plainly_typed


cdef bint are_same(const Look* a, const Look* b) noexcept:
    return memcmp(a, b, sizeof(Look)) == 0


# ---- calls ------------------------------------------------------------------------------------------
def key_of_call(image, tuple args not None, dict kwargs not None):
    """What tells a filter's arguments, and an image's dtype and shape, from all others.

    None where the image would have to be looked at, or an argument may change.
    """
    cdef Look look
    cdef Place place
    cdef list key = []
    if not look_at(image, PyBUF_CONTIG_RO, &look, &place):
        return None
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

    cdef readonly object native
    cdef readonly list steps
    cdef list before
    cdef object run, threads, shape, dtype, empty, notes
    cdef Look image, result
    cdef bint alone
    cdef tuple args  # None where they may change
    cdef dict kwargs

    def __init__(
        self, image, tuple args not None, dict kwargs not None, native, list steps not None, empty not None, notes not None
    ):
        """`empty` makes an array; `notes`: the context variable that holds None where nobody asks which kernels run."""
        cdef Place place
        last = steps[len(steps) - 1]
        if all([is_constant(value) for value in (*args, *kwargs.values())]):
            self.args, self.kwargs = args, kwargs
        self.native, self.steps, self.empty, self.notes = native, steps, empty, notes
        self.before, self.run, self.threads = steps[:len(steps) - 1], last.kernel.run, last.threads
        self.shape, self.dtype, self.alone = last.shape, last.dtype, last.num_threads == 1
        look_at(image, PyBUF_CONTIG_RO, &self.image, &place)
        self.result.axes, self.result.format = len(last.shape), ord(last.dtype.char)
        for i, length in enumerate(last.shape[:MOST_AXES]):
            self.result.shape[i] = length

    def is_asked(self, tuple args not None, dict kwargs not None):
        """Whether the very same objects are asked, as most loops do: it takes no key to tell."""
        cdef Py_ssize_t i
        if self.args is None or len(args) != len(self.args) or len(kwargs) != len(self.kwargs):
            return False
        for i in range(len(args)):
            if args[i] is not self.args[i]:
                return False
        for name, value in kwargs.items():
            if self.kwargs.get(name, self) is not value:
                return False
        return True

    def result_of(self, image, out):
        """What the call makes of `image`, in `out` or a fresh array.

        None where the image is another, `out` does not fit, or notes are taken.
        """
        cdef Look look
        cdef Place source, target
        if get_value(self.notes) is not None:
            return None
        if not look_at(image, PyBUF_CONTIG_RO, &look, &source) or not are_same(&look, &self.image):
            return None
        if out is None:
            out = self.empty(self.shape, self.dtype)
        elif not look_at(out, PyBUF_CONTIG, &look, &target) or not are_same(&look, &self.result):
            return None
        elif source.first < target.end and target.first < source.end:
            return None
        for step in self.before:
            image = step.made_of(image)
        self.run(image, out, 0, 1 if self.alone else self.threads())
        return out

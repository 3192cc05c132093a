# What a linear stencil is made of: one or two sums over taps, each dense, or down the rows and then along the line.
from cpython.buffer cimport PyBUF_RECORDS, PyBUF_RECORDS_RO, PyBuffer_Release, PyObject_GetBuffer

from convkit._native.border cimport BORDER_VALID
from convkit._native.image cimport grid_of
from convkit._native.integers cimport size_of
from convkit._native.simd cimport (
    STENCIL_ROWS, STENCIL_VECTORS, stored, real, scratch_alloc, scratch_free
)
from convkit._native.sums cimport LINE_VECTORS, Taps, Target, sum_rows
from convkit._native.tiles cimport AWAY_BYTES, Frame, Tile

cdef struct Part:
    Taps down
    Taps along  # without weights: no second sum
    bint plain  # `along` is a single weight of 1: the second sum is the first, from its column on


cdef inline void sum_down(
    const Frame* frame, const Tile* tile, const Part* part, real start, const Target* to, bint first
) noexcept nogil:
    """The first sum of a part: at the left end, between, and at the right end."""
    cdef Target target = to[0]
    cdef Py_ssize_t n
    cdef const stored** rows
    cdef const stored** ahead
    cdef int at
    for at in range(3):
        rows = tile.rows_before if at == 0 else tile.rows if at == 1 else tile.rows_after
        n = (tile.before if at == 0 else tile.inner if at == 1 else tile.after) * frame.channels
        ahead = tile.ahead if at == 1 and first else NULL
        sum_rows[stored](
            rows + part.down.row, ahead, &part.down, frame.channels, start, &target, n, STENCIL_ROWS, STENCIL_VECTORS)
        target.line += n
        if target.integers != NULL:
            target.integers += n * size_of(target.kind)


cdef inline void sum_along(
    const Frame* frame, const Part* part, const real* line, real start, const Target* to, Py_ssize_t n
) noexcept nogil:
    """The second sum of a part, of one line."""
    sum_rows[real](&line, NULL, &part.along, frame.channels, start, to, n, 1, LINE_VECTORS)


# ---- from Python ------------------------------------------------------------------------------------
cdef inline int read_taps(Taps* taps, weights) except -1:
    """From `ops.stencil.Weights`; the caller frees them."""
    cdef const double[:, ::1] values = weights.values
    cdef Py_ssize_t i, j, zeros = 0
    taps.row, taps.column = weights.row, weights.column
    taps.rows, taps.columns = values.shape[0], values.shape[1]
    taps.weights = <real*>scratch_alloc(taps.rows * taps.columns * sizeof(real))
    if taps.weights == NULL:
        raise MemoryError("no memory for the kernel's weights")
    for i in range(taps.rows):
        for j in range(taps.columns):
            taps.weights[i * taps.columns + j] = <real>values[i, j]
            zeros += values[i, j] == 0
    taps.holes, taps.sparse = zeros > 0, 3 * zeros > taps.rows * taps.columns
    return 0


cdef inline int read_parts(Part* parts, Frame* frame, stencil) except -1:
    """How many parts `ops.stencil.Stencil` has."""
    cdef int count = 0
    frame.window = frame.columns if stencil.parts[0][1] is None else 1
    for down, along in stencil.parts:
        read_taps(&parts[count].down, down)
        if along is not None:
            read_taps(&parts[count].along, along)
            parts[count].plain = along.values.size == 1 and along.values[0, 0] == 1
        count += 1
    return count


cdef inline void free_parts(Part* parts) noexcept:
    cdef int p
    for p in range(2):
        scratch_free(parts[p].down.weights)
        scratch_free(parts[p].along.weights)


cdef inline int read_kernel(Frame* frame, stencil, int border, double cval) except -1:
    """What depends on the stencil and the border alone."""
    frame.rows, frame.columns = stencil.extent
    frame.border, frame.cval = border, <stored>cval
    frame.first_row = frame.first_column = 0
    if border != BORDER_VALID:
        frame.first_row, frame.first_column = -stencil.anchor[0], -stencil.anchor[1]
    return 0


cdef inline int open_images(Py_buffer* views, Frame* frame, image, out, Py_ssize_t first) except -1:
    """Checked images of any strides; row `first` of `image` lies under the first one of `out`. `views` are zeros."""
    PyObject_GetBuffer(image, &views[0], PyBUF_RECORDS_RO)
    PyObject_GetBuffer(out, &views[1], PyBUF_RECORDS)
    frame.image, frame.out = grid_of(&views[0]), grid_of(&views[1])
    frame.away = getattr(image if image.base is None else image.base, "nbytes", 0) >= AWAY_BYTES
    frame.height, frame.width, frame.channels = views[0].shape[0], views[0].shape[1], frame.image.channels
    frame.out_height, frame.out_width = views[1].shape[0], views[1].shape[1]
    frame.first_row += first
    return 0


cdef inline void close_images(Py_buffer* views) noexcept:
    PyBuffer_Release(&views[1])
    PyBuffer_Release(&views[0])

"""Recursive filters along an axis of an image: as long for an answer of any length.

A line goes through a causal filter of fourth order and an anticausal one, whose results are added; LANES lines at a time,
side by side in float64. A line is extended by its border, and at both ends by its last number for ever: there, what the
filters come to is known.
"""
from cpython.buffer cimport PyBUF_RECORDS, PyBUF_RECORDS_RO, PyBuffer_Release, PyObject_GetBuffer
from libc.math cimport rint
from libc.stdint cimport int16_t, uint8_t, uint16_t

from convkit._native.arith cimport ceil_div
from convkit._native.border cimport border_index
from convkit._native.image cimport Grid, element, grid_of
from convkit._native.shares cimport run_units
from convkit._native.simd cimport VL, scratch_alloc, scratch_free, vec, vec_load, vec_set, vec_store

cdef enum:
    ORDER = 4
    LANES = 2 * VL
    JOB = 128  # lanes, at least those of a line of the cache: no two threads write to one

cdef struct Recursion:
    double taps[ORDER]
    double poles[ORDER]  # the weights of earlier results, negative
    double settled  # what it comes to where all is 1

cdef struct Lines:  # of an image, along an axis; steps count elements
    Grid grid
    Py_ssize_t length, step
    Py_ssize_t count, between  # lines side by side, without the channels

cdef struct Filter:
    Recursion causal, anticausal
    Lines source, target
    Py_ssize_t reach  # pixels of the border
    int border
    double cval


# ---- a line -----------------------------------------------------------------------------------------
cdef inline void run_over(
    const Recursion* filter, const double* x, double* y, Py_ssize_t lead, Py_ssize_t length, Py_ssize_t step,
    const bint add,
) noexcept nogil:
    """Through `lead` numbers and then `length` more, whose results are stored, or added to what is there."""
    cdef vec y1[2]
    cdef vec y2[2]
    cdef vec y3[2]
    cdef vec y4[2]
    cdef vec result
    cdef Py_ssize_t i
    cdef int v
    for v in range(2):
        y1[v] = y2[v] = y3[v] = y4[v] = vec_load(x + v * VL) * vec_set(filter.settled)
    for i in range(lead + length):
        for v in range(2):
            result = vec_set(filter.taps[0]) * vec_load(x + v * VL)
            result = result + vec_set(filter.taps[1]) * vec_load(x - step + v * VL)
            result = result + vec_set(filter.taps[2]) * vec_load(x - 2 * step + v * VL)
            result = result + vec_set(filter.taps[3]) * vec_load(x - 3 * step + v * VL)
            result = result + vec_set(filter.poles[3]) * y4[v] + vec_set(filter.poles[2]) * y3[v]
            result = result + vec_set(filter.poles[1]) * y2[v]
            y4[v], y3[v], y2[v] = y3[v], y2[v], y1[v]
            y1[v] = result + vec_set(filter.poles[0]) * y1[v]  # last: the next number waits for nothing else
            if i >= lead:
                vec_store(y + v * VL, vec_load(y + v * VL) + y1[v] if add else y1[v])
        x += step
        if i >= lead:
            y += step


cdef inline void extend(const Filter* filter, double* x, const double* base) noexcept nogil:
    """The lines around the image's, which begin at `x`; the outermost are there ORDER times more."""
    cdef Py_ssize_t n = filter.source.length, i, at, outside
    cdef int side, lane
    for side in range(2):
        for i in range(filter.reach + ORDER):
            outside = min(i, filter.reach - 1)
            outside = n + outside if side else -1 - outside
            at = border_index(outside, n, filter.border)
            for lane in range(LANES):
                x[(n + i if side else -1 - i) * LANES + lane] = (
                    x[at * LANES + lane] if at >= 0 else filter.cval - base[lane])


# ---- lanes ------------------------------------------------------------------------------------------
cdef inline bint find_lanes(const Lines* lines, Py_ssize_t first, Py_ssize_t* offsets) noexcept nogil:
    """Where each lane begins, the last one for all that are too many; whether all lie side by side."""
    cdef Py_ssize_t lane, channels = lines.grid.channels
    cdef bint beside = True
    cdef int i
    for i in range(LANES):
        lane = min(first + i, lines.count * channels - 1)
        offsets[i] = lane // channels * lines.between + lane % channels * lines.grid.channel_step
        beside &= offsets[i] == offsets[0] + i
    return beside


cdef inline void load_lanes(
    const element* data, const Lines* lines, Py_ssize_t first, double* x, double* base
) noexcept nogil:
    """Less their first pixel, `base`: rounding grows with numbers, and should with differences."""
    cdef Py_ssize_t offsets[LANES]
    cdef Py_ssize_t i, step = lines.step
    cdef bint beside = find_lanes(lines, first, offsets)
    cdef int lane
    for lane in range(LANES):
        base[lane] = <double>data[offsets[lane]]
    if beside:
        data += offsets[0]
        for i in range(lines.length):
            for lane in range(LANES):
                x[i * LANES + lane] = <double>data[i * step + lane] - base[lane]
        return
    for i in range(lines.length):
        for lane in range(LANES):
            x[i * LANES + lane] = <double>data[i * step + offsets[lane]] - base[lane]


cdef inline element stored_as(double value, element* kind) noexcept nogil:
    """Rounded to nearest, half to even, and saturated where `element` is an integer."""
    if element is float or element is double:
        return <element>value
    elif element is uint8_t:
        return <element>min(max(rint(value), 0.0), 255.0)
    elif element is uint16_t:
        return <element>min(max(rint(value), 0.0), 65535.0)
    else:
        return <element>min(max(rint(value), -32768.0), 32767.0)


cdef inline void store_lanes(
    element* data, const Lines* lines, Py_ssize_t first, const double* y, const double* base
) noexcept nogil:
    cdef Py_ssize_t offsets[LANES]
    cdef Py_ssize_t i, step = lines.step
    cdef Py_ssize_t used = min(<Py_ssize_t>LANES, lines.count * lines.grid.channels - first)
    cdef int lane
    if find_lanes(lines, first, offsets) and used == LANES:
        data += offsets[0]
        for i in range(lines.length):
            for lane in range(LANES):
                data[i * step + lane] = stored_as(y[i * LANES + lane] + base[lane], data)
        return
    for i in range(lines.length):
        for lane in range(used):
            data[i * step + offsets[lane]] = stored_as(y[i * LANES + lane] + base[lane], data)


cdef void load(const Lines* lines, Py_ssize_t first, double* x, double* base) noexcept nogil:
    cdef const char* data = lines.grid.data
    if lines.grid.kind == c"B":
        load_lanes(<const uint8_t*>data, lines, first, x, base)
    elif lines.grid.kind == c"H":
        load_lanes(<const uint16_t*>data, lines, first, x, base)
    elif lines.grid.kind == c"h":
        load_lanes(<const int16_t*>data, lines, first, x, base)
    elif lines.grid.kind == c"f":
        load_lanes(<const float*>data, lines, first, x, base)
    else:
        load_lanes(<const double*>data, lines, first, x, base)


cdef void store(const Lines* lines, Py_ssize_t first, const double* y, const double* base) noexcept nogil:
    cdef char* data = lines.grid.data
    if lines.grid.kind == c"B":
        store_lanes(<uint8_t*>data, lines, first, y, base)
    elif lines.grid.kind == c"H":
        store_lanes(<uint16_t*>data, lines, first, y, base)
    elif lines.grid.kind == c"h":
        store_lanes(<int16_t*>data, lines, first, y, base)
    elif lines.grid.kind == c"f":
        store_lanes(<float*>data, lines, first, y, base)
    else:
        store_lanes(<double*>data, lines, first, y, base)


cdef void run_job(const void* work, Py_ssize_t job, char* scratch) noexcept nogil:
    cdef const Filter* filter = <const Filter*>work
    cdef Py_ssize_t n = filter.source.length, around = filter.reach + ORDER
    cdef Py_ssize_t first = job * JOB, end = min(first + JOB, filter.source.count * filter.source.grid.channels)
    cdef double* x = <double*>scratch + around * LANES
    cdef double* y = x + (n + around) * LANES
    cdef double base[LANES]
    while first < end:
        load(&filter.source, first, x, base)
        extend(filter, x, base)
        run_over(&filter.causal, x - filter.reach * LANES, y, filter.reach, n, LANES, False)
        # The anticausal filter begins with the number behind the one to which its result belongs.
        run_over(
            &filter.anticausal, x + (n + filter.reach) * LANES, y + (n - 1) * LANES, filter.reach, n, -LANES, True)
        store(&filter.target, first, y, base)
        first += LANES


# ---- from Python ------------------------------------------------------------------------------------
cdef Lines lines_of(const Py_buffer* view, bint down) noexcept:
    cdef Lines lines
    cdef Grid grid = grid_of(view)
    lines.grid = grid
    if down:
        lines.length, lines.step, lines.count, lines.between = (
            view.shape[0], grid.row_step, view.shape[1], grid.pixel_step)
    else:
        lines.length, lines.step, lines.count, lines.between = (
            view.shape[1], grid.pixel_step, view.shape[0], grid.row_step)
    return lines


cdef void read_recursion(Recursion* recursion, const double[::1] taps, const double[::1] poles):
    cdef double weights = 0, earlier = 0
    cdef int i
    for i in range(ORDER):
        recursion.taps[i], recursion.poles[i] = taps[i], -poles[i]
        weights += taps[i]
        earlier += poles[i]
    recursion.settled = weights / (1 + earlier)


def run(
    image not None, out not None, bint down, const double[::1] causal not None, const double[::1] anticausal not None,
    const double[::1] poles not None, Py_ssize_t reach, int border, double cval, int threads
):
    """Filter `image` along its rows, or `down` its columns, into `out`, which may be the image.

    Result i of the causal filter is Σ causal[k] · x[i - k] - Σ poles[k] · result[i - 1 - k], that of the anticausal one
    Σ anticausal[k] · x[i + 1 + k] - Σ poles[k] · result[i + 1 + k]. Both images are HW or HWC of any strides; `reach`,
    at least 1, is how many pixels of the border are seen.
    """
    cdef Py_buffer views[2]
    cdef Filter filter
    cdef Py_ssize_t jobs, each
    cdef double* scratch
    read_recursion(&filter.causal, causal, poles)
    read_recursion(&filter.anticausal, anticausal, poles)
    filter.reach, filter.border, filter.cval = reach, border, cval
    PyObject_GetBuffer(image, &views[0], PyBUF_RECORDS_RO)
    PyObject_GetBuffer(out, &views[1], PyBUF_RECORDS)
    try:
        filter.source, filter.target = lines_of(&views[0], down), lines_of(&views[1], down)
        jobs = ceil_div(filter.source.count * filter.source.grid.channels, JOB)
        threads = <int>min(threads, jobs)
        each = (2 * filter.source.length + 2 * (reach + ORDER)) * LANES
        scratch = <double*>scratch_alloc(threads * each * sizeof(double))
        if scratch == NULL:
            raise MemoryError(f"no memory for lines of {filter.source.length} pixels")
        with nogil:
            run_units(run_job, &filter, jobs, threads, <char*>scratch, each * sizeof(double))
        scratch_free(scratch)
    finally:
        PyBuffer_Release(&views[1])
        PyBuffer_Release(&views[0])

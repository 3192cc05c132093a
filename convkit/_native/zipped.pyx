"""Depthwise transposed convolution with a horizontal stride of 2, summed and written line by line.

Even and odd pixels of an output line are two sums of the same few input rows: both stay in registers, where they are
zipped into pixels side by side, and are written once. A unit of work is a band of output lines of a map; the input rows
under it lie in the thread's scratch, with zeros around them.

One output sums its bias, then kernel rows from the last to the first, of each the columns from the last to the first.
"""
from cython.parallel cimport prange
from libc.string cimport memset

from convkit._native.arith cimport ceil_div, elements
from convkit._native.copies cimport copy_run
from convkit._native.epilogue cimport Epilogue, finish_rows, make_epilogue
from convkit._native.simd cimport (VL, real, scratch_alloc, scratch_free, vec, vec_load, vec_set, vec_store, vec_store_part,
                                   vec_zip_high, vec_zip_low)

cdef enum:
    TILE = 4                    # vectors of even pixels, and of odd ones
    BAND_BYTES = 24576          # of input rows that stay in the first cache


cdef struct Phase:              # even columns, or odd ones
    Py_ssize_t taps
    Py_ssize_t offset[256]      # from an output's number in its phase to the input pixel, of each tap
    Py_ssize_t column[256]      # of the kernel


cdef struct Conv:
    const real* x
    Py_ssize_t x_image, x_channel, x_row, x_column
    real* y
    Py_ssize_t y_image, y_channel, y_row
    Py_ssize_t channels, height, width, rows, columns
    Py_ssize_t kernel_h, kernel_w, stride_h, dilation_h, before_h
    Phase phase[2]
    const real* weights         # [channel][row][column]
    const real* bias
    Py_ssize_t left, pitch      # of a row in scratch: zeros before it; elements
    Py_ssize_t band_rows, bands, band_inputs    # output lines of a unit; input rows under them
    Epilogue epilogue


cdef struct Thread:             # scratch
    real* zeros                 # a row of them
    real* inputs                # rows
    real* line
    const real** row            # that each kernel row which the line sees brings to it
    const real** weights        # of those


cdef inline Py_ssize_t floor_div(Py_ssize_t a, Py_ssize_t b) noexcept nogil:
    return -ceil_div(-a, b)


cdef inline void sum_tile(const int VECTORS, const Conv* conv, const Thread* thread, Py_ssize_t seen, real bias,
                          Py_ssize_t first, real* y, Py_ssize_t n) noexcept nogil:
    # n pixels of a line, the first of them number `first` of the even ones.
    cdef vec even[4]
    cdef vec odd[4]
    cdef vec w
    cdef const real* source
    cdef const Phase* phase
    cdef Py_ssize_t k, t, left
    cdef int v
    for v in range(VECTORS):
        even[v] = odd[v] = vec_set(bias)
    for k in range(seen):
        phase = &conv.phase[0]
        for t in range(phase.taps):
            w = vec_set(thread.weights[k][phase.column[t]])
            source = thread.row[k] + first + phase.offset[t]
            for v in range(VECTORS):
                even[v] = even[v] + w * vec_load(source + v * VL)
        phase = &conv.phase[1]
        for t in range(phase.taps):
            w = vec_set(thread.weights[k][phase.column[t]])
            source = thread.row[k] + first + phase.offset[t]
            for v in range(VECTORS):
                odd[v] = odd[v] + w * vec_load(source + v * VL)
    if n >= 2 * VECTORS * VL:
        for v in range(VECTORS):
            vec_store(y + 2 * v * VL, vec_zip_low(even[v], odd[v]))
            vec_store(y + (2 * v + 1) * VL, vec_zip_high(even[v], odd[v]))
        return
    for v in range(VECTORS):
        left = n - 2 * v * VL
        if left > 0:
            vec_store_part(y + 2 * v * VL, vec_zip_low(even[v], odd[v]), min(left, <Py_ssize_t>VL))
        if left > VL:
            vec_store_part(y + (2 * v + 1) * VL, vec_zip_high(even[v], odd[v]), min(left - VL, <Py_ssize_t>VL))


cdef void sum_line(const Conv* conv, const Thread* thread, Py_ssize_t seen, real bias, real* y) noexcept nogil:
    cdef Py_ssize_t i = 0, n = conv.columns
    while n > 0:
        if n > 2 * (TILE - 2) * VL:
            sum_tile(TILE, conv, thread, seen, bias, i, y, n)
            i += TILE * VL
            y += 2 * TILE * VL
            n -= 2 * TILE * VL
        else:
            sum_tile(1, conv, thread, seen, bias, i, y, n)
            i += VL
            y += 2 * VL
            n -= 2 * VL


cdef inline Py_ssize_t first_input(const Conv* conv, Py_ssize_t row) noexcept nogil:
    # The first input row, outside perhaps, that output rows from `row` on see.
    return floor_div(row + conv.before_h - (conv.kernel_h - 1) * conv.dilation_h, conv.stride_h)


cdef void run_unit(const Conv* conv, Py_ssize_t index, const Thread* thread) noexcept nogil:
    cdef Py_ssize_t map = index // conv.bands, row = index % conv.bands * conv.band_rows, at, seen, i, k, place
    cdef Py_ssize_t image = map // conv.channels, channel = map % conv.channels
    cdef Py_ssize_t end = min(row + conv.band_rows, conv.rows)
    cdef Py_ssize_t first = max(first_input(conv, row), <Py_ssize_t>0)
    cdef Py_ssize_t last = min(floor_div(end - 1 + conv.before_h, conv.stride_h), conv.height - 1)
    cdef const real* weights = conv.weights + channel * conv.kernel_h * conv.kernel_w
    cdef const real* source
    cdef real* to
    cdef real* y
    for at in range(first, last + 1):
        source = conv.x + image * conv.x_image + channel * conv.x_channel + at * conv.x_row
        to = thread.inputs + (at - first) * conv.pitch + conv.left
        if conv.x_column == 1:
            copy_run(to, source, conv.width)
        else:
            for i in range(conv.width):
                to[i] = source[i * conv.x_column]
    for row in range(row, end):
        seen = 0
        for k in range(conv.kernel_h - 1, -1, -1):
            place = row + conv.before_h - k * conv.dilation_h
            at = floor_div(place, conv.stride_h)
            if at * conv.stride_h == place:
                thread.row[seen] = thread.zeros
                if 0 <= at < conv.height:
                    thread.row[seen] = thread.inputs + (at - first) * conv.pitch
                thread.row[seen] += conv.left
                thread.weights[seen] = weights + k * conv.kernel_w
                seen += 1
        y = conv.y + image * conv.y_image + channel * conv.y_channel + row * conv.y_row
        if conv.epilogue.plain:
            sum_line(conv, thread, seen, conv.bias[channel], y)
            continue
        sum_line(conv, thread, seen, conv.bias[channel], thread.line)
        finish_rows(&conv.epilogue, thread.line, 0, y, 0, 1, conv.columns)
        copy_run(y, thread.line, conv.columns)


cdef void find_columns(Conv* conv, Py_ssize_t dilation, Py_ssize_t before) noexcept nogil:
    # The taps of even and of odd columns, and the zeros that they need around a row.
    cdef Py_ssize_t p, s, place, least = 0, most = 0, whole = ceil_div(conv.columns, 2 * VL) * VL
    cdef Phase* phase
    for p in range(2):
        phase = &conv.phase[p]
        phase.taps = 0
        for s in range(conv.kernel_w - 1, -1, -1):
            place = p + before - s * dilation
            if place % 2 == 0:
                phase.offset[phase.taps], phase.column[phase.taps] = place // 2, s
                phase.taps += 1
                least, most = min(least, place // 2), max(most, place // 2)
    conv.left = ceil_div(-least, VL) * VL
    conv.pitch = conv.left + ceil_div(max(whole + TILE * VL + most, conv.width), VL) * VL


cdef void partition(Conv* conv, Py_ssize_t images, int threads) noexcept nogil:
    # Bands of whole strides, whose input rows stay near, and enough of them for all threads.
    cdef Py_ssize_t reach = (conv.kernel_h - 1) * conv.dilation_h // conv.stride_h + 2
    cdef Py_ssize_t strides = max(BAND_BYTES // (conv.pitch * <Py_ssize_t>sizeof(real)) - reach, <Py_ssize_t>4)
    cdef Py_ssize_t shared = ceil_div(images * conv.channels * conv.rows, 4 * threads * conv.stride_h)
    conv.band_rows = min(min(strides, max(shared, <Py_ssize_t>4)) * conv.stride_h, conv.rows)
    conv.bands = ceil_div(conv.rows, conv.band_rows)
    conv.band_inputs = min(ceil_div(conv.band_rows, conv.stride_h) + reach, conv.height)


cdef Py_ssize_t lay_out(const Conv* conv, char* scratch, Thread* thread) noexcept nogil:
    # The bytes of a thread's scratch.
    thread.zeros = <real*>scratch
    thread.inputs = thread.zeros + conv.pitch
    thread.line = thread.inputs + conv.band_inputs * conv.pitch
    thread.row = <const real**>(thread.line + ceil_div(conv.columns, VL) * VL)
    thread.weights = thread.row + conv.kernel_h
    return ceil_div(<char*>(thread.weights + conv.kernel_h) - scratch, 64) * 64


cdef void run_units(const Conv* conv, Py_ssize_t first, Py_ssize_t end, char* scratch) noexcept nogil:
    cdef Thread thread
    cdef Py_ssize_t u
    lay_out(conv, scratch, &thread)
    memset(scratch, 0, (conv.band_inputs + 1) * conv.pitch * sizeof(real))
    for u in range(first, end):
        run_unit(conv, u, &thread)


def transposed(const real[:, :, :, :] x_bchw not None, const real[:, :, ::1] weights not None,
               const real[::1] bias not None, real[:, :, :, :] y_bchw not None, Py_ssize_t stride_h,
               (Py_ssize_t, Py_ssize_t) dilation, (Py_ssize_t, Py_ssize_t) before, int num_threads, int activation=0,
               real slope=0, const real[:, :, :, :] residual=None):
    """Write the transposed convolution of `x_bchw`, each channel with its kernel of `weights`, to `y_bchw`.

    Kernels have at most 256 columns; `before` is the padding. Output columns lie side by side. `residual` has
    `y_bchw`'s strides, or is it.
    """
    cdef Conv conv
    cdef Thread thread
    cdef Py_ssize_t t, units, size
    cdef char* scratch
    conv.x, conv.y = &x_bchw[0, 0, 0, 0], &y_bchw[0, 0, 0, 0]
    conv.x_image, conv.x_channel = elements(x_bchw.strides[0]), elements(x_bchw.strides[1])
    conv.x_row, conv.x_column = elements(x_bchw.strides[2]), elements(x_bchw.strides[3])
    conv.y_image, conv.y_channel = elements(y_bchw.strides[0]), elements(y_bchw.strides[1])
    conv.y_row = elements(y_bchw.strides[2])
    conv.channels, conv.height, conv.width = x_bchw.shape[1], x_bchw.shape[2], x_bchw.shape[3]
    conv.rows, conv.columns = y_bchw.shape[2], y_bchw.shape[3]
    conv.kernel_h, conv.kernel_w = weights.shape[1], weights.shape[2]
    conv.stride_h, conv.dilation_h, conv.before_h = stride_h, dilation[0], before[0]
    conv.weights, conv.bias = &weights[0, 0, 0], &bias[0]
    conv.epilogue = make_epilogue(activation, slope, residual, conv.y, 1)
    find_columns(&conv, dilation[1], before[1])
    partition(&conv, x_bchw.shape[0], num_threads)
    units = x_bchw.shape[0] * conv.channels * conv.bands
    num_threads = <int>min(<Py_ssize_t>num_threads, units)
    size = lay_out(&conv, NULL, &thread)
    scratch = <char*>scratch_alloc(num_threads * size)
    if scratch == NULL:
        raise MemoryError("no memory for the input rows of a transposed convolution")
    with nogil:
        if num_threads == 1:    # no team: also what a forked child must do
            run_units(&conv, 0, units, scratch)
        else:
            for t in prange(num_threads, num_threads=num_threads, schedule="static"):
                run_units(&conv, units * t // num_threads, units * (t + 1) // num_threads, scratch + t * size)
        scratch_free(scratch)

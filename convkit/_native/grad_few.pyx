"""The gradient by the weights of convolutions with few output channels a group: depthwise, grouped, last layers.

Vectors hold neighbouring pixels, and each weight has a vector of sums, whose lanes are added up at the end. A tile of
OUTPUTS gradients by TAPS weights stays in registers while it goes over the pixels of a band of rows: each vector of
gradients meets the input pixels of every tap, read by shifted loads from the band's lines (`lines.pxd`).

A unit of work is a group × block of its output channels × block of its input channels, over all images: every weight is
summed by one thread, band after band, and bands depend on the sizes alone.
"""
from libc.string cimport memset

from convkit._native.arith cimport ceil_div, elements, even_parts
from convkit._native.lines cimport Line, Run, lay_line, pack_lines
from convkit._native.shares cimport run_units
from convkit._native.simd cimport (VL, real, scratch_alloc, scratch_free, vec, vec_load, vec_load_part, vec_store)

cdef enum:
    LINES_BYTES = 16384         # of the L1 cache
    SUMS_BYTES = 131072         # of a unit


cdef struct Grad:
    Py_ssize_t images, groups, channels, outputs        # channels and outputs of a group
    Py_ssize_t height, width, rows, columns, taps
    Py_ssize_t kernel_h, kernel_w
    const real* x
    Py_ssize_t x_image, x_channel, x_row
    const real* g
    Py_ssize_t g_image, g_channel, g_row
    real* y
    int border
    real cval
    Line down, across
    Py_ssize_t band, pitch
    Py_ssize_t block_outputs, output_blocks, block_channels, channel_blocks
    Py_ssize_t* offset          # of each tap, in the lines


cdef struct Tile:
    const real* g
    Py_ssize_t g_channel, g_row
    const real* lines
    Py_ssize_t pitch
    const Py_ssize_t* offset    # of each tap
    Py_ssize_t rows, columns
    real* sums
    Py_ssize_t sums_output      # elements from one output's sums to the next one's


cdef inline void add_products(const int OUTPUTS, const int TAPS, const Tile* tile, Py_ssize_t first,
                              Py_ssize_t taps) noexcept nogil:
    # Taps from `first` on; what is more than `taps` are the first again, and not kept.
    cdef vec acc[12]
    cdef vec g[4]
    cdef vec x
    cdef const real* source[12]
    cdef const real* row = tile.g
    cdef real* sums = tile.sums + first * VL
    cdef Py_ssize_t _, j, left, columns = tile.columns, g_channel = tile.g_channel, pitch = tile.pitch
    cdef int i, t
    for t in range(TAPS):
        source[t] = tile.lines + tile.offset[first + t if t < taps else first]
        for i in range(OUTPUTS):
            acc[i * TAPS + t] = vec_load(sums + i * tile.sums_output + (t if t < taps else 0) * VL)
    for _ in range(tile.rows):
        j = 0
        while j + VL <= columns:
            for i in range(OUTPUTS):
                g[i] = vec_load(row + i * g_channel + j)
            for t in range(TAPS):
                x = vec_load(source[t] + j)
                for i in range(OUTPUTS):
                    acc[i * TAPS + t] = acc[i * TAPS + t] + x * g[i]
            j += VL
        left = columns - j
        if left > 0:            # neither may bring a NaN from beyond the row
            for i in range(OUTPUTS):
                g[i] = vec_load_part(row + i * g_channel + j, left)
            for t in range(TAPS):
                x = vec_load_part(source[t] + j, left)
                for i in range(OUTPUTS):
                    acc[i * TAPS + t] = acc[i * TAPS + t] + x * g[i]
        row += tile.g_row
        for t in range(TAPS):
            source[t] += pitch
    for i in range(OUTPUTS):
        for t in range(TAPS):
            if t < taps:
                vec_store(sums + i * tile.sums_output + t * VL, acc[i * TAPS + t])


cdef void add_9(const Tile* tile, Py_ssize_t first, Py_ssize_t taps) noexcept nogil:
    add_products(1, 9, tile, first, taps)


cdef void add_7(const Tile* tile, Py_ssize_t first, Py_ssize_t taps) noexcept nogil:
    add_products(1, 7, tile, first, taps)


cdef void add_4_by_3(const Tile* tile, Py_ssize_t first, Py_ssize_t taps) noexcept nogil:
    add_products(4, 3, tile, first, taps)


cdef void add_band(const Grad* grad, Tile* tile, Py_ssize_t outputs) noexcept nogil:
    # Every weight of one input channel.
    cdef Py_ssize_t _, taps = grad.taps, step = 9 if (taps + 8) // 9 * 9 <= (taps + 6) // 7 * 7 else 7, first
    if outputs >= 4:
        for _ in range(ceil_div(taps, 3)):
            add_4_by_3(tile, 3 * _, min(<Py_ssize_t>3, taps - 3 * _))
        return
    for _ in range(outputs):
        first = 0
        while first < taps:
            if step == 9:
                add_9(tile, first, min(step, taps - first))
            else:
                add_7(tile, first, min(step, taps - first))
            first += step
        tile.g += tile.g_channel
        tile.sums += tile.sums_output


cdef void run_unit(const void* work, Py_ssize_t unit, char* scratch) noexcept nogil:
    cdef const Grad* grad = <const Grad*>work
    cdef Py_ssize_t group, output, outputs, channel, channels, image, index, row, c, k
    cdef Py_ssize_t sums_output = grad.block_channels * grad.taps * VL
    cdef real* sums = <real*>scratch
    cdef real* lines = sums + grad.block_outputs * sums_output
    cdef real* y
    cdef const real* x
    cdef const real* g
    cdef Tile tile
    cdef real total
    cdef int i
    channel = unit % grad.channel_blocks * grad.block_channels
    unit //= grad.channel_blocks
    output = unit % grad.output_blocks * grad.block_outputs
    group = unit // grad.output_blocks
    channels = min(grad.block_channels, grad.channels - channel)
    outputs = min(grad.block_outputs, grad.outputs - output)
    memset(sums, 0, grad.block_outputs * sums_output * sizeof(real))
    x = grad.x + (group * grad.channels + channel) * grad.x_channel
    g = grad.g + (group * grad.outputs + output) * grad.g_channel
    tile.g_channel, tile.g_row, tile.lines, tile.pitch = grad.g_channel, grad.g_row, lines, grad.pitch
    tile.offset, tile.columns, tile.sums_output = grad.offset, grad.columns, sums_output
    for image in range(grad.images):
        for index in range(ceil_div(grad.rows, grad.band)):
            row = index * grad.band
            tile.rows = min(grad.band, grad.rows - row)
            for c in range(channels):
                pack_lines(&grad.down, &grad.across, x + image * grad.x_image + c * grad.x_channel, grad.x_row,
                           grad.height, grad.width, grad.border, grad.cval, row, 0, grad.pitch, lines)
                tile.g = g + image * grad.g_image + row * grad.g_row
                tile.sums = sums + c * grad.taps * VL
                add_band(grad, &tile, outputs)
    for k in range(outputs):
        y = grad.y + ((group * grad.outputs + output + k) * grad.channels + channel) * grad.taps
        for c in range(channels * grad.taps):
            total = sums[k * sums_output + c * VL]
            for i in range(1, VL):
                total = total + sums[k * sums_output + c * VL + i]
            y[c] = total


def weight_gradient(const real[:, :, :, :] x_bchw not None, const real[:, :, :, :] g_bchw not None,
                    real[:, :, :, ::1] y_ockk not None, Py_ssize_t groups, (Py_ssize_t, Py_ssize_t) stride,
                    (Py_ssize_t, Py_ssize_t) dilation, (Py_ssize_t, Py_ssize_t) before, int border, real cval,
                    int num_threads):
    """Write the gradient by the weights of a convolution of `x_bchw` whose output's gradient is `g_bchw`.

    Columns of both lie side by side.
    """
    cdef Grad grad
    cdef Py_ssize_t r, s, size, units, row_bytes
    cdef Py_ssize_t* starts
    cdef real* scratch
    memset(&grad, 0, sizeof(Grad))
    grad.images, grad.groups = x_bchw.shape[0], groups
    grad.channels, grad.outputs = x_bchw.shape[1] // groups, g_bchw.shape[1] // groups
    grad.height, grad.width, grad.rows, grad.columns = x_bchw.shape[2], x_bchw.shape[3], g_bchw.shape[2], g_bchw.shape[3]
    grad.kernel_h, grad.kernel_w = y_ockk.shape[2], y_ockk.shape[3]
    grad.taps = grad.kernel_h * grad.kernel_w
    grad.x, grad.g, grad.y = &x_bchw[0, 0, 0, 0], &g_bchw[0, 0, 0, 0], &y_ockk[0, 0, 0, 0]
    grad.x_image, grad.x_channel = elements(x_bchw.strides[0]), elements(x_bchw.strides[1])
    grad.x_row, grad.g_row = elements(x_bchw.strides[2]), elements(g_bchw.strides[2])
    grad.g_image, grad.g_channel = elements(g_bchw.strides[0]), elements(g_bchw.strides[1])
    grad.border, grad.cval = border, cval
    grad.down.stride, grad.across.stride = stride[0], stride[1]
    grad.down.before, grad.across.before = before[0], before[1]
    starts = <Py_ssize_t*>scratch_alloc((grad.taps + grad.kernel_h + grad.kernel_w) * (sizeof(Py_ssize_t) + sizeof(Run)))
    if starts == NULL:
        raise MemoryError("no memory for the tables of a weight gradient")
    grad.down.start, grad.across.start = starts, starts + grad.kernel_h
    grad.offset = grad.across.start + grad.kernel_w
    grad.down.run = <Run*>(grad.offset + grad.taps)
    grad.across.run = grad.down.run + grad.kernel_h
    lay_line(&grad.across, grad.kernel_w, dilation[1], grad.columns)
    grad.pitch = grad.across.length + VL - grad.across.length % VL
    row_bytes = grad.pitch * <Py_ssize_t>sizeof(real)
    # As many rows as there are beside those that a kernel sees anyway, but half of the lines at least.
    grad.band = min(grad.rows, max(LINES_BYTES // row_bytes // stride[0] - grad.kernel_h, grad.kernel_h, <Py_ssize_t>4))
    grad.band = even_parts(grad.rows, grad.band)
    lay_line(&grad.down, grad.kernel_h, dilation[0], grad.band)
    for r in range(grad.kernel_h):
        for s in range(grad.kernel_w):
            grad.offset[r * grad.kernel_w + s] = grad.down.start[r] * grad.pitch + grad.across.start[s]
    grad.block_outputs = min(grad.outputs, <Py_ssize_t>4)
    grad.output_blocks = ceil_div(grad.outputs, grad.block_outputs)
    size = grad.block_outputs * grad.taps * VL * <Py_ssize_t>sizeof(real)
    grad.block_channels = min(grad.channels, max(<Py_ssize_t>1, SUMS_BYTES // size))
    if grad.groups * grad.output_blocks < 4 * num_threads:      # no bit depends on the blocks
        grad.block_channels = max(<Py_ssize_t>1, min(grad.block_channels, grad.channels // (4 * num_threads)))
    grad.channel_blocks = ceil_div(grad.channels, grad.block_channels)
    units = grad.groups * grad.output_blocks * grad.channel_blocks
    num_threads = <int>min(<Py_ssize_t>num_threads, units)
    size = grad.block_outputs * grad.block_channels * grad.taps * VL + (grad.down.length * grad.pitch + VL)
    size = ceil_div(size, 16) * 16
    scratch = <real*>scratch_alloc(num_threads * size * sizeof(real))
    if scratch == NULL:
        scratch_free(starts)
        raise MemoryError("no memory for the scratch of a weight gradient")
    with nogil:
        run_units(run_unit, &grad, units, num_threads, <char*>scratch, size * sizeof(real))
        scratch_free(starts)
        scratch_free(scratch)

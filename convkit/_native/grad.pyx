"""The gradient of a convolution by its weights: an implicit GEMM whose inner dimension is the pixels.

The gradient of weight (o, c, r, s) is the sum, over all output pixels of all images, of the output's gradient of
channel o times the input pixel of channel c that tap (r, s) brings there. A tile of sums in registers is MR weights of
an output channel, any of them one after another, by NV vectors of output channels: at each pixel it multiplies the
vectors of gradients by the input pixels of its weights, broadcast.

A unit of work is a group × block of output channels × block of weights. It goes through the pixels in chunks: the input
lines under a chunk are copied once, with their borders (`lines.pxd`; without padding they are read where they lie), and the
gradients are transposed, so that the channels of a pixel lie side by side. In a chunk, each tap reads its pixels at one
offset from a pixel's place. Sums wait in scratch from chunk to chunk, and are transposed into the output.

The chunks depend on the sizes alone, and every weight is summed by one thread, chunk after chunk: no bit depends on
the number of threads, or on the blocks.
"""
from libc.string cimport memset

from convkit._native.arith cimport ceil_div, elements, even_parts
from convkit._native.lines cimport Line, Run, lay_line, pack_lines
from convkit._native.shares cimport run_units
from convkit._native.simd cimport (GRAD_MR, VL, real, scratch_alloc, scratch_free, vec, vec_load, vec_load_part, vec_set,
                                   vec_store, vec_store_part, vec_transpose)

VECTOR_LANES = VL               # elements of a vector, for who chooses between kernels

cdef enum:
    WIDTH = 2 * VL              # output channels of a panel
    ROWS = 2 * GRAD_MR          # weights are summed in so many at most
    DEPTH = 256                 # pixels of a chunk, about: their gradients stay in the L1 cache
    MOST_WEIGHTS = 640          # of a block, for each output channel: sums and input stay in the L2 cache
    MOST_OUTPUTS = 64           # of a block


cdef struct Grad:
    Py_ssize_t images, groups, channels, outputs        # channels and outputs of a group
    Py_ssize_t height, width, rows, columns             # of the input; of the output
    Py_ssize_t kernel_h, kernel_w, taps
    const real* x
    Py_ssize_t x_image, x_channel, x_row                # strides in elements: columns lie side by side
    const real* g                                       # the output's gradient
    Py_ssize_t g_image, g_channel, g_row
    real* y
    int border
    real cval
    bint direct                                         # the input is read where it lies
    Line down, across
    Py_ssize_t chunk_images, chunk_rows, chunk_columns
    Py_ssize_t pitch, plane                             # of the copied lines: from row to row, from channel to channel
    Py_ssize_t weights                                  # of an output: channels · taps
    Py_ssize_t block_weights, weight_blocks, block_outputs, output_blocks
    Py_ssize_t block_channels                           # under a block's weights, at most


cdef struct Thread:             # scratch
    real* lines
    real* panel                 # gradients: [pixel][output]
    real* sums                  # [panel of outputs][weight][output]
    Py_ssize_t* offset          # of each pixel of a chunk
    Py_ssize_t* weight          # where each weight of the block reads pixel 0
    Py_ssize_t* source          # of each weight


cdef struct Tile:
    const real* x
    const Py_ssize_t* weight
    Py_ssize_t weights
    const real* panel
    const Py_ssize_t* offset
    Py_ssize_t depth
    real* sums
    bint first                  # nothing has been summed yet


# ---- sums ----------------------------------------------------------------------------------------------

cdef inline void multiply(const int MR, const int NV, const Tile* tile) noexcept nogil:
    cdef vec acc[24]
    cdef vec g[2]
    cdef vec w
    cdef const real* x[24]
    cdef const real* panel
    cdef const Py_ssize_t* offset = tile.offset
    cdef real* sums = tile.sums
    cdef const Py_ssize_t* weight = tile.weight
    cdef Py_ssize_t _, k, at, depth = tile.depth
    cdef int i, j
    for _ in range(ceil_div(tile.weights, MR)):
        for i in range(MR):
            x[i] = tile.x + weight[i]
            for j in range(NV):
                acc[i * NV + j] = vec_set(0)
        panel = tile.panel
        for k in range(depth):
            at = offset[k]
            for j in range(NV):
                g[j] = vec_load(panel + j * VL)
            for i in range(MR):
                w = vec_set(x[i][at])
                for j in range(NV):
                    acc[i * NV + j] = acc[i * NV + j] + w * g[j]
            panel += NV * VL
        weight += MR
        for i in range(MR):
            for j in range(NV):
                if tile.first:
                    vec_store(sums, acc[i * NV + j])
                else:
                    vec_store(sums, vec_load(sums) + acc[i * NV + j])
                sums += VL


cdef void multiply_wide(const Tile* tile) noexcept nogil:
    multiply(GRAD_MR, 2, tile)


cdef void multiply_narrow(const Tile* tile) noexcept nogil:
    multiply(2 * GRAD_MR, 1, tile)


# ---- panels of gradients -------------------------------------------------------------------------------

cdef void transpose_run(const real* g, Py_ssize_t g_channel, Py_ssize_t outputs, Py_ssize_t n, Py_ssize_t width,
                        real* to) noexcept nogil:
    # n pixels side by side, of `outputs` channels, at most VL: a pixel's channels, and zeros, go to `to`, `width` apart.
    cdef vec v[16]
    cdef Py_ssize_t p = 0, count
    cdef int i
    while p < n:
        count = min(n - p, <Py_ssize_t>VL)
        for i in range(VL):
            if i >= outputs:
                v[i] = vec_set(0)
            elif count == VL:
                v[i] = vec_load(g + i * g_channel + p)
            else:
                v[i] = vec_load_part(g + i * g_channel + p, count)
        vec_transpose(v)
        for i in range(VL):
            if i < count:
                vec_store(to + (p + i) * width, v[i])
        p += VL


cdef void pack_panel(const Grad* grad, const real* g, Py_ssize_t outputs, Py_ssize_t rows, Py_ssize_t columns,
                     Py_ssize_t width, real* to) noexcept nogil:
    # The gradients of a chunk of one image.
    cdef Py_ssize_t row, first
    if columns == grad.g_row:
        columns *= rows
        rows = 1
    for row in range(rows):
        first = 0
        while first < width:
            transpose_run(g + row * grad.g_row + first * grad.g_channel, grad.g_channel,
                          max(outputs - first, <Py_ssize_t>0), columns, width, to + row * columns * width + first)
            first += VL


# ---- a unit of work ------------------------------------------------------------------------------------

cdef struct Chunk:
    Py_ssize_t image, images, row, rows, column, columns


cdef void find_offsets(const Grad* grad, const Chunk* chunk, Py_ssize_t channels, Thread* thread) noexcept nogil:
    # Of each pixel, in the order of the panel.
    cdef Py_ssize_t image, row, column, at, k = 0
    cdef Py_ssize_t step_h = grad.down.stride * grad.x_row if grad.direct else grad.pitch
    cdef Py_ssize_t step_w = grad.across.stride if grad.direct else 1
    for image in range(chunk.images):
        for row in range(chunk.rows):
            at = image * (grad.x_image if grad.direct else channels * grad.plane) + row * step_h
            for column in range(chunk.columns):
                thread.offset[k] = at + column * step_w
                k += 1


cdef void find_weights(const Grad* grad, Py_ssize_t first, Py_ssize_t weights, Thread* thread) noexcept nogil:
    # The block's first channel is the first that is copied. Weights that fill the last tile up are the last one again.
    cdef Py_ssize_t k, c, r, s, at = first, channel = first // grad.taps
    for k in range(ceil_div(weights, ROWS) * ROWS):
        c, r, s = at // grad.taps - channel, at % grad.taps // grad.kernel_w, at % grad.taps % grad.kernel_w
        thread.weight[k] = c * grad.plane + grad.down.start[r] * grad.pitch + grad.across.start[s]
        if k + 1 < weights:
            at += 1


cdef void pack_chunk(const Grad* grad, const Chunk* chunk, const real* x, Py_ssize_t channels, real* to) noexcept nogil:
    cdef Py_ssize_t image, c
    for image in range(chunk.images):
        for c in range(channels):
            pack_lines(&grad.down, &grad.across, x + image * grad.x_image + c * grad.x_channel, grad.x_row, grad.height,
                       grad.width, grad.border, grad.cval, chunk.row, chunk.column, grad.pitch,
                       to + (image * channels + c) * grad.plane)


cdef void sum_chunk(const Grad* grad, const Chunk* chunk, const real* g, Py_ssize_t outputs, Tile* tile,
                    Thread* thread) noexcept nogil:
    # All panels of the block's outputs.
    cdef Py_ssize_t first, image, width, pixels = chunk.rows * chunk.columns
    first = 0
    while first < outputs:
        width = WIDTH if outputs - first > VL else VL
        for image in range(chunk.images):
            pack_panel(grad, g + image * grad.g_image + first * grad.g_channel, min(outputs - first, width), chunk.rows,
                       chunk.columns, width, thread.panel + image * pixels * width)
        tile.sums = thread.sums + first * ceil_div(tile.weights, ROWS) * ROWS
        if width > VL:
            multiply_wide(tile)
        else:
            multiply_narrow(tile)
        first += width


cdef void write_sums(const Grad* grad, const real* sums, Py_ssize_t outputs, Py_ssize_t weights, real* y) noexcept nogil:
    # [weight][output] to [output][weight].
    cdef vec v[16]
    cdef Py_ssize_t first = 0, width, part, k, count
    cdef int i
    while first < outputs:
        width = WIDTH if outputs - first > VL else VL
        part = 0
        while part < min(width, outputs - first):
            k = 0
            while k < weights:
                count = min(weights - k, <Py_ssize_t>VL)
                for i in range(VL):
                    v[i] = vec_load(sums + min(k + i, weights - 1) * width + part)
                vec_transpose(v)
                for i in range(VL):
                    if first + part + i < outputs:
                        vec_store_part(y + (first + part + i) * grad.weights + k, v[i], count)
                k += VL
            part += VL
        sums += ceil_div(weights, ROWS) * ROWS * width
        first += width


cdef void sum_unit(const Grad* grad, Py_ssize_t unit, Thread* thread) noexcept nogil:
    cdef Py_ssize_t group, output, outputs, first, weights, channel, channels, index, down, across
    cdef const real* x
    cdef const real* g
    cdef Chunk chunk
    cdef Tile tile
    first = unit % grad.weight_blocks * grad.block_weights
    unit //= grad.weight_blocks
    output = unit % grad.output_blocks * grad.block_outputs
    group = unit // grad.output_blocks
    weights = min(grad.block_weights, grad.weights - first)
    outputs = min(grad.block_outputs, grad.outputs - output)
    channel = first // grad.taps
    channels = (first + weights - 1) // grad.taps + 1 - channel
    x = grad.x + (group * grad.channels + channel) * grad.x_channel
    g = grad.g + (group * grad.outputs + output) * grad.g_channel
    find_weights(grad, first, weights, thread)
    tile.weight, tile.weights, tile.panel, tile.offset = thread.weight, weights, thread.panel, thread.offset
    tile.first = True
    down, across = ceil_div(grad.rows, grad.chunk_rows), ceil_div(grad.columns, grad.chunk_columns)
    for index in range(ceil_div(grad.images, grad.chunk_images) * down * across):
        chunk.image = index // across // down * grad.chunk_images
        chunk.row = index // across % down * grad.chunk_rows
        chunk.column = index % across * grad.chunk_columns
        chunk.images = min(grad.chunk_images, grad.images - chunk.image)
        chunk.rows = min(grad.chunk_rows, grad.rows - chunk.row)
        chunk.columns = min(grad.chunk_columns, grad.columns - chunk.column)
        tile.depth = chunk.images * chunk.rows * chunk.columns
        find_offsets(grad, &chunk, channels, thread)
        tile.x = thread.lines
        if grad.direct:
            tile.x = (x + chunk.image * grad.x_image + chunk.row * grad.down.stride * grad.x_row
                      + chunk.column * grad.across.stride)
        else:
            pack_chunk(grad, &chunk, x + chunk.image * grad.x_image, channels, thread.lines)
        sum_chunk(grad, &chunk, g + chunk.image * grad.g_image + chunk.row * grad.g_row + chunk.column, outputs, &tile,
                  thread)
        tile.first = False
    write_sums(grad, thread.sums, outputs, weights, grad.y + (group * grad.outputs + output) * grad.weights + first)


# ---- the units -----------------------------------------------------------------------------------------

cdef double unit_cost(const Grad* grad, Py_ssize_t weights, Py_ssize_t outputs) noexcept nogil:
    # In vectors' products for each pixel.
    cdef double packed = 0 if grad.direct else 0.5 * ceil_div(weights, grad.taps)
    return 2 + packed + 0.6 * outputs + ceil_div(weights, GRAD_MR) * GRAD_MR * ceil_div(outputs, VL)


cdef void partition(Grad* grad, Py_ssize_t threads) noexcept nogil:
    # The blocks that are done first by all threads.
    cdef Py_ssize_t parts, output_parts, weights, outputs, units, unit_weights
    cdef Py_ssize_t most_weights = max(<Py_ssize_t>1, MOST_WEIGHTS // grad.taps) * grad.taps
    cdef double cost, best = -1
    if grad.taps > MOST_WEIGHTS:
        most_weights = MOST_WEIGHTS
    for output_parts in range(ceil_div(grad.outputs, MOST_OUTPUTS), ceil_div(grad.outputs, VL) + 1):
        outputs = ceil_div(ceil_div(grad.outputs, output_parts), VL) * VL
        for parts in range(ceil_div(grad.weights, most_weights), ceil_div(grad.weights, most_weights) + 2 * threads + 2):
            unit_weights = ROWS if grad.taps > MOST_WEIGHTS else grad.taps
            weights = ceil_div(ceil_div(grad.weights, parts), unit_weights) * unit_weights
            if weights > most_weights:
                weights = most_weights
            units = ceil_div(grad.weights, weights) * ceil_div(grad.outputs, outputs) * grad.groups
            cost = ceil_div(units, threads) * unit_cost(grad, weights, outputs)
            if best < 0 or cost < 0.99 * best:
                best = cost
                grad.block_weights, grad.block_outputs = weights, outputs
        if output_parts > ceil_div(grad.outputs, MOST_OUTPUTS) + 2 * threads + 2:
            break
    grad.weight_blocks = ceil_div(grad.weights, grad.block_weights)
    grad.output_blocks = ceil_div(grad.outputs, grad.block_outputs)
    grad.block_channels = min(grad.channels, ceil_div(grad.block_weights, grad.taps) + (grad.taps > MOST_WEIGHTS))


cdef void cut(Grad* grad) noexcept nogil:
    # Chunks of about DEPTH pixels, by the sizes of the maps and of the batch alone.
    grad.chunk_columns = even_parts(grad.columns, DEPTH)
    grad.chunk_rows = even_parts(grad.rows, max(<Py_ssize_t>1, DEPTH // grad.chunk_columns))
    grad.chunk_images = 1
    if grad.chunk_rows == grad.rows and grad.chunk_columns == grad.columns:
        grad.chunk_images = even_parts(grad.images, max(<Py_ssize_t>1, DEPTH // (grad.rows * grad.columns)))


cdef Py_ssize_t lay_out(const Grad* grad, char* at, Thread* thread) noexcept nogil:
    # The bytes of a thread's scratch.
    cdef Py_ssize_t depth = grad.chunk_images * grad.chunk_rows * grad.chunk_columns
    cdef Py_ssize_t weights = ceil_div(grad.block_weights, ROWS) * ROWS
    thread.offset = <Py_ssize_t*>at
    thread.weight = thread.offset + ceil_div(depth, 8) * 8
    thread.panel = <real*>(thread.weight + ceil_div(weights, 8) * 8)
    thread.sums = thread.panel + depth * WIDTH
    thread.lines = thread.sums + weights * ceil_div(grad.block_outputs, WIDTH) * WIDTH
    if grad.direct:
        return <char*>thread.lines - at
    return ceil_div(<char*>(thread.lines + grad.chunk_images * grad.block_channels * grad.plane + VL) - at, 64) * 64


cdef void run_unit(const void* work, Py_ssize_t unit, char* scratch) noexcept nogil:
    cdef Thread thread
    lay_out(<const Grad*>work, scratch, &thread)
    sum_unit(<const Grad*>work, unit, &thread)


def weight_gradient(const real[:, :, :, :] x_bchw not None, const real[:, :, :, :] g_bchw not None,
                    real[:, :, :, ::1] y_ockk not None, Py_ssize_t groups, (Py_ssize_t, Py_ssize_t) stride,
                    (Py_ssize_t, Py_ssize_t) dilation, (Py_ssize_t, Py_ssize_t) before, bint padded, int border, real cval,
                    int num_threads):
    """Write the gradient by the weights of a convolution of `x_bchw` whose output's gradient is `g_bchw`.

    Columns of both lie side by side. Where no tap leaves the input, it is not `padded`.
    """
    cdef Grad grad
    cdef Thread thread
    cdef Py_ssize_t u, size, units, line = 64 // <Py_ssize_t>sizeof(real)
    cdef Py_ssize_t* starts
    cdef char* scratch
    memset(&grad, 0, sizeof(Grad))
    grad.images, grad.groups = x_bchw.shape[0], groups
    grad.channels, grad.outputs = x_bchw.shape[1] // groups, g_bchw.shape[1] // groups
    grad.height, grad.width, grad.rows, grad.columns = x_bchw.shape[2], x_bchw.shape[3], g_bchw.shape[2], g_bchw.shape[3]
    grad.kernel_h, grad.kernel_w = y_ockk.shape[2], y_ockk.shape[3]
    grad.taps = grad.kernel_h * grad.kernel_w
    grad.weights = grad.channels * grad.taps
    grad.x, grad.g, grad.y = &x_bchw[0, 0, 0, 0], &g_bchw[0, 0, 0, 0], &y_ockk[0, 0, 0, 0]
    grad.x_image, grad.x_channel = elements(x_bchw.strides[0]), elements(x_bchw.strides[1])
    grad.x_row, grad.g_row = elements(x_bchw.strides[2]), elements(g_bchw.strides[2])
    grad.g_image, grad.g_channel = elements(g_bchw.strides[0]), elements(g_bchw.strides[1])
    grad.border, grad.cval, grad.direct = border, cval, not padded
    grad.down.stride, grad.across.stride = stride[0], stride[1]
    grad.down.before, grad.across.before = before[0], before[1]
    cut(&grad)
    starts = <Py_ssize_t*>scratch_alloc((grad.kernel_h + grad.kernel_w) * (sizeof(Py_ssize_t) + sizeof(Run)))
    if starts == NULL:
        raise MemoryError("no memory for the tables of a weight gradient")
    grad.down.start, grad.across.start = starts, starts + grad.kernel_h
    grad.down.run = <Run*>(grad.across.start + grad.kernel_w)
    grad.across.run = grad.down.run + grad.kernel_h
    if grad.direct:
        for u in range(grad.kernel_h):
            grad.down.start[u] = u * dilation[0]
        for u in range(grad.kernel_w):
            grad.across.start[u] = u * dilation[1]
        grad.pitch, grad.plane = grad.x_row, grad.x_channel
    else:
        lay_line(&grad.down, grad.kernel_h, dilation[0], grad.chunk_rows)
        lay_line(&grad.across, grad.kernel_w, dilation[1], grad.chunk_columns)
        grad.pitch = grad.across.length
        grad.plane = (ceil_div(grad.down.length * grad.pitch + VL, line) | 1) * line
    partition(&grad, num_threads)
    units = grad.groups * grad.output_blocks * grad.weight_blocks
    num_threads = <int>min(<Py_ssize_t>num_threads, units)
    size = lay_out(&grad, NULL, &thread)
    scratch = <char*>scratch_alloc(num_threads * size)
    if scratch == NULL:
        scratch_free(starts)
        raise MemoryError("no memory for the scratch of a weight gradient")
    with nogil:
        run_units(run_unit, &grad, units, num_threads, scratch, size)
        scratch_free(starts)
        scratch_free(scratch)

# Winograd's convolution as a list of steps, and cut into units of work.
from convkit._native.arith cimport ceil_div
from convkit._native.simd cimport GEMM_MR, GEMM_NV, VL, real
from convkit._native.winograd_conv cimport Conv, Step
from convkit._native.winograd_tile cimport points, samples
from convkit._native.winograd_weights cimport block_depth

cdef enum:
    INPUT_BYTES = 6 << 20       # of a block's transformed input, at most
    PRODUCT_BYTES = 3 << 18     # of the products that are made before they are transformed back


cdef inline void list_steps(Conv* conv) noexcept nogil:
    # Sum by sum. With stride 2, odd rows and columns have no product at ∞, and one matrix for all points.
    cdef int count = points(conv.m, conv.stride), first = conv.stride - 1, row, column, phase, odd_row, odd_column
    cdef Step* step = conv.step
    for row in range(count):
        for column in range(count):
            for phase in range(conv.stride * conv.stride):
                odd_row, odd_column = phase // 2, phase % 2
                if odd_row and row == count - 1 or odd_column and column == count - 1:
                    continue
                step.matrix = (0 if odd_row else first + row) * (conv.m + 2) + (0 if odd_column else first + column)
                step.position = (row + count * odd_row) * conv.n + column + count * odd_column
                step.sum = row * count + column
                step.first = phase == 0
                step += 1


cdef inline Py_ssize_t even_split(Py_ssize_t units, Py_ssize_t most, Py_ssize_t threads) noexcept nogil:
    # Into how many pieces, at most `most`, each of some units is cut, so that all threads get as many.
    cdef Py_ssize_t pieces = 1
    while pieces < most and units * pieces % threads:
        pieces += 1
    return pieces


cdef inline void partition(Conv* conv, Py_ssize_t images, Py_ssize_t threads) noexcept nogil:
    # Blocks of as many vectors as registers hold sums for, if their transformed input leaves room in the caches: that of
    # stride 2, for as many outputs, is twice as large.
    cdef Py_ssize_t vector_bytes = conv.positions * conv.channels * VL * <Py_ssize_t>sizeof(real), most, extra, units
    conv.tiles_down = ceil_div(ceil_div(conv.rows, conv.dilation_h), conv.m)
    conv.tiles_across = ceil_div(ceil_div(conv.columns, conv.dilation_w), conv.m)
    conv.tiles = images * conv.dilation_h * conv.dilation_w * conv.tiles_down * conv.tiles_across
    conv.vectors = ceil_div(conv.tiles, VL)
    conv.few = conv.tiles % VL
    if conv.few > VL // 4 or conv.vectors == 1:
        conv.few = 0
    elif conv.few:
        conv.vectors -= 1
    extra = conv.few > 0
    most = min(<Py_ssize_t>(GEMM_NV if conv.stride == 1 else 2), max(<Py_ssize_t>1, INPUT_BYTES // vector_bytes - extra))
    conv.depth = block_depth(conv.channels)
    conv.slab = conv.channels
    if (1 + extra) * vector_bytes > INPUT_BYTES:
        conv.slab = INPUT_BYTES // ((1 + extra) * vector_bytes // conv.channels) // conv.depth * conv.depth
    conv.panels = ceil_div(conv.outputs, GEMM_MR)
    conv.blocks = ceil_div(conv.vectors, most)
    while conv.blocks < conv.vectors and (
            conv.groups * conv.blocks * conv.panels < threads       # too few units to share, or one each, of two sizes
            or conv.groups * conv.blocks == threads and conv.vectors % conv.blocks):
        conv.blocks += 1
    conv.block_vectors = ceil_div(conv.vectors, conv.blocks)
    most = PRODUCT_BYTES // (conv.sums * (conv.block_vectors + extra) * VL * <Py_ssize_t>sizeof(real) * GEMM_MR)
    conv.pass_panels = min(conv.panels, max(<Py_ssize_t>1, most))
    units = conv.groups * conv.blocks
    conv.shared = units % threads
    conv.alone = units - conv.shared
    conv.chunks = even_split(conv.shared, conv.panels, threads)


cdef inline void set_scheme(Conv* conv, int m, int stride) noexcept nogil:
    conv.m, conv.stride, conv.n, conv.span, conv.overlap = m, stride, samples(m, stride), m * stride, 3 - stride
    conv.matrices, conv.positions, conv.sums = (m + 2) * (m + 2), conv.n * conv.n, points(m, stride) * points(m, stride)
    list_steps(conv)

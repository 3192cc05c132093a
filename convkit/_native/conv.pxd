# What the core convolution knows of its work, and how it is cut.
from convkit._native.arith cimport elements, even_parts
from convkit._native.copies cimport copy_run
from convkit._native.epilogue cimport Epilogue, finish_rows
from convkit._native.planes cimport Planes
from convkit._native.simd cimport GEMM_DEPTH, GEMM_MR, GEMM_NV, GEMM_WIDE, VL, real

cdef enum:
    # Channels of a block of K that is read where it lies, each in a page of its own: as many as the first translation
    # buffer holds. Where few outputs share what is read, small tiles wait for it, and the processor foresees fewer
    # streams; where many do, tiles are packed, and only the L1 cache limits them.
    DIRECT_CHANNELS = 96
    FEW_DIRECT_CHANNELS = 32
    PACKED_CHANNELS = 128
    GATHERED_ROWS = 128         # more output channels than these repay a packed tile
    NEAR_OUTPUTS = 16           # for which packing takes as long as multiplying: what is packed stays in the L1 cache,
    NEAR_DEPTH = 64             # in smaller blocks of K
    MEMORY_BYTES = 8 << 20      # of an input from which on no cache near this core keeps it
    OUTPUT_BYTES = 2 << 20      # of an output that did not stay in the second cache since the last one like it


cdef struct Conv:
    Py_ssize_t groups, channels, outputs                # channels and outputs of one group
    Py_ssize_t rows, columns                            # of the output
    Py_ssize_t tap_rows, tap_columns                    # a tap for each pair of them
    const Py_ssize_t* tap_row
    const Py_ssize_t* tap_column
    Planes planes
    const real* x
    Py_ssize_t x_image
    real* y
    Py_ssize_t y_image, y_channel, y_row, y_column
    const real* weights                                 # [group][block of K][panel][k][row of the panel]
    const real* bias                                    # one vector for each output channel
    Py_ssize_t block_channels                           # of a block of K
    Py_ssize_t* offset                                  # in the planes, of each k of a block
    Py_ssize_t tile_vectors                             # of the largest tile
    bint from_memory, to_memory                         # the input is larger than a cache; the output
    bint roomy                                          # the second cache is large
    bint direct                                         # no planes: the taps' pixels lie so in the input itself
    bint near                                           # blocks of K, and bands, are small
    bint narrow                                         # tiles are packed once more, without gaps
    bint gathered                                       # direct, but a tile is packed before many panels pass over it
    Py_ssize_t* later_offset                            # in the output, of a panel's and tile's lines, one for each k
    Py_ssize_t* narrow_offset                           # in the packed tile, of each k of a block
    bint in_place                                       # tiles of whole vectors are summed in the output itself
    bint by_lines                                       # all are, one panel going along some output rows
    Py_ssize_t lines, piece                             # rows that do so together; pixels of a longer one
    Py_ssize_t sums_row                                 # elements of an output channel's sums
    Py_ssize_t band_rows, bands, strip_columns, strips, chunk_panels, chunks
    Epilogue epilogue


cdef inline void read_arrays(Conv* conv, const real[:, :, :, :] x_bchw, real[:, :, :, :] y_bchw,
                             Py_ssize_t groups) noexcept:
    # Sizes, places and strides.
    conv.groups, conv.channels, conv.outputs = groups, x_bchw.shape[1] // groups, y_bchw.shape[1] // groups
    conv.rows, conv.columns = y_bchw.shape[2], y_bchw.shape[3]
    conv.x, conv.y = &x_bchw[0, 0, 0, 0], &y_bchw[0, 0, 0, 0]
    conv.x_image = elements(x_bchw.strides[0])
    conv.y_image, conv.y_channel = elements(y_bchw.strides[0]), elements(y_bchw.strides[1])
    conv.y_row, conv.y_column = elements(y_bchw.strides[2]), elements(y_bchw.strides[3])
    conv.planes.height, conv.planes.width = x_bchw.shape[2], x_bchw.shape[3]
    conv.planes.x_channel = elements(x_bchw.strides[1])
    conv.planes.x_row, conv.planes.x_column = elements(x_bchw.strides[2]), elements(x_bchw.strides[3])


cdef inline bint stays_near(Py_ssize_t taps, Py_ssize_t channels, Py_ssize_t outputs, const Py_ssize_t[::1] tap_rows,
                            Py_ssize_t stride) noexcept nogil:
    # Whether a block is packed into the L1 cache: only where bands share no rows, which each would pack. Small tiles
    # gain nothing.
    cdef bint shares = tap_rows[tap_rows.shape[0] - 1] - tap_rows[0] >= stride
    return GEMM_MR > 4 and outputs <= NEAR_OUTPUTS and taps > 1 and channels * taps > GEMM_DEPTH and not shares


cdef inline Py_ssize_t channel_block(Py_ssize_t taps, Py_ssize_t channels, Py_ssize_t outputs, bint near) noexcept nogil:
    # Channels of a block of K: all taps of some, about GEMM_DEPTH products. A tile's pixels of it stay in the L1 cache
    # while all panels pass over them; partial sums keep rounding errors small.
    cdef Py_ssize_t direct = PACKED_CHANNELS if outputs > GATHERED_ROWS else DIRECT_CHANNELS
    cdef Py_ssize_t depth = NEAR_DEPTH if near else GEMM_DEPTH
    if GEMM_MR == 4 and outputs <= 2 * GEMM_MR:
        direct = FEW_DIRECT_CHANNELS
    return even_parts(channels, max(<Py_ssize_t>1, depth // taps) if taps > 1 else direct)


cdef inline Py_ssize_t widest(Py_ssize_t rows) noexcept nogil:
    # Vectors of the tile for panels of so many rows.
    return GEMM_WIDE(rows) if rows <= GEMM_MR // 2 else GEMM_NV


cdef inline Py_ssize_t planes_elements(const Conv* conv) noexcept nogil:
    # The last tile may lie beyond the last row's end.
    return 0 if conv.direct else conv.block_channels * conv.planes.channel + conv.tile_vectors * VL + VL


cdef inline Py_ssize_t tile_elements(const Conv* conv) noexcept nogil:
    if not (conv.narrow or conv.direct):
        return 0
    return conv.block_channels * conv.tap_rows * conv.tap_columns * conv.tile_vectors * VL + VL


cdef inline void finish_run(const Conv* conv, real* y, real* sums, Py_ssize_t n) noexcept nogil:
    # n sums of a row, to their places in an output of any strides.
    cdef Py_ssize_t i
    if not conv.epilogue.plain:
        finish_rows(&conv.epilogue, sums, 0, y, 0, 1, n)
    if conv.y_column == 1:
        copy_run(y, sums, n)
    else:
        for i in range(n):
            y[i * conv.y_column] = sums[i]

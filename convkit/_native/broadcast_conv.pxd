# What the convolution that broadcasts pixels knows of its work, and how its outputs are cut into panels.
from convkit._native.arith cimport ceil_div
from convkit._native.epilogue cimport Epilogue
from convkit._native.planes cimport Planes
from convkit._native.simd cimport GEMM_MR, GEMM_NV, GEMM_WIDE, real

cdef enum:
    MOST_SINGLE = 14            # pixels of a tile of one vector


cdef struct Run:                # output rows, or columns, that see the same taps
    Py_ssize_t begin, end
    Py_ssize_t first_tap, end_tap       # tap rows, or columns
    Py_ssize_t cost, gain               # of a channel and tap row; of joining it with the next one


cdef struct Conv:
    Py_ssize_t groups, channels, outputs                # channels and outputs of one group
    Py_ssize_t rows, columns                            # of the output
    Py_ssize_t tap_rows, tap_columns, taps
    const Py_ssize_t* tap_row
    const Py_ssize_t* tap_column
    Planes planes
    const real* x
    Py_ssize_t x_image
    real* y
    Py_ssize_t images, y_image, y_channel, y_row, y_column
    const real* weights                                 # [group][block of K][panel][channel][tap][output]
    const real* bias                                    # [group][output], whole vectors
    Py_ssize_t block_channels
    bint direct                                         # no planes: pixels are read where they lie in the input
    bint skip                                           # padding is zeros
    Py_ssize_t* offset                                  # of each channel's taps of a block of K, in the planes
    Run[31] run                                         # of all columns
    Py_ssize_t column_runs, column_cost
    Py_ssize_t stride_w
    Py_ssize_t image_step, row_step, column_step        # from one output pixel's to the next one's, in the planes
    Py_ssize_t vectors, panels                          # of one group's outputs
    Py_ssize_t run_images, runs                         # several only where a band is a whole map
    Py_ssize_t band_rows, bands, chunk_panels, chunks
    Epilogue epilogue


# ---- panels of outputs ---------------------------------------------------------------------------------
# Of GEMM_NV vectors; where one would be left over, the last two have two each: one alone keeps too few sums in flight.

cdef inline Py_ssize_t panel_count(Py_ssize_t vectors) noexcept nogil:
    return ceil_div(vectors, GEMM_NV)


cdef inline Py_ssize_t panel_start(Py_ssize_t vectors, Py_ssize_t panel) noexcept nogil:
    if GEMM_NV == 3 and vectors % 3 == 1 and vectors > 3 and panel == vectors // 3:
        return vectors - 2
    return min(panel * GEMM_NV, vectors)


cdef inline Py_ssize_t most_pixels(Py_ssize_t vectors) noexcept nogil:
    # Of a tile.
    return GEMM_MR if vectors > 2 else GEMM_WIDE(2) if vectors == 2 else MOST_SINGLE


cdef inline Py_ssize_t band_slots(const Conv* conv, Py_ssize_t rows) noexcept nogil:
    # Input rows under so many output rows.
    return (rows - 1) * conv.planes.stride_h + conv.tap_row[conv.tap_rows - 1] - conv.tap_row[0] + 1

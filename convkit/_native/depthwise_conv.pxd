# What the convolution with few channels a group knows of its work, and how it is cut.
from convkit._native.epilogue cimport Epilogue
from convkit._native.simd cimport LINE, STRIP_ROWS, real, vec_lanes

cdef enum:
    PITCH = 27 * LINE       # elements: an odd number of cache lines, so that rows fall into different sets
    APART = 8 * STRIP_ROWS * PITCH


cdef struct Conv:
    Py_ssize_t groups, channels, outputs                # channels and outputs of one group
    Py_ssize_t height, width, rows, columns             # of the input; of the output
    Py_ssize_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, before_h, before_w
    const real* x
    Py_ssize_t x_image, x_channel, x_row, x_column      # strides in elements
    real* y
    Py_ssize_t y_image, y_channel, y_row, y_column
    int border
    real cval
    const real* weights                                 # [group][block of outputs][tap][kernel row][output]
    const real* bias                                    # [group][output]
    Py_ssize_t products                                 # of an output
    int chunk                                           # kernel rows of a tap, where one or two outputs are summed
    Py_ssize_t chunk_taps, taps                         # taps of whole chunks come first, then those of one row
    Py_ssize_t rows_apart                               # of a tile: their kernel rows lie on one another's
    int step                                            # kernel rows from one of these to the next, in chunks
    Py_ssize_t band_rows, bands
    Py_ssize_t strip_rows, strip_columns, strips        # output pixels of a strip; strips beside each other
    Py_ssize_t reach, vectors                           # columns of a plane beyond its outputs; vectors of its rows
    Py_ssize_t planes, plane, channel                   # planes that are read; elements of a plane, of a channel
    const Py_ssize_t* tap_offset                        # in the strip
    const Py_ssize_t* row_tap_offset                    # the same with all kernel rows apart
    const Py_ssize_t* source                            # input column of each strip column, -1 for the constant
    const vec_lanes* lanes                              # of a strip's vectors, before they are split: those inside
    Py_ssize_t units
    bint in_place                                       # sums are written to the output before they are finished
    bint from_memory                                    # the output's lines, in rows of several: see `ask_for_output`
    bint by_twos                                        # and the input is read where it lies: with stride 2,
    bint by_rows                                        # or with stride 1
    Epilogue epilogue

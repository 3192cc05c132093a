# What Winograd's convolution knows of its work: sizes, how it is cut, and where tiles come from and go to.
from convkit._native.epilogue cimport Epilogue
from convkit._native.simd cimport real, vec_lanes

cdef enum:
    MOST_LANES = 16             # of any build
    MOST_SAMPLES = 9            # n
    MOST_VECTORS_OF_A_LINE = 8  # m·stride


cdef struct Step:               # what is multiplied with what, and the sum that it is added to
    int matrix, position, sum
    bint first                  # of the sum


cdef struct Conv:
    int m, stride                                       # F(m×m, 3×3)
    int n, span, overlap        # pixels of a line of a tile; between tiles; of two tiles
    int matrices, positions, sums                       # of weights; of transformed pixels, n·n; of products
    Step step[MOST_SAMPLES * MOST_SAMPLES]
    Py_ssize_t groups, channels, outputs, panels        # of one group
    Py_ssize_t height, width, rows, columns             # of the input; of the output
    Py_ssize_t top, left, dilation_h, dilation_w
    const real* x
    Py_ssize_t x_image, x_channel, x_row, x_column      # strides in elements
    real* y
    Py_ssize_t y_image, y_channel, y_row, y_column
    int border
    real cval
    const real* weights                                 # [group][matrix][block of K][panel][k][GEMM_MR]
    const real* bias
    Py_ssize_t tiles_down, tiles_across, tiles          # of a phase of an image; of all images
    Py_ssize_t vectors, few                             # of tiles, and tiles that fill no vector
    Py_ssize_t blocks, block_vectors                    # vectors are dealt to blocks, the last takes the few
    Py_ssize_t depth                                    # channels of a block of K
    Py_ssize_t slab                                     # channels transformed at a time
    Py_ssize_t pass_panels                              # multiplied before their products are transformed back
    Py_ssize_t alone, shared                            # units of one thread; units of all threads
    Py_ssize_t chunks                                   # of a shared unit's panels
    Epilogue epilogue


cdef struct Copy:               # elements of a row of an image, and where they are in scratch
    Py_ssize_t image, line, count


cdef enum Kind:                 # how the rows of a vector of tiles are read
    WHOLE                       # one run of pixels: the last tile's last pixels lie behind it
    PIECED                      # several, of at least as many pixels as a vector has: no vector is of three
    GATHERED                    # first copied to lines, between other pixels
    SPREAD                      # each pixel has a register of its own already


cdef struct Piece:              # a vector of a row's pixels: places in a channel, and the lanes that are read there
    Py_ssize_t first, second
    vec_lanes first_lanes, second_lanes


cdef struct Behind:             # a pixel behind a run, and the lane of the run's last tile; 0: there is none
    Py_ssize_t place
    vec_lanes lane


cdef struct Lanes:              # one vector of tiles: where it comes from, for every channel
    Kind kind
    Py_ssize_t x                # WHOLE: its first pixel
    Piece piece[MOST_SAMPLES * MOST_VECTORS_OF_A_LINE]  # PIECED: [row][vector]
    Behind behind[MOST_SAMPLES * 2 * MOST_LANES]        # [row][pixel][run]
    int runs
    vec_lanes inner             # tiles whose next one is of the same run
    Py_ssize_t x_copies, x_pixels, x_constants
    Copy x_copy[MOST_LANES * MOST_SAMPLES]
    Copy x_pixel[MOST_LANES * MOST_SAMPLES * MOST_SAMPLES]      # of one element each: at borders, and behind a run
    Copy x_constant[MOST_LANES * MOST_SAMPLES * MOST_SAMPLES]
    real ends[MOST_LANES]       # 1 for a tile that is the last of its run


cdef struct Part:               # tiles of a block that are multiplied together
    Py_ssize_t vectors, few     # `few` tiles of one vector, or all of all
    Py_ssize_t tiles            # of few, with some that are not there
    Lanes* lanes
    Copy* y_copy                # where the tiles go to, for every output channel
    Py_ssize_t y_copies
    real* v                     # [position][channel][tile], or of few, [position][tile][channel]
    real* products              # [sum][output][tile], or [sum][tile][output]
    Py_ssize_t v_position, v_tile, products_sum, products_tile

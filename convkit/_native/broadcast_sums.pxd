# The sums of a tile of the convolution that broadcasts pixels, in registers: MR pixels by NV vectors of outputs.
from convkit._native.simd cimport VL, prefetch_far, real, vec, vec_load, vec_set, vec_store


cdef struct Tile:               # MR pixels, and those after them
    Py_ssize_t count
    Py_ssize_t channels, lines, taps    # taps in some lines, of so many columns of a kernel each
    Py_ssize_t line_taps        # from one line's first tap to the next one's
    const Py_ssize_t* offset
    const real* x
    Py_ssize_t x_channel, step
    const real* weights
    Py_ssize_t weights_channel
    real* sums
    Py_ssize_t sums_row
    const real* addend          # the bias, or the sums themselves
    Py_ssize_t addend_row
    const real* later           # asked for meanwhile: a line for each product
    Py_ssize_t later_step, later_tile


cdef inline void sum_tiles(const int MR, const int NV, const Tile* tile) noexcept nogil:
    cdef vec acc[24]
    cdef vec w[3]
    cdef vec x
    cdef const real* pixels
    cdef const real* weights
    cdef const real* line_weights
    cdef const real* channel
    cdef const real* begin = tile.x
    cdef const real* addend = tile.addend
    cdef const real* later
    cdef real* sums = tile.sums
    cdef const Py_ssize_t* offset
    cdef Py_ssize_t n, _, t, later_step = tile.later_step, taps = tile.taps, step = tile.step
    cdef Py_ssize_t sums_row = tile.sums_row, addend_row = tile.addend_row
    cdef int i, j
    for n in range(tile.count):
        later = tile.later + n * tile.later_tile
        for i in range(MR):
            for j in range(NV):
                acc[i * NV + j] = vec_set(0)
        channel, weights = begin, tile.weights
        for _ in range(tile.channels):
            offset, line_weights = tile.offset, weights
            for _ in range(tile.lines):
                for t in range(taps):
                    pixels = channel + offset[t]
                    prefetch_far(later)
                    later += later_step
                    for j in range(NV):
                        w[j] = vec_load(line_weights + (t * NV + j) * VL)
                    for i in range(MR):
                        x = vec_set(pixels[i * step])
                        for j in range(NV):
                            acc[i * NV + j] = acc[i * NV + j] + x * w[j]
                offset += tile.line_taps
                line_weights += tile.line_taps * NV * VL
            channel += tile.x_channel
            weights += tile.weights_channel
        for i in range(MR):
            for j in range(NV):
                vec_store(sums + j * VL, vec_load(addend + j * VL) + acc[i * NV + j])
            sums += sums_row
            addend += addend_row
        begin += MR * step

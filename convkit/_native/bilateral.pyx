"""Bilateral smoothing: a mean of neighbours, each weighted by how near it lies and how alike it is.

Each channel has lines of its own, in floating point, so that a vector holds as many pixels. A weight is one
exponential, of the sum of the two exponents: of integers a polynomial to 3e-6, which is far below their rounding,
of floats to the last two units.
"""
from convkit._native.epilogue cimport SHIFTER, exp_negative
from convkit._native.pixel cimport KL, PIXEL_IS_KEY, key, pixel, pixel_of
from convkit._native.simd cimport (
    VL, real, scratch_alloc, scratch_free, vec, vec_exponent_add, vec_load, vec_max, vec_minus_abs, vec_set, vec_store,
)
from convkit._native.window cimport Tile, Window, close_window, load_row, open_window, run_tiles, store_row

cdef enum:
    LINE = 1024  # keys: the lines of a tile stay in the second-level cache
    BLOCK = 2  # vectors that are summed together
    LOWEST = -125  # power of 2: all weights are normal numbers, others cost a hundred cycles
    FEW = 3  # channels whose sums find room in registers

cdef struct Tap:
    Py_ssize_t row, column
    real exponent  # of the distance in space

cdef struct Weights:
    Tap* taps
    Py_ssize_t count
    Py_ssize_t own  # the tap of the pixel itself, of integers, which differ from themselves by nothing; or -1
    real own_weight
    real steepness  # the exponent is -steepness · difference² + that of the tap
    bint deep  # whether exponents are so low that powers of 2 leave the numbers

cdef struct Near:  # a tap of one row: a pixel's neighbour, in the lines of its first channel
    const real* line
    real exponent


cdef inline vec weight_of(vec difference, real exponent, const Weights* weights, const bint deep) noexcept nogil:
    """e to the power of both exponents; of integers, which have theirs in units of ln 2, nearly."""
    cdef vec x = difference * difference * (-weights.steepness) + vec_set(exponent)
    cdef vec shifted, rest
    if not PIXEL_IS_KEY:
        return exp_negative(x)
    if deep:
        x = vec_max(vec_set(LOWEST), x)
    shifted = x + vec_set(SHIFTER)  # the best polynomial of degree 4 for 2ˣ on [-1/2, 1/2], relative to 2ˣ
    rest = x - (shifted - vec_set(SHIFTER))
    x = rest * <real>0.0095701017 + vec_set(0.055917862)
    x = x * rest + vec_set(0.24024745)
    x = x * rest + vec_set(0.69312181)
    return vec_exponent_add(x * rest + vec_set(0.99999926), shifted)


cdef inline vec weight_at(
    const real* there, const real* here, Py_ssize_t step, real exponent, const Weights* weights, Py_ssize_t channels,
    const bint single, const bint deep
) noexcept nogil:
    """The weights of a vector of neighbours; `single`: of one channel."""
    cdef vec difference = vec_set(0)
    cdef Py_ssize_t c
    if single:
        return weight_of(vec_load(there) - vec_load(here), exponent, weights, deep)
    for c in range(channels):
        difference = difference + vec_minus_abs(vec_load(there + c * step) - vec_load(here + c * step))
    return weight_of(difference, exponent, weights, deep)


cdef inline void mean_block(
    const Near* near, const real* here, Py_ssize_t step, const Weights* weights, Py_ssize_t channels, Py_ssize_t first,
    real** lines, Py_ssize_t at, const int wanted, const bint deep
) noexcept nogil:
    """Channels first, first + 1, ... of BLOCK vectors of pixels; channels are `step` apart."""
    cdef vec sums[FEW * BLOCK]
    cdef vec total[BLOCK]
    cdef vec weight
    cdef const real* there
    cdef Py_ssize_t t
    cdef int v, w
    for v in range(BLOCK):
        total[v] = vec_set(0)
        for w in range(wanted):
            sums[w * BLOCK + v] = vec_set(0)
    for t in range(weights.count):
        there = near[t].line + at
        for v in range(BLOCK):
            if t == weights.own:
                weight = vec_set(weights.own_weight)
            else:
                weight = weight_at(
                    there + v * VL, here + at + v * VL, step, near[t].exponent, weights, channels, wanted == channels == 1,
                    deep,
                )
            total[v] = total[v] + weight
            for w in range(wanted):
                sums[w * BLOCK + v] = sums[w * BLOCK + v] + weight * vec_load(there + (first + w) * step + v * VL)
    for w in range(wanted):
        for v in range(BLOCK):
            vec_store(lines[w] + at + v * VL, sums[w * BLOCK + v] / total[v])


cdef inline void mean_row(
    const Near* near, const real* here, Py_ssize_t step, const Weights* weights, Py_ssize_t channels, Py_ssize_t pixels,
    real* line, const bint deep
) noexcept nogil:
    """`channels` lines of means."""
    cdef Py_ssize_t at, c
    cdef real* lines[FEW]
    for c in range(FEW):
        lines[c] = line + c * step
    at = 0
    while at < pixels:
        if channels == 1:
            mean_block(near, here, step, weights, 1, 0, lines, at, 1, deep)
        elif channels == FEW:
            mean_block(near, here, step, weights, FEW, 0, lines, at, FEW, deep)
        else:
            for c in range(channels):
                lines[0] = line + c * step
                mean_block(near, here, step, weights, channels, c, lines, at, 1, deep)
        at += BLOCK * VL


cdef inline void split_known(
    const key* keys, real* lines, Py_ssize_t step, Py_ssize_t pixels, const Py_ssize_t channels
) noexcept nogil:
    cdef Py_ssize_t x, c
    for x in range(pixels):
        for c in range(channels):
            lines[c * step + x] = <real>pixel_of(keys[x * channels + c])


cdef void split(const key* keys, real* lines, Py_ssize_t step, Py_ssize_t pixels, Py_ssize_t channels) noexcept nogil:
    """A line of keys as one line of each channel; of numbers of them that it knows, the compiler makes vectors."""
    if channels == 1:
        split_known(keys, lines, step, pixels, 1)
    elif channels == 3:
        split_known(keys, lines, step, pixels, 3)
    else:
        split_known(keys, lines, step, pixels, channels)


cdef inline void merge_known(
    const real* lines, pixel* target, Py_ssize_t step, Py_ssize_t pixels, const Py_ssize_t channels
) noexcept nogil:
    cdef Py_ssize_t x, c
    for x in range(pixels):
        for c in range(channels):
            if PIXEL_IS_KEY:  # rounded to nearest, halves to even
                target[x * channels + c] = <pixel><int>((lines[c * step + x] + SHIFTER) - SHIFTER)
            else:
                target[x * channels + c] = <pixel>lines[c * step + x]


cdef void merge(const real* lines, pixel* target, Py_ssize_t step, Py_ssize_t pixels, Py_ssize_t channels) noexcept nogil:
    """The lines of the channels as one of pixels."""
    if channels == 1:
        merge_known(lines, target, step, pixels, 1)
    elif channels == 3:
        merge_known(lines, target, step, pixels, 3)
    else:
        merge_known(lines, target, step, pixels, channels)


cdef void bilateral_tile(const Window* w, const void* how, Tile tile, key* scratch) noexcept nogil:
    cdef const Weights* weights = <const Weights*>how
    cdef Py_ssize_t wide = tile.pixels + w.columns - 1, channels = w.channels, y, k, t
    # from one channel's line to the next, with room for a block of vectors beyond the last pixel
    cdef Py_ssize_t step = (w.strip + w.columns + BLOCK * VL + 15) // 16 * 16
    cdef Py_ssize_t each = step * channels
    cdef Near* near = <Near*>scratch
    cdef real* ring = <real*>(near + (weights.count + 7) // 8 * 8)
    cdef real* means = ring + w.rows * each
    cdef key* keys = <key*>(means + each)
    cdef const Tap* tap
    for y in range(tile.top, tile.bottom):
        for k in range(0 if y == tile.top else w.rows - 1, w.rows):
            load_row(w, tile, y + k, keys)
            split(keys, ring + (y + k) % w.rows * each, step, wide, channels)
        for t in range(weights.count):
            tap = &weights.taps[t]
            near[t].line = ring + (y + tap.row) % w.rows * each + tap.column
            near[t].exponent = tap.exponent
        k = (y + w.rows // 2) % w.rows
        if weights.deep:
            mean_row(near, ring + k * each + w.columns // 2, step, weights, channels, tile.pixels, means, True)
        else:
            mean_row(near, ring + k * each + w.columns // 2, step, weights, channels, tile.pixels, means, False)
        merge(means, <pixel*>keys, step, tile.pixels, channels)
        store_row(w, tile, y, <pixel*>keys)


cdef int find_own(Weights* weights, const Window* w) except -1:
    cdef real one[VL]
    cdef Py_ssize_t t
    cdef const Tap* tap
    weights.own = -1
    for t in range(weights.count if PIXEL_IS_KEY else 0):
        tap = &weights.taps[t]
        if tap.row == w.rows // 2 and tap.column == w.columns // 2:
            vec_store(one, weight_of(vec_set(0), tap.exponent, weights, weights.deep))
            weights.own, weights.own_weight = t, one[0]
    return 0


def bilateral(
    image not None, out not None, taps, double steepness, bint deep, extent, anchor, int border, double outside,
    int threads
):
    """Write the bilateral mean of each window of `image` into `out`: HW or HWC arrays of any strides.

    Each of `taps` is (row, column, exponent); exponents and steepness are in units of ln 2 for integers.
    """
    cdef Window w
    cdef Py_buffer views[2]
    cdef Weights weights
    cdef Py_ssize_t i, line, bytes_each
    weights.count, weights.steepness, weights.deep = len(taps), <real>steepness, deep
    weights.taps = <Tap*>scratch_alloc(weights.count * sizeof(Tap))
    if weights.taps == NULL:
        raise MemoryError("no memory for the taps")
    try:
        for i, (row, column, exponent) in enumerate(taps):
            weights.taps[i].row, weights.taps[i].column, weights.taps[i].exponent = row, column, exponent
        open_window(&w, views, image, out, extent, anchor, border, outside)
        try:
            find_own(&weights, &w)
            line = max(LINE, w.channels * (w.columns + 64) + 2 * KL)
            bytes_each = (w.rows + 1) * (line + w.channels * (BLOCK * VL + 32)) * sizeof(real)
            bytes_each += (weights.count + 8) * sizeof(Near)
            run_tiles(&w, bilateral_tile, &weights, 1, bytes_each, threads, line)
        finally:
            close_window(views)
    finally:
        scratch_free(weights.taps)

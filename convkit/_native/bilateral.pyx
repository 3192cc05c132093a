"""Bilateral smoothing: a mean of neighbours, each weighted by how near it lies and how alike it is.

Each channel has lines of its own, in floating point, so that a vector holds as many pixels. A weight is one
exponential, of the sum of the two exponents: of integers a polynomial to 3e-6, which is far below their rounding,
of floats to the last two units. Two neighbours weigh as much for each other: where all of a window's weights stay near,
each is computed once, a line of each tap, and kept until the lower pixel needs it.
"""
from convkit._native.arith cimport odd_lines
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
    SHARED_BYTES = 384 * 1024  # of weights that are kept
    LEAST = 128  # pixels of a line, below which the ends of lines of weights cost more than they save

cdef struct Tap:
    Py_ssize_t row, column
    real exponent  # of the distance in space
    Py_ssize_t kept, shared  # lines of its weights, and the number of the first

cdef struct Weights:
    Tap* taps  # those of the last half are those of the first, seen from the other end
    Py_ssize_t count
    Py_ssize_t shared  # lines of weights that are kept, or 0
    Py_ssize_t own  # the tap of the pixel itself, of integers, which differ from themselves by nothing; or -1
    real own_weight
    real steepness  # the exponent is -steepness · difference² + that of the tap
    bint deep  # whether exponents are so low that powers of 2 leave the numbers

cdef struct Near:  # a tap of one row: a pixel's neighbour, in the lines of its first channel
    const real* line
    const real* weights  # if they are kept, or NULL
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
    real** lines, Py_ssize_t at, const int wanted, const bint shares, const bint deep
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
            elif shares and near[t].weights != NULL:
                weight = vec_load(near[t].weights + at + v * VL)
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
    real* line, const bint shares, const bint deep
) noexcept nogil:
    """`channels` lines of means."""
    cdef Py_ssize_t at, c
    cdef real* lines[FEW]
    for c in range(FEW):
        lines[c] = line + c * step
    at = 0
    while at < pixels:
        if channels == 1:
            mean_block(near, here, step, weights, 1, 0, lines, at, 1, shares, deep)
        elif channels == FEW:
            mean_block(near, here, step, weights, FEW, 0, lines, at, FEW, shares, deep)
        else:
            for c in range(channels):
                lines[0] = line + c * step
                mean_block(near, here, step, weights, channels, c, lines, at, 1, shares, deep)
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


cdef struct Lines:  # of a tile
    real* ring  # of the rows of windows, one for each channel
    real* shared  # weights
    Py_ssize_t step  # from line to line


cdef inline Py_ssize_t step_of(Py_ssize_t pixels, Py_ssize_t columns) noexcept nogil:
    """From line to line, with room for a block of vectors beyond the last pixel."""
    return odd_lines(pixels + columns + BLOCK * VL, sizeof(real))


cdef inline real* ring_row(const Window* w, const Lines* lines, Py_ssize_t row) noexcept nogil:
    return lines.ring + row % w.rows * w.channels * lines.step


# ---- weights that two pixels share ------------------------------------------------------------------
cdef inline void weigh_line(
    const real* here, const real* there, Py_ssize_t step, real exponent, const Weights* weights, Py_ssize_t channels,
    real* line, Py_ssize_t n, const bint single, const bint deep
) noexcept nogil:
    cdef Py_ssize_t at = 0
    cdef int v
    while at < n:
        for v in range(BLOCK):
            vec_store(
                line + at + v * VL,
                weight_at(there + at + v * VL, here + at + v * VL, step, exponent, weights, channels, single, deep))
        at += BLOCK * VL


cdef inline real* shared_line(const Lines* lines, const Tap* tap, Py_ssize_t y) noexcept nogil:
    """The weights of a tap of the last half for output row `y`, at most as many above the image as lines are kept."""
    return lines.shared + (tap.shared + (y + tap.kept) % tap.kept) * lines.step


cdef void weigh_row(
    const Window* w, const Weights* weights, const Lines* lines, Py_ssize_t y, Py_ssize_t least, Py_ssize_t wide
) noexcept nogil:
    """What the pixels of output row `y` and those of rows from `least` on, its own or below, weigh for each other."""
    cdef Py_ssize_t t, first, n
    cdef const Tap* tap
    cdef const real* here = ring_row(w, lines, y + w.rows // 2)
    cdef const real* there
    cdef real* line
    for t in range(weights.count // 2 + 1, weights.count):
        tap = &weights.taps[t]
        if y + tap.row - w.rows // 2 < least:
            continue
        first = max(w.columns // 2 - tap.column, 0)
        n = wide - max(tap.column - w.columns // 2, 0) - first
        line = shared_line(lines, tap, y) + first
        there = ring_row(w, lines, y + tap.row) + first + tap.column - w.columns // 2
        if w.channels == 1 and PIXEL_IS_KEY and weights.deep:
            weigh_line(here + first, there, lines.step, tap.exponent, weights, 1, line, n, True, True)
        elif w.channels == 1:
            weigh_line(here + first, there, lines.step, tap.exponent, weights, 1, line, n, True, False)
        elif PIXEL_IS_KEY and weights.deep:
            weigh_line(here + first, there, lines.step, tap.exponent, weights, w.channels, line, n, False, True)
        else:
            weigh_line(here + first, there, lines.step, tap.exponent, weights, w.channels, line, n, False, False)


# ---- tiles ------------------------------------------------------------------------------------------
cdef void find_near(const Window* w, const Weights* weights, const Lines* lines, Py_ssize_t y, Near* near) noexcept nogil:
    cdef Py_ssize_t t, half = weights.count // 2, middle = w.columns // 2
    cdef const Tap* tap
    cdef const Tap* other
    for t in range(weights.count):
        tap, other = &weights.taps[t], &weights.taps[weights.count - 1 - t]
        near[t].line = ring_row(w, lines, y + tap.row) + tap.column
        near[t].exponent, near[t].weights = tap.exponent, NULL
        if weights.shared and t > half:
            near[t].weights = shared_line(lines, tap, y) + middle
        elif weights.shared and t < half:  # what the pixel there found
            near[t].weights = shared_line(lines, other, y + tap.row - w.rows // 2) + tap.column


cdef void bilateral_tile(const Window* w, const void* how, Tile tile, key* scratch) noexcept nogil:
    cdef const Weights* weights = <const Weights*>how
    cdef Py_ssize_t wide = tile.pixels + w.columns - 1, channels = w.channels, y, k
    cdef Near* near = <Near*>scratch
    cdef Lines lines
    cdef const real* here
    cdef real* means
    cdef key* keys
    lines.step = step_of(w.strip, w.columns)
    lines.ring = <real*>(near + (weights.count + 7) // 8 * 8)
    lines.shared = lines.ring + w.rows * channels * lines.step
    means = lines.shared + weights.shared * lines.step
    keys = <key*>(means + channels * lines.step)
    for y in range(tile.top, tile.bottom):
        for k in range(0 if y == tile.top else w.rows - 1, w.rows):
            load_row(w, tile, y + k, keys)
            split(keys, ring_row(w, &lines, y + k), lines.step, wide, channels)
        if weights.shared:
            for k in range(y - w.rows // 2 if y == tile.top else y, y + 1):
                weigh_row(w, weights, &lines, k, y, wide)
        find_near(w, weights, &lines, y, near)
        here = ring_row(w, &lines, y + w.rows // 2) + w.columns // 2
        if weights.shared:  # all but the pixel's own, which is not deep
            mean_row(near, here, lines.step, weights, channels, tile.pixels, means, True, False)
        elif weights.deep:
            mean_row(near, here, lines.step, weights, channels, tile.pixels, means, False, True)
        else:
            mean_row(near, here, lines.step, weights, channels, tile.pixels, means, False, False)
        merge(means, <pixel*>keys, lines.step, tile.pixels, channels)
        store_row(w, tile, y, <pixel*>keys)


cdef Py_ssize_t share(Weights* weights, const Window* w) noexcept:
    """Where weights are kept, until the row below that a tap reaches has used them; the pixels of a line."""
    cdef Py_ssize_t t, pixels = max(LINE // w.channels, w.columns + 64), most
    cdef Tap* tap
    if w.out_width < LEAST or (PIXEL_IS_KEY and w.channels == 1 and VL > 8):
        return pixels  # such weights are computed as fast as loaded
    for t in range(weights.count // 2 + 1, weights.count):
        tap = &weights.taps[t]
        tap.kept, tap.shared = tap.row - w.rows // 2 + 1, weights.shared
        weights.shared += tap.kept
    if weights.shared:
        most = SHARED_BYTES // (weights.shared * <Py_ssize_t>sizeof(real)) - w.columns - BLOCK * VL
        if most >= LEAST:
            return min(pixels, most)
        weights.shared = 0
    return pixels


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
    cdef Py_ssize_t i, pixels, line, step, bytes_each
    weights.count, weights.shared, weights.steepness, weights.deep = len(taps), 0, <real>steepness, deep
    weights.taps = <Tap*>scratch_alloc(weights.count * sizeof(Tap))
    if weights.taps == NULL:
        raise MemoryError("no memory for the taps")
    try:
        for i, (row, column, exponent) in enumerate(taps):
            weights.taps[i].row, weights.taps[i].column, weights.taps[i].exponent = row, column, exponent
        open_window(&w, views, image, out, extent, anchor, border, outside)
        try:
            find_own(&weights, &w)
            pixels = share(&weights, &w)
            line = pixels * w.channels + 2 * KL
            step = step_of(pixels, w.columns)
            bytes_each = ((w.rows + 1) * w.channels + weights.shared) * step * sizeof(real)
            bytes_each += (weights.count + 8) * sizeof(Near)
            run_tiles(&w, bilateral_tile, &weights, 1, bytes_each, threads, line)
        finally:
            close_window(views)
    finally:
        scratch_free(weights.taps)

"""Canny's edges: gradients, the thinning to local maxima, and hysteresis on rows of bits.

Bands of rows go through three lines of gradients and end as two bits for each pixel: a local maximum above the low
threshold, and one above the high. 64 pixels lie in a word, so hysteresis floods a whole run of pixels at once: added
to the mask of weak pixels, a strong one carries on to the end of its run; towards the other end, six doubling steps
do. In each band, while it is near, a sweep down and one up reach most; contours that wind on are followed by a list of
words that changed, since further sweeps would pass whole rows for each turn of them. Then they are followed from where
bands meet.
"""
from cpython.buffer cimport PyBUF_ANY_CONTIGUOUS, PyBuffer_Release, PyObject_GetBuffer
from libc.math cimport fabsf
from libc.stdint cimport int16_t, int32_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from convkit._native.arith cimport ceil_div
from convkit._native.pixel cimport key, pixel
from convkit._native.shares cimport run_units
from convkit._native.simd cimport bits_to_bytes, bytes_to_bits, scratch_alloc, scratch_free
from convkit._native.window cimport Tile, Window, close_window, load_row, open_window, store_row

ctypedef fused strength:
    int16_t
    int32_t

cdef enum:
    BAND = 64
    WEAK = 1
    STRONG = 2
    NONE = -1

cdef double TAN_22 = 0.41421356237309503  # of 22.5°, and of 67.5°
cdef double TAN_67 = 2.414213562373095

cdef struct Maps:  # a bit for each pixel, with a word of zeros on both sides
    uint64_t* weak
    uint64_t* strong
    Py_ssize_t* listed  # of each word whose change has not been followed, 1 + the one listed before it or NONE; else 0
    Py_ssize_t words, step

cdef struct Edges:
    Window window
    Maps maps
    const float* dx  # given gradients, HW and packed; NULL: those of the window's image
    const float* dy
    double low, high
    bint l2
    Py_ssize_t line  # elements of a line of scratch


# ---- gradients --------------------------------------------------------------------------------------
cdef inline void down(
    const uint8_t** rows, int16_t* smooth, int16_t* slope, Py_ssize_t n, const int aperture
) noexcept nogil:
    """The vertical half of the two Sobel kernels."""
    cdef Py_ssize_t x
    cdef const uint8_t* a = rows[0]
    cdef const uint8_t* b = rows[1]
    cdef const uint8_t* c = rows[2]
    cdef const uint8_t* d = rows[min(3, aperture - 1)]
    cdef const uint8_t* e = rows[min(4, aperture - 1)]
    cdef const uint8_t* f = rows[min(5, aperture - 1)]
    cdef const uint8_t* g = rows[aperture - 1]
    if aperture == 3:
        for x in range(n):
            smooth[x] = <int16_t>(a[x] + 2 * b[x] + c[x])
            slope[x] = <int16_t>(c[x] - a[x])
    elif aperture == 5:
        for x in range(n):
            smooth[x] = <int16_t>(a[x] + e[x] + 4 * (b[x] + d[x]) + 6 * c[x])
            slope[x] = <int16_t>(e[x] - a[x] + 2 * (d[x] - b[x]))
    else:
        for x in range(n):
            smooth[x] = <int16_t>(a[x] + g[x] + 6 * (b[x] + f[x]) + 15 * (c[x] + e[x]) + 20 * d[x])
            slope[x] = <int16_t>(g[x] - a[x] + 4 * (f[x] - b[x]) + 5 * (e[x] - c[x]))


cdef inline int16_t sixteenth(int32_t v) noexcept nogil:
    """v / 16, halves to even."""
    return <int16_t>((v + 7 + ((v >> 4) & 1)) >> 4)


# Each writes one line: compilers ask before a loop whether what it writes is what it reads, and give up at a few lines.
cdef inline void slope_across(
    const int16_t* line, Py_ssize_t c, int16_t* dx, Py_ssize_t n, const int aperture
) noexcept nogil:
    """The horizontal half of ∂/∂x; an aperture of 7 is scaled by 1/16, so that 16 bits hold it."""
    cdef Py_ssize_t x
    cdef int32_t sum_
    for x in range(n):
        if aperture == 3:
            dx[x] = <int16_t>(line[x + 2 * c] - line[x])
        elif aperture == 5:
            dx[x] = <int16_t>(line[x + 4 * c] - line[x] + 2 * (line[x + 3 * c] - line[x + c]))
        else:
            sum_ = <int32_t>line[x + 6 * c] - line[x] + 4 * (<int32_t>line[x + 5 * c] - line[x + c])
            dx[x] = sixteenth(sum_ + 5 * (<int32_t>line[x + 4 * c] - line[x + 2 * c]))


cdef inline void smooth_across(
    const int16_t* line, Py_ssize_t c, int16_t* dy, Py_ssize_t n, const int aperture
) noexcept nogil:
    """The horizontal half of ∂/∂y."""
    cdef Py_ssize_t x
    cdef int32_t sum_
    for x in range(n):
        if aperture == 3:
            dy[x] = <int16_t>(line[x] + 2 * line[x + c] + line[x + 2 * c])
        elif aperture == 5:
            dy[x] = <int16_t>(line[x] + line[x + 4 * c] + 4 * (line[x + c] + line[x + 3 * c]) + 6 * line[x + 2 * c])
        else:
            sum_ = <int32_t>line[x] + line[x + 6 * c] + 6 * (<int32_t>line[x + c] + line[x + 5 * c])
            sum_ = sum_ + 15 * (<int32_t>line[x + 2 * c] + line[x + 4 * c])
            dy[x] = sixteenth(sum_ + 20 * <int32_t>line[x + 3 * c])


cdef inline void measure(const int16_t* dx, const int16_t* dy, strength* length, Py_ssize_t n) noexcept nogil:
    """|dx| + |dy|, or as int32 dx² + dy²."""
    cdef Py_ssize_t x
    cdef int16_t p, q
    for x in range(n):
        p = dx[x]
        q = dy[x]
        if strength is int16_t:
            length[x] = <int16_t>((p if p > 0 else -p) + (q if q > 0 else -q))
        else:
            length[x] = <int32_t>p * p + <int32_t>q * q


cdef void strongest_channel(
    int16_t* dx, int16_t* dy, strength* length, Py_ssize_t pixels, Py_ssize_t channels
) noexcept nogil:
    """Of each pixel the channel whose gradient is longest, the first of equals; in place."""
    cdef Py_ssize_t x, c, best
    for x in range(pixels):
        best = x * channels
        for c in range(x * channels + 1, (x + 1) * channels):
            if length[c] > length[best]:
                best = c
        dx[x], dy[x], length[x] = dx[best], dy[best], length[best]


# ---- thinning ---------------------------------------------------------------------------------------
cdef void thin(
    const strength* above, const strength* here, const strength* below, const int16_t* dx, const int16_t* dy,
    uint8_t* code, Py_ssize_t n, int low, int high
) noexcept nogil:
    """WEAK where a pixel is longer than `low` and its neighbours along the gradient, STRONG where than `high`.

    Lines begin a pixel before. tan 22.5° is 13573 / 2¹⁵, and tan 67.5° that plus 2, as in OpenCV; |dy| below
    |dx| · 13573 / 2¹⁵ is |dy| not above its floor, in 16 bits.
    """
    cdef Py_ssize_t x
    cdef int16_t p, q, ax, ay, flat, steep, sign
    cdef strength m, left, right, up, down, up_left, up_right, down_left, down_right, one, other
    for x in range(n):
        p = dx[x]
        q = dy[x]
        m = here[x + 1]
        ax = p if p > 0 else -p
        ay = q if q > 0 else -q
        flat = <int16_t>((<uint32_t><uint16_t>(2 * ax) * <uint32_t>13573) >> 16)
        steep = <int16_t>(flat + 2 * ax)
        sign = p ^ q
        # All are read, whichever count: loads that depend on a condition are vectors only where masks are.
        up_left, up, up_right = above[x], above[x + 1], above[x + 2]
        left, right = here[x], here[x + 2] - 1
        down_left, down, down_right = below[x], below[x + 1] - 1, below[x + 2]
        one = up_right if sign < 0 else up_left
        other = down_left if sign < 0 else down_right
        one = up if ay > steep else one
        other = down if ay > steep else other
        one = left if ay <= flat else one
        other = right if ay <= flat else other
        one = one if one > other else other
        one = one if one > low else <strength>low
        code[x] = (<uint8_t>WEAK if m > one else <uint8_t>0) | (<uint8_t>STRONG if m > high else <uint8_t>0)


cdef void thin_floats(
    const float* above, const float* here, const float* below, const float* dx, const float* dy,
    uint8_t* code, Py_ssize_t n, float low, float high
) noexcept nogil:
    """The same for gradients that are no integers."""
    cdef Py_ssize_t x
    cdef float p, q, m, ax, ay, up_left, up, up_right, left, right, down_left, down, down_right, one, other
    cdef bint flat, steep, longest
    for x in range(n):
        p, q, m = dx[x], dy[x], here[x + 1]
        ax, ay = fabsf(p), fabsf(q)
        flat, steep = ay < ax * <float>TAN_22, ay > ax * <float>TAN_67
        up_left, up, up_right = above[x], above[x + 1], above[x + 2]
        left, right = here[x], here[x + 2]
        down_left, down, down_right = below[x], below[x + 1], below[x + 2]
        one = left if flat else up if steep else up_right if p * q < 0 else up_left
        other = right if flat else down if steep else down_left if p * q < 0 else down_right
        longest = m > one and (m >= other if flat or steep else m > other)
        code[x] = (<uint8_t>WEAK if longest and m > low else <uint8_t>0) | (<uint8_t>STRONG if m > high else <uint8_t>0)


cdef void pack(const uint8_t* code, uint64_t* weak, uint64_t* strong, Py_ssize_t words) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(words):
        weak[i] = bytes_to_bits(code + 64 * i, WEAK)
        strong[i] = bytes_to_bits(code + 64 * i, STRONG) & weak[i]


cdef bint is_flat(const strength* lengths, Py_ssize_t n, int low) noexcept nogil:
    """Whether none is longer than `low`."""
    cdef Py_ssize_t x
    cdef strength found = 0
    for x in range(n):
        found |= <strength>-(lengths[x] > <strength>low)
    return found == 0


cdef void thin_row(
    const strength* above, const strength* here, const strength* below, const int16_t* dx, const int16_t* dy,
    uint8_t* code, uint64_t* weak, uint64_t* strong, Py_ssize_t n, int low, int high
) noexcept nogil:
    """A row of both maps: runs of words are thinned, without those that are flat, as most of a photo's are."""
    cdef Py_ssize_t words = ceil_div(n, 64), i = 0, start, x
    while i < words:
        start = i
        while i < words and not is_flat(here + 64 * i + 1, min(n - 64 * i, <Py_ssize_t>64), low):
            i += 1
        x = 64 * start
        if i > start:
            thin(above + x, here + x, below + x, dx + x, dy + x, code + x, min(64 * i, n) - x, low, high)
            pack(code + x, weak + start, strong + start, i - start)
        if i < words:
            weak[i] = strong[i] = 0
            i += 1


cdef inline void gradient_band(
    const Edges* edges, Tile tile, char* scratch, strength* kind, const int aperture
) noexcept nogil:
    cdef const Window* w = &edges.window
    cdef Py_ssize_t n = tile.pixels, c = w.channels, line = edges.line, y, k, at
    cdef strength* lengths = <strength*>scratch
    cdef int16_t* smooth = <int16_t*>(lengths + 3 * line)
    cdef int16_t* slope = smooth + line
    cdef int16_t* dx = slope + line
    cdef int16_t* dy = dx + 2 * line
    cdef uint8_t* ring = <uint8_t*>(dy + 2 * line)
    cdef uint8_t* code = ring + aperture * line
    cdef const uint8_t* rows[7]
    for y in range(tile.top - 1, tile.bottom + 1):
        at = (y + 3) % 3
        if y < 0 or y >= w.out_height:
            memset(lengths + at * line, 0, line * sizeof(strength))
        else:
            for k in range(aperture):
                rows[k] = ring + (y + k) % aperture * line
            for k in range(0 if y == max(tile.top - 1, 0) else aperture - 1, aperture):
                load_row(w, tile, y + k, <key*>rows[k])
            down(rows, smooth, slope, (n + aperture - 1) * c, aperture)
            slope_across(smooth, c, dx + (y & 1) * line, n * c, aperture)
            smooth_across(slope, c, dy + (y & 1) * line, n * c, aperture)
            measure(dx + (y & 1) * line, dy + (y & 1) * line, lengths + at * line + 1, n * c)
            if c > 1:
                strongest_channel(dx + (y & 1) * line, dy + (y & 1) * line, lengths + at * line + 1, n, c)
            lengths[at * line] = 0
            lengths[at * line + n + 1] = 0
        if y > tile.top:
            k = (y - 1) * edges.maps.step
            thin_row(
                lengths + (y + 1) % 3 * line, lengths + (y + 2) % 3 * line, lengths + at * line,
                dx + ((y - 1) & 1) * line, dy + ((y - 1) & 1) * line, code, edges.maps.weak + k, edges.maps.strong + k,
                n, <int>edges.low, <int>edges.high,
            )


cdef void float_band(const Edges* edges, Tile tile, char* scratch) noexcept nogil:
    cdef Py_ssize_t n = tile.pixels, line = edges.line, y, x, at, row
    cdef float* lengths = <float*>scratch
    cdef float* length
    cdef uint8_t* code = <uint8_t*>(lengths + 3 * line)
    cdef float p, q
    memset(lengths, 0, 3 * line * sizeof(float))
    for y in range(tile.top - 1, tile.bottom + 1):
        at = (y + 3) % 3
        length = lengths + at * line + 1
        for x in range(n):
            if y < 0 or y >= edges.window.out_height:
                length[x] = 0
                continue
            p, q = edges.dx[y * n + x], edges.dy[y * n + x]
            length[x] = p * p + q * q if edges.l2 else fabsf(p) + fabsf(q)
        if y > tile.top:
            row = (y - 1) * n
            thin_floats(
                lengths + (y + 1) % 3 * line, lengths + (y + 2) % 3 * line, lengths + at * line,
                edges.dx + row, edges.dy + row, code, n, <float>edges.low, <float>edges.high,
            )
            row = (y - 1) * edges.maps.step
            pack(code, edges.maps.weak + row, edges.maps.strong + row, edges.maps.words)


cdef void find_band(const Edges* edges, Py_ssize_t index, char* scratch) noexcept nogil:
    cdef Tile tile
    cdef int16_t* l1 = NULL
    cdef int32_t* l2 = NULL
    tile.top, tile.left, tile.pixels = index * BAND, 0, edges.window.out_width
    tile.bottom = min(tile.top + BAND, edges.window.out_height)
    if edges.dx != NULL:
        float_band(edges, tile, scratch)
    elif edges.window.rows == 3:
        if edges.l2:
            gradient_band(edges, tile, scratch, l2, 3)
        else:
            gradient_band(edges, tile, scratch, l1, 3)
    elif edges.window.rows == 5:
        if edges.l2:
            gradient_band(edges, tile, scratch, l2, 5)
        else:
            gradient_band(edges, tile, scratch, l1, 5)
    else:
        if edges.l2:
            gradient_band(edges, tile, scratch, l2, 7)
        else:
            gradient_band(edges, tile, scratch, l1, 7)


# ---- hysteresis -------------------------------------------------------------------------------------
cdef inline uint64_t beside(const uint64_t* row, Py_ssize_t i) noexcept nogil:
    """The pixels of word i, and those to the left and right of them."""
    return row[i] | row[i] << 1 | row[i - 1] >> 63 | row[i] >> 1 | row[i + 1] << 63


cdef inline bint is_reached(
    const uint64_t* strong, const uint64_t* near, const uint64_t* weak, Py_ssize_t words
) noexcept nogil:
    cdef Py_ssize_t i
    cdef uint64_t found = 0
    for i in range(words):
        found |= beside(near, i) & weak[i] & ~strong[i]
    return found != 0


cdef inline uint64_t towards_zero(uint64_t seed, uint64_t weak) noexcept nogil:
    """The seed, and what is weak below it, to the ends of runs."""
    cdef int k
    for k in range(6):
        seed |= weak & (seed >> (1 << k))
        weak &= weak >> (1 << k)
    return seed


cdef void flood(uint64_t* strong, const uint64_t* near, const uint64_t* weak, Py_ssize_t words) noexcept nogil:
    """Strong becomes what is weak and touches the row `near` or is connected along the row."""
    cdef Py_ssize_t i
    cdef uint64_t seed, sum_, carry = 0, mask
    for i in range(words):
        seed = strong[i] | (beside(near, i) & weak[i])
        sum_ = weak[i] + seed
        mask = sum_ < seed
        sum_ += carry
        carry = mask | (sum_ < carry)
        strong[i] = seed | ((sum_ ^ weak[i]) & weak[i])
    for i in range(words - 1, -1, -1):
        seed = strong[i] | (weak[i] & (strong[i + 1] << 63))
        strong[i] = seed if seed == 0 or seed == weak[i] else towards_zero(seed, weak[i])


cdef inline void reach(const Maps* maps, Py_ssize_t at, uint64_t seed, Py_ssize_t* last) noexcept nogil:
    """Strong becomes what is weak and connected with the seed within word `at`, which is listed if it changed."""
    cdef uint64_t weak = maps.weak[at]
    seed &= weak & ~maps.strong[at]
    if seed == 0:
        return
    maps.strong[at] |= towards_zero(seed | (((weak + seed) ^ weak) & weak), weak)
    if maps.listed[at] == 0:
        maps.listed[at] = last[0]
        last[0] = at + 1


cdef void reach_row(const Maps* maps, Py_ssize_t row, Py_ssize_t near, Py_ssize_t* last) noexcept nogil:
    cdef Py_ssize_t i
    if is_reached(maps.strong + row, maps.strong + near, maps.weak + row, maps.words):
        for i in range(maps.words):
            reach(maps, row + i, beside(maps.strong + near, i), last)


cdef void follow(const Maps* maps, Py_ssize_t begin, Py_ssize_t end, Py_ssize_t last) noexcept nogil:
    """From the words listed to all that is connected with them, in rows whose words are `begin` to `end`."""
    cdef Py_ssize_t at, near
    cdef uint64_t strong
    cdef int k
    while last != NONE:
        at = last - 1
        last = maps.listed[at]
        maps.listed[at] = 0
        strong = maps.strong[at]
        for k in range(-1, 2):
            near = at + k * maps.step
            if begin <= near < end:
                reach(maps, near - 1, strong << 63, &last)
                reach(maps, near, strong | strong << 1 | strong >> 1, &last)
                reach(maps, near + 1, strong >> 63, &last)


cdef void connect(const Maps* maps, Py_ssize_t top, Py_ssize_t bottom) noexcept nogil:
    """Between two rows; what the sweep up changes may touch rows that it has left, and is followed from there."""
    cdef Py_ssize_t y, row, step = maps.step, last = NONE
    for y in range(top, bottom):
        row = y * step
        flood(maps.strong + row, maps.strong + max(y - 1, top) * step, maps.weak + row, maps.words)
    for y in range(bottom - 2, top - 1, -1):
        row = y * step
        if is_reached(maps.strong + row, maps.strong + row + step, maps.weak + row, maps.words):
            flood(maps.strong + row, maps.strong + row + step, maps.weak + row, maps.words)
            reach_row(maps, row + step, row, &last)
    follow(maps, top * step, bottom * step, last)


cdef void connect_bands(const Maps* maps, Py_ssize_t height) noexcept nogil:
    """Where bands, each connected, meet: from the rows on both sides on."""
    cdef Py_ssize_t i, row, step = maps.step, last = NONE
    for i in range(1, ceil_div(height, BAND)):
        row = i * BAND * step
        reach_row(maps, row, row - step, &last)
        reach_row(maps, row - step, row, &last)
    follow(maps, 0, height * step, last)


cdef void run_band(const void* work, Py_ssize_t index, char* scratch) noexcept nogil:
    cdef const Edges* edges = <const Edges*>work
    find_band(edges, index, scratch)
    connect(&edges.maps, index * BAND, min((index + 1) * BAND, edges.window.out_height))


cdef void draw_row(const void* work, Py_ssize_t y, char* line) noexcept nogil:
    cdef const Edges* edges = <const Edges*>work
    cdef Py_ssize_t i
    cdef Tile tile
    tile.left, tile.pixels = 0, edges.window.out_width
    for i in range(edges.maps.words):
        bits_to_bytes(edges.maps.strong[y * edges.maps.step + i], <uint8_t*>line + 64 * i)
    store_row(&edges.window, tile, y, <pixel*>line)


# ---- from Python ------------------------------------------------------------------------------------
cdef int execute(Edges* edges, int threads) except -1:
    cdef Window* w = &edges.window
    cdef Maps* maps = &edges.maps
    cdef Py_ssize_t bytes_each, map_bytes, height = w.out_height, channels = w.channels
    cdef char* memory
    cdef char* scratch
    maps.words = ceil_div(w.out_width, 64)
    maps.step = maps.words + 2
    map_bytes = height * maps.step * sizeof(uint64_t)
    edges.line = ceil_div((w.out_width + w.columns + 1) * channels + 64, 64) * 64
    bytes_each = edges.line * (3 * 4 + 6 * 2 + w.rows + 1)
    threads = <int>min(threads, ceil_div(height, BAND))
    memory = <char*>scratch_alloc(3 * map_bytes + 64 + threads * bytes_each)
    if memory == NULL:
        raise MemoryError(f"no memory for the edges of {height} rows")
    memset(memory, 0, 3 * map_bytes)
    maps.weak = <uint64_t*>memory + 1
    maps.strong = <uint64_t*>(memory + map_bytes) + 1
    maps.listed = <Py_ssize_t*>(memory + 2 * map_bytes) + 1
    scratch = memory + ceil_div(3 * map_bytes, 64) * 64
    memset(scratch, 0, threads * bytes_each)
    with nogil:
        run_units(run_band, edges, ceil_div(height, BAND), threads, scratch, bytes_each)
        connect_bands(maps, height)
        w.channels = 1
        run_units(draw_row, edges, height, threads, scratch, bytes_each)
    scratch_free(memory)
    return 0


def canny(
    image not None, out not None, double low, double high, bint l2, extent, anchor, int border, double outside,
    int threads
):
    """Write 255 into `out` where `image`, both uint8, HW or HWC and HW, has edges, and 0 elsewhere."""
    cdef Edges edges
    cdef Py_buffer views[2]
    open_window(&edges.window, views, image, out, extent, anchor, border, outside)
    try:
        edges.dx, edges.dy, edges.low, edges.high, edges.l2 = NULL, NULL, low, high, l2
        execute(&edges, threads)
    finally:
        close_window(views)


def canny_of_gradients(dx not None, dy not None, out not None, double low, double high, bint l2, int threads):
    """The same from gradients: float32, HW, packed."""
    cdef Edges edges
    cdef Py_buffer views[2]
    cdef Py_buffer given[2]
    PyObject_GetBuffer(dx, &given[0], PyBUF_ANY_CONTIGUOUS)
    PyObject_GetBuffer(dy, &given[1], PyBUF_ANY_CONTIGUOUS)
    open_window(&edges.window, views, out, out, (1, 1), (0, 0), 0, 0)
    try:
        edges.dx, edges.dy = <const float*>given[0].buf, <const float*>given[1].buf
        edges.low, edges.high, edges.l2 = low, high, l2
        execute(&edges, threads)
    finally:
        close_window(views)
        PyBuffer_Release(&given[0])
        PyBuffer_Release(&given[1])

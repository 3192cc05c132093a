"""Masks of the pixels above a value, and the histograms from which such a value is found."""
from cpython.buffer cimport PyBUF_RECORDS, PyBUF_RECORDS_RO, PyBuffer_Release, PyObject_GetBuffer
from cython.parallel cimport prange
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from convkit._native.arith cimport ceil_div
from convkit._native.pixel cimport pixel
from convkit._native.simd cimport (
    FORESEES_LINES, prefetch_far, prefetch_write, real, rounded, scratch_alloc, scratch_free
)
from convkit._native.window cimport Grid, is_packed, read_grid

cdef enum:
    BAND = 16  # rows
    FAR_BYTES = 4 * 1024 * 1024  # of a mask, which a cache holds
    BLOCK = 256  # elements, between which memory is asked for more
    MOST_IN_TURN = 1 << 30  # pixels, about, before tables could overflow
    TURNS = 8  # pixels that are counted in turn, each in its own table: equal neighbours do not wait for each other

cdef double LEAST_SHARE = 2.0**-23  # of the pixels: a class with less is none; float32's epsilon


cdef void mask_line(const pixel* source, uint8_t* target, Py_ssize_t n, pixel value) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        target[i] = <uint8_t>255 if source[i] > value else <uint8_t>0


cdef void mask_row(
    const pixel* source, uint8_t* target, Py_ssize_t n, pixel value, Py_ssize_t source_step, Py_ssize_t target_step
) noexcept nogil:
    """A row, while the next one, so many elements on, is asked for."""
    cdef Py_ssize_t x = 0, line
    while x < n:
        for line in range(BLOCK // 64):
            prefetch_write(<const real*>(target + target_step + x + line * 64))
        for line in range(BLOCK * <Py_ssize_t>sizeof(pixel) // 64):
            prefetch_far(<const real*>(<const char*>(source + source_step + x) + line * 64))
        mask_line(source + x, target + x, min(n - x, <Py_ssize_t>BLOCK), value)
        x += BLOCK


cdef void mask_rows(
    const Grid* image, uint8_t* out, const Py_ssize_t* steps, Py_ssize_t top, Py_ssize_t bottom, Py_ssize_t width,
    Py_ssize_t channels, pixel value
) noexcept nogil:
    cdef const pixel* source
    cdef uint8_t* target
    cdef Py_ssize_t y, x, c, row = width * channels
    cdef bint packed = is_packed(image, channels) and steps[1] == channels and steps[2] == 1
    cdef bint asks = not FORESEES_LINES and steps[0] * steps[3] >= FAR_BYTES
    if packed and not asks and image.row_step == row and steps[0] == row:
        mask_line(image.data + top * row, out + top * row, row * (bottom - top), value)
        return
    for y in range(top, bottom):
        source, target = image.data + y * image.row_step, out + y * steps[0]
        if packed:
            if asks:
                mask_row(source, target, row, value, image.row_step, steps[0])
            else:
                mask_line(source, target, row, value)
            continue
        for x in range(width):
            for c in range(channels):
                mask_line(
                    source + x * image.pixel_step + c * image.channel_step, target + x * steps[1] + c * steps[2], 1, value
                )


cdef inline void count_in_turn(
    const pixel* source, Py_ssize_t step, uint32_t* tables, Py_ssize_t bins, Py_ssize_t low
) noexcept nogil:
    """TURNS pixels, each into a table of its own."""
    cdef Py_ssize_t i
    for i in range(TURNS):
        if sizeof(pixel) == 1:  # what the compiler knows is no arithmetic
            tables[i * 256 + <Py_ssize_t>source[i * step]] += 1
        else:
            tables[i * bins + <Py_ssize_t>source[i * step] - low] += 1


cdef inline void count_eight(const void* source, uint32_t* tables) noexcept nogil:
    """Eight bytes, read at once, into eight tables."""
    cdef uint64_t eight
    cdef int i
    memcpy(&eight, source, 8)
    for i in range(8):
        tables[i * 256 + <Py_ssize_t>(eight & 255)] += 1
        eight >>= 8


cdef void count_rows(
    const Grid* image, uint64_t* counts, uint32_t* tables, Py_ssize_t bins, Py_ssize_t top, Py_ssize_t bottom,
    Py_ssize_t width, Py_ssize_t channels, double low, double scale
) noexcept nogil:
    cdef const pixel* source
    cdef Py_ssize_t y, x, c, place, turn = 0
    if channels == 1 and is_packed(image, 1) and image.row_step == width and (bottom - top) * width <= MOST_IN_TURN:
        width, bottom = (bottom - top) * width, top + 1  # rows that have no ends take 5 % less
    for y in range(top, bottom):
        for c in range(channels):
            source = image.data + y * image.row_step + c * image.channel_step
            x = 0
            while sizeof(pixel) == 1 and image.pixel_step == 1 and x + 16 <= width:
                if not FORESEES_LINES:
                    prefetch_far(source + x + 4096)
                count_eight(source + x, tables)
                count_eight(source + x + 8, tables)
                x += 16
            while sizeof(pixel) <= 2 and x + TURNS <= width:
                count_in_turn(source + x * image.pixel_step, image.pixel_step, tables, bins, <Py_ssize_t>low)
                x += TURNS
            for x in range(x, width):
                if sizeof(pixel) <= 2:
                    place = <Py_ssize_t>source[x * image.pixel_step] - <Py_ssize_t>low
                else:
                    place = min(<Py_ssize_t>((source[x * image.pixel_step] - low) * scale), bins - 1)
                tables[(x & (TURNS - 1)) * bins + place] += 1
        turn += width * channels
        if turn > MOST_IN_TURN or y == bottom - 1:
            turn = 0
            for c in range(TURNS):
                for x in range(bins):
                    counts[x] += tables[c * bins + x]
            if y < bottom - 1:
                memset(tables, 0, TURNS * bins * sizeof(uint32_t))


cdef class Kernel:
    """A value that pixels are above or not; `run` may be called from many threads."""

    cdef pixel limit

    def __cinit__(self, double value):
        self.limit = <pixel>value

    def run(self, image not None, out not None, Py_ssize_t first, int threads):
        """Write 255 into `out`, uint8, where `image` is above the value, and 0 elsewhere: HW or HWC, any strides.

        Row `first` of `image` lies under the first one of `out`.
        """
        cdef Py_buffer views[2]
        cdef Grid grid
        cdef Py_ssize_t steps[4]  # and the rows
        cdef Py_ssize_t bands, i, height, width, channels
        cdef uint8_t* to
        memset(views, 0, sizeof(views))
        try:
            PyObject_GetBuffer(image, &views[0], PyBUF_RECORDS_RO)
            PyObject_GetBuffer(out, &views[1], PyBUF_RECORDS)
            read_grid(&grid, &views[0])
            grid.data += first * grid.row_step
            height, width = views[1].shape[0], views[1].shape[1]
            channels = views[0].shape[2] if views[0].ndim == 3 else 1
            steps[0], steps[1] = views[1].strides[0], views[1].strides[1]
            steps[2] = 1 if channels == 1 else views[1].strides[2]
            steps[3] = height
            to, bands = <uint8_t*>views[1].buf, ceil_div(height, BAND)
            if threads == 1:
                with nogil:
                    mask_rows(&grid, to, steps, 0, height, width, channels, self.limit)
            else:
                for i in prange(bands, nogil=True, num_threads=threads, schedule="static"):
                    mask_rows(
                        &grid, to, steps, i * BAND, min((i + 1) * BAND, height), width, channels, self.limit
                    )
        finally:
            PyBuffer_Release(&views[1])
            PyBuffer_Release(&views[0])


cdef int histogram(
    const Py_buffer* view, uint64_t* counts, Py_ssize_t bins, double low, double scale, int threads
) except -1:
    """Add to counts[(pixel - low) * scale] one for each pixel; what lies beyond goes into the last."""
    cdef Py_ssize_t height = view.shape[0], width = view.shape[1], channels = view.shape[2] if view.ndim == 3 else 1
    cdef Py_ssize_t parts = min(<Py_ssize_t>threads, height), size = TURNS * bins, i, x
    cdef size_t needed = <size_t>parts * (bins * sizeof(uint64_t) + size * sizeof(uint32_t))
    cdef uint64_t* found = <uint64_t*>scratch_alloc(needed)  # each part's
    cdef uint32_t* tables = <uint32_t*>(found + parts * bins)
    cdef Grid grid
    if found == NULL:
        raise MemoryError("no memory for a histogram")
    read_grid(&grid, view)
    memset(found, 0, needed)
    if parts == 1:
        with nogil:
            count_rows(&grid, found, tables, bins, 0, height, width, channels, low, scale)
    else:
        for i in prange(parts, nogil=True, num_threads=parts, schedule="static"):
            count_rows(
                &grid, found + i * bins, tables + i * size, bins, i * height // parts, (i + 1) * height // parts,
                width, channels, low, scale,
            )
    for i in range(parts):
        for x in range(bins):
            counts[x] += found[i * bins + x]
    scratch_free(found)
    return 0


cdef Py_ssize_t best_split(const uint64_t* counts, Py_ssize_t bins, Py_ssize_t total) noexcept nogil:
    """The last bin of the lower class by Otsu's method.

    Sums are in OpenCV's order, and each product is rounded: that decides where bins are empty.
    """
    cdef double scale = 1.0 / <double>total, mean, share = 0, rest, below = 0, above, variance, best = 0
    cdef double part, product
    cdef uint64_t moment = 0
    cdef Py_ssize_t i, found = 0
    for i in range(bins):
        moment += <uint64_t>i * counts[i]
    mean = <double>moment * scale
    for i in range(bins):
        part = rounded(<double>counts[i] * scale)
        product = rounded(below * share)
        share += part
        rest = 1.0 - share
        if min(share, rest) < LEAST_SHARE or max(share, rest) > 1.0 - LEAST_SHARE:
            below = product
            continue
        below = (product + rounded(<double>i * part)) / share
        above = (mean - rounded(share * below)) / rest
        variance = share * rest * (below - above) * (below - above)
        if variance > best:
            best, found = variance, i
    return found


def split(image not None, Py_ssize_t bins, double low, double scale, int threads):
    """The last bin of the lower class of an image's pixels, counted in `bins` of (pixel - low) * scale."""
    cdef Py_buffer view
    cdef Py_ssize_t found
    cdef uint64_t* counts = <uint64_t*>scratch_alloc(bins * sizeof(uint64_t))
    if counts == NULL:
        raise MemoryError("no memory for a histogram")
    memset(counts, 0, bins * sizeof(uint64_t))
    memset(&view, 0, sizeof(view))
    try:
        PyObject_GetBuffer(image, &view, PyBUF_RECORDS_RO)
        histogram(&view, counts, bins, low, scale, threads)
        found = best_split(counts, bins, view.len // view.itemsize)
    finally:
        PyBuffer_Release(&view)
        scratch_free(counts)
    return found

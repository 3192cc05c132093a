"""Medians of uint8 in constant time for any window, by running histograms.

After S. Perreault and P. Hébert, "Median Filtering in Constant Time", IEEE Transactions on Image Processing 16, 2007:
each column keeps a histogram of its pixels under the window, which changes by two of them from row to row, and the
window's is the sum of its columns', which changes by two of those from pixel to pixel. Histograms have two levels of
16 bins, the value's high and low four bits, and the low level is brought up to date only where the median lies.

Bins hold how many pixels are there or below. So the bin of the median is the number of bins that hold too few, one
comparison of a register, and a pixel adds or takes away one register of zeros and ones.
"""
from libc.stdint cimport uint8_t, uint16_t
from libc.string cimport memset

from convkit._native.pixel cimport KL, key, pixel
from convkit._native.simd cimport (
    BINS, bins_add, bins_load, bins_store, counts, counts_load, counts_store, counts_up_to, counts_widen,
)
from convkit._native.window cimport (
    Tile, Window, close_window, load_row, open_window, output_row, run_tiles, store_row, stores_directly,
)

cdef enum:
    LINE = 1024  # keys: the histograms of so many columns stay in the second-level cache

cdef struct Histograms:
    uint8_t* high  # [column][16]
    uint8_t* low  # [high bits][column][16]
    Py_ssize_t columns
    uint8_t steps[BINS * BINS]  # row b counts one pixel in bin b
    uint16_t window[BINS * BINS]  # the low level of the window, for each of the high bits
    Py_ssize_t place[BINS]  # where that window began


cdef void add_row(Histograms* h, const uint8_t* row, const bint away) noexcept nogil:
    """Count a pixel more in each column, or one less."""
    cdef Py_ssize_t x
    cdef uint8_t* high
    cdef uint8_t* low
    for x in range(h.columns):
        high = h.high + x * BINS
        low = h.low + ((row[x] >> 4) * h.columns + x) * BINS
        bins_store(high, bins_add(bins_load(high), bins_load(h.steps + (row[x] >> 4) * BINS), away))
        bins_store(low, bins_add(bins_load(low), bins_load(h.steps + (row[x] & 15) * BINS), away))


cdef inline counts sum_columns(const uint8_t* columns, Py_ssize_t count, Py_ssize_t step) noexcept nogil:
    cdef counts total = counts_widen(columns)
    cdef Py_ssize_t i
    for i in range(1, count):
        total = total + counts_widen(columns + i * step * BINS)
    return total


cdef inline counts low_level(Histograms* h, int bin_, Py_ssize_t x, Py_ssize_t width, Py_ssize_t step) noexcept nogil:
    """The low level of the window at element x, brought there from where it was last."""
    cdef const uint8_t* columns = h.low + bin_ * h.columns * BINS
    cdef Py_ssize_t at = h.place[bin_]
    cdef counts total
    if at < 0 or 2 * (x - at) > width * step:
        total = sum_columns(columns + x * BINS, width, step)
    else:
        total = counts_load(h.window + bin_ * BINS)
        while at < x:
            total = total + counts_widen(columns + (at + width * step) * BINS) - counts_widen(columns + at * BINS)
            at += step
    counts_store(h.window + bin_ * BINS, total)
    h.place[bin_] = x
    return total


cdef void median_row(Histograms* h, uint8_t* target, Py_ssize_t n, Py_ssize_t width, Py_ssize_t height,
                     Py_ssize_t channel, Py_ssize_t channels) noexcept nogil:
    """One channel of a row of medians."""
    cdef Py_ssize_t x
    cdef int half = <int>(width * height // 2), bin_, below
    cdef counts total = sum_columns(h.high + channel * BINS, width, channels)
    cdef uint16_t sums[BINS + 1]
    sums[0] = 0
    for x in range(BINS):
        h.place[x] = -1
    x = channel
    while True:
        counts_store(sums + 1, total)
        bin_ = counts_up_to(total, half)
        below = sums[bin_]
        target[x] = <uint8_t>(16 * bin_ + counts_up_to(low_level(h, bin_, x, width, channels), half - below))
        if x + channels >= n:
            return
        total = total + counts_widen(h.high + (x + width * channels) * BINS) - counts_widen(h.high + x * BINS)
        x += channels


cdef void running_tile(const Window* w, const void* how, Tile tile, key* scratch) noexcept nogil:
    cdef Py_ssize_t n = tile.pixels * w.channels, y, k, b
    cdef Histograms* h = <Histograms*>(scratch + (w.rows + 2) * w.line)
    cdef uint8_t* target = <uint8_t*>(scratch + (w.rows + 1) * w.line)
    cdef key* row
    h.columns = n + (w.columns - 1) * w.channels
    h.high = <uint8_t*>(h + 1)
    h.low = h.high + h.columns * BINS
    memset(h.high, 0, h.columns * BINS * (BINS + 1))
    for b in range(BINS):
        for k in range(BINS):
            h.steps[b * BINS + k] = k >= b
    for y in range(tile.top - w.rows + 1, tile.bottom):
        row = scratch + (y - tile.top + w.rows - 1) % w.rows * w.line
        if y > tile.top:
            add_row(h, <const uint8_t*>row, True)
        load_row(w, tile, y + w.rows - 1, row)
        add_row(h, <const uint8_t*>row, False)
        if y < tile.top:
            continue
        if stores_directly(w, tile):
            target = <uint8_t*>output_row(w, tile, y)
        for k in range(w.channels):
            median_row(h, target, n, w.columns, w.rows, k, w.channels)
        if not stores_directly(w, tile):
            store_row(w, tile, y, <pixel*>target)


def median(image not None, out not None, extent, anchor, int border, double outside, int threads):
    """Write the median of each window of `image` into `out`: uint8, HW or HWC arrays of any strides."""
    cdef Window w
    cdef Py_buffer views[2]
    cdef Py_ssize_t line
    open_window(&w, views, image, out, extent, anchor, border, outside)
    try:
        line = max(LINE, (w.columns + 64) * w.channels + 2 * KL)
        run_tiles(
            &w, running_tile, NULL, w.rows + 2, sizeof(Histograms) + (line + 64) * BINS * (BINS + 1), threads, line
        )
    finally:
        close_window(views)

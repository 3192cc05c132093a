# Lengths of gradients over 3×3 pixels of one channel, where registers slide: the sums of columns stay in them.
#
# Of each vector the columns are summed once, for both parts, and summed along the line beside those of the next.
# The order is that of `sums.pxd`, where narrow tiles are summed, and so are the bits.
from libc.string cimport memset

from convkit._native.parts cimport Part
from convkit._native.simd cimport (
    SLIDES, VL, stored, prefetch_far, real, vec, vec_length, vec_load_pixels, vec_set, vec_slide, vec_store,
    vec_store_part, vec_stream,
)
from convkit._native.sums cimport Taps, until_cache_line
from convkit._native.tiles cimport Tile

cdef struct Weights:  # of a difference along the line of means of columns, and the other way round
    real mean[2][3]
    real difference[2][2]


cdef inline bint is_full(const Taps* taps, Py_ssize_t rows, Py_ssize_t columns) noexcept nogil:
    return taps.rows == rows and taps.columns == columns and not taps.holes


cdef inline bint is_hollow(const Taps* taps, Py_ssize_t rows, Py_ssize_t columns) noexcept nogil:
    """Three weights, of which the middle one alone is zero."""
    return (
        taps.rows == rows and taps.columns == columns
        and taps.weights[0] != 0 and taps.weights[1] == 0 and taps.weights[2] != 0
    )


cdef inline bint is_gradient(const Part* parts) noexcept nogil:
    return (
        SLIDES and is_full(&parts[0].down, 3, 1) and is_hollow(&parts[0].along, 1, 3)
        and is_hollow(&parts[1].down, 3, 1) and is_full(&parts[1].along, 1, 3)
    )


cdef inline Weights weights_of(const Part* parts) noexcept nogil:
    cdef Weights weights
    cdef int k
    for k in range(3):
        weights.mean[0][k], weights.mean[1][k] = parts[0].down.weights[k], parts[1].along.weights[k]
    for k in range(2):
        weights.difference[0][k] = parts[0].along.weights[2 * k]
        weights.difference[1][k] = parts[1].down.weights[2 * k]
    return weights


cdef inline vec mean_of(vec a, vec b, vec c, const real* weights) noexcept nogil:
    cdef vec total = vec_set(0) + vec_set(weights[0]) * a
    total = total + vec_set(weights[1]) * b
    return total + vec_set(weights[2]) * c


cdef inline vec difference_of(vec a, vec c, const real* weights) noexcept nogil:
    cdef vec total = vec_set(0) + vec_set(weights[0]) * a
    return total + vec_set(weights[1]) * c


cdef inline void sum_both(
    const stored** rows, Py_ssize_t x, const Weights* weights, vec* mean, vec* difference
) noexcept nogil:
    """A vector of columns."""
    cdef vec a = vec_load_pixels(rows[0] + x), c = vec_load_pixels(rows[2] + x)
    mean[0] = mean_of(a, vec_load_pixels(rows[1] + x), c, weights.mean[0])
    difference[0] = difference_of(a, c, weights.difference[1])


cdef inline vec length_at(const stored** rows, Py_ssize_t x, const Weights* weights) noexcept nogil:
    """A vector of lengths, of the columns from x up to x + VL + 1."""
    cdef vec mean[3]
    cdef vec difference[3]
    cdef int k
    for k in range(3):
        sum_both(rows, x + k, weights, &mean[k], &difference[k])
    return vec_length(
        difference_of(mean[0], mean[2], weights.difference[0]),
        mean_of(difference[0], difference[1], difference[2], weights.mean[1]))


cdef inline void length_line(
    const stored** rows, const stored* ahead, Weights weights, real* to, Py_ssize_t n, const bint stream
) noexcept nogil:
    """n lengths, more than two vectors: the first and the last overlap. `ahead`, if it is given, is read soon."""
    cdef Py_ssize_t x = until_cache_line(to) if stream else 0
    cdef vec mean, difference, next_mean, next_difference, length
    if x:
        vec_store(to, length_at(rows, 0, &weights))
    sum_both(rows, x, &weights, &mean, &difference)
    while x + 2 * VL <= n + 2:
        if ahead != NULL:
            prefetch_far(<const char*>(ahead + x))
        sum_both(rows, x + VL, &weights, &next_mean, &next_difference)
        length = vec_length(
            difference_of(mean, vec_slide(mean, next_mean, 2), weights.difference[0]),
            mean_of(
                difference, vec_slide(difference, next_difference, 1), vec_slide(difference, next_difference, 2),
                weights.mean[1]))
        if stream:
            vec_stream(to + x, length)
        else:
            vec_store(to + x, length)
        mean, difference = next_mean, next_difference
        x += VL
    while x < n:
        vec_store(to + min(x, n - VL), length_at(rows, min(x, n - VL), &weights))
        x += VL


cdef inline void length_end(
    const stored** left, Py_ssize_t some, const stored** right, Py_ssize_t more, Weights weights, real* to
) noexcept nogil:
    """The few lengths whose columns are `some` on the left and `more` on the right."""
    cdef stored columns[3][2 * VL]
    cdef const stored* rows[3]
    cdef Py_ssize_t x
    cdef int k
    memset(columns, 0, sizeof(columns))
    for k in range(3):
        rows[k] = columns[k]
        for x in range(some + more):
            columns[k][x] = left[k][x] if x < some else right[k][x - some]
    vec_store_part(to, length_at(rows, 0, &weights), some + more - 2)


cdef inline bint is_wide(const Tile* tile) noexcept nogil:
    """Whether lines have room for what is read before it is asked whether it is needed."""
    return tile.inner >= 4 * VL


cdef inline void length_rows(
    const Part* parts, const Tile* tile, real* to, Py_ssize_t step, bint stream
) noexcept nogil:
    """The rows of a tile that `is_wide`."""
    cdef Weights weights = weights_of(parts)
    cdef Py_ssize_t n = tile.inner - 2
    cdef const stored* last[3]
    cdef const stored* ahead
    cdef int r, k
    for r in range(tile.count):
        ahead = tile.ahead[r] if tile.ahead != NULL else NULL
        if tile.before:
            length_end(tile.rows_before + r, tile.before, tile.rows + r, 2, weights, to)
        if stream:
            length_line(tile.rows + r, ahead, weights, to + tile.before, n, True)
        else:
            length_line(tile.rows + r, ahead, weights, to + tile.before, n, False)
        if tile.after:
            for k in range(3):
                last[k] = tile.rows[r + k] + n
            length_end(last, 2, tile.rows_after + r, tile.after, weights, to + tile.before + n)
        to += step

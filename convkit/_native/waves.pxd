# Fourier transforms of powers of two, a vector of them side by side, as long as their order does not matter.
#
# A number takes two vectors, its real and its imaginary parts. Each stage of a transform cuts the numbers in four (the
# first in two, where the length is no power of four) and goes on in each part: the results lie in the order of their
# digits read backwards, in which the way back, stage by stage, finds them (W. Gentleman and G. Sande, "Fast Fourier
# Transforms: for fun and profit", 1966). What is done to frequencies between the two must be in that order too.
from libc.math cimport cos, pi, sin

from convkit._native.simd cimport VL, real, scratch_alloc, scratch_free, vec, vec_load, vec_set, vec_store

cdef struct Wave:
    Py_ssize_t length
    real* turns  # of each stage, in the order in which they are used: for all but the first part, cosine and sine


cdef inline bint halves_first(Py_ssize_t length) noexcept nogil:
    """Whether a power of two is no power of four."""
    while length >= 4:
        length //= 4
    return length == 2


cdef inline int open_wave(Wave* wave, Py_ssize_t length) except -1:
    cdef Py_ssize_t parts = 2 if halves_first(length) else 4, block = length, j, p
    cdef real* at
    wave.length = length
    wave.turns = at = <real*>scratch_alloc(4 * length * sizeof(real))
    if at == NULL:
        raise MemoryError(f"no memory for transforms of length {length}")
    while block > 1:
        for j in range(block // parts):
            for p in range(1, parts):
                at[0], at[1] = <real>cos(2 * pi * j * p / block), <real>-sin(2 * pi * j * p / block)
                at += 2
        block //= parts
        parts = 4
    return 0


cdef inline Py_ssize_t frequency_at(Py_ssize_t place, Py_ssize_t length) noexcept:
    """Which frequency a transform leaves at a place."""
    cdef Py_ssize_t parts = 2 if halves_first(length) else 4, found = 0, worth = 1
    while length > 1:
        length //= parts
        found += place // length * worth
        place %= length
        worth *= parts
        parts = 4
    return found


cdef inline void close_wave(Wave* wave) noexcept:
    scratch_free(wave.turns)


# ---- a stage ----------------------------------------------------------------------------------------
cdef inline void turn(vec* re, vec* im, vec cosine, vec sine) noexcept nogil:
    cdef vec turned = re[0] * cosine - im[0] * sine
    im[0] = re[0] * sine + im[0] * cosine
    re[0] = turned


cdef inline void mix_4(vec* re, vec* im, const bint back) noexcept nogil:
    """A transform of length 4."""
    cdef vec even_re = re[0] + re[2], even_im = im[0] + im[2], apart_re = re[0] - re[2], apart_im = im[0] - im[2]
    cdef vec odd_re = re[1] + re[3], odd_im = im[1] + im[3], cross_re = re[1] - re[3], cross_im = im[1] - im[3]
    re[0], im[0], re[2], im[2] = even_re + odd_re, even_im + odd_im, even_re - odd_re, even_im - odd_im
    if back:
        re[1], im[1], re[3], im[3] = apart_re - cross_im, apart_im + cross_re, apart_re + cross_im, apart_im - cross_re
    else:
        re[1], im[1], re[3], im[3] = apart_re + cross_im, apart_im - cross_re, apart_re - cross_im, apart_im + cross_re


cdef inline void mix_2(vec* re, vec* im) noexcept nogil:
    cdef vec sum_re = re[0] + re[1], sum_im = im[0] + im[1]
    re[1], im[1] = re[0] - re[1], im[0] - im[1]
    re[0], im[0] = sum_re, sum_im


cdef inline void load_parts(const real* at, Py_ssize_t apart, vec* re, vec* im, const int parts) noexcept nogil:
    cdef int p
    for p in range(parts):
        re[p], im[p] = vec_load(at + p * apart), vec_load(at + p * apart + VL)


cdef inline void store_parts(real* at, Py_ssize_t apart, const vec* re, const vec* im, const int parts) noexcept nogil:
    cdef int p
    for p in range(parts):
        vec_store(at + p * apart, re[p])
        vec_store(at + p * apart + VL, im[p])


cdef inline void stage(
    real* at, Py_ssize_t step, Py_ssize_t block, Py_ssize_t length, const real* turns, const int parts, const bint back
) noexcept nogil:
    """Of all blocks of so many numbers, `step` apart."""
    cdef Py_ssize_t apart = block // parts, j, first
    cdef vec re[4]
    cdef vec im[4]
    cdef vec cosine[4]
    cdef vec sine[4]
    cdef int p
    for j in range(apart):
        for p in range(1, parts):
            cosine[p], sine[p] = vec_set(turns[0]), vec_set(-turns[1] if back else turns[1])
            turns += 2
        first = j
        while first < length:
            load_parts(at + first * step, apart * step, re, im, parts)
            if back:
                for p in range(1, parts):
                    turn(&re[p], &im[p], cosine[p], sine[p])
            if parts == 4:
                mix_4(re, im, back)
            else:
                mix_2(re, im)
            if not back:
                for p in range(1, parts):
                    turn(&re[p], &im[p], cosine[p], sine[p])
            store_parts(at + first * step, apart * step, re, im, parts)
            first += block


cdef inline void last_stage(real* at, Py_ssize_t step, Py_ssize_t length, const bint back) noexcept nogil:
    """Of blocks of four, which nothing turns."""
    cdef Py_ssize_t first
    cdef vec re[4]
    cdef vec im[4]
    for first in range(0, length, 4):
        load_parts(at + first * step, step, re, im, 4)
        mix_4(re, im, back)
        store_parts(at + first * step, step, re, im, 4)


# ---- all but the last stage, and the way back from there ---------------------------------------------
cdef inline void forward(const Wave* wave, real* at, Py_ssize_t step) noexcept nogil:
    cdef const real* turns = wave.turns
    cdef Py_ssize_t block = wave.length
    if halves_first(block):
        stage(at, step, block, block, turns, 2, False)
        turns += block
        block //= 2
    while block > 4:
        stage(at, step, block, wave.length, turns, 4, False)
        turns += block // 4 * 6
        block //= 4


cdef inline void backward(const Wave* wave, real* at, Py_ssize_t step) noexcept nogil:
    cdef Py_ssize_t block = 16, half = wave.length // 2 if halves_first(wave.length) else wave.length
    cdef const real* turns
    while block <= half:
        turns = wave.turns + (wave.length if half < wave.length else 0) + 2 * (half - block)
        stage(at, step, block, wave.length, turns, 4, True)
        block *= 4
    if half < wave.length:
        stage(at, step, wave.length, wave.length, wave.turns, 2, True)

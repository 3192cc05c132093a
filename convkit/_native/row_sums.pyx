"""Sums along rows of integers: each pixel is given as its difference to the one on its left.

Sixteen bytes at a time, as many whole pixels as they hold: adding the pixel 1, 2, 4 … places to the left makes them sums
among themselves, and the sum in front of them is added to all.
"""
from cpython.buffer cimport PyBUF_RECORDS, PyBUF_RECORDS_RO, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uint8_t
from libc.string cimport memcpy, memset

from convkit._native.simd cimport sixteen, sixteen_add_pairs, sixteen_in_order, sixteen_load, sixteen_store

cdef enum:
    MOST_DOUBLINGS = 4
    NOTHING = 0x80              # of an order: zero comes there


cdef struct Pixels:
    Py_ssize_t item, size       # bytes of a channel and of a pixel
    Py_ssize_t step             # bytes of the whole pixels in sixteen bytes
    uint8_t stored[16]          # the bytes of each number in this machine's order
    uint8_t left[MOST_DOUBLINGS][16]
    uint8_t last[16]            # the last whole pixel, in every place


cdef inline sixteen add(const int ITEM, sixteen a, sixteen b) noexcept nogil:
    return a + b if ITEM == 1 else sixteen_add_pairs(a, b)


cdef inline sixteen sums(const int ITEM, const int DOUBLINGS, const uint8_t* source, sixteen before,
                         const Pixels* pixels) noexcept nogil:
    cdef sixteen v = sixteen_load(source)
    cdef int i
    if ITEM > 1:
        v = sixteen_in_order(v, sixteen_load(pixels.stored))
    for i in range(DOUBLINGS):
        v = add(ITEM, v, sixteen_in_order(v, sixteen_load(pixels.left[i])))
    return add(ITEM, v, before)


cdef inline void sum_row(const int ITEM, const int DOUBLINGS, const uint8_t* source, uint8_t* target, Py_ssize_t length,
                         const Pixels* pixels) noexcept nogil:
    cdef uint8_t end[16]
    cdef Py_ssize_t at = 0
    cdef sixteen v, before, last = sixteen_load(pixels.last)
    memset(end, 0, 16)
    before = sixteen_load(end)
    while at + 16 <= length:
        v = sums(ITEM, DOUBLINGS, source + at, before, pixels)
        sixteen_store(target + at, v)
        before = sixteen_in_order(v, last)
        at += pixels.step
    while at < length:
        memcpy(end, source + at, length - at)
        v = sums(ITEM, DOUBLINGS, end, before, pixels)
        sixteen_store(end, v)
        memcpy(target + at, end, min(length - at, pixels.step))
        before = sixteen_in_order(v, last)
        at += pixels.step


cdef void sum_row_of(const uint8_t* source, uint8_t* target, Py_ssize_t length, const Pixels* pixels) noexcept nogil:
    if pixels.item == 2:
        sum_row(2, 3, source, target, length, pixels)
    elif pixels.size == 1:
        sum_row(1, 4, source, target, length, pixels)
    else:
        sum_row(1, 3, source, target, length, pixels)


cdef Pixels pixels_of(Py_ssize_t item, Py_ssize_t size, bint swapped) noexcept nogil:
    cdef Pixels pixels
    cdef Py_ssize_t i, k
    pixels.item, pixels.size, pixels.step = item, size, 16 // size * size
    for i in range(16):
        pixels.stored[i] = <uint8_t>(i ^ 1 if swapped else i)
        pixels.last[i] = <uint8_t>(pixels.step - size + i % size)
        for k in range(MOST_DOUBLINGS):
            pixels.left[k][i] = <uint8_t>(i - (size << k)) if i >= (size << k) else NOTHING
    return pixels


def sum_along(differences not None, out not None, bint swapped):
    """Write what the `differences` along rows come to, modulo the integers' range, to `out`, both HWC of 1 to 4 channels.

    Of 1 or 2 bytes each; the bytes of `differences` may be `swapped`. `out` may be narrower and has its pixels side by
    side, with steps between rows of any size; they share no memory.
    """
    cdef Py_buffer source, target
    cdef Pixels pixels
    cdef Py_ssize_t y, length
    PyObject_GetBuffer(differences, &source, PyBUF_RECORDS_RO)
    PyObject_GetBuffer(out, &target, PyBUF_RECORDS)
    pixels = pixels_of(target.itemsize, target.itemsize * target.shape[2], swapped)
    length = target.shape[1] * pixels.size
    with nogil:
        for y in range(target.shape[0]):
            sum_row_of(<const uint8_t*>source.buf + y * source.strides[0], <uint8_t*>target.buf + y * target.strides[0],
                       length, &pixels)
    PyBuffer_Release(&source)
    PyBuffer_Release(&target)

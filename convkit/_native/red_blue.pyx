"""Red and blue of an image change places, from one image to another or in place, in one pass over memory.

Sixteen bytes at a time, as many whole pixels as they hold: what is behind those is stored as it was, and is the next
sixteen's to change.
"""
from cpython.buffer cimport PyBUF_RECORDS, PyBUF_RECORDS_RO, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uint8_t
from libc.string cimport memcpy

from convkit._native.simd cimport sixteen, sixteen_in_order, sixteen_load, sixteen_store


cdef struct Pixels:
    Py_ssize_t item, size  # bytes of a channel and of a pixel
    Py_ssize_t step  # bytes of the whole pixels in sixteen bytes
    uint8_t order[16]


cdef void swap_narrow_row(const uint8_t* source, uint8_t* target, Py_ssize_t length,
                          const Pixels* pixels) noexcept nogil:
    # In place, sixteen bytes are loaded before those in front of them are stored: a load of what was just stored waits.
    cdef Py_ssize_t at = 0, step = pixels.step
    cdef sixteen order = sixteen_load(pixels.order), now, following
    cdef uint8_t last[16]
    if length >= 16:
        now = sixteen_load(source)
        while at + step + 16 <= length:
            following = sixteen_load(source + at + step)
            sixteen_store(target + at, sixteen_in_order(now, order))
            now = following
            at += step
        sixteen_store(target + at, sixteen_in_order(now, order))
        at += step
    if at < length:
        memcpy(last, source + at, length - at)
        sixteen_store(last, sixteen_in_order(sixteen_load(last), order))
        memcpy(target + at, last, length - at)


cdef void swap_wide_row(const uint8_t* source, uint8_t* target, Py_ssize_t length, const Pixels* pixels) noexcept nogil:
    # Pixels of more than sixteen bytes.
    cdef Py_ssize_t at = 0, item = pixels.item
    cdef uint8_t red[16]
    while at < length:
        memcpy(red, source + at, item)
        if source != target:
            memcpy(target + at + item, source + at + item, pixels.size - item)
        memcpy(target + at, source + at + 2 * item, item)
        memcpy(target + at + 2 * item, red, item)
        at += pixels.size


cdef void swap_row(const uint8_t* source, uint8_t* target, Py_ssize_t length, const Pixels* pixels) noexcept nogil:
    if pixels.step:
        swap_narrow_row(source, target, length, pixels)
    else:
        swap_wide_row(source, target, length, pixels)


cdef Pixels pixels_of(Py_ssize_t item, Py_ssize_t channels) noexcept nogil:
    cdef Pixels pixels
    cdef Py_ssize_t i, channel
    pixels.item, pixels.size = item, item * channels
    pixels.step = 16 // pixels.size * pixels.size
    for i in range(16):
        channel = i % pixels.size // item
        pixels.order[i] = <uint8_t>i
        if i < pixels.step and channel != 1 and channel != 3:
            pixels.order[i] = <uint8_t>(i + 2 * item if channel == 0 else i - 2 * item)
    return pixels


def swap(image not None, out not None):
    """Write `image`, HWC of 3 or 4 channels, to `out` with its first and third channel in each other's place.

    Both of one shape, with numbers of at most 16 bytes, and with steps between rows of any size; `out` is `image` or shares
    no memory with it.
    """
    cdef Py_buffer source, target
    cdef Py_ssize_t y, length
    cdef Pixels pixels
    PyObject_GetBuffer(image, &source, PyBUF_RECORDS_RO)
    PyObject_GetBuffer(out, &target, PyBUF_RECORDS)
    pixels = pixels_of(source.itemsize, source.shape[2])
    length = source.shape[1] * pixels.size
    with nogil:
        for y in range(source.shape[0]):
            swap_row(<const uint8_t*>source.buf + y * source.strides[0], <uint8_t*>target.buf + y * target.strides[0],
                     length, &pixels)
    PyBuffer_Release(&source)
    PyBuffer_Release(&target)

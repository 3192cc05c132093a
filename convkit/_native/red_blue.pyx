"""Red and blue of an image change places, from one image to another or in place, in one pass over memory.

Three vectors of sixteen bytes hold whole pixels of three channels, and a vector of four; what is left of a row, or of
another size, goes sixteen bytes at a time, as many whole pixels as they hold: what is behind those is stored as it was,
and is the next sixteen's to change.
"""
from cpython.buffer cimport PyBUF_RECORDS, PyBUF_RECORDS_RO, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport uint8_t
from libc.string cimport memcpy

from convkit._native.simd cimport prefetch, sixteen, sixteen_in_order, sixteen_load, sixteen_store

cdef enum:
    NOWHERE = 0x80              # in an order: 0 comes there


cdef struct Pixels:
    Py_ssize_t item, size  # bytes of a channel and of a pixel
    Py_ssize_t step  # bytes of the whole pixels in sixteen bytes
    bint in_threes  # three channels, whole pixels of which fill three vectors
    uint8_t order[16]
    uint8_t orders[3][3][16]  # of three vectors: what comes to one of them, from each of them


cdef Py_ssize_t swap_threes(const uint8_t* source, uint8_t* target, Py_ssize_t length,
                            const Pixels* pixels) noexcept nogil:
    """Bytes that were written, 48 at a time."""
    cdef Py_ssize_t at = 0
    cdef sixteen first, second, third
    cdef sixteen first_first = sixteen_load(pixels.orders[0][0]), first_second = sixteen_load(pixels.orders[0][1])
    cdef sixteen second_first = sixteen_load(pixels.orders[1][0]), second_second = sixteen_load(pixels.orders[1][1])
    cdef sixteen second_third = sixteen_load(pixels.orders[1][2]), third_second = sixteen_load(pixels.orders[2][1])
    cdef sixteen third_third = sixteen_load(pixels.orders[2][2])
    while at + 48 <= length:
        first, second = sixteen_load(source + at), sixteen_load(source + at + 16)
        third = sixteen_load(source + at + 32)
        sixteen_store(target + at, sixteen_in_order(first, first_first) | sixteen_in_order(second, first_second))
        sixteen_store(target + at + 16, sixteen_in_order(first, second_first) | sixteen_in_order(second, second_second)
                      | sixteen_in_order(third, second_third))
        sixteen_store(target + at + 32, sixteen_in_order(second, third_second) | sixteen_in_order(third, third_third))
        at += 48
    return at


cdef void swap_narrow_row(const uint8_t* source, uint8_t* target, Py_ssize_t length,
                          const Pixels* pixels) noexcept nogil:
    # In place, sixteen bytes are loaded before those in front of them are stored: a load of what was just stored waits.
    cdef Py_ssize_t at = swap_threes(source, target, length, pixels) if pixels.in_threes else 0, step = pixels.step
    cdef sixteen order = sixteen_load(pixels.order), now, following
    cdef uint8_t last[16]
    if length - at >= 16:
        now = sixteen_load(source + at)
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


cdef void swap_rows(const uint8_t* source, Py_ssize_t source_step, uint8_t* target, Py_ssize_t target_step,
                    Py_ssize_t height, Py_ssize_t length, const Pixels* pixels) noexcept nogil:
    cdef Py_ssize_t y, x
    for y in range(height):
        if source_step < 0 and y + 1 < height:  # the processor foresees the next row only where that lies behind
            for x in range(0, length, 64):
                prefetch(source + (y + 1) * source_step + x)
        swap_row(source + y * source_step, target + y * target_step, length, pixels)


cdef Pixels pixels_of(Py_ssize_t item, Py_ssize_t channels) noexcept nogil:
    cdef Pixels pixels
    cdef Py_ssize_t i, k, to
    pixels.item, pixels.size = item, item * channels
    pixels.step = 16 // pixels.size * pixels.size
    for i in range(16):
        pixels.order[i] = <uint8_t>(taken_from(i, item, channels) if i < pixels.step else i)
    pixels.in_threes = channels == 3 and pixels.step and 48 % pixels.size == 0
    for to in range(3):
        for k in range(3):
            for i in range(16):
                pixels.orders[to][k][i] = NOWHERE
    if pixels.in_threes:
        for i in range(48):
            k = taken_from(i, item, channels)
            pixels.orders[i // 16][k // 16][i % 16] = <uint8_t>(k % 16)
    return pixels


cdef inline Py_ssize_t taken_from(Py_ssize_t place, Py_ssize_t item, Py_ssize_t channels) noexcept nogil:
    """Where the byte is that comes to this place."""
    cdef Py_ssize_t channel = place % (item * channels) // item
    if channel == 1 or channel == 3:
        return place
    return place + 2 * item if channel == 0 else place - 2 * item


def swap(image not None, out not None):
    """Write `image`, HWC of 3 or 4 channels, to `out` with its first and third channel in each other's place.

    Both of one shape, with numbers of at most 16 bytes, and with steps between rows of any size; `out` is `image` or shares
    no memory with it.
    """
    cdef Py_buffer source, target
    cdef Pixels pixels
    PyObject_GetBuffer(image, &source, PyBUF_RECORDS_RO)
    PyObject_GetBuffer(out, &target, PyBUF_RECORDS)
    pixels = pixels_of(source.itemsize, source.shape[2])
    with nogil:
        swap_rows(<const uint8_t*>source.buf, source.strides[0], <uint8_t*>target.buf, target.strides[0],
                  source.shape[0], source.shape[1] * pixels.size, &pixels)
    PyBuffer_Release(&source)
    PyBuffer_Release(&target)


def swap_from(bytes data not None, Py_ssize_t start, Py_ssize_t step, out not None):
    """Fill `out`, HWC of 3 channels of a byte each, from rows that lie in `data` as they are, `step` bytes apart, the first
    of them at `start`; all of them are there.
    """
    cdef Py_buffer target
    cdef Pixels pixels = pixels_of(1, 3)
    cdef const uint8_t* source = <const uint8_t*>PyBytes_AS_STRING(data) + start
    PyObject_GetBuffer(out, &target, PyBUF_RECORDS)
    with nogil:
        swap_rows(source, step, <uint8_t*>target.buf, target.strides[0], target.shape[0], 3 * target.shape[1], &pixels)
    PyBuffer_Release(&target)

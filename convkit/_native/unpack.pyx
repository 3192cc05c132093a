"""Bytes out of the two plain compressions of TIFF: LZW and PackBits (Adobe's TIFF 6.0, sections 13 and 9); and whether
the runs of a BMP are whole (Microsoft's "Bitmap Compression").

A string of LZW's table is one that was written before and the byte after it, so the table holds where in the output each
string is, and how long; nothing is walked backwards. Strings are copied eight bytes at a time, into `SPARE` bytes of room
behind the output.
"""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

cdef enum:
    SPARE = 8
    CLEAR = 256
    END = 257
    FIRST = 258                 # the first string of a fresh table
    MOST = 4096                 # strings
    SHORTEST = 9                # bits of a code
    LONGEST = 12
    SHORT = 0                   # what `runs` tells
    WHOLE = 1
    SKIPPING = 2


cdef struct Table:
    uint32_t place[MOST + 1]    # from where the table was cleared last: at most 4096 strings of 4096 bytes
    uint16_t length[MOST + 1]
    uint8_t single[CLEAR + SPARE]


cdef inline uint64_t eight(const uint8_t* at) noexcept nogil:
    """Eight bytes as one number, the first on top."""
    return (
        <uint64_t>at[0] << 56 | <uint64_t>at[1] << 48 | <uint64_t>at[2] << 40 | <uint64_t>at[3] << 32
        | <uint64_t>at[4] << 24 | <uint64_t>at[5] << 16 | <uint64_t>at[6] << 8 | <uint64_t>at[7]
    )


cdef Py_ssize_t undo_lzw(const uint8_t* stored, Py_ssize_t size, uint8_t* out, Py_ssize_t count,
                         Table* table) noexcept nogil:
    """How many bytes came of `stored`, `count` at most; -1: it has a code that stands for nothing."""
    cdef uint64_t bits = 0      # those that were not looked at yet, from the highest on
    cdef int held = 0, width = SHORTEST
    cdef Py_ssize_t at = 0, done = 0, base = 0, length, i
    cdef uint32_t code, following = FIRST
    cdef bint has_last = False
    cdef const uint8_t* source
    for i in range(CLEAR):
        table.single[i] = <uint8_t>i
        table.length[i] = 1
    memset(&table.single[CLEAR], 0, SPARE)
    while done < count:
        if held < LONGEST and at + 8 <= size:
            bits |= eight(stored + at) >> held
            at += (63 - held) >> 3
            held |= 56
        while held < LONGEST and at < size:
            bits |= <uint64_t>stored[at] << (56 - held)
            held += 8
            at += 1
        if held < width:
            break
        code = <uint32_t>(bits >> (64 - width))
        bits <<= width
        held -= width
        if code == CLEAR:
            following, width, has_last, base = FIRST, SHORTEST, False, done
            continue
        if code == END:
            break
        if code > END and not (code < following or (code == following and has_last)):
            return -1
        length = table.length[code]
        if length > count - done:
            length = count - done
        source = &table.single[code] if code < CLEAR else &out[base + table.place[code]]
        i = 0
        while True:
            memcpy(out + done + i, source + i, SPARE)
            i += SPARE
            if i >= length:
                break
        if code == following and length == table.length[code]:  # it ends in its own first byte, if it is not cut
            out[done + length - 1] = out[done]
        if has_last and following < MOST:
            following += 1
            if following > (1U << width) - 2 and width < LONGEST:
                width += 1
        table.place[following] = <uint32_t>(done - base)
        table.length[following] = <uint16_t>(length + 1)
        has_last = True
        done += length
    return done


cdef Py_ssize_t undo_packbits(const uint8_t* stored, Py_ssize_t size, uint8_t* out, Py_ssize_t count) noexcept nogil:
    """How many bytes came of `stored`, `count` at most."""
    cdef Py_ssize_t at = 0, done = 0, length
    cdef int head
    while done < count and at < size:
        head = stored[at]
        at += 1
        if head < 128:          # so many bytes and one as they are
            length = min(head + 1, size - at, count - done)
            memcpy(out + done, stored + at, length)
            at += head + 1
        elif head > 128:        # one byte many times
            if at == size:
                break
            length = min(257 - head, count - done)
            memset(out + done, stored[at], length)
            at += 1
        else:
            continue
        done += length
    return done


cdef int follow_runs(const uint8_t* stored, Py_ssize_t size, Py_ssize_t width, Py_ssize_t height,
                     bint narrow) noexcept nogil:
    """See `runs`. Pixels that a row leaves out at its end count as told."""
    cdef Py_ssize_t at = 0, x = 0, y = 0
    cdef int count, code, found = WHOLE
    while y < height - 1 or (y == height - 1 and x < width):
        if at + 2 > size:
            return SHORT
        count, code = stored[at], stored[at + 1]
        at += 2
        if count:
            x += count
        elif code == 0:         # the row's end
            x, y = 0, y + 1
        elif code == 1:         # the picture's
            return SHORT
        elif code == 2:         # so far to the right and up
            if at + 2 > size:
                return SHORT
            x, y = x + stored[at], y + stored[at + 1]
            at += 2
            found = SKIPPING
        else:                   # so many pixels as they are, in whole words of two bytes
            x += code
            at += ((code + 1) // 2 if narrow else code) + 1 & ~1
            if at > size:
                return SHORT
    return found


def runs(bytes data not None, Py_ssize_t at, Py_ssize_t width, Py_ssize_t height, bint narrow):
    """What becomes of the runs at `at`, of bytes or of their `narrow` halves.

    0: they end before the last pixel; 1: they come to it; 2: they come to it and skip pixels.
    """
    cdef int found
    cdef Py_ssize_t size = len(data) - at
    cdef const uint8_t* stored = <const uint8_t*>PyBytes_AS_STRING(data) + at
    with nogil:
        found = follow_runs(stored, size, width, height, narrow)
    return found


def lzw(bytes data not None, Py_ssize_t at, Py_ssize_t size, Py_ssize_t count):
    """The first `count` bytes that `size` bytes of `data` at `at` stand for; fewer if they end before.

    A few bytes of no meaning follow them. `ValueError` where there is a code that stands for nothing.
    """
    cdef Table table
    cdef Py_ssize_t done
    cdef object out = PyBytes_FromStringAndSize(NULL, count + SPARE)
    cdef uint8_t* target = <uint8_t*>PyBytes_AS_STRING(out)
    cdef const uint8_t* stored = <const uint8_t*>PyBytes_AS_STRING(data) + at
    with nogil:
        done = undo_lzw(stored, size, target, count, &table)
    if done < 0:
        raise ValueError("a code of it stands for nothing")
    return out if done == count else out[:done]


def packbits(bytes data not None, Py_ssize_t at, Py_ssize_t size, Py_ssize_t count):
    """The first `count` bytes that `size` bytes of `data` at `at` stand for; fewer if they end before."""
    cdef Py_ssize_t done
    cdef object out = PyBytes_FromStringAndSize(NULL, count)
    cdef uint8_t* target = <uint8_t*>PyBytes_AS_STRING(out)
    cdef const uint8_t* stored = <const uint8_t*>PyBytes_AS_STRING(data) + at
    with nogil:
        done = undo_packbits(stored, size, target, count)
    return out if done == count else out[:done]

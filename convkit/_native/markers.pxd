"""Markers of a JPEG and what stands around them (ITU-T T.81, annex B)."""
from libc.stdint cimport uint8_t
from libc.string cimport memchr

cdef enum:
    START_OF_IMAGE = 0xD8
    END_OF_IMAGE = 0xD9
    START_OF_SCAN = 0xDA
    RESTART_EVERY = 0xDD
    EXTENDED = 0xC1             # the last of the frames whose scans do not refine each other
    PROGRESSIVE = 0xC2
    HUFFMAN_TABLES = 0xC4


cdef inline int two(const uint8_t* at) noexcept nogil:
    return at[0] << 8 | at[1]


cdef inline bint is_frame(int code) noexcept nogil:
    return 0xC0 <= code <= 0xCF and code != HUFFMAN_TABLES and code != 0xC8 and code != 0xCC


cdef inline Py_ssize_t upward(Py_ssize_t length, Py_ssize_t step) noexcept nogil:
    return (length + step - 1) // step


cdef inline Py_ssize_t next_marker(const uint8_t* data, Py_ssize_t at, Py_ssize_t end, bint restarts) noexcept nogil:
    """Where the next marker is that is neither a stuffed 0xFF nor padding; `end` where there is none."""
    cdef const uint8_t* found
    cdef uint8_t code
    while at + 1 < end:
        found = <const uint8_t*>memchr(data + at, 0xFF, end - 1 - at)
        if found == NULL:
            break
        at = found - data
        code = data[at + 1]
        if code > 1 and code != 0xFF and (restarts or not 0xD0 <= code <= 0xD7):
            return at
        at += 1
    return end


cdef inline Py_ssize_t units(int height, int width, int components, const uint8_t* sampling, int count,
                             int which) noexcept nogil:
    """The units that restarts of a scan of `count` components are counted in: blocks of all of them together, or those of
    the one component, number `which` of the frame. `sampling` has three bytes for each component: its name, its sampling,
    its table.
    """
    cdef int across = 1, down = 1, i
    cdef Py_ssize_t rows = height, columns = width
    for i in range(components):
        across = max(across, sampling[3 * i + 1] >> 4)
        down = max(down, sampling[3 * i + 1] & 15)
    if count > 1:
        return upward(rows, 8 * down) * upward(columns, 8 * across)
    rows = upward(rows * (sampling[3 * which + 1] & 15), down)
    columns = upward(columns * (sampling[3 * which + 1] >> 4), across)
    return upward(rows, 8) * upward(columns, 8)

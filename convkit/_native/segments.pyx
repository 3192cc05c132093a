"""The segments of a JPEG, from its first marker to its last (ITU-T T.81, annex B), and the orientation in an EXIF block."""
from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport uint8_t
from libc.string cimport memcmp, memset

from .markers cimport (
    END_OF_IMAGE,
    EXTENDED,
    PROGRESSIVE,
    RESTART_EVERY,
    START_OF_IMAGE,
    START_OF_SCAN,
    is_frame,
    next_marker,
    two,
    units,
    upward,
)

cdef enum:
    APP1 = 0xE1
    COEFFICIENTS = 64
    MOST_SCANS = 100            # each costs its reader all blocks; encoders make about ten
    ORIENTATION = 0x0112        # a tag of EXIF
    SHORT = 3                   # integers of two bytes, and of four, which some programs write
    LONG = 4


cdef struct Picture:
    int kind                    # the marker of its frame; 0: none was met
    int precision, height, width, components
    const uint8_t* sampling     # three bytes for each component: its name, its sampling, its table
    int interval                # between restarts
    int orientation
    Py_ssize_t last             # where the data of the last scan begin
    int scans
    uint8_t scanned[256]        # by names of components
    uint8_t missing[256][COEFFICIENTS]  # bits, of those that were scanned


# ---- EXIF -------------------------------------------------------------------------------------------

cdef inline size_t number(const uint8_t* at, int size, bint big) noexcept nogil:
    cdef size_t found = 0
    cdef int i
    for i in range(size):
        found |= <size_t>at[i] << (8 * (size - 1 - i if big else i))
    return found


cdef int orientation_in(const uint8_t* block, Py_ssize_t size) noexcept nogil:
    """1 to 8; 1 where the block cannot be understood."""
    cdef size_t at, entries, kind, value
    cdef size_t end = size
    cdef bint big
    if size < 8 or not (memcmp(block, "II*\0", 4) == 0 or memcmp(block, "MM\0*", 4) == 0):
        return 1
    big = block[0] == b"M"
    at = number(block + 4, 4, big)
    if at + 2 > end:
        return 1
    entries = number(block + at, 2, big)
    at += 2
    while entries and at + 12 <= end:
        if number(block + at, 2, big) == ORIENTATION:
            kind = number(block + at + 2, 2, big)
            value = number(block + at + 8, 4 if kind == LONG else 2, big)
            if kind in (SHORT, LONG) and number(block + at + 4, 4, big) == 1 and 1 <= value <= 8:
                return <int>value
            return 1
        at += 12
        entries -= 1
    return 1


def orientation(bytes block not None):
    """The orientation, 1 to 8, in an EXIF block; 1 where it cannot be understood: other programs often damage EXIF."""
    cdef const uint8_t* start = <const uint8_t*>PyBytes_AS_STRING(block)
    if len(block) >= 6 and memcmp(start, "Exif\0\0", 6) == 0:
        return orientation_in(start + 6, len(block) - 6)
    return orientation_in(start, len(block))


# ---- scans ------------------------------------------------------------------------------------------

cdef Py_ssize_t last_end(const uint8_t* data, Py_ssize_t at, Py_ssize_t end) noexcept nogil:
    """Where the last end-of-image marker is; `end` where there is none."""
    cdef Py_ssize_t i
    for i in range(end - 2, at - 1, -1):
        if data[i] == 0xFF and data[i + 1] == END_OF_IMAGE:
            return i
    return end


cdef Py_ssize_t restarts_end(const uint8_t* data, Py_ssize_t at, Py_ssize_t end, Py_ssize_t expected) except -1:
    """Where the scan ends that starts at `at` and has so many restarts, counted from 0 to 7 over and over."""
    cdef Py_ssize_t found = 0
    while True:
        at = next_marker(data, at, end, True)
        if at == end:
            raise ValueError("it has no end-of-image marker")
        if not 0xD0 <= data[at + 1] <= 0xD7:
            break
        if data[at + 1] - 0xD0 != found % 8:
            raise ValueError(f"its restart {found} is missing")
        found += 1
        at += 2
    if found != expected:
        raise ValueError(f"it has {found} of its {expected} restarts")
    return at


cdef int start_scan(const uint8_t* header, Py_ssize_t left, Picture* picture) except -1:
    """Note which components a scan brings, and of a progressive one, which bits."""
    cdef int count = header[0], i, first, last, bits
    if left < 2 * count + 4:
        raise ValueError("its header is cut short")
    first, last, bits = header[2 * count + 1], header[2 * count + 2], header[2 * count + 3] & 15
    if picture.kind == PROGRESSIVE and not first <= last < COEFFICIENTS:
        raise ValueError(f"a scan of its coefficients {first} to {last}")
    for i in range(count):
        name = header[2 * i + 1]
        if picture.kind == PROGRESSIVE:
            if not picture.scanned[name]:
                memset(picture.missing[name], 1, COEFFICIENTS)
            memset(picture.missing[name] + first, bits, last + 1 - first)
        picture.scanned[name] = 1
    return 0


cdef Py_ssize_t scan_end(const uint8_t* data, Py_ssize_t end, const Picture* picture, const uint8_t* header) except -1:
    """Where the scan of that header ends whose data begin at `picture.last`."""
    cdef int count = header[0], which = 0, i
    cdef Py_ssize_t expected
    if picture.interval:
        for i in range(picture.components):
            if picture.sampling[3 * i] == header[1]:
                which = i
        expected = units(picture.height, picture.width, picture.components, picture.sampling, count, which)
        return restarts_end(data, picture.last, end, upward(expected, picture.interval) - 1)
    if picture.kind <= EXTENDED and count == picture.components:  # no other follows it
        return last_end(data, picture.last, end)  # its data cannot contain that
    return next_marker(data, picture.last, end, False)


# ---- segments ---------------------------------------------------------------------------------------

cdef int note(const uint8_t* data, Py_ssize_t at, Py_ssize_t end, Picture* picture) except -1:
    """Read the segment at `at` into `picture`, if it says something of it."""
    cdef int code = data[at + 1]
    cdef Py_ssize_t body = at + 4, length = two(data + at + 2) - 2
    if is_frame(code) and not picture.kind:
        if body + 6 > end or body + 6 + 3 * data[body + 5] > end:
            raise ValueError("its header is cut short")
        picture.kind, picture.precision = code, data[body]
        picture.height, picture.width, picture.components = two(data + body + 1), two(data + body + 3), data[body + 5]
        picture.sampling = data + body + 6
    elif code == APP1 and picture.orientation == 1 and min(length, end - body) > 6 and (
        memcmp(data + body, "Exif\0\0", 6) == 0
    ):
        picture.orientation = orientation_in(data + body + 6, min(length, end - body) - 6)
    elif code == RESTART_EVERY:
        if body + 2 > end:
            raise ValueError("its header is cut short")
        picture.interval = two(data + body)
    return 0


cdef int follow(const uint8_t* data, Py_ssize_t end, Picture* picture, Py_ssize_t most) except -1:
    """Follow the chain of segments to the marker that ends the image, `most` of them."""
    cdef Py_ssize_t at = 2, left = most
    cdef int code
    while not (at + 2 <= end and data[at] == 0xFF and data[at + 1] == END_OF_IMAGE):
        left -= 1
        if left < 0:
            raise ValueError(f"it has more than {most} parts")
        if at + 4 > end or data[at] != 0xFF:
            raise ValueError("it has no end-of-image marker")
        code = data[at + 1]
        if code == 1 or 0xD0 <= code <= 0xD7:
            at += 2
        elif code == 0xFF:
            at += 1
        elif two(data + at + 2) < 2:
            raise ValueError(f"a segment at byte {at} has a length of {two(data + at + 2)}")
        elif code == START_OF_SCAN and picture.kind:
            if at + 5 > end:
                raise ValueError("its header is cut short")
            start_scan(data + at + 4, end - at - 4, picture)
            picture.scans += 1
            if picture.scans > MOST_SCANS:
                raise ValueError(f"it has more than {MOST_SCANS} scans")
            picture.last = at + 2 + two(data + at + 2)
            at = scan_end(data, end, picture, data + at + 4)
        else:
            note(data, at, end, picture)
            at += 2 + two(data + at + 2)
    return 0


cdef bint complete(const Picture* picture) noexcept nogil:
    """Whether each component, with all its bits, was in some scan."""
    cdef int i, k, name
    for i in range(picture.components):
        name = picture.sampling[3 * i]
        if not picture.scanned[name]:
            return False
    if picture.kind == PROGRESSIVE:
        for name in range(256):
            for k in range(COEFFICIENTS):
                if picture.scanned[name] and picture.missing[name][k]:
                    return False
    return True


def walk(bytes data not None, Py_ssize_t at, Py_ssize_t size, Py_ssize_t most):
    """The JPEG of `size` bytes of `data` at `at`: its precision, height, width, number of components, orientation, the
    marker of its frame and how many scans it has.

    The chain is followed to the marker that ends the image, over `most` segments; `ValueError` says why it does not come
    to it, or that scans are missing.
    """
    cdef Picture picture
    cdef const uint8_t* start = <const uint8_t*>PyBytes_AS_STRING(data) + at
    picture.kind = picture.interval = picture.precision = picture.height = picture.width = picture.components = 0
    picture.last = picture.scans = 0
    picture.orientation = 1
    memset(picture.scanned, 0, 256)
    if size < 2 or start[0] != 0xFF or start[1] != START_OF_IMAGE:
        raise ValueError("it does not begin as a JPEG")
    follow(start, size, &picture, most)
    if not picture.kind or not picture.last:
        raise ValueError("it has no picture between its first and its last marker")
    if picture.kind <= PROGRESSIVE and not complete(&picture):
        raise ValueError("some of its scans are missing")
    return (picture.precision, picture.height, picture.width, picture.components, picture.orientation, picture.kind,
            picture.scans)

"""A number that tells whether bytes have changed."""
from libc.string cimport memcpy

cdef enum:
    LANES = 8                   # words that are mixed side by side: each waits for its last product

cdef extern from *:
    """
    static inline unsigned long long mixed(unsigned long long mark, unsigned long long word) {
      mark ^= word;
      return (mark << 29 | mark >> 35) * 0x9E3779B97F4A7C15ull; /* turned: products carry bits upwards alone */
    }
    """
    unsigned long long mixed(unsigned long long mark, unsigned long long word) nogil


def mark(const unsigned char[::1] data not None):
    """A hash of 64 bits."""
    cdef unsigned long long marks[LANES]
    cdef unsigned long long words[LANES]
    cdef unsigned long long found
    cdef Py_ssize_t n = data.shape[0], at = 0, left
    cdef const unsigned char* source = &data[0]
    cdef int i
    with nogil:
        for i in range(LANES):
            marks[i] = i + 1
        while at < n:
            left = min(n - at, <Py_ssize_t>sizeof(words))
            if left < <Py_ssize_t>sizeof(words):
                for i in range(LANES):
                    words[i] = 0
            memcpy(words, source + at, left)
            for i in range(LANES):
                marks[i] = mixed(marks[i], words[i])
            at += left
        found = n
        for i in range(LANES):
            found = mixed(found, marks[i])
    return found

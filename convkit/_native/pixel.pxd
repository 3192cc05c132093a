# What `pixel.h` gives to Cython: the elements of an image as integers in their order. Cython takes `pixel` for a
# double, so that Python's numbers come whole.
cdef extern from "pixel.h" nogil:
    ctypedef double pixel
    ctypedef long long key
    ctypedef long long keys
    enum:
        PIXEL_IS_KEY
        KEY_BITS
        KEY_BYTES
        KEY_LOWEST
        KL
    key key_of(pixel x)
    pixel pixel_of(key k)
    keys pixels_load(const pixel* p)
    keys pixels_read(const pixel* p)
    void pixels_store(pixel* p, keys v)
    void pixels_stream(pixel* p, keys v)
    keys keys_load(const key* p)
    void keys_store(key* p, keys v)
    keys keys_read(const key* p)
    const key* key_place(const key* p)
    keys keys_min(keys a, keys b)
    keys keys_max(keys a, keys b)
    keys keys_pick(keys a, keys b, bint greatest)
    keys keys_greater(keys a, keys b, keys lesser)
    keys keys_set(key k)
    keys keys_with_bit(keys v, int bit)
    keys keys_count_less(keys count, keys k, keys limit)
    keys keys_where_at_most(keys count, Py_ssize_t most, keys a, keys b)
    void keys_stream(key* p, keys v)
    keys keys_to_pixels(keys v)
    bint keys_any_below(keys v)
    keys floats_pick(keys found, keys x, bint greatest)
    keys floats_note(keys noted, keys x, bint greatest)
    keys floats_doubt(keys found, keys noted, bint greatest)
    void pixels_pick(const key** taps, Py_ssize_t count, Py_ssize_t at, pixel* target, bint greatest)

# What `simd.h` gives to Cython. `real` and `vec` are the build's element and register types. Cython takes `real`
# for a double, so that Python's numbers come to a float64 build whole; C knows what it is.
cdef extern from "simd.h" nogil:
    ctypedef double real
    ctypedef float stored
    ctypedef float vec
    ctypedef short half_vec
    ctypedef int vec_wide
    ctypedef float panel_vec
    ctypedef double panel_f64
    ctypedef unsigned short vec_lanes
    ctypedef int sixteen
    enum:
        VL
        VECTOR_BYTES
        ROUNDS
        GEMM_MR
        GEMM_NV
        GEMM_DEPTH
        SUMS_BYTES
        PLANES_BYTES
        GRAD_MR
        LINE
        FORESEES_LINES
        SLIDES
        HALVES
        MASKS
        STRIP_CHUNK
        STRIP_ROWS
        STRIP_ROWS_PAIR
        STRIP_VECTORS_4
        STRIP_VECTORS_8
        STENCIL_ROWS
        STENCIL_VECTORS
        COLUMN_VECTORS
    int GEMM_WIDE(int rows)
    vec vec_load(const real* p)
    void vec_store(real* p, vec v)
    vec vec_set(real x)
    vec vec_load_pixels(const stored* p)
    vec vec_pin(vec v)
    half_vec half_load(const real* p)
    half_vec half_load_lanes(const real* p, vec_lanes lanes)
    void half_store(real* p, half_vec v)
    half_vec half_set(real x)
    half_vec half_pin(half_vec v)
    void half_store_part(real* p, half_vec v, Py_ssize_t n)
    double rounded(double v)
    vec vec_slide(vec a, vec b, int by)
    vec vec_load_even(const real* p)
    vec vec_even(vec a, vec b)
    vec vec_odd(vec a, vec b)
    vec vec_even_mixed(vec a, vec b)
    vec vec_odd_mixed(vec a, vec b)
    vec vec_unmixed(vec v)
    vec vec_third_0(vec a, vec b, vec c)
    vec vec_third_1(vec a, vec b, vec c)
    vec vec_third_2(vec a, vec b, vec c)
    vec vec_braid_0(vec a, vec b, vec c)
    vec vec_braid_1(vec a, vec b, vec c)
    vec vec_braid_2(vec a, vec b, vec c)
    void vec_store_thirds(unsigned char* p, vec a, vec b, vec c)
    sixteen sixteen_load(const unsigned char* p)
    void sixteen_store(unsigned char* p, sixteen v)
    sixteen sixteen_in_order(sixteen v, sixteen order)
    sixteen sixteen_add_pairs(sixteen a, sixteen b)
    vec vec_zip_low(vec a, vec b)
    vec vec_zip_high(vec a, vec b)
    void vec_interleave(vec* v, int rows)
    void vec_transpose(vec* v)
    vec vec_shift_last(vec a, vec b)
    vec vec_shift_last_but_one(vec a, vec b)
    vec vec_choose(vec choice, vec a, vec b)
    vec vec_if_less(vec a, vec b, vec x, vec y)
    vec vec_max(vec a, vec b)
    vec vec_min(vec a, vec b)
    vec vec_sqrt(vec v)
    vec vec_length(vec x, vec y)
    vec vec_unless_nan(vec v, vec other)
    void vec_store_bytes(unsigned char* p, const vec* v)
    void vec_store_words(unsigned short* p, const vec* v, bint with_sign)
    void load_bytes(stored* line, const unsigned char* p, Py_ssize_t n)
    vec vec_with_sign(vec v, vec sign)
    vec vec_minus_abs(vec v)
    vec vec_exponent_add(vec v, vec power)
    panel_vec panel_load(const real* p)
    void panel_store(real* p, panel_vec v)
    panel_vec panel_set(real x)
    panel_f64 panel_to_f64(panel_vec v)
    panel_vec panel_from_f64(panel_f64 v)
    vec vec_load_part(const real* p, Py_ssize_t n)
    vec_lanes lanes_between(Py_ssize_t first, Py_ssize_t end)
    vec vec_load_lanes(const real* p, vec_lanes lanes, vec other)
    vec vec_in_lanes(vec v, vec_lanes lanes)
    vec vec_set_lanes(vec v, vec_lanes lanes, const real* p)
    void vec_store_part(real* p, vec v, Py_ssize_t n)
    void copy_part(real* to, const real* source, Py_ssize_t n)
    void prefetch(const void* p)
    void prefetch_far(const void* p)
    void prefetch_write(const real* p)
    void vec_stream(real* p, vec v)
    void stream_fence()
    vec_wide wide_set(int x)
    vec_wide wide_pair(short a, short b)
    void wide_add_products(vec_wide* low, vec_wide* high, vec a, vec b, vec_wide weights)
    vec_wide wide_pairs(vec a, vec_wide weights)
    vec wide_upper(vec_wide low, vec_wide high)
    vec vec_scaled(vec a, float factor, float divisor, float offset, float most, int divides)
    vec wide_merge(vec_wide even, vec_wide odd)
    vec vec_upper_product(vec a, unsigned short factor)
    vec vec_shift_down(vec a, int count)
    void vec_store_pixels(stored* p, vec a, vec b)
    void* scratch_alloc(size_t size)
    void scratch_free(void* p)
    unsigned long long bytes_to_bits(const unsigned char* p, int which)
    void bits_to_bytes(unsigned long long bits, unsigned char* p)
    ctypedef int bins
    ctypedef int counts
    enum:
        BINS
    bins bins_load(const unsigned char* p)
    void bins_store(unsigned char* p, bins v)
    bins bins_add(bins a, bins b, int minus)
    counts counts_load(const unsigned short* p)
    void counts_store(unsigned short* p, counts v)
    counts counts_widen(const unsigned char* p)
    int counts_up_to(counts v, int limit)
    int cpu_level()
    int cpu_multiplies_twice()
    long cpu_second_cache()

# Lengths and angles of vectors.
from convkit._native.simd cimport (
    VL, real, vec, vec_if_less, vec_length, vec_load, vec_max, vec_min, vec_minus_abs, vec_set, vec_store,
    vec_unless_nan, vec_with_sign
)

cdef extern from *:
    """
    /* Coefficients of atan(t) / t in powers of t² on [0, 1]: Chebyshev interpolation, off by 3e-9 (float64: 1e-18). */
    #ifdef CONVKIT_FLOAT64
    #define ARCTAN_TERMS 22
    static const double arctan_term[] = {
        0.99999999999999999912, -0.33333333333333247768, 0.19999999999986156752, -0.14285714284820428681,
        0.11111111080383853272, -0.090909084403388434368, 0.076922984329856850364, -0.066665728062897631729,
        0.058816472367174149812, -0.052591037894858816568, 0.04743705966432169634, -0.042828645702794473778,
        0.038129809754225042164, -0.032641162929770771668, 0.025947105703956302528, -0.018386836817918876021,
        0.011122014669752633411, -0.0054847789718093558289, 0.0020906335352636761286, -0.00057279257812920965769,
        0.000099784108119530313592, -8.2679958173371501883e-6};
    #else
    #define ARCTAN_TERMS 10
    static const float arctan_term[] = {
        1.0f, -0.33333276291982551432f, 0.19998075281148713556f, -0.14260016082820904772f, 0.10932341501303092842f,
        -0.08349724968301601747f, 0.057089555930306190041f, -0.030351864785781170614f, 0.010487649254949305575f,
        -0.0017011700640685972273f};
    #endif
    """
    enum:
        ARCTAN_TERMS
    const real* arctan_term


cdef inline vec angle(vec y, vec x) noexcept nogil:
    """atan2(y, x), 0 where both are 0."""
    cdef vec across = vec_set(0) - vec_minus_abs(x), up = vec_set(0) - vec_minus_abs(y)
    cdef vec most = vec_max(across, up), least = vec_min(across, up)
    cdef vec t = vec_if_less(least, most, least / most, vec_if_less(vec_set(0), most, vec_set(1), vec_set(0)))
    cdef vec square = t * t, found = vec_set(arctan_term[ARCTAN_TERMS - 1])
    cdef int i
    for i in range(2, ARCTAN_TERMS + 1):
        found = found * square + vec_set(arctan_term[ARCTAN_TERMS - i])
    found = found * t
    found = vec_if_less(across, up, vec_set(<real>1.5707963267948966) - found, found)
    found = vec_if_less(x, vec_set(0), vec_set(<real>3.141592653589793) - found, found)
    return vec_unless_nan(x, vec_unless_nan(y, vec_with_sign(found, y)))


cdef inline void polar_lines(real* a, real* b, Py_ssize_t n, bint length, bint turn) noexcept nogil:
    """Into `a` the lengths of the vectors (a, b), into `b` their angles."""
    cdef Py_ssize_t i = 0
    cdef vec x, y
    while i < n:
        x, y = vec_load(a + i), vec_load(b + i)
        if length:
            vec_store(a + i, vec_length(x, y))
        if turn:
            vec_store(b + i, angle(y, x))
        i += VL

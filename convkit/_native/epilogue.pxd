# What a kernel does with its sums before it leaves them:  y = activation(sum + bias + residual).
#
# A kernel calls `finish_rows` on what a unit of work has just summed, while it is still in the cache. Every pixel goes
# through the same vector code wherever it lies, ends of rows as part of a vector, so that its bits depend on its sum and
# its residual alone.
#
# The residual has the strides of the output. Where it is the output itself, sums must not be written over it before
# they are finished (`adds_in_place`): kernels then sum into scratch.
from libc.math cimport erfc

from convkit._native.simd cimport (VL, real, vec, vec_exponent_add, vec_if_less, vec_load, vec_load_part, vec_max, vec_min,
                                   vec_minus_abs, vec_set, vec_store, vec_store_part)

cdef extern from *:
    """
    /* e^x of [-ln(2)/2, ln(2)/2] is 1 + x + x² · polynomial(x), to 3e-9 in float32 and 4e-18 in float64.
     * Of LN2's two parts, multiples of the first by whole numbers are exact. SHIFTER, added to a small number, leaves
     * the nearest whole one in the low bits. Below EXP_LEAST, e^x comes near the smallest normal number. */
    #ifdef CONVKIT_FLOAT64
    #define EXP_TERMS 10
    static const real EXP[EXP_TERMS] = {
        0.5000000000000010637, 0.16666666666666412125, 0.04166666666653005412, 0.0083333333334946841936,
        0.0013888888943662185172, 0.00019841269506176677134, 0.00002480149306160957843, 2.755758665583885069e-6,
        2.7630262950518747822e-7, 2.4999997739499222415e-8};
    #define LN2_HIGH ((real)0.693145751953125)
    #define LN2_LOW ((real)1.42860682030941723212e-6)
    #define SHIFTER ((real)6755399441055744.0)
    #define EXP_LEAST ((real)-708)
    #else
    #define EXP_TERMS 5
    static const real EXP[EXP_TERMS] = {
        0.4999999344f, 0.1666652056f, 0.04166838994f, 0.00836872495f, 0.001381453311f};
    #define LN2_HIGH ((real)0.693359375)
    #define LN2_LOW ((real)-2.12194440054690583e-4)
    #define SHIFTER ((real)12582912.0)
    #define EXP_LEAST ((real)-87)
    #endif
    #define LOG2_E ((real)1.44269504088896340736)

    /* In float32, the normal distribution of [-PHI_END, PHI_END] is 1/2 + x · polynomial(2 (x/PHI_END)² - 1), to 4e-8,
     * and 0 and 1 at the ends. */
    #define PHI_TERMS 15
    #define PHI_END 5.5
    static const real PHI[PHI_TERMS] = {
        0.1285519368, -0.06417247571, 0.04773696375, -0.03878724623, 0.03208220828, -0.02611265068, 0.0202848703,
        -0.01467068305, 0.01047838851, -0.007675904163, 0.004220770115, -0.001228338892, 0.001036128155,
        -0.001369178792, 0.000534312496};
    """
    enum:
        EXP_TERMS
        PHI_TERMS
    const real EXP[]
    const real PHI[]
    const real LN2_HIGH, LN2_LOW, LOG2_E, SHIFTER, EXP_LEAST, PHI_END

cdef enum Activation:           # `ACTIVATIONS` of ops/epilogue.py
    IDENTITY, RELU, RELU6, LEAKY_RELU, SILU, GELU, HARDSWISH, SIGMOID


cdef struct Epilogue
ctypedef void (*Finish)(const Epilogue* epilogue, real* x, Py_ssize_t row, Py_ssize_t rows, Py_ssize_t n) noexcept nogil

cdef struct Epilogue:
    bint plain                  # nothing to do
    const real* residual        # NULL where there is none
    const real* y               # the output
    Py_ssize_t step             # from one pixel to the next of those that are finished together
    real slope                  # of a leaky ReLU
    Finish finish               # by pointer, as inlined code would take registers from the kernel's loops


# ---- functions of a vector: NaN gives NaN, and ±Inf the limit ------------------------------------------

cdef inline vec polynomial(const int COUNT, const real* coefficients, vec x) noexcept nogil:
    cdef vec sum = vec_set(coefficients[COUNT - 1])
    cdef int i
    for i in range(COUNT - 2, -1, -1):
        sum = sum * x + vec_set(coefficients[i])
    return sum


cdef inline vec at_least(vec x, real least) noexcept nogil:
    return vec_max(vec_set(least), x)


cdef inline vec at_most(vec x, real most) noexcept nogil:
    return vec_min(vec_set(most), x)


cdef inline vec exp_negative(vec x) noexcept nogil:
    # e^x for x ≤ 0, within 2 units in the last place, and 0 where it comes near the smallest normal number:
    # e^x = 2ᵏ · e^(x - k ln 2) with k the whole number nearest to x / ln 2 (Cody & Waite, "Software manual for the
    # elementary functions", 1980, ch. 6); the polynomial is the best one, by Remez's algorithm (Muller, "Elementary
    # functions", 2016, §3.5).
    cdef vec shifted = x * LOG2_E + vec_set(SHIFTER)
    cdef vec k = shifted - SHIFTER
    cdef vec rest = x - k * LN2_HIGH
    rest = rest - k * LN2_LOW
    rest = (polynomial(EXP_TERMS, EXP, rest) * rest + vec_set(1)) * rest + vec_set(1)
    return vec_if_less(x, vec_set(EXP_LEAST), vec_set(0), vec_exponent_add(rest, shifted))


cdef inline vec sigmoid(vec x) noexcept nogil:
    # 1 / (1 + e^-x), with an exponential that cannot overflow.
    cdef vec e = exp_negative(vec_minus_abs(x))
    return vec_if_less(x, vec_set(0), e, vec_set(1)) / (e + vec_set(1))


cdef inline vec phi(vec x) noexcept nogil:
    # The normal distribution (1 + erf(x/√2)) / 2 (Abramowitz & Stegun 26.2.29), in float32 of x ≥ -PHI_END.
    cdef real lanes[16]
    cdef int i
    cdef vec square
    if sizeof(real) == 4:
        x = at_most(x, PHI_END)
        square = x * x * <real>(2 / PHI_END / PHI_END) - vec_set(1)
        return at_least(x * polynomial(PHI_TERMS, PHI, square) + vec_set(0.5), 0)
    vec_store(lanes, x)
    for i in range(VL):
        lanes[i] = 0.5 * erfc(-0.70710678118654752440 * lanes[i])
    return vec_load(lanes)


cdef inline vec activate(const int ACTIVATION, real slope, vec x) noexcept nogil:
    # Where a factor comes to 0 at the left, x is not taken along: -Inf · 0 would be NaN.
    if ACTIVATION == RELU:
        return at_least(x, 0)
    if ACTIVATION == RELU6:
        return at_most(at_least(x, 0), 6)
    if ACTIVATION == LEAKY_RELU:
        return vec_if_less(vec_set(0), x, x, x * slope)
    if ACTIVATION == SILU:
        return vec_if_less(x, vec_set(EXP_LEAST), vec_set(0), x * sigmoid(x))
    if ACTIVATION == GELU:
        x = at_least(x, -PHI_END if sizeof(real) == 4 else -40)
        return x * phi(x)
    if ACTIVATION == HARDSWISH:
        return vec_if_less(x, vec_set(-3), vec_set(0), x * (at_most(x + vec_set(3), 6) * <real>(1. / 6)))
    if ACTIVATION == SIGMOID:
        return sigmoid(x)
    return x


# ---- runs of pixels ------------------------------------------------------------------------------------

cdef inline void add_residual(const Epilogue* epilogue, real* sums, const real* y, Py_ssize_t n) noexcept nogil:
    cdef const real* residual = epilogue.residual + (y - epilogue.y)
    cdef Py_ssize_t i = 0
    if epilogue.step == 1:
        while i + VL <= n:
            vec_store(sums + i, vec_load(sums + i) + vec_load(residual + i))
            i += VL
    while i < n:
        sums[i] = sums[i] + residual[i * epilogue.step]
        i += 1


cdef inline void finish_block(const int ACTIVATION, const Epilogue* epilogue, real* x, Py_ssize_t row, Py_ssize_t rows,
                              Py_ssize_t n) noexcept nogil:
    cdef real lanes[16]
    cdef Py_ssize_t _, i
    for _ in range(rows):
        i = 0
        while i + VL <= n:
            vec_store(x + i, activate(ACTIVATION, epilogue.slope, vec_load(x + i)))
            i += VL
        if i < n:               # part of a vector, through the same code
            vec_store(lanes, vec_load_part(x + i, n - i))
            epilogue.finish(epilogue, lanes, 0, 1, VL)
            vec_store_part(x + i, vec_load(lanes), n - i)
        x += row


# One function for each activation.

cdef inline void finish_identity(const Epilogue* epilogue, real* x, Py_ssize_t row, Py_ssize_t rows,
                                 Py_ssize_t n) noexcept nogil:
    finish_block(IDENTITY, epilogue, x, row, rows, n)


cdef inline void finish_relu(const Epilogue* epilogue, real* x, Py_ssize_t row, Py_ssize_t rows,
                             Py_ssize_t n) noexcept nogil:
    finish_block(RELU, epilogue, x, row, rows, n)


cdef inline void finish_relu6(const Epilogue* epilogue, real* x, Py_ssize_t row, Py_ssize_t rows,
                              Py_ssize_t n) noexcept nogil:
    finish_block(RELU6, epilogue, x, row, rows, n)


cdef inline void finish_leaky_relu(const Epilogue* epilogue, real* x, Py_ssize_t row, Py_ssize_t rows,
                                   Py_ssize_t n) noexcept nogil:
    finish_block(LEAKY_RELU, epilogue, x, row, rows, n)


cdef inline void finish_silu(const Epilogue* epilogue, real* x, Py_ssize_t row, Py_ssize_t rows,
                             Py_ssize_t n) noexcept nogil:
    finish_block(SILU, epilogue, x, row, rows, n)


cdef inline void finish_gelu(const Epilogue* epilogue, real* x, Py_ssize_t row, Py_ssize_t rows,
                             Py_ssize_t n) noexcept nogil:
    finish_block(GELU, epilogue, x, row, rows, n)


cdef inline void finish_hardswish(const Epilogue* epilogue, real* x, Py_ssize_t row, Py_ssize_t rows,
                                  Py_ssize_t n) noexcept nogil:
    finish_block(HARDSWISH, epilogue, x, row, rows, n)


cdef inline void finish_sigmoid(const Epilogue* epilogue, real* x, Py_ssize_t row, Py_ssize_t rows,
                                Py_ssize_t n) noexcept nogil:
    finish_block(SIGMOID, epilogue, x, row, rows, n)


# ---- what a kernel calls -------------------------------------------------------------------------------

cdef inline Epilogue make_epilogue(int activation, real slope, const real[:, :, :, :] residual, const real* y,
                                   Py_ssize_t step) noexcept:
    cdef Epilogue epilogue
    cdef Finish[8] functions = [finish_identity, finish_relu, finish_relu6, finish_leaky_relu, finish_silu, finish_gelu,
                                finish_hardswish, finish_sigmoid]
    epilogue.plain = activation == IDENTITY and residual is None
    epilogue.residual = NULL
    if residual is not None:
        epilogue.residual = &residual[0, 0, 0, 0]
    epilogue.y, epilogue.step, epilogue.slope = y, step, slope
    epilogue.finish = functions[activation]
    return epilogue


cdef inline bint adds_in_place(const Epilogue* epilogue) noexcept nogil:
    return epilogue.residual == epilogue.y


cdef inline void finish_rows(const Epilogue* epilogue, real* sums, Py_ssize_t sums_row, const real* y, Py_ssize_t y_row,
                             Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    # rows × n sums of pixels whose place is `y` in the output.
    cdef Py_ssize_t i
    if n == sums_row == y_row and epilogue.step == 1:   # one run: the store of a part would hold up the next row's load
        n *= rows
        rows = 1
    if epilogue.residual != NULL:
        for i in range(rows):
            add_residual(epilogue, sums + i * sums_row, y + i * y_row, n)
    epilogue.finish(epilogue, sums, sums_row, rows, n)

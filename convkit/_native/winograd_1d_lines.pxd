# The transforms of F(m, r), along columns of pixels: VL columns at a time, one in each lane.
#
# m outputs y of a column come from N = m + r - 1 pixels d and a kernel g of r elements:
#
#     y = Aᵀ [ (G g) ⊙ (Bᵀ d) ]                ⊙ element by element, summed over channels
#
# (Winograd, "Arithmetic complexity of computations", 1980, ch. 5.) The polynomials are evaluated at 0, pairs of points
# ±p and ∞: 4, 6 or 8 points. With P = Π (x² - p²) over all pairs, and Q over all but one, the rows of Bᵀ are P for 0,
# x·P for ∞, and (x ± p)·x·Q for ±p: sums over every second pixel, of which the two of a pair share theirs.
#
# A kernel of one element less is evaluated at the same points but ∞, so that the products of both may be added.
from convkit._native.simd cimport real, vec, vec_load, vec_set

cdef extern from *:
    """
    /* Of one, two and three pairs: each other's reciprocals keep all numbers of one size. */
    static const double PAIRS_OF_POINTS[3][3] = {
        {1, 0, 0}, {0.70710678118654752440084436210, 1.41421356237309504880168872421, 0}, {0.6, 1, 1 / 0.6}};
    """
    const double PAIRS_OF_POINTS[3][3]

cdef enum:
    MOST_PAIRS = 3
    MOST_POINTS = 8
    MOST_OUTPUTS = 7            # m of r = 2


cdef struct Scheme:
    int pairs, points, m
    real p[MOST_PAIRS + 1]      # coefficients of P, in x²: the last is 1
    real q[MOST_PAIRS][MOST_PAIRS]
    real point[MOST_PAIRS]
    real power[MOST_OUTPUTS][MOST_PAIRS]        # of the points


cdef inline void multiply_by_factor(double* coefficients, int degree, double square) noexcept nogil:
    # A polynomial in x² of some degree, times (x² - square).
    cdef int k
    coefficients[degree + 1] = 0
    for k in range(degree + 1, 0, -1):
        coefficients[k] = coefficients[k - 1] - square * coefficients[k]
    coefficients[0] = -square * coefficients[0]


cdef inline void find_product(int pairs, int without, double* coefficients) noexcept nogil:
    # Of the product over all pairs but one.
    cdef int j, degree = 0
    coefficients[0] = 1
    for j in range(pairs):
        if j != without:
            multiply_by_factor(coefficients, degree, PAIRS_OF_POINTS[pairs - 1][j] * PAIRS_OF_POINTS[pairs - 1][j])
            degree += 1


cdef inline Scheme make_scheme(int points, int m) noexcept nogil:
    cdef Scheme scheme
    cdef double factors[MOST_PAIRS + 1]
    cdef double point, power
    cdef int i, j, k
    scheme.points, scheme.pairs, scheme.m = points, points // 2 - 1, m
    find_product(scheme.pairs, -1, factors)
    for k in range(scheme.pairs + 1):
        scheme.p[k] = <real>factors[k]
    for j in range(scheme.pairs):
        point = PAIRS_OF_POINTS[scheme.pairs - 1][j]
        scheme.point[j] = <real>point
        find_product(scheme.pairs, j, factors)
        for k in range(scheme.pairs):
            scheme.q[j][k] = <real>factors[k]
        power = 1
        for i in range(m):
            scheme.power[i][j] = <real>power
            power *= point
    return scheme


cdef inline double weight_factor(int points, int point, int power, int taps) noexcept nogil:
    # An element of G for a kernel of so many taps: a power of the point, over the product of its distances from the others.
    cdef int pairs = points // 2 - 1, pair = (point - 1) // 2 if point else -1, k, _
    cdef double at = 0, square, value = 1
    if point == points - 1:     # ∞
        return power == taps - 1
    if point:
        at = PAIRS_OF_POINTS[pairs - 1][pair] * (1 if point % 2 else -1)
        value = 1 / (2 * at * at)
    for k in range(pairs):
        if k != pair:
            square = PAIRS_OF_POINTS[pairs - 1][k] * PAIRS_OF_POINTS[pairs - 1][k]
            value /= at * at - square
    for _ in range(power):
        value *= at
    return value


cdef inline void forward(const int PAIRS, const bint AT_INFINITY, const Scheme* scheme, const vec* d,
                         vec* t) noexcept nogil:
    # t = Bᵀ d
    cdef vec even, odd
    cdef int j, k
    t[0] = d[2 * PAIRS]
    for k in range(PAIRS):
        t[0] = t[0] + scheme.p[k] * d[2 * k]
    for j in range(PAIRS):
        even, odd = d[2 * PAIRS], d[2 * PAIRS - 1]
        for k in range(PAIRS - 1):
            even = even + scheme.q[j][k] * d[2 * k + 2]
            odd = odd + scheme.q[j][k] * d[2 * k + 1]
        t[2 * j + 1] = even + scheme.point[j] * odd
        t[2 * j + 2] = even - scheme.point[j] * odd
    if AT_INFINITY:
        t[2 * PAIRS + 1] = d[2 * PAIRS + 1]
        for k in range(PAIRS):
            t[2 * PAIRS + 1] = t[2 * PAIRS + 1] + scheme.p[k] * d[2 * k + 1]


cdef inline void add_pairs(const int PAIRS, const real* sums, Py_ssize_t step, vec* even, vec* odd) noexcept nogil:
    # What the outputs of even and of odd number are made of, from sums `step` apart.
    cdef vec plus, minus
    cdef int j
    for j in range(PAIRS):
        plus, minus = vec_load(sums + (2 * j + 1) * step), vec_load(sums + (2 * j + 2) * step)
        even[j] = plus + minus
        odd[j] = plus - minus


cdef inline vec inverse(const int PAIRS, const Scheme* scheme, int i, const vec* parts) noexcept nogil:
    # Output i of y = Aᵀ sums, without those at 0, which belong to the first alone, and at ∞, to the last; `parts` are its
    # even or odd ones.
    cdef vec y = vec_set(scheme.power[i][0]) * parts[0]
    cdef int j
    for j in range(1, PAIRS):
        y = y + scheme.power[i][j] * parts[j]
    return y

# The transform of F(m, r)'s weights, in double, rounded once: the lanes are the output channels of a panel.
from libc.string cimport memset

from convkit._native.arith cimport ceil_div, elements
from convkit._native.simd cimport GEMM_MR, panel_f64, panel_from_f64, panel_load, panel_store, panel_to_f64, real
from convkit._native.winograd_1d_lines cimport MOST_POINTS, weight_factor

cdef enum:
    MOST_TAPS = 7               # r


cdef inline Py_ssize_t taps_of_phase(Py_ssize_t kernel_rows, Py_ssize_t stride, Py_ssize_t phase) noexcept nogil:
    return ceil_div(kernel_rows - phase, stride)


cdef inline bint sees_infinity(Py_ssize_t kernel_rows, Py_ssize_t stride, Py_ssize_t phase) noexcept nogil:
    # A phase of as many taps as the first; others have one less.
    return taps_of_phase(kernel_rows, stride, phase) == taps_of_phase(kernel_rows, stride, 0)


cdef inline Py_ssize_t phases_at_infinity(Py_ssize_t kernel_rows, Py_ssize_t stride) noexcept nogil:
    return kernel_rows - (taps_of_phase(kernel_rows, stride, 0) - 1) * stride


cdef struct Factors:            # G, for the phases of as many taps as the first, and for those of one less
    double of[2][MOST_POINTS][MOST_TAPS]


cdef inline void find_factors(Py_ssize_t taps, int points, Factors* factors) noexcept nogil:
    cdef int fewer, point, tap
    for fewer in range(2):
        for point in range(points):
            for tap in range(taps - fewer):
                factors.of[fewer][point][tap] = weight_factor(points, point, tap, <int>taps - fewer)


cdef inline void collect(const real* column, Py_ssize_t output, Py_ssize_t tap, Py_ssize_t outputs, Py_ssize_t taps,
                         panel_f64* g) noexcept nogil:
    # One element of each of a panel's kernels in a register, those of `taps` rows; strides in elements.
    cdef real lanes[8]
    cdef Py_ssize_t o, t
    memset(lanes, 0, sizeof(lanes))
    for t in range(taps):
        for o in range(outputs):
            lanes[o] = column[o * output + t * tap]
        g[t] = panel_to_f64(panel_load(lanes))


cdef inline void transform_column(const Factors* factors, int fewer, int points, const panel_f64* g, Py_ssize_t taps,
                                  real* packed, Py_ssize_t step) noexcept nogil:
    # At the finite points, and, of a phase that has it, at ∞; `step` is between points.
    cdef int point
    cdef Py_ssize_t t
    cdef panel_f64 sum
    for point in range(points - 1):
        sum = g[0] * factors.of[fewer][point][0]
        for t in range(1, taps):
            sum = sum + g[t] * factors.of[fewer][point][t]
        panel_store(packed + point * step, panel_from_f64(sum))


cdef inline void transform_panel(const real[:, :, :, :, :] weight_gockk, const Py_ssize_t[::1] columns, Py_ssize_t stride,
                                 int points, Py_ssize_t index, real* packed) noexcept nogil:
    # Panel number `index` of all groups, to [point][channel][phase][column][GEMM_MR]. The weights at ∞ are the last taps.
    cdef Py_ssize_t panels = ceil_div(weight_gockk.shape[1], GEMM_MR), rows = weight_gockk.shape[3]
    cdef Py_ssize_t group = index // panels, first = index % panels * GEMM_MR, c, phase, j
    cdef Py_ssize_t outputs = min(<Py_ssize_t>GEMM_MR, weight_gockk.shape[1] - first), most = taps_of_phase(rows, stride, 0)
    cdef Py_ssize_t taps, step = weight_gockk.shape[2] * stride * columns.shape[0] * GEMM_MR
    cdef real* at_infinity = packed + (points - 1) * step
    cdef panel_f64 g[MOST_TAPS]
    cdef Factors factors
    find_factors(most, points, &factors)
    for c in range(weight_gockk.shape[2]):
        for phase in range(stride):
            taps = taps_of_phase(rows, stride, phase)
            for j in range(columns.shape[0]):
                collect(&weight_gockk[group, first, c, phase, columns[j]], elements(weight_gockk.strides[1]),
                        stride * elements(weight_gockk.strides[3]), outputs, taps, g)
                transform_column(&factors, <int>(most - taps), points, g, taps, packed, step)
                packed += GEMM_MR
                if taps == most:
                    panel_store(at_infinity, panel_from_f64(g[taps - 1]))
                    at_infinity += GEMM_MR

# The transform of F(m×m, 3×3)'s weights, in double, rounded once: the lanes are the output channels of a panel.
# There are (m + 2)² of a kernel, with stride 2 too.
from libc.string cimport memset

from convkit._native.arith cimport ceil_div, elements
from convkit._native.copies cimport copy_run
from convkit._native.simd cimport (GEMM_DEPTH, GEMM_MR, panel_f64, panel_from_f64, panel_load, panel_store, panel_to_f64,
                                   real)

cdef extern from *:
    """
    #define ROOT_HALF_F64 0.70710678118654752440084436210
    #define ROOT_TWO_F64 1.41421356237309504880168872421
    """
    const double ROOT_HALF_F64, ROOT_TWO_F64

cdef enum:
    SOME_CHANNELS = 16          # whose weights are transformed before they are stored: whole cache lines at a time
    MOST_POSITIONS = 36


cdef inline Py_ssize_t block_depth(Py_ssize_t channels) noexcept nogil:
    # Channels of a block of K, of as many blocks as are needed.
    return ceil_div(channels, ceil_div(channels, GEMM_DEPTH))


# ---- G g: the rows of G come in pairs, of the points 0 (with stride 2, of odd pixels) and ∞, +p and -p --

cdef inline int row(const int m, const int pair, const int second) noexcept nogil:
    if pair == 0:
        return (m + 1) * second
    return 2 * pair - 1 + second


cdef inline void evaluate(const int m, const int stride, const int pair, panel_f64 a, panel_f64 b, panel_f64 c,
                          panel_f64* u) noexcept nogil:
    # The two rows of a pair, times (a, b, c).
    cdef panel_f64 even, odd
    if pair == 0:
        u[0] = (1 / 3.0) * b if stride == 2 else a
        u[1] = c
        return
    if stride == 2:
        even = (1 / 3.0) * a
        odd = (1 / 3.0) * (ROOT_HALF_F64 if pair == 1 else ROOT_TWO_F64) * c
    elif m == 2:
        even = 0.5 * (a + c)
        odd = 0.5 * b
    elif pair == 1:
        even = (-2 / 3.0) * a + (-1 / 3.0) * c
        odd = (-2 / 3.0) * ROOT_HALF_F64 * b
    else:
        even = (1 / 6.0) * a + (1 / 3.0) * c
        odd = (1 / 6.0) * ROOT_TWO_F64 * b
    u[0] = even + odd
    u[1] = even - odd


cdef inline void store_pair(const int m, const int stride, const int pair, const panel_f64* line, real* u,
                            Py_ssize_t u_step) noexcept nogil:
    # One row of (G g) Gᵀ from the row `line` of G g: the two columns of a pair.
    cdef panel_f64 pixel[2]
    evaluate(m, stride, pair, line[0], line[1], line[2], pixel)
    panel_store(u + row(m, pair, 0) * u_step, panel_from_f64(pixel[0]))
    panel_store(u + row(m, pair, 1) * u_step, panel_from_f64(pixel[1]))


cdef inline void transform_pair(const int m, const int stride, const int pair, const real* g, real* u,
                                Py_ssize_t u_step) noexcept nogil:
    # Two rows of G g Gᵀ, from g[3][3][GEMM_MR].
    cdef panel_f64 values[2]
    cdef panel_f64 line[6]
    cdef int b, i
    for b in range(3):
        evaluate(m, stride, pair, panel_to_f64(panel_load(g + b * GEMM_MR)),
                 panel_to_f64(panel_load(g + (3 + b) * GEMM_MR)), panel_to_f64(panel_load(g + (6 + b) * GEMM_MR)), values)
        line[b] = values[0]
        line[3 + b] = values[1]
    for i in range(2):
        store_pair(m, stride, 0, line + 3 * i, u + row(m, pair, i) * (m + 2) * u_step, u_step)
        store_pair(m, stride, 1, line + 3 * i, u + row(m, pair, i) * (m + 2) * u_step, u_step)
        if m == 4:
            store_pair(m, stride, 2, line + 3 * i, u + row(m, pair, i) * (m + 2) * u_step, u_step)


cdef inline void transform_rows(const int m, const int stride, const int pair, const real* g, Py_ssize_t channels,
                                real* u) noexcept nogil:
    cdef Py_ssize_t c
    for c in range(channels):
        transform_pair(m, stride, pair, g + 9 * c * GEMM_MR, u + c * GEMM_MR, SOME_CHANNELS * GEMM_MR)


cdef inline void transform_kernels(const int m, const int stride, const real* g, Py_ssize_t channels,
                                   real* u) noexcept nogil:
    # [channel][3][3][GEMM_MR] to [position][SOME_CHANNELS][GEMM_MR]; one pair of rows at a time fits the registers.
    transform_rows(m, stride, 0, g, channels, u)
    transform_rows(m, stride, 1, g, channels, u)
    if m == 4:
        transform_rows(m, stride, 2, g, channels, u)


# ---- a panel ------------------------------------------------------------------------------------------

cdef inline void collect(const real* source, const Py_ssize_t* strides, Py_ssize_t outputs, Py_ssize_t channels,
                         real* g) noexcept nogil:
    # Kernels from `source` on, of `strides` elements, to [channel][3][3][GEMM_MR].
    cdef Py_ssize_t o, _
    cdef const real* kernel
    cdef real* to
    cdef int i, j
    for o in range(outputs):
        kernel = source + o * strides[0]
        to = g + o
        for _ in range(channels):
            for i in range(3):
                for j in range(3):
                    to[(3 * i + j) * GEMM_MR] = kernel[i * strides[2] + j * strides[3]]
            kernel += strides[1]
            to += 9 * GEMM_MR


cdef inline void transform_panel(const real[:, :, :, :, :] weight_gockk, int m, int stride, Py_ssize_t index, real* packed,
                                 void (*transform)(int, int, const real*, Py_ssize_t, real*) noexcept nogil) noexcept nogil:
    # Panel number `index` of all groups, to its place in [group][position][block of K][panel][k][GEMM_MR].
    cdef Py_ssize_t panels = ceil_div(weight_gockk.shape[1], GEMM_MR), channels = weight_gockk.shape[2]
    cdef Py_ssize_t group = index // panels, panel = index % panels, position, positions = (m + 2) * (m + 2)
    cdef Py_ssize_t outputs = min(<Py_ssize_t>GEMM_MR, weight_gockk.shape[1] - panel * GEMM_MR)
    cdef Py_ssize_t most = block_depth(channels), c = 0, k, depth, count
    cdef Py_ssize_t strides[4]
    cdef real g[SOME_CHANNELS * 9 * 8]
    cdef real u[SOME_CHANNELS * MOST_POSITIONS * 8]
    cdef int i
    for i in range(4):
        strides[i] = elements(weight_gockk.strides[i + 1])
    memset(g, 0, sizeof(g))
    packed += group * positions * panels * channels * GEMM_MR
    while c < channels:
        k = c - c % most
        depth = min(most, channels - k)
        count = min(<Py_ssize_t>SOME_CHANNELS, k + depth - c)
        collect(&weight_gockk[group, panel * GEMM_MR, c, 0, 0], strides, outputs, count, g)
        transform(m, stride, g, count, u)
        for position in range(positions):
            copy_run(packed + (position * panels * channels + k * panels + panel * depth + c - k) * GEMM_MR,
                     u + position * SOME_CHANNELS * GEMM_MR, count * GEMM_MR)
        c += count

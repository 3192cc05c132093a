# The products of the gradient by the weights of Winograd's convolution: for one position, the outer products of tiles.
from convkit._native.arith cimport ceil_div
from convkit._native.simd cimport GEMM_MR, GEMM_NV, VL, real, vec, vec_load, vec_set, vec_store


cdef struct Products:
    Py_ssize_t outputs, depth   # depth: tiles
    const real* u               # [tile][output]
    Py_ssize_t u_pitch
    const real* v               # [tile][channel]
    Py_ssize_t v_pitch
    real* sums                  # [output][channel]
    bint first                  # nothing has been summed yet


cdef inline void multiply(const int MR, const int NV, const Products* at, Py_ssize_t column) noexcept nogil:
    # NV vectors of channels from `column` on. The loop over outputs lives in here because gcc unrolls the loops over
    # `acc` early enough to keep it in registers only where they are nested in another.
    cdef vec acc[24]
    cdef vec x[3]
    cdef vec w
    cdef const real* u
    cdef const real* v
    cdef real* sums = at.sums + column
    cdef Py_ssize_t u_pitch = at.u_pitch, v_pitch = at.v_pitch, depth = at.depth, o, _
    cdef bint first = at.first
    cdef int i, j
    for o in range(ceil_div(at.outputs, MR)):
        u, v = at.u + o * MR, at.v + column
        for i in range(MR * NV):
            acc[i] = vec_set(0)
        for _ in range(depth):
            for j in range(NV):
                x[j] = vec_load(v + j * VL)
            for i in range(MR):
                w = vec_set(u[i])
                for j in range(NV):
                    acc[i * NV + j] = acc[i * NV + j] + w * x[j]
            u += u_pitch
            v += v_pitch
        for i in range(MR):
            for j in range(NV):
                if first:
                    vec_store(sums + j * VL, acc[i * NV + j])
                else:
                    vec_store(sums + j * VL, vec_load(sums + j * VL) + acc[i * NV + j])
            sums += v_pitch


cdef inline void multiply_position(const Products* at, Py_ssize_t channels) noexcept nogil:
    # By GEMM_NV vectors of channels, but the last four of three as two and two.
    cdef Py_ssize_t c = 0, left = ceil_div(channels, VL)
    while left > 0:
        if GEMM_NV > 2 and (left == GEMM_NV or left > GEMM_NV + 1):
            multiply(GEMM_MR, GEMM_NV, at, c)
            c += GEMM_NV * VL
            left -= GEMM_NV
        elif left > 1:
            multiply(GEMM_MR, 2, at, c)
            c += 2 * VL
            left -= 2
        else:
            multiply(2 * GEMM_MR, 1, at, c)
            c += VL
            left -= 1

"""How fast the machine multiplies and adds when nothing else limits it: the yardstick of the benchmarks."""
from convkit._native.simd cimport VECTOR_BYTES, VL, real, vec, vec_set, vec_store

VECTOR_WIDTH = VECTOR_BYTES
cdef enum:
    # Independent chains: more than latency × units of any machine (4 × 2), few enough for 16 registers.
    CHAINS = 12


def multiply_add(Py_ssize_t steps):
    """Run `steps` × 12 vector multiply-adds in registers; the number of floating-point operations done."""
    cdef vec sums[CHAINS]
    cdef vec x = vec_set(<real>0.999), y = vec_set(<real>1e-3)
    cdef real result[VL]
    cdef Py_ssize_t _
    cdef int i
    with nogil:
        for i in range(CHAINS):
            sums[i] = vec_set(<real>(i + 2))    # 1 would stay 1, and not be multiplied
        for _ in range(steps):
            for i in range(CHAINS):
                sums[i] = sums[i] * x + y
        for i in range(1, CHAINS):
            sums[0] = sums[0] + sums[i]
        vec_store(result, sums[0])
    if result[0] != result[0]:
        raise ArithmeticError("the sums diverged")
    return 2 * CHAINS * VL * steps

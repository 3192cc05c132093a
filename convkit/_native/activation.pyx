"""Activations of arrays, and their gradients, in one pass; the functions are those of the convolutions (`epilogue.pxd`)."""
from cython.parallel cimport prange

from convkit._native.arith cimport ceil_div
from convkit._native.copies cimport copy_run
from convkit._native.epilogue cimport (EXP_LEAST, GELU, HARDSWISH, LEAKY_RELU, PHI_END, RELU, RELU6, SIGMOID, SILU,
                                       Epilogue, exp_negative, finish_rows, make_epilogue, phi, sigmoid)
from convkit._native.simd cimport (VL, real, vec, vec_if_less, vec_load, vec_load_part, vec_max, vec_set, vec_store,
                                   vec_store_part)

cdef enum:
    BLOCK = 8192                # elements of a unit of work


cdef inline vec steepness(const int ACTIVATION, vec x) noexcept nogil:
    # The derivative, by which the gradient is multiplied, where that is not a choice.
    cdef vec s, held, inner
    if ACTIVATION == SIGMOID:
        s = sigmoid(x)
        return s * (vec_set(1) - s)
    if ACTIVATION == SILU:
        held = vec_if_less(x, vec_set(EXP_LEAST), vec_set(EXP_LEAST), x)
        s = sigmoid(held)
        inner = vec_if_less(vec_set(-EXP_LEAST), held, vec_set(0), held * (vec_set(1) - s))
        return s * (vec_set(1) + inner)
    if ACTIVATION == GELU:
        held = vec_max(vec_set(-PHI_END if sizeof(real) == 4 else -40), x)
        s = vec_if_less(vec_set(13), x, vec_set(0), x * <real>0.39894228040143267794 * exp_negative(x * x * <real>-0.5))
        return phi(held) + vec_if_less(x, vec_set(-40), vec_set(0), s)
    s = vec_if_less(x, vec_set(3), x * <real>(1. / 3) + vec_set(0.5), vec_set(1))
    return vec_if_less(vec_set(-3), x, s, vec_if_less(x, vec_set(0), vec_set(0), vec_set(1)))


cdef inline vec passed(const int ACTIVATION, real slope, vec g, vec x) noexcept nogil:
    # The gradient by x. Where x is NaN, those that choose let g pass, as PyTorch's do.
    cdef vec zero = vec_set(0)
    if ACTIVATION == RELU:
        return vec_if_less(zero, x, g, vec_if_less(x, vec_set(1), zero, g))
    if ACTIVATION == RELU6:
        return vec_if_less(zero, x, vec_if_less(x, vec_set(6), g, zero), vec_if_less(x, vec_set(1), zero, g))
    if ACTIVATION == LEAKY_RELU:
        return vec_if_less(zero, x, g, g * slope)
    return g * steepness(ACTIVATION, x)


cdef inline void pass_run(const int ACTIVATION, real slope, const real* g, const real* x, real* y,
                          Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t k = 0, left
    while k + VL <= n:
        vec_store(y + k, passed(ACTIVATION, slope, vec_load(g + k), vec_load(x + k)))
        k += VL
    left = n - k
    if left > 0:
        vec_store_part(y + k, passed(ACTIVATION, slope, vec_load_part(g + k, left), vec_load_part(x + k, left)), left)


# One function for each activation.

ctypedef void (*Pass)(real slope, const real* g, const real* x, real* y, Py_ssize_t n) noexcept nogil


cdef void pass_relu(real slope, const real* g, const real* x, real* y, Py_ssize_t n) noexcept nogil:
    pass_run(RELU, slope, g, x, y, n)


cdef void pass_relu6(real slope, const real* g, const real* x, real* y, Py_ssize_t n) noexcept nogil:
    pass_run(RELU6, slope, g, x, y, n)


cdef void pass_leaky_relu(real slope, const real* g, const real* x, real* y, Py_ssize_t n) noexcept nogil:
    pass_run(LEAKY_RELU, slope, g, x, y, n)


cdef void pass_silu(real slope, const real* g, const real* x, real* y, Py_ssize_t n) noexcept nogil:
    pass_run(SILU, slope, g, x, y, n)


cdef void pass_gelu(real slope, const real* g, const real* x, real* y, Py_ssize_t n) noexcept nogil:
    pass_run(GELU, slope, g, x, y, n)


cdef void pass_hardswish(real slope, const real* g, const real* x, real* y, Py_ssize_t n) noexcept nogil:
    pass_run(HARDSWISH, slope, g, x, y, n)


cdef void pass_sigmoid(real slope, const real* g, const real* x, real* y, Py_ssize_t n) noexcept nogil:
    pass_run(SIGMOID, slope, g, x, y, n)


cdef void finish_run(const Epilogue* epilogue, const real* x, real* y, Py_ssize_t n) noexcept nogil:
    copy_run(y, x, n)
    finish_rows(epilogue, y, n, y, n, 1, n)


def activate(const real[::1] x not None, real[::1] y not None, int activation, real slope, int num_threads):
    """Write the activation of each number."""
    cdef Py_ssize_t u, n = x.shape[0], units = ceil_div(n, BLOCK)
    cdef const real* source = &x[0]
    cdef real* to = &y[0]
    cdef Epilogue epilogue = make_epilogue(activation, slope, None, to, 1)
    with nogil:
        if num_threads == 1:
            for u in range(units):
                finish_run(&epilogue, source + u * BLOCK, to + u * BLOCK, min(n - u * BLOCK, <Py_ssize_t>BLOCK))
        else:
            for u in prange(units, num_threads=num_threads, schedule="static"):
                finish_run(&epilogue, source + u * BLOCK, to + u * BLOCK, min(n - u * BLOCK, <Py_ssize_t>BLOCK))


def gradient(const real[::1] g not None, const real[::1] x not None, real[::1] y not None, int activation, real slope,
             int num_threads):
    """Write the gradient by each number x, from `g`, the gradient by its activation."""
    cdef Py_ssize_t u, n = x.shape[0], units = ceil_div(n, BLOCK)
    cdef const real* source = &x[0]
    cdef const real* given = &g[0]
    cdef real* to = &y[0]
    cdef Pass[8] functions = [NULL, pass_relu, pass_relu6, pass_leaky_relu, pass_silu, pass_gelu, pass_hardswish,
                              pass_sigmoid]
    cdef Pass function = functions[activation]
    with nogil:
        if num_threads == 1:
            function(slope, given, source, to, n)
        else:
            for u in prange(units, num_threads=num_threads, schedule="static"):
                function(slope, given + u * BLOCK, source + u * BLOCK, to + u * BLOCK,
                         min(n - u * BLOCK, <Py_ssize_t>BLOCK))

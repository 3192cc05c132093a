"""One step of an optimiser, of all numbers of a parameter in one pass: each is computed by itself, in one order."""
from cython.parallel cimport prange
from libc.math cimport sqrt

from convkit._native.arith cimport ceil_div
from convkit._native.simd cimport (VL, real, vec, vec_load, vec_load_part, vec_max, vec_set, vec_sqrt, vec_store,
                                   vec_store_part)

cdef enum:
    BLOCK = 4096                # numbers of a unit of work, whole vectors


cdef struct Adam:
    real beta1_rest, beta2, beta2_rest      # beta1_rest = 1 - beta1
    real decay                  # added to the gradient, times the parameter
    real kept                   # factor of the parameter before the step
    real root, eps, rate        # of the corrected means: √(1 - beta2ⁿ), and lr / (1 - beta1ⁿ)
    bint largest                # AMSGrad


cdef inline void step_vector(const Adam* adam, vec g, vec* x, vec* mean, vec* square, vec* most) noexcept nogil:
    cdef vec size
    x[0] = x[0] * adam.kept
    if adam.decay != 0:         # 0 times an infinite parameter would be no number
        g = g + x[0] * adam.decay
    mean[0] = mean[0] + (g - mean[0]) * adam.beta1_rest
    square[0] = square[0] * adam.beta2 + g * g * adam.beta2_rest
    size = square[0]
    if adam.largest:
        most[0] = vec_max(most[0], square[0])
        size = most[0]
    size = vec_sqrt(size) / vec_set(adam.root) + vec_set(adam.eps)
    x[0] = x[0] - mean[0] / size * adam.rate


cdef void step_run(const Adam* adam, const real* g, real* x, real* mean, real* square, real* most,
                   Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t k = 0, left
    cdef vec v, m, s
    cdef vec top = vec_set(0)
    while k < n:
        left = n - k
        if left >= VL:
            v, m, s = vec_load(x + k), vec_load(mean + k), vec_load(square + k)
            if adam.largest:
                top = vec_load(most + k)
            step_vector(adam, vec_load(g + k), &v, &m, &s, &top)
            vec_store(x + k, v)
            vec_store(mean + k, m)
            vec_store(square + k, s)
            if adam.largest:
                vec_store(most + k, top)
        else:
            v, m, s = vec_load_part(x + k, left), vec_load_part(mean + k, left), vec_load_part(square + k, left)
            if adam.largest:
                top = vec_load_part(most + k, left)
            step_vector(adam, vec_load_part(g + k, left), &v, &m, &s, &top)
            vec_store_part(x + k, v, left)
            vec_store_part(mean + k, m, left)
            vec_store_part(square + k, s, left)
            if adam.largest:
                vec_store_part(most + k, top, left)
        k += VL


def adam(real[::1] x not None, const real[::1] g not None, real[::1] mean not None, real[::1] square not None,
         real[::1] most, int step, double lr, double beta1, double beta2, double eps, double decay, bint decoupled,
         int num_threads):
    """Change `x` and its means; `most` is the largest mean of squares so far, where it counts. `step` is the first's 1."""
    cdef Adam how
    cdef Py_ssize_t u, n = x.shape[0], units = ceil_div(n, BLOCK)
    cdef real* to = &x[0]
    cdef real* means = &mean[0]
    cdef real* squares = &square[0]
    cdef real* largest = means if most is None else &most[0]
    cdef const real* gradient = &g[0]
    how.largest = most is not None
    how.beta1_rest, how.beta2, how.beta2_rest = <real>(1 - beta1), <real>beta2, <real>(1 - beta2)
    how.decay, how.kept = <real>(0 if decoupled else decay), <real>(1 - lr * decay if decoupled else 1)
    how.root, how.eps, how.rate = <real>sqrt(1 - beta2 ** step), <real>eps, <real>(lr / (1 - beta1 ** step))
    with nogil:
        if num_threads == 1:
            step_run(&how, gradient, to, means, squares, largest, n)
        else:
            for u in prange(units, num_threads=num_threads, schedule="static"):
                step_run(&how, gradient + u * BLOCK, to + u * BLOCK, means + u * BLOCK, squares + u * BLOCK,
                         largest + u * BLOCK, min(n - u * BLOCK, <Py_ssize_t>BLOCK))

"""What normalisation needs of runs of numbers: their moments, sums of products, and affine functions of them.

A run is a map of one channel of one image, or whatever else is normalised or scaled alike. Sums are taken in float64, in
sixteen lanes, in one order; runs are split between threads, so that no bit depends on their number.
"""
from cython.parallel cimport prange

from convkit._native.simd cimport VL, real, vec_load, vec_set, vec_store

cdef enum:
    LANES = 16


cdef inline double add_up(double* lanes) noexcept nogil:
    # Half to half: short runs would else wait for one long chain of additions.
    cdef int i
    for i in range(8):
        lanes[i] += lanes[8 + i]
    for i in range(4):
        lanes[i] += lanes[4 + i]
    return (lanes[0] + lanes[2]) + (lanes[1] + lanes[3])


cdef double find_sum(const real* x, Py_ssize_t n) noexcept nogil:
    cdef double lanes[LANES]
    cdef Py_ssize_t k, block
    cdef int i
    for i in range(LANES):
        lanes[i] = 0
    for block in range(n // LANES):
        k = block * LANES
        for i in range(LANES):
            lanes[i] += <double>x[k + i]
    for k in range(n // LANES * LANES, n):
        lanes[k % LANES] += <double>x[k]
    return add_up(lanes)


cdef void find_moments(const real* x, Py_ssize_t n, double* to) noexcept nogil:
    # The mean, and the sum of squares of the differences from it.
    cdef double lanes[LANES]
    cdef double mean, difference
    cdef Py_ssize_t k, block
    cdef int i
    mean = find_sum(x, n) / n
    for i in range(LANES):
        lanes[i] = 0
    for block in range(n // LANES):
        k = block * LANES
        for i in range(LANES):
            difference = <double>x[k + i] - mean
            lanes[i] += difference * difference
    for k in range(n // LANES * LANES, n):
        difference = <double>x[k] - mean
        lanes[k % LANES] += difference * difference
    to[0] = mean
    to[1] = add_up(lanes)


cdef void find_products(const real* g, const real* x, Py_ssize_t n, double mean, double* to) noexcept nogil:
    # Σ g and Σ g · (x - mean).
    cdef double plain[LANES]
    cdef double lanes[LANES]
    cdef Py_ssize_t k, block
    cdef int i
    for i in range(LANES):
        plain[i] = lanes[i] = 0
    for block in range(n // LANES):
        k = block * LANES
        for i in range(LANES):
            plain[i] += <double>g[k + i]
            lanes[i] += <double>g[k + i] * (<double>x[k + i] - mean)
    for k in range(n // LANES * LANES, n):
        plain[k % LANES] += <double>g[k]
        lanes[k % LANES] += <double>g[k] * (<double>x[k] - mean)
    to[0] = add_up(plain)
    to[1] = add_up(lanes)


cdef void scale(const real* x, Py_ssize_t n, real mean, real factor, real shift, real* y) noexcept nogil:
    cdef Py_ssize_t k = 0
    while k + VL <= n:
        vec_store(y + k, (vec_load(x + k) - vec_set(mean)) * factor + vec_set(shift))
        k += VL
    while k < n:
        y[k] = (x[k] - mean) * factor + shift
        k += 1


cdef void combine(const real* g, const real* x, Py_ssize_t n, real mean, real by_g, real by_x, real shift,
                  real* y) noexcept nogil:
    cdef Py_ssize_t k = 0
    while k + VL <= n:
        vec_store(y + k, vec_load(g + k) * by_g + ((vec_load(x + k) - vec_set(mean)) * by_x + vec_set(shift)))
        k += VL
    while k < n:
        y[k] = g[k] * by_g + ((x[k] - mean) * by_x + shift)
        k += 1


def sums(const real[:, ::1] x not None, double[::1] found not None, int num_threads):
    """Write each run's sum."""
    cdef Py_ssize_t u, runs = x.shape[0], n = x.shape[1]
    cdef const real* source = &x[0, 0]
    cdef double* to = &found[0]
    with nogil:
        if num_threads == 1:
            for u in range(runs):
                to[u] = find_sum(source + u * n, n)
        else:
            for u in prange(runs, num_threads=num_threads, schedule="static"):
                to[u] = find_sum(source + u * n, n)


def moments(const real[:, ::1] x not None, double[:, ::1] found not None, int num_threads):
    """Write each run's mean, and the sum of squares of its differences from it."""
    cdef Py_ssize_t u, runs = x.shape[0], n = x.shape[1]
    cdef const real* source = &x[0, 0]
    cdef double* to = &found[0, 0]
    with nogil:
        if num_threads == 1:
            for u in range(runs):
                find_moments(source + u * n, n, to + 2 * u)
        else:
            for u in prange(runs, num_threads=num_threads, schedule="static"):
                find_moments(source + u * n, n, to + 2 * u)


def products(const real[:, ::1] g not None, const real[:, ::1] x not None, const double[::1] means not None,
             double[:, ::1] found not None, int num_threads):
    """Write of each run the sum of g, and that of g · (x - mean)."""
    cdef Py_ssize_t u, runs = x.shape[0], n = x.shape[1]
    cdef const real* gradient = &g[0, 0]
    cdef const real* source = &x[0, 0]
    cdef const double* mean = &means[0]
    cdef double* to = &found[0, 0]
    with nogil:
        if num_threads == 1:
            for u in range(runs):
                find_products(gradient + u * n, source + u * n, n, mean[u], to + 2 * u)
        else:
            for u in prange(runs, num_threads=num_threads, schedule="static"):
                find_products(gradient + u * n, source + u * n, n, mean[u], to + 2 * u)


def affine(const real[:, ::1] x not None, const real[:, ::1] terms not None, real[:, ::1] y not None, int num_threads):
    """Write (x - mean) · factor + shift, with each run's own `terms`."""
    cdef Py_ssize_t u, runs = x.shape[0], n = x.shape[1]
    cdef const real* source = &x[0, 0]
    cdef const real* term = &terms[0, 0]
    cdef real* to = &y[0, 0]
    with nogil:
        if num_threads == 1:
            for u in range(runs):
                scale(source + u * n, n, term[3 * u], term[3 * u + 1], term[3 * u + 2], to + u * n)
        else:
            for u in prange(runs, num_threads=num_threads, schedule="static"):
                scale(source + u * n, n, term[3 * u], term[3 * u + 1], term[3 * u + 2], to + u * n)


def affine_of_two(const real[:, ::1] g not None, const real[:, ::1] x not None, const real[:, ::1] terms not None,
                  real[:, ::1] y not None, int num_threads):
    """Write g · by_g + (x - mean) · by_x + shift, with each run's own `terms`: mean, by_g, by_x, shift."""
    cdef Py_ssize_t u, runs = x.shape[0], n = x.shape[1]
    cdef const real* gradient = &g[0, 0]
    cdef const real* source = &x[0, 0]
    cdef const real* term = &terms[0, 0]
    cdef real* to = &y[0, 0]
    with nogil:
        if num_threads == 1:
            for u in range(runs):
                combine(gradient + u * n, source + u * n, n, term[4 * u], term[4 * u + 1], term[4 * u + 2],
                        term[4 * u + 3], to + u * n)
        else:
            for u in prange(runs, num_threads=num_threads, schedule="static"):
                combine(gradient + u * n, source + u * n, n, term[4 * u], term[4 * u + 1], term[4 * u + 2],
                        term[4 * u + 3], to + u * n)

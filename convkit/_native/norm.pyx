"""What normalisation needs of runs of numbers: their moments, sums of products, and affine functions of them.

A run is a map of one channel of one image, or whatever else is normalised or scaled alike. Sums are taken in float64, in
sixteen lanes, in one order; runs are split between threads, so that no bit depends on their number.
"""
from cython.parallel cimport prange
from libc.math cimport sqrt
from libc.string cimport memcpy, memset

from convkit._native.arith cimport ceil_div
from convkit._native.simd cimport (GEMM_MR, VL, panel_f64, panel_load, panel_to_f64, real, vec, vec_if_less, vec_load,
                                   vec_set, vec_store)

cdef enum:
    LANES = 16
    PANELS = LANES // GEMM_MR
    BLOCK = 4096                # numbers of a channel whose mean is found first: they stay in the L1 cache meanwhile
    SPAN = 512                  # numbers that lie side by side, of some channels of an image, and are read together
    MOST_CHANNELS = 32          # of a unit of work


cdef inline double add_up(double* lanes) noexcept nogil:
    # Half to half: short runs would else wait for one long chain of additions.
    cdef int i
    for i in range(8):
        lanes[i] += lanes[8 + i]
    for i in range(4):
        lanes[i] += lanes[4 + i]
    return (lanes[0] + lanes[2]) + (lanes[1] + lanes[3])


cdef inline void add_run(const real* x, Py_ssize_t n, double* sums) noexcept nogil:
    # Each number to the lane of its place.
    cdef double lanes[LANES]
    cdef Py_ssize_t k, block
    cdef int i
    for i in range(LANES):
        lanes[i] = sums[i]
    for block in range(n // LANES):
        k = block * LANES
        for i in range(LANES):
            lanes[i] += <double>x[k + i]
    for k in range(n // LANES * LANES, n):
        lanes[k % LANES] += <double>x[k]
    for i in range(LANES):
        sums[i] = lanes[i]


cdef inline void add_squares(const real* x, Py_ssize_t n, double mean, double* sums) noexcept nogil:
    # The squares of the differences from the mean.
    cdef double lanes[LANES]
    cdef double difference
    cdef Py_ssize_t k, block
    cdef int i
    for i in range(LANES):
        lanes[i] = sums[i]
    for block in range(n // LANES):
        k = block * LANES
        for i in range(LANES):
            difference = <double>x[k + i] - mean
            lanes[i] += difference * difference
    for k in range(n // LANES * LANES, n):
        difference = <double>x[k] - mean
        lanes[k % LANES] += difference * difference
    for i in range(LANES):
        sums[i] = lanes[i]


cdef inline vec passed(const real* g, const real* y) noexcept nogil:
    # The gradient by what a ReLU was given that gave y, from that by y: a NaN lets it pass.
    cdef vec gave = vec_load(y)
    return vec_if_less(vec_set(0), gave, vec_load(g), vec_if_less(gave, vec_set(1), vec_set(0), vec_load(g)))


cdef inline void add_products(const bint RECTIFIED, const real* g, const real* y, const real* x, Py_ssize_t n,
                              double mean, double* sums) noexcept nogil:
    # g to the first lanes, and g · (x - mean) to those after them.
    cdef panel_f64 plain[PANELS]
    cdef panel_f64 moved[PANELS]
    cdef panel_f64 part
    cdef real held[LANES]
    cdef const real* source
    cdef double gradient
    cdef Py_ssize_t k = 0
    cdef int i
    memcpy(plain, sums, sizeof(plain))
    memcpy(moved, sums + LANES, sizeof(moved))
    while k + LANES <= n:
        source = g + k
        if RECTIFIED:
            for i in range(LANES // VL):
                vec_store(held + i * VL, passed(g + k + i * VL, y + k + i * VL))
            source = held
        for i in range(PANELS):
            part = panel_to_f64(panel_load(source + i * GEMM_MR))
            plain[i] = plain[i] + part
            moved[i] = moved[i] + part * (panel_to_f64(panel_load(x + k + i * GEMM_MR)) - mean)
        k += LANES
    memcpy(sums, plain, sizeof(plain))
    memcpy(sums + LANES, moved, sizeof(moved))
    while k < n:
        gradient = 0 if RECTIFIED and y[k] <= 0 else <double>g[k]
        sums[k % LANES] += gradient
        sums[LANES + k % LANES] += gradient * (<double>x[k] - mean)
        k += 1


cdef void add_plain_products(const real* g, const real* y, const real* x, Py_ssize_t n, double mean,
                             double* sums) noexcept nogil:
    add_products(False, g, y, x, n, mean, sums)


cdef void add_rectified_products(const real* g, const real* y, const real* x, Py_ssize_t n, double mean,
                                 double* sums) noexcept nogil:
    add_products(True, g, y, x, n, mean, sums)


cdef double find_sum(const real* x, Py_ssize_t n) noexcept nogil:
    cdef double lanes[LANES]
    memset(lanes, 0, sizeof(lanes))
    add_run(x, n, lanes)
    return add_up(lanes)


cdef void find_moments(const real* x, Py_ssize_t n, double* to) noexcept nogil:
    # The mean, and the sum of squares of the differences from it.
    cdef double lanes[LANES]
    to[0] = find_sum(x, n) / n
    memset(lanes, 0, sizeof(lanes))
    add_squares(x, n, to[0], lanes)
    to[1] = add_up(lanes)


cdef void find_products(const real* g, const real* x, Py_ssize_t n, double mean, double* to) noexcept nogil:
    # Σ g and Σ g · (x - mean).
    cdef double lanes[2 * LANES]
    memset(lanes, 0, sizeof(lanes))
    add_plain_products(g, g, x, n, mean, lanes)
    to[0], to[1] = add_up(lanes), add_up(lanes + LANES)


cdef inline real rectified(real x) noexcept nogil:
    return 0 if x < 0 else x    # NaN stays


cdef inline void scale_run(const bint RECTIFIED, const real* x, Py_ssize_t n, real mean, real factor, real shift,
                           real* y) noexcept nogil:
    cdef Py_ssize_t k = 0
    cdef vec v
    while k + VL <= n:
        v = (vec_load(x + k) - vec_set(mean)) * factor + vec_set(shift)
        vec_store(y + k, vec_if_less(v, vec_set(0), vec_set(0), v) if RECTIFIED else v)
        k += VL
    while k < n:
        y[k] = (x[k] - mean) * factor + shift
        if RECTIFIED:
            y[k] = rectified(y[k])
        k += 1


cdef void scale(const real* x, Py_ssize_t n, real mean, real factor, real shift, real* y) noexcept nogil:
    scale_run(False, x, n, mean, factor, shift, y)


cdef void scale_rectified(const real* x, Py_ssize_t n, real mean, real factor, real shift, real* y) noexcept nogil:
    scale_run(True, x, n, mean, factor, shift, y)


cdef inline void combine_run(const bint RECTIFIED, const real* g, const real* y, const real* x, Py_ssize_t n,
                             const real* term, real* to) noexcept nogil:
    # `term`: mean, by_g, by_x, shift.
    cdef Py_ssize_t k = 0
    cdef vec v
    cdef real gradient
    while k + VL <= n:
        v = passed(g + k, y + k) if RECTIFIED else vec_load(g + k)
        vec_store(to + k, v * term[1] + ((vec_load(x + k) - vec_set(term[0])) * term[2] + vec_set(term[3])))
        k += VL
    while k < n:
        gradient = g[k]
        if RECTIFIED and y[k] <= 0:
            gradient = 0
        to[k] = gradient * term[1] + ((x[k] - term[0]) * term[2] + term[3])
        k += 1


cdef void combine(const real* g, const real* y, const real* x, Py_ssize_t n, const real* term, real* to) noexcept nogil:
    combine_run(False, g, y, x, n, term, to)


cdef void combine_rectified(const real* g, const real* y, const real* x, Py_ssize_t n, const real* term,
                            real* to) noexcept nogil:
    combine_run(True, g, y, x, n, term, to)


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
                combine(gradient + u * n, gradient, source + u * n, n, term + 4 * u, to + u * n)
        else:
            for u in prange(runs, num_threads=num_threads, schedule="static"):
                combine(gradient + u * n, gradient, source + u * n, n, term + 4 * u, to + u * n)


# ---- batch norm ------------------------------------------------------------------------------------------
# A unit of work is some channels: their moments are found, and their maps scaled while a cache still holds them.

cdef struct Batch:
    Py_ssize_t images, channels, n      # n numbers of a map
    Py_ssize_t group                    # channels of a unit
    bint training                       # mean and variance are the batch's own
    bint rectified                      # a ReLU follows
    double eps
    double* mean
    double* variance
    const real* weight                  # NULL: 1
    const real* bias                    # NULL: 0
    const real* x
    const real* g                       # the output's gradient
    real* y                             # the output
    real* by_x                          # gradients
    real* by_weight
    real* by_bias


cdef inline void find_group(Batch* batch, Py_ssize_t threads) noexcept nogil:
    batch.group = min(max(<Py_ssize_t>1, SPAN // batch.n), ceil_div(batch.channels, threads), <Py_ssize_t>MOST_CHANNELS)


cdef inline const real* map_of(const Batch* batch, const real* x, Py_ssize_t image, Py_ssize_t channel) noexcept nogil:
    return x + (image * batch.channels + channel) * batch.n


cdef void find_batch_moments(const Batch* batch, Py_ssize_t first, Py_ssize_t channels) noexcept nogil:
    # Those of blocks of images, joined (Chan, Golub and LeVeque, 1979); the blocks follow from the sizes alone.
    cdef double lanes[MOST_CHANNELS * LANES]
    cdef double means[MOST_CHANNELS]
    cdef double count, apart
    cdef Py_ssize_t begin = 0, end, image, c, block = max(<Py_ssize_t>1, BLOCK // batch.n)
    for c in range(first, first + channels):
        batch.mean[c] = batch.variance[c] = 0
    while begin < batch.images:
        end = min(begin + block, batch.images)
        count = <double>((end - begin) * batch.n)
        memset(lanes, 0, channels * LANES * sizeof(double))
        for image in range(begin, end):
            for c in range(channels):
                add_run(map_of(batch, batch.x, image, first + c), batch.n, lanes + c * LANES)
        for c in range(channels):
            means[c] = add_up(lanes + c * LANES) / count
        memset(lanes, 0, channels * LANES * sizeof(double))
        for image in range(begin, end):
            for c in range(channels):
                add_squares(map_of(batch, batch.x, image, first + c), batch.n, means[c], lanes + c * LANES)
        for c in range(channels):
            apart = means[c] - batch.mean[first + c]
            batch.mean[first + c] += apart * (end - begin) / end
            batch.variance[first + c] += add_up(lanes + c * LANES) + apart * apart * count * begin / end
        begin = end
    for c in range(first, first + channels):
        batch.variance[c] /= <double>(batch.images * batch.n)


cdef void normalize_unit(const Batch* batch, Py_ssize_t unit) noexcept nogil:
    cdef Py_ssize_t first = unit * batch.group, channels = min(batch.group, batch.channels - first), image, c, at
    cdef real factor[MOST_CHANNELS]
    cdef real shift
    if batch.training:
        find_batch_moments(batch, first, channels)
    for c in range(channels):
        factor[c] = <real>((1 if batch.weight == NULL else <double>batch.weight[first + c])
                           / sqrt(batch.variance[first + c] + batch.eps))
    for image in range(batch.images):
        for c in range(first, first + channels):
            shift = 0 if batch.bias == NULL else batch.bias[c]
            at = (image * batch.channels + c) * batch.n
            if batch.rectified:
                scale_rectified(batch.x + at, batch.n, <real>batch.mean[c], factor[c - first], shift, batch.y + at)
            else:
                scale(batch.x + at, batch.n, <real>batch.mean[c], factor[c - first], shift, batch.y + at)


cdef void differentiate_unit(const Batch* batch, Py_ssize_t unit) noexcept nogil:
    cdef Py_ssize_t first = unit * batch.group, channels = min(batch.group, batch.channels - first), image, c, at
    cdef double lanes[MOST_CHANNELS * 2 * LANES]
    cdef real terms[MOST_CHANNELS * 4]
    cdef double rate, weight, plain, moved, count = <double>(batch.images * batch.n)
    memset(lanes, 0, channels * 2 * LANES * sizeof(double))
    for image in range(batch.images):
        for c in range(channels):
            at = (image * batch.channels + first + c) * batch.n
            if batch.rectified:
                add_rectified_products(batch.g + at, batch.y + at, batch.x + at, batch.n, batch.mean[first + c],
                                       lanes + c * 2 * LANES)
            else:
                add_plain_products(batch.g + at, batch.y, batch.x + at, batch.n, batch.mean[first + c],
                                   lanes + c * 2 * LANES)
    for c in range(channels):
        rate = 1 / sqrt(batch.variance[first + c] + batch.eps)
        weight = rate if batch.weight == NULL else rate * batch.weight[first + c]
        plain, moved = add_up(lanes + c * 2 * LANES), add_up(lanes + c * 2 * LANES + LANES)
        batch.by_bias[first + c], batch.by_weight[first + c] = <real>plain, <real>(moved * rate)
        terms[4 * c], terms[4 * c + 1] = <real>batch.mean[first + c], <real>weight
        terms[4 * c + 2] = <real>(-weight * rate * rate * moved / count) if batch.training else 0
        terms[4 * c + 3] = <real>(-weight * plain / count) if batch.training else 0
    for image in range(batch.images):
        for c in range(channels):
            at = (image * batch.channels + first + c) * batch.n
            if batch.rectified:
                combine_rectified(batch.g + at, batch.y + at, batch.x + at, batch.n, terms + 4 * c, batch.by_x + at)
            else:
                combine(batch.g + at, batch.y, batch.x + at, batch.n, terms + 4 * c, batch.by_x + at)


cdef void run_units(Batch* batch, void (*run)(const Batch*, Py_ssize_t) noexcept nogil, int num_threads) noexcept nogil:
    cdef Py_ssize_t u, units
    find_group(batch, num_threads)
    units = ceil_div(batch.channels, batch.group)
    if num_threads == 1:
        for u in range(units):
            run(batch, u)
    else:
        for u in prange(units, num_threads=num_threads, schedule="static"):
            run(batch, u)


def batch_norm(const real[:, :, ::1] x not None, const real[::1] weight, const real[::1] bias,
               double[:, ::1] moments not None, bint training, double eps, bint rectified,
               real[:, :, ::1] y not None, int num_threads):
    """Write each channel, [image][channel][number], less its mean, over its deviation, scaled and shifted.

    `moments` are the means and the variances, written where `training`. Where `rectified`, what is negative becomes 0.
    """
    cdef Batch batch
    batch.images, batch.channels, batch.n = x.shape[0], x.shape[1], x.shape[2]
    batch.training, batch.rectified, batch.eps = training, rectified, eps
    batch.mean, batch.variance = &moments[0, 0], &moments[1, 0]
    batch.weight = NULL if weight is None else &weight[0]
    batch.bias = NULL if bias is None else &bias[0]
    batch.x, batch.y = &x[0, 0, 0], &y[0, 0, 0]
    with nogil:
        run_units(&batch, normalize_unit, num_threads)


def batch_norm_gradient(const real[:, :, ::1] g not None, const real[:, :, ::1] x not None, const real[:, :, ::1] y,
                        const real[::1] weight, double[:, ::1] moments not None, bint training, double eps,
                        real[:, :, ::1] by_x not None, real[:, ::1] by_parameters not None, int num_threads):
    """Write the gradients of `batch_norm` by its input, and by its weight and bias: `by_parameters`.

    `y` is the output, where it was rectified.
    """
    cdef Batch batch
    batch.images, batch.channels, batch.n = x.shape[0], x.shape[1], x.shape[2]
    batch.training, batch.rectified, batch.eps = training, y is not None, eps
    batch.mean, batch.variance = &moments[0, 0], &moments[1, 0]
    batch.weight = NULL if weight is None else &weight[0]
    batch.g, batch.x = &g[0, 0, 0], &x[0, 0, 0]
    batch.y = NULL if y is None else <real*>&y[0, 0, 0]
    batch.by_x, batch.by_weight, batch.by_bias = &by_x[0, 0, 0], &by_parameters[0, 0], &by_parameters[1, 0]
    with nogil:
        run_units(&batch, differentiate_unit, num_threads)

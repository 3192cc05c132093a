"""Pooling: the largest number or the mean of each window, and their gradients.

The windows of an axis are two numbers for each output, the first place and the one behind the last, inside the input;
their places are `step` apart. So strides, padding, dilation, ceil_mode and adaptive sizes are tables, and each kernel
has one loop. A unit of work is a map: no two threads write to one.
"""
from cython.parallel cimport prange
from libc.math cimport INFINITY

from convkit._native.simd cimport real


cdef struct Pool:
    Py_ssize_t height, width, rows, columns, step_h, step_w
    const Py_ssize_t* top       # of each output row: first, behind the last
    const Py_ssize_t* left      # of each output column


cdef Pool make_pool(Py_ssize_t height, Py_ssize_t width, const Py_ssize_t[:, ::1] rows, const Py_ssize_t[:, ::1] columns,
                    Py_ssize_t step_h, Py_ssize_t step_w) noexcept:
    cdef Pool pool
    pool.height, pool.width, pool.rows, pool.columns = height, width, rows.shape[0], columns.shape[0]
    pool.step_h, pool.step_w = step_h, step_w
    pool.top, pool.left = &rows[0, 0], &columns[0, 0]
    return pool


cdef inline Py_ssize_t larger_of(const real* x, Py_ssize_t a, Py_ssize_t b) noexcept nogil:
    # b where its number is larger, or NaN. No branch asks which is larger: half of such guesses fail.
    cdef Py_ssize_t larger = <Py_ssize_t>(x[b] > x[a]) | <Py_ssize_t>(x[b] != x[b])
    return a ^ ((a ^ b) & -larger)


cdef void max_map(const Pool* pool, const real* x, real* y, long long* index) noexcept nogil:
    # The first of equal numbers, and the last NaN: PyTorch's rule. A window with nothing inside gives -Inf, from nowhere.
    # Two by two are no loop, and a shorter chain.
    cdef Py_ssize_t i, j, row, column, at, begin, end
    cdef bint two
    for i in range(pool.rows):
        two = pool.step_h == pool.step_w == 1 and pool.top[2 * i + 1] - pool.top[2 * i] == 2
        for j in range(pool.columns):
            begin, end = pool.left[2 * j], pool.left[2 * j + 1]
            row = pool.top[2 * i]
            at = row * pool.width + begin
            if begin >= end or row >= pool.top[2 * i + 1]:
                y[j], index[j] = -INFINITY, -1
                continue
            if two and end - begin == 2:
                at = larger_of(x, larger_of(x, at, at + 1), larger_of(x, at + pool.width, at + pool.width + 1))
                y[j], index[j] = x[at], at
                continue
            while row < pool.top[2 * i + 1]:
                column = row * pool.width + begin
                while column < row * pool.width + end:
                    at = larger_of(x, at, column)
                    column += pool.step_w
                row += pool.step_h
            y[j], index[j] = x[at], at
        y += pool.columns
        index += pool.columns


cdef void scatter_map(const real* g, const long long* index, Py_ssize_t n, real* y, Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(size):
        y[i] = 0
    for i in range(n):
        if index[i] >= 0:
            y[index[i]] = y[index[i]] + g[i]


cdef void mean_map(const Pool* pool, const real* x, real* y, const real* rows, const real* columns,
                   real* line) noexcept nogil:
    # Down the columns first, a whole line at a time; then along the line. Divided once, by the rows' · columns' counts.
    cdef Py_ssize_t i, j, _, column
    cdef const real* source
    cdef real sum
    for i in range(pool.rows):
        source = x + pool.top[2 * i] * pool.width
        for j in range(pool.width):
            line[j] = source[j]
        for _ in range(pool.top[2 * i] + 1, pool.top[2 * i + 1]):
            source += pool.width
            for j in range(pool.width):
                line[j] = line[j] + source[j]
        for j in range(pool.columns):
            sum = line[pool.left[2 * j]]
            for column in range(pool.left[2 * j] + 1, pool.left[2 * j + 1]):
                sum = sum + line[column]
            y[j] = sum / (rows[i] * columns[j])
        y += pool.columns


cdef void spread_map(const Pool* pool, const real* g, real* y, const real* rows, const real* columns,
                     real* line) noexcept nogil:
    # The gradient of `mean_map`.
    cdef Py_ssize_t i, j, row, column
    cdef real* to
    cdef real share
    for i in range(pool.height * pool.width):
        y[i] = 0
    for i in range(pool.rows):
        for j in range(pool.width):
            line[j] = 0
        for j in range(pool.columns):
            share = g[j] / (rows[i] * columns[j])
            for column in range(pool.left[2 * j], pool.left[2 * j + 1]):
                line[column] = line[column] + share
        for row in range(pool.top[2 * i], pool.top[2 * i + 1]):
            to = y + row * pool.width
            for j in range(pool.width):
                to[j] = to[j] + line[j]
        g += pool.columns


def max_pool(const real[:, ::1] x not None, real[:, ::1] y not None, long long[:, ::1] index not None, Py_ssize_t width,
             const Py_ssize_t[:, ::1] rows not None, const Py_ssize_t[:, ::1] columns not None, Py_ssize_t step_h,
             Py_ssize_t step_w, int num_threads):
    """Write the largest number of each window of every map, and its place in the map."""
    cdef Pool pool = make_pool(x.shape[1] // width, width, rows, columns, step_h, step_w)
    cdef Py_ssize_t u, maps = x.shape[0], size = x.shape[1], outputs = y.shape[1]
    cdef const real* source = &x[0, 0]
    cdef real* to = &y[0, 0]
    cdef long long* place = &index[0, 0]
    with nogil:
        if num_threads == 1:
            for u in range(maps):
                max_map(&pool, source + u * size, to + u * outputs, place + u * outputs)
        else:
            for u in prange(maps, num_threads=num_threads, schedule="static"):
                max_map(&pool, source + u * size, to + u * outputs, place + u * outputs)


def max_pool_gradient(const real[:, ::1] g not None, const long long[:, ::1] index not None, real[:, ::1] y not None,
                      int num_threads):
    """Add each number to its place in the map, unless that is -1; the others are inside."""
    cdef Py_ssize_t u, maps = g.shape[0], n = g.shape[1], size = y.shape[1]
    cdef const real* source = &g[0, 0]
    cdef const long long* place = &index[0, 0]
    cdef real* to = &y[0, 0]
    with nogil:
        if num_threads == 1:
            for u in range(maps):
                scatter_map(source + u * n, place + u * n, n, to + u * size, size)
        else:
            for u in prange(maps, num_threads=num_threads, schedule="static"):
                scatter_map(source + u * n, place + u * n, n, to + u * size, size)


cdef void average(const Pool* pool, const real* x, real* y, const real* counts, bint back, real* line) noexcept nogil:
    if back:
        spread_map(pool, x, y, counts, counts + pool.rows, line)
    else:
        mean_map(pool, x, y, counts, counts + pool.rows, line)


def avg_pool(const real[:, ::1] x not None, real[:, ::1] y not None, real[:, ::1] lines not None, Py_ssize_t width,
             const Py_ssize_t[:, ::1] rows not None, const Py_ssize_t[:, ::1] columns not None,
             const real[::1] counts not None, bint back, int num_threads):
    """Write the mean of each window of every map, or, going back, the gradient by the input.

    `counts` are the divisors of the rows, and those of the columns; `lines` is scratch, a row of the input's width for
    each map.
    """
    cdef Py_ssize_t u, maps = x.shape[0], size = x.shape[1], outputs = y.shape[1]
    cdef Pool pool = make_pool((outputs if back else size) // width, width, rows, columns, 1, 1)
    cdef const real* source = &x[0, 0]
    cdef const real* count = &counts[0]
    cdef real* to = &y[0, 0]
    cdef real* line = &lines[0, 0]
    with nogil:
        if num_threads == 1:
            for u in range(maps):
                average(&pool, source + u * size, to + u * outputs, count, back, line)
        else:
            for u in prange(maps, num_threads=num_threads, schedule="static"):
                average(&pool, source + u * size, to + u * outputs, count, back, line + u * width)

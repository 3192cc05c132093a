# Sorting networks on vectors of keys: each comparison puts two registers in order, whatever they hold.
#
# The median of 5 sorted columns starts from a network that sorts the five rows and then, by Batcher's odd-even merge,
# the 13 places that can hold the median of a matrix sorted both ways (K. Batcher, "Sorting Networks and Their
# Applications", 1968). Comparisons were taken out at random as long as all 6⁵ columns of zeros and ones still had their
# median (a network is right where it is right for those), and halves whose result nobody reads were dropped: 92 of
# the least number that was found, in place of the 198 of sorting alone.
from convkit._native.pixel cimport key, keys, keys_greater, keys_max, keys_min, keys_read


cdef inline void order(keys* w, const int i, const int j) noexcept nogil:
    cdef keys low = keys_min(w[i], w[j])
    w[j] = keys_greater(w[i], w[j], low)
    w[i] = low


cdef inline void keep_low(keys* w, const int i, const int j) noexcept nogil:
    w[i] = keys_min(w[i], w[j])


cdef inline void keep_high(keys* w, const int i, const int j) noexcept nogil:
    w[j] = keys_max(w[i], w[j])


cdef inline keys middle(keys a, keys b, keys c) noexcept nogil:
    cdef keys low = keys_min(a, b)
    return keys_max(low, keys_min(keys_greater(a, b, low), c))


cdef inline void sort_4(keys* w) noexcept nogil:
    order(w, 0, 1)
    order(w, 2, 3)
    order(w, 0, 2)
    order(w, 1, 3)
    order(w, 1, 2)


cdef inline void insert_in_4(keys* w) noexcept nogil:
    """Sort five, of which all but the first are sorted: no loop, which gcc would keep in memory."""
    order(w, 0, 1)
    order(w, 1, 2)
    order(w, 2, 3)
    order(w, 3, 4)


# ---- 3×3: row by row, of which four registers keep what the median still depends on ----------------------
cdef struct Row:  # three pixels of one, in order
    keys least, middle, most

cdef struct Rows:  # two of three
    keys least  # the greatest of the rows' least
    keys most  # the least of their greatest
    keys a, b  # their middles, in order


cdef inline void sort_row(Row* row, const key* at, Py_ssize_t channels) noexcept nogil:
    cdef keys a = keys_read(at), b = keys_read(at + channels), c = keys_read(at + 2 * channels)
    cdef keys low = keys_min(a, b), high = keys_greater(a, b, low), upper
    row.least = keys_min(low, c)
    upper = keys_greater(low, c, row.least)
    row.middle = keys_min(upper, high)
    row.most = keys_greater(upper, high, row.middle)


cdef inline void join_rows(Rows* rows, const Row* one, const Row* other) noexcept nogil:
    rows.least, rows.most = keys_max(one.least, other.least), keys_min(one.most, other.most)
    rows.a = keys_min(one.middle, other.middle)
    rows.b = keys_greater(one.middle, other.middle, rows.a)


cdef inline keys median_of_rows(const Rows* rows, const Row* third) noexcept nogil:
    return middle(
        keys_max(rows.least, third.least), keys_max(rows.a, keys_min(rows.b, third.middle)),
        keys_min(rows.most, third.most),
    )


# ---- 5×5 --------------------------------------------------------------------------------------------
cdef inline void load_five(keys* w, const key** columns, Py_ssize_t line, const int k) noexcept nogil:
    cdef int column
    for column in range(5):
        w[5 * k + column] = keys_read(columns[column] + k * line)


cdef inline keys median_of_sorted_5(const key** columns, const Py_ssize_t line) noexcept nogil:
    """Of five sorted columns: the k-th least of a column is k lines below its least."""
    cdef keys w[25]
    load_five(w, columns, line, 0)
    order(w, 0, 1)
    order(w, 3, 4)
    order(w, 2, 4)
    keep_high(w, 2, 3)
    order(w, 1, 4)
    keep_high(w, 0, 3)
    keep_high(w, 1, 3)
    load_five(w, columns, line, 1)
    order(w, 5, 6)
    order(w, 8, 9)
    order(w, 7, 9)
    order(w, 7, 8)
    order(w, 6, 9)
    keep_high(w, 5, 8)
    order(w, 6, 8)
    keep_high(w, 6, 7)
    load_five(w, columns, line, 2)
    order(w, 10, 11)
    order(w, 13, 14)
    order(w, 12, 14)
    order(w, 12, 13)
    keep_low(w, 11, 14)
    order(w, 10, 13)
    keep_high(w, 10, 12)
    order(w, 11, 13)
    order(w, 11, 12)
    load_five(w, columns, line, 3)
    order(w, 15, 16)
    order(w, 17, 19)
    order(w, 17, 18)
    keep_low(w, 16, 19)
    order(w, 15, 18)
    order(w, 15, 17)
    keep_low(w, 16, 18)
    order(w, 16, 17)
    load_five(w, columns, line, 4)
    order(w, 20, 21)
    order(w, 23, 24)
    order(w, 22, 23)
    keep_low(w, 21, 24)
    order(w, 20, 22)
    keep_low(w, 21, 23)
    keep_low(w, 21, 22)
    keep_high(w, 3, 7)
    keep_high(w, 11, 15)
    order(w, 20, 16)
    order(w, 12, 8)
    keep_low(w, 13, 17)
    keep_high(w, 7, 15)
    keep_high(w, 20, 12)
    keep_low(w, 16, 8)
    order(w, 4, 13)
    order(w, 16, 12)
    order(w, 4, 21)
    order(w, 15, 16)
    keep_low(w, 13, 21)
    order(w, 16, 12)
    keep_low(w, 9, 13)
    keep_low(w, 16, 9)
    keep_high(w, 15, 16)
    keep_low(w, 12, 4)
    keep_high(w, 16, 12)
    return w[12]

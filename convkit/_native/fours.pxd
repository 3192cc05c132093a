# Sums of rows, for rectangles of any height: of 4 rows first, then of 16, 64, ..., each of four of those before.
#
# ROWS rows go down together. Sums of four of them need no line in between, and an output line is the sum of as many
# lines as its height has of each size, and of single rows: few are stored, and what is stored is read often, as it is
# near. Terms are few, too, so that rounding errors hardly grow with the height.
from libc.string cimport memset

from convkit._native.arith cimport ceil_div
from convkit._native.simd cimport VL, prefetch_far, real, vec, vec_load, vec_store

cdef enum:
    ROWS = 4
    EARLIER = 3  # rows that the first sum of four needs
    LEVELS = 8  # sizes: the largest is of 4⁸ rows
    ENOUGH = 3  # sums of a size, from which on they are worth their making
    BLOCK = 4  # vectors
    DOWN = 128  # columns that go down while they stay near

cdef struct Level:  # sums of one size, in a ring of lines, ROWS of which are made at a time
    Py_ssize_t size  # rows
    Py_ssize_t count  # of them in the height
    Py_ssize_t kept  # lines
    Py_ssize_t offset  # elements in front of them

cdef struct Height:
    Py_ssize_t rows, ones  # that are in no sum: the last ones
    Level levels[LEVELS]
    int top  # levels
    int terms  # in all
    Py_ssize_t step  # elements from line to line
    Py_ssize_t elements  # of all rings

cdef struct Group:
    const real* rows[ROWS + EARLIER]
    const char* ahead[ROWS]  # rows of the image that will be read soon, or NULL
    Py_ssize_t itemsize  # of their elements
    Py_ssize_t at[LEVELS]  # where in the rings the last sums are
    real* lines  # of outputs,
    bint ready  # if they are complete


cdef inline void part_height(Height* height, Py_ssize_t rows, Py_ssize_t step) noexcept:
    """Which sums a height is made of, and how long each is kept: for the next size, or until the top of the rectangle."""
    cdef Py_ssize_t size = ROWS, rest = rows
    cdef Level* level
    cdef int k
    height.rows, height.step, height.top, height.elements = rows, step, 0, 0
    while height.top < LEVELS and rows >= (ENOUGH * size if height.top else size):
        level = &height.levels[height.top]
        level.size, level.kept, level.offset = size, size * ROWS, height.elements
        height.elements += level.kept * step
        height.top += 1
        size *= ROWS
    if height.top:
        level = &height.levels[height.top - 1]
        level.kept = ceil_div(rows, ROWS) * ROWS - level.size + ROWS
        height.elements = level.offset + level.kept * step
    height.terms = 0
    for k in range(height.top - 1, -1, -1):
        height.levels[k].count = rest // height.levels[k].size
        height.terms += <int>height.levels[k].count
        rest %= height.levels[k].size
    height.ones = rest
    height.terms += <int>rest


cdef inline real sum_constants(const Height* height, real value) noexcept nogil:
    """The sum of a column of one value, in the order of all sums."""
    cdef real sums[LEVELS]
    cdef real total = -0.0
    cdef Py_ssize_t _
    cdef int k
    for k in range(height.top):
        sums[k] = sums[k - 1] + sums[k - 1] + sums[k - 1] + sums[k - 1] if k else value + value + (value + value)
    for k in range(height.top - 1, -1, -1):
        for _ in range(height.levels[k].count):
            total += sums[k]
    for _ in range(height.ones):
        total += value
    return total


# ---- lines ------------------------------------------------------------------------------------------
cdef inline void sum_fours(const real* const* rows, Py_ssize_t x, real* to, Py_ssize_t step, Py_ssize_t n) noexcept nogil:
    """Columns x ... x + n of the sums of four rows that end with each of ROWS. n: at least a vector."""
    cdef vec pairs[ROWS + 2]
    cdef Py_ssize_t at, end = x + n
    cdef int i
    while x < end:
        at = min(x, end - VL)
        for i in range(ROWS + 2):
            pairs[i] = vec_load(rows[i + 1] + at) + vec_load(rows[i] + at)
        for i in range(ROWS):
            vec_store(to + i * step + at, pairs[i + 2] + pairs[i])
        x += VL


cdef inline void sum_block(const real* const* terms, int count, Py_ssize_t x, real* to, const int width) noexcept nogil:
    cdef vec sums[BLOCK]
    cdef int v, k
    for v in range(width):
        sums[v] = vec_load(terms[0] + x + v * VL)
    for k in range(1, count):
        for v in range(width):
            sums[v] = sums[v] + vec_load(terms[k] + x + v * VL)
    for v in range(width):
        vec_store(to + x + v * VL, sums[v])


cdef inline void sum_terms(const real* const* terms, int count, Py_ssize_t x, real* to, Py_ssize_t n) noexcept nogil:
    """The same of the sum of so many lines. Made twice, where vectors overlap, it is the same."""
    cdef Py_ssize_t end = x + n
    while x + BLOCK * VL <= end:
        sum_block(terms, count, x, to, BLOCK)
        x += BLOCK * VL
    while x < end:
        sum_block(terms, count, min(x, end - VL), to, 1)
        x += VL


# ---- down the rows ----------------------------------------------------------------------------------
cdef inline void clear(const Height* height, Group* group, real* rings) noexcept nogil:
    """Begin: sums of sums that are not made yet are of no use, but shall not be slow."""
    memset(group.at, 0, sizeof(group.at))
    if height.top:
        memset(rings, 0, height.levels[height.top - 1].offset * sizeof(real))


cdef inline real* find_sums(
    const Height* height, const Group* group, real* rings, int k, int i, Py_ssize_t lag
) noexcept nogil:
    """Those of level `k` that end `lag` rows before row `i` of the group."""
    cdef const Level* level = &height.levels[k]
    cdef Py_ssize_t line = group.at[k] + i - lag
    return rings + level.offset + (line if line >= 0 else line + level.kept) * height.step


cdef inline void find_terms(
    const Height* height, const Group* group, real* rings, int i, const real** terms
) noexcept nogil:
    """What output line `i` is the sum of: the oldest first."""
    cdef Py_ssize_t lag = height.rows, _
    cdef int count = 0, k
    for k in range(height.top - 1, -1, -1):
        for _ in range(height.levels[k].count):
            lag -= height.levels[k].size
            terms[count] = find_sums(height, group, rings, k, i, lag)
            count += 1
    for _ in range(height.ones):
        lag -= 1
        terms[count] = group.rows[i + EARLIER - lag]
        count += 1


cdef inline void roll_chunk(
    const Height* height, const Group* group, real* rings, const real** terms, Py_ssize_t x, Py_ssize_t n
) noexcept nogil:
    cdef const real* last[ROWS]
    cdef int i, j, k
    if height.top:
        sum_fours(group.rows, x, find_sums(height, group, rings, 0, 0, 0), height.step, n)
    for k in range(1, height.top):
        for i in range(ROWS):
            for j in range(ROWS):
                last[j] = find_sums(height, group, rings, k - 1, i, (ROWS - 1 - j) * height.levels[k - 1].size)
            sum_terms(last, ROWS, x, find_sums(height, group, rings, k, i, 0), n)
    for i in range(ROWS if group.ready else 0):
        sum_terms(terms + i * height.terms, height.terms, x, group.lines + i * height.step, n)


cdef inline void prefetch_rows(const Group* group, Py_ssize_t x, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t byte
    cdef int i
    for i in range(ROWS):
        byte = x * group.itemsize
        while group.ahead[i] != NULL and byte < (x + n) * group.itemsize:
            prefetch_far(group.ahead[i] + byte)
            byte += 64


cdef inline void roll(
    const Height* height, Group* group, real* rings, const real** terms, Py_ssize_t n
) noexcept nogil:
    """Take in ROWS rows, and sum those that end with each into a line: n elements, at least a vector.

    `terms`: room for those of all lines.
    """
    cdef Py_ssize_t x = 0, some
    cdef int i, k
    for k in range(height.top):
        group.at[k] = group.at[k] + ROWS if group.at[k] + ROWS < height.levels[k].kept else 0
    for i in range(ROWS):
        find_terms(height, group, rings, i, terms + i * height.terms)
    while x < n:
        some = min(DOWN, n - x)
        if n - x - some < VL:
            some = n - x
        prefetch_rows(group, x, some)
        roll_chunk(height, group, rings, terms, x, some)
        x += some

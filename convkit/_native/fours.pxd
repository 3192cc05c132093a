# Sums of rows, for rectangles of any height: of four rows first, and of sixteen, made of those.
#
# ROWS rows go down together. Sums of four of them need no line in between, and an output line is the sum of as many
# lines as its height has sixteens, fours and ones: few are stored, and what is stored is read often, as it is near.
from convkit._native.arith cimport ceil_div
from convkit._native.simd cimport VL, prefetch_far, real, vec, vec_load, vec_store

cdef enum:
    ROWS = 4
    EARLIER = 3  # rows that the first sum of four needs
    SIXTEEN = 16
    TALL = 48  # rows, from which on sums of sixteen pay
    BLOCK = 4  # vectors
    DOWN = 128  # columns that go down while they stay near

cdef struct Ring:  # of lines of sums, ROWS of which are made at a time
    Py_ssize_t kept  # lines
    Py_ssize_t offset  # elements in front of them

cdef struct Parts:
    Py_ssize_t height, sixteens, fours, ones  # the oldest first
    int terms  # in all
    Py_ssize_t step  # elements from line to line
    Ring of_four, of_sixteen
    Py_ssize_t elements  # of both

cdef struct Group:
    const real* rows[ROWS + EARLIER]
    const char* ahead[ROWS]  # rows of the image that will be read soon, or NULL
    Py_ssize_t itemsize  # of their elements
    Py_ssize_t four, sixteen  # where in the rings the last sums are
    real* lines  # of outputs,
    bint ready  # if they are complete


cdef inline void part_height(Parts* parts, Py_ssize_t height, Py_ssize_t step) noexcept:
    """Which sums a height is made of, and how long each is kept."""
    parts.height, parts.step = height, step
    parts.sixteens = height // SIXTEEN if height >= TALL else 0
    parts.fours = (height - parts.sixteens * SIXTEEN) // ROWS
    parts.ones = height % ROWS
    parts.terms = <int>(parts.sixteens + parts.fours + parts.ones)
    parts.of_four.kept, parts.of_sixteen.kept = ceil_div(height, ROWS) * ROWS, 0
    if parts.sixteens:
        parts.of_sixteen.kept = parts.of_four.kept + ROWS - SIXTEEN
        parts.of_four.kept = SIXTEEN
    parts.of_four.offset, parts.of_sixteen.offset = 0, parts.of_four.kept * step
    parts.elements = (parts.of_four.kept + parts.of_sixteen.kept) * step


cdef inline real sum_constants(const Parts* parts, real value) noexcept nogil:
    """The sum of a column of one value, in the order of all sums."""
    cdef real four = value + value + (value + value), total = -0.0
    cdef Py_ssize_t _
    for _ in range(parts.sixteens):
        total += four + four + four + four
    for _ in range(parts.fours):
        total += four
    for _ in range(parts.ones):
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
cdef inline void advance(const Ring* ring, Py_ssize_t* line) noexcept nogil:
    line[0] = line[0] + ROWS if line[0] + ROWS < ring.kept else 0


cdef inline const real* find_sums(
    const Parts* parts, const Ring* ring, const real* rings, Py_ssize_t line, Py_ssize_t lag
) noexcept nogil:
    """Those that were made `lag` rows before those of `line`."""
    return rings + ring.offset + (line - lag if line >= lag else line - lag + ring.kept) * parts.step


cdef inline void find_terms(
    const Parts* parts, const Group* group, const real* rings, int i, const real** terms
) noexcept nogil:
    """What output line `i` is the sum of."""
    cdef Py_ssize_t lag = parts.height, _
    cdef int count = 0
    for _ in range(parts.sixteens):
        lag -= SIXTEEN
        terms[count] = find_sums(parts, &parts.of_sixteen, rings, group.sixteen + i, lag)
        count += 1
    for _ in range(parts.fours):
        lag -= ROWS
        terms[count] = find_sums(parts, &parts.of_four, rings, group.four + i, lag)
        count += 1
    for _ in range(parts.ones):
        lag -= 1
        terms[count] = group.rows[i + EARLIER - lag]
        count += 1


cdef inline void roll_chunk(
    const Parts* parts, const Group* group, real* rings, const real** terms, Py_ssize_t x, Py_ssize_t n
) noexcept nogil:
    cdef const real* last[4]
    cdef int i, k
    if parts.height >= ROWS:
        sum_fours(group.rows, x, rings + parts.of_four.offset + group.four * parts.step, parts.step, n)
    for i in range(ROWS if parts.sixteens else 0):
        for k in range(4):
            last[k] = find_sums(parts, &parts.of_four, rings, group.four + i, SIXTEEN - (k + 1) * ROWS)
        sum_terms(last, 4, x, rings + parts.of_sixteen.offset + (group.sixteen + i) * parts.step, n)
    for i in range(ROWS if group.ready else 0):
        sum_terms(terms + i * parts.terms, parts.terms, x, group.lines + i * parts.step, n)


cdef inline void prefetch_rows(const Group* group, Py_ssize_t x, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t byte
    cdef int i
    for i in range(ROWS):
        byte = x * group.itemsize
        while group.ahead[i] != NULL and byte < (x + n) * group.itemsize:
            prefetch_far(group.ahead[i] + byte)
            byte += 64


cdef inline void roll(
    const Parts* parts, Group* group, real* rings, const real** terms, Py_ssize_t n
) noexcept nogil:
    """Take in ROWS rows, and sum those that end with each into a line: n elements, at least a vector.

    `terms`: room for those of all lines.
    """
    cdef Py_ssize_t x = 0, some
    cdef int i
    advance(&parts.of_four, &group.four)
    advance(&parts.of_sixteen, &group.sixteen)
    for i in range(ROWS):
        find_terms(parts, group, rings, i, terms + i * parts.terms)
    while x < n:
        some = min(DOWN, n - x)
        if n - x - some < VL:
            some = n - x
        prefetch_rows(group, x, some)
        roll_chunk(parts, group, rings, terms, x, some)
        x += some

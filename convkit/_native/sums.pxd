# Sums over taps: a tile of outputs, whose sums stay in registers while the rows under them pass by.
from convkit._native.finish cimport Scaling, scaled
from convkit._native.integers cimport size_of, store_line_rounded, store_rounded
from convkit._native.simd cimport (
    COLUMN_VECTORS, ROUNDS, SLIDES, STENCIL_ROWS, STENCIL_VECTORS, VL, stored, prefetch_far, prefetch_write, real,
    vec, vec_length, vec_load, vec_load_pixels, vec_pin, vec_set, vec_slide, vec_store, vec_store_part, vec_stream,
)

cdef enum:
    LINE_VECTORS = 8  # of one row: enough independent sums to hide their latency
    SINGLE = -1  # a column of any number of weights
    APART = -2  # taps, of which rows share none
    OF_3 = -3  # columns of 3 weights
    OF_5 = -5
    SLID = -6  # three columns of one channel, where it SLIDES
    MIXED = -7  # more of them
    MIXED_FROM = 5  # columns

ctypedef fused sample:
    stored
    real

cdef struct Taps:
    Py_ssize_t row, column  # of the first weight, in the extent of the whole kernel
    Py_ssize_t rows, columns
    bint holes  # weights of zero, which must add nothing
    bint sparse  # more than a third is
    real* weights

cdef struct Target:
    real* line  # where to
    Py_ssize_t step  # from one row to the next
    int rows  # how many are wanted
    bint stream  # around the caches, where vectors are aligned: of several rows, `step` is a multiple of a cache's line
    const Scaling* scaling  # of one row: what is done to the sums, or NULL
    const real* others  # of one row: sums that these are added to, or NULL
    const real* across  # of one row: sums with which these are vectors, whose lengths are stored, or NULL
    char* integers  # where rows are written to, rounded, and lines are scratch; or NULL
    Py_ssize_t integers_step  # bytes from there to the next row
    char kind  # of these integers


cdef inline vec load(const sample* source) noexcept nogil:
    if sample is stored:
        return vec_load_pixels(source)
    else:
        return vec_load(source)


cdef inline void add(vec* sums, const vec* seen, real weight, const int width, const bint holes) noexcept nogil:
    cdef int v
    if holes and weight == 0:
        return
    for v in range(width):
        sums[v] = sums[v] + vec_set(weight) * seen[v]


cdef inline void sum_taps(
    const sample** rows, const Taps* taps, Py_ssize_t step, Py_ssize_t x, vec (*sums)[LINE_VECTORS],
    const int height, const int width, const bint holes,
) noexcept nogil:
    """Tap by tap: what is loaded feeds one output."""
    cdef const sample* lines[STENCIL_ROWS]
    cdef const real* weight = taps.weights
    cdef Py_ssize_t i, q
    cdef vec now
    cdef int r, v
    for i in range(taps.rows):
        for r in range(height):
            lines[r] = rows[i + r] + x + taps.column * step
        for q in range(taps.columns):
            if holes and weight[q] == 0:
                continue
            now = vec_set(weight[q])
            for r in range(height):
                for v in range(width):
                    sums[r][v] = sums[r][v] + now * load(lines[r] + q * step + v * VL)
        weight += taps.columns


cdef inline void sum_line(
    const sample* line, const Taps* taps, Py_ssize_t step, vec* sums, const int width, const bint holes, const int columns
) noexcept nogil:
    """The sum of one row. `columns`: how many there are, if the compiler is to know, or 0."""
    cdef Py_ssize_t q
    cdef vec weight
    cdef int v
    for q in range(columns if columns else taps.columns):
        if not holes or taps.weights[q] != 0:
            weight = vec_set(taps.weights[q])
            for v in range(width):
                sums[v] = sums[v] + weight * load(line + v * VL)
        line += step


cdef inline void sum_mixed(
    const sample* line, const Taps* taps, vec* sums, const int width, const bint holes, const bint few
) noexcept nogil:
    """The same of one channel: vectors are made of two that are at hand, which other units do than loads.

    Unless columns are `few`, every second one is loaded.
    """
    cdef const real* weight = taps.weights
    cdef Py_ssize_t left = taps.columns
    cdef vec near[LINE_VECTORS + 1]
    cdef vec now
    cdef int v, by
    while left > 0:
        for v in range(width + 1):
            near[v] = vec_pin(load(line + v * VL))
        for by in range(3 if few else VL):
            if by < left and not (holes and weight[by] == 0):
                now = vec_set(weight[by])
                for v in range(width):
                    if by % 2 and not few:
                        sums[v] = sums[v] + now * load(line + by + v * VL)
                    else:
                        sums[v] = sums[v] + now * vec_slide(near[v], near[v + 1], by)
        if few:
            return
        weight += VL
        line += VL
        left -= VL


cdef inline void sum_all(
    const sample** rows, const Taps* taps, Py_ssize_t step, Py_ssize_t x, vec (*sums)[LINE_VECTORS],
    const int height, const int width, const bint single, const bint holes,
) noexcept nogil:
    """Row by row: a vector that is loaded feeds the outputs of all rows that see it. `single`: of one column.

    The kernel has at least height - 1 rows.
    """
    cdef vec seen[LINE_VECTORS]
    cdef const real* weight = taps.weights
    cdef Py_ssize_t i, q, kh = taps.rows, kw = 1 if single else taps.columns
    cdef int r, v, e
    for e in range(height - 1):  # rows that only the first outputs see
        for q in range(kw):
            for v in range(width):
                seen[v] = vec_pin(load(rows[e] + x + (taps.column + q) * step + v * VL))
            for r in range(height):
                if r <= e:
                    add(sums[r], seen, weight[(e - r) * kw + q], width, holes)
    for i in range(height - 1, kh):  # rows that all see
        for q in range(kw):
            for v in range(width):
                seen[v] = vec_pin(load(rows[i] + x + (taps.column + q) * step + v * VL))
            for r in range(height):
                add(sums[r], seen, weight[(i - r) * kw + q], width, holes)
    for e in range(height - 1):  # rows that only the last outputs see
        i = kh + e
        for q in range(kw):
            for v in range(width):
                seen[v] = vec_pin(load(rows[i] + x + (taps.column + q) * step + v * VL))
            for r in range(height):
                if r > e:
                    add(sums[r], seen, weight[(i - r) * kw + q], width, holes)


cdef inline void sum_columns(
    const sample** rows, const Taps* taps, Py_ssize_t step, Py_ssize_t x, vec (*sums)[LINE_VECTORS],
    const int height, const int width, const int column, const bint single, const bint holes,
) noexcept nogil:
    """The same, column by column, of `column` weights each: a number that the compiler knows leaves no other loop."""
    cdef const real* weight = taps.weights
    cdef Py_ssize_t _, kw = 1 if single else taps.columns
    cdef vec seen[LINE_VECTORS]
    cdef int r, v, e
    x += taps.column * step
    for _ in range(kw):
        for e in range(column + height - 1):
            for v in range(width):
                seen[v] = vec_pin(load(rows[e] + x + v * VL))
            for r in range(height):
                if r <= e and e - r < column:
                    add(sums[r], seen, weight[(e - r) * kw], width, holes)
        weight += 1
        x += step


cdef inline void store_integers(
    const Target* to, Py_ssize_t x, const vec* sums, int row, const int height, const int width
) noexcept nogil:
    """A row of a tile as integers of the output."""
    cdef Py_ssize_t itemsize = size_of(to.kind)
    cdef char* row_start = to.integers + row * to.integers_step + x * itemsize
    cdef int v
    prefetch_write(<const real*>(row_start + height * to.integers_step))
    for v in range(0, width, 4):
        store_rounded(row_start + v * VL * itemsize, to.kind, &sums[v])


cdef inline void sum_tile(
    const sample** rows, const Taps* taps, Py_ssize_t step, real start, Py_ssize_t x, const Target* to, Py_ssize_t n,
    const int height, const int width, const bint holes, const int column,
) noexcept nogil:
    """`height` × `width` vectors from element `x` on: each output sums its taps from the first to the last."""
    cdef vec sums[STENCIL_ROWS][LINE_VECTORS]
    cdef real* line = to.line + x
    cdef Py_ssize_t row_step = to.step
    cdef int r, v, count = to.rows
    for r in range(height):
        for v in range(width):
            sums[r][v] = vec_load(to.others + x + v * VL) if height == 1 and to.others != NULL else vec_set(start)
    if width > 1 and (column == MIXED or column == SLID):
        sum_mixed(rows[0] + x + taps.column * step, taps, sums[0], width, holes, column == SLID)
    elif height == 1:
        sum_line(rows[0] + x + taps.column * step, taps, step, sums[0], width, holes, max(column, 0))
    elif column > 0:
        sum_columns(rows, taps, step, x, sums, height, width, column, True, False)
    elif column == OF_3 or column == OF_5:
        sum_columns(rows, taps, step, x, sums, height, width, -column, False, holes)
    elif column == APART:
        sum_taps(rows, taps, step, x, sums, height, width, holes)
    else:
        sum_all(rows, taps, step, x, sums, height, width, column == SINGLE, holes)
    for r in range(height):  # else gcc adds a row's products only where it is wanted, and keeps all it needs until then
        for v in range(width):
            sums[r][v] = vec_pin(sums[r][v])
    if sizeof(real) > 2 and height == 1 and to.scaling != NULL:
        for v in range(width):
            sums[0][v] = scaled(sums[0][v], to.scaling)
    if height == 1 and to.across != NULL:
        for v in range(width):
            sums[0][v] = vec_length(vec_load(to.across + x + v * VL), sums[0][v])
    if ROUNDS and width > 1 and width % 4 == 0 and to.integers != NULL:
        for r in range(height):
            if r < count:
                store_integers(to, x, sums[r], r, height, width)
        return
    if width > 1 and to.stream:
        for r in range(height):
            if r < count:
                for v in range(width):
                    vec_stream(line + r * row_step + v * VL, sums[r][v])
        return
    for r in range(height):
        if r < count:
            for v in range(width):
                if width == 1 and n - x < VL:
                    vec_store_part(line + r * row_step, sums[r][v], n - x)
                else:
                    vec_store(line + r * row_step + v * VL, sums[r][v])


cdef inline Py_ssize_t until_cache_line(const real* line) noexcept nogil:
    """Elements in front of the first that begins a line of the cache."""
    return (-<Py_ssize_t>line & 63) // <Py_ssize_t>sizeof(real)


cdef inline void sum_row(
    const sample** rows, const sample** ahead, const Taps* taps, Py_ssize_t step, real start, const Target* to,
    Py_ssize_t n, const int height, const int width, const bint holes, const int column,
) noexcept nogil:
    """`height` rows of `n` elements; `ahead`, if it is given, are rows that will be read soon."""
    cdef Py_ssize_t x = 0, line, head = 0
    cdef int r
    if to.stream:
        head = until_cache_line(to.line)
    while x < n:
        # The last tile, or the last vector, overlaps the one before: nothing is read past the row's end.
        if x >= head and n >= width * VL and (x + width * VL <= n or not to.stream):
            x = min(x, n - width * VL)
            if ahead != NULL:
                for r in range(height):
                    line = 0
                    while line < width * VL * <Py_ssize_t>sizeof(sample):
                        prefetch_far(<const char*>(ahead[r] + x) + line)
                        line += 64
            sum_tile(rows, taps, step, start, x, to, n, height, width, holes, column)
            x += width * VL
            continue
        sum_tile(rows, taps, step, start, min(x, max(n - VL, 0)), to, n, height, 1, holes, column)
        x = head if x < head < x + VL else x + VL
    if ROUNDS and n > 0 and to.integers != NULL and (width % 4 or n < width * VL):
        for r in range(to.rows):
            store_line_rounded(to.integers + r * to.integers_step, to.kind, to.line + r * to.step, n)


cdef inline void sum_rows(
    const sample** rows, const sample** ahead, const Taps* taps, Py_ssize_t step, real start, const Target* to,
    Py_ssize_t n, const int height, const int width,
) noexcept nogil:
    """line[i] = start + Σ weight · rows[row][i + column · step], for as many rows as are wanted.

    Rows of fewer than a vector's elements are read as if they had as many.
    """
    if taps.holes and height > 1 and taps.columns == 1 and taps.rows >= height - 1:
        sum_row(rows, ahead, taps, step, start, to, n, height, COLUMN_VECTORS, True, SINGLE)
    elif height == 1 and SLIDES and step == 1 and taps.columns == 3:
        sum_row(rows, ahead, taps, step, start, to, n, height, width, True, SLID)
    elif taps.holes and height > 1 and sizeof(vec) > 16 and taps.rows == 3 and not taps.sparse:
        sum_row(rows, ahead, taps, step, start, to, n, height, COLUMN_VECTORS, True, OF_3)
    elif taps.holes and height > 1 and sizeof(vec) > 16 and taps.rows == 5 and not taps.sparse:
        sum_row(rows, ahead, taps, step, start, to, n, height, COLUMN_VECTORS, True, OF_5)
    elif taps.holes and height > 1 and sizeof(vec) > 32 and taps.rows >= height - 1 and not taps.sparse:
        sum_row(rows, ahead, taps, step, start, to, n, height, width, True, 0)
    elif taps.holes:
        sum_row(rows, ahead, taps, step, start, to, n, height, width, True, APART)
    elif height > 1 and taps.columns == 1 and taps.rows == 1:
        sum_row(rows, ahead, taps, step, start, to, n, height, COLUMN_VECTORS, False, 1)
    elif height > 1 and taps.columns == 1 and taps.rows == 3:
        sum_row(rows, ahead, taps, step, start, to, n, height, COLUMN_VECTORS, False, 3)
    elif height > 1 and taps.columns == 1 and taps.rows == 5:
        sum_row(rows, ahead, taps, step, start, to, n, height, COLUMN_VECTORS, False, 5)
    elif height > 1 and taps.columns == 1 and taps.rows >= height - 1:
        sum_row(rows, ahead, taps, step, start, to, n, height, COLUMN_VECTORS, False, SINGLE)
    elif height == 1 and SLIDES and step == 1 and taps.columns >= MIXED_FROM:
        sum_row(rows, ahead, taps, step, start, to, n, height, width, False, MIXED)
    elif height == 1 and taps.columns == 3:
        sum_row(rows, ahead, taps, step, start, to, n, height, width, False, 3)
    elif height == 1 and taps.columns == 5:
        sum_row(rows, ahead, taps, step, start, to, n, height, width, False, 5)
    elif height > 1 and taps.rows == 3:
        sum_row(rows, ahead, taps, step, start, to, n, height, COLUMN_VECTORS, False, OF_3)
    elif height > 1 and taps.rows == 5:
        sum_row(rows, ahead, taps, step, start, to, n, height, COLUMN_VECTORS, False, OF_5)
    elif height > 1 and (taps.rows * taps.columns <= 9 or taps.rows < height - 1):
        sum_row(rows, ahead, taps, step, start, to, n, height, width, False, APART)
    else:
        sum_row(rows, ahead, taps, step, start, to, n, height, width, False, 0)

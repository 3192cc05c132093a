# Input rows copied so that a convolution's taps read them by plain shifts, at any stride and dilation.
#
# Along an axis, tap t brings to output i the input element i·stride + t·dilation - before. A LINE lays the elements of
# some outputs out so that those of one tap lie side by side: tap t's from place `start[t]` on. Taps whose offsets
# differ by a multiple of the stride share a run of the line, where they overlap; others have runs of their own.
from convkit._native.arith cimport ceil_div
from convkit._native.border cimport BORDER_CONSTANT, border_index
from convkit._native.rows cimport fill, pack_vectors
from convkit._native.simd cimport real, vec_set


cdef struct Run:
    Py_ssize_t place            # of its first element in the line
    Py_ssize_t first            # that element's offset in the input, under output 0
    Py_ssize_t length


cdef struct Line:
    Py_ssize_t stride, before
    Py_ssize_t length
    Py_ssize_t* start           # of each tap
    Run* run
    Py_ssize_t runs


cdef inline void lay_line(Line* line, Py_ssize_t taps, Py_ssize_t dilation, Py_ssize_t outputs) noexcept nogil:
    # `start` has room for a number, and `run` for a run, for each tap.
    cdef Py_ssize_t i, j, last, shift
    line.length = line.runs = 0
    for i in range(taps):
        line.start[i] = -1
    for i in range(taps):
        if line.start[i] >= 0:
            continue
        line.start[i] = line.length
        last = i
        for j in range(i + 1, taps):
            if (j - i) * dilation % line.stride == 0:
                shift = (j - last) * dilation // line.stride
                if line.start[j] >= 0 or shift > outputs:
                    break
                line.start[j] = line.start[last] + shift
                last = j
        line.run[line.runs].place = line.length
        line.run[line.runs].first = i * dilation - line.before
        line.run[line.runs].length = line.start[last] + outputs - line.length
        line.length += line.run[line.runs].length
        line.runs += 1


cdef inline void pack_elements(const real* row, Py_ssize_t first, Py_ssize_t step, Py_ssize_t begin, Py_ssize_t end,
                               Py_ssize_t width, int border, real cval, real* to) noexcept nogil:
    cdef Py_ssize_t i, inside
    for i in range(begin, end):
        inside = border_index(first + i * step, width, border)
        to[i] = cval if inside < 0 else row[inside]


cdef inline void pack_run(const real* row, Py_ssize_t first, Py_ssize_t step, Py_ssize_t n, Py_ssize_t width, int border,
                          real cval, real* to) noexcept nogil:
    # n elements of a row, `step` apart from column `first` on, wherever they lie.
    if step == 1:
        pack_vectors(1, 1, row, first, n, width, vec_set(cval), to, 0)
    elif step == 2:
        pack_vectors(2, 1, row, first, n, width, vec_set(cval), to, 0)
    elif step == 3:
        pack_vectors(3, 1, row, first, n, width, vec_set(cval), to, 0)
    else:
        pack_elements(row, first, step, 0, n, width, border, cval, to)
    if border != BORDER_CONSTANT and step <= 3:
        pack_elements(row, first, step, 0, min(n, ceil_div(max(-first, <Py_ssize_t>0), step)), width, border, cval, to)
        pack_elements(row, first, step, min(n, ceil_div(max(width - first, <Py_ssize_t>0), step)), n, width, border, cval,
                      to)


cdef inline void pack_line(const Line* line, const real* row, Py_ssize_t output, Py_ssize_t width, int border, real cval,
                           real* to) noexcept nogil:
    # The line of a row, under outputs from `output` on; NULL stands for a row of constants, which may be written
    # past the line's end, by less than a vector.
    cdef Py_ssize_t i
    if row == NULL:
        fill(to, vec_set(cval), line.length)
        return
    for i in range(line.runs):
        pack_run(row, output * line.stride + line.run[i].first, line.stride, line.run[i].length, width, border, cval,
                 to + line.run[i].place)


cdef inline void pack_lines(const Line* down, const Line* across, const real* x, Py_ssize_t x_row, Py_ssize_t height,
                            Py_ssize_t width, int border, real cval, Py_ssize_t row, Py_ssize_t column, Py_ssize_t pitch,
                            real* to) noexcept nogil:
    # A map's lines under the outputs from (row, column) on, `pitch` apart.
    cdef Py_ssize_t i, j, inside
    cdef const real* source
    for i in range(down.runs):
        for j in range(down.run[i].length):
            inside = border_index((row + j) * down.stride + down.run[i].first, height, border)
            source = NULL
            if inside >= 0:
                source = x + inside * x_row
            pack_line(across, source, column, width, border, cval, to + (down.run[i].place + j) * pitch)

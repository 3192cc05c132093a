# Images of any strides and dtype, row by row: pixels in, lines of numbers out to the image.
from libc.stdint cimport int16_t, int32_t, uint8_t, uint16_t

from convkit._native.simd cimport load_bytes, stored, real

ctypedef fused element:
    uint8_t
    uint16_t
    int16_t
    float
    double

ctypedef fused number:
    real
    float
    uint8_t

cdef struct Grid:  # an image in memory; steps count elements
    char* data
    char kind
    Py_ssize_t itemsize
    Py_ssize_t channels
    Py_ssize_t row_step
    Py_ssize_t pixel_step
    Py_ssize_t channel_step


cdef inline Grid grid_of(const Py_buffer* view) noexcept:
    cdef Grid grid
    grid.data = <char*>view.buf
    grid.kind = view.format[0]
    grid.itemsize = view.itemsize
    grid.channels = view.shape[2] if view.ndim == 3 else 1
    grid.row_step = view.strides[0] // view.itemsize
    grid.pixel_step = view.strides[1] // view.itemsize
    grid.channel_step = 1 if grid.channels == 1 else view.strides[2] // view.itemsize
    return grid


cdef inline bint is_packed(const Grid* grid) noexcept nogil:
    """Whether the elements of a row lie side by side."""
    return grid.channel_step == 1 and grid.pixel_step == grid.channels


cdef inline char* place(const Grid* grid, Py_ssize_t y, Py_ssize_t x) noexcept nogil:
    return grid.data + (y * grid.row_step + x * grid.pixel_step) * grid.itemsize


# ---- in ---------------------------------------------------------------------------------------------
cdef inline void load_elements(
    const element* source, const Grid* grid, Py_ssize_t pixels, stored* line
) noexcept nogil:
    cdef Py_ssize_t i, c
    if is_packed(grid):
        if element is uint8_t:
            load_bytes(line, source, pixels * grid.channels)
        else:
            for i in range(pixels * grid.channels):
                line[i] = <stored>source[i]
        return
    for i in range(pixels):
        for c in range(grid.channels):
            line[i * grid.channels + c] = <stored>source[i * grid.pixel_step + c * grid.channel_step]


cdef inline void load_line(
    const Grid* grid, Py_ssize_t y, Py_ssize_t x, Py_ssize_t pixels, stored* line
) noexcept nogil:
    cdef const char* source = place(grid, y, x)
    if grid.kind == c"B":
        load_elements(<const uint8_t*>source, grid, pixels, line)
    elif grid.kind == c"H":
        load_elements(<const uint16_t*>source, grid, pixels, line)
    elif grid.kind == c"h":
        load_elements(<const int16_t*>source, grid, pixels, line)
    elif grid.kind == c"f":
        load_elements(<const float*>source, grid, pixels, line)
    else:
        load_elements(<const double*>source, grid, pixels, line)


# ---- out: numbers that the image's dtype holds ------------------------------------------------------
cdef inline void store_elements(
    element* target, const Grid* grid, Py_ssize_t pixels, const number* line
) noexcept nogil:
    cdef Py_ssize_t i, c
    if is_packed(grid):
        for i in range(pixels * grid.channels):
            if element is float or element is double:
                target[i] = <element>line[i]
            else:
                target[i] = <element><int32_t>line[i]
        return
    for i in range(pixels):
        for c in range(grid.channels):
            if element is float or element is double:
                target[i * grid.pixel_step + c * grid.channel_step] = <element>line[i * grid.channels + c]
            else:
                target[i * grid.pixel_step + c * grid.channel_step] = (
                    <element><int32_t>line[i * grid.channels + c])


cdef inline void store_line(
    const Grid* grid, Py_ssize_t y, Py_ssize_t x, Py_ssize_t pixels, const number* line
) noexcept nogil:
    cdef char* target = place(grid, y, x)
    if grid.kind == c"B":
        store_elements(<uint8_t*>target, grid, pixels, line)
    elif grid.kind == c"H":
        store_elements(<uint16_t*>target, grid, pixels, line)
    elif grid.kind == c"h":
        store_elements(<int16_t*>target, grid, pixels, line)
    elif grid.kind == c"f":
        store_elements(<float*>target, grid, pixels, line)
    else:
        store_elements(<double*>target, grid, pixels, line)

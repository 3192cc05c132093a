# Where the core convolution's planes come from, and where its taps lie in them.
from convkit._native.arith cimport ceil_div
from convkit._native.conv cimport Conv
from convkit._native.conv_partition cimport follows, see_all_phases
from convkit._native.simd cimport GEMM_MR, VL, real


cdef struct Tables:
    Py_ssize_t* slot_row
    Py_ssize_t* slot            # of each tap row: where its slab begins
    Py_ssize_t* phase_column
    Py_ssize_t* phase           # of each tap column: its plane, and its place behind the plane's first element
    Py_ssize_t* shift
    Py_ssize_t* offset
    Py_ssize_t* narrow_offset
    Py_ssize_t* later_offset


cdef inline Py_ssize_t lay_out_tables(const Conv* conv, Py_ssize_t* at, Tables* tables) noexcept nogil:
    # The elements of all tables.
    cdef Py_ssize_t depth = conv.block_channels * conv.tap_rows * conv.tap_columns
    tables.slot_row = at
    tables.slot = tables.slot_row + conv.tap_rows * conv.band_rows
    tables.phase_column = tables.slot + conv.tap_rows
    tables.phase = tables.phase_column + conv.tap_columns
    tables.shift = tables.phase + conv.tap_columns
    tables.offset = tables.shift + conv.tap_columns
    tables.narrow_offset = tables.offset + depth
    tables.later_offset = tables.narrow_offset + depth
    return tables.later_offset + depth - at


cdef inline void find_slots(Conv* conv, Tables* tables) noexcept nogil:
    # A slab for each tap row, from top to bottom; it begins inside the last one's where they share rows.
    cdef Py_ssize_t i, j, last, row, slots = 0, stride = conv.planes.stride_h
    for i in range(conv.tap_rows):
        tables.slot[i] = -1
    for i in range(conv.tap_rows):
        if tables.slot[i] >= 0:
            continue
        tables.slot[i] = slots
        last = i
        for j in range(i + 1, conv.tap_rows):
            if (conv.tap_row[j] - conv.tap_row[i]) % stride == 0:
                tables.slot[j] = tables.slot[last] + min((conv.tap_row[j] - conv.tap_row[last]) // stride, conv.band_rows)
                last = j
        slots = tables.slot[last] + conv.band_rows
    for i in range(conv.tap_rows):
        for row in range(conv.band_rows):
            tables.slot_row[tables.slot[i] + row] = conv.tap_row[i] + row * stride
    conv.planes.slots = slots
    conv.planes.slot_row = tables.slot_row


cdef inline void size_planes(Conv* conv) noexcept nogil:
    cdef Py_ssize_t lines = 64 // <Py_ssize_t>sizeof(real)
    conv.planes.plane = conv.planes.slots * conv.planes.pitch + ceil_div(conv.planes.shared, VL) * VL + VL
    # An odd number of cache lines: the channels of a pixel fall into different sets.
    conv.planes.channel = (ceil_div(conv.planes.phases * conv.planes.plane, lines) | 1) * lines


cdef inline void find_all_phases(Conv* conv, Tables* tables) noexcept nogil:
    cdef Py_ssize_t i, stride = conv.planes.stride_w
    for i in range(conv.tap_columns):
        tables.phase[i] = (conv.tap_column[i] - conv.tap_column[0]) % stride
        tables.shift[i] = (conv.tap_column[i] - conv.tap_column[0]) // stride
    for i in range(stride):
        tables.phase_column[i] = conv.tap_column[0] + i
    conv.planes.phases = stride
    conv.planes.phase_column = tables.phase_column


cdef inline void find_phases(Conv* conv, Tables* tables) noexcept nogil:
    cdef Py_ssize_t i, j, last, phases = 0
    for i in range(conv.tap_columns):
        tables.phase[i] = -1
    for i in range(conv.tap_columns):
        if tables.phase[i] >= 0:
            continue
        last = i
        for j in range(i, conv.tap_columns):
            if follows(conv, last, j):
                tables.phase[j] = phases
                tables.shift[j] = (conv.tap_column[j] - conv.tap_column[i]) // conv.planes.stride_w
                last = j
        tables.phase_column[phases] = conv.tap_column[i]
        phases += 1
    conv.planes.phases = phases
    conv.planes.phase_column = tables.phase_column


cdef inline void fill_tables(Conv* conv, Tables* tables) noexcept nogil:
    cdef Py_ssize_t c, i, j, k = 0
    if see_all_phases(conv):
        find_all_phases(conv, tables)
    else:
        find_phases(conv, tables)
    find_slots(conv, tables)
    if conv.direct:
        conv.planes.channel = conv.planes.x_channel
    else:
        size_planes(conv)
    for c in range(conv.block_channels):
        for i in range(conv.tap_rows):
            for j in range(conv.tap_columns):
                tables.offset[k] = (c * conv.planes.channel + tables.phase[j] * conv.planes.plane
                                    + tables.slot[i] * conv.planes.pitch + tables.shift[j])
                tables.narrow_offset[k] = k * conv.tile_vectors * VL
                k += 1
    for i in range(k):          # evenly
        j = i * GEMM_MR * conv.tile_vectors // k
        tables.later_offset[i] = j // conv.tile_vectors * conv.y_channel + j % conv.tile_vectors * VL
    conv.later_offset = tables.later_offset
    conv.offset, conv.narrow_offset = tables.offset, tables.narrow_offset

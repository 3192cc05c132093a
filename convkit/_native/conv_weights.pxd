# Weights packed for the core convolution: panels of GEMM_MR output channels, [channel][tap][output] in each, block of K
# after block of K.
from convkit._native.arith cimport elements
from convkit._native.copies cimport copy_run
from convkit._native.simd cimport (GEMM_MR, VL, panel_load, panel_store, real, vec, vec_interleave, vec_load, vec_load_part,
                                   vec_store)


cdef struct Weights:            # as they are given, and how they are packed
    const real* first
    Py_ssize_t outputs, channels, taps                      # of a group
    Py_ssize_t group, channel                               # strides in elements
    Py_ssize_t* row                                         # offset of each output channel
    Py_ssize_t* tap                                         # offset of each tap
    bint in_lines                                           # channels and taps lie side by side
    bint side_by_side                                       # output channels do
    bint by_panels                                          # output channels are further apart than channels
    Py_ssize_t panels, block_channels
    Py_ssize_t part_channels, parts                         # of a unit of work; of all channels
    real* packed


cdef inline void find_weights(Weights* weights, const real[:, :, :, :, :, :, :] weight_goppckk,
                              const Py_ssize_t[:, ::1] kernel_index) noexcept nogil:
    # Fills the tables of offsets.
    cdef Py_ssize_t i, phase_columns = weight_goppckk.shape[3], phases = weight_goppckk.shape[2] * phase_columns
    for i in range(weights.outputs):
        weights.row[i] = i // phases * elements(weight_goppckk.strides[1]) \
            + i % phases // phase_columns * elements(weight_goppckk.strides[2]) \
            + i % phase_columns * elements(weight_goppckk.strides[3])
    for i in range(weights.taps):
        weights.tap[i] = kernel_index[0, i] * elements(weight_goppckk.strides[5]) \
            + kernel_index[1, i] * elements(weight_goppckk.strides[6])
    weights.group, weights.channel = elements(weight_goppckk.strides[0]), elements(weight_goppckk.strides[4])
    weights.in_lines = weights.channels == 1 or weights.channel == weights.taps
    for i in range(weights.taps):
        weights.in_lines = weights.in_lines and weights.tap[i] == i
    weights.side_by_side = True
    for i in range(weights.outputs):
        weights.side_by_side = weights.side_by_side and weights.row[i] == i
    weights.by_panels = weights.in_lines or elements(weight_goppckk.strides[1]) >= weights.channel


cdef inline void pack_lines(const real* source, const Py_ssize_t* row, Py_ssize_t n, real* to) noexcept nogil:
    cdef vec v[GEMM_MR]
    cdef real rest[GEMM_MR * VL]
    cdef Py_ssize_t k = 0
    cdef int i
    while k < n:
        for i in range(GEMM_MR):
            v[i] = vec_load(source + row[i] + k) if k + VL <= n else vec_load_part(source + row[i] + k, n - k)
        vec_interleave(v, GEMM_MR)
        for i in range(GEMM_MR):
            vec_store((to if k + VL <= n else rest) + i * VL, v[i])
        if k + VL > n:
            copy_run(to, rest, (n - k) * GEMM_MR)
        to += GEMM_MR * VL
        k += VL


cdef inline void pack_side_by_side(const Weights* weights, const real* source, Py_ssize_t channels,
                                   real* to) noexcept nogil:
    cdef Py_ssize_t _, t
    for _ in range(channels):
        for t in range(weights.taps):
            panel_store(to, panel_load(source + weights.tap[t]))
            to += GEMM_MR
        source += weights.channel


cdef inline void pack_singly(const Weights* weights, const real* source, const Py_ssize_t* row, Py_ssize_t rows,
                             Py_ssize_t channels, real* to) noexcept nogil:
    cdef Py_ssize_t _, t, i
    for _ in range(channels):
        for t in range(weights.taps):
            for i in range(rows):
                to[i] = source[row[i] + weights.tap[t]]
            to += rows
        source += weights.channel


cdef inline void pack_panel(const Weights* weights, Py_ssize_t group, Py_ssize_t panel, Py_ssize_t c,
                            Py_ssize_t channels) noexcept nogil:
    # [channel][tap][output], in as many blocks of K as the channels lie in.
    cdef Py_ssize_t first = panel * GEMM_MR, rows = min(<Py_ssize_t>GEMM_MR, weights.outputs - first), end = c + channels
    cdef Py_ssize_t inside, depth
    cdef const Py_ssize_t* row = weights.row + first
    cdef const real* source
    cdef real* to
    while c < end:
        inside = c % weights.block_channels
        depth = min(weights.block_channels, weights.channels - (c - inside))
        channels = min(depth - inside, end - c)
        source = weights.first + group * weights.group + c * weights.channel
        to = weights.packed + weights.taps * (
            (group * weights.channels + c - inside) * weights.outputs + first * depth + inside * rows)
        if rows == GEMM_MR and weights.in_lines:
            pack_lines(source, row, channels * weights.taps, to)
        elif rows == GEMM_MR and weights.side_by_side:
            pack_side_by_side(weights, source + first, channels, to)
        elif rows == GEMM_MR:
            pack_singly(weights, source, row, GEMM_MR, channels, to)
        else:
            pack_singly(weights, source, row, rows, channels, to)
        c += channels

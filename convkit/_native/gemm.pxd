# The register tile of the implicit GEMM: MR output channels × NV vectors of output pixels, kept in registers.
from convkit._native.simd cimport VL, prefetch, real, vec, vec_load, vec_set, vec_store


cdef enum:
    AHEAD = 160     # rows of a weight panel: those of large layers come from beyond the L2 cache


cdef struct Tile:
    # One pixel tile against a run of weight panels:  y = addend + weight panel · pixel panel.
    # `addend` is the bias (one broadcast vector a row) for the first block of K, y itself for later ones.
    Py_ssize_t panels
    Py_ssize_t depth
    const real* weights         # [panel][depth][MR]
    const real* pixels          # [depth][NV * VL]
    real* y
    Py_ssize_t y_row
    const real* addend
    Py_ssize_t addend_row
    Py_ssize_t addend_vector    # VL, or 0 where one vector serves the row
    Py_ssize_t weights_panel    # from one panel to the next: a block of K is a part of a panel's own K


cdef inline void multiply(const int MR, const int NV, const Tile* tile) noexcept nogil:
    # MR ≤ 8 and NV ≤ 3 are constants once inlined. The panel loop lives in here because gcc unrolls the loops over
    # `acc` early enough to keep it in registers only where they are nested in another loop.
    cdef vec acc[24]
    cdef vec x[3]
    cdef vec w
    cdef const real* weights = tile.weights
    cdef const real* pixels
    cdef const real* addend = tile.addend
    cdef real* y = tile.y
    cdef Py_ssize_t _, k
    cdef int i, j
    for _ in range(tile.panels):
        for i in range(MR):
            for j in range(NV):
                acc[i * NV + j] = vec_set(0)
        pixels = tile.pixels
        for k in range(tile.depth):
            for j in range(NV):
                x[j] = vec_load(pixels + j * VL)
            prefetch(weights + (k + AHEAD) * MR)
            for i in range(MR):
                w = vec_set(weights[k * MR + i])
                for j in range(NV):
                    acc[i * NV + j] = acc[i * NV + j] + w * x[j]
            pixels += NV * VL
        for i in range(MR):
            for j in range(NV):
                vec_store(y + i * tile.y_row + j * VL,
                          vec_load(addend + i * tile.addend_row + j * tile.addend_vector) + acc[i * NV + j])
        weights += tile.weights_panel
        addend += MR * tile.addend_row
        y += MR * tile.y_row

# The register tile of the implicit GEMM: MR output channels × NV vectors of output pixels, kept in registers.
from convkit._native.simd cimport (GEMM_MR, VL, panel_load, panel_set, panel_store, panel_vec, prefetch, prefetch_far, real,
                                   vec, vec_load, vec_set, vec_store)


cdef enum:
    AHEAD = 160     # rows of a weight panel: those of large layers come from beyond the L2 cache
    PACKED = 0
    OFFSETS = 1
    FAR = 2


cdef struct Tile:
    # One pixel tile against a run of weight panels:  y = addend + weight panel · pixel panel.
    # `addend` is the bias (one broadcast vector a row) for the first block of K, y itself for later ones.
    Py_ssize_t panels
    Py_ssize_t depth
    const real* weights         # [panel][depth][MR]
    const real* pixels          # [depth][NV * VL], or `offset` apart
    const Py_ssize_t* offset    # of each row of pixels
    real* y
    Py_ssize_t y_row
    const real* addend
    Py_ssize_t addend_row
    Py_ssize_t addend_vector    # VL, or 0 where one vector serves the row
    Py_ssize_t weights_panel    # from one panel to the next: a block of K is a part of a panel's own K


cdef inline void multiply(const int MR, const int NV, const int ROWS, const Tile* tile) noexcept nogil:
    # All but `tile` are constants once inlined; MR and NV at most 8. ROWS is where the pixels of each k are: PACKED one
    # after another, at OFFSETS, or FAR apart at offsets, where each panel asks for a part of the tile after the next.
    # The panel loop lives in here because gcc unrolls the loops over `acc` early enough to keep it in registers only
    # where they are nested in another loop.
    cdef vec acc[24]
    cdef vec x[8]
    cdef vec w[8]
    cdef const real* weights = tile.weights
    cdef const real* pixels
    cdef const real* addend = tile.addend
    cdef real* y = tile.y
    cdef Py_ssize_t y_row = tile.y_row, addend_row = tile.addend_row, addend_vector = tile.addend_vector
    cdef Py_ssize_t _, k, later
    cdef int i, j
    for _ in range(tile.panels):
        for i in range(MR):
            for j in range(NV):
                acc[i * NV + j] = vec_set(0)
        later = (2 * NV + _ % NV) * VL
        for k in range(tile.depth):
            pixels = tile.pixels + (k * NV * VL if ROWS == PACKED else tile.offset[k])
            prefetch(weights + (k + AHEAD) * MR)
            if ROWS == FAR:
                prefetch_far(pixels + later)
            if MR < NV:         # the fewer of the two stay in registers
                for i in range(MR):
                    w[i] = vec_set(weights[k * MR + i])
                for j in range(NV):
                    x[0] = vec_load(pixels + j * VL)
                    for i in range(MR):
                        acc[i * NV + j] = acc[i * NV + j] + w[i] * x[0]
            else:
                for j in range(NV):
                    x[j] = vec_load(pixels + j * VL)
                for i in range(MR):
                    w[0] = vec_set(weights[k * MR + i])
                    for j in range(NV):
                        acc[i * NV + j] = acc[i * NV + j] + w[0] * x[j]
        for i in range(MR):
            for j in range(NV):
                vec_store(y + j * VL, vec_load(addend + j * addend_vector) + acc[i * NV + j])
            addend += addend_row
            y += y_row
        weights += tile.weights_panel


cdef inline void multiply_few(const int PANELS, const int TILES, Tile* tile) noexcept nogil:
    # `multiply` of the first TILES pixels of one vector, for panels of GEMM_MR rows: its lanes are the rows, its sums the
    # same. PANELS at a time, to hide the latency of additions; `tile` is moved past those that were multiplied.
    cdef panel_vec acc[8]
    cdef panel_vec w
    cdef real sums[8]
    cdef Py_ssize_t _, k
    cdef int i, j, p
    for _ in range(tile.panels // PANELS):
        for i in range(PANELS * TILES):
            acc[i] = panel_set(0)
        for k in range(tile.depth):
            for p in range(PANELS):
                w = panel_load(tile.weights + p * tile.weights_panel + k * GEMM_MR)
                for j in range(TILES):
                    acc[p * TILES + j] = acc[p * TILES + j] + w * panel_set(tile.pixels[k * VL + j])
        for p in range(PANELS):
            for j in range(TILES):
                panel_store(sums, acc[p * TILES + j])
                for i in range(GEMM_MR):
                    tile.y[i * tile.y_row + j] = tile.addend[i * tile.addend_row + j] + sums[i]
            tile.y += GEMM_MR * tile.y_row
            tile.addend += GEMM_MR * tile.addend_row
        tile.weights += PANELS * tile.weights_panel
    tile.panels %= PANELS

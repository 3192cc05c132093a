# The products of Winograd's convolution: for one position, panels of output channels × vectors of tiles.
from convkit._native.simd cimport (GEMM_MR, VL, panel_load, panel_set, panel_store, panel_vec, prefetch, real, vec,
                                   vec_load, vec_set, vec_store)


cdef struct Products:
    Py_ssize_t panels           # those that are left: the functions below move all but `pixels` past what they multiplied
    Py_ssize_t depth            # channels
    const real* weights         # [panel][channel][GEMM_MR]
    const real* next_weights    # what is multiplied after the last panel: asked for in time
    const real* pixels          # [channel][tile]
    real* y                     # [panel][GEMM_MR][tile]
    Py_ssize_t pixels_tile      # of few tiles, which have the last axis first: elements from one to the next
    Py_ssize_t y_tile


cdef inline void multiply_panels(const int PANELS, const int NV, const bint first, Products* at) noexcept nogil:
    # PANELS at a time, with NV vectors of tiles; the sums of `first` channels are stored, those of others added.
    # PANELS · GEMM_MR · NV ≤ 24. The panel loop lives in here because gcc unrolls the loops over `acc` early enough to
    # keep it in registers only where they are nested in another loop.
    cdef vec acc[24]
    cdef vec x[3]
    cdef vec w
    cdef const real* weights
    cdef const real* pixels
    cdef const real* ahead
    cdef real* y = at.y
    cdef Py_ssize_t panel = at.depth * GEMM_MR, depth = at.depth, _, k
    cdef int i, j, p
    for _ in range(at.panels // PANELS):
        weights = at.weights
        pixels = at.pixels
        at.weights += PANELS * panel
        at.panels -= PANELS
        ahead = at.weights if at.panels > 0 else at.next_weights
        for i in range(PANELS * GEMM_MR):
            for j in range(NV):
                acc[i * NV + j] = vec_set(0)
        for k in range(depth):
            for j in range(NV):
                x[j] = vec_load(pixels + j * VL)
            for p in range(PANELS):
                prefetch(ahead + p * panel + k * GEMM_MR)
                for i in range(GEMM_MR):
                    w = vec_set(weights[p * panel + k * GEMM_MR + i])
                    for j in range(NV):
                        acc[(p * GEMM_MR + i) * NV + j] = acc[(p * GEMM_MR + i) * NV + j] + w * x[j]
            pixels += NV * VL
        for i in range(PANELS * GEMM_MR):
            for j in range(NV):
                vec_store(y + j * VL, acc[i * NV + j] if first else vec_load(y + j * VL) + acc[i * NV + j])
            y += NV * VL
    at.y = y


cdef inline void multiply_few(const int PANELS, const int TILES, const bint first, Products* at) noexcept nogil:
    # The same sums for TILES tiles that fill no vector: the lanes are the rows of a panel. PANELS at a time, to hide the
    # latency of additions.
    cdef panel_vec acc[8]
    cdef panel_vec w
    cdef real* y
    cdef Py_ssize_t panel = at.depth * GEMM_MR, _, k
    cdef int i, j, p
    for _ in range(at.panels // PANELS):
        for i in range(PANELS * TILES):
            acc[i] = panel_set(0)
        for k in range(at.depth):
            for p in range(PANELS):
                w = panel_load(at.weights + p * panel + k * GEMM_MR)
                for j in range(TILES):
                    acc[p * TILES + j] = acc[p * TILES + j] + w * panel_set(at.pixels[j * at.pixels_tile + k])
        for p in range(PANELS):
            for j in range(TILES):
                y = at.y + j * at.y_tile + p * GEMM_MR
                panel_store(y, acc[p * TILES + j] if first else panel_load(y) + acc[p * TILES + j])
        at.y += PANELS * GEMM_MR
        at.weights += PANELS * panel
    at.panels %= PANELS

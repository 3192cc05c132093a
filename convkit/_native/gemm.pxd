# The register tile of the implicit GEMM: MR output channels × NV vectors of output pixels, kept in registers.
from convkit._native.simd cimport (GEMM_MR, LINE, VL, prefetch, prefetch_far, prefetch_write, real, vec, vec_load, vec_set,
                                   vec_store)


cdef enum:
    LINE_BYTES = 64
    AHEAD = 160     # rows of a weight panel: those of large layers come from beyond the L2 cache
    TILES_AHEAD = 2  # of few products each, whose lines are asked for: one takes less time than memory


cdef struct Tile:
    # y = addend + weight panel · pixel panel, several times: one tile of pixels against a run of weight panels, or one
    # panel against a run of tiles.
    # `addend` is the bias (one broadcast vector a row) for the first block of K, y itself for later ones.
    Py_ssize_t count
    Py_ssize_t depth
    const real* weights         # [depth][MR]
    const real* pixels          # NV vectors at each of `depth` offsets
    const Py_ssize_t* offset
    real* y
    Py_ssize_t y_row
    const real* addend
    Py_ssize_t addend_row
    Py_ssize_t addend_vector    # VL, or 0 where one vector serves the row
    bint from_memory, to_memory  # where its pixels come from, and its sums go to: not a cache
    const real* later           # what a large tile asks for meanwhile: a line for each k
    const Py_ssize_t* later_offset
    Py_ssize_t weights_step     # from one time to the next
    Py_ssize_t pixels_step
    Py_ssize_t y_step
    Py_ssize_t addend_step
    Py_ssize_t later_step


cdef inline void ask_for_pixels(const int FAR, const real* pixels, Py_ssize_t farther) noexcept nogil:
    cdef int j
    if FAR and GEMM_MR > 4:
        for j in range(FAR):
            prefetch_far(pixels + j * VL)
    elif FAR:
        prefetch(pixels)
        prefetch(pixels + farther)


cdef inline void add_products(const int MR, const int NV, const real* weights, const real* pixels,
                              vec* acc) noexcept nogil:
    # The fewer of the two stay in registers.
    cdef vec x[8]
    cdef vec w[8]
    cdef int i, j
    if MR < NV:
        for i in range(MR):
            w[i] = vec_set(weights[i])
        for j in range(NV):
            x[0] = vec_load(pixels + j * VL)
            for i in range(MR):
                acc[i * NV + j] = acc[i * NV + j] + w[i] * x[0]
    else:
        for j in range(NV):
            x[j] = vec_load(pixels + j * VL)
        for i in range(MR):
            w[0] = vec_set(weights[i])
            for j in range(NV):
                acc[i * NV + j] = acc[i * NV + j] + w[0] * x[j]


cdef inline void multiply(const int MR, const int NV, const int FAR, const Tile* tile) noexcept nogil:
    # All but `tile` are constants once inlined; MR and NV at most 8. Where offsets lie far apart, each time asks for FAR
    # lines of the tile after the next; where tiles are small for one of the next, or for both of the one after it from
    # memory. A small one asks for the lines that later ones store before it sums, as does one of few products into
    # memory, a large one meanwhile, and for weights too. It goes by twos: whatever is asked for takes a load's place, and
    # a line holds the weights of two. Small ones would need more registers than there are. The outer loop lives in here
    # because gcc unrolls the loops over `acc` early enough to keep it in registers only where they are nested in another.
    cdef vec acc[24]
    cdef const real* weights = tile.weights
    cdef const real* tile_pixels = tile.pixels
    cdef const real* pixels
    cdef const real* addend = tile.addend
    cdef const real* addends
    cdef real* y = tile.y
    cdef real* row
    cdef Py_ssize_t y_row = tile.y_row, addend_row = tile.addend_row, addend_vector = tile.addend_vector
    cdef Py_ssize_t y_step = tile.y_step
    cdef const real* later = tile.later
    cdef const Py_ssize_t* offset = tile.offset
    cdef const Py_ssize_t* later_offset = tile.later_offset
    cdef Py_ssize_t depth = tile.depth, paired = depth // 2 * 2 if GEMM_MR > 4 else 0
    cdef Py_ssize_t _, k, far, farther = 0
    cdef int i, j
    for _ in range(tile.count):
        for i in range(MR):
            for j in range(NV):
                acc[i * NV + j] = vec_set(0)
        if GEMM_MR > 4:
            far = (2 * NV + _ % (NV + 1 - FAR)) * VL
            if tile.to_memory and tile.depth < MR * (NV + 1):
                for i in range(MR):
                    for j in range(NV):
                        prefetch_write(y + TILES_AHEAD * y_step + i * y_row + j * VL)
                    prefetch_write(y + TILES_AHEAD * y_step + i * y_row + NV * VL - 1)
        else:
            far = 2 * NV * VL if tile.from_memory else NV * VL + _ % 2 * LINE
            farther = far + LINE if tile.from_memory else 0
            for i in range(MR):
                prefetch_write(y + TILES_AHEAD * y_step + i * y_row)
                prefetch_write(y + TILES_AHEAD * y_step + i * y_row + NV * VL - 1)
        for k in range(0, paired, 2):
            prefetch(weights + (k + AHEAD) * MR)
            if MR * sizeof(real) > LINE_BYTES // 2:
                prefetch(weights + (k + 1 + AHEAD) * MR)
            prefetch(later + later_offset[k])
            pixels = tile_pixels + offset[k]
            ask_for_pixels(FAR, pixels + far, farther - far)
            add_products(MR, NV, weights + k * MR, pixels, acc)
            pixels = tile_pixels + offset[k + 1]
            ask_for_pixels(FAR, pixels + far, farther - far)
            add_products(MR, NV, weights + (k + 1) * MR, pixels, acc)
        for k in range(paired, depth):
            pixels = tile_pixels + offset[k]
            ask_for_pixels(FAR, pixels + far, farther - far)
            add_products(MR, NV, weights + k * MR, pixels, acc)
        row, addends = y, addend
        for i in range(MR):
            for j in range(NV):
                vec_store(row + j * VL, vec_load(addends + j * addend_vector) + acc[i * NV + j])
            addends += addend_row
            row += y_row
        weights += tile.weights_step
        tile_pixels += tile.pixels_step
        y += tile.y_step
        addend += tile.addend_step
        later += tile.later_step

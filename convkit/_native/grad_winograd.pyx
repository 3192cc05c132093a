"""The gradient of a 3×3 convolution without stride by its weights, by Winograd's algorithm: 36/16 products for each
output pixel and weight of a channel instead of 9.

It is the transpose of F(4×4, 3×3) (`winograd_tile.pxd`), which is bilinear. With 4×4 pixels g of the output's gradient
and the 6×6 input pixels d under them,

    dw = Gᵀ [ Σ (A g Aᵀ) ⊙ (Bᵀ d B) ] G          summed over the tiles of all images

so that the products at a position of the transformed tiles are a GEMM whose inner dimension is the tiles. Its register
tile is GEMM_MR output channels, broadcast, by vectors of input channels.

The tiles are cut into chunks. Some chunks at a time are transformed, by all threads together, into one scratch: pixels
are transposed, so that channels lie side by side (borders are resolved there, and nowhere else), then no transform needs
a shuffle. Units of work multiply them, each a part of the outputs × a part of the channels × a share of the positions,
while the next chunks are transformed into another scratch: threads that share a processor seldom wait for each other.
Sums wait in scratch from one time to the next, and are transformed at the end. A dilated convolution is several without:
each row phase is a map of its own, column phases take turns in a line.

The chunks depend on the sizes alone, and every weight is summed by one thread, chunk after chunk: no bit depends on
the number of threads, on parts and shares, or on how many chunks are transformed at a time.
"""
from cython.parallel cimport prange, threadid
from libc.string cimport memset

from convkit._native.arith cimport ceil_div, elements, even_parts
from convkit._native.border cimport BORDER_CONSTANT, border_index
from convkit._native.simd cimport (GEMM_MR, GEMM_NV, LINE, VL, prefetch, real, scratch_alloc, scratch_free, vec, vec_load,
                                   vec_load_part, vec_set, vec_store, vec_store_part, vec_transpose)
from convkit._native.winograd_tile cimport ROOT_HALF, ROOT_TWO, forward

VECTOR_LANES = VL               # elements of a vector, for who chooses between kernels

cdef enum:
    TILE = 4                    # the side of a tile of outputs
    POINTS = 6                  # and of a transformed one
    POSITIONS = 36
    DEPTH = 64                  # tiles of a chunk, at most where a line of them is no longer
    WIDE = 16                   # tiles of a line
    MOST_CHANNELS = 64          # of a part, of inputs and of outputs: its sums stay in the L2 cache
    MOST_WAITING = 160          # of a block, where sums of all its parts wait
    TILES_BYTES = 2 << 20       # of transformed tiles, which threads share


cdef struct Source:             # what tiles are cut from: the input, or the output's gradient
    const real* pixels
    Py_ssize_t image, channel, row              # strides in elements: columns lie side by side
    Py_ssize_t height, width
    Py_ssize_t before_h, before_w               # padding
    Py_ssize_t end_h, end_w                     # rows and columns, with the padding before, that take part
    Py_ssize_t beyond                           # pixels that a line of tiles has beyond TILE for each
    int border
    real cval
    Py_ssize_t block, part, parts               # channels of a block, and of a part; parts of a block
    Py_ssize_t pitch, position                  # of transformed tiles: from tile to tile, from position to position
    real* tiles                                 # [chunk][part][position][tile][channel]


cdef struct Grad:
    Py_ssize_t images, groups, channels, outputs        # channels and outputs of a group
    Py_ssize_t dilation_h, dilation_w
    Py_ssize_t down, across                             # tiles of a row phase; of all column phases together, as one
    Py_ssize_t chunk_maps, chunk_rows, chunk_columns    # maps: images × row phases
    Py_ssize_t chunks, together, steps                  # in all; that are transformed together; how many times
    Source x, g
    real* y
    Py_ssize_t shares                                   # of the positions
    real* sums                                          # [part, or thread where none waits][position][output][channel]
    Py_ssize_t position                                 # of sums: from one to the next
    real* pixels                                        # [thread][line][column][channel] of a vector of channels
    Py_ssize_t pixels_size


cdef struct Chunk:
    Py_ssize_t map, maps, row, rows, column, columns


cdef struct Step:               # some chunks of a block
    Py_ssize_t group, output, outputs, channel, channels
    Py_ssize_t first, chunks
    Py_ssize_t buffer           # of transformed tiles, 0 or 1


cdef struct Part:               # of a block
    Py_ssize_t output, outputs, channel, channels
    real* sums


cdef struct Products:           # of one position
    Py_ssize_t outputs, depth
    const real* u
    Py_ssize_t u_pitch
    const real* v
    Py_ssize_t v_pitch
    real* sums
    bint first                  # nothing has been summed yet


# ---- pixels --------------------------------------------------------------------------------------------

cdef void fill(real* to, real x, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        vec_store(to + i * VL, vec_set(x))


cdef void transpose_run(const real* x, Py_ssize_t channel, Py_ssize_t channels, Py_ssize_t n, Py_ssize_t ahead,
                        real* to) noexcept nogil:
    # n pixels side by side, of at most VL channels; the last channel stands for those that are not there. Those `ahead`
    # are asked for.
    cdef vec v[16]
    cdef Py_ssize_t p = 0
    cdef int i
    while p < n:
        if p + VL > n >= VL:    # some pixels once more
            p = n - VL
        for i in range(VL):
            prefetch(x + min(<Py_ssize_t>i, channels - 1) * channel + p + ahead)
            if n >= VL:
                v[i] = vec_load(x + min(<Py_ssize_t>i, channels - 1) * channel + p)
            else:
                v[i] = vec_load_part(x + min(<Py_ssize_t>i, channels - 1) * channel + p, n)
        vec_transpose(v)
        for i in range(VL):
            if i < n:
                vec_store(to + (p + i) * VL, v[i])
        p += VL


cdef void lay_pixel(const Source* source, const real* row, Py_ssize_t channels, Py_ssize_t column, real* to) noexcept nogil:
    # A pixel of the border.
    cdef Py_ssize_t inside = border_index(column, source.width, source.border), i
    if inside < 0:
        fill(to, source.cval, 1)
        return
    for i in range(VL):
        to[i] = row[min(i, channels - 1) * source.channel + inside]


cdef void lay_row(const Source* source, const real* row, Py_ssize_t channels, Py_ssize_t first, Py_ssize_t n,
                  real* to) noexcept nogil:
    # n pixels from column `first` on, wherever they lie.
    cdef Py_ssize_t begin = min(n, max(-first, <Py_ssize_t>0)), i
    cdef Py_ssize_t end = max(begin, min(n, source.width - first))
    for i in range(begin):
        lay_pixel(source, row, channels, first + i, to + i * VL)
    transpose_run(row + first + begin, source.channel, channels, end - begin, source.row,
                  to + begin * VL)
    for i in range(end, n):
        lay_pixel(source, row, channels, first + i, to + i * VL)


cdef void lay_pixels(const Grad* grad, const Source* source, const Chunk* chunk, const real* image, Py_ssize_t phase,
                     Py_ssize_t channels, real* to) noexcept nogil:
    # The pixels under a chunk of a map; zeros where no output sees any.
    cdef Py_ssize_t length = (TILE * chunk.columns + source.beyond) * grad.dilation_w
    cdef Py_ssize_t first = TILE * chunk.column * grad.dilation_w
    cdef Py_ssize_t n = min(length, source.end_w - first), i, row, inside
    for i in range(TILE * chunk.rows + source.beyond):
        row = phase + (TILE * chunk.row + i) * grad.dilation_h
        inside = border_index(row - source.before_h, source.height, source.border)
        if row >= source.end_h:
            fill(to, 0, n)
        elif inside < 0:
            fill(to, source.cval, n)
        else:
            lay_row(source, image + inside * source.row, channels, first - source.before_w, n, to)
        fill(to + n * VL, 0, length - n)
        to += length * VL


# ---- transforms: the lanes are channels ----------------------------------------------------------------

cdef inline void spread(const vec* g, vec* t) noexcept nogil:
    # t = A g
    cdef vec even_half = g[0] + <real>0.5 * g[2], even_two = g[0] + <real>2 * g[2]
    cdef vec odd_half = g[1] + <real>0.5 * g[3], odd_two = g[1] + <real>2 * g[3]
    t[0] = g[0]
    t[1] = even_half + ROOT_HALF * odd_half
    t[2] = even_half - ROOT_HALF * odd_half
    t[3] = even_two + ROOT_TWO * odd_two
    t[4] = even_two - ROOT_TWO * odd_two
    t[5] = g[3]


cdef inline void gather(const vec* s, vec* w) noexcept nogil:
    # w = Gᵀ s
    cdef vec half = <real>(1 / 3.0) * (s[1] + s[2]), two = <real>(1 / 6.0) * (s[3] + s[4])
    w[0] = s[0] - <real>2 * half + two
    w[1] = <real>(1 / 6.0) * ROOT_TWO * (s[3] - s[4]) - <real>(2 / 3.0) * ROOT_HALF * (s[1] - s[2])
    w[2] = s[5] - half + <real>2 * two


cdef inline void transform_line(const bint gradient, const vec* d, vec* t) noexcept nogil:
    if gradient:
        spread(d, t)
    else:
        forward(4, 1, 0, d, t)


cdef inline void transform(const bint gradient, const real* pixels, Py_ssize_t row, Py_ssize_t column, real* to,
                           Py_ssize_t position) noexcept nogil:
    # A tile of pixels, so many elements from row to row and column to column.
    cdef real lines[POSITIONS * VL]
    cdef vec d[6]
    cdef vec t[6]
    cdef int i, j, n = TILE if gradient else POINTS
    for i in range(n):
        for j in range(n):
            d[j] = vec_load(pixels + i * row + j * column)
        transform_line(gradient, d, t)
        for j in range(POINTS):
            vec_store(lines + (j * n + i) * VL, t[j])
    for j in range(POINTS):
        for i in range(n):
            d[i] = vec_load(lines + (j * n + i) * VL)
        transform_line(gradient, d, t)
        for i in range(POINTS):
            vec_store(to + (i * POINTS + j) * position, t[i])


cdef inline void transform_tiles(const bint gradient, const Grad* grad, const Source* source, const Chunk* chunk,
                                 const real* pixels, real* to) noexcept nogil:
    # Those of a map, of one vector of channels.
    cdef Py_ssize_t step = grad.dilation_w * VL, length = (TILE * chunk.columns + source.beyond) * step, i, j, phase
    for i in range(chunk.rows):
        for j in range(chunk.columns):
            for phase in range(grad.dilation_w):
                transform(gradient, pixels + i * TILE * length + j * TILE * step + phase * VL, length, step, to,
                          source.position)
                to += source.pitch


cdef void transform_input(const Grad* grad, const Chunk* chunk, const real* pixels, real* to) noexcept nogil:
    transform_tiles(False, grad, &grad.x, chunk, pixels, to)


cdef void transform_gradient(const Grad* grad, const Chunk* chunk, const real* pixels, real* to) noexcept nogil:
    transform_tiles(True, grad, &grad.g, chunk, pixels, to)


cdef Py_ssize_t find_chunk(const Grad* grad, Py_ssize_t index, Chunk* chunk) noexcept nogil:
    # Chunk number `index`, and its tiles.
    cdef Py_ssize_t down = ceil_div(grad.down, grad.chunk_rows), across = ceil_div(grad.across, grad.chunk_columns)
    chunk.map = index // across // down * grad.chunk_maps
    chunk.row = index // across % down * grad.chunk_rows
    chunk.column = index % across * grad.chunk_columns
    chunk.maps = min(grad.chunk_maps, grad.images * grad.dilation_h - chunk.map)
    chunk.rows = min(grad.chunk_rows, grad.down - chunk.row)
    chunk.columns = min(grad.chunk_columns, grad.across - chunk.column)
    return chunk.maps * chunk.rows * chunk.columns * grad.dilation_w


cdef inline real* part_of(const Grad* grad, const Source* source, const Step* step, Py_ssize_t chunk,
                          Py_ssize_t part) noexcept nogil:
    chunk += step.buffer * grad.together
    return source.tiles + (chunk * source.parts + part) * POSITIONS * source.position


cdef void transform_vector(const Grad* grad, const Step* step, Py_ssize_t unit, Py_ssize_t thread) noexcept nogil:
    # A vector of channels, of input or output, in one chunk.
    cdef Py_ssize_t inputs = ceil_div(step.channels, VL), vectors = inputs + ceil_div(step.outputs, VL)
    cdef Py_ssize_t k = unit // vectors, c = unit % vectors * VL, channels, channel, m, index, tiles
    cdef const Source* source = &grad.x
    cdef const real* pixels
    cdef real* scratch = grad.pixels + thread * grad.pixels_size
    cdef real* to
    cdef Chunk chunk
    channels, channel = step.channels, step.group * grad.channels + step.channel
    if c >= inputs * VL:
        c -= inputs * VL
        source = &grad.g
        channels, channel = step.outputs, step.group * grad.outputs + step.output
    tiles = find_chunk(grad, step.first + k, &chunk) // chunk.maps
    pixels = source.pixels + (channel + c) * source.channel
    to = part_of(grad, source, step, k, c // source.part) + c % source.part
    for m in range(chunk.maps):
        index = chunk.map + m
        lay_pixels(grad, source, &chunk, pixels + index // grad.dilation_h * source.image, index % grad.dilation_h,
                   min(channels - c, <Py_ssize_t>VL), scratch)
        if source == &grad.x:
            transform_input(grad, &chunk, scratch, to)
        else:
            transform_gradient(grad, &chunk, scratch, to)
        to += tiles * source.pitch


# ---- products ------------------------------------------------------------------------------------------

cdef inline void multiply(const int MR, const int NV, const Products* at, Py_ssize_t column) noexcept nogil:
    # NV vectors of channels from `column` on. The loop over outputs lives in here because gcc unrolls the loops over
    # `acc` early enough to keep it in registers only where they are nested in another.
    cdef vec acc[24]
    cdef vec x[3]
    cdef vec w
    cdef const real* u
    cdef const real* v
    cdef real* sums = at.sums + column
    cdef Py_ssize_t u_pitch = at.u_pitch, v_pitch = at.v_pitch, depth = at.depth, o, _
    cdef bint first = at.first
    cdef int i, j
    for o in range(ceil_div(at.outputs, MR)):
        u, v = at.u + o * MR, at.v + column
        for i in range(MR * NV):
            acc[i] = vec_set(0)
        for _ in range(depth):
            for j in range(NV):
                x[j] = vec_load(v + j * VL)
            for i in range(MR):
                w = vec_set(u[i])
                for j in range(NV):
                    acc[i * NV + j] = acc[i * NV + j] + w * x[j]
            u += u_pitch
            v += v_pitch
        for i in range(MR):
            for j in range(NV):
                if first:
                    vec_store(sums + j * VL, acc[i * NV + j])
                else:
                    vec_store(sums + j * VL, vec_load(sums + j * VL) + acc[i * NV + j])
            sums += v_pitch


cdef void multiply_position(const Products* at, Py_ssize_t channels) noexcept nogil:
    # By GEMM_NV vectors of channels, but the last four of three as two and two.
    cdef Py_ssize_t c = 0, left = ceil_div(channels, VL)
    while left > 0:
        if GEMM_NV > 2 and (left == GEMM_NV or left > GEMM_NV + 1):
            multiply(GEMM_MR, GEMM_NV, at, c)
            c += GEMM_NV * VL
            left -= GEMM_NV
        elif left > 1:
            multiply(GEMM_MR, 2, at, c)
            c += 2 * VL
            left -= 2
        else:
            multiply(2 * GEMM_MR, 1, at, c)
            c += VL
            left -= 1


# ---- a part ------------------------------------------------------------------------------------

cdef void write_kernels(const vec* taps, Py_ssize_t channels, real* y) noexcept nogil:
    # [tap][channel] to [channel][tap].
    cdef vec v[16]
    cdef real last[VL]
    cdef Py_ssize_t c, k = 0, count
    cdef int i
    while k < 9:
        count = min(9 - k, <Py_ssize_t>VL)
        if count == 1:
            vec_store(last, taps[k])
            for c in range(channels):
                y[9 * c + k] = last[c]
            return
        for i in range(VL):
            v[i] = taps[k + i] if i < count else vec_set(0)
        vec_transpose(v)
        for i in range(VL):
            if i < channels:
                vec_store_part(y + 9 * i + k, v[i], count)
        k += VL


cdef void write_sums(const Grad* grad, const Step* step, const Part* part, Py_ssize_t first,
                     Py_ssize_t outputs) noexcept nogil:
    # Gᵀ sums G, of some outputs of a part.
    cdef vec s[6]
    cdef vec lines[18]          # [row of the kernel][point]
    cdef vec taps[9]
    cdef Py_ssize_t o, c, place
    cdef int a, b
    for o in range(first, first + outputs):
        place = (step.group * grad.outputs + step.output + part.output + o) * grad.channels + step.channel + part.channel
        c = 0
        while c < part.channels:
            for b in range(POINTS):
                for a in range(POINTS):
                    s[a] = vec_load(part.sums + (a * POINTS + b) * grad.position + o * grad.x.pitch + c)
                gather(s, taps)
                for a in range(3):
                    lines[a * POINTS + b] = taps[a]
            for a in range(3):
                gather(lines + a * POINTS, taps + 3 * a)
            write_kernels(taps, min(part.channels - c, <Py_ssize_t>VL), grad.y + (place + c) * 9)
            c += VL


cdef bint sums_wait(const Grad* grad) noexcept nogil:
    return grad.shares > 1 or grad.together < grad.chunks


cdef bint find_part(const Grad* grad, const Step* step, Py_ssize_t index, Py_ssize_t thread, Part* part) noexcept nogil:
    # Whether it has any weights: a block may be smaller than others.
    part.output = index // grad.x.parts * grad.g.part
    part.channel = index % grad.x.parts * grad.x.part
    part.outputs = min(grad.g.part, step.outputs - part.output)
    part.channels = min(grad.x.part, step.channels - part.channel)
    part.sums = grad.sums + (index if sums_wait(grad) else thread) * POSITIONS * grad.position
    return part.outputs > 0 and part.channels > 0


cdef void multiply_share(const Grad* grad, const Step* step, Py_ssize_t unit, Py_ssize_t thread) noexcept nogil:
    # The products of a part at a share of the positions; where these are all, its weights after the last chunk.
    cdef Py_ssize_t index = unit // grad.shares, share = unit % grad.shares, p, k
    cdef Part part
    cdef Products products
    cdef Chunk chunk
    if not find_part(grad, step, index, thread, &part):
        return
    products.outputs, products.u_pitch, products.v_pitch = part.outputs, grad.g.pitch, grad.x.pitch
    for p in range(share * POSITIONS // grad.shares, (share + 1) * POSITIONS // grad.shares):
        products.sums = part.sums + p * grad.position
        for k in range(step.chunks):
            products.depth, products.first = find_chunk(grad, step.first + k, &chunk), step.first + k == 0
            products.u = part_of(grad, &grad.g, step, k, index // grad.x.parts) + p * grad.g.position
            products.v = part_of(grad, &grad.x, step, k, index % grad.x.parts) + p * grad.x.position
            multiply_position(&products, part.channels)
    if grad.shares == 1 and step.first + step.chunks == grad.chunks:
        write_sums(grad, step, &part, 0, part.outputs)


cdef Py_ssize_t vectors_of(const Step* step) noexcept nogil:
    return step.chunks * (ceil_div(step.channels, VL) + ceil_div(step.outputs, VL))


cdef void run_unit(const Grad* grad, const Step* step, const Step* next_step, Py_ssize_t unit, Py_ssize_t products,
                   Py_ssize_t thread) noexcept nogil:
    # The products of a step, then, smaller ones last, the transforms of the next.
    if unit < products:
        multiply_share(grad, step, unit, thread)
    else:
        transform_vector(grad, next_step, unit - products, thread)


cdef void write_share(const Grad* grad, const Step* step, Py_ssize_t unit) noexcept nogil:
    # The weights of a share of a part's outputs.
    cdef Py_ssize_t share = unit % grad.shares, first
    cdef Part part
    if find_part(grad, step, unit // grad.shares, 0, &part):
        first = share * part.outputs // grad.shares
        write_sums(grad, step, &part, first, (share + 1) * part.outputs // grad.shares - first)


# ---- sizes ---------------------------------------------------------------------------------------------

cdef Py_ssize_t even_vectors(Py_ssize_t n, Py_ssize_t most) noexcept nogil:
    return ceil_div(even_parts(n, most), VL) * VL


cdef void partition(Grad* grad, Py_ssize_t threads) noexcept nogil:
    # The parts of a block, and as many shares of their positions as keep all threads busy.
    cdef Py_ssize_t parts
    grad.g.part, grad.x.part = even_vectors(grad.g.block, MOST_CHANNELS), even_vectors(grad.x.block, MOST_CHANNELS)
    grad.g.parts, grad.x.parts = ceil_div(grad.g.block, grad.g.part), ceil_div(grad.x.block, grad.x.part)
    parts = grad.g.parts * grad.x.parts
    grad.shares = 1
    while grad.shares < POSITIONS and parts * grad.shares < 4 * threads and parts * grad.shares % threads != 0:
        grad.shares += 1


cdef void cut(Grad* grad, Py_ssize_t rows, Py_ssize_t columns) noexcept nogil:
    # Chunks of at most DEPTH tiles, by the sizes of the maps and of the batch alone.
    cdef Py_ssize_t maps = grad.images * grad.dilation_h, tiles
    grad.down = ceil_div(rows, TILE * grad.dilation_h)
    grad.across = ceil_div(columns, TILE * grad.dilation_w)
    grad.chunk_columns = even_parts(grad.across, max(<Py_ssize_t>1, WIDE // grad.dilation_w))
    grad.chunk_rows = even_parts(grad.down, max(<Py_ssize_t>1, DEPTH // (grad.chunk_columns * grad.dilation_w)))
    tiles = grad.chunk_rows * grad.chunk_columns * grad.dilation_w
    grad.chunk_maps = 1
    if grad.chunk_rows == grad.down and grad.chunk_columns == grad.across:
        grad.chunk_maps = even_parts(maps, max(<Py_ssize_t>1, DEPTH // tiles))


cdef Py_ssize_t apart(Py_ssize_t size) noexcept nogil:
    # An odd number of cache lines: what lies so far apart does not share a place in the cache.
    return (ceil_div(size, LINE) | 1) * LINE


cdef void space(Grad* grad) noexcept nogil:
    # Where tiles and sums lie in scratch.
    cdef Py_ssize_t tiles = grad.chunk_maps * grad.chunk_rows * grad.chunk_columns * grad.dilation_w
    cdef Py_ssize_t rows = max(<Py_ssize_t>VL, <Py_ssize_t>(2 * GEMM_MR))
    grad.x.pitch, grad.g.pitch = grad.x.part, ceil_div(grad.g.part, rows) * rows
    grad.x.position, grad.g.position = apart(tiles * grad.x.pitch), apart(tiles * grad.g.pitch)
    grad.position = apart(grad.g.pitch * grad.x.pitch)
    grad.pixels_size = ((TILE * grad.chunk_rows + grad.x.beyond) * (TILE * grad.chunk_columns + grad.x.beyond)
                        * grad.dilation_w * VL)


cdef void plan(Grad* grad, Py_ssize_t threads) noexcept nogil:
    # All chunks together where their tiles are few; else blocks whose sums may wait.
    cut(grad, grad.g.height, grad.g.width)
    grad.chunks = (ceil_div(grad.images * grad.dilation_h, grad.chunk_maps) * ceil_div(grad.down, grad.chunk_rows)
                   * ceil_div(grad.across, grad.chunk_columns))
    grad.x.block, grad.g.block, grad.together = grad.channels, grad.outputs, grad.chunks
    partition(grad, threads)
    space(grad)
    if grad.chunks * chunk_size(grad) * <Py_ssize_t>sizeof(real) <= TILES_BYTES:
        return
    grad.x.block = min(grad.channels, even_vectors(grad.channels, MOST_WAITING))
    grad.g.block = min(grad.outputs, even_vectors(grad.outputs, MOST_WAITING))
    partition(grad, threads)
    space(grad)
    grad.together = min(grad.chunks, max(<Py_ssize_t>1, TILES_BYTES // (chunk_size(grad) * <Py_ssize_t>sizeof(real))))


cdef Py_ssize_t chunk_size(const Grad* grad) noexcept nogil:
    # Elements of a chunk's tiles.
    return POSITIONS * (grad.x.parts * grad.x.position + grad.g.parts * grad.g.position)


cdef Py_ssize_t lay_out(Grad* grad, Py_ssize_t threads, char* at) noexcept nogil:
    # The bytes of the scratch.
    cdef Py_ssize_t chunks = grad.together * min(grad.steps, <Py_ssize_t>2)
    cdef Py_ssize_t sums = grad.x.parts * grad.g.parts if sums_wait(grad) else threads
    grad.x.tiles = <real*>at
    grad.g.tiles = grad.x.tiles + chunks * POSITIONS * grad.x.parts * grad.x.position
    grad.sums = grad.g.tiles + chunks * POSITIONS * grad.g.parts * grad.g.position
    grad.pixels = grad.sums + sums * POSITIONS * grad.position
    return <char*>(grad.pixels + threads * grad.pixels_size) - at


cdef void find_step(const Grad* grad, Py_ssize_t index, Step* step) noexcept nogil:
    cdef Py_ssize_t steps = ceil_div(grad.chunks, grad.together), blocks = ceil_div(grad.channels, grad.x.block)
    cdef Py_ssize_t output_blocks = ceil_div(grad.outputs, grad.g.block)
    step.buffer = index % 2
    step.first = index % steps * grad.together
    step.chunks = min(grad.together, grad.chunks - step.first)
    index //= steps
    step.channel = index % blocks * grad.x.block
    step.channels = min(grad.x.block, grad.channels - step.channel)
    index //= blocks
    step.output = index % output_blocks * grad.g.block
    step.outputs = min(grad.g.block, grad.outputs - step.output)
    step.group = index // output_blocks


cdef void describe(Source* source, const real[:, :, :, :] pixels_bchw) noexcept nogil:
    source.pixels = &pixels_bchw[0, 0, 0, 0]
    source.image, source.channel = elements(pixels_bchw.strides[0]), elements(pixels_bchw.strides[1])
    source.row = elements(pixels_bchw.strides[2])
    source.height, source.width = pixels_bchw.shape[2], pixels_bchw.shape[3]
    source.border = BORDER_CONSTANT


def weight_gradient(const real[:, :, :, :] x_bchw not None, const real[:, :, :, :] g_bchw not None,
                    real[:, :, :, ::1] y_ockk not None, Py_ssize_t groups, (Py_ssize_t, Py_ssize_t) dilation,
                    (Py_ssize_t, Py_ssize_t) before, int border, real cval, int num_threads):
    """Write the gradient by the 3×3 weights of a convolution of `x_bchw` whose output's gradient is `g_bchw`.

    Columns of both lie side by side.
    """
    cdef Grad grad
    cdef Step step, next_step
    cdef Py_ssize_t i, u, products, units
    cdef char* scratch
    memset(&grad, 0, sizeof(Grad))
    grad.images, grad.groups = x_bchw.shape[0], groups
    grad.channels, grad.outputs = x_bchw.shape[1] // groups, g_bchw.shape[1] // groups
    grad.dilation_h, grad.dilation_w = dilation[0], dilation[1]
    grad.y = &y_ockk[0, 0, 0, 0]
    describe(&grad.x, x_bchw)
    describe(&grad.g, g_bchw)
    grad.x.before_h, grad.x.before_w, grad.x.border, grad.x.cval = before[0], before[1], border, cval
    grad.g.end_h, grad.g.end_w = grad.g.height, grad.g.width
    grad.x.beyond = 2
    grad.x.end_h = grad.g.height + grad.x.beyond * grad.dilation_h
    grad.x.end_w = grad.g.width + grad.x.beyond * grad.dilation_w
    plan(&grad, num_threads)
    grad.steps = (grad.groups * ceil_div(grad.outputs, grad.g.block) * ceil_div(grad.channels, grad.x.block)
                  * ceil_div(grad.chunks, grad.together))
    scratch = <char*>scratch_alloc(lay_out(&grad, num_threads, NULL))
    if scratch == NULL:
        raise MemoryError("no memory for the scratch of a weight gradient")
    with nogil:
        lay_out(&grad, num_threads, scratch)
        step.chunks = 0
        for i in range(grad.steps + 1):
            products, units = grad.g.parts * grad.x.parts * grad.shares if i > 0 else 0, 0
            if i < grad.steps:
                find_step(&grad, i, &next_step)
                units = vectors_of(&next_step)
            if num_threads == 1:    # no team: also what a forked child must do
                for u in range(products + units):
                    run_unit(&grad, &step, &next_step, u, products, 0)
            else:
                for u in prange(products + units, num_threads=num_threads, schedule="dynamic"):
                    run_unit(&grad, &step, &next_step, u, products, threadid())
                if grad.shares > 1 and i > 0 and step.first + step.chunks == grad.chunks:
                    for u in prange(products, num_threads=num_threads, schedule="dynamic"):
                        write_share(&grad, &step, u)
            step = next_step
        scratch_free(scratch)

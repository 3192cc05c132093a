"""The gradient of a 3×3 convolution without stride by its weights, by Winograd's algorithm: 36/16 products for each
output pixel and weight of a channel instead of 9.

It is the transpose of F(4×4, 3×3) (`winograd_tile.pxd`), which is bilinear. With 4×4 pixels g of the output's gradient
and the 6×6 input pixels d under them,

    dw = Gᵀ [ Σ (A g Aᵀ) ⊙ (Bᵀ d B) ] G          summed over the tiles of all images

so that the products at a position of the transformed tiles are a GEMM whose inner dimension is the tiles. Its register
tile is GEMM_MR output channels, broadcast, by vectors of input channels.

The tiles are cut into chunks. Pixels of a chunk are transposed, so that channels lie side by side (borders are resolved
there, and nowhere else), then no transform needs a shuffle. A dilated convolution is several without: each row phase is
a map of its own, column phases take turns in a line. Threads meet twice, one of two ways:

- Many tiles: a unit of work is a stretch of chunks × a block of outputs × a block of channels. Its thread transforms
  them chunk by chunk, sums their products in its own scratch and transforms the sums back: a gradient by the weights
  from a part of the tiles. These are added, in the order of the stretches.
- Few tiles, which fit into a cache that threads share: all are transformed, then multiplied. A unit of work is first a
  vector of channels in a chunk, then the weights of a part of the outputs × a part of the channels.

Which way, chunks and stretches depend on the sizes alone, and every weight is summed chunk after chunk: no bit depends
on the number of threads.
"""
from libc.string cimport memset

from convkit._native.arith cimport ceil_div, elements, even_parts
from convkit._native.border cimport BORDER_CONSTANT, border_index
from convkit._native.grad_winograd_products cimport Products, multiply_position
from convkit._native.shares cimport run_units
from convkit._native.simd cimport (GEMM_MR, LINE, VL, prefetch, real, scratch_alloc, scratch_free, vec, vec_load,
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
    MOST_BLOCK = 160            # of a block, whose parts' sums wait for the next chunk
    SHARED_BYTES = 3 << 20      # of transformed tiles that are few; twice as many rather than blocks
    PART_BYTES = 1 << 20        # where one part has all channels: a thread's own tiles need not pass between cores
    UNITS = 16                  # of work, where the tiles are many
    FEWEST_CHUNKS = 4           # of a stretch, where it is not one of two: each writes its sums
    GRADIENTS_BYTES = 4 << 20   # of stretches


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


cdef struct Grad:
    Py_ssize_t images, groups, channels, outputs        # channels and outputs of a group
    Py_ssize_t dilation_h, dilation_w
    Py_ssize_t down, across                             # tiles of a row phase; of all column phases together, as one
    Py_ssize_t chunk_maps, chunk_rows, chunk_columns    # maps: images × row phases
    Py_ssize_t chunks, stretches
    bint shared                                         # the tiles of all chunks and groups
    Py_ssize_t blocks, parts                            # in all; of a block
    Source x, g
    real* y
    Py_ssize_t weights                                  # of all groups
    real* gradients                                     # as y, whose is that of the first stretch
    Py_ssize_t gradient_size
    real* tiles                                         # [group][chunk][x, g][part][position][tile][channel]
    Py_ssize_t chunk_size
    Py_ssize_t position, sums_size, pixels_size         # of a part: from one position to the next; of a thread
    Py_ssize_t shares                                   # of the weights, whose gradients are added


cdef struct Own:                # scratch of a thread
    real* sums                  # [part][position][output][channel]
    real* pixels                # [line][column][channel] of a vector of channels
    real* tiles                 # as those of one chunk, where they are not shared


cdef struct Chunk:
    Py_ssize_t map, maps, row, rows, column, columns


cdef struct Block:
    Py_ssize_t group, output, outputs, channel, channels


cdef struct Part:               # of a block
    Py_ssize_t output, outputs, channel, channels
    Py_ssize_t u, v             # where its outputs and channels lie among the tiles of a chunk
    real* sums


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
    cdef Py_ssize_t maps = grad.images * grad.dilation_h
    cdef Py_ssize_t map_cuts = ceil_div(maps, grad.chunk_maps), cuts = ceil_div(grad.down, grad.chunk_rows)
    cdef Py_ssize_t across = ceil_div(grad.across, grad.chunk_columns), i = index // across
    chunk.column = index % across * grad.chunk_columns
    chunk.columns = min(grad.chunk_columns, grad.across - chunk.column)
    chunk.row = i % cuts * grad.down // cuts
    chunk.rows = (i % cuts + 1) * grad.down // cuts - chunk.row
    chunk.map = i // cuts * maps // map_cuts
    chunk.maps = (i // cuts + 1) * maps // map_cuts - chunk.map
    return chunk.maps * chunk.rows * chunk.columns * grad.dilation_w


cdef inline Own own_scratch(const Grad* grad, char* scratch) noexcept nogil:
    cdef Own own
    own.sums = <real*>scratch
    own.pixels = own.sums + grad.sums_size
    own.tiles = own.pixels + grad.pixels_size
    return own


cdef Py_ssize_t gradient_tiles(const Grad* grad) noexcept nogil:
    # Where those of the output's gradient begin.
    return grad.x.parts * POSITIONS * grad.x.position


cdef void transform_vector(const Grad* grad, const Block* block, Py_ssize_t index, Py_ssize_t vector, real* scratch,
                           real* tiles) noexcept nogil:
    # A vector of channels, of input or output, in one chunk.
    cdef Py_ssize_t inputs = ceil_div(block.channels, VL) * VL, c = vector * VL, channels, channel, m, count
    cdef const Source* source = &grad.x
    cdef const real* pixels
    cdef Chunk chunk
    channels, channel = block.channels, block.group * grad.channels + block.channel
    if c >= inputs:
        c -= inputs
        source = &grad.g
        channels, channel = block.outputs, block.group * grad.outputs + block.output
        tiles += gradient_tiles(grad)
    count = find_chunk(grad, index, &chunk) // chunk.maps
    pixels = source.pixels + (channel + c) * source.channel
    tiles += c // source.part * POSITIONS * source.position + c % source.part
    for m in range(chunk.map, chunk.map + chunk.maps):
        lay_pixels(grad, source, &chunk, pixels + m // grad.dilation_h * source.image, m % grad.dilation_h,
                   min(channels - c, <Py_ssize_t>VL), scratch)
        if source == &grad.x:
            transform_input(grad, &chunk, scratch, tiles)
        else:
            transform_gradient(grad, &chunk, scratch, tiles)
        tiles += count * source.pitch


cdef Py_ssize_t vectors_of(const Block* block) noexcept nogil:
    return ceil_div(block.channels, VL) + ceil_div(block.outputs, VL)


# ---- sums -------------------------------------------------------------------------------------------

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


cdef void write_sums(const Grad* grad, const Block* block, const Part* part, real* y) noexcept nogil:
    # Gᵀ sums G.
    cdef vec s[6]
    cdef vec lines[18]          # [row of the kernel][point]
    cdef vec taps[9]
    cdef Py_ssize_t o, c, place
    cdef int a, b
    for o in range(part.outputs):
        place = ((block.group * grad.outputs + block.output + part.output + o) * grad.channels + block.channel
                 + part.channel)
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
            write_kernels(taps, min(part.channels - c, <Py_ssize_t>VL), y + (place + c) * 9)
            c += VL


cdef bint find_part(const Grad* grad, const Block* block, Py_ssize_t index, Part* part) noexcept nogil:
    # Whether it has any weights: a block may be smaller than others.
    cdef Py_ssize_t output = index // grad.x.parts, channel = index % grad.x.parts
    part.output, part.channel = output * grad.g.part, channel * grad.x.part
    part.outputs = min(grad.g.part, block.outputs - part.output)
    part.channels = min(grad.x.part, block.channels - part.channel)
    part.u = gradient_tiles(grad) + output * POSITIONS * grad.g.position
    part.v = channel * POSITIONS * grad.x.position
    return part.outputs > 0 and part.channels > 0


cdef void multiply_part(const Grad* grad, const Part* part, Py_ssize_t first, Py_ssize_t chunks, const real* tiles,
                        bint begun) noexcept nogil:
    # The products of so many chunks, whose tiles follow one another.
    cdef Py_ssize_t p, k
    cdef Products products
    cdef Chunk chunk
    products.outputs, products.u_pitch, products.v_pitch = part.outputs, grad.g.pitch, grad.x.pitch
    for p in range(POSITIONS):
        products.sums = part.sums + p * grad.position
        for k in range(chunks):
            products.depth, products.first = find_chunk(grad, first + k, &chunk), k == 0 and not begun
            products.u = tiles + k * grad.chunk_size + part.u + p * grad.g.position
            products.v = tiles + k * grad.chunk_size + part.v + p * grad.x.position
            multiply_position(&products, part.channels)


# ---- units of work: many tiles -------------------------------------------------------------------------

cdef void find_block(const Grad* grad, Py_ssize_t index, Block* block) noexcept nogil:
    cdef Py_ssize_t blocks = ceil_div(grad.channels, grad.x.block), output_blocks = ceil_div(grad.outputs, grad.g.block)
    block.channel = index % blocks * grad.x.block
    block.channels = min(grad.x.block, grad.channels - block.channel)
    index //= blocks
    block.output = index % output_blocks * grad.g.block
    block.outputs = min(grad.g.block, grad.outputs - block.output)
    block.group = index // output_blocks


cdef void sum_stretch(const void* work, Py_ssize_t unit, char* scratch) noexcept nogil:
    # The gradient of a block by a stretch.
    cdef const Grad* grad = <const Grad*>work
    cdef Own own = own_scratch(grad, scratch)
    cdef Py_ssize_t stretch = unit % grad.stretches, first = stretch * grad.chunks // grad.stretches, chunk, i
    cdef real* y = grad.y if stretch == 0 else grad.gradients + (stretch - 1) * grad.gradient_size
    cdef Block block
    cdef Part part
    find_block(grad, unit // grad.stretches, &block)
    for chunk in range(first, (stretch + 1) * grad.chunks // grad.stretches):
        for i in range(vectors_of(&block)):
            transform_vector(grad, &block, chunk, i, own.pixels, own.tiles)
        for i in range(grad.parts):
            if find_part(grad, &block, i, &part):
                part.sums = own.sums + i * POSITIONS * grad.position
                multiply_part(grad, &part, chunk, 1, own.tiles, chunk > first)
    for i in range(grad.parts):
        if find_part(grad, &block, i, &part):
            part.sums = own.sums + i * POSITIONS * grad.position
            write_sums(grad, &block, &part, y)


cdef void add_gradients(const void* work, Py_ssize_t share, char* scratch) noexcept nogil:
    # Those of all stretches, at a share of the weights.
    cdef const Grad* grad = <const Grad*>work
    cdef Py_ssize_t vectors = ceil_div(grad.weights, VL), i = share * vectors // grad.shares * VL, stretch, count
    cdef vec sum
    while i < (share + 1) * vectors // grad.shares * VL:
        count = min(grad.weights - i, <Py_ssize_t>VL)
        sum = vec_load_part(grad.y + i, count)
        for stretch in range(grad.stretches - 1):
            sum = sum + vec_load(grad.gradients + stretch * grad.gradient_size + i)
        vec_store_part(grad.y + i, sum, count)
        i += VL


# ---- units of work: few tiles --------------------------------------------------------------------------

cdef void transform_shared(const void* work, Py_ssize_t unit, char* scratch) noexcept nogil:
    cdef const Grad* grad = <const Grad*>work
    cdef Block block
    cdef Py_ssize_t vectors, chunk
    find_block(grad, 0, &block)
    vectors = vectors_of(&block)
    chunk = unit // vectors
    block.group = chunk // grad.chunks
    transform_vector(grad, &block, chunk % grad.chunks, unit % vectors, own_scratch(grad, scratch).pixels,
                     grad.tiles + chunk * grad.chunk_size)


cdef void multiply_shared(const void* work, Py_ssize_t unit, char* scratch) noexcept nogil:
    # The weights of a part.
    cdef const Grad* grad = <const Grad*>work
    cdef Block block
    cdef Part part
    find_block(grad, unit // grad.parts, &block)
    if find_part(grad, &block, unit % grad.parts, &part):
        part.sums = own_scratch(grad, scratch).sums
        multiply_part(grad, &part, 0, grad.chunks, grad.tiles + block.group * grad.chunks * grad.chunk_size, False)
        write_sums(grad, &block, &part, grad.y)


# ---- sizes ---------------------------------------------------------------------------------------------

cdef Py_ssize_t even_vectors(Py_ssize_t n, Py_ssize_t most) noexcept nogil:
    return ceil_div(even_parts(n, most), VL) * VL


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
    grad.chunks = (ceil_div(maps, grad.chunk_maps) * ceil_div(grad.down, grad.chunk_rows)
                   * ceil_div(grad.across, grad.chunk_columns))


cdef Py_ssize_t apart(Py_ssize_t size) noexcept nogil:
    # An odd number of cache lines: what lies so far apart does not share a place in the cache.
    return (ceil_div(size, LINE) | 1) * LINE


cdef void divide(Source* source, Py_ssize_t channels, Py_ssize_t most_block, Py_ssize_t most) noexcept nogil:
    # Into blocks, and those into parts.
    source.block = min(channels, even_vectors(channels, most_block))
    source.part = even_vectors(source.block, most)
    source.parts = ceil_div(source.block, source.part)


cdef void divide_both(Grad* grad, Py_ssize_t most_block, Py_ssize_t most_channels, Py_ssize_t most_outputs) noexcept nogil:
    # And where tiles and sums of parts lie in scratch.
    cdef Py_ssize_t tiles = grad.chunk_maps * grad.chunk_rows * grad.chunk_columns * grad.dilation_w
    cdef Py_ssize_t rows = max(<Py_ssize_t>VL, <Py_ssize_t>(2 * GEMM_MR))
    divide(&grad.x, grad.channels, most_block, most_channels)
    divide(&grad.g, grad.outputs, most_block, most_outputs)
    grad.blocks = grad.groups * ceil_div(grad.outputs, grad.g.block) * ceil_div(grad.channels, grad.x.block)
    grad.parts = grad.x.parts * grad.g.parts
    grad.x.pitch, grad.g.pitch = grad.x.part, ceil_div(grad.g.part, rows) * rows
    grad.x.position, grad.g.position = apart(tiles * grad.x.pitch), apart(tiles * grad.g.pitch)
    grad.position = apart(grad.g.pitch * grad.x.pitch)
    grad.chunk_size = POSITIONS * (grad.x.parts * grad.x.position + grad.g.parts * grad.g.position)


cdef void plan(Grad* grad, Py_ssize_t threads) noexcept nogil:
    cdef Py_ssize_t whole = max(grad.channels, grad.outputs), channels = MOST_CHANNELS, outputs = MOST_CHANNELS
    cdef Py_ssize_t limit = SHARED_BYTES if whole <= MOST_BLOCK else 2 * SHARED_BYTES
    if whole <= MOST_CHANNELS:
        limit = PART_BYTES
    cut(grad, grad.g.height, grad.g.width)
    divide_both(grad, whole, channels, outputs)
    grad.stretches = 1
    grad.shared = grad.groups * grad.chunks * grad.chunk_size * <Py_ssize_t>sizeof(real) <= limit
    while grad.shared and grad.groups * grad.parts < 2 * threads and channels > LINE:    # parts for all threads
        if outputs == channels:
            outputs //= 2
        else:
            channels //= 2
        divide_both(grad, whole, channels, outputs)
    if not grad.shared:
        divide_both(grad, MOST_BLOCK, channels, outputs)
        grad.stretches = max(<Py_ssize_t>(2 if grad.blocks == 1 else 1), grad.chunks // FEWEST_CHUNKS)
        grad.stretches = min(grad.chunks, grad.stretches, ceil_div(UNITS, grad.blocks),
                             1 + GRADIENTS_BYTES // (grad.weights * <Py_ssize_t>sizeof(real)))
    grad.gradient_size = apart(grad.weights)
    grad.sums_size = POSITIONS * grad.position * (1 if grad.shared else grad.parts)
    grad.pixels_size = ((TILE * grad.chunk_rows + grad.x.beyond) * (TILE * grad.chunk_columns + grad.x.beyond)
                        * grad.dilation_w * VL)


cdef Py_ssize_t own_elements(const Grad* grad) noexcept nogil:
    # Of a thread's scratch.
    return ceil_div(grad.sums_size + grad.pixels_size + (0 if grad.shared else grad.chunk_size), LINE) * LINE


cdef Py_ssize_t lay_out(Grad* grad, Py_ssize_t threads, char* at) noexcept nogil:
    # The bytes of the scratch, of which the threads' own is the first.
    grad.tiles = <real*>at + threads * own_elements(grad)
    grad.gradients = grad.tiles + (grad.groups * grad.chunks * grad.chunk_size if grad.shared else 0)
    return <char*>(grad.gradients + (grad.stretches - 1) * grad.gradient_size) - at


# ---- the whole -----------------------------------------------------------------------------------------

cdef void run(const Grad* grad, int threads, char* scratch) noexcept nogil:
    cdef Py_ssize_t own_bytes = own_elements(grad) * sizeof(real)
    cdef Block block
    if grad.shared:
        find_block(grad, 0, &block)
        run_units(transform_shared, grad, grad.groups * grad.chunks * vectors_of(&block), threads, scratch, own_bytes)
        run_units(multiply_shared, grad, grad.groups * grad.parts, threads, scratch, own_bytes)
        return
    run_units(sum_stretch, grad, grad.blocks * grad.stretches, threads, scratch, own_bytes)
    if grad.stretches > 1:
        run_units(add_gradients, grad, grad.shares, threads, scratch, own_bytes)


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
    cdef char* scratch
    memset(&grad, 0, sizeof(Grad))
    grad.images, grad.groups = x_bchw.shape[0], groups
    grad.channels, grad.outputs = x_bchw.shape[1] // groups, g_bchw.shape[1] // groups
    grad.dilation_h, grad.dilation_w = dilation[0], dilation[1]
    grad.y, grad.weights = &y_ockk[0, 0, 0, 0], 9 * groups * grad.outputs * grad.channels
    describe(&grad.x, x_bchw)
    describe(&grad.g, g_bchw)
    grad.x.before_h, grad.x.before_w, grad.x.border, grad.x.cval = before[0], before[1], border, cval
    grad.g.end_h, grad.g.end_w = grad.g.height, grad.g.width
    grad.x.beyond = 2
    grad.x.end_h = grad.g.height + grad.x.beyond * grad.dilation_h
    grad.x.end_w = grad.g.width + grad.x.beyond * grad.dilation_w
    grad.shares = num_threads
    plan(&grad, num_threads)
    scratch = <char*>scratch_alloc(lay_out(&grad, num_threads, NULL))
    if scratch == NULL:
        raise MemoryError("no memory for the scratch of a weight gradient")
    with nogil:
        lay_out(&grad, num_threads, scratch)
        run(&grad, num_threads, scratch)
        scratch_free(scratch)

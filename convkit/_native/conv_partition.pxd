# The core convolution cut into units of work, for the threads and the caches.
from convkit._native.arith cimport ceil_div, even_parts
from convkit._native.border cimport BORDER_CONSTANT
from convkit._native.conv cimport GATHERED_ROWS, Conv, widest
from convkit._native.epilogue cimport adds_in_place
from convkit._native.planes cimport Span, find_span
from convkit._native.simd cimport GEMM_MR, GEMM_NV, PLANES_BYTES, SUMS_BYTES, VL, real

cdef enum:
    CHUNK_ROWS = 512            # output channels of a unit, at most
    BAND_TILES = 9              # of a unit, at least: their weights are read once from L2;
    ROOMY_BAND_TILES = 17       # where it holds their sums too, and enough units are left for the threads
    MOST_COLUMNS = 512          # of a strip
    NEAR_PLANES_BYTES = 40 * 1024   # where few outputs pass over them;
    SHORT_PLANES_BYTES = 128 * 1024     # of short rows, of which more memory in one run is read faster
    SHORT_COLUMNS = 24
    CROWDED_ROWS = 32           # output channels that repay packing where a multiple of so many bytes lies between
    CROWDED_BYTES = 512         # channels: they share 8 sets of the L1 cache, and a tile does not stay there
    LINE_CHANNELS = 48          # of an input that is read where it lies, and along which panels go
    NEAR_BYTES = 40 * 1024      # of the pixels under a row of the output, or under several along which a panel goes at once
    FEW_PRODUCTS = 32           # of an output, which take less time than memory: rows without gaps are one long line
    FEW_OUTPUTS = 64            # to which a row's packing matters more than a gap behind it
    WEIGHTS_COST = 2            # of reading a weight of each row of a panel from memory, in multiplications of a vector


cdef inline bint follows(const Conv* conv, Py_ssize_t last, Py_ssize_t tap) noexcept nogil:
    # Whether two tap columns share a plane: they see columns of the same phase, and some of the same for one output or
    # another.
    cdef Py_ssize_t apart = conv.tap_column[tap] - conv.tap_column[last]
    return apart % conv.planes.stride_w == 0 and apart // conv.planes.stride_w < conv.strip_columns


cdef inline Py_ssize_t extent_columns(const Conv* conv) noexcept nogil:
    # Strides between the first tap column and the last one.
    return (conv.tap_column[conv.tap_columns - 1] - conv.tap_column[0]) // conv.planes.stride_w


cdef inline bint see_all_phases(const Conv* conv) noexcept nogil:
    # Whether the tap columns see every phase, each in one plane: then the planes begin at neighbours, and a row is taken
    # apart in one pass. Where each is seen once, they would lie without gaps otherwise, which many outputs repay of long
    # rows.
    cdef Py_ssize_t i, seen = 0, stride = conv.planes.stride_w, extent = extent_columns(conv)
    cdef bint cheap = conv.outputs <= FEW_OUTPUTS or conv.strip_columns + extent <= VL
    if not (2 <= stride <= 3 and stride <= conv.tap_columns and extent < conv.strip_columns):
        return False
    for i in range(conv.tap_columns):
        seen |= 1 << (conv.tap_column[i] - conv.tap_column[0]) % stride
    return seen == (1 << stride) - 1 and (conv.tap_columns > stride or extent == 0 or cheap)


cdef inline Py_ssize_t find_reach(const Conv* conv) noexcept nogil:
    # Elements of a plane's row beyond its outputs.
    cdef Py_ssize_t i, j, last, reach = 0
    if see_all_phases(conv):
        return extent_columns(conv)
    for i in range(conv.tap_columns):
        last = i
        for j in range(i + 1, conv.tap_columns):
            if follows(conv, last, j):
                last = j
        reach = max(reach, (conv.tap_column[last] - conv.tap_column[i]) // conv.planes.stride_w)
    return reach


cdef inline bint begins_plane(const Conv* conv, Py_ssize_t tap) noexcept nogil:
    # Whether a tap column shares no plane with an earlier one.
    cdef Py_ssize_t i
    for i in range(tap - 1, -1, -1):
        if (conv.tap_column[tap] - conv.tap_column[i]) % conv.planes.stride_w == 0:
            return not follows(conv, i, tap)
    return True


cdef inline Py_ssize_t find_shared(const Conv* conv) noexcept nogil:
    # Constants that the rows of every plane both begin and end with: one row's end may be the next one's beginning.
    cdef Py_ssize_t i, shared = conv.planes.pitch - conv.columns
    cdef Span span
    cdef bint all_phases = see_all_phases(conv)
    if conv.planes.border != BORDER_CONSTANT or conv.strips > 1:
        return 0
    for i in range(conv.planes.stride_w if all_phases else conv.tap_columns):
        if all_phases or begins_plane(conv, i):
            span = find_span(&conv.planes, conv.tap_column[0] + i if all_phases else conv.tap_column[i])
            shared = min(shared, min(span.begin, conv.planes.pitch - span.end))
    return shared


cdef inline void cut(Conv* conv, Py_ssize_t parts, Py_ssize_t chunk_panels) noexcept nogil:
    # Bands of whole rows; the parts of a single row are strips of whole tiles.
    cdef Py_ssize_t tile = conv.tile_vectors * VL
    if conv.rows > 1:
        conv.band_rows = ceil_div(conv.rows, parts)
    else:
        conv.strip_columns = min(conv.columns, ceil_div(ceil_div(conv.columns, parts), tile) * tile)
    conv.bands, conv.strips = ceil_div(conv.rows, conv.band_rows), ceil_div(conv.columns, conv.strip_columns)
    conv.chunk_panels = chunk_panels
    conv.chunks = ceil_div(ceil_div(conv.outputs, GEMM_MR), chunk_panels)


cdef inline double unit_cost(const Conv* conv, Py_ssize_t reach) noexcept nogil:
    # Of the largest unit, in multiplications of a vector by a panel's channel and tap: packing a vector is about one.
    cdef Py_ssize_t pitch = conv.strip_columns + reach, taps = conv.tap_rows * conv.tap_columns
    cdef Py_ssize_t slots = conv.band_rows + (conv.tap_row[conv.tap_rows - 1] - conv.tap_row[0]) // conv.planes.stride_h
    cdef Py_ssize_t gapless = ceil_div(conv.band_rows * conv.strip_columns, VL)
    cdef Py_ssize_t gaps = ceil_div((conv.band_rows - 1) * pitch + conv.strip_columns, VL)
    cdef double multiplied = taps * min(gaps * conv.chunk_panels, gapless * (conv.chunk_panels + 2))
    multiplied += taps * conv.chunk_panels * <double>WEIGHTS_COST
    return multiplied if conv.direct else multiplied + <double>slots * pitch / VL * conv.planes.phases


cdef inline bint repays_packing(const Conv* conv) noexcept nogil:
    # Where tiles may be read from the input itself; blocks of K for many outputs are made for it, however these are cut.
    cdef bint crowded = conv.planes.x_channel * <Py_ssize_t>sizeof(real) % CROWDED_BYTES == 0
    return conv.outputs > GATHERED_ROWS or (crowded and conv.chunk_panels > CROWDED_ROWS // GEMM_MR)


cdef inline void cut_lines(Conv* conv) noexcept nogil:
    # Whether panels go along rows of the output, and how many of these together: their pixels stay near.
    cdef Py_ssize_t tile = conv.tile_vectors * VL, taps = conv.tap_rows * conv.tap_columns
    cdef Py_ssize_t extent = conv.tap_row[conv.tap_rows - 1] - conv.tap_row[0] + 1
    cdef Py_ssize_t pixel_bytes = conv.channels * conv.planes.phases * <Py_ssize_t>sizeof(real)
    cdef Py_ssize_t slab = conv.tap_rows * pixel_bytes * conv.planes.pitch
    cdef bint is_long = conv.columns >= 2 * tile or (conv.in_place and conv.channels * taps <= FEW_PRODUCTS)
    conv.by_lines = (conv.y_column == 1 and not (conv.narrow or adds_in_place(&conv.epilogue))
                     and conv.block_channels == conv.channels and is_long
                     and (conv.channels <= LINE_CHANNELS if conv.direct else slab <= NEAR_BYTES and conv.strips == 1))
    conv.lines = max(<Py_ssize_t>1, (NEAR_BYTES // (pixel_bytes * conv.planes.pitch) - extent) // conv.planes.stride_h + 1)
    conv.piece = conv.strip_columns if conv.direct else max(2 * tile, NEAR_BYTES // pixel_bytes // VL * VL)


cdef inline void partition(Conv* conv, Py_ssize_t images, Py_ssize_t threads) noexcept nogil:
    # The parts that are done first, by all threads, among those that the caches hold: several tiles of a band share
    # weights from the L2 cache, sums and planes stay in it. Of about equal ones the smallest: threads differ in speed.
    cdef Py_ssize_t panels = ceil_div(conv.outputs, GEMM_MR), most_panels, pixels, fewest, most, parts, chunk, units
    cdef Py_ssize_t tile, slab, bytes, reach, best_parts, best_chunk, least
    cdef double cost, best = -1
    conv.tile_vectors = widest(conv.outputs) if conv.outputs < GEMM_MR else GEMM_NV
    tile = conv.tile_vectors * VL
    most_panels = min(panels, <Py_ssize_t>(CHUNK_ROWS // GEMM_MR))
    pixels = SUMS_BYTES // (most_panels * GEMM_MR)
    if not conv.direct:
        slab = conv.block_channels * min(conv.planes.stride_h, conv.tap_rows) * conv.planes.phases
        bytes = PLANES_BYTES
        if conv.near:
            bytes = SHORT_PLANES_BYTES if conv.columns < SHORT_COLUMNS else NEAR_PLANES_BYTES
        pixels = min(pixels, bytes // slab)
    least = 1 if conv.near else ROOMY_BAND_TILES if conv.roomy and images * conv.groups >= threads else BAND_TILES
    pixels = max(pixels // <Py_ssize_t>sizeof(real) // tile, least) * tile
    conv.band_rows, conv.strip_columns = 1, conv.columns
    if conv.columns > max(pixels, <Py_ssize_t>MOST_COLUMNS):
        conv.strip_columns = ceil_div(even_parts(conv.columns, max(pixels, <Py_ssize_t>MOST_COLUMNS)), tile) * tile
    reach = find_reach(conv)
    fewest = ceil_div(conv.rows, max(<Py_ssize_t>1, pixels // (conv.strip_columns + reach)))
    if conv.rows == 1:
        fewest = ceil_div(conv.columns, conv.strip_columns)
    most = max(fewest, conv.rows if conv.rows > 1 else conv.columns)
    best_parts, best_chunk = fewest, most_panels
    for parts in range(fewest, min(fewest + 2 * threads + 8, most + 1)):
        chunk = most_panels
        while chunk > 0:
            cut(conv, parts, chunk)
            units = images * conv.groups * conv.bands * conv.strips * conv.chunks
            cost = ceil_div(units, threads) * unit_cost(conv, reach)
            if best < 0 or cost < 0.98 * best or (cost < best and threads > 1):
                best, best_parts, best_chunk = cost, parts, chunk
            if units >= 4 * threads:
                break
            chunk //= 2
    cut(conv, best_parts, best_chunk)
    reach = find_reach(conv)
    conv.planes.pitch = conv.strip_columns + reach
    conv.planes.shared = find_shared(conv)
    conv.planes.pitch -= conv.planes.shared
    reach -= conv.planes.shared
    conv.narrow = reach * conv.chunk_panels > 2 * conv.strip_columns
    conv.gathered = conv.direct and repays_packing(conv)
    # One run of memory in the output for all pixels of a unit?
    conv.in_place = not adds_in_place(&conv.epilogue) and conv.y_column == 1 and (conv.narrow or reach == 0) and (
        conv.band_rows == 1 or (conv.strips == 1 and conv.y_row == conv.columns))
    cut_lines(conv)
    pixels = tile if conv.in_place or conv.by_lines else (conv.band_rows - 1) * conv.planes.pitch + conv.strip_columns
    conv.sums_row = (ceil_div(pixels, VL) | 1) * VL

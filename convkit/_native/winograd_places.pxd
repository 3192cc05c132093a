# Where tiles come from and go to: borders, strides, dilation and the ends of rows as loads of some lanes or lists of
# copies, which hold for every channel.
from libc.string cimport memset

from convkit._native.arith cimport ceil_div
from convkit._native.border cimport BORDER_CONSTANT, border_index
from convkit._native.simd cimport VL, lanes_between, vec_lanes
from convkit._native.winograd_conv cimport GATHERED, MOST_LANES, PIECED, WHOLE, Behind, Conv, Copy, Lanes, Part, Piece


cdef struct Run:                # tiles side by side in a row of tiles
    Py_ssize_t tiles
    Py_ssize_t row, column      # of its first output
    Py_ssize_t x, y             # its image's


cdef inline void locate_run(const Conv* conv, Py_ssize_t tile, Py_ssize_t most, Run* run) noexcept nogil:
    cdef Py_ssize_t across = tile % conv.tiles_across
    cdef Py_ssize_t line = tile // conv.tiles_across
    cdef Py_ssize_t down = line % conv.tiles_down
    cdef Py_ssize_t phase_w = line // conv.tiles_down % conv.dilation_w
    cdef Py_ssize_t phase_h = line // (conv.tiles_down * conv.dilation_w) % conv.dilation_h
    cdef Py_ssize_t image = line // (conv.tiles_down * conv.dilation_w * conv.dilation_h)
    run.tiles = min(most, conv.tiles_across - across)
    run.row = conv.m * down * conv.dilation_h + phase_h
    run.column = conv.m * across * conv.dilation_w + phase_w
    run.x = image * conv.x_image
    run.y = image * conv.y_image


cdef inline void add(Copy* copies, Py_ssize_t* copies_count, Py_ssize_t image, Py_ssize_t line,
                     Py_ssize_t count) noexcept nogil:
    copies += copies_count[0]
    copies.image, copies.line, copies.count = image, line, count
    copies_count[0] += 1


cdef inline void locate_input(const Conv* conv, const Run* run, Py_ssize_t lane, Lanes* lanes) noexcept nogil:
    # What lies behind the padding, under outputs that the image does not have, stays 0 in the lines.
    cdef Py_ssize_t line = conv.span * VL, width = conv.span * run.tiles, first = conv.stride * run.column - conv.left
    cdef Py_ssize_t used = conv.stride * ceil_div(conv.columns - run.column, conv.dilation_w)
    cdef Py_ssize_t begin = min(ceil_div(max(-first, <Py_ssize_t>0), conv.dilation_w), width)
    cdef Py_ssize_t end = max(begin, min(width, ceil_div(max(conv.width - first, <Py_ssize_t>0), conv.dilation_w)))
    cdef Py_ssize_t a, j, row, column, to
    used = min(width, used) + conv.overlap
    for a in range(conv.n):
        if conv.stride * run.row + a * conv.dilation_h >= conv.stride * conv.rows + conv.overlap * conv.dilation_h:
            break
        row = border_index(conv.stride * run.row - conv.top + a * conv.dilation_h, conv.height, conv.border)
        if row >= 0 and begin < end:
            add(lanes.x_copy, &lanes.x_copies, run.x + row * conv.x_row + (first + begin * conv.dilation_w) * conv.x_column,
                a * line + conv.span * lane + begin, end - begin)
        for j in range(used):
            if row >= 0 and begin <= j < end:
                continue
            column = border_index(first + j * conv.dilation_w, conv.width, conv.border)
            to = a * line + conv.span * lane + j
            if j >= width:      # behind the last tile
                to = (conv.n * conv.span + conv.overlap * a + j - width) * VL + lane + run.tiles - 1
            if row >= 0 and column >= 0:
                add(lanes.x_pixel, &lanes.x_pixels, run.x + row * conv.x_row + column * conv.x_column, to, 1)
            elif conv.cval != 0:
                add(lanes.x_constant, &lanes.x_constants, -1, to, 1)


cdef inline bint reads_pieces(const Conv* conv) noexcept nogil:
    # Zeros, which are no pixels, around rows of which no vector holds three.
    cdef bint zeros = conv.border == BORDER_CONSTANT and conv.cval == 0
    return zeros and conv.x_column == conv.dilation_w == 1 and conv.tiles_across * conv.span >= VL


cdef inline void add_piece(Piece* piece, Py_ssize_t place, vec_lanes lanes) noexcept nogil:
    if piece.first_lanes == 0:
        piece.first, piece.first_lanes = place, lanes
    elif lanes:
        piece.second, piece.second_lanes = place, lanes


cdef inline void locate_pieces(const Conv* conv, const Run* run, Py_ssize_t lane, Lanes* lanes) noexcept nogil:
    # The same pixels as `locate_input`.
    cdef Py_ssize_t width = conv.span * run.tiles, first = conv.stride * run.column - conv.left, line = conv.span * lane
    cdef Py_ssize_t used = min(width, conv.stride * (conv.columns - run.column)) + conv.overlap
    cdef Py_ssize_t begin = max(-first, <Py_ssize_t>0), end = min(width, conv.width - first), a, i, b, row, place
    cdef Behind* behind
    for a in range(conv.n):
        row = conv.stride * run.row - conv.top + a * conv.dilation_h
        if a * conv.dilation_h >= conv.stride * (conv.rows - run.row) + conv.overlap * conv.dilation_h:
            break
        if row < 0 or row >= conv.height:
            continue
        place = run.x + row * conv.x_row + first
        for i in range(conv.m * conv.stride):
            add_piece(&lanes.piece[a * conv.m * conv.stride + i], place - line + i * VL,
                      lanes_between(line + begin - i * VL, line + end - i * VL))
        for b in range(conv.overlap):
            behind = &lanes.behind[(a * conv.overlap + b) * MOST_LANES + lanes.runs]
            if width + b < used and 0 <= first + width + b < conv.width:
                behind.place, behind.lane = place + width + b, <vec_lanes>(1 << (lane + run.tiles - 1))
    lanes.inner |= lanes_between(lane, lane + run.tiles - 1)
    lanes.runs += 1


cdef inline void locate_output(const Conv* conv, Py_ssize_t tile, Py_ssize_t tiles, Part* part) noexcept nogil:
    # `tiles` tiles from number `tile` on: the parts of a part's m lines that are pixels of the output.
    cdef Py_ssize_t line = part.vectors * conv.m * VL, lane = 0, width, i, row
    cdef Run run
    part.y_copies = 0
    while lane < tiles:
        locate_run(conv, tile + lane, tiles - lane, &run)
        width = min(conv.m * run.tiles, ceil_div(conv.columns - run.column, conv.dilation_w))
        for i in range(conv.m):
            row = run.row + i * conv.dilation_h
            if row < conv.rows and width > 0:
                add(part.y_copy, &part.y_copies, run.y + row * conv.y_row + run.column * conv.y_column,
                    i * line + conv.m * lane, width)
        lane += run.tiles


cdef inline bint is_whole(const Conv* conv, const Run* run) noexcept nogil:
    # Whether it is a vector of tiles inside the image.
    cdef Py_ssize_t row = conv.stride * run.row - conv.top, column = conv.stride * run.column - conv.left
    return (run.tiles == VL and conv.x_column == conv.dilation_w == 1
            and row >= 0 and row + (conv.n - 1) * conv.dilation_h < conv.height
            and column >= 0 and column + conv.span * VL + conv.overlap <= conv.width)


cdef inline void locate(const Conv* conv, Py_ssize_t tile, Py_ssize_t tiles, bint few, Lanes* lanes) noexcept nogil:
    # `tiles` tiles, at most VL, from number `tile` on.
    cdef Run run
    cdef Py_ssize_t lane = 0
    memset(lanes.ends, 0, sizeof(lanes.ends))
    lanes.x_copies = lanes.x_pixels = lanes.x_constants = lanes.runs = lanes.inner = 0
    locate_run(conv, tile, tiles, &run)
    lanes.kind = GATHERED
    if is_whole(conv, &run):
        lanes.kind = WHOLE
        lanes.x = (run.x + (conv.stride * run.row - conv.top) * conv.x_row + conv.stride * run.column - conv.left)
    elif not few and reads_pieces(conv):
        lanes.kind = PIECED
        memset(lanes.piece, 0, sizeof(lanes.piece))
        memset(lanes.behind, 0, sizeof(lanes.behind))
    while lane < tiles:
        locate_run(conv, tile + lane, tiles - lane, &run)
        if lanes.kind == PIECED:
            locate_pieces(conv, &run, lane, lanes)
        elif lanes.kind == GATHERED:
            locate_input(conv, &run, lane, lanes)
        lane += run.tiles
        lanes.ends[lane - 1] = 1

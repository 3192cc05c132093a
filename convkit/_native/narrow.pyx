"""Linear stencils of uint8 images in 16-bit integers: twice the lanes of float32, and exact.

Sums are taken modulo 2¹⁶, so that only the result has to fit; `ops.stencil` tells which do. A Gaussian has weights of
1/256 in both sums: after the first, a line holds unsigned numbers below 2¹⁶ less 2¹⁵, the second is made of 32-bit
sums of signed products, and all is rounded once.
"""
from libc.math cimport sqrtf
from libc.stdint cimport uint8_t
from libc.string cimport memset

from convkit._native.finish cimport add_lines
from convkit._native.image cimport is_packed, place, store_line
from convkit._native.parts cimport (
    Part, close_images, free_parts, open_images, read_kernel, read_parts, sum_along, sum_down
)
from convkit._native.simd cimport (
    STENCIL_ROWS, VL, stored, prefetch_far, prefetch_write, real, scratch_alloc, scratch_free, vec, vec_load,
    vec_load_pixels, vec_scaled, vec_set, vec_shift_down, vec_store, vec_store_pixels, vec_upper_product, vec_wide,
    wide_add_products, wide_merge, wide_pair, wide_pairs, wide_set, wide_upper
)
from convkit._native.sums cimport Taps, Target, sample
from convkit._native.tiles cimport Frame, Tile, run_tiles

cdef enum:
    MEAN_VECTORS = 4

cdef struct Plan:
    Part parts[2]
    int part_count
    bint magnitude
    bint threes  # of which both second sums are over three neighbours
    bint fixed
    vec_wide* pairs  # of a Gaussian's second sum: its weights, two and two
    bint mean
    real half  # of the area
    unsigned short factor
    int shift
    bint in_place
    bint scaled  # pixels again, of sums that are multiplied and moved
    float scale, divisor, delta


# ---- the second sum of a Gaussian -------------------------------------------------------------------
cdef inline void fixed_vectors(
    const real* line, const vec_wide* weights, Py_ssize_t columns, Py_ssize_t step, stored* to, const bint single
) noexcept nogil:
    """2·VL outputs; where pixels have a `single` channel, neighbours are multiplied where they lie."""
    cdef vec_wide start = wide_set((256 << 15) + (1 << 15))  # 256 · 2¹⁵ is what the line lacks, 2¹⁵ is 1/2
    cdef vec_wide a = start, b = start, c = start, d = start, pair
    cdef vec last, last_too
    cdef Py_ssize_t q
    for q in range(columns // 2):
        pair = weights[q]
        if single:
            a, b = a + wide_pairs(vec_load(line), pair), b + wide_pairs(vec_load(line + 1), pair)
            c, d = c + wide_pairs(vec_load(line + VL), pair), d + wide_pairs(vec_load(line + VL + 1), pair)
        else:
            wide_add_products(&a, &b, vec_load(line), vec_load(line + step), pair)
            wide_add_products(&c, &d, vec_load(line + VL), vec_load(line + VL + step), pair)
        line += 2 * step
    pair = weights[columns // 2]  # the number is odd: the second of these is 0
    last, last_too = vec_load(line), vec_load(line + VL)
    if single:
        a, b = a + wide_pairs(last, pair), b + wide_pairs(vec_load(line + 1), pair)
        c, d = c + wide_pairs(last_too, pair), d + wide_pairs(vec_load(line + VL + 1), pair)
        vec_store_pixels(to, wide_merge(a, b), wide_merge(c, d))
        return
    wide_add_products(&a, &b, last, last, pair)
    wide_add_products(&c, &d, last_too, last_too, pair)
    vec_store_pixels(to, wide_upper(a, b), wide_upper(c, d))


cdef inline void fixed_pixels(
    const Plan* plan, Py_ssize_t step, const real* line, stored* to, const stored* next, Py_ssize_t n, const int known
) noexcept nogil:
    """`known`: of how many weights, or 0 for the plan's."""
    cdef const Taps* taps = &plan.parts[0].along
    cdef const vec_wide* weights = plan.pairs
    cdef Py_ssize_t x = 0, at, columns = known if known else taps.columns
    line += taps.column * step
    while x < n:
        at = min(x, max(n - 2 * VL, 0))
        prefetch_write(<const real*>(next + at))
        if step == 1:
            fixed_vectors(line + at, weights, columns, 1, to + at, True)
        else:
            fixed_vectors(line + at, weights, columns, step, to + at, False)
        x += 2 * VL


cdef void fixed_line(
    const Plan* plan, Py_ssize_t step, const real* line, stored* to, const stored* next, Py_ssize_t n
) noexcept nogil:
    """n pixels, or 2 · VL where they are fewer: the last vectors overlap. `next` will be written soon."""
    if plan.parts[0].along.columns == 5:
        fixed_pixels(plan, step, line, to, next, n, 5)
    elif plan.parts[0].along.columns == 7:
        fixed_pixels(plan, step, line, to, next, n, 7)
    else:
        fixed_pixels(plan, step, line, to, next, n, 0)


# ---- means ------------------------------------------------------------------------------------------
cdef inline void roll_block(
    const stored** rows, Py_ssize_t height, Py_ssize_t x, real* line, Py_ssize_t step, const int width
) noexcept nogil:
    """The sums of `height` rows, for each of STENCIL_ROWS rows: the row below is added, the uppermost taken away."""
    cdef vec sums[MEAN_VECTORS]
    cdef Py_ssize_t k
    cdef int r, v
    for v in range(width):
        sums[v] = vec_load_pixels(rows[0] + x + v * VL)
    for k in range(1, height):
        for v in range(width):
            sums[v] = sums[v] + vec_load_pixels(rows[k] + x + v * VL)
    for v in range(width):
        vec_store(line + x + v * VL, sums[v])
    for r in range(1, STENCIL_ROWS):
        for v in range(width):
            sums[v] = (
                sums[v] + vec_load_pixels(rows[height + r - 1] + x + v * VL) - vec_load_pixels(rows[r - 1] + x + v * VL)
            )
            vec_store(line + r * step + x + v * VL, sums[v])


cdef void roll_rows(
    const stored** rows, const stored** ahead, Py_ssize_t height, real* line, Py_ssize_t step, Py_ssize_t n
) noexcept nogil:
    cdef Py_ssize_t x = 0
    cdef int r
    while x + MEAN_VECTORS * VL <= n:
        if ahead != NULL:
            for r in range(STENCIL_ROWS):
                prefetch_far(ahead[r] + x)
                prefetch_far(ahead[r] + x + MEAN_VECTORS * VL // 2)
        roll_block(rows, height, x, line, step, MEAN_VECTORS)
        x += MEAN_VECTORS * VL
    while x < n:  # the last vector overlaps the one before: nothing is read past the row's end
        roll_block(rows, height, max(min(x, n - VL), 0), line, step, 1)
        x += VL


cdef void roll_tile(const Frame* frame, const Tile* tile, real* line) noexcept nogil:
    cdef Py_ssize_t channels = frame.channels, step = frame.line_step
    if tile.before:
        roll_rows(tile.rows_before, NULL, frame.rows, line, step, tile.before * channels)
    line += tile.before * channels
    roll_rows(tile.rows, tile.ahead, frame.rows, line, step, tile.inner * channels)
    if tile.after:
        roll_rows(tile.rows_after, NULL, frame.rows, line + tile.inner * channels, step, tile.after * channels)


cdef inline vec mean_vector(
    const real* line, Py_ssize_t columns, Py_ssize_t step, real half, unsigned short factor, int shift
) noexcept nogil:
    """⌊(sum + ⌊area / 2⌋) / area⌋ of unsigned numbers, by a product."""
    cdef vec total = vec_set(half) + vec_load(line)
    cdef Py_ssize_t q
    for q in range(1, columns):
        total = total + vec_load(line + q * step)
    return vec_shift_down(vec_upper_product(total, factor), shift)


cdef inline void mean_pixels(
    const Plan* plan, Py_ssize_t step, const real* line, stored* to, const stored* next, Py_ssize_t n, const int known
) noexcept nogil:
    """`known`: over how many columns, or 0 for the plan's."""
    cdef Py_ssize_t columns = known if known else plan.parts[0].along.columns, x = 0, at
    cdef real half = plan.half  # pixels are bytes, which might be the plan's
    cdef unsigned short factor = plan.factor
    cdef int shift = plan.shift
    while x < n:
        at = min(x, max(n - 2 * VL, 0))
        prefetch_write(<const real*>(next + at))
        vec_store_pixels(
            to + at, mean_vector(line + at, columns, step, half, factor, shift),
            mean_vector(line + at + VL, columns, step, half, factor, shift))
        x += 2 * VL


cdef void mean_line(
    const Plan* plan, Py_ssize_t step, const real* line, stored* to, const stored* next, Py_ssize_t n
) noexcept nogil:
    """As `fixed_line`."""
    if plan.parts[0].along.columns == 3:
        mean_pixels(plan, step, line, to, next, n, 3)
    elif plan.parts[0].along.columns == 5:
        mean_pixels(plan, step, line, to, next, n, 5)
    else:
        mean_pixels(plan, step, line, to, next, n, 0)


# ---- the sums ---------------------------------------------------------------------------------------
cdef void first_sum(
    const Plan* plan, const Frame* frame, const Tile* tile, int p, const Target* to
) noexcept nogil:
    sum_down(frame, tile, &plan.parts[p], <real>-32768 if plan.fixed else 0, to, p == 0)


cdef void second_sum(
    const Plan* plan, const Frame* frame, int p, const real* line, const Target* to, Py_ssize_t n
) noexcept nogil:
    sum_along(frame, &plan.parts[p], line, 0, to, n)


cdef void clip_line(real* line, Py_ssize_t n, real low, real high) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        line[i] = low if line[i] < low else high if line[i] > high else line[i]


cdef inline void scale_vectors(const Plan* plan, const real* line, sample* to, const bint divides) noexcept nogil:
    cdef float scale = plan.scale, divisor = plan.divisor, delta = plan.delta
    if sample is stored:
        vec_store_pixels(
            to, vec_scaled(vec_load(line), scale, divisor, delta, 255, divides),
            vec_scaled(vec_load(line + VL), scale, divisor, delta, 255, divides))
    else:
        vec_store(to, vec_scaled(vec_load(line), scale, divisor, delta, 32767, divides))
        vec_store(to + VL, vec_scaled(vec_load(line + VL), scale, divisor, delta, 32767, divides))


cdef void scale_line(
    const Plan* plan, const real* line, sample* to, const sample* next, Py_ssize_t n
) noexcept nogil:
    """As `fixed_line`."""
    cdef Py_ssize_t x = 0, at
    while x < n:
        at = min(x, max(n - 2 * VL, 0))
        prefetch_write(<const real*>(next + at))
        if plan.divisor == 1:
            scale_vectors(plan, line + at, to + at, False)
        else:
            scale_vectors(plan, line + at, to + at, True)
        x += 2 * VL


cdef void store_scaled(
    const Plan* plan, const Frame* frame, const Tile* tile, Py_ssize_t y, const real* line, sample* scratch
) noexcept nogil:
    """A line of sums, multiplied and moved, by way of `scratch` where the output has other strides or is short."""
    cdef Py_ssize_t n = tile.pixels * frame.channels
    cdef sample* to = <sample*>place(&frame.out, y, tile.x)
    if is_packed(&frame.out) and n >= 2 * VL:
        scale_line(plan, line, to, to + frame.out.row_step, n)
        return
    scale_line(plan, line, scratch, scratch, n)
    if sample is stored:
        store_line(&frame.out, y, tile.x, tile.pixels, <const uint8_t*>scratch)
    else:
        store_line(&frame.out, y, tile.x, tile.pixels, scratch)


cdef void scale_floats(const Plan* plan, const real* line, float* to, Py_ssize_t n) noexcept nogil:
    """The same in numbers that need no rounding, as `finish.pxd` scales them."""
    cdef float scale = plan.scale, divisor = plan.divisor, delta = plan.delta
    cdef Py_ssize_t i
    if divisor == 1:
        for i in range(n):
            to[i] = <float>line[i] * scale + delta
        return
    for i in range(n):
        to[i] = <float>line[i] * scale / divisor + delta


cdef void store_floats(
    const Plan* plan, const Frame* frame, const Tile* tile, Py_ssize_t y, const real* line
) noexcept nogil:
    """A line of sums as float32, by way of scratch where the output has other strides."""
    cdef Py_ssize_t n = tile.pixels * frame.channels
    cdef float* scratch = <float*>tile.lines
    if is_packed(&frame.out):
        scale_floats(plan, line, <float*>place(&frame.out, y, tile.x), n)
        return
    scale_floats(plan, line, scratch, n)
    store_line(&frame.out, y, tile.x, tile.pixels, scratch)


cdef void magnitude_line(const real* a, const real* b, Py_ssize_t n, float* to) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        to[i] = sqrtf(<float>a[i] * <float>a[i] + <float>b[i] * <float>b[i])


cdef void magnitude_of_three(
    const Plan* plan, const real* a, const real* b, Py_ssize_t step, Py_ssize_t n, float* to
) noexcept nogil:
    """The same of two lines that are yet to be summed over three neighbours: what they give is not written down."""
    cdef const real* along = plan.parts[0].along.weights
    cdef const real* across = plan.parts[1].along.weights
    cdef real a0 = along[0], a1 = along[1], a2 = along[2], b0 = across[0], b1 = across[1], b2 = across[2], p, q
    cdef Py_ssize_t i
    for i in range(n):
        p = <real>(a0 * a[i] + a1 * a[i + step] + a2 * a[i + 2 * step])
        q = <real>(b0 * b[i] + b1 * b[i + step] + b2 * b[i + 2 * step])
        to[i] = sqrtf(<float>p * <float>p + <float>q * <float>q)


cdef void finish(const Plan* plan, const Frame* frame, const Tile* tile, int row, real* a, real* b) noexcept nogil:
    """Store output row `row` of the tile from the sums of its parts."""
    cdef Py_ssize_t n = tile.pixels * frame.channels, y = tile.y + row
    cdef float* lengths = <float*>(tile.lines + (2 * STENCIL_ROWS * frame.line_step if plan.threes else 0))
    if plan.magnitude:
        if is_packed(&frame.out):
            lengths = <float*>place(&frame.out, y, tile.x)
        if plan.threes:
            magnitude_of_three(plan, a, b, frame.channels, n, lengths)
        else:
            magnitude_line(a, b, n, lengths)
        if not is_packed(&frame.out):
            store_line(&frame.out, y, tile.x, tile.pixels, lengths)
        return
    if plan.part_count == 2:
        add_lines(a, b, n)
    if frame.out.kind == c"f":
        store_floats(plan, frame, tile, y, a)
        return
    if plan.scaled and frame.out.kind == c"B":
        store_scaled(plan, frame, tile, y, a, <stored*>tile.lines)
        return
    if plan.scaled:
        store_scaled(plan, frame, tile, y, a, <real*>tile.lines)
        return
    if frame.out.kind == c"B":
        clip_line(a, n, 0, 255)
    elif frame.out.kind == c"H":
        clip_line(a, n, 0, 32767)
    store_line(&frame.out, y, tile.x, tile.pixels, a)


cdef void run_smooth(const void* described, const Frame* frame, Tile* tile) noexcept nogil:
    """The output rows of a Gaussian or a mean that a tile has come to: pixels again."""
    cdef const Plan* plan = <const Plan*>described
    cdef Py_ssize_t n = tile.pixels * frame.channels
    cdef stored* pixels = <stored*>(tile.lines + STENCIL_ROWS * frame.line_step)
    cdef Py_ssize_t row_step = frame.out.row_step
    cdef bint direct = is_packed(&frame.out) and n >= 2 * VL
    cdef const real* line = tile.lines
    cdef Target middle
    cdef int r
    if direct:
        pixels = <stored*>place(&frame.out, tile.y, tile.x)
    else:
        row_step = 0
    memset(&middle, 0, sizeof(Target))
    middle.line, middle.step, middle.rows = tile.lines, frame.line_step, STENCIL_ROWS
    if plan.mean:
        roll_tile(frame, tile, tile.lines)
    else:
        first_sum(plan, frame, tile, 0, &middle)
    for r in range(tile.count):
        if plan.mean:
            mean_line(plan, frame.channels, line, pixels, pixels + row_step, n)
        else:
            fixed_line(plan, frame.channels, line, pixels, pixels + row_step, n)
        if not direct:
            store_line(&frame.out, tile.y + r, tile.x, tile.pixels, <const uint8_t*>pixels)
        pixels += row_step
        line += frame.line_step


cdef void run_rows(const void* described, const Frame* frame, Tile* tile) noexcept nogil:
    """The output rows that a tile has come to, with lines of scratch between the sums and behind them."""
    cdef const Plan* plan = <const Plan*>described
    cdef Py_ssize_t group = STENCIL_ROWS * frame.line_step, n = tile.pixels * frame.channels
    cdef real* sums = tile.lines + (0 if plan.threes else group)
    cdef Target middle, to
    cdef int p, r
    memset(&middle, 0, sizeof(Target))
    middle.line, middle.step, middle.rows = tile.lines, frame.line_step, STENCIL_ROWS
    for p in range(plan.part_count):
        to = middle
        to.line, to.rows = sums + p * group, tile.count
        if plan.in_place:
            to.line = <real*>place(&frame.out, tile.y, tile.x)
            to.step = frame.out.row_step
        if plan.threes or plan.parts[p].along.weights == NULL:
            first_sum(plan, frame, tile, p, &to)
            continue
        first_sum(plan, frame, tile, p, &middle)
        to.rows = 1
        for r in range(tile.count):
            second_sum(plan, frame, p, tile.lines + r * frame.line_step, &to, n)
            to.line += to.step
    if not plan.in_place:
        for r in range(tile.count):
            finish(plan, frame, tile, r, sums + r * frame.line_step, sums + group + r * frame.line_step)


cdef int read_pairs(Plan* plan) except -1:
    """The caller frees them."""
    cdef const Taps* taps = &plan.parts[0].along
    cdef Py_ssize_t q, pairs = taps.columns // 2 + 1
    plan.pairs = <vec_wide*>scratch_alloc(pairs * sizeof(vec_wide))
    if plan.pairs == NULL:
        raise MemoryError("no memory for the kernel's weights")
    for q in range(pairs):
        plan.pairs[q] = wide_pair(
            <short>taps.weights[2 * q], <short>taps.weights[2 * q + 1] if 2 * q + 1 < taps.columns else 0)
    return 0


# ---- from Python ------------------------------------------------------------------------------------
cdef int read_plan(Plan* plan, Frame* frame, stencil) except -1:
    plan.part_count = read_parts(plan.parts, frame, stencil)
    plan.magnitude, plan.fixed = stencil.combine == "magnitude", stencil.fixed
    if plan.fixed:
        read_pairs(plan)
    if stencil.division is not None:
        plan.mean, plan.half = True, <real>(frame.rows * frame.columns // 2)
        plan.factor, plan.shift = stencil.division
    plan.threes = (
        plan.magnitude and frame.columns == 3 and plan.parts[0].along.columns == 3 and plan.parts[1].along.columns == 3
    )
    plan.scale, plan.divisor, plan.delta = stencil.scale, stencil.divisor, stencil.delta
    plan.scaled = not plan.magnitude and (plan.scale != 1 or plan.divisor != 1 or plan.delta != 0)
    return 0


cdef class Kernel:
    """An `ops.stencil.Stencil` and a border, read once; `run` may be called from many threads."""

    cdef Plan plan
    cdef Frame frame

    def __cinit__(self, stencil not None, int border, double cval):
        read_kernel(&self.frame, stencil, border, cval)
        read_plan(&self.plan, &self.frame, stencil)

    def __dealloc__(self):
        free_parts(self.plan.parts)
        scratch_free(self.plan.pairs)

    def run(self, image not None, out not None, Py_ssize_t first, int threads):
        """Write the stencil of the uint8 `image` into `out`: checked HW or HWC arrays of any strides (see `ops.rows`)."""
        cdef Py_buffer views[2]
        cdef Plan plan = self.plan
        cdef Frame frame = self.frame
        memset(views, 0, sizeof(views))
        try:
            open_images(views, &frame, image, out, first)
            plan.in_place = (
                plan.part_count == 1 and not plan.scaled and not plan.fixed and not plan.mean
                and is_packed(&frame.out) and frame.out.kind == c"h"
            )
            frame.lines = 1 if plan.in_place else 1 + plan.part_count
            run_tiles(&plan, &frame, run_smooth if plan.fixed or plan.mean else run_rows, threads)
        finally:
            close_images(views)

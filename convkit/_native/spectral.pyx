"""Correlation with a large kernel by Fourier transforms of tiles that overlap by its extent (overlap-save).

Two tiles are transformed as one of complex numbers: as their real and their imaginary parts, which the product with a
real kernel's spectrum keeps apart. A row of such a tile is transformed where it was loaded: lane by lane along its
vectors, and then, turned and transposed, along what were lanes (the two steps of a transform of composite length, by J.
Cooley and J. Tukey, 1965). Columns go through both transforms and the product at one go, a vector at a time.
"""
from cpython.buffer cimport PyBUF_RECORDS, PyBUF_RECORDS_RO, PyBuffer_Release, PyObject_GetBuffer
from libc.math cimport cos, pi, sin
from libc.string cimport memset

from convkit._native.arith cimport ceil_div
from convkit._native.image cimport Grid, grid_of, place, store_line
from convkit._native.shares cimport run_units
from convkit._native.simd cimport (
    LINE, VL, prefetch, prefetch_write, real, scratch_alloc, scratch_free, stored, vec, vec_load, vec_set, vec_store,
    vec_transpose,
)
from convkit._native.tiles cimport LINE_BYTES, Frame, load_bordered
from convkit._native.waves cimport (
    Wave, backward, close_wave, forward, frequency_at, last_stage, load_parts, mix_4, open_wave, store_parts, turn
)

LEAST_WIDTH = VL * VL  # of a tile

cdef enum:
    AHEAD = 2  # rows
    # Tiles from one thread's to the next: a stage of a column takes steps of a quarter of a tile, and a processor that
    # foresees further ones would take lines which the other thread is writing. What lies between is never touched.
    APART = 3

cdef struct Plan:
    Py_ssize_t rows, columns  # of a tile
    Py_ssize_t pitch  # elements between its rows, an odd number of cache lines, so that a column fits the first cache
    Wave down, across, lanes
    real* turns  # between the two steps along a row
    real* spectrum  # of the kernel, column of vectors by column of vectors


# ---- rows -------------------------------------------------------------------------------------------
cdef inline void whole(const Wave* wave, real* at, Py_ssize_t step, const bint back) noexcept nogil:
    if back:
        if wave.length >= 4:
            last_stage(at, step, wave.length, True)
        backward(wave, at, step)
    else:
        forward(wave, at, step)
        if wave.length >= 4:
            last_stage(at, step, wave.length, False)


cdef inline void transpose(real* at) noexcept nogil:
    """VL numbers of VL lanes each."""
    cdef vec v[VL]
    cdef int i, half
    for half in range(2):
        for i in range(VL):
            v[i] = vec_load(at + (2 * i + half) * VL)
        vec_transpose(v)
        for i in range(VL):
            vec_store(at + (2 * i + half) * VL, v[i])


cdef inline void turn_lanes(const Plan* plan, real* row, const bint back) noexcept nogil:
    cdef vec re, im, sine
    cdef Py_ssize_t i, at
    for i in range(plan.columns // VL):
        at = 2 * VL * i
        re, im, sine = vec_load(row + at), vec_load(row + at + VL), vec_load(plan.turns + at + VL)
        turn(&re, &im, vec_load(plan.turns + at), -sine if back else sine)
        vec_store(row + at, re)
        vec_store(row + at + VL, im)


cdef void transform_row(const Plan* plan, real* row) noexcept nogil:
    cdef Py_ssize_t i
    whole(&plan.across, row, 2 * VL, False)
    turn_lanes(plan, row, False)
    for i in range(plan.columns // (VL * VL)):
        transpose(row + 2 * VL * VL * i)
        whole(&plan.lanes, row + 2 * VL * VL * i, 2 * VL, False)


cdef void transform_row_back(const Plan* plan, real* row) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(plan.columns // (VL * VL)):
        whole(&plan.lanes, row + 2 * VL * VL * i, 2 * VL, True)
        transpose(row + 2 * VL * VL * i)
    turn_lanes(plan, row, True)
    whole(&plan.across, row, 2 * VL, True)


# ---- columns ----------------------------------------------------------------------------------------
cdef inline void multiply_blocks(real* at, Py_ssize_t step, Py_ssize_t length, const real* spectrum) noexcept nogil:
    """The last stage, the product with the kernel's spectrum, and the first stage of the way back."""
    cdef Py_ssize_t first
    cdef vec re[4]
    cdef vec im[4]
    cdef int p
    for first in range(0, length, 4):
        load_parts(at + first * step, step, re, im, 4)
        mix_4(re, im, False)
        for p in range(4):
            turn(&re[p], &im[p], vec_load(spectrum), vec_load(spectrum + VL))
            spectrum += 2 * VL
        mix_4(re, im, True)
        store_parts(at + first * step, step, re, im, 4)


cdef void filter_columns(const Plan* plan, real* tile) noexcept nogil:
    cdef real* column
    cdef Py_ssize_t i
    for i in range(plan.columns // VL):
        column = tile + 2 * VL * i
        forward(&plan.down, column, plan.pitch)
        multiply_blocks(column, plan.pitch, plan.rows, plan.spectrum + 2 * VL * plan.rows * i)
        backward(&plan.down, column, plan.pitch)


# ---- tiles ------------------------------------------------------------------------------------------
cdef struct Job:  # two tiles
    Frame frame[2]  # of one channel each
    Grid out[2]
    Py_ssize_t y[2]
    Py_ssize_t x[2]
    int count


cdef struct Cut:  # of an image
    const Plan* plan
    Frame frame
    Py_ssize_t step_rows, step_columns  # outputs of a tile
    Py_ssize_t down, across  # tiles
    Py_ssize_t pairs  # of a channel
    Py_ssize_t jobs


cdef inline Grid channel_of(const Grid* grid, Py_ssize_t channel) noexcept nogil:
    cdef Grid one = grid[0]
    one.data += channel * grid.channel_step * grid.itemsize
    one.channels = one.channel_step = 1
    return one


cdef inline Job job_of(const Cut* cut, Py_ssize_t index) noexcept nogil:
    """Two tiles of a channel side by side, as the errors of each are relative to both: by turns to the right and left."""
    cdef Py_ssize_t channel = index // cut.pairs, i, row, column
    cdef Job job
    cdef int k
    job.count = 0
    for k in range(2):
        i = 2 * (index % cut.pairs) + k
        if i >= cut.down * cut.across:
            break
        row, column = i // cut.across, i % cut.across
        if row % 2:
            column = cut.across - 1 - column
        job.frame[k] = cut.frame
        job.frame[k].channels = 1
        job.frame[k].image = channel_of(&cut.frame.image, channel)
        job.out[k] = channel_of(&cut.frame.out, channel)
        job.y[k], job.x[k] = row * cut.step_rows, column * cut.step_columns
        job.count += 1
    return job


cdef inline Py_ssize_t rows_of(const Cut* cut, const Job* job, int k) noexcept nogil:
    return min(cut.step_rows, cut.frame.out_height - job.y[k])


cdef inline Py_ssize_t pixels_of(const Cut* cut, const Job* job, int k) noexcept nogil:
    return min(cut.step_columns, cut.frame.out_width - job.x[k])


cdef inline void ask_for_line(
    const Grid* grid, Py_ssize_t y, Py_ssize_t x, Py_ssize_t pixels, const bint write
) noexcept nogil:
    """A tile's lines are too short for the processor to foresee."""
    cdef const char* line = place(grid, y, x)
    cdef Py_ssize_t at = 0
    while at < pixels * grid.pixel_step * grid.itemsize:
        if write:
            prefetch_write(<const real*>(line + at))
        else:
            prefetch(line + at)
        at += LINE_BYTES


cdef inline void ask_for_row(const Cut* cut, const Job* job, Py_ssize_t y) noexcept nogil:
    """Row `y` of both tiles, where it lies in the image."""
    cdef Py_ssize_t row, column, end
    cdef int k
    for k in range(job.count):
        row, column = job.y[k] + y + cut.frame.first_row, job.x[k] + cut.frame.first_column
        end = min(column + pixels_of(cut, job, k) + cut.frame.columns - 1, cut.frame.width)
        column = max(column, 0)
        if 0 <= row < cut.frame.height:
            ask_for_line(&job.frame[k].image, row, column, end - column, False)


cdef inline bint load_row(
    const Plan* plan, const Cut* cut, const Job* job, Py_ssize_t y, stored* lines
) noexcept nogil:
    """Row `y` of both tiles and zeros behind it; False where there is none of either."""
    cdef Py_ssize_t pixels
    cdef bint found = False
    cdef const Frame* frame
    cdef int k
    for k in range(2):
        pixels = 0
        if k < job.count and y < rows_of(cut, job, k) + cut.frame.rows - 1:
            frame, pixels, found = &job.frame[k], pixels_of(cut, job, k) + cut.frame.columns - 1, True
            load_bordered(
                frame, job.y[k] + y + frame.first_row, job.x[k] + frame.first_column, pixels, lines)
        memset(lines + pixels, 0, (plan.columns - pixels) * sizeof(stored))
        lines += plan.columns
    return found


cdef inline void lay_row(const Plan* plan, const real* lines, real* row) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(plan.columns // VL):
        vec_store(row + 2 * VL * i, vec_load(lines + VL * i))
        vec_store(row + 2 * VL * i + VL, vec_load(lines + plan.columns + VL * i))


cdef inline bint take_row(const Plan* plan, const real* row, real* lines) noexcept nogil:
    """The way back; whether all numbers are finite."""
    cdef vec re, im, zeros = vec_set(0)
    cdef real lanes[VL]
    cdef bint finite = True
    cdef Py_ssize_t i
    for i in range(plan.columns // VL):
        re, im = vec_load(row + 2 * VL * i), vec_load(row + 2 * VL * i + VL)
        zeros = zeros + (re - re) + (im - im)
        vec_store(lines + VL * i, re)
        vec_store(lines + plan.columns + VL * i, im)
    vec_store(lanes, zeros)
    for i in range(VL):
        finite &= lanes[i] == 0
    return finite


cdef void run_job(const void* work, Py_ssize_t index, char* scratch) noexcept nogil:
    """Two tiles. Scratch begins with whether all of this thread's are finite."""
    cdef const Cut* cut = <const Cut*>work
    cdef const Plan* plan = cut.plan
    cdef Job job = job_of(cut, index)
    cdef bint* finite = <bint*>scratch
    cdef real* tile = <real*>scratch + LINE
    cdef real* lines = tile + plan.rows * plan.pitch
    cdef real* row
    cdef Py_ssize_t y
    cdef int k
    for y in range(plan.rows):
        row = tile + y * plan.pitch
        ask_for_row(cut, &job, y + AHEAD)
        if load_row(plan, cut, &job, y, <stored*>lines):
            lay_row(plan, lines, row)
            transform_row(plan, row)
        else:
            memset(row, 0, 2 * plan.columns * sizeof(real))
    filter_columns(plan, tile)
    for y in range(max(rows_of(cut, &job, 0), rows_of(cut, &job, job.count - 1))):
        row = tile + y * plan.pitch
        for k in range(job.count):
            if y < rows_of(cut, &job, k):
                ask_for_line(&job.out[k], job.y[k] + y, job.x[k], pixels_of(cut, &job, k), True)
        transform_row_back(plan, row)
        finite[0] &= take_row(plan, row, lines)
        for k in range(job.count):
            if y < rows_of(cut, &job, k):
                store_line(&job.out[k], job.y[k] + y, job.x[k], pixels_of(cut, &job, k), lines + k * plan.columns)


cdef inline Py_ssize_t scratch_elements(const Plan* plan) noexcept nogil:
    return plan.rows * plan.pitch + 2 * plan.columns


# ---- from Python ------------------------------------------------------------------------------------
cdef int open_plan(Plan* plan, Py_ssize_t rows, Py_ssize_t columns) except -1:
    cdef Py_ssize_t vectors = columns // VL, i, k, lane
    plan.rows, plan.columns, plan.pitch = rows, columns, 2 * columns + LINE
    open_wave(&plan.down, rows)
    open_wave(&plan.across, vectors)
    open_wave(&plan.lanes, VL)
    plan.turns = <real*>scratch_alloc(2 * columns * sizeof(real))
    plan.spectrum = <real*>scratch_alloc(2 * rows * columns * sizeof(real))
    if plan.turns == NULL or plan.spectrum == NULL:
        raise MemoryError(f"no memory for transforms of {rows}x{columns}")
    for i in range(vectors):
        k = frequency_at(i, vectors)
        for lane in range(VL):
            plan.turns[2 * i * VL + lane] = <real>cos(2 * pi * k * lane / columns)
            plan.turns[(2 * i + 1) * VL + lane] = <real>-sin(2 * pi * k * lane / columns)
    return 0


cdef void transform_kernel(Plan* plan, const double[:, ::1] weights, real* tile) noexcept:
    """The kernel's spectrum, its conjugate: of a correlation; with the factor that the way back needs."""
    cdef Py_ssize_t y, x, i
    cdef real* column
    cdef real* to = plan.spectrum
    cdef vec factor = vec_set(<real>(1.0 / (<double>plan.rows * plan.columns)))
    memset(tile, 0, plan.rows * plan.pitch * sizeof(real))
    for y in range(weights.shape[0]):
        for x in range(weights.shape[1]):
            tile[y * plan.pitch + x // VL * 2 * VL + x % VL] = <real>weights[y, x]
        transform_row(plan, tile + y * plan.pitch)
    for i in range(plan.columns // VL):
        column = tile + 2 * VL * i
        whole(&plan.down, column, plan.pitch, False)
        for y in range(plan.rows):
            vec_store(to, vec_load(column + y * plan.pitch) * factor)
            vec_store(to + VL, -vec_load(column + y * plan.pitch + VL) * factor)
            to += 2 * VL


cdef class Spectrum:
    """Of a kernel that lies at the corner of a tile, whose lengths are powers of two, at least 4 by LEAST_WIDTH."""

    cdef Plan plan
    cdef Py_ssize_t kernel_rows, kernel_columns

    def __cinit__(self, const double[:, ::1] kernel not None, Py_ssize_t rows, Py_ssize_t columns):
        cdef real* tile
        open_plan(&self.plan, rows, columns)
        self.kernel_rows, self.kernel_columns = kernel.shape[0], kernel.shape[1]
        tile = <real*>scratch_alloc(scratch_elements(&self.plan) * sizeof(real))
        if tile == NULL:
            raise MemoryError(f"no memory for a tile of {rows}x{columns}")
        transform_kernel(&self.plan, kernel, tile)
        scratch_free(tile)

    def __dealloc__(self):
        close_wave(&self.plan.down)
        close_wave(&self.plan.across)
        close_wave(&self.plan.lanes)
        scratch_free(self.plan.turns)
        scratch_free(self.plan.spectrum)

    def correlate(self, image not None, out not None, origin, steps, int border, double cval, int threads):
        """Write the sums whose first weight lies at `origin` from each pixel on; False where not all are finite.

        `image` and `out` are HWC of any strides, and `steps` the outputs, down and across, that a tile gives.
        """
        cdef Py_buffer source, target
        cdef const Plan* plan = &self.plan
        cdef Cut cut
        cdef Py_ssize_t i, each = scratch_elements(plan) * <Py_ssize_t>sizeof(real)
        cdef char* scratch
        cdef bint finite = True
        each = 64 + APART * ceil_div(each, 64) * 64
        memset(&cut, 0, sizeof(cut))
        cut.plan = plan
        cut.step_rows, cut.step_columns = steps
        cut.frame.first_row, cut.frame.first_column = origin
        cut.frame.border, cut.frame.cval = border, <stored>cval
        cut.frame.rows, cut.frame.columns = self.kernel_rows, self.kernel_columns
        PyObject_GetBuffer(image, &source, PyBUF_RECORDS_RO)
        PyObject_GetBuffer(out, &target, PyBUF_RECORDS)
        try:
            cut.frame.image, cut.frame.out = grid_of(&source), grid_of(&target)
            cut.frame.height, cut.frame.width, cut.frame.channels = source.shape[0], source.shape[1], source.shape[2]
            cut.frame.out_height, cut.frame.out_width = target.shape[0], target.shape[1]
            cut.down = ceil_div(cut.frame.out_height, cut.step_rows)
            cut.across = ceil_div(cut.frame.out_width, cut.step_columns)
            cut.pairs = ceil_div(cut.down * cut.across, 2)
            cut.jobs = cut.pairs * cut.frame.channels
            threads = <int>min(threads, cut.jobs)
            scratch = <char*>scratch_alloc(threads * each)
            if scratch == NULL:
                raise MemoryError(f"no memory for tiles of {plan.rows}x{plan.columns}")
            with nogil:
                for i in range(threads):
                    (<bint*>(scratch + i * each))[0] = True
                run_units(run_job, &cut, cut.jobs, threads, scratch, each)
                for i in range(threads):
                    finite &= (<bint*>(scratch + i * each))[0]
            scratch_free(scratch)
        finally:
            PyBuffer_Release(&target)
            PyBuffer_Release(&source)
        return finite

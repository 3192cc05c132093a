"""Images (HWC, any number type) to planes of `real` (BCHW) and back, in one pass over memory.

A block of pixels, small enough for the first cache, is converted to `real` as it lies; then each channel is taken out
of it, scaled, and written to its plane: one plane at a time, as a single stream of writes is what memory likes best.
The way back is the same in reverse, a short line at a time; three channels of bytes take no line, and pass through
registers. Where an image and its planes lie without gaps, its rows are one long row.
"""
from cpython.buffer cimport PyBUF_RECORDS, PyBUF_RECORDS_RO, PyBuffer_Release, PyObject_GetBuffer
from cython.parallel cimport prange
from libc.stdint cimport int16_t, int32_t, uint8_t, uint16_t

from convkit._native.arith cimport ceil_div
from convkit._native.simd cimport (VECTOR_BYTES, VL, prefetch, real, scratch_alloc, scratch_free, stream_fence, vec,
                                   vec_braid_0, vec_braid_1, vec_braid_2, vec_even, vec_load, vec_load_part, vec_max,
                                   vec_min, vec_odd, vec_set, vec_store, vec_store_part, vec_store_thirds, vec_stream,
                                   vec_third_0, vec_third_1, vec_third_2, vec_unless_nan, vec_zip_high, vec_zip_low)

cdef enum:
    BLOCK_BYTES = 32768  # of a line: most of the first cache
    BACK_BYTES = 3072  # of a line on the way back: while one is rounded and stored, the next one's planes are under way
    AHEAD = 128  # pixels of a plane that are asked for before they are read
    UNIT_BYTES = 16 * BLOCK_BYTES  # of lines: the least that is worth a thread's turn

ctypedef fused element:
    uint8_t
    uint16_t
    int16_t
    float
    double

cdef struct Image:  # steps count elements
    void* data
    Py_ssize_t row_step, pixel_step, channel_step

cdef struct Job:
    Image* images
    char kind  # of their elements, as the module `struct` writes it
    Py_ssize_t count, height, width, channels
    real* planes
    Py_ssize_t planes_step, plane_step, line_step  # from one image to the next, one channel, one row
    const Py_ssize_t* order  # the image's channel that a plane holds; its own inverse
    const double* scale  # of each plane, and what is added then
    const double* offset
    bint stream  # write around the caches
    bint back  # from planes to images
    Py_ssize_t block, unit  # pixels


# ---- an image's pixels as a line of `real` --------------------------------------------------------
cdef inline int32_t becomes_infinite(double before, double after) noexcept nogil:
    return (before - before == 0) & (after - after != 0)


cdef inline bint load_elements(const element* source, const Image* image, Py_ssize_t pixels, Py_ssize_t channels,
                               real* line) noexcept nogil:
    # Whether a number became infinite.
    cdef Py_ssize_t i, c
    cdef int32_t lost = 0
    cdef element value
    if image.channel_step == 1 and image.pixel_step == channels:
        for i in range(pixels * channels):
            line[i] = <real>source[i]
            if element is double and sizeof(real) == 4:
                lost |= becomes_infinite(source[i], line[i])
        return lost != 0
    for i in range(pixels):
        for c in range(channels):
            value = source[i * image.pixel_step + c * image.channel_step]
            line[i * channels + c] = <real>value
            if element is double and sizeof(real) == 4:
                lost |= becomes_infinite(value, line[i * channels + c])
    return lost != 0


cdef bint load_line(const Job* job, const Image* image, Py_ssize_t start, Py_ssize_t pixels, real* line) noexcept nogil:
    if job.kind == c"B":
        return load_elements(<const uint8_t*>image.data + start, image, pixels, job.channels, line)
    if job.kind == c"H":
        return load_elements(<const uint16_t*>image.data + start, image, pixels, job.channels, line)
    if job.kind == c"h":
        return load_elements(<const int16_t*>image.data + start, image, pixels, job.channels, line)
    if job.kind == c"f":
        return load_elements(<const float*>image.data + start, image, pixels, job.channels, line)
    return load_elements(<const double*>image.data + start, image, pixels, job.channels, line)


# ---- a line of `real` as an image's pixels --------------------------------------------------------
cdef inline vec rounded(vec v, vec low, vec high) noexcept nogil:
    # To the nearest integer of low..high, halves to even: adding 1.5 · 2^(digits - 1) leaves no bits for a fraction,
    # and the sum rounds half to even, as all sums do.
    cdef vec magic = vec_set(12582912.0 if sizeof(real) == 4 else 6755399441055744.0)
    return (vec_min(vec_max(v, low), high) + magic) - magic


cdef inline bint round_line(real* line, Py_ssize_t n, real least, real most) noexcept nogil:
    # Whether there was a NaN.
    cdef vec low = vec_set(least), high = vec_set(most), found = low, v
    cdef real lanes[VL]
    cdef bint lost = False
    cdef Py_ssize_t i = 0
    while i + VL <= n:
        v = vec_load(line + i)
        found = vec_unless_nan(v, found)
        vec_store(line + i, rounded(v, low, high))
        i += VL
    if i < n:
        v = vec_load_part(line + i, n - i)
        found = vec_unless_nan(v, found)
        vec_store_part(line + i, rounded(v, low, high), n - i)
    vec_store(lanes, found)
    for i in range(VL):
        lost |= lanes[i] != lanes[i]
    return lost


cdef inline bint store_elements(element* target, const Image* image, Py_ssize_t pixels, Py_ssize_t channels,
                                const real* line) noexcept nogil:
    # Whether a number became infinite.
    cdef Py_ssize_t i, c
    cdef int32_t lost = 0
    cdef element value
    if image.channel_step == 1 and image.pixel_step == channels:
        for i in range(pixels * channels):
            if element is float or element is double:
                target[i] = <element>line[i]
                if sizeof(element) < sizeof(real):
                    lost |= becomes_infinite(line[i], target[i])
            else:
                target[i] = <element><int32_t>line[i]
        return lost != 0
    for i in range(pixels):
        for c in range(channels):
            if element is float or element is double:
                value = <element>line[i * channels + c]
                if sizeof(element) < sizeof(real):
                    lost |= becomes_infinite(line[i * channels + c], value)
            else:
                value = <element><int32_t>line[i * channels + c]
            target[i * image.pixel_step + c * image.channel_step] = value
    return lost != 0


cdef bint store_line(const Job* job, const Image* image, Py_ssize_t start, Py_ssize_t pixels, real* line) noexcept nogil:
    cdef Py_ssize_t n = pixels * job.channels
    cdef bint lost = False
    if job.kind == c"B":
        lost = round_line(line, n, 0, 255)
        store_elements(<uint8_t*>image.data + start, image, pixels, job.channels, line)
    elif job.kind == c"H":
        lost = round_line(line, n, 0, 65535)
        store_elements(<uint16_t*>image.data + start, image, pixels, job.channels, line)
    elif job.kind == c"h":
        lost = round_line(line, n, -32768, 32767)
        store_elements(<int16_t*>image.data + start, image, pixels, job.channels, line)
    elif job.kind == c"f":
        lost = store_elements(<float*>image.data + start, image, pixels, job.channels, line)
    else:
        lost = store_elements(<double*>image.data + start, image, pixels, job.channels, line)
    return lost


# ---- channels of a line ---------------------------------------------------------------------------
cdef inline vec take(const real* line, const int channels, const int channel) noexcept nogil:
    # One channel of VL pixels; reads no more than their numbers.
    cdef vec a, b, c, d
    if channels == 1:
        return vec_load(line)
    a, b = vec_load(line), vec_load(line + VL)
    if channels == 2:
        return vec_odd(a, b) if channel else vec_even(a, b)
    c = vec_load(line + 2 * VL)
    if channels == 3:
        return vec_third_0(a, b, c) if channel == 0 else vec_third_1(a, b, c) if channel == 1 else vec_third_2(a, b, c)
    d = vec_load(line + 3 * VL)
    if channel % 2:
        a, c = vec_odd(a, b), vec_odd(c, d)
    else:
        a, c = vec_even(a, b), vec_even(c, d)
    return vec_odd(a, c) if channel // 2 else vec_even(a, c)


cdef inline void spread(real* to, const real* line, Py_ssize_t pixels, vec scale, vec offset, bint stream,
                        const int channels, const int channel) noexcept nogil:
    # One channel of a line, scaled, to its plane. The line has VL pixels behind its end that may be read.
    cdef Py_ssize_t i = 0
    if stream:
        i = min(pixels, <Py_ssize_t>((-<size_t>to % VECTOR_BYTES) // sizeof(real)))
        vec_store_part(to, take(line, channels, channel) * scale + offset, i)
        while i + VL <= pixels:
            vec_stream(to + i, take(line + i * channels, channels, channel) * scale + offset)
            i += VL
    else:
        while i + VL <= pixels:
            vec_store(to + i, take(line + i * channels, channels, channel) * scale + offset)
            i += VL
    vec_store_part(to + i, take(line + i * channels, channels, channel) * scale + offset, pixels - i)


cdef void spread_channel(real* to, const real* line, Py_ssize_t pixels, real scale, real offset, bint stream,
                         Py_ssize_t channels, Py_ssize_t channel) noexcept nogil:
    cdef vec a = vec_set(scale), b = vec_set(offset)
    cdef Py_ssize_t i
    if channels == 1:
        spread(to, line, pixels, a, b, stream, 1, 0)
    elif channels == 2 and channel == 0:
        spread(to, line, pixels, a, b, stream, 2, 0)
    elif channels == 2:
        spread(to, line, pixels, a, b, stream, 2, 1)
    elif channels == 3 and channel == 0:
        spread(to, line, pixels, a, b, stream, 3, 0)
    elif channels == 3 and channel == 1:
        spread(to, line, pixels, a, b, stream, 3, 1)
    elif channels == 3:
        spread(to, line, pixels, a, b, stream, 3, 2)
    elif channels == 4 and channel == 0:
        spread(to, line, pixels, a, b, stream, 4, 0)
    elif channels == 4 and channel == 1:
        spread(to, line, pixels, a, b, stream, 4, 1)
    elif channels == 4 and channel == 2:
        spread(to, line, pixels, a, b, stream, 4, 2)
    elif channels == 4:
        spread(to, line, pixels, a, b, stream, 4, 3)
    else:
        for i in range(pixels):
            to[i] = line[i * channels + channel] * scale + offset


cdef struct Source:  # a plane, and how it is scaled
    const real* plane
    vec scale, offset


cdef inline vec scaled(const Source* source, Py_ssize_t at, Py_ssize_t n) noexcept nogil:
    # n numbers, at most VL.
    cdef const real* p = source.plane + at
    return (vec_load(p) if n == VL else vec_load_part(p, n)) * source.scale + source.offset


cdef inline void braid_some(const Source* source, Py_ssize_t at, Py_ssize_t n, real* line,
                            const int channels) noexcept nogil:
    # n pixels, at most VL; the line has room for VL.
    cdef vec a = scaled(&source[0], at, n), b, c, d
    if channels == 1:
        vec_store(line, a)
    elif channels == 2:
        b = scaled(&source[1], at, n)
        vec_store(line, vec_zip_low(a, b))
        vec_store(line + VL, vec_zip_high(a, b))
    elif channels == 3:
        b, c = scaled(&source[1], at, n), scaled(&source[2], at, n)
        vec_store(line, vec_braid_0(a, b, c))
        vec_store(line + VL, vec_braid_1(a, b, c))
        vec_store(line + 2 * VL, vec_braid_2(a, b, c))
    else:
        b, c, d = scaled(&source[1], at, n), scaled(&source[2], at, n), scaled(&source[3], at, n)
        vec_store(line, vec_zip_low(vec_zip_low(a, c), vec_zip_low(b, d)))
        vec_store(line + VL, vec_zip_high(vec_zip_low(a, c), vec_zip_low(b, d)))
        vec_store(line + 2 * VL, vec_zip_low(vec_zip_high(a, c), vec_zip_high(b, d)))
        vec_store(line + 3 * VL, vec_zip_high(vec_zip_high(a, c), vec_zip_high(b, d)))


cdef inline void find_sources(const Job* job, const real* planes, Source* source, const int channels) noexcept nogil:
    cdef Py_ssize_t plane
    cdef int c
    for c in range(channels):
        plane = job.order[c]
        source[c].plane = planes + plane * job.plane_step
        source[c].scale, source[c].offset = vec_set(<real>job.scale[plane]), vec_set(<real>job.offset[plane])


cdef inline void braid(const Job* job, const real* planes, Py_ssize_t pixels, real* line,
                       const int channels) noexcept nogil:
    # The planes' pixels, scaled, as a line.
    cdef Source source[4]
    cdef Py_ssize_t i = 0
    cdef int c
    find_sources(job, planes, source, channels)
    while i + VL <= pixels:
        for c in range(channels):
            prefetch(source[c].plane + i + AHEAD)
        braid_some(source, i, VL, line + i * channels, channels)
        i += VL
    if i < pixels:
        braid_some(source, i, pixels - i, line + i * channels, channels)


cdef void braid_planes(const Job* job, const real* planes, Py_ssize_t pixels, real* line) noexcept nogil:
    cdef Py_ssize_t i, c
    cdef real scale, offset
    if job.channels == 1:
        braid(job, planes, pixels, line, 1)
    elif job.channels == 2:
        braid(job, planes, pixels, line, 2)
    elif job.channels == 3:
        braid(job, planes, pixels, line, 3)
    elif job.channels == 4:
        braid(job, planes, pixels, line, 4)
    else:
        for c in range(job.channels):
            scale, offset = <real>job.scale[c], <real>job.offset[c]
            for i in range(pixels):
                line[i * job.channels + c] = planes[c * job.plane_step + i] * scale + offset


# ---- the images that networks give: three bytes a pixel, without a line between -------------------
cdef inline bint makes_three_bytes(const Job* job, const Image* image) noexcept nogil:
    # Where registers are long enough to gain by it.
    cdef bint packed = job.channels == 3 and image.pixel_step == 3 and image.channel_step == 1
    return job.back and packed and job.kind == c"B" and sizeof(real) == 4 and VL >= 8


cdef inline vec clamped(vec v) noexcept nogil:
    # NaN stays NaN.
    return vec_min(vec_set(255), vec_max(vec_set(0), v))


cdef Py_ssize_t braid_bytes(const Job* job, const real* planes, Py_ssize_t pixels, uint8_t* to,
                            bint* lost) noexcept nogil:
    # How many pixels were written: the last few are left to others, as a vector of bytes is stored past its pixels.
    cdef Source source[3]
    cdef Py_ssize_t i = 0
    cdef vec a, b, c, seen = vec_set(0)
    cdef int k
    cdef real lanes[VL]
    find_sources(job, planes, source, 3)
    while i + 2 * VL <= pixels:
        for k in range(3):
            prefetch(source[k].plane + i + AHEAD)
        a = clamped(scaled(&source[0], i, VL))
        b = clamped(scaled(&source[1], i, VL))
        c = clamped(scaled(&source[2], i, VL))
        seen = seen + (a + b + c)  # NaN from the first one on
        vec_store_thirds(to + 3 * i, a, b, c)
        i += VL
    vec_store(lanes, seen)
    for k in range(VL):
        lost[0] |= lanes[k] != lanes[k]
    return i


# ---- work -----------------------------------------------------------------------------------------
cdef Py_ssize_t runs(const Job* job) noexcept nogil:
    # Units in a row.
    return ceil_div(job.width, job.unit)


cdef bint run_unit(const Job* job, Py_ssize_t unit, real* line) noexcept nogil:
    # Some blocks of a row; whether a number was lost.
    cdef Py_ssize_t x = unit % runs(job) * job.unit, end = min(x + job.unit, job.width)
    cdef Py_ssize_t y, n, c, start
    cdef const Image* image
    cdef real* planes
    cdef bint lost = False
    unit //= runs(job)
    y = unit % job.height
    image = job.images + unit // job.height
    planes = job.planes + unit // job.height * job.planes_step + y * job.line_step
    if makes_three_bytes(job, image):
        x += braid_bytes(job, planes + x, end - x, <uint8_t*>image.data + y * image.row_step + 3 * x, &lost)
    while x < end:
        n = min(job.block, end - x)
        start = y * image.row_step + x * image.pixel_step
        if job.back:
            braid_planes(job, planes + x, n, line)
            lost |= store_line(job, image, start, n, line)
        else:
            lost |= load_line(job, image, start, n, line)
            for c in range(job.channels):
                spread_channel(planes + c * job.plane_step + x, line, n, <real>job.scale[c], <real>job.offset[c],
                               job.stream, job.channels, job.order[c])
        x += n
    return lost


cdef void run_units(const Job* job, Py_ssize_t first, Py_ssize_t end, char* scratch) noexcept nogil:
    # The scratch of a thread: whether it lost a number, and its line.
    cdef Py_ssize_t u
    cdef bint lost = False
    for u in range(first, end):
        lost |= run_unit(job, u, <real*>(scratch + 64))
    stream_fence()
    scratch[0] = lost


cdef bint execute(Job* job, int num_threads) except *:
    cdef Py_ssize_t t, i, units, size, channels = job.channels
    cdef char* scratch
    cdef bint lost = False, gapless = job.line_step == job.width
    for i in range(job.count):
        gapless = gapless and job.images[i].channel_step == 1 and job.images[i].pixel_step == channels
        gapless = gapless and (job.images[i].row_step == job.width * channels or job.height == 1)
    if gapless:
        job.width, job.height = job.width * job.height, 1
    job.block = max((BACK_BYTES if job.back else BLOCK_BYTES) // <Py_ssize_t>sizeof(real) // channels // VL, 1) * VL
    job.unit = ceil_div(UNIT_BYTES // <Py_ssize_t>sizeof(real) // channels, job.block) * job.block
    units = job.count * job.height * runs(job)
    num_threads = <int>min(<Py_ssize_t>num_threads, units)
    size = 64 + ceil_div((job.block + VL) * channels * <Py_ssize_t>sizeof(real), 64) * 64
    scratch = <char*>scratch_alloc(num_threads * size)
    if scratch == NULL:
        raise MemoryError("no memory for a line of pixels")
    with nogil:
        if num_threads == 1:    # no team: also what a forked child must do
            run_units(job, 0, units, scratch)
        else:
            for t in prange(num_threads, num_threads=num_threads, schedule="static"):
                run_units(job, units * t // num_threads, units * (t + 1) // num_threads, scratch + t * size)
        for t in range(num_threads):
            lost |= scratch[t * size]
        scratch_free(scratch)
    return lost


# ---- from Python ----------------------------------------------------------------------------------
cdef int read_image(object array, Image* image, char* kind, bint writable) except -1:
    # Where an HWC array lies; the caller keeps it alive.
    cdef Py_buffer view
    PyObject_GetBuffer(array, &view, PyBUF_RECORDS if writable else PyBUF_RECORDS_RO)
    image.data, kind[0] = view.buf, view.format[0]
    image.row_step = view.strides[0] // view.itemsize
    image.pixel_step = view.strides[1] // view.itemsize
    image.channel_step = 1 if view.shape[2] == 1 else view.strides[2] // view.itemsize
    PyBuffer_Release(&view)
    return 0


cdef bint run(tuple images, object planes, const Py_ssize_t[::1] order, const double[::1] scale,
              const double[::1] offset, bint stream, bint back, int num_threads) except *:
    cdef Job job
    cdef Py_ssize_t i, item = sizeof(real)
    cdef Py_buffer view
    job.count, job.stream, job.back = len(images), stream, back
    job.order, job.scale, job.offset = &order[0], &scale[0], &offset[0]
    PyObject_GetBuffer(planes, &view, PyBUF_RECORDS_RO if back else PyBUF_RECORDS)
    job.planes = <real*>view.buf
    job.channels, job.height, job.width = view.shape[1], view.shape[2], view.shape[3]
    job.planes_step, job.plane_step = view.strides[0] // item, view.strides[1] // item
    job.line_step = view.strides[2] // item if job.height > 1 else job.width
    PyBuffer_Release(&view)
    job.images = <Image*>scratch_alloc(job.count * sizeof(Image))
    if job.images == NULL:
        raise MemoryError("no memory for a table of images")
    try:
        for i in range(job.count):
            read_image(images[i], &job.images[i], &job.kind, back)
        return execute(&job, num_threads)
    finally:
        scratch_free(job.images)


def to_planes(tuple images not None, planes not None, const Py_ssize_t[::1] order not None,
              const double[::1] scale not None, const double[::1] offset not None, bint stream, int num_threads):
    """Write ``image[..., order[c]] * scale[c] + offset[c]`` to plane c of each image; whether a number overflowed.

    `images` are HWC, of one shape and dtype and of any strides; `planes` is BCHW, with gaps between its rows at most.
    """
    return run(images, planes, order, scale, offset, stream, False, num_threads)


def from_planes(tuple images not None, planes not None, const Py_ssize_t[::1] order not None,
                const double[::1] scale not None, const double[::1] offset not None, int num_threads):
    """Write ``planes[c] * scale[c] + offset[c]`` to channel order[c] of each image, integers to the nearest and saturated.

    Whether a number was lost: NaN became an integer, or a finite number infinite.
    """
    return run(images, planes, order, scale, offset, False, True, num_threads)

# Units of work, shared out among threads.
#
# A thread takes the units of its own share, side by side, one after another; when none is left it helps with those of
# others. Neighbours read and write the same cache lines, which therefore stay with one core; and a thread meets the same
# part of the arrays in every call, which its caches may still hold. No thread waits while there are units to take.
from cython.parallel cimport prange

cdef extern from * nogil:
    Py_ssize_t __atomic_load_n(Py_ssize_t* at, int order)
    Py_ssize_t __atomic_fetch_add(Py_ssize_t* at, Py_ssize_t n, int order)
    enum:
        __ATOMIC_RELAXED

cdef enum:
    MOST_SHARES = 64        # more threads than that share them
    PADDING = 14            # numbers between two shares: processors fetch cache lines in pairs

ctypedef void (*RunUnit)(const void* work, Py_ssize_t unit, char* scratch) noexcept nogil
ctypedef void (*Prepare)(const void* work, char* scratch) noexcept nogil

cdef struct Share:
    Py_ssize_t next, end
    Py_ssize_t padding[PADDING]


cdef inline Py_ssize_t take(Share* share) noexcept nogil:
    # A unit, or -1. Others may take the last one between the two steps.
    cdef Py_ssize_t unit
    if __atomic_load_n(&share.next, __ATOMIC_RELAXED) >= share.end:
        return -1
    unit = __atomic_fetch_add(&share.next, 1, __ATOMIC_RELAXED)
    return unit if unit < share.end else -1


cdef inline void run_shares(Prepare prepare, RunUnit run, const void* work, Share* shares, int count, int own,
                            char* scratch) noexcept nogil:
    # All units that are left, from those of the own share on.
    cdef Share* share
    cdef Py_ssize_t unit
    cdef int i
    if prepare != NULL:
        prepare(work, scratch)
    for i in range(count):
        share = shares + (own + i) % count
        unit = take(share)
        while unit >= 0:
            run(work, unit, scratch)
            unit = take(share)


cdef inline void run_units(RunUnit run, const void* work, Py_ssize_t units, int threads, char* scratch,
                           Py_ssize_t scratch_bytes) noexcept nogil:
    """Call `run(work, unit, scratch)` for all units, each thread with `scratch_bytes` of its own."""
    run_prepared(NULL, run, work, units, threads, scratch, scratch_bytes)


cdef inline void run_prepared(Prepare prepare, RunUnit run, const void* work, Py_ssize_t units, int threads,
                              char* scratch, Py_ssize_t scratch_bytes) noexcept nogil:
    """The same after `prepare(work, scratch)` by each thread: what another one wrote takes it long to fetch."""
    cdef Share shares[MOST_SHARES]
    cdef Share* first = shares
    cdef Py_ssize_t unit
    cdef int thread, count
    threads = <int>min(<Py_ssize_t>threads, units)
    count = min(threads, <int>MOST_SHARES)
    if threads <= 1:    # no team: also what a forked child must do
        if prepare != NULL:
            prepare(work, scratch)
        for unit in range(units):
            run(work, unit, scratch)
        return
    for thread in range(count):
        shares[thread].next, shares[thread].end = units * thread // count, units * (thread + 1) // count
    for thread in prange(threads, num_threads=threads, schedule="static"):
        run_shares(prepare, run, work, first, count, thread % count, scratch + thread * scratch_bytes)

"""What the machine at hand can run, asked with instructions that every machine has."""
from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_FromStringAndSize
from numpy import ndarray

from convkit._native.simd cimport VECTOR_BYTES, cpu_level, cpu_multiplies_twice

cdef extern from *:
    """
    #if defined(_OPENMP)
    #define CONVKIT_OPENMP _OPENMP
    #else
    #define CONVKIT_OPENMP 0
    #endif
    #if defined(__clang__)
    #define CONVKIT_COMPILER "clang " __clang_version__
    #else
    #define CONVKIT_COMPILER "gcc " __VERSION__
    #endif
    """
    const char* CONVKIT_COMPILER
    int CONVKIT_OPENMP


def machine_level():
    """0: the baseline of the architecture; 1: x86-64-v3 (AVX2 and FMA); 2: x86-64-v4 (AVX-512)."""
    return cpu_level()


cdef bint twice = cpu_multiplies_twice()    # asked once: under a hypervisor each answer takes microseconds


def multiplies_twice():
    """Whether it multiplies and adds two of AVX-512's registers a cycle."""
    return twice


def past_line(const unsigned char[::1] buffer not None):
    """Bytes from the start of `buffer` to the next boundary of 64."""
    return -<size_t>&buffer[0] % 64


def small_array(tuple shape not None, dtype, Py_ssize_t size):
    """An uninitialised array of `size` bytes on a boundary of 64: NumPy's own memory would take twice as long."""
    memory = PyByteArray_FromStringAndSize(NULL, size + 64)
    return ndarray(shape, dtype, memory, -<size_t>PyByteArray_AS_STRING(memory) % 64)


def build_facts():
    """Compiler, OpenMP's version date (0 where the build is serial) and the baseline's vector width in bytes."""
    return {
        "compiler": (<bytes>CONVKIT_COMPILER).decode(),
        "openmp": CONVKIT_OPENMP,
        "baseline_vector_bytes": VECTOR_BYTES,
    }

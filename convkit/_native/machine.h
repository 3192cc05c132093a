/* The machine: sizes that follow from its instruction set, and what the one at hand can run.
 *
 * Porting to another machine: give it a row in the table.
 */
#pragma once

/* Bytes of a vector register, and the GEMM register tile (GEMM_MR × GEMM_NV accumulators,
 *      GEMM_NV loaded vectors and a broadcast must fit the register file; GEMM_DEPTH rows of GEMM_NV vectors of
 *      pixels should about fit the L1 cache), and the tiles of depthwise and grouped convolution: sums of
 *      STRIP_ROWS rows of one output channel, or of STRIP_ROWS_PAIR rows of two, a loaded vector, and the weights
 *      of up to STRIP_CHUNK kernel rows (3 of them where there are two outputs); of STRIP_VECTORS_4 or
 *      STRIP_VECTORS_8 vectors of 4 or 8 outputs (0: too many for the machine), those vectors and a weight; of weight
 *      gradients: sums of GRAD_MR weights by 2 vectors of outputs, or twice as many by one; and of
 *      stencils: sums of STENCIL_VECTORS vectors of STENCIL_ROWS rows, those vectors and a weight of each row; of columns,
 *      whose weights stay in registers too, COLUMN_VECTORS.
 *      SUMS_BYTES and PLANES_BYTES of a unit of work share the L2 cache with weights. Where FORESEES_LINES, long
 *      runs of lines come unasked, and to ask takes longer than it saves. Where it SLIDES, to
 *      make a register of two neighbours takes no longer than to load it across two cache lines. Where it HALVES, half
 *      a register takes half the time on some machines; where it MASKS, loads of some lanes no longer than of all -- */
#if defined(__AVX512F__) /* 32 registers of 64 bytes */
#define VECTOR_BYTES 64
#define GEMM_MR 8
#define GEMM_NV 3
#define GEMM_DEPTH 192
#define STRIP_ROWS 8
#define STRIP_ROWS_PAIR 8
#define GRAD_MR 12
#define STRIP_CHUNK 7
#define STRIP_VECTORS_4 6
#define STRIP_VECTORS_8 3
#define STENCIL_ROWS 4
#define STENCIL_VECTORS 4
#define COLUMN_VECTORS 4
#define SUMS_BYTES (1 << 19)
#define PLANES_BYTES (1 << 19)
#define FORESEES_LINES 1
#define SLIDES 1
#define HALVES 1
#define MASKS 1
#elif defined(__AVX2__) /* 16 registers of 32 bytes */
#define VECTOR_BYTES 32
#define GEMM_MR 4
#define GEMM_NV 3
#define GEMM_DEPTH 256
#define STRIP_ROWS 8
#define STRIP_ROWS_PAIR 4
#define GRAD_MR 6
#define STRIP_CHUNK 7
#define STRIP_VECTORS_4 3
#define STRIP_VECTORS_8 0
#define STENCIL_ROWS 4
#define STENCIL_VECTORS 3
#define COLUMN_VECTORS 2
#define SUMS_BYTES (1 << 18)
#define PLANES_BYTES (1 << 17)
#define FORESEES_LINES 0
#define SLIDES 0
#define HALVES 0
#define MASKS 0
#elif defined(__aarch64__) /* 32 registers of 16 bytes; gcc keeps all broadcasts in registers of their own */
#define VECTOR_BYTES 16
#define GEMM_MR 8
#define GEMM_NV 2
#define GEMM_DEPTH 256
#define STRIP_ROWS 8
#define STRIP_ROWS_PAIR 8
#define GRAD_MR 8
#define STRIP_CHUNK 7
#define STRIP_VECTORS_4 4
#define STRIP_VECTORS_8 2
#define STENCIL_ROWS 4
#define STENCIL_VECTORS 4
#define COLUMN_VECTORS 4
#define SUMS_BYTES (1 << 19)
#define PLANES_BYTES (1 << 19)
#define FORESEES_LINES 1
#define SLIDES 0
#define HALVES 0
#define MASKS 0
#else /* x86-64 SSE2 (16 registers of 16 bytes, no FMA) and any other machine */
#define VECTOR_BYTES 16
#define GEMM_MR 4
#define GEMM_NV 2
#define GEMM_DEPTH 256
#define STRIP_ROWS 8
#define STRIP_ROWS_PAIR 2
#define GRAD_MR 6
#define STRIP_CHUNK 3
#define STRIP_VECTORS_4 2
#define STRIP_VECTORS_8 0
#define STENCIL_ROWS 4
#define STENCIL_VECTORS 2
#define COLUMN_VECTORS 2
#define SUMS_BYTES (1 << 19)
#define PLANES_BYTES (1 << 19)
#define FORESEES_LINES 0
#define SLIDES 0
#define HALVES 0
#define MASKS 0
#endif

/* Vectors of the GEMM's tile for a panel of so many rows, few enough that 8 sums would not be in flight. */
#define GEMM_WIDE(rows) (GEMM_MR * GEMM_NV / (rows) < 8 ? GEMM_MR * GEMM_NV / (rows) : 8)

/* What the machine at hand has: 0 the baseline, 1 x86-64-v3 (AVX2, FMA), 2 x86-64-v4 (AVX-512). */
#if defined(__x86_64__)
#include <cpuid.h>
static inline int cpu_level(void) {
  unsigned a, b, c, d, lo, hi;
  const unsigned v3_1c = 1u << 12 | 1u << 22 | 1u << 27 | 1u << 28 | 1u << 29; /* FMA MOVBE OSXSAVE AVX F16C */
  const unsigned v3_7b = 1u << 3 | 1u << 5 | 1u << 8;                          /* BMI1 AVX2 BMI2 */
  const unsigned v4_7b = 1u << 16 | 1u << 17 | 1u << 28 | 1u << 30 | 1u << 31; /* AVX-512 F DQ CD BW VL */
  if (!__get_cpuid(1, &a, &b, &c, &d) || (c & v3_1c) != v3_1c) return 0;
  __asm__("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0)); /* the operating system saves these registers */
  if ((lo & 0x06) != 0x06) return 0;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (b & v3_7b) != v3_7b) return 0;
  unsigned wide = b;
  if (!__get_cpuid(0x80000001, &a, &b, &c, &d) || !(c & 1u << 5)) return 0; /* LZCNT */
  return (wide & v4_7b) == v4_7b && (lo & 0xe6) == 0xe6 ? 2 : 1;
}
/* Whether it multiplies and adds two registers of 64 bytes a cycle: Intel's servers do, AMD's from family 26 (Zen 5) on,
 * whose earlier ones take them in halves. */
static inline int cpu_multiplies_twice(void) {
  unsigned most, b, c, d, signature;
  if (!__get_cpuid(0, &most, &b, &c, &d) || !__get_cpuid(1, &signature, &most, &c, &d)) return 0;
  return b == signature_INTEL_ebx || (b == signature_AMD_ebx && (signature >> 8 & 15) + (signature >> 20 & 255) >= 26);
}
/* Bytes of a core's second cache; 0 where they are not told. */
static inline long cpu_second_cache(void) {
  unsigned a, b, c, d;
  return __get_cpuid(0x80000006, &a, &b, &c, &d) ? (long)(c >> 16) << 10 : 0;
}
#else
static inline int cpu_level(void) { return 0; }
static inline int cpu_multiplies_twice(void) { return 0; }
static inline long cpu_second_cache(void) { return 0; }
#endif

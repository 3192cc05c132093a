/* The portable vector layer: GNU vector types, and what a vector type cannot say as named inline functions.
 *
 * Instruction sets are known here and in the headers that this one includes, and nowhere else: `machine.h` has the
 * sizes of each, `lanes.h` orders of lanes, `wide.h` sums of 16-bit products, `bytes.h` the way from bytes and back,
 * `bins.h` counts and flags of bytes.
 *
 * `real` is the element type of the build (float, or double under CONVKIT_FLOAT64, or int16_t under CONVKIT_INT16),
 * `vec` a register of VL of them, `stored` what an image holds that is computed in them without a copy.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* immintrin.h declares every extension that there is, which takes gcc half a second of each of a hundred builds;
 * up to AVX2 its parts are read alone. Their guard is against code that does not know which part it needs. */
#if defined(__x86_64__) && (defined(__clang__) || defined(__AVX512F__))
#include <immintrin.h>
#elif defined(__AVX2__)
#define _IMMINTRIN_H_INCLUDED
#include <smmintrin.h>
#include <avxintrin.h>
#include <avx2intrin.h>
#include <fmaintrin.h>
#elif defined(__x86_64__)
#include <emmintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif
#include "machine.h"

#if defined(CONVKIT_INT16)
typedef int16_t real;
typedef uint16_t real_bits;
typedef uint8_t stored;
#define VL (VECTOR_BYTES / 2)
#elif defined(CONVKIT_FLOAT64)
typedef double real;
typedef double stored;
typedef uint64_t real_bits;
#define VL (VECTOR_BYTES / 8)
#define FRACTION_BITS 52
#else
typedef float real;
typedef float stored;
typedef uint32_t real_bits;
#define VL (VECTOR_BYTES / 4)
#define FRACTION_BITS 23
#endif

#define INLINE static inline __attribute__((always_inline))

typedef real vec __attribute__((vector_size(VECTOR_BYTES)));
typedef real_bits vec_bits __attribute__((vector_size(VECTOR_BYTES))); /* an integer for each number */
typedef real vec_unaligned __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(real)), may_alias));

INLINE vec vec_load(const real *p) { return *(const vec_unaligned *)p; }
INLINE void vec_store(real *p, vec v) { *(vec_unaligned *)p = v; }
INLINE vec vec_set(real x) { return x - (vec){0}; }

/* v, held in a register: gcc would otherwise load it anew, as a memory operand, in every use. clang would not, and
 * brings all loads of pinned vectors forward until they do not fit the registers. */
#if defined(__clang__)
#define PIN(v)
#elif defined(__x86_64__)
#define PIN(v) __asm__("" : "+v"(v))
#elif defined(__aarch64__)
#define PIN(v) __asm__("" : "+w"(v))
#else
#define PIN(v)
#endif
INLINE vec vec_pin(vec v) {
  PIN(v);
  return v;
}

/* v, rounded: no product that a sum takes in unrounded. */
INLINE double rounded(double v) {
#if defined(__x86_64__)
  __asm__("" : "+x"(v));
  return v;
#elif defined(__aarch64__)
  __asm__("" : "+w"(v));
  return v;
#else
  volatile double stored = v;
  return stored;
#endif
}

/* n elements, fewer than VL: two overlapping copies of the largest power of two that fits, no loop. */
INLINE void copy_part(real *to, const real *from, ptrdiff_t n) {
#define CONVKIT_COPY_PART(k)                        \
  if (VL > k && n >= k) {                           \
    memcpy(to, from, k * sizeof(real));             \
    memcpy(to + n - k, from + n - k, k * sizeof(real)); \
    return;                                         \
  }
  CONVKIT_COPY_PART(16)
  CONVKIT_COPY_PART(8)
  CONVKIT_COPY_PART(4)
  CONVKIT_COPY_PART(2)
  CONVKIT_COPY_PART(1)
#undef CONVKIT_COPY_PART
}

/* The first n elements of v, at most VL. */
INLINE void vec_store_part(real *p, vec v, ptrdiff_t n) {
#if defined(__AVX512F__) && defined(CONVKIT_INT16)
  _mm512_mask_storeu_epi16(p, n == VL ? (__mmask32)-1 : ((__mmask32)1 << n) - 1, (__m512i)v);
#elif defined(__AVX512F__) && defined(CONVKIT_FLOAT64)
  _mm512_mask_storeu_pd(p, (__mmask8)((1u << n) - 1), (__m512d)v);
#elif defined(__AVX512F__)
  _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)v);
#else
  real lanes[VL];
  if (n == VL) {
    vec_store(p, v);
  } else {
    vec_store(lanes, v);
    copy_part(p, lanes, n);
  }
#endif
}

#ifdef CONVKIT_INT16
#include "wide.h"
#else
#include "lanes.h"

/* Lane by lane a where `choice` is not 0, else b. */
INLINE vec vec_choose(vec choice, vec a, vec b) {
  vec_bits mask = (vec_bits)(choice != 0);
  return (vec)(((vec_bits)a & mask) | ((vec_bits)b & ~mask));
}

/* Lane by lane x where a < b, which NaN never is, else y. */
INLINE vec vec_if_less(vec a, vec b, vec x, vec y) {
  vec_bits mask = (vec_bits)(a < b);
  return (vec)(((vec_bits)x & mask) | ((vec_bits)y & ~mask));
}

/* Lane by lane the greater of the two, or the lesser; b where one is NaN. */
#if defined(__x86_64__)
#if VECTOR_BYTES == 64
#define X86_REGISTER(name, type) _mm512_##name##_##type
#elif VECTOR_BYTES == 32
#define X86_REGISTER(name, type) _mm256_##name##_##type
#else
#define X86_REGISTER(name, type) _mm_##name##_##type
#endif
#ifdef CONVKIT_FLOAT64
#define X86(name) X86_REGISTER(name, pd)
#else
#define X86(name) X86_REGISTER(name, ps)
#endif
INLINE vec vec_max(vec a, vec b) { return X86(max)(a, b); }
INLINE vec vec_min(vec a, vec b) { return X86(min)(a, b); }
#else
INLINE vec vec_max(vec a, vec b) { return vec_if_less(b, a, a, b); }
INLINE vec vec_min(vec a, vec b) { return vec_if_less(a, b, a, b); }
#endif

INLINE vec vec_sqrt(vec v) {
#if defined(__x86_64__)
  return X86(sqrt)(v);
#else
  for (int i = 0; i < VL; i++) v[i] = (real)__builtin_sqrt(v[i]);
  return v;
#endif
}

INLINE vec vec_length(vec x, vec y) { return vec_sqrt(x * x + y * y); }

/* Lane by lane `other`, or v where that is NaN. */
INLINE vec vec_unless_nan(vec v, vec other) {
  vec_bits mask = (vec_bits)(v == v);
  return (vec)(((vec_bits)other & mask) | ((vec_bits)v & ~mask));
}

/* |v| with the sign of `sign`. */
INLINE vec vec_with_sign(vec v, vec sign) {
  const vec_bits bit = (vec_bits)vec_set(-(real)0);
  return (vec)(((vec_bits)v & ~bit) | ((vec_bits)sign & bit));
}

/* -|v| */
INLINE vec vec_minus_abs(vec v) { return (vec)((vec_bits)v | (vec_bits)vec_set(-(real)0)); }

/* v · 2ᵏ, k the whole number in the low bits of `power`, where both v and the result are normal. */
INLINE vec vec_exponent_add(vec v, vec power) { return (vec)((vec_bits)v + ((vec_bits)power << FRACTION_BITS)); }

/* The lower half of a register. */
typedef real half_vec __attribute__((vector_size(VECTOR_BYTES / 2)));
typedef real half_unaligned __attribute__((vector_size(VECTOR_BYTES / 2), aligned(sizeof(real)), may_alias));
INLINE half_vec half_load(const real *p) { return *(const half_unaligned *)p; }
INLINE void half_store(real *p, half_vec v) { *(half_unaligned *)p = v; }
INLINE half_vec half_set(real x) { return x - (half_vec){0}; }
INLINE half_vec half_pin(half_vec v) {
  PIN(v);
  return v;
}
INLINE void half_store_part(real *p, half_vec v, ptrdiff_t n) {
#if defined(__AVX512VL__) && !defined(CONVKIT_FLOAT64)
  _mm256_mask_storeu_ps(p, (__mmask8)((1u << n) - 1), (__m256)v);
#else
  memcpy(p, &v, n * sizeof(real));
#endif
}

/* One row of a weight panel: GEMM_MR output channels side by side. */
typedef real panel_vec __attribute__((vector_size(GEMM_MR * sizeof(real))));
typedef real panel_unaligned __attribute__((vector_size(GEMM_MR * sizeof(real)), aligned(sizeof(real)), may_alias));
INLINE panel_vec panel_load(const real *p) { return *(const panel_unaligned *)p; }
INLINE void panel_store(real *p, panel_vec v) { *(panel_unaligned *)p = v; }
INLINE panel_vec panel_set(real x) { return x - (panel_vec){0}; }

/* The same in double, and back, rounded to nearest. */
typedef double panel_f64 __attribute__((vector_size(GEMM_MR * sizeof(double))));
INLINE panel_f64 panel_to_f64(panel_vec v) { return __builtin_convertvector(v, panel_f64); }
INLINE panel_vec panel_from_f64(panel_f64 v) { return __builtin_convertvector(v, panel_vec); }

/* The n elements at p, at most VL, and zeros. */
INLINE vec vec_load_part(const real *p, ptrdiff_t n) {
#if defined(__AVX512F__) && defined(CONVKIT_FLOAT64)
  return (vec)_mm512_maskz_loadu_pd((__mmask8)((1u << n) - 1), p);
#elif defined(__AVX512F__)
  return (vec)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
#elif defined(__AVX2__) && defined(CONVKIT_FLOAT64)
  static const int64_t lanes[2 * VL] = {-1, -1, -1, -1};
  return (vec)_mm256_maskload_pd(p, _mm256_loadu_si256((const __m256i *)(lanes + VL - n)));
#elif defined(__AVX2__) && !defined(CONVKIT_INT16)
  static const int32_t lanes[2 * VL] = {-1, -1, -1, -1, -1, -1, -1, -1};
  return (vec)_mm256_maskload_ps(p, _mm256_loadu_si256((const __m256i *)(lanes + VL - n)));
#else
  real lanes[VL] = {0};
  if (n == VL) return vec_load(p);
  copy_part(lanes, p, n);
  return vec_load(lanes);
#endif
}

/* VL elements of the two registers, from `by` on. clang wants a constant before it has unrolled the loop. */
#if SLIDES && defined(__clang__) && defined(CONVKIT_FLOAT64)
INLINE vec vec_slide(vec a, vec b, const int by) {
  const vec_bits lanes = (vec_bits){0, 1, 2, 3, 4, 5, 6, 7} + (real_bits)by;
  return (vec)_mm512_permutex2var_pd((__m512d)a, (__m512i)lanes, (__m512d)b);
}
#elif SLIDES && defined(__clang__)
INLINE vec vec_slide(vec a, vec b, const int by) {
  const vec_bits lanes = (vec_bits){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15} + (real_bits)by;
  return (vec)_mm512_permutex2var_ps((__m512)a, (__m512i)lanes, (__m512)b);
}
#elif SLIDES && defined(CONVKIT_FLOAT64)
INLINE vec vec_slide(vec a, vec b, const int by) { return (vec)_mm512_alignr_epi64((__m512i)b, (__m512i)a, by); }
#elif SLIDES
INLINE vec vec_slide(vec a, vec b, const int by) { return (vec)_mm512_alignr_epi32((__m512i)b, (__m512i)a, by); }
#else
INLINE vec vec_slide(vec a, vec b, const int by) { return (void)b, (void)by, a; } /* is not called */
#endif

/* A set of lanes, a bit for each: those from `first` up to, not with, `end`. */
typedef uint16_t vec_lanes;
#define ALL_LANES ((vec_lanes)((1u << VL) - 1))
INLINE vec_lanes lanes_between(ptrdiff_t first, ptrdiff_t end) {
  if (end > VL) end = VL;
  if (first < 0) first = 0;
  return first < end ? (vec_lanes)((1u << end) - (1u << first)) : 0;
}

/* The elements of p in `lanes`, and `other`'s in the others: there, p is not read. */
INLINE vec vec_load_lanes(const real *p, vec_lanes lanes, vec other) {
#if defined(__AVX512F__) && defined(CONVKIT_FLOAT64)
  return (vec)_mm512_mask_loadu_pd((__m512d)other, (__mmask8)lanes, p);
#elif defined(__AVX512F__)
  return (vec)_mm512_mask_loadu_ps((__m512)other, lanes, p);
#else
  if (lanes == ALL_LANES) return vec_load(p);
#if defined(__AVX2__)
  const vec_bits bit = (vec_bits){LANES(LANE_BIT, 0)}, mask = (vec_bits)((bit & lanes) != 0);
#ifdef CONVKIT_FLOAT64
  const vec found = (vec)_mm256_maskload_pd(p, (__m256i)mask);
#else
  const vec found = (vec)_mm256_maskload_ps(p, (__m256i)mask);
#endif
  return (vec)(((vec_bits)found & mask) | ((vec_bits)other & ~mask));
#else
  for (int i = 0; i < VL; i++)
    if (lanes >> i & 1) other[i] = p[i];
  return other;
#endif
#endif
}

/* The same of half a register, and zeros. */
INLINE half_vec half_load_lanes(const real *p, vec_lanes lanes) {
#if defined(__AVX512VL__) && !defined(CONVKIT_FLOAT64)
  return (half_vec)_mm256_maskz_loadu_ps((__mmask8)lanes, p);
#else
  half_vec v = {0};
  for (int i = 0; i < VL / 2; i++)
    if (lanes >> i & 1) v[i] = p[i];
  return v;
#endif
}

/* v in `lanes`, and zeros. */
INLINE vec vec_in_lanes(vec v, vec_lanes lanes) {
#if defined(__AVX512F__) && defined(CONVKIT_FLOAT64)
  return (vec)_mm512_maskz_mov_pd((__mmask8)lanes, (__m512d)v);
#elif defined(__AVX512F__)
  return (vec)_mm512_maskz_mov_ps(lanes, (__m512)v);
#else
  const vec_bits bit = (vec_bits){LANES(LANE_BIT, 0)};
  return (vec)((vec_bits)v & (vec_bits)((bit & lanes) != 0));
#endif
}

/* The number at p in `lanes`, v in the others. */
INLINE vec vec_set_lanes(vec v, vec_lanes lanes, const real *p) {
#if defined(__AVX512F__) && defined(CONVKIT_FLOAT64)
  return (vec)_mm512_mask_broadcastsd_pd((__m512d)v, (__mmask8)lanes, _mm_load_sd(p));
#elif defined(__AVX512F__)
  return (vec)_mm512_mask_broadcastss_ps((__m512)v, lanes, _mm_load_ss(p));
#else
  const vec_bits bit = (vec_bits){LANES(LANE_BIT, 0)}, mask = (vec_bits)((bit & lanes) != 0);
  return (vec)(((vec_bits)vec_set(*p) & mask) | ((vec_bits)v & ~mask));
#endif
}

#endif /* of floating-point builds */

/* ---- memory ------------------------------------------------------------------------------------------- */
/* Asks for the cache line of p, which is about to be read. */
INLINE void prefetch(const void *p) { __builtin_prefetch(p, 0, 3); }
/* The same for one that is read later: it may wait in the second cache. */
INLINE void prefetch_far(const void *p) { __builtin_prefetch(p, 0, 2); }
/* The same for a line that is about to be written. */
INLINE void prefetch_write(const real *p) { __builtin_prefetch(p, 1, 3); }

/* A store around the caches, p aligned as a vector: the line is not read before it is written. Another thread
 * sees it after the fence. */
#if defined(__x86_64__) && !defined(CONVKIT_INT16)
INLINE void vec_stream(real *p, vec v) { X86(stream)(p, v); }
INLINE void stream_fence(void) { _mm_sfence(); }
#else
INLINE void vec_stream(real *p, vec v) { vec_store(p, v); }
INLINE void stream_fence(void) {}
#endif

#define LINE (64 / (ptrdiff_t)sizeof(real)) /* elements of a cache line */

/* 64-byte-aligned scratch (NULL when there is no memory). */
#if defined(_WIN32)
INLINE void *scratch_alloc(size_t bytes) { return _aligned_malloc(bytes ? bytes : 1, 64); }
INLINE void scratch_free(void *p) { _aligned_free(p); }
#else
INLINE void *scratch_alloc(size_t bytes) {
  void *p = NULL;
  return posix_memalign(&p, 64, bytes ? bytes : 1) ? NULL : p;
}
INLINE void scratch_free(void *p) { free(p); }
#endif

#include "bins.h"
#include "bytes.h"

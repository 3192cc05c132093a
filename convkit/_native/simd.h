/* The portable vector layer: GNU vector types, and what a vector type cannot say as named inline functions.
 *
 * The only file that knows instruction sets. Porting to another machine: give it a row in the table below.
 *
 * `real` is the element type of the build (float, or double under CONVKIT_FLOAT64, or int16_t under CONVKIT_INT16),
 * `vec` a register of VL of them, `stored` what an image holds that is computed in them without a copy.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

/* ---- the machine: bytes of a vector register, and the GEMM register tile (GEMM_MR × GEMM_NV accumulators,
 *      GEMM_NV loaded vectors and a broadcast must fit the register file; GEMM_DEPTH rows of GEMM_NV vectors of
 *      pixels should about fit the L1 cache), and the tiles of depthwise and grouped convolution: sums of
 *      STRIP_ROWS rows of one output channel, or of STRIP_ROWS_PAIR rows of two, a loaded vector, and the weights
 *      of up to STRIP_CHUNK kernel rows (3 of them where there are two outputs); of STRIP_VECTORS_4 or
 *      STRIP_VECTORS_8 vectors of 4 or 8 outputs (0: too many for the machine), those vectors and a weight; of weight
 *      gradients: sums of GRAD_MR weights by 2 vectors of outputs, or twice as many by one; and of
 *      stencils: sums of STENCIL_VECTORS vectors of STENCIL_ROWS rows, those vectors and a weight of each row.
 *      SUMS_BYTES and PLANES_BYTES of a unit of work share the L2 cache with weights. Of lines that are read in turn, one
 *      in STREAM_LINES is asked for: processors that bring the others unasked need no more -- */
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
#define SUMS_BYTES (1 << 19)
#define PLANES_BYTES (1 << 19)
#define STREAM_LINES 8
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
#define SUMS_BYTES (1 << 18)
#define PLANES_BYTES (1 << 17)
#define STREAM_LINES 1
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
#define SUMS_BYTES (1 << 19)
#define PLANES_BYTES (1 << 19)
#define STREAM_LINES 8
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
#define SUMS_BYTES (1 << 19)
#define PLANES_BYTES (1 << 19)
#define STREAM_LINES 1
#endif

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

/* Vectors of the GEMM's tile for a panel of so many rows, few enough that 8 sums would not be in flight. */
#define GEMM_WIDE(rows) (GEMM_MR * GEMM_NV / (rows) < 8 ? GEMM_MR * GEMM_NV / (rows) : 8)

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

/* Nothing is read early past this place. gcc does not; clang does, until the registers are too few. */
INLINE void in_order(void) {
#if defined(__clang__)
  __asm__ volatile("" : : : "memory");
#endif
}

/* VL pixels, as numbers. */
#ifdef CONVKIT_INT16
INLINE vec vec_load_pixels(const stored *p) {
#if defined(__AVX512BW__)
  return (vec)_mm512_cvtepu8_epi16(_mm256_loadu_si256((const void *)p));
#elif defined(__AVX2__)
  return (vec)_mm256_cvtepu8_epi16(_mm_loadu_si128((const void *)p));
#elif defined(__SSE2__)
  return (vec)_mm_unpacklo_epi8(_mm_loadl_epi64((const void *)p), _mm_setzero_si128());
#else
  typedef uint8_t pixels_unaligned __attribute__((vector_size(VL), aligned(1), may_alias));
  return __builtin_convertvector(*(const pixels_unaligned *)p, vec);
#endif
}
#else
INLINE vec vec_load_pixels(const stored *p) { return vec_load(p); }
#endif

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

/* ---- sums of 16-bit products in 32 bits: two registers hold those of VL lanes, in an order of their own ------- */
#ifdef CONVKIT_INT16
typedef int32_t vec_wide __attribute__((vector_size(VECTOR_BYTES)));
INLINE vec_wide wide_set(int32_t x) { return x - (vec_wide){0}; }
INLINE vec_wide wide_pair(int16_t a, int16_t b) { return wide_set((int32_t)((uint32_t)(uint16_t)b << 16 | (uint16_t)a)); }

/* Adds a·w + b·w' in every lane, w and w' being the two of `weights`. */
INLINE void wide_add_products(vec_wide *low, vec_wide *high, vec a, vec b, vec_wide weights) {
#if defined(__AVX512BW__)
  *low += (vec_wide)_mm512_madd_epi16(_mm512_unpacklo_epi16((__m512i)a, (__m512i)b), (__m512i)weights);
  *high += (vec_wide)_mm512_madd_epi16(_mm512_unpackhi_epi16((__m512i)a, (__m512i)b), (__m512i)weights);
#elif defined(__AVX2__)
  *low += (vec_wide)_mm256_madd_epi16(_mm256_unpacklo_epi16((__m256i)a, (__m256i)b), (__m256i)weights);
  *high += (vec_wide)_mm256_madd_epi16(_mm256_unpackhi_epi16((__m256i)a, (__m256i)b), (__m256i)weights);
#elif defined(__SSE2__)
  *low += (vec_wide)_mm_madd_epi16(_mm_unpacklo_epi16((__m128i)a, (__m128i)b), (__m128i)weights);
  *high += (vec_wide)_mm_madd_epi16(_mm_unpackhi_epi16((__m128i)a, (__m128i)b), (__m128i)weights);
#else
  const vec w = (vec)weights;
  for (int i = 0; i < VL / 2; i++) {
    (*low)[i] += a[i] * w[0] + b[i] * w[1];
    (*high)[i] += a[i + VL / 2] * w[0] + b[i + VL / 2] * w[1];
  }
#endif
}

/* The same for products of neighbours: of every even lane and the one after it. */
INLINE vec_wide wide_pairs(vec a, vec_wide weights) {
#if defined(__AVX512BW__)
  return (vec_wide)_mm512_madd_epi16((__m512i)a, (__m512i)weights);
#elif defined(__AVX2__)
  return (vec_wide)_mm256_madd_epi16((__m256i)a, (__m256i)weights);
#elif defined(__SSE2__)
  return (vec_wide)_mm_madd_epi16((__m128i)a, (__m128i)weights);
#else
  const vec w = (vec)weights;
  vec_wide sum;
  for (int i = 0; i < VL / 2; i++) sum[i] = a[2 * i] * w[0] + a[2 * i + 1] * w[1];
  return sum;
#endif
}

/* The upper halves of the sums, unsigned, in the order of the lanes; they are at most 32767. */
INLINE vec wide_upper(vec_wide low, vec_wide high) {
#if defined(__AVX512BW__)
  return (vec)_mm512_packus_epi32(_mm512_srli_epi32((__m512i)low, 16), _mm512_srli_epi32((__m512i)high, 16));
#elif defined(__AVX2__)
  return (vec)_mm256_packus_epi32(_mm256_srli_epi32((__m256i)low, 16), _mm256_srli_epi32((__m256i)high, 16));
#elif defined(__SSE2__)
  return (vec)_mm_packs_epi32(_mm_srli_epi32((__m128i)low, 16), _mm_srli_epi32((__m128i)high, 16));
#else
  vec upper = {0};
  for (int i = 0; i < VL / 2; i++) {
    upper[i] = (int16_t)((uint32_t)low[i] >> 16);
    upper[i + VL / 2] = (int16_t)((uint32_t)high[i] >> 16);
  }
  return upper;
#endif
}

/* Of each sum, which is not negative, the integer nearest to sum · factor + offset, at most 32767. */
INLINE vec wide_scaled(vec_wide low, vec_wide high, float factor, float offset) {
  typedef float vec_float __attribute__((vector_size(VECTOR_BYTES)));
  const float magic = 12582912.0f; /* 1.5 · 2²³: what is added to it leaves its integer in the low bits */
  const vec_float a = __builtin_convertvector(low, vec_float) * factor + offset;
  const vec_float b = __builtin_convertvector(high, vec_float) * factor + offset;
  return wide_upper((vec_wide)(a + magic) << 16, (vec_wide)(b + magic) << 16);
}

/* The upper halves of the sums of even lanes and of odd ones. */
INLINE vec wide_merge(vec_wide even, vec_wide odd) {
  typedef uint32_t bits __attribute__((vector_size(VECTOR_BYTES)));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#error "the lanes are numbered from the low bits on"
#endif
  return (vec)(((bits)even >> 16) | ((bits)odd & 0xffff0000u));
}

/* a · factor / 2¹⁶, unsigned, rounded down. */
INLINE vec vec_upper_product(vec a, uint16_t factor) {
#if defined(__AVX512BW__)
  return (vec)_mm512_mulhi_epu16((__m512i)a, _mm512_set1_epi16((short)factor));
#elif defined(__AVX2__)
  return (vec)_mm256_mulhi_epu16((__m256i)a, _mm256_set1_epi16((short)factor));
#elif defined(__SSE2__)
  return (vec)_mm_mulhi_epu16((__m128i)a, _mm_set1_epi16((short)factor));
#else
  for (int i = 0; i < VL; i++) a[i] = (int16_t)((uint32_t)(uint16_t)a[i] * factor >> 16);
  return a;
#endif
}
INLINE vec vec_shift_down(vec a, int count) { return (vec)((vec_bits)a >> (uint16_t)count); }

/* The lanes of a, and behind them those of b, as pixels: all are in 0..255. */
INLINE void vec_store_pixels(stored *p, vec a, vec b) {
#if defined(__AVX512BW__)
  const __m512i order = _mm512_set_epi64(7, 5, 3, 1, 6, 4, 2, 0);
  _mm512_storeu_si512(p, _mm512_permutexvar_epi64(order, _mm512_packus_epi16((__m512i)a, (__m512i)b)));
#elif defined(__AVX2__)
  _mm256_storeu_si256((void *)p, _mm256_permute4x64_epi64(_mm256_packus_epi16((__m256i)a, (__m256i)b), 0xd8));
#elif defined(__SSE2__)
  _mm_storeu_si128((void *)p, _mm_packus_epi16((__m128i)a, (__m128i)b));
#else
  for (int i = 0; i < VL; i++) p[i] = (stored)a[i], p[i + VL] = (stored)b[i];
#endif
}
#endif

#ifdef CONVKIT_INT16
#define ROUNDS_BYTES 0
INLINE void vec_store_bytes(uint8_t *p, const vec *v) { (void)p, (void)v; }
INLINE void load_bytes(stored *line, const uint8_t *p, ptrdiff_t n) { memcpy(line, p, n); }
#endif

#ifndef CONVKIT_INT16
/* ---- orders of lanes: of two registers, lanes 0..VL-1 are the first's and VL..2·VL-1 the second's ------- */
#if VL == 16
#define LANES(F, p)                                                                     \
  F(0, p), F(1, p), F(2, p), F(3, p), F(4, p), F(5, p), F(6, p), F(7, p), \
  F(8, p), F(9, p), F(10, p), F(11, p), F(12, p), F(13, p), F(14, p), F(15, p)
#elif VL == 8
#define LANES(F, p) F(0, p), F(1, p), F(2, p), F(3, p), F(4, p), F(5, p), F(6, p), F(7, p)
#elif VL == 4
#define LANES(F, p) F(0, p), F(1, p), F(2, p), F(3, p)
#else
#define LANES(F, p) F(0, p), F(1, p)
#endif
#define LANE_BIT(i, p) 1 << (i)
#define LANE_HALF(i, p) 2 * (i) + (p)
#define LANE_ZIP(i, p) (i) / 2 + (p) * (VL / 2) + (i) % 2 * VL
#define LANE_SHIFT(i, p) (i) < VL - 1 ? (i) + 1 : 2 * VL - 1 - (p)
/* Every third, in two steps: those of a and b, and then the others, of c. */
#define LANE_THIRD(i, p) 3 * (i) + (p) < 2 * VL ? 3 * (i) + (p) : 0
#define LANE_THIRD_C(i, p) 3 * (i) + (p) < 2 * VL ? (i) : 3 * (i) + (p) - VL
#define VEC_THIRD(p) \
  __builtin_shufflevector(__builtin_shufflevector(a, b, LANES(LANE_THIRD, p)), c, LANES(LANE_THIRD_C, p))

/* The way back: lanes of a, b and c by turns, in two steps too. */
#define LANE_BRAID(i, p) \
  (VL * (p) + (i)) % 3 == 0 ? (VL * (p) + (i)) / 3 : (VL * (p) + (i)) % 3 == 1 ? VL + (VL * (p) + (i)) / 3 : 0
#define LANE_BRAID_C(i, p) (VL * (p) + (i)) % 3 == 2 ? VL + (VL * (p) + (i)) / 3 : (i)
#define VEC_BRAID(p) \
  __builtin_shufflevector(__builtin_shufflevector(a, b, LANES(LANE_BRAID, p)), c, LANES(LANE_BRAID_C, p))

#if VECTOR_BYTES == 32 && VL == 8
/* Inside each half of 16 bytes, then pair by pair: two instructions, where gcc would take three and two tables. */
typedef double vec_pairs __attribute__((vector_size(VECTOR_BYTES)));
INLINE vec swap_middle_pairs(vec v) { return (vec)__builtin_shufflevector((vec_pairs)v, (vec_pairs)v, 0, 2, 1, 3); }
INLINE vec vec_even_mixed(vec a, vec b) { return __builtin_shufflevector(a, b, 0, 2, 8, 10, 4, 6, 12, 14); }
INLINE vec vec_odd_mixed(vec a, vec b) { return __builtin_shufflevector(a, b, 1, 3, 9, 11, 5, 7, 13, 15); }
INLINE vec vec_unmixed(vec v) { return swap_middle_pairs(v); }
#else
INLINE vec vec_even_mixed(vec a, vec b) { return __builtin_shufflevector(a, b, LANES(LANE_HALF, 0)); }
INLINE vec vec_odd_mixed(vec a, vec b) { return __builtin_shufflevector(a, b, LANES(LANE_HALF, 1)); }
INLINE vec vec_unmixed(vec v) { return v; }
#endif
/* Every second lane of the two registers, from lane 0 or 1 on; mixed: in whatever order costs least. */
INLINE vec vec_even(vec a, vec b) { return vec_unmixed(vec_even_mixed(a, b)); }
INLINE vec vec_odd(vec a, vec b) { return vec_unmixed(vec_odd_mixed(a, b)); }
INLINE vec vec_zip_low(vec a, vec b) { return __builtin_shufflevector(a, b, LANES(LANE_ZIP, 0)); }
INLINE vec vec_zip_high(vec a, vec b) { return __builtin_shufflevector(a, b, LANES(LANE_ZIP, 1)); }

/* `rows` registers, a power of two: of their lanes in one line, number j of register i becomes number j·rows + i. */
INLINE void vec_interleave(vec *v, const int rows) {
  vec w[16];
  for (int step = 1; step < rows; step *= 2) {
    for (int i = 0; i < rows / 2; i++) {
      w[2 * i] = vec_zip_low(v[i], v[i + rows / 2]);
      w[2 * i + 1] = vec_zip_high(v[i], v[i + rows / 2]);
    }
    for (int i = 0; i < rows; i++) v[i] = w[i];
  }
}

/* VL registers of VL lanes: lane j of register i changes places with lane i of register j. */
INLINE void vec_transpose(vec *v) { vec_interleave(v, VL); }

/* Every third lane of the three registers, from lane 0, 1 or 2 on. */
INLINE vec vec_third_0(vec a, vec b, vec c) { return VEC_THIRD(0); }
INLINE vec vec_third_1(vec a, vec b, vec c) { return VEC_THIRD(1); }
INLINE vec vec_third_2(vec a, vec b, vec c) { return VEC_THIRD(2); }

/* The first, second and third register of the lanes of a, b and c by turns. */
INLINE vec vec_braid_0(vec a, vec b, vec c) { return VEC_BRAID(0); }
INLINE vec vec_braid_1(vec a, vec b, vec c) { return VEC_BRAID(1); }
INLINE vec vec_braid_2(vec a, vec b, vec c) { return VEC_BRAID(2); }

/* The lanes of a, b and c, whole numbers of 0..255, by turns as bytes. May write 4·VL of them, the last VL of no meaning. */
INLINE void vec_store_thirds(uint8_t *p, vec a, vec b, vec c) {
#if VL >= 8 && !defined(CONVKIT_FLOAT64)
#define TRIPLES(p)                                                                                                 \
  (p), (p) + 1, (p) + 2, (p) + 4, (p) + 5, (p) + 6, (p) + 8, (p) + 9, (p) + 10, (p) + 12, (p) + 13, (p) + 14, (p) + 3, \
  (p) + 7, (p) + 11, (p) + 15
#define LANE_PACK(i, p) (i) < VL * 3 / 4 ? (i) / 3 * 4 + (i) % 3 : 0
  typedef uint8_t vec_bytes __attribute__((vector_size(VECTOR_BYTES)));
  const vec unit = vec_set(8388608); /* the low bits of its sum with a whole number are the number */
  const vec_bits pixels = (vec_bits)(a + unit) | (vec_bits)(b + unit) << 8 | (vec_bits)(c + unit) << 16;
  const vec_bytes bytes = (vec_bytes)pixels; /* the fourth of a lane goes behind the others: of 16 bytes, then of all */
#if VL == 16
  const vec_bits fours = (vec_bits)__builtin_shufflevector(bytes, bytes, TRIPLES(0), TRIPLES(16), TRIPLES(32), TRIPLES(48));
#else
  const vec_bits fours = (vec_bits)__builtin_shufflevector(bytes, bytes, TRIPLES(0), TRIPLES(16));
#endif
  const vec_bits packed = __builtin_shufflevector(fours, fours, LANES(LANE_PACK, 0));
  memcpy(p, &packed, VECTOR_BYTES);
#else
  for (int i = 0; i < VL; i++) p[3 * i] = (uint8_t)a[i], p[3 * i + 1] = (uint8_t)b[i], p[3 * i + 2] = (uint8_t)c[i];
#endif
}

/* Lanes 1, 2, ... of a, and after them the last lane of b, or the last but one. */
INLINE vec vec_shift_last(vec a, vec b) { return __builtin_shufflevector(a, b, LANES(LANE_SHIFT, 0)); }
INLINE vec vec_shift_last_but_one(vec a, vec b) { return __builtin_shufflevector(a, b, LANES(LANE_SHIFT, 1)); }

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

/* Lane by lane `other`, or v where that is NaN. */
INLINE vec vec_unless_nan(vec v, vec other) {
  vec_bits mask = (vec_bits)(v == v);
  return (vec)(((vec_bits)other & mask) | ((vec_bits)v & ~mask));
}

/* The numbers of 4 registers as bytes: to the nearest, halves to even, saturated, NaN to 0. Where ROUNDS_BYTES is 0, the
 * machine has no short way, and this is not called. */
#if defined(__AVX2__) && !defined(CONVKIT_FLOAT64)
#define ROUNDS_BYTES 1
INLINE void vec_store_bytes(uint8_t *p, const vec *v) {
#if VECTOR_BYTES == 64
  for (int k = 0; k < 4; k++) {
    const __m512i whole = _mm512_cvtps_epi32(vec_min(vec_set(255), v[k])); /* NaN: the least integer */
    _mm_storeu_si128((void *)(p + k * VL), _mm512_cvtusepi32_epi8(_mm512_max_epi32(whole, _mm512_setzero_si512())));
  }
#else
  __m256i whole[4];
  for (int k = 0; k < 4; k++) whole[k] = _mm256_cvtps_epi32(vec_min(vec_set(255), v[k]));
  whole[0] = _mm256_packus_epi16(_mm256_packs_epi32(whole[0], whole[1]), _mm256_packs_epi32(whole[2], whole[3]));
  _mm256_storeu_si256((void *)p, _mm256_permutevar8x32_epi32(whole[0], _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7)));
#endif
}
#else
#define ROUNDS_BYTES 0
INLINE void vec_store_bytes(uint8_t *p, const vec *v) { (void)p, (void)v; }
#endif

/* VL bytes as numbers. */
INLINE vec vec_load_bytes(const uint8_t *p) {
#if defined(__AVX512F__) && defined(CONVKIT_FLOAT64)
  return _mm512_cvtepi32_pd(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)p)));
#elif defined(__AVX512F__)
  return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)p)));
#elif defined(__AVX2__) && defined(CONVKIT_FLOAT64)
  return _mm256_cvtepi32_pd(_mm_cvtepu8_epi32(_mm_loadu_si32(p)));
#elif defined(__AVX2__)
  return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)p)));
#else
  vec v;
  for (int i = 0; i < VL; i++) v[i] = p[i];
  return v;
#endif
}

INLINE void load_bytes(stored *line, const uint8_t *p, ptrdiff_t n) {
  ptrdiff_t i = 0;
  for (; i + VL <= n; i += VL) vec_store(line + i, vec_load_bytes(p + i));
  for (; i < n; i++) line[i] = p[i];
}

/* Sixteen bytes in another order: `order` tells of each place which byte comes there, or from 0x80 on, that 0 does. */
typedef uint8_t sixteen __attribute__((vector_size(16), aligned(1), may_alias));
INLINE sixteen sixteen_load(const uint8_t *p) { return *(const sixteen *)p; }
INLINE void sixteen_store(uint8_t *p, sixteen v) { *(sixteen *)p = v; }
INLINE sixteen sixteen_in_order(sixteen v, sixteen order) {
#if defined(__SSSE3__)
  return (sixteen)_mm_shuffle_epi8((__m128i)v, (__m128i)order);
#elif defined(__aarch64__)
  return (sixteen)vqtbl1q_u8((uint8x16_t)v, (uint8x16_t)order);
#else
  sixteen taken;
  for (int i = 0; i < 16; i++) taken[i] = order[i] < 0x80 ? v[order[i] & 15] : 0;
  return taken;
#endif
}

/* The sums of eight numbers of two bytes. */
typedef uint16_t sixteen_pairs __attribute__((vector_size(16), may_alias));
INLINE sixteen sixteen_add_pairs(sixteen a, sixteen b) { return (sixteen)((sixteen_pairs)a + (sixteen_pairs)b); }

/* |v| with the sign of `sign`. */
INLINE vec vec_with_sign(vec v, vec sign) {
  const vec_bits bit = (vec_bits)vec_set(-(real)0);
  return (vec)(((vec_bits)v & ~bit) | ((vec_bits)sign & bit));
}

/* -|v| */
INLINE vec vec_minus_abs(vec v) { return (vec)((vec_bits)v | (vec_bits)vec_set(-(real)0)); }

/* v · 2ᵏ, k the whole number in the low bits of `power`, where both v and the result are normal. */
INLINE vec vec_exponent_add(vec v, vec power) { return (vec)((vec_bits)v + ((vec_bits)power << FRACTION_BITS)); }

/* The VL elements p[0], p[2], p[4], ...; reads 2·VL elements. */
INLINE vec vec_load_even(const real *p) { return vec_even(vec_load(p), vec_load(p + VL)); }

/* The VL elements p[0], p[3], p[6], ...; reads 3·VL elements. */
INLINE vec vec_load_third(const real *p) { return vec_third_0(vec_load(p), vec_load(p + VL), vec_load(p + 2 * VL)); }

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

/* ---- a bit for each of 64 bytes, the first of them the lowest ------------------------------------------- */
/* Bit 0 or 1 (`which` is 1 or 2) of the bytes at p. */
INLINE uint64_t bytes_to_bits(const uint8_t *p, int which) {
#if defined(__AVX512BW__)
  return _mm512_test_epi8_mask(_mm512_loadu_si512(p), _mm512_set1_epi8((char)which));
#else
  uint64_t bits = 0, eight;
  for (int k = 0; k < 8; k++) { /* each byte's bit is multiplied to a place of its own in the highest byte */
    memcpy(&eight, p + 8 * k, 8);
    bits |= (eight >> (which - 1) & 0x0101010101010101) * 0x0102040810204080 >> 56 << 8 * k;
  }
  return bits;
#endif
}

/* 255 for each bit that is set, 0 for the others. */
INLINE void bits_to_bytes(uint64_t bits, uint8_t *p) {
#if defined(__AVX512BW__)
  _mm512_storeu_si512(p, _mm512_movm_epi8(bits));
#else
  for (int k = 0; k < 8; k++) {
    uint64_t eight = (bits >> 8 * k & 255) * 0x0101010101010101 & 0x8040201008040201;
    eight = ((eight & 0x7f7f7f7f7f7f7f7f) + 0x7f7f7f7f7f7f7f7f) | eight;
    eight = (eight >> 7 & 0x0101010101010101) * 255;
    memcpy(p + 8 * k, &eight, 8);
  }
#endif
}

/* ---- histograms of 16 bins, in bytes and in 16 bits ----------------------------------------------------- */
#define BINS 16
typedef uint8_t bins __attribute__((vector_size(BINS)));
typedef uint8_t bins_unaligned __attribute__((vector_size(BINS), aligned(1), may_alias));
typedef uint16_t counts __attribute__((vector_size(2 * BINS)));
typedef uint16_t counts_unaligned __attribute__((vector_size(2 * BINS), aligned(2), may_alias));
INLINE bins bins_load(const uint8_t *p) { return *(const bins_unaligned *)p; }
INLINE void bins_store(uint8_t *p, bins v) { *(bins_unaligned *)p = v; }
INLINE bins bins_add(bins a, bins b, int minus) { return minus ? a - b : a + b; }
INLINE counts counts_load(const uint16_t *p) { return *(const counts_unaligned *)p; }
INLINE void counts_store(uint16_t *p, counts v) { *(counts_unaligned *)p = v; }
INLINE counts counts_widen(const uint8_t *p) { return __builtin_convertvector(bins_load(p), counts); }

/* How many of the counts are at most `limit`. */
INLINE int counts_up_to(counts v, int limit) {
#if defined(__AVX512VL__)
  return __builtin_popcount(_mm256_cmple_epu16_mask((__m256i)v, _mm256_set1_epi16((short)limit)));
#elif defined(__AVX2__)
  const __m256i least = _mm256_min_epu16((__m256i)v, _mm256_set1_epi16((short)limit));
  return __builtin_popcount((unsigned)_mm256_movemask_epi8(_mm256_cmpeq_epi16(least, (__m256i)v))) / 2;
#else
  int found = 0;
  for (int i = 0; i < BINS; i++) found += v[i] <= limit;
  return found;
#endif
}

/* ---- what the machine at hand has: 0 the baseline, 1 x86-64-v3 (AVX2, FMA), 2 x86-64-v4 (AVX-512) ---- */
#if defined(__x86_64__)
#include <cpuid.h>
INLINE int cpu_level(void) {
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
#else
INLINE int cpu_level(void) { return 0; }
#endif

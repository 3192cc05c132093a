/* Sums of pixels in 32 bits, and the means that they are nearest to: of builds of bytes and of 16-bit integers. */
#pragma once
#include "pixel.h"

typedef int32_t sums __attribute__((vector_size(VECTOR_BYTES)));
typedef int32_t sums_unaligned __attribute__((vector_size(VECTOR_BYTES), aligned(4), may_alias));
#define SL (VECTOR_BYTES / 4)      /* sums of a register */
#define SUM_VECTORS (4 / KEY_BYTES) /* registers of sums, of a register of pixels */

INLINE sums sums_load(const int32_t *p) { return *(const sums_unaligned *)p; }
INLINE void sums_store(int32_t *p, sums v) { *(sums_unaligned *)p = v; }
INLINE sums sums_set(int32_t x) { return x - (sums){0}; }

/* Of sums along a line, `channels` numbers to a pixel: what each vector adds to those of the pixel before it. Of numbers
 * so many places apart, first two are added, then four, ... and then `before`: in each lane the sum of its channel that
 * came last. The sums of the next vector wait for one addition, where every vector holds whole pixels. */
#define LANE_UP(i, by) (i) < (by) ? (i) : SL + (i) - (by)
#define LANE_LAST(i, channels) SL - (channels) + (i) % (channels)
#define SUMS_UP(by) \
  if (channels << k == by && by < SL) v += __builtin_shufflevector(none, v, LANES(LANE_UP, by));
#define SUMS_LAST(n) \
  if (channels == n) return __builtin_shufflevector(v, v, LANES(LANE_LAST, n));
INLINE sums sums_last(sums v, const int channels) {
  SUMS_LAST(1) SUMS_LAST(2) SUMS_LAST(3)
  return __builtin_shufflevector(v, v, LANES(LANE_LAST, 4));
}
INLINE sums sums_along(sums v, sums *before, const int channels) {
  const sums none = {0};
  for (int k = 0; channels << k < SL; k++) {
    SUMS_UP(1) SUMS_UP(2) SUMS_UP(3) SUMS_UP(4) SUMS_UP(6) SUMS_UP(8) SUMS_UP(12)
  }
  const sums total = v + *before;
  *before = SL % channels ? sums_last(total, channels) : *before + sums_last(v, channels);
  return total;
}

/* SL pixels. */
INLINE sums sums_of(const key *p) {
  typedef key part __attribute__((vector_size(SL * sizeof(key)), aligned(sizeof(key)), may_alias));
#if defined(__AVX2__) && VECTOR_BYTES == 32 && defined(CONVKIT_U8)
  return (sums)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)p));
#elif defined(__AVX2__) && VECTOR_BYTES == 32 && defined(CONVKIT_U16)
  return (sums)_mm256_cvtepu16_epi32(_mm_loadu_si128((const void *)p));
#elif defined(__AVX2__) && VECTOR_BYTES == 32 && defined(CONVKIT_S16)
  return (sums)_mm256_cvtepi16_epi32(_mm_loadu_si128((const void *)p));
#else
  return __builtin_convertvector(*(const part *)p, sums);
#endif
}

/* How sums of `area` pixels are divided. Where it is `near`, a quotient in float32 is rounded. It lies as near to the mean
 * as rounding needs: of pixels that go half up, as a quarter of a unit's share is added to the product with 1 / area; of
 * others, as the product is mended by what it leaves, which gives the nearest float32 (P. Markstein, "Computation of
 * elementary functions on the IBM RISC System/6000 processor", 1990) of a sum that is one itself, and its unit in the last
 * place is less than the share of one in the mean. Else a sum that is `less` gives the mean or one less, as the product errs
 * by no more than MEAN_ERROR, and what is left of the sum decides. */
#define MEAN_ERROR (1.0f / 64)
#if defined(CONVKIT_U8)
#define HALF_UP 1
#define MEAN_NEAR_AREA 4095
#elif defined(__FMA__) || defined(__ARM_FEATURE_FMA)
#define HALF_UP 0
#define MEAN_NEAR_AREA (KEY_LOWEST ? 511 : 255)
#else
#define HALF_UP 0
#define MEAN_NEAR_AREA 0
#endif
typedef float mean_floats __attribute__((vector_size(VECTOR_BYTES)));
typedef struct {
  float factor;
  int32_t area, less, limit, odd;
} mean;
INLINE int mean_is_near(int32_t area) { return area <= MEAN_NEAR_AREA; }
INLINE mean mean_of(int32_t area) {
  const int32_t less = mean_is_near(area) ? 0 : (int32_t)((float)area * MEAN_ERROR) + 1;
  /* A rest above half the area makes the mean one more; so does half of it, or in means of even numbers if `odd`. */
  return (mean){1.0f / (float)area, area, less, (HALF_UP ? area - 1 : area) / 2 - less, !HALF_UP && area % 2 == 0};
}
/* a · b + c, rounded once. */
INLINE mean_floats mean_fma(mean_floats a, mean_floats b, mean_floats c) {
#if defined(__FMA__) && VECTOR_BYTES == 32
  return (mean_floats)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
  for (int i = 0; i < SL; i++) a[i] = __builtin_fmaf(a[i], b[i], c[i]);
  return a;
#endif
}
/* `total` lacks how.less. */
INLINE sums sums_divided(sums total, mean how, const int near) {
  const float magic = 12582912.0f; /* 1.5 · 2²³: what is added to it leaves its integer in the low bits */
  const sums magic_bits = (sums)(magic - (mean_floats){0});
  const mean_floats sum = __builtin_convertvector(total, mean_floats), none = {0};
  if (near && HALF_UP) return (sums)(sum * how.factor + how.factor / 4 + magic) - magic_bits;
  if (near) {
    const mean_floats guess = sum * how.factor, rest = mean_fma(guess, none - (float)how.area, sum);
    return (sums)(mean_fma(rest, none + how.factor, guess) + magic) - magic_bits;
  }
  const sums found = (sums)(sum * how.factor + magic) - magic_bits;
  return found - (sums)(total - found * how.area + (found & how.odd) > how.limit);
}

/* SUM_VECTORS registers as pixels. */
INLINE void means_store(key *p, const sums *v) {
#if defined(__AVX2__) && VECTOR_BYTES == 32 && defined(CONVKIT_U8)
  const __m256i a = _mm256_packs_epi32((__m256i)v[0], (__m256i)v[1]), b = _mm256_packs_epi32((__m256i)v[2], (__m256i)v[3]);
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  _mm256_storeu_si256((void *)p, _mm256_permutevar8x32_epi32(_mm256_packus_epi16(a, b), order));
#elif defined(__AVX2__) && VECTOR_BYTES == 32 && defined(CONVKIT_U16)
  const __m256i a = _mm256_packus_epi32((__m256i)v[0], (__m256i)v[1]);
  _mm256_storeu_si256((void *)p, _mm256_permute4x64_epi64(a, 0xd8));
#elif defined(__AVX2__) && VECTOR_BYTES == 32 && defined(CONVKIT_S16)
  const __m256i a = _mm256_packs_epi32((__m256i)v[0], (__m256i)v[1]);
  _mm256_storeu_si256((void *)p, _mm256_permute4x64_epi64(a, 0xd8));
#else
  for (int k = 0; k < SUM_VECTORS; k++)
    for (int i = 0; i < SL; i++) p[k * SL + i] = (key)v[k][i];
#endif
}

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

/* Of sums along a line, `channels` numbers to a pixel: what each vector adds to those of the pixel before it, `before` being
 * the vector in front. Of numbers so many places apart, first two are added, then four, ... */
#define LANE_UP(i, by) (i) < (by) ? (i) : SL + (i) - (by)
#define LANE_BEFORE(i, channels) SL - (channels) + (i) % (channels)
#define SUMS_UP(by) \
  if (channels << k == by && by < SL) v += __builtin_shufflevector(none, v, LANES(LANE_UP, by));
#define SUMS_BEFORE(n) \
  if (channels == n && n < SL) return v + __builtin_shufflevector(before, before, LANES(LANE_BEFORE, n));
INLINE sums sums_along(sums v, sums before, const int channels) {
  const sums none = {0};
  for (int k = 0; channels << k < SL; k++) {
    SUMS_UP(1) SUMS_UP(2) SUMS_UP(3) SUMS_UP(4) SUMS_UP(6) SUMS_UP(8) SUMS_UP(12)
  }
  SUMS_BEFORE(1) SUMS_BEFORE(2) SUMS_BEFORE(3) SUMS_BEFORE(4)
  return v + before;
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

/* How sums of `area` pixels are divided. Where it is `near`, the product with 1 / area lies as near to the mean, or to a
 * quarter of a unit's share above it, that rounding it is right. Else the product, less a little, gives the mean or one
 * less, as it errs by less than MEAN_ERROR, and what is left of the sum decides. */
#define MEAN_ERROR (1.0f / 64)
typedef struct {
  float factor, offset;
  int32_t area, limit, odd;
} mean;
INLINE int mean_is_near(int32_t area, int half_up) { return half_up ? area < 4096 : area % 2 && area <= 81; }
INLINE mean mean_of(int32_t area, int half_up) {
  const float factor = 1.0f / (float)area, near = half_up ? factor / 4 : 0;
  /* Twice the rest is above the area where the mean is one more; a tie goes up, or to the even number. */
  return (mean){factor, mean_is_near(area, half_up) ? near : -MEAN_ERROR, area, half_up ? area - 1 : area, !half_up};
}
INLINE sums sums_divided(sums total, mean how, const int near) {
  typedef float floats __attribute__((vector_size(VECTOR_BYTES)));
  const float magic = 12582912.0f; /* 1.5 · 2²³: what is added to it leaves its integer in the low bits */
  const sums magic_bits = (sums)(magic - (floats){0});
  const floats guess = __builtin_convertvector(total, floats) * how.factor + how.offset;
  const sums found = (sums)(guess + magic) - magic_bits;
  if (near) return found;
  total -= found * how.area;
  return found - (sums)(total + total + (found & how.odd) > how.limit);
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

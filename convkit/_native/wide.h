/* Sums of 16-bit products in 32 bits, of a build of int16: two registers hold those of VL lanes, in an order of their
 * own. */
#pragma once

typedef int32_t vec_wide __attribute__((vector_size(VECTOR_BYTES)));
#undef SLIDES /* there is no instruction for 16-bit numbers */
#define SLIDES 0
INLINE vec vec_slide(vec a, vec b, const int by) { return (void)b, (void)by, a; } /* is not called */
INLINE vec vec_length(vec x, vec y) { return (void)y, x; } /* is not called: lengths are numbers */
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

/* a · factor / divisor + offset in float, to the nearest, halves to even, NaN the least: saturated at `most` and -2¹⁵,
 * or by `vec_store_pixels` at 0. Nothing is divided where `divides` is 0. */
#if defined(__AVX512BW__)
#define WIDE(name) _mm512_##name
#define WIDE_REGISTER(kind) __m512##kind
#elif defined(__AVX2__)
#define WIDE(name) _mm256_##name
#define WIDE_REGISTER(kind) __m256##kind
#elif defined(__SSE2__)
#define WIDE(name) _mm_##name
#define WIDE_REGISTER(kind) __m128##kind
#endif
#ifdef WIDE
typedef float vec_float __attribute__((vector_size(VECTOR_BYTES)));
INLINE WIDE_REGISTER(i) half_scaled(WIDE_REGISTER(i) twice, float factor, float divisor, float offset, float most,
                                    const int divides) {
  vec_float x = (vec_float)WIDE(cvtepi32_ps)(WIDE(srai_epi32)(twice, 16)) * factor;
  if (divides) x /= divisor;
  x += offset; /* more than 32 bits hold would come out as the least: it is `most` before */
  return WIDE(cvtps_epi32)(WIDE(min_ps)(WIDE(set1_ps)(most), (WIDE_REGISTER())x));
}
INLINE vec vec_scaled(vec a, float factor, float divisor, float offset, float most, const int divides) {
  const WIDE_REGISTER(i) v = (WIDE_REGISTER(i))a; /* unpacked and packed in parts of 16 bytes: no lane changes its place */
  return (vec)WIDE(packs_epi32)(half_scaled(WIDE(unpacklo_epi16)(v, v), factor, divisor, offset, most, divides),
                                half_scaled(WIDE(unpackhi_epi16)(v, v), factor, divisor, offset, most, divides));
}
#else
INLINE vec vec_scaled(vec a, float factor, float divisor, float offset, float most, const int divides) {
  for (int i = 0; i < VL; i++) {
    float x = a[i] * factor;
    x = (divides ? x / divisor : x) + offset;
    a[i] = x > -32768 ? x < most ? (int16_t)__builtin_rintf(x) : (int16_t)most : -32768;
  }
  return a;
}
#endif

/* Registers of numbers from bytes and back. `vec_load_pixels` reads VL of what an image holds: of a build of int16,
 * bytes. */
#pragma once

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

#define ROUNDS 0
INLINE void vec_store_bytes(uint8_t *p, const vec *v) { (void)p, (void)v; }
INLINE void vec_store_words(uint16_t *p, const vec *v, const int with_sign) { (void)p, (void)v, (void)with_sign; }
INLINE void load_bytes(stored *line, const uint8_t *p, ptrdiff_t n) { memcpy(line, p, n); }

#else
INLINE vec vec_load_pixels(const stored *p) { return vec_load(p); }

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

/* The numbers of 4 registers as bytes, or of 2 as integers of 16 bits: to the nearest, halves to even, saturated, NaN to 0.
 * Where ROUNDS is 0, the machine has no short way, and these are not called. */
#if defined(__AVX512F__) && !defined(CONVKIT_FLOAT64)
#define ROUNDS 1
INLINE void vec_store_bytes(uint8_t *p, const vec *v) {
  for (int k = 0; k < 4; k++) {
    const __m512i whole = _mm512_cvtps_epi32(vec_min(vec_set(255), v[k])); /* NaN: the least integer */
    _mm_storeu_si128((void *)(p + k * VL), _mm512_cvtusepi32_epi8(_mm512_max_epi32(whole, _mm512_setzero_si512())));
  }
}
INLINE void vec_store_words(uint16_t *p, const vec *v, const int with_sign) {
  for (int k = 0; k < 2; k++) {
    const __m512i whole = _mm512_cvtps_epi32(vec_min(vec_set(with_sign ? 32767 : 65535), v[k]));
    const __mmask16 numbers = _mm512_cmp_ps_mask(v[k], v[k], _CMP_ORD_Q);
    _mm256_storeu_si256((void *)(p + k * VL), with_sign
      ? _mm512_cvtsepi32_epi16(_mm512_maskz_mov_epi32(numbers, whole))
      : _mm512_cvtusepi32_epi16(_mm512_max_epi32(whole, _mm512_setzero_si512())));
  }
}
#elif defined(__AVX2__) && !defined(CONVKIT_FLOAT64)
#define ROUNDS 1
INLINE void vec_store_bytes(uint8_t *p, const vec *v) {
  __m256i whole[4];
  for (int k = 0; k < 4; k++) whole[k] = _mm256_cvtps_epi32(vec_min(vec_set(255), v[k]));
  whole[0] = _mm256_packus_epi16(_mm256_packs_epi32(whole[0], whole[1]), _mm256_packs_epi32(whole[2], whole[3]));
  _mm256_storeu_si256((void *)p, _mm256_permutevar8x32_epi32(whole[0], _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7)));
}
INLINE void vec_store_words(uint16_t *p, const vec *v, const int with_sign) {
  __m256i whole[2];
  for (int k = 0; k < 2; k++) {
    whole[k] = _mm256_cvtps_epi32(vec_min(vec_set(with_sign ? 32767 : 65535), v[k]));
    if (with_sign) whole[k] = _mm256_and_si256(whole[k], (__m256i)_mm256_cmp_ps(v[k], v[k], _CMP_ORD_Q));
  }
  whole[0] = with_sign ? _mm256_packs_epi32(whole[0], whole[1]) : _mm256_packus_epi32(whole[0], whole[1]);
  _mm256_storeu_si256((void *)p, _mm256_permute4x64_epi64(whole[0], 0xd8));
}
#else
#define ROUNDS 0
INLINE void vec_store_bytes(uint8_t *p, const vec *v) { (void)p, (void)v; }
INLINE void vec_store_words(uint16_t *p, const vec *v, const int with_sign) { (void)p, (void)v, (void)with_sign; }
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
#endif

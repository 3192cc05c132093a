/* Bytes, counted and flagged. */
#pragma once

/* A bit for each of 64 bytes, the first of them the lowest: bit 0 or 1 (`which` is 1 or 2) of the bytes at p. */
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

/* Histograms of 16 bins, in bytes and in 16 bits. */
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

/* The least and the greatest of two registers of keys, lane by lane: one instruction where there is one. */
#pragma once

/* gcc knows a register written lane by lane again as such an instruction only in simple loops. KEY_TYPE names the type in
 * those of x86: bytes and signed 16-bit numbers have them everywhere, 64-bit numbers in AVX-512 alone. */
#if defined(__x86_64__) && defined(CONVKIT_U8)
#define KEY_TYPE epu8
#elif defined(__x86_64__) && defined(CONVKIT_S16)
#define KEY_TYPE epi16
#elif defined(__AVX2__) && defined(CONVKIT_U16)
#define KEY_TYPE epu16
#elif defined(__AVX512F__) && defined(CONVKIT_FLOAT64)
#define KEY_TYPE epi64
#elif defined(__AVX2__) && !defined(CONVKIT_FLOAT64)
#define KEY_TYPE epi32
#endif

#ifdef KEY_TYPE
#define KEYS_OF(name, type) X86_REGISTER(name, type)
#if VECTOR_BYTES == 64
typedef __m512i keys_x86;
#elif VECTOR_BYTES == 32
typedef __m256i keys_x86;
#else
typedef __m128i keys_x86;
#endif
INLINE keys keys_min(keys a, keys b) { return (keys)KEYS_OF(min, KEY_TYPE)((keys_x86)a, (keys_x86)b); }
INLINE keys keys_max(keys a, keys b) { return (keys)KEYS_OF(max, KEY_TYPE)((keys_x86)a, (keys_x86)b); }
#elif defined(__x86_64__) && defined(CONVKIT_U16) /* what a is above b, or nothing */
INLINE keys keys_min(keys a, keys b) { return a - (keys)_mm_subs_epu16((__m128i)a, (__m128i)b); }
INLINE keys keys_max(keys a, keys b) { return b + (keys)_mm_subs_epu16((__m128i)a, (__m128i)b); }
#elif defined(__x86_64__)
INLINE keys keys_min(keys a, keys b) {
  const keys mask = (keys)(a < b);
  return (a & mask) | (b & ~mask);
}
INLINE keys keys_max(keys a, keys b) {
  const keys mask = (keys)(a > b);
  return (a & mask) | (b & ~mask);
}
#else
INLINE keys keys_min(keys a, keys b) {
  for (int i = 0; i < KL; i++) a[i] = a[i] < b[i] ? a[i] : b[i];
  return a;
}
INLINE keys keys_max(keys a, keys b) {
  for (int i = 0; i < KL; i++) a[i] = a[i] > b[i] ? a[i] : b[i];
  return a;
}
#endif

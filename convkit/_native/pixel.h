/* Pixels in their order: what the filters need that compare and never add.
 *
 * `pixel` is the element of an image, `key` an integer of its size whose order is the pixel's: floats are compared
 * as integers, so that NaN (above every number) and -0 (below +0) have their place, and no result depends on the
 * order of the comparisons. `keys` is a register of KL keys. Instruction sets are named in `extremes.h`.
 */
#pragma once
#include "simd.h"

#if defined(CONVKIT_U8)
typedef uint8_t pixel, key;
#elif defined(CONVKIT_U16)
typedef uint16_t pixel, key;
#elif defined(CONVKIT_S16)
typedef int16_t pixel, key;
#elif defined(CONVKIT_FLOAT64)
typedef double pixel;
typedef int64_t key;
#define KEY_NAN INT64_MAX
#else
typedef float pixel;
typedef int32_t key;
#define KEY_NAN INT32_MAX
#endif

#define KEY_BYTES ((int)sizeof(key))
#define KEY_BITS (8 * KEY_BYTES)
#define KEY_LOWEST ((key)((key)-1 < 0 ? (key)1 << (KEY_BITS - 1) : 0))
#define KL (VECTOR_BYTES / (ptrdiff_t)sizeof(key))
typedef key keys __attribute__((vector_size(VECTOR_BYTES)));
typedef key keys_unaligned __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(key)), may_alias));

INLINE keys keys_load(const key *p) { return *(const keys_unaligned *)p; }
INLINE void keys_store(key *p, keys v) { *(keys_unaligned *)p = v; }
/* Those at p, read once, and here: else gcc reads them in every use, or all at the start. */
INLINE keys keys_read(const key *p) {
  keys v = keys_load(p);
  PIN(v);
  return v;
}
/* p, in a register of its own: gcc would keep the sum of each pair of an offset and a constant in one, or in memory. */
INLINE const key *key_place(const key *p) {
#if defined(__GNUC__) && !defined(__clang__)
  __asm__("" : "+r"(p));
#endif
  return p;
}

INLINE keys keys_set(key k) { return k - (keys){0}; }

#include "extremes.h"

INLINE keys keys_pick(keys a, keys b, const int greatest) { return greatest ? keys_max(a, b) : keys_min(a, b); }

/* Of a and b, that which `lesser` is not. Where any function of three registers is one instruction, it is one that
 * leaves the ports alone which compare. */
INLINE keys keys_greater(keys a, keys b, keys lesser) {
#if VECTOR_BYTES == 64
  return a ^ b ^ lesser;
#else
  (void)lesser;
  return keys_max(a, b);
#endif
}

/* Bit `bit` of each key's distance to the lowest, set: it was not. */
INLINE keys keys_with_bit(keys v, int bit) { return v ^ (key)((key)1 << bit); }

/* A count in each lane, one more where k is less than `limit`. Counts have no sign. */
INLINE keys keys_count_less(keys count, keys k, keys limit) { return count - (keys)(k < limit); }

/* Lane by lane a where the count is at most `most`, else b. */
INLINE keys keys_where_at_most(keys count, ptrdiff_t most, keys a, keys b) {
  const keys half = keys_set((key)((key)most ^ KEY_LOWEST)), chosen = (keys)((count ^ KEY_LOWEST) <= half);
  return (a & chosen) | (b & ~chosen);
}

#ifdef KEY_NAN
#define PIXEL_IS_KEY 0
INLINE key key_of(pixel x) { /* the bits; of a negative number, all but the sign turned over */
  key k;
  memcpy(&k, &x, sizeof k);
  k ^= k >> (8 * sizeof k - 1) & KEY_NAN;
  return x != x ? KEY_NAN : k;
}
INLINE pixel pixel_of(key k) {
  pixel x;
  k ^= k >> (KEY_BITS - 1) & KEY_NAN;
  memcpy(&x, &k, sizeof x);
  return x;
}
INLINE keys keys_to_pixels(keys v) { return v ^ (v >> (8 * sizeof(key) - 1) & KEY_NAN); }
INLINE keys pixels_load(const pixel *p) {
  typedef pixel pixels __attribute__((vector_size(VECTOR_BYTES)));
  const keys bits = keys_load((const key *)p), nan = (keys)((pixels)bits != (pixels)bits);
  return (nan & KEY_NAN) | (keys_to_pixels(bits) & ~nan);
}
/* The bits of those at p, but of every NaN those of the one that has a key. */
INLINE keys pixels_read(const pixel *p) {
  typedef pixel pixels __attribute__((vector_size(VECTOR_BYTES)));
  const keys bits = keys_load((const key *)p), nan = (keys)((pixels)bits != (pixels)bits);
  return (bits & ~nan) | (nan & KEY_NAN);
}

/* Floats as they are, bit by bit in registers of keys: the least or the greatest of many, where nobody doubts it.
 * Those of the machine drop NaN and take zeros for equal. So the signs of all are noted, for the least, or their sum,
 * for the greatest; where a sign bit of what `floats_doubt` gives is set, keys are to be compared. */
INLINE keys floats_pick(keys found, keys x, const int greatest) {
  return greatest ? (keys)vec_max((vec)x, (vec)found) : (keys)vec_min((vec)x, (vec)found);
}
INLINE keys floats_note(keys noted, keys x, const int greatest) {
  return greatest ? (keys)((vec)noted + (vec)x) : noted | x;
}
INLINE keys floats_doubt(keys found, keys noted, const int greatest) {
  return greatest ? (keys)(found == KEY_LOWEST) | (keys)((vec)noted != (vec)noted)
                  : ((keys)(found == 0) & noted) | (keys)((vec)found != (vec)found);
}
/* Whether any of them has its sign bit set. */
INLINE int keys_any_below(keys v) {
#if defined(__x86_64__) && VECTOR_BYTES < 64
  return X86(movemask)((vec)v);
#else
  key all = 0;
  for (int i = 0; i < KL; i++) all |= v[i];
  return all < 0;
#endif
}
#else
#define PIXEL_IS_KEY 1
INLINE int keys_any_below(keys v) { return (void)v, 0; }
INLINE keys floats_pick(keys found, keys x, const int greatest) { return (void)x, (void)greatest, found; }
INLINE keys floats_note(keys noted, keys x, const int greatest) { return (void)x, (void)greatest, noted; }
INLINE keys floats_doubt(keys found, keys noted, const int greatest) { return (void)noted, (void)greatest, found; }
INLINE key key_of(pixel x) { return x; }
INLINE pixel pixel_of(key k) { return k; }
INLINE keys keys_to_pixels(keys v) { return v; }
INLINE keys pixels_load(const pixel *p) { return keys_load(p); }
INLINE keys pixels_read(const pixel *p) { return keys_load(p); }
#endif
INLINE void pixels_store(pixel *p, keys v) { keys_store((key *)p, keys_to_pixels(v)); }
/* The same around the caches, p aligned as a vector. */
INLINE void keys_stream(key *p, keys v) { vec_stream((real *)p, (vec)v); }
INLINE void pixels_stream(pixel *p, keys v) { vec_stream((real *)p, (vec)keys_to_pixels(v)); }

/* The least or the greatest of the pixels `at` each of the taps. A function of its own: in a loop that is seldom in
 * need of it, its constants would take registers. */
static __attribute__((noinline)) void pixels_pick(
    const key **taps, ptrdiff_t count, ptrdiff_t at, pixel *target, int greatest
) {
  keys found = pixels_load((const pixel *)(taps[0] + at));
  for (ptrdiff_t t = 1; t < count; t++) found = keys_pick(found, pixels_load((const pixel *)(taps[t] + at)), greatest);
  pixels_store(target, found);
}

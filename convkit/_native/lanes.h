/* Orders of lanes, of a build of floats: of two registers, lanes 0..VL-1 are the first's and VL..2·VL-1 the
 * second's. */
#pragma once

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

/* Lanes 1, 2, ... of a, and after them the last lane of b, or the last but one. */
INLINE vec vec_shift_last(vec a, vec b) { return __builtin_shufflevector(a, b, LANES(LANE_SHIFT, 0)); }
INLINE vec vec_shift_last_but_one(vec a, vec b) { return __builtin_shufflevector(a, b, LANES(LANE_SHIFT, 1)); }

/* The VL elements p[0], p[2], p[4], ...; reads 2·VL elements. */
INLINE vec vec_load_even(const real *p) { return vec_even(vec_load(p), vec_load(p + VL)); }

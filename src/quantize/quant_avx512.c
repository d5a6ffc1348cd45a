/*-------------------------------------------------------------------------
 *
 * quant_avx512.c
 *	  Kernels of the quantize room for x86-64 with AVX-512 (F, BW, DQ, VL),
 *	  without and with VNNI.
 *
 * VNNI sums four products of bytes, or two of words, into 32 bits at once.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "quant_kernels.h"

#ifdef VDB_HAVE_X86_KERNELS

#include <immintrin.h>

#define BASE_TARGET vdb_attribute_target("avx512f,avx512bw,avx512dq,avx512vl")
#define INLINE static inline __attribute__((always_inline)) BASE_TARGET

typedef float Floats16 __attribute__((vector_size(64), aligned(1), may_alias));
typedef int32 Ints16 __attribute__((vector_size(64), aligned(1), may_alias));

/*
 * One step: the sum of each element and its partner, and the difference in
 * the lanes of odd.
 */
INLINE __m512
hadamard_step(__m512 v, __m512 partner, __mmask16 odd)
{
	return _mm512_mask_sub_ps(_mm512_add_ps(partner, v), odd, partner, v);
}

INLINE __m512
hadamard(__m512 v)
{
	v = hadamard_step(v, _mm512_permute_ps(v, 0xB1), 0xAAAA);
	v = hadamard_step(v, _mm512_permute_ps(v, 0x4E), 0xCCCC);
	v = hadamard_step(v, _mm512_shuffle_f32x4(v, v, 0xB1), 0xF0F0);
	return hadamard_step(v, _mm512_shuffle_f32x4(v, v, 0x4E), 0xFF00);
}

INLINE int64
sum_lanes_64(__m512i v)
{
	__m512i		low = _mm512_cvtepi32_epi64(_mm512_castsi512_si256(v));
	__m512i		high = _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(v, 1));

	return _mm512_reduce_add_epi64(_mm512_add_epi64(low, high));
}

#define QK_LEVEL avx512
#define QK_TARGET BASE_TARGET
#define QK_SHORT __m512i
#define QK_ZERO_SHORT _mm512_setzero_si512()
#define QK_MADD(s, u, p) \
	_mm512_add_epi16(s, _mm512_maddubs_epi16(u, _mm512_loadu_si512(p)))
#define QK_WIDEN(l, s) \
	_mm512_add_epi32(l, _mm512_madd_epi16(s, _mm512_set1_epi16(1)))
#define QK_MADD_WORDS(l, a, b) _mm512_add_epi32(l, _mm512_madd_epi16(a, b))
#include "quant_avx512_template.h"

#define QK_LEVEL avx512vnni
#define QK_TARGET vdb_attribute_target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")
#define QK_SHORT __m512i
#define QK_ZERO_SHORT _mm512_setzero_si512()
#define QK_MADD(s, u, p) _mm512_dpbusd_epi32(s, u, _mm512_loadu_si512(p))
#define QK_WIDEN(l, s) _mm512_add_epi32(l, s)
#define QK_MADD_WORDS(l, a, b) _mm512_dpwssd_epi32(l, a, b)
#define QK_DOT_BYTES(l, u, s) _mm512_dpbusd_epi32(l, u, s)
#define QK_FILL_BYTES(b) _mm512_set1_epi8(b)
#define QK_SUBTRACT_LONG(a, b) _mm512_sub_epi32(a, b)
#include "quant_avx512_template.h"

#endif							/* VDB_HAVE_X86_KERNELS */

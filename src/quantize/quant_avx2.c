/*-------------------------------------------------------------------------
 *
 * quant_avx2.c
 *	  Kernels of the quantize room for x86-64 with AVX2 and F16C.
 *
 * Not for FMA: the room's bits do not depend on the level (Q1).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "quant_kernels.h"

#ifdef VDB_HAVE_X86_KERNELS

#include <immintrin.h>

#define QK_TARGET vdb_attribute_target("avx2,f16c")
#define INLINE static inline __attribute__((always_inline)) QK_TARGET

typedef float Floats8 __attribute__((vector_size(32), aligned(1), may_alias));
typedef int32 Ints8 __attribute__((vector_size(32), aligned(1), may_alias));

INLINE void
store_int16(int16 *p, __m256i i)
{
	_mm_storeu_si128((__m128i *) p,
					 _mm_packs_epi32(_mm256_castsi256_si128(i),
									 _mm256_extracti128_si256(i, 1)));
}

INLINE void
store_int8(int8 *p, __m256i i)
{
	__m128i		words = _mm_packs_epi32(_mm256_castsi256_si128(i),
										_mm256_extracti128_si256(i, 1));

	_mm_storel_epi64((__m128i *) p, _mm_packs_epi16(words, words));
}

/*
 * One step: the sum of each element and its partner, and the difference where
 * odd has the sign bit set.
 */
INLINE __m256
hadamard_step(__m256 v, __m256 partner, __m256 odd)
{
	return _mm256_add_ps(partner, _mm256_xor_ps(v, odd));
}

INLINE __m256
hadamard(__m256 v)
{
	const __m256 odd1 = _mm256_setr_ps(0, -0.0f, 0, -0.0f, 0, -0.0f, 0, -0.0f);
	const __m256 odd2 = _mm256_setr_ps(0, 0, -0.0f, -0.0f, 0, 0, -0.0f, -0.0f);
	const __m256 odd4 = _mm256_setr_ps(0, 0, 0, 0, -0.0f, -0.0f, -0.0f, -0.0f);

	v = hadamard_step(v, _mm256_permute_ps(v, 0xB1), odd1);
	v = hadamard_step(v, _mm256_permute_ps(v, 0x4E), odd2);
	return hadamard_step(v, _mm256_permute2f128_ps(v, v, 1), odd4);
}

/*
 * n bytes, a multiple of 8 below 32, and zeros; vpmaskmov reads no more.
 */
INLINE __m256i
load_part(const uint8 *p, int n)
{
	__m256i		words = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
	__m256i		mask = _mm256_cmpgt_epi32(_mm256_set1_epi32(n / 4), words);

	return _mm256_maskload_epi32((const int *) p, mask);
}

INLINE int32
sum_lanes(__m256i v)
{
	__m128i		s = _mm_add_epi32(_mm256_castsi256_si128(v),
								  _mm256_extracti128_si256(v, 1));

	s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4E));
	s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0xB1));
	return _mm_cvtsi128_si32(s);
}

INLINE int64
sum_lanes_64(__m256i v)
{
	int32		lane[8];
	int64		sum = 0;

	_mm256_storeu_si256((__m256i *) lane, v);
	for (int i = 0; i < 8; i++)
		sum += lane[i];
	return sum;
}

#define QK_LEVEL avx2
#define QK_LANES 8
#define QK_VEC Floats8
#define QK_IVEC Ints8
#define QK_MAX(a, b) ((QK_VEC) _mm256_max_ps(a, b))
#define QK_MIN(a, b) ((QK_VEC) _mm256_min_ps(a, b))
#define QK_LOAD_HALF(p) \
	((QK_VEC) _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *) (p))))
#define QK_STORE_HALF(p, v) \
	_mm_storeu_si128((__m128i *) (p), _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT))
#define QK_LOAD_INT8(p) \
	((QK_VEC) _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *) (p)))))
#define QK_STORE_INT8(p, i) store_int8(p, (__m256i) (i))
#define QK_STORE_INT16(p, i) store_int16(p, (__m256i) (i))
#define QK_HADAMARD(v) ((QK_VEC) hadamard(v))
#include "quant_float_template.h"

#define QK_BYTES 32
#define QK_CODE __m256i
#define QK_LOAD_CODE(p) _mm256_loadu_si256((const __m256i *) (p))
#define QK_LOAD_CODE_PART(p, n) load_part(p, n)
#define QK_FIELD(c, shift, mask) \
	_mm256_and_si256(_mm256_srli_epi16(c, shift), _mm256_set1_epi8(mask))
#define QK_SHORT __m256i
#define QK_MADD(s, u, p) \
	_mm256_add_epi16(s, _mm256_maddubs_epi16(u, _mm256_loadu_si256((const __m256i *) (p))))
#define QK_LONG __m256i
#define QK_WIDEN(l, s) \
	_mm256_add_epi32(l, _mm256_madd_epi16(s, _mm256_set1_epi16(1)))
#define QK_ZERO_SHORT _mm256_setzero_si256()
#define QK_ZERO_LONG _mm256_setzero_si256()
#define QK_SUM_LONG(l) sum_lanes(l)
#define QK_WORDS 16
#define QK_LOAD_WORDS(p) _mm256_loadu_si256((const __m256i *) (p))
#define QK_LOAD_BYTES(p) _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *) (p)))
#define QK_MADD_WORDS(l, a, b) _mm256_add_epi32(l, _mm256_madd_epi16(a, b))
#define QK_SUM_LONG_64(l) sum_lanes_64(l)
#include "quant_int_template.h"

#endif							/* VDB_HAVE_X86_KERNELS */

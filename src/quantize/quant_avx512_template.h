/*-------------------------------------------------------------------------
 *
 * quant_avx512_template.h
 *	  Template: the AVX-512 kernels of the quantize room, without and with
 *	  VNNI.
 *
 * Included by quant_avx512.c once for each; it defines before, and the
 * templates that this one includes #undef at their end:
 *
 *	  QK_LEVEL, QK_TARGET, QK_SHORT, QK_ZERO_SHORT, QK_MADD, QK_WIDEN,
 *	  QK_MADD_WORDS
 *
 *-------------------------------------------------------------------------
 */
#define QK_LANES 16
#define QK_VEC Floats16
#define QK_IVEC Ints16
#define QK_MAX(a, b) ((QK_VEC) _mm512_max_ps(a, b))
#define QK_MIN(a, b) ((QK_VEC) _mm512_min_ps(a, b))
#define QK_LOAD_HALF(p) \
	((QK_VEC) _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *) (p))))
#define QK_STORE_HALF(p, v) \
	_mm256_storeu_si256((__m256i *) (p), \
						_mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC))
#define QK_LOAD_INT8(p) \
	((QK_VEC) _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *) (p)))))
#define QK_STORE_INT8(p, i) \
	_mm_storeu_si128((__m128i *) (p), _mm512_cvtepi32_epi8((__m512i) (i)))
#define QK_STORE_INT16(p, i) \
	_mm256_storeu_si256((__m256i *) (p), _mm512_cvtepi32_epi16((__m512i) (i)))
#define QK_HADAMARD(v) ((QK_VEC) hadamard(v))
#include "quant_float_template.h"

#define QK_BYTES 64
#define QK_CODE __m512i
#define QK_LOAD_CODE(p) _mm512_loadu_si512(p)
#define QK_LOAD_CODE_PART(p, n) \
	_mm512_maskz_loadu_epi64((__mmask8) ((1 << ((n) / 8)) - 1), p)
#define QK_FIELD(c, shift, mask) \
	_mm512_and_si512(_mm512_srli_epi16(c, shift), _mm512_set1_epi8(mask))
#define QK_LONG __m512i
#define QK_ZERO_LONG _mm512_setzero_si512()
#define QK_SUM_LONG(l) _mm512_reduce_add_epi32(l)
#define QK_WORDS 32
#define QK_LOAD_WORDS(p) _mm512_loadu_si512(p)
#define QK_LOAD_BYTES(p) _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *) (p)))
#define QK_SUM_LONG_64(l) sum_lanes_64(l)
#include "quant_int_template.h"

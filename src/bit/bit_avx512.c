/*-------------------------------------------------------------------------
 *
 * bit_avx512.c
 *	  Bit kernels for x86-64 with AVX-512 (F, BW, VPOPCNTDQ).
 *
 * The bytes behind the last 64 are loaded by a mask, which touches no others.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "bit_kernels.h"

#ifdef VDB_HAVE_X86_KERNELS

#include <immintrin.h>

#define BIT_TARGET vdb_attribute_target("avx512f,avx512bw,avx512vpopcntdq")
#define STEP sizeof(__m512i)

/* The mask of the bytes that are left, fewer than 64 */
static inline __mmask64
mask_of(Size left)
{
	return (UINT64CONST(1) << left) - 1;
}

BIT_TARGET static uint64
hamming_avx512(Size bytes, const uint8 *a, const uint8 *b)
{
	__m512i		sum = _mm512_setzero_si512();
	Size		i;

	for (i = 0; i + STEP <= bytes; i += STEP)
		sum = _mm512_add_epi64(sum,
							   _mm512_popcnt_epi64(_mm512_xor_si512(_mm512_loadu_si512(a + i),
																	_mm512_loadu_si512(b + i))));
	if (i < bytes)
	{
		__mmask64	mask = mask_of(bytes - i);

		sum = _mm512_add_epi64(sum,
							   _mm512_popcnt_epi64(_mm512_xor_si512(_mm512_maskz_loadu_epi8(mask, a + i),
																	_mm512_maskz_loadu_epi8(mask, b + i))));
	}
	return (uint64) _mm512_reduce_add_epi64(sum);
}

BIT_TARGET static VdbBitSums
jaccard_avx512(Size bytes, const uint8 *a, const uint8 *b)
{
	__m512i		both = _mm512_setzero_si512();
	__m512i		either = _mm512_setzero_si512();
	VdbBitSums	sums;

	for (Size i = 0; i < bytes; i += STEP)
	{
		__mmask64	mask = bytes - i >= STEP ? ~UINT64CONST(0) : mask_of(bytes - i);
		__m512i		x = _mm512_maskz_loadu_epi8(mask, a + i);
		__m512i		y = _mm512_maskz_loadu_epi8(mask, b + i);

		both = _mm512_add_epi64(both, _mm512_popcnt_epi64(_mm512_and_si512(x, y)));
		either = _mm512_add_epi64(either, _mm512_popcnt_epi64(_mm512_or_si512(x, y)));
	}
	sums.both = (uint64) _mm512_reduce_add_epi64(both);
	sums.either = (uint64) _mm512_reduce_add_epi64(either);
	return sums;
}

const VdbBitKernels vdb_bit_kernels_avx512 = {
	.name = "avx512",
	.hamming = hamming_avx512,
	.jaccard = jaccard_avx512
};

#endif							/* VDB_HAVE_X86_KERNELS */

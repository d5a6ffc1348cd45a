/*-------------------------------------------------------------------------
 *
 * kernels_avx512.c
 *	  Distance kernels for x86-64 with AVX-512 (F, DQ, VL).
 *
 * Rows in a table are not aligned to cache lines, so nearly every 64-byte load
 * touches two.  That costs the cosine, which has the most to do for each load,
 * a third of its speed from memory: it uses registers of 32 bytes, which are as
 * fast for unaligned rows within the cache, too (figures in README.md).  A load
 * of float16s has 32 bytes as it is.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "kernel_load.h"
#include "kernels.h"

#ifdef VDB_HAVE_X86_KERNELS

#include <immintrin.h>

#define DK_TYPE f32
#define DK_LEVEL avx512
#define DK_ELEM float
#define DK_TARGET vdb_attribute_target("avx512f,avx512dq,avx512vl,avx2,fma")
#define DK_LANES 16
#define DK_ACCS 4
#define DK_VEC VdbFloat16
#define DK_PREFETCH 2048
#define DK_NO_COSINE
#define DK_LOAD(p) (*(const VdbFloat16 *) (p))
#define DK_SHORT vdb_kernels_scalar
#include "kernel_template.h"

#define DK_TYPE f32
#define DK_LEVEL avx512_narrow
#define DK_ELEM float
#define DK_TARGET vdb_attribute_target("avx512f,avx512dq,avx512vl,avx2,fma")
#define DK_LANES 8
#define DK_ACCS 4
#define DK_VEC VdbFloat8
#define DK_PREFETCH 2048
#define DK_COSINE_ONLY
#define DK_LOAD(p) (*(const VdbFloat8 *) (p))
#define DK_SHORT vdb_kernels_scalar
#include "kernel_template.h"

#define DK_TYPE f16
#define DK_LEVEL avx512
#define DK_ELEM uint16
#define DK_TARGET vdb_attribute_target("avx512f,avx512dq,avx512vl,avx2,fma")
#define DK_LANES 16
#define DK_ACCS 4
#define DK_VEC VdbFloat16
#define DK_PREFETCH 2048
#define DK_LOAD(p) \
	((VdbFloat16) _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *) (p))))
#define DK_SHORT vdb_kernels_scalar.half
#include "kernel_template.h"

const VdbKernels vdb_kernels_avx512 = {
	.name = "avx512",
	.l2sq = l2sq_f32_avx512,
	.ip = ip_f32_avx512,
	.l1 = l1_f32_avx512,
	.cosine = cosine_f32_avx512_narrow,
	.half = {l2sq_f16_avx512, ip_f16_avx512, l1_f16_avx512, cosine_f16_avx512}
};

#endif							/* VDB_HAVE_X86_KERNELS */

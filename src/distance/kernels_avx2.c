/*-------------------------------------------------------------------------
 *
 * kernels_avx2.c
 *	  Distance kernels for x86-64 with AVX2, FMA and F16C.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "kernel_load.h"
#include "kernels.h"

#ifdef VDB_HAVE_X86_KERNELS

#include <immintrin.h>

#define DK_TYPE f32
#define DK_LEVEL avx2
#define DK_ELEM float
#define DK_TARGET vdb_attribute_target("avx2,fma")
#define DK_LANES 8
#define DK_ACCS 4
#define DK_VEC VdbFloat8
#define DK_PREFETCH 2048
#define DK_LOAD(p) (*(const VdbFloat8 *) (p))
#define DK_SHORT vdb_kernels_scalar
#include "kernel_template.h"

#define DK_TYPE f16
#define DK_LEVEL avx2
#define DK_ELEM uint16
#define DK_TARGET vdb_attribute_target("avx2,fma,f16c")
#define DK_LANES 8
#define DK_ACCS 4
#define DK_VEC VdbFloat8
#define DK_PREFETCH 2048
#define DK_LOAD(p) \
	((VdbFloat8) _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *) (p))))
#define DK_SHORT vdb_kernels_scalar.half
#include "kernel_template.h"

const VdbKernels vdb_kernels_avx2 = {
	.name = "avx2",
	.l2sq = l2sq_f32_avx2,
	.ip = ip_f32_avx2,
	.l1 = l1_f32_avx2,
	.cosine = cosine_f32_avx2,
	.half = {l2sq_f16_avx2, ip_f16_avx2, l1_f16_avx2, cosine_f16_avx2}
};

#endif							/* VDB_HAVE_X86_KERNELS */

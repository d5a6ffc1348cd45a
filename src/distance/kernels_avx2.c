/*-------------------------------------------------------------------------
 *
 * kernels_avx2.c
 *	  Distance kernels for x86-64 with AVX2 and FMA.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "kernel_load.h"
#include "kernels.h"

#ifdef VDB_HAVE_X86_KERNELS

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

const VdbKernels vdb_kernels_avx2 = {
	.name = "avx2",
	.l2sq = l2sq_f32_avx2,
	.ip = ip_f32_avx2,
	.l1 = l1_f32_avx2,
	.cosine = cosine_f32_avx2
};

#endif							/* VDB_HAVE_X86_KERNELS */

/*-------------------------------------------------------------------------
 *
 * kernels_avx512.c
 *	  Distance kernels for x86-64 with AVX-512 (F, DQ, VL).
 *
 * Rows in a table are not aligned to cache lines, so nearly every 64-byte load
 * touches two.  Prefetching makes a sequential scan of 768-dimension rows about
 * 10 % faster and changes nothing where rows are contiguous or in the cache
 * (figures in README.md).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "kernel_load.h"
#include "kernels.h"

#ifdef VDB_HAVE_X86_KERNELS

#define DK_TYPE f32
#define DK_LEVEL avx512
#define DK_ELEM float
#define DK_TARGET vdb_attribute_target("avx512f,avx512dq,avx512vl,avx2,fma")
#define DK_LANES 16
#define DK_ACCS 4
#define DK_VEC VdbFloat16
#define DK_PREFETCH 2048
#define DK_LOAD(p) (*(const VdbFloat16 *) (p))
#define DK_SHORT vdb_kernels_scalar
#include "kernel_template.h"

const VdbKernels vdb_kernels_avx512 = {
	.name = "avx512",
	.l2sq = l2sq_f32_avx512,
	.ip = ip_f32_avx512,
	.l1 = l1_f32_avx512,
	.cosine = cosine_f32_avx512
};

#endif							/* VDB_HAVE_X86_KERNELS */

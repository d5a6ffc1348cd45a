/*-------------------------------------------------------------------------
 *
 * kernels_avx512.c
 *	  Distance kernels for x86-64 with AVX-512 (F, DQ, VL).
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
#define DK_LOAD(p) (*(const VdbFloat16 *) (p))
#define DK_LOAD1(p) vdb_load_f32(p)
#include "kernel_template.h"

const VdbKernels vdb_kernels_avx512 = {
	.name = "avx512",
	.l2sq = l2sq_f32_avx512,
	.ip = ip_f32_avx512,
	.l1 = l1_f32_avx512,
	.cosine = cosine_f32_avx512
};

#endif							/* VDB_HAVE_X86_KERNELS */

/*-------------------------------------------------------------------------
 *
 * kernels_neon.c
 *	  Distance kernels for arm64, where NEON is part of the baseline.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "kernel_load.h"
#include "kernels.h"

#ifdef VDB_HAVE_NEON_KERNELS

#define DK_TYPE f32
#define DK_LEVEL neon
#define DK_ELEM float
#define DK_TARGET
#define DK_LANES 4
#define DK_ACCS 4
#define DK_VEC VdbFloat4
#define DK_LOAD(p) (*(const VdbFloat4 *) (p))
#define DK_SHORT vdb_kernels_scalar
#include "kernel_template.h"

const VdbKernels vdb_kernels_neon = {
	.name = "neon",
	.l2sq = l2sq_f32_neon,
	.ip = ip_f32_neon,
	.l1 = l1_f32_neon,
	.cosine = cosine_f32_neon
};

#endif							/* VDB_HAVE_NEON_KERNELS */

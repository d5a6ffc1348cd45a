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

#include <arm_neon.h>

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

#define DK_TYPE f16
#define DK_LEVEL neon
#define DK_ELEM uint16
#define DK_TARGET
#define DK_LANES 4
#define DK_ACCS 4
#define DK_VEC VdbFloat4
#define DK_LOAD(p) \
	((VdbFloat4) vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8((const uint8 *) (p)))))
#define DK_SHORT vdb_kernels_scalar.half
#include "kernel_template.h"

const VdbKernels vdb_kernels_neon = {
	.name = "neon",
	.l2sq = l2sq_f32_neon,
	.ip = ip_f32_neon,
	.l1 = l1_f32_neon,
	.cosine = cosine_f32_neon,
	.half = {l2sq_f16_neon, ip_f16_neon, l1_f16_neon, cosine_f16_neon}
};

#endif							/* VDB_HAVE_NEON_KERNELS */

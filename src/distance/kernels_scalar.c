/*-------------------------------------------------------------------------
 *
 * kernels_scalar.c
 *	  Distance kernels in plain C, for every CPU and compiler.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "kernel_load.h"
#include "kernels.h"

#define DK_TYPE f32
#define DK_LEVEL scalar
#define DK_ELEM float
#define DK_TARGET
#define DK_LANES 1
#define DK_ACCS 16
#define DK_VEC float
#define DK_LOAD(p) vdb_load_f32(p)
#include "kernel_template.h"

#define DK_TYPE f16
#define DK_LEVEL scalar
#define DK_ELEM uint16
#define DK_TARGET
#define DK_LANES 1
#define DK_ACCS 16
#define DK_VEC float
#define DK_LOAD(p) vdb_load_f16(p)
#include "kernel_template.h"

const VdbKernels vdb_kernels_scalar = {
	.name = "scalar",
	.l2sq = l2sq_f32_scalar,
	.ip = ip_f32_scalar,
	.l1 = l1_f32_scalar,
	.cosine = cosine_f32_scalar,
	.half = {l2sq_f16_scalar, ip_f16_scalar, l1_f16_scalar, cosine_f16_scalar}
};

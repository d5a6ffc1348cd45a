/*-------------------------------------------------------------------------
 *
 * kernels_scalar.c
 *	  Distance kernels in plain C, for every CPU and compiler.
 *
 * Compilers vectorise the loops over floats, but not the conversion of float16s
 * within them: it is written for four at a time where the compiler has vector
 * types, in whatever instructions the baseline CPU has for them.
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
#define DK_LEVEL one_by_one
#define DK_ELEM uint16
#define DK_TARGET
#define DK_LANES 1
#define DK_ACCS 16
#define DK_VEC float
#define DK_LOAD(p) vdb_load_f16(p)
#include "kernel_template.h"

#define ONE_BY_ONE {l2sq_f16_one_by_one, ip_f16_one_by_one, l1_f16_one_by_one, cosine_f16_one_by_one}

#ifdef VDB_HAVE_VECTOR_EXT

static const VdbHalfKernels one_by_one = ONE_BY_ONE;

#define DK_TYPE f16
#define DK_LEVEL scalar
#define DK_ELEM uint16
#define DK_TARGET
#define DK_LANES 4
#define DK_ACCS 4
#define DK_VEC VdbFloat4
#define DK_LOAD(p) vdb_load_f16x4(p)
#define DK_SHORT one_by_one
#include "kernel_template.h"

#define HALF_KERNELS {l2sq_f16_scalar, ip_f16_scalar, l1_f16_scalar, cosine_f16_scalar}
#else
#define HALF_KERNELS ONE_BY_ONE
#endif

const VdbKernels vdb_kernels_scalar = {
	.name = "scalar",
	.l2sq = l2sq_f32_scalar,
	.ip = ip_f32_scalar,
	.l1 = l1_f32_scalar,
	.cosine = cosine_f32_scalar,
	.half = HALF_KERNELS
};

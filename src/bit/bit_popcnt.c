/*-------------------------------------------------------------------------
 *
 * bit_popcnt.c
 *	  Bit kernels for x86-64 with POPCNT.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "bit_kernels.h"

#ifdef VDB_HAVE_X86_KERNELS

#define BK_LEVEL popcnt
#define BK_TARGET vdb_attribute_target("popcnt")
#define BK_COUNT(x) ((uint64) __builtin_popcountll(x))
#include "bit_template.h"

const VdbBitKernels vdb_bit_kernels_popcnt = {
	.name = "popcnt",
	.hamming = hamming_popcnt,
	.jaccard = jaccard_popcnt
};

#endif							/* VDB_HAVE_X86_KERNELS */

/*-------------------------------------------------------------------------
 *
 * bit_scalar.c
 *	  Bit kernels in plain C.  Where counting bits is an instruction of every
 *	  CPU (arm64), the compiler's builtin is that.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "bit_kernels.h"

#ifdef VDB_HAVE_NEON_KERNELS
#define COUNT_BITS(x) ((uint64) __builtin_popcountll(x))
#else
/*
 * Sums of neighbouring fields of one, two, four bits, then of all bytes.
 */
static inline uint64
count_bits(uint64 x)
{
	x -= (x >> 1) & UINT64CONST(0x5555555555555555);
	x = (x & UINT64CONST(0x3333333333333333)) + ((x >> 2) & UINT64CONST(0x3333333333333333));
	x = (x + (x >> 4)) & UINT64CONST(0x0F0F0F0F0F0F0F0F);
	return (x * UINT64CONST(0x0101010101010101)) >> 56;
}

#define COUNT_BITS(x) count_bits(x)
#endif

#define BK_LEVEL scalar
#define BK_TARGET
#define BK_COUNT(x) COUNT_BITS(x)
#include "bit_template.h"

const VdbBitKernels vdb_bit_kernels_scalar = {
	.name = "scalar",
	.hamming = hamming_scalar,
	.jaccard = jaccard_scalar
};

/*-------------------------------------------------------------------------
 *
 * bit_kernels.h
 *	  Kernels that count bits, one table per SIMD level.
 *
 * Nothing declared here needs a server.  A kernel neither allocates nor throws,
 * reads exactly the bytes it is given, at any alignment, and counts the same at
 * every level.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_BIT_KERNELS_H
#define VDB_BIT_KERNELS_H

#include "distance/distance.h"

/* Bits that two strings have in common, and in all */
typedef struct VdbBitSums
{
	uint64		both;
	uint64		either;
} VdbBitSums;

typedef struct VdbBitKernels
{
	const char *name;

	/* bits that differ */
	uint64 (*hamming)(Size bytes, const uint8 *a, const uint8 *b);
	VdbBitSums (*jaccard)(Size bytes, const uint8 *a, const uint8 *b);
} VdbBitKernels;

/* bit_scalar.c, bit_popcnt.c, bit_avx512.c */
extern const VdbBitKernels vdb_bit_kernels_scalar;
#ifdef VDB_HAVE_X86_KERNELS
extern const VdbBitKernels vdb_bit_kernels_popcnt;
extern const VdbBitKernels vdb_bit_kernels_avx512;
#endif

/* bit_choose.c */
extern const VdbBitKernels *vdb_bit_find_kernels(VdbSimdLevel level);
extern PGDLLEXPORT const VdbBitKernels *vdb_bit_kernels_like(const VdbKernels *kernels);

#endif							/* VDB_BIT_KERNELS_H */

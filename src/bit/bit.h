/*-------------------------------------------------------------------------
 *
 * bit.h
 *	  Public face of the bit room: distances of PostgreSQL's bit strings.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_BIT_H
#define VDB_BIT_H

#include "bit/bit_kernels.h"

/*
 * The Jaccard distance of two bit strings with so many bits in both and in
 * either.  That of strings without a bit in common is 1, also if both have none
 * at all, as in pgvector.
 */
static inline double
vdb_bit_jaccard(VdbBitSums sums)
{
	if (sums.both == 0)
		return 1;
	return 1 - (double) sums.both / (double) sums.either;
}

#endif							/* VDB_BIT_H */

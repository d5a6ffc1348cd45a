/*-------------------------------------------------------------------------
 *
 * kernel_load.h
 *	  Vector types and element loads that the kernels of all levels share.
 *
 * The types claim no alignment and may alias anything, so a load through a
 * pointer to one is an unaligned load.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_KERNEL_LOAD_H
#define VDB_KERNEL_LOAD_H

#include "pg_compat.h"

#include <math.h>

#include "vector/half.h"

#ifdef VDB_HAVE_VECTOR_EXT
typedef float VdbFloat4 __attribute__((vector_size(16), aligned(1), may_alias));
typedef float VdbFloat8 __attribute__((vector_size(32), aligned(1), may_alias));
typedef float VdbFloat16 __attribute__((vector_size(64), aligned(1), may_alias));
typedef uint16 VdbHalf4 __attribute__((vector_size(8)));
typedef int32 VdbInt4 __attribute__((vector_size(16)));
#endif

/*
 * One float from any address.
 */
static inline float
vdb_load_f32(const float *p)
{
	float		value;

	memcpy(&value, p, sizeof(value));
	return value;
}

/*
 * One float16 from any address, as a float.
 */
static inline float
vdb_load_f16(const uint16 *p)
{
	uint16		value;

	memcpy(&value, p, sizeof(value));
	return vdb_half_to_float(value);
}

#ifdef VDB_HAVE_VECTOR_EXT
/*
 * Four float16s from any address, as vdb_half_to_float() but that a NaN stays
 * what it is.
 */
static inline VdbFloat4
vdb_load_f16x4(const uint16 *p)
{
	VdbHalf4	halves;
	VdbInt4		words;
	VdbInt4		rest;

	memcpy(&halves, p, sizeof(halves));
	words = __builtin_convertvector(halves, VdbInt4);
	rest = (words & 0x7fff) << 13;
	return (VdbFloat4) ((VdbInt4) ((VdbFloat4) rest * 0x1p112f) |
						((rest >= 0x0f800000) & 0x7f800000) | (words & 0x8000) << 16);
}
#endif

#endif							/* VDB_KERNEL_LOAD_H */

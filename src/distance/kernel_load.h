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

#endif							/* VDB_KERNEL_LOAD_H */

/*-------------------------------------------------------------------------
 *
 * dense.h
 *	  Elements of vector and halfvec, for code that serves both.
 *
 * The files of this room have each body once, as a function that takes the
 * VdbDenseType, is always inlined, and is called by the SQL function of each
 * type with a constant.  So the compiler makes of each body what would have
 * been written for one type: the test for the type is gone from its loops.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VDB_DENSE_H
#define VDB_DENSE_H

#include "vector/vector.h"

/* A body: inlined into the SQL function of each type */
#define DENSE_BODY static pg_attribute_always_inline

/*
 * Element i.
 */
DENSE_BODY float
dense_get(VdbDenseType type, const VdbDense *v, int i)
{
	if (type == VDB_HALFVEC)
		return vdb_half_to_float(((const VdbHalfvec *) v)->x[i]);
	return ((const VdbVector *) v)->x[i];
}

/*
 * Sets element i to the nearest value that the type has, which may be infinity.
 */
DENSE_BODY void
dense_set(VdbDenseType type, VdbDense *v, int i, float value)
{
	if (type == VDB_HALFVEC)
		((VdbHalfvec *) v)->x[i] = vdb_half_from_float(value);
	else
		((VdbVector *) v)->x[i] = value;
}

/*
 * The same for a value of the user's, with an error for what the type cannot
 * have.
 */
DENSE_BODY void
dense_set_checked(VdbDenseType type, VdbDense *v, int i, float value)
{
	if (type == VDB_HALFVEC)
		((VdbHalfvec *) v)->x[i] = vdb_halfvec_element(value);
	else
	{
		vdb_dense_check_element(type, value);
		((VdbVector *) v)->x[i] = value;
	}
}

/*
 * Copies n elements of one value, from element from on, to element to of
 * another of the same type.
 */
DENSE_BODY void
dense_copy(VdbDenseType type, VdbDense *target, int to, const VdbDense *source,
		   int from, int n)
{
	Size		size = vdb_dense_element_size(type);

	memcpy(target->x + size * (Size) to, source->x + size * (Size) from,
		   size * (Size) n);
}

#endif							/* VDB_DENSE_H */

/*-------------------------------------------------------------------------
 *
 * vector_check.c
 *	  Allocation of vectors and the checks that every way in shares.
 *
 * Messages and SQLSTATEs are pgvector's, which clients match on.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "vector/vector.h"

/*
 * Returns a zero vector of dim dimensions in the current memory context.
 * The caller has checked dim.
 */
VdbVector *
vdb_vector_alloc(int dim)
{
	VdbVector  *result = palloc0(VDB_VECTOR_SIZE(dim));

	SET_VARSIZE(result, VDB_VECTOR_SIZE(dim));
	result->dim = (int16) dim;
	return result;
}

/*
 * Errors out unless a vector may have dim dimensions.
 */
void
vdb_vector_check_dim(int dim)
{
	if (dim < 1)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("vector must have at least 1 dimension")));
	if (dim > VDB_VECTOR_MAX_DIM)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("vector cannot have more than %d dimensions",
						VDB_VECTOR_MAX_DIM)));
}

/*
 * Errors out unless dim is what the type modifier demands (-1: anything).
 */
void
vdb_vector_check_typmod(int32 typmod, int dim)
{
	if (typmod != -1 && typmod != dim)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("expected %d dimensions, not %d", typmod, dim)));
}

/*
 * Errors out unless a and b have the same number of dimensions.
 */
void
vdb_vector_check_same_dim(const VdbVector *a, const VdbVector *b)
{
	if (a->dim != b->dim)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("different vector dimensions %d and %d",
						a->dim, b->dim)));
}

/*
 * Errors out unless value may be an element.
 */
void
vdb_vector_check_element(float value)
{
	if (isnan(value))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("NaN not allowed in vector")));
	if (isinf(value))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("infinite value not allowed in vector")));
}

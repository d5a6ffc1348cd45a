/*-------------------------------------------------------------------------
 *
 * sparse_check.c
 *	  Allocation of sparse vectors and the checks that every way in shares.
 *
 * Messages and SQLSTATEs are pgvector's, which clients match on.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "sparse/sparse.h"

/*
 * Returns a sparse vector with room for count elements, all zeroes, in the
 * current memory context.  The caller has checked dim and count.
 */
VdbSparse *
vdb_sparse_alloc(int dim, int count)
{
	VdbSparse  *result = palloc0(VDB_SPARSE_SIZE(count));

	SET_VARSIZE(result, VDB_SPARSE_SIZE(count));
	result->dim = dim;
	result->count = count;
	return result;
}

/*
 * Errors out unless a sparse vector may have dim dimensions.
 */
void
vdb_sparse_check_dim(int dim)
{
	if (dim < 1)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("sparsevec must have at least 1 dimension")));
	if (dim > VDB_SPARSE_MAX_DIM)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("sparsevec cannot have more than %d dimensions",
						VDB_SPARSE_MAX_DIM)));
}

/*
 * Errors out unless one of dim dimensions may have count elements.
 */
void
vdb_sparse_check_count(int count, int dim)
{
	if (count < 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("sparsevec cannot have negative number of elements")));
	if (count > VDB_SPARSE_MAX_ELEMENTS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("sparsevec cannot have more than %d non-zero elements",
						VDB_SPARSE_MAX_ELEMENTS)));
	if (count > dim)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("sparsevec cannot have more elements than dimensions")));
}

/*
 * Errors out unless dim is what the type modifier demands (-1: anything).
 */
void
vdb_sparse_check_typmod(int32 typmod, int dim)
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
vdb_sparse_check_same_dim(const VdbSparse *a, const VdbSparse *b)
{
	if (a->dim != b->dim)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("different sparsevec dimensions %d and %d",
						a->dim, b->dim)));
}

/*
 * Errors out unless the i-th index is one of dim dimensions, and behind the
 * one before it.
 */
void
vdb_sparse_check_index(const int32 *indices, int i, int dim)
{
	if (indices[i] < 0 || indices[i] >= dim)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("sparsevec index out of bounds")));
	if (i > 0 && indices[i] < indices[i - 1])
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("sparsevec indices must be in ascending order")));
	if (i > 0 && indices[i] == indices[i - 1])
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("sparsevec indices must not contain duplicates")));
}

/*
 * Errors out unless value is finite.
 */
void
vdb_sparse_check_value(float value)
{
	if (isnan(value))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("NaN not allowed in sparsevec")));
	if (isinf(value))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("infinite value not allowed in sparsevec")));
}

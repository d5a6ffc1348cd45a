/*-------------------------------------------------------------------------
 *
 * sparse_arith.c
 *	  The norm of a sparse vector, and division by it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "sparse/sparse.h"

PG_FUNCTION_INFO_V1(vdb_sparse_l2_norm);
PG_FUNCTION_INFO_V1(vdb_sparse_l2_normalize);

/*
 * l2_norm(sparsevec) returns double precision
 */
Datum
vdb_sparse_l2_norm(PG_FUNCTION_ARGS)
{
	VdbSparse  *v = PG_GETARG_VDB_SPARSE_P(0);
	double		result = sqrt(vdb_sparse_squares(vdb_sparse_elements(v)));

	PG_FREE_IF_COPY(v, 0);
	PG_RETURN_FLOAT8(result);
}

/*
 * l2_normalize(sparsevec) returns sparsevec: the vector divided by its norm.
 * Elements that then underflow to zero are left out.  A quotient is 1 at most,
 * but for rounding, so nothing overflows.
 */
Datum
vdb_sparse_l2_normalize(PG_FUNCTION_ARGS)
{
	VdbSparse  *v = PG_GETARG_VDB_SPARSE_P(0);
	VdbSparseElements from = vdb_sparse_elements(v);
	double		norm = sqrt(vdb_sparse_squares(from));
	VdbSparse  *result;
	float	   *values;
	int			count = 0;
	int			n = 0;

	for (int i = 0; i < from.count; i++)
		count += (float) (from.values[i] / norm) != 0;
	result = vdb_sparse_alloc(v->dim, count);
	values = vdb_sparse_values(result);
	for (int i = 0; i < from.count; i++)
	{
		float		value = (float) (from.values[i] / norm);

		if (value == 0)
			continue;
		result->indices[n] = from.indices[i];
		values[n++] = value;
	}
	PG_FREE_IF_COPY(v, 0);
	PG_RETURN_VDB_SPARSE_P(result);
}

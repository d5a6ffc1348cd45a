/*-------------------------------------------------------------------------
 *
 * sparse_distance.c
 *	  SQL distance functions on sparse vectors.
 *
 * Names and results are pgvector's, but for rounding: sums are in double
 * precision, and rounded to float32 at the end, so that one beyond its range is
 * Infinity here, too.  The cosine, as that of dense vectors, does not underflow.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "sparse/sparse.h"
#include "utils/float.h"

PG_FUNCTION_INFO_V1(vdb_sparse_l2_distance);
PG_FUNCTION_INFO_V1(vdb_sparse_l2_squared_distance);
PG_FUNCTION_INFO_V1(vdb_sparse_inner_product);
PG_FUNCTION_INFO_V1(vdb_sparse_negative_inner_product);
PG_FUNCTION_INFO_V1(vdb_sparse_cosine_distance);
PG_FUNCTION_INFO_V1(vdb_sparse_l1_distance);

typedef double (*SparseDistance)(VdbSparseElements a, VdbSparseElements b);

static double
l2_squared_value(VdbSparseElements a, VdbSparseElements b)
{
	return (float) vdb_sparse_l2sq(a, b);
}

static double
l2_value(VdbSparseElements a, VdbSparseElements b)
{
	return sqrt(l2_squared_value(a, b));
}

static double
inner_product_value(VdbSparseElements a, VdbSparseElements b)
{
	return (float) vdb_sparse_ip(a, b);
}

static double
negative_inner_product_value(VdbSparseElements a, VdbSparseElements b)
{
	return -inner_product_value(a, b);
}

static double
l1_value(VdbSparseElements a, VdbSparseElements b)
{
	return (float) vdb_sparse_l1(a, b);
}

/*
 * NaN if one of the vectors is zero, or if its own products are beyond float32.
 * The root of the product of equal sums is exact, so that a vector's distance to
 * itself is exactly 0.
 */
static double
cosine_value(VdbSparseElements a, VdbSparseElements b)
{
	double		dot = vdb_sparse_ip(a, b);
	double		norm_a = vdb_sparse_squares(a);
	double		norm_b = vdb_sparse_squares(b);
	double		cosine;

	if (isinf((float) norm_a) || isinf((float) norm_b))
		return get_float8_nan();
	cosine = dot / sqrt(norm_a * norm_b);
	if (cosine > 1)
		cosine = 1;
	if (cosine < -1)
		cosine = -1;
	return 1 - cosine;
}

/*
 * The body of every function below: value() of the two arguments, whose
 * dimensions must agree.
 */
static Datum
evaluate(FunctionCallInfo fcinfo, SparseDistance value)
{
	VdbSparse  *a = PG_GETARG_VDB_SPARSE_P(0);
	VdbSparse  *b = PG_GETARG_VDB_SPARSE_P(1);
	double		result;

	vdb_sparse_check_same_dim(a, b);
	result = value(vdb_sparse_elements(a), vdb_sparse_elements(b));
	PG_FREE_IF_COPY(a, 0);
	PG_FREE_IF_COPY(b, 1);
	PG_RETURN_FLOAT8(result);
}

Datum
vdb_sparse_l2_distance(PG_FUNCTION_ARGS)
{
	return evaluate(fcinfo, l2_value);
}

Datum
vdb_sparse_l2_squared_distance(PG_FUNCTION_ARGS)
{
	return evaluate(fcinfo, l2_squared_value);
}

Datum
vdb_sparse_inner_product(PG_FUNCTION_ARGS)
{
	return evaluate(fcinfo, inner_product_value);
}

Datum
vdb_sparse_negative_inner_product(PG_FUNCTION_ARGS)
{
	return evaluate(fcinfo, negative_inner_product_value);
}

Datum
vdb_sparse_cosine_distance(PG_FUNCTION_ARGS)
{
	return evaluate(fcinfo, cosine_value);
}

Datum
vdb_sparse_l1_distance(PG_FUNCTION_ARGS)
{
	return evaluate(fcinfo, l1_value);
}

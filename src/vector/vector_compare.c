/*-------------------------------------------------------------------------
 *
 * vector_compare.c
 *	  Order, equality and hash of vector and halfvec, for btree and hash.
 *
 * The order is that of arrays: elements first, then the number of
 * dimensions.  Elements are finite, so < and = on floats are a total order
 * in which -0 equals 0; the hash treats the two alike.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "dense.h"

PG_FUNCTION_INFO_V1(vdb_vector_lt);
PG_FUNCTION_INFO_V1(vdb_vector_le);
PG_FUNCTION_INFO_V1(vdb_vector_eq);
PG_FUNCTION_INFO_V1(vdb_vector_ne);
PG_FUNCTION_INFO_V1(vdb_vector_ge);
PG_FUNCTION_INFO_V1(vdb_vector_gt);
PG_FUNCTION_INFO_V1(vdb_vector_cmp);
PG_FUNCTION_INFO_V1(vdb_vector_hash);
PG_FUNCTION_INFO_V1(vdb_vector_hash_extended);
PG_FUNCTION_INFO_V1(vdb_halfvec_lt);
PG_FUNCTION_INFO_V1(vdb_halfvec_le);
PG_FUNCTION_INFO_V1(vdb_halfvec_eq);
PG_FUNCTION_INFO_V1(vdb_halfvec_ne);
PG_FUNCTION_INFO_V1(vdb_halfvec_ge);
PG_FUNCTION_INFO_V1(vdb_halfvec_gt);
PG_FUNCTION_INFO_V1(vdb_halfvec_cmp);
PG_FUNCTION_INFO_V1(vdb_halfvec_hash);
PG_FUNCTION_INFO_V1(vdb_halfvec_hash_extended);

static int	compare_vectors(FunctionCallInfo fcinfo);
static int	compare_halfvecs(FunctionCallInfo fcinfo);

/*
 * Returns <0, 0 or >0 as a is before, equal to or after b.
 */
DENSE_BODY int
compare(VdbDenseType type, const VdbDense *a, const VdbDense *b)
{
	int			n = Min(a->dim, b->dim);

	for (int i = 0; i < n; i++)
	{
		float		x = dense_get(type, a, i);
		float		y = dense_get(type, b, i);

		if (x < y)
			return -1;
		if (x > y)
			return 1;
	}
	return a->dim - b->dim;
}

/*
 * Compares the two arguments of an SQL function; frees detoasted copies,
 * which index builds would otherwise pile up.
 */
DENSE_BODY int
compare_args(FunctionCallInfo fcinfo, VdbDenseType type)
{
	VdbDense   *a = PG_GETARG_VDB_DENSE_P(0);
	VdbDense   *b = PG_GETARG_VDB_DENSE_P(1);
	int			result = compare(type, a, b);

	PG_FREE_IF_COPY(a, 0);
	PG_FREE_IF_COPY(b, 1);
	return result;
}

static int
compare_vectors(FunctionCallInfo fcinfo)
{
	return compare_args(fcinfo, VDB_VECTOR);
}

static int
compare_halfvecs(FunctionCallInfo fcinfo)
{
	return compare_args(fcinfo, VDB_HALFVEC);
}

Datum
vdb_vector_lt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_vectors(fcinfo) < 0);
}

Datum
vdb_vector_le(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_vectors(fcinfo) <= 0);
}

Datum
vdb_vector_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_vectors(fcinfo) == 0);
}

Datum
vdb_vector_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_vectors(fcinfo) != 0);
}

Datum
vdb_vector_ge(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_vectors(fcinfo) >= 0);
}

Datum
vdb_vector_gt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_vectors(fcinfo) > 0);
}

Datum
vdb_halfvec_lt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_halfvecs(fcinfo) < 0);
}

Datum
vdb_halfvec_le(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_halfvecs(fcinfo) <= 0);
}

Datum
vdb_halfvec_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_halfvecs(fcinfo) == 0);
}

Datum
vdb_halfvec_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_halfvecs(fcinfo) != 0);
}

Datum
vdb_halfvec_ge(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_halfvecs(fcinfo) >= 0);
}

Datum
vdb_halfvec_gt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_halfvecs(fcinfo) > 0);
}

/*
 * vector_cmp(vector, vector) returns integer: -1, 0 or 1
 */
Datum
vdb_vector_cmp(PG_FUNCTION_ARGS)
{
	int			cmp = compare_vectors(fcinfo);

	PG_RETURN_INT32((cmp > 0) - (cmp < 0));
}

Datum
vdb_halfvec_cmp(PG_FUNCTION_ARGS)
{
	int			cmp = compare_halfvecs(fcinfo);

	PG_RETURN_INT32((cmp > 0) - (cmp < 0));
}

/*
 * Hash of the elements of argument 0; the number of dimensions is the length
 * hashed.
 */
DENSE_BODY uint64
hash_arg(FunctionCallInfo fcinfo, VdbDenseType type, uint64 seed)
{
	VdbDense   *v = PG_GETARG_VDB_DENSE_P(0);
	VdbDense   *copy = palloc(vdb_dense_size(type, v->dim));
	uint64		result;

	/* -0 + 0 is 0, every other value stays. */
	for (int i = 0; i < v->dim; i++)
		dense_set(type, copy, i, dense_get(type, v, i) + 0.0f);

	result = DatumGetUInt64(hash_any_extended((const unsigned char *) copy->x,
											  (int) vdb_dense_element_size(type) * v->dim,
											  seed));
	pfree(copy);
	PG_FREE_IF_COPY(v, 0);
	return result;
}

/*
 * vector_hash(vector) returns integer
 *
 * The low half of the 64-bit hash with seed 0, as core requires.
 */
Datum
vdb_vector_hash(PG_FUNCTION_ARGS)
{
	PG_RETURN_UINT32((uint32) hash_arg(fcinfo, VDB_VECTOR, 0));
}

Datum
vdb_halfvec_hash(PG_FUNCTION_ARGS)
{
	PG_RETURN_UINT32((uint32) hash_arg(fcinfo, VDB_HALFVEC, 0));
}

/*
 * vector_hash_extended(vector, bigint) returns bigint
 */
Datum
vdb_vector_hash_extended(PG_FUNCTION_ARGS)
{
	PG_RETURN_UINT64(hash_arg(fcinfo, VDB_VECTOR, (uint64) PG_GETARG_INT64(1)));
}

Datum
vdb_halfvec_hash_extended(PG_FUNCTION_ARGS)
{
	PG_RETURN_UINT64(hash_arg(fcinfo, VDB_HALFVEC, (uint64) PG_GETARG_INT64(1)));
}

/*-------------------------------------------------------------------------
 *
 * vector_compare.c
 *	  Order, equality and hash of vectors, for btree and hash.
 *
 * The order is that of arrays: elements first, then the number of
 * dimensions.  Elements are finite, so < and = on floats are a total order
 * in which -0 equals 0; the hash treats the two alike.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "vector/vector.h"

PG_FUNCTION_INFO_V1(vdb_vector_lt);
PG_FUNCTION_INFO_V1(vdb_vector_le);
PG_FUNCTION_INFO_V1(vdb_vector_eq);
PG_FUNCTION_INFO_V1(vdb_vector_ne);
PG_FUNCTION_INFO_V1(vdb_vector_ge);
PG_FUNCTION_INFO_V1(vdb_vector_gt);
PG_FUNCTION_INFO_V1(vdb_vector_cmp);
PG_FUNCTION_INFO_V1(vdb_vector_hash);
PG_FUNCTION_INFO_V1(vdb_vector_hash_extended);

static int	compare_args(FunctionCallInfo fcinfo);
static uint64 hash_elements(const VdbVector *v, uint64 seed);

/*
 * Returns <0, 0 or >0 as a is before, equal to or after b.
 */
int
vdb_vector_compare(const VdbVector *a, const VdbVector *b)
{
	int			n = Min(a->dim, b->dim);
	int			i;

	for (i = 0; i < n; i++)
	{
		if (a->x[i] < b->x[i])
			return -1;
		if (a->x[i] > b->x[i])
			return 1;
	}
	return a->dim - b->dim;
}

/*
 * Compares the two arguments of an SQL function; frees detoasted copies,
 * which index builds would otherwise pile up.
 */
static int
compare_args(FunctionCallInfo fcinfo)
{
	VdbVector  *a = PG_GETARG_VDB_VECTOR_P(0);
	VdbVector  *b = PG_GETARG_VDB_VECTOR_P(1);
	int			result = vdb_vector_compare(a, b);

	PG_FREE_IF_COPY(a, 0);
	PG_FREE_IF_COPY(b, 1);
	return result;
}

Datum
vdb_vector_lt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_args(fcinfo) < 0);
}

Datum
vdb_vector_le(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_args(fcinfo) <= 0);
}

Datum
vdb_vector_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_args(fcinfo) == 0);
}

Datum
vdb_vector_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_args(fcinfo) != 0);
}

Datum
vdb_vector_ge(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_args(fcinfo) >= 0);
}

Datum
vdb_vector_gt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_args(fcinfo) > 0);
}

Datum
vdb_vector_cmp(PG_FUNCTION_ARGS)
{
	int			cmp = compare_args(fcinfo);

	PG_RETURN_INT32((cmp > 0) - (cmp < 0));
}

/*
 * Hash of the elements; the number of dimensions is the length hashed.
 */
static uint64
hash_elements(const VdbVector *v, uint64 seed)
{
	Size		size = sizeof(float) * (Size) v->dim;
	float	   *x = palloc(size);
	uint64		result;
	int			i;

	/* -0 + 0 is 0, every other value stays. */
	for (i = 0; i < v->dim; i++)
		x[i] = v->x[i] + 0.0f;

	result = DatumGetUInt64(hash_any_extended((const unsigned char *) x,
											  (int) size, seed));
	pfree(x);
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
	VdbVector  *v = PG_GETARG_VDB_VECTOR_P(0);
	uint32		result = (uint32) hash_elements(v, 0);

	PG_FREE_IF_COPY(v, 0);
	PG_RETURN_UINT32(result);
}

/*
 * vector_hash_extended(vector, bigint) returns bigint
 */
Datum
vdb_vector_hash_extended(PG_FUNCTION_ARGS)
{
	VdbVector  *v = PG_GETARG_VDB_VECTOR_P(0);
	uint64		result = hash_elements(v, (uint64) PG_GETARG_INT64(1));

	PG_FREE_IF_COPY(v, 0);
	PG_RETURN_UINT64(result);
}
